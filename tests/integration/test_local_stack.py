"""The local stack stops what it starts, finds its data again after any end, and says in words what is wrong."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
import pytest

from deploy.local import kafka as local_kafka
from deploy.local.failure import ChildEndedError, LocalStackError
from deploy.local.ports import HOST
from deploy.local.stack import Stack, reset
from tests.plugins.servers import CreateTopics
from tests.plugins.waiting import eventually

Begin = Callable[[Path], Awaitable["Run"]]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """One `python -m deploy.local up`, and what it said."""

    process: subprocess.Popen[bytes]
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def is_up(self) -> bool:
        return self.process.poll() is not None or "Ctrl-C stops them" in self.said()

    def address(self, of: str) -> str:
        return next(line.split()[1] for line in self.said().splitlines() if line.startswith(f"{of} "))

    async def ended_with(self) -> int:
        await eventually(lambda: self.process.poll() is not None, timeout=40, waiting_for="the end of the run")
        return self.process.returncode


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Start a stack in a process of its own, as a person does; whatever happens, it does not outlive the test."""
    runs: list[Run] = []

    async def begin_one(folder: Path) -> Run:
        run = begin_run(folder, tmp_path / f"said-{len(runs)}")
        runs.append(run)
        await eventually(run.is_up, timeout=90, waiting_for="the stack to be up")
        return run

    yield begin_one
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            await run.ended_with()


def begin_run(folder: Path, output: Path) -> Run:
    command = [sys.executable, "-m", "deploy.local", "up", "--folder", str(folder)]
    with output.open("wb") as file:
        return Run(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT), output)  # noqa: S603


def running_in(folder: Path) -> list[int]:
    """The processes whose command line names the folder, or the place that stands for it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if str(folder) in words and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def prefer_port(folder: Path, port: int) -> None:
    folder.mkdir()
    (folder / "ports.json").write_text(json.dumps({"postgres": port}))


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "stack"
    await reset(tmp_path / "stack")


@pytest.mark.timeout(300)
async def test_a_killed_run_is_cleared_away_by_the_next_one_which_finds_its_data(folder: Path, begin: Begin) -> None:
    with socket.socket() as occupied:
        occupied.bind((HOST, 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        prefer_port(folder, port)
        run = await begin(folder)
    assert f"Port {port} is in use: postgres takes " in run.said()
    url = run.address("PostgreSQL")
    await execute(url, "create table kept as select 7 as number")

    run.process.send_signal(signal.SIGKILL)
    await run.ended_with()
    await execute(url, "select 1")

    again = await begin(folder)
    for name in ("mailbox", "Kafka", "PostgreSQL"):
        assert f"Ending {name} (pid " in again.said()
    assert again.address("PostgreSQL") == url, "the port of the last run is taken again"
    assert await execute(url, "select number from kept") == 7

    again.process.send_signal(signal.SIGINT)
    assert await again.ended_with() == 0, again.said()
    assert running_in(folder) == []
    with pytest.raises(OSError, match="Connect call failed"):
        await execute(url, "select 1")


async def execute(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.mark.timeout(300)
async def test_the_death_of_a_child_ends_the_stack_and_is_told_with_its_last_words(folder: Path) -> None:
    with pytest.raises(ChildEndedError, match=r"mailbox has ended with exit code -9"):
        await run_until_the_mailbox_dies(folder)
    assert running_in(folder) == []


async def run_until_the_mailbox_dies(folder: Path) -> None:
    async with Stack(folder) as stack:
        with pytest.raises(LocalStackError, match="is running already"):
            await Stack(folder).__aenter__()
        with pytest.raises(ChildEndedError, match=r"(?s)broken has ended with exit code 1.*No module named"):
            await stack.start_service("broken", "no.such.module", {}, ready_url=f"{stack.mailbox_url}/never")
        record = json.loads((folder / "processes" / "mailbox.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        await stack.wait()


async def test_a_stock_tool_of_kafka_describes_the_tests_topic(kafka: str, create_topics: CreateTopics) -> None:
    [topic] = await create_topics(["orders.events"], partitions=3)
    command = local_kafka.tool_command("kafka-topics", ["--describe", "--topic", topic], kafka)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert "PartitionCount: 3" in output.decode()
    assert "message.timestamp.type=LogAppendTime" in output.decode()
