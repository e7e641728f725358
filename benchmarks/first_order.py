"""From a checkout to the first order with its confirmation on the log: the command that a newcomer types, timed."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.rounds import progress
from benchmarks.rows import Row, Target
from benchmarks.world import World

CHECKOUT = Path(__file__).parents[1]
DEMO = "--once --orders 1 --folder {folder}"


async def measure(world: World) -> list[Row]:
    """Seconds of `make demo` for one order where everything was fetched before, on empty servers."""
    took = [await _timed(CHECKOUT, Path(tempfile.mkdtemp()), {}) for _ in range(1 if world.quick else 2)]
    note = "from the command to its end: servers initialised and started, order placed, mail read, all stopped again"
    return [Row("first order: `make demo`, warm", " s", took, target=Target(most=30), note=note)]


async def measure_cold(_world: World) -> list[Row]:
    """The same in a fresh clone of what is committed, with no cache of packages, jars or prepared servers."""
    place = Path(tempfile.mkdtemp())
    empty = {
        "ORDERSYSTEM_CACHE": str(place / "cache"),
        "PIP_NO_CACHE_DIR": "1",
        "MAVEN_OPTS": f"-Dmaven.repo.local={place / 'maven'}",
    }
    began = time.monotonic()
    await _run("git", "clone", "--quiet", str(CHECKOUT), str(place / "clone"), env={})
    took = time.monotonic() - began + await _timed(place / "clone", place / "stack", empty)
    await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    note = "git clone, make demo; packages and jars fetched anew, the system's own packages were there"
    return [Row("first order: `git clone` and `make demo`, cold", " s", [took], target=Target(most=300), note=note)]


async def _timed(checkout: Path, folder: Path, env: Mapping[str, str]) -> float:
    progress("  make demo …")
    began = time.monotonic()
    await _run("make", "-C", str(checkout), "demo", f"ARGS={DEMO.format(folder=folder)}", env=env)
    took = time.monotonic() - began
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    progress("")
    return took


async def _run(*command: str, env: Mapping[str, str]) -> None:
    child = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{said.decode()[-2000:]}")
