"""`python -m deploy.local`: the servers without the demo, and Kafka's own tools against them."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.local import kafka, postgres, system
from deploy.local.failure import LocalStackError
from deploy.local.ports import HOST, remembered_port
from deploy.local.stack import Stack, default_folder, reset

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The local stack: PostgreSQL, Kafka and a mailbox as plain processes of this machine.",
)
_CHECKOUT = default_folder()
_Folder = Annotated[Path, typer.Option(help="Where data, logs and ports are kept.")]
_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command()
def up(folder: _Folder = _CHECKOUT) -> None:
    """Start the servers alone and run them until Ctrl-C."""
    asyncio.run(_up(folder))


async def _up(folder: Path) -> None:
    async with Stack(folder) as stack:
        typer.echo(f"PostgreSQL  {stack.postgres_url()}")
        typer.echo(f"Kafka       {stack.kafka}")
        typer.echo(f"SMTP        {HOST}:{stack.smtp_port}")
        typer.echo(f"Mailbox     {stack.mailbox_url}")
        typer.echo("Ctrl-C stops them; their data stay.")
        await stack.wait()


@app.command("reset")
def forget(folder: _Folder = _CHECKOUT) -> None:
    """Forget the data, mails and logs of earlier runs."""
    asyncio.run(reset(folder.absolute()))
    typer.echo(f"Forgotten: {folder.absolute()}")


@app.command()
def test_tools() -> None:
    """Install what single tests look at the system with (kcat, Chromium), where that is allowed."""
    for said in system.install_test_tools():
        typer.echo(said, err=True)


@app.command(context_settings=_PASSED_ON)
def psql(context: typer.Context) -> None:
    """Run psql against the running PostgreSQL; the first argument is the database."""
    database, *rest = context.args or [postgres.ADMIN]
    url = postgres.url(remembered_port(_CHECKOUT / "ports.json", "postgres"), database)
    _become([str(system.find_postgres() / "psql"), url, *rest])


def _add_tool(tool: str) -> None:
    @app.command(tool, context_settings=_PASSED_ON, rich_help_panel="Kafka's own tools, against the running stack")
    def run(context: typer.Context) -> None:
        bootstrap = f"{HOST}:{remembered_port(_CHECKOUT / 'ports.json', 'kafka')}"
        _become([str(word) for word in kafka.tool_command(tool, context.args, bootstrap)])


for _tool in kafka.TOOLS:
    _add_tool(_tool)


def _become(command: list[str]) -> None:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - the tool takes this process's place


if __name__ == "__main__":
    try:
        app()
    except LocalStackError as failure:
        sys.exit(str(failure))
