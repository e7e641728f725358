"""A container engine: the machine's own where one answers, else one from Debian's packages with folders of its own."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local import system
from deploy.local.failure import LocalStackError, MissingProgramError
from deploy.local.folders import cache_folder
from deploy.local.processes import Process, start_process
from deploy.local.real_containers.commands import run, succeeds
from deploy.local.real_containers.debian import Suite

_RUN = Path("/run/ordersystem-containers")
_READY_WITHIN = 60.0
_PLUGINS = {
    "compose": ("docker-compose", "docker-compose"),
    "buildx": ("docker-buildx", "docker-buildx"),
}


@dataclass(frozen=True)
class Engine:
    """A container engine that answers; `own` if it was started here."""

    env: dict[str, str]
    own: bool

    def docker(self, *words: str | Path, within: float = 900) -> str:
        """Run a docker command on this engine."""
        return run(["docker", *words], self.env, within=within)

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return succeeds(["docker", "image", "inspect", image], self.env)


@contextlib.asynccontextmanager
async def engine(tell: Callable[[str], None], *, keep: bool) -> AsyncIterator[Engine]:
    """The engine to use; one of our own is stopped at the end, and its images go unless `keep`."""
    if shutil.which("docker") and succeeds(["docker", "info"], within=20):
        tell("Using the container engine that answers on this machine.")
        yield Engine(_with_plugins(cache_folder() / "containers", tell), own=False)
        return
    if os.geteuid() != 0:
        raise MissingProgramError("No container engine answers: start Docker, or run this as root, and start again.")
    if shutil.which("dockerd") is None:
        tell("Installing a container engine (docker.io).")
        system.install(["docker.io"])
    folder = cache_folder() / "containers"
    env = {**_with_plugins(folder, tell), "DOCKER_HOST": f"unix://{_RUN / 'docker.sock'}"}
    await asyncio.to_thread(_RUN.mkdir, parents=True, exist_ok=True)
    daemon = await _start(folder, env)
    try:
        yield Engine(env, own=True)
    finally:
        await daemon.stop(signal.SIGTERM, within=60)
        await asyncio.to_thread(_clear_up, folder, keep=keep)


async def _start(folder: Path, env: dict[str, str]) -> Process:
    """Start dockerd without rules of its own in the machine's firewall: it would leave them behind."""
    folders: list[str | Path] = [
        "--data-root",
        folder / "data",
        "--exec-root",
        _RUN / "exec",
        "--pidfile",
        _RUN / "pid",
    ]
    command: list[str | Path] = ["dockerd", *folders, "--iptables=false", "-H", env["DOCKER_HOST"]]
    daemon = start_process("dockerd", command, folder / "dockerd.log")
    deadline = time.monotonic() + _READY_WITHIN
    while not await asyncio.to_thread(succeeds, ["docker", "info"], env, 10):
        if not daemon.alive():
            raise daemon.ended_early()
        if time.monotonic() > deadline:
            await daemon.stop()
            raise LocalStackError(f"dockerd did not answer within {_READY_WITHIN:.0f} s; its log: {daemon.log}")
        await asyncio.sleep(0.2)
    return daemon


def _clear_up(folder: Path, *, keep: bool) -> None:
    succeeds(["ip", "link", "delete", "docker0"])
    succeeds(["umount", _RUN / "exec" / "netns" / "default"])
    shutil.rmtree(_RUN, ignore_errors=True)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def _with_plugins(folder: Path, tell: Callable[[str], None]) -> dict[str, str]:
    """The environment for docker commands; compose and buildx are put beside it where docker has none."""
    env = {**os.environ, "TESTCONTAINERS_RYUK_DISABLED": "true"}
    missing = [plugin for plugin in _PLUGINS if not succeeds(["docker", plugin, "version"], env)]
    if not missing:
        return env
    config = folder / "config"
    plugins = config / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    wanted = [plugin for plugin in missing if not (plugins / f"docker-{plugin}").exists()]
    if wanted:
        tell(f"Fetching docker's {' and '.join(wanted)} from Debian 13's packages.")
        with Suite("trixie", folder / "trixie") as trixie:
            for plugin in wanted:
                package, program = _PLUGINS[plugin]
                shutil.copy2(trixie.file(package, program), plugins / f"docker-{plugin}")
    return {**env, "DOCKER_CONFIG": str(config)}
