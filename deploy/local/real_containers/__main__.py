"""`make real-containers`: the image, the compose file and the tests' containers, each run once as they are."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.demo import nordic_shops
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.screen import Screen
from deploy.local.demo.show import Source, show
from deploy.local.failure import LocalStackError
from deploy.local.ports import take_port
from deploy.local.processes import Process
from deploy.local.real_containers.bases import provide_bases, remove_stand_ins
from deploy.local.real_containers.commands import run
from deploy.local.real_containers.engine import Engine, engine
from deploy.local.stack import Stack

_ROOT = Path(__file__).parents[3]
_PROJECT = "ordersystem-check"
_PREFERRED = {
    "POSTGRES_PORT": 15432,
    "KAFKA_PORT": 19092,
    "ORDERS_PORT": 18080,
    "NOTIFICATIONS_PORT": 18081,
    "DOCUMENTS_PORT": 18082,
    "INTEGRATIONS_PORT": 18083,
    "SANDBOX_PAYMENT_PORT": 18091,
    "SANDBOX_SHIPPING_PORT": 18092,
    "SANDBOX_ERP_PORT": 18093,
    "MAILBOX_PORT": 18025,
    "SMTP_PORT": 11025,
}
_ORDERS = 12
_TESTS = ("tests/integration/test_local_servers.py", "tests/integration/test_kit_relay.py")


class ComposedStack(Stack):
    """The stack that docker-compose.yml has started: everything runs already, as containers."""

    def __init__(self, published: Mapping[str, int], folder: Path) -> None:
        super().__init__(folder)
        self._published = published

    @property
    def kafka(self) -> str:
        return f"127.0.0.1:{self._published['KAFKA_PORT']}"

    @property
    def mailbox_url(self) -> str:
        return f"http://127.0.0.1:{self._published['MAILBOX_PORT']}"

    @property
    def smtp_port(self) -> int:
        return self._published["SMTP_PORT"]

    def port(self, name: str, preferred: int) -> int:
        return self._published.get(f"{name.upper().replace('-', '_')}_PORT", preferred)

    def inside(self, name: str, port: int) -> str:
        del port
        return f"http://{name}:8080"

    async def create_database(self, name: str) -> str:
        return f"postgresql://{name}:{name}@127.0.0.1:{self._published['POSTGRES_PORT']}/{name}"

    async def start_service(
        self,
        name: str,
        module: str,
        env: Mapping[str, str],
        ready_url: str | None = None,
        within: float = 90.0,
        arguments: Sequence[str] = (),
    ) -> Process:
        del module, env, ready_url, within, arguments
        return Process(name, os.getpid(), 0.0, [], os.devnull)

    def check(self) -> None:
        return


def main(*, keep: Annotated[bool, typer.Option("--keep", help="Keep the images for the next time.")] = False) -> None:
    """Build the image, run docker-compose.yml unchanged, place orders in it, and run tests on containers."""
    screen = Screen()
    try:
        asyncio.run(_main(screen, keep=keep))
    except LocalStackError as failure:
        screen.say(str(failure))
        raise typer.Exit(1) from None


async def _main(screen: Screen, *, keep: bool) -> None:
    began = time.monotonic()
    async with engine(screen.say, keep=keep) as docker:
        stand_ins = provide_bases(docker, screen.say)
        try:
            _build(docker, screen)
            await _try_compose(docker, screen)
            _try_tests(docker, screen)
        finally:
            if not keep:
                remove_stand_ins(docker, stand_ins)
    bases = f"on stand-ins for {', '.join(stand_ins)}" if stand_ins else "on the real base images"
    screen.say(f"All of it works, {bases}; {time.monotonic() - began:.0f} s.")


def _build(docker: Engine, screen: Screen) -> None:
    """The images that the compose file names; built here because our own engine lets only the host's network out."""
    for target, image in (("services", "ordersystem"), ("outside", "ordersystem-outside")):
        screen.say(f"Building {image} …")
        docker.docker("build", "--network=host", "--quiet", "--target", target, "--tag", image, _ROOT)


async def _try_compose(docker: Engine, screen: Screen) -> None:
    screen.say("Starting docker-compose.yml …")
    with _composed(docker) as published:
        source = Source(
            [shop.settings for shop in nordic_shops.SHOPS], nordic_orders(_ORDERS, 1, datetime.now(UTC).date()), []
        )
        stack = ComposedStack(published, _ROOT / ".local")
        _, outcome = await show(stack, source, screen, time.monotonic())
        if not outcome.good:
            raise LocalStackError("Not every order went well in the composed system.")


@contextmanager
def _composed(docker: Engine) -> Iterator[Mapping[str, int]]:
    taken: set[int] = set()
    published = {name: take_port(preferred, taken) for name, preferred in _PREFERRED.items()}
    env = {**docker.env, **{name: str(port) for name, port in published.items()}}
    compose = ["docker", "compose", "--project-name", _PROJECT, "--file", str(_ROOT / "docker-compose.yml")]
    try:
        run([*compose, "up", "--detach", "--wait", "--no-build"], env)
        yield published
    except LocalStackError as failure:
        logs = run([*compose, "logs", "--no-color", "--tail", "20"], env)
        raise LocalStackError(f"{failure}\n{logs[-4000:]}") from failure
    finally:
        run([*compose, "down", "--volumes", "--timeout", "30"], env)


def _try_tests(docker: Engine, screen: Screen) -> None:
    screen.say("Running tests on containers that they start themselves …")
    env = {**docker.env, "TEST_SERVERS": "containers"}
    said = run([sys.executable, "-m", "pytest", "-q", "-n", "2", *_TESTS], env, cwd=_ROOT)
    screen.say(said.strip().splitlines()[-1])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m deploy.local.real_containers")
