"""`python -m deploy.local.sandbox payment|shipping|erp`: one of the three companies; it ends at SIGTERM or Ctrl-C."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from deploy.local.sandbox.control import Vendor, app_of
from deploy.local.sandbox.erp.api import sandbox_erp
from deploy.local.sandbox.erp.books import ErpMisbehaviour
from deploy.local.sandbox.misbehaviour import Misbehaviour
from deploy.local.sandbox.payment.api import sandbox_pay
from deploy.local.sandbox.serving import serve
from deploy.local.sandbox.shipping.api import sandbox_post

Name = Literal["payment", "shipping", "erp"]


def vendor_of(name: Name, folder: Path, chaos: float, seed: int) -> Vendor:
    """One of the three; `chaos` is the share of calls that go wrong."""
    match name:
        case "payment":
            return sandbox_pay(folder, Misbehaviour.of_share(chaos, seed))
        case "shipping":
            return sandbox_post(folder, Misbehaviour.of_share(chaos, seed))
        case "erp":
            return sandbox_erp(folder, ErpMisbehaviour.of_share(chaos, seed))


def main(
    name: Annotated[Name, typer.Argument(help="Which company.")],
    port: Annotated[int, typer.Option(help="The port to listen on.")],
    folder: Annotated[Path, typer.Option(help="Where its ledger and its calls are kept.")],
    seed: Annotated[int, typer.Option(help="What its misbehaviour is drawn from.")] = 0,
    chaos: Annotated[float, typer.Option(help="The share of calls that go wrong.", min=0.0, max=1.0)] = 0.0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """A company that is not ours, for the demo and for tests."""

    async def work() -> None:
        await serve(app_of(vendor_of(name, folder, chaos, seed)), host, port)

    asyncio.run(work())


if __name__ == "__main__":
    typer.run(main)
