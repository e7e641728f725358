"""A real process obeys signals, writes JSON lines that hide people, and continues its callers' traces."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.plugins.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Child:
    """A running example service and what it has written."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def saying(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]

    async def ended(self) -> int:
        code = await self.process.wait()
        await self.reading
        return code


@asynccontextmanager
async def running(url: str, **changes: str) -> AsyncIterator[Child]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EXAMPLE_")},
        "EXAMPLE_DATABASE_URL": url,
        "EXAMPLE_KAFKA": "nowhere:9092",
        "EXAMPLE_MIGRATE": "true",
        **changes,
    }
    command = [sys.executable, "-m", "tests.integration.runtime_example"]
    pipe = asyncio.subprocess.PIPE
    child = Child(await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe))
    try:
        yield child
    finally:
        if child.process.returncode is None:
            child.process.kill()
        await child.ended()


@asynccontextmanager
async def serving(child: Child) -> AsyncIterator[httpx2.AsyncClient]:
    await eventually(lambda: child.saying("serving"), timeout=30)
    port = child.saying("listening")[0]["port"]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_a_process_after_what_runs_is_finished(number: signal.Signals, database_url: str) -> None:
    async with running(database_url) as child, serving(child) as client:
        slow = asyncio.create_task(client.get("/slow"))
        await eventually(lambda: child.saying("slow begun"))
        child.process.send_signal(number)
        assert (await slow).json() == {"done": True}
        assert await child.ended() == 0
    assert {line["part"] for line in child.saying("lease given back")} == {"relay", "work:letters"}
    assert child.lines[-1]["message"] == "stopped"


async def test_a_process_whose_part_dies_exits_with_1_and_a_traceback_without_people(database_url: str) -> None:
    async with running(database_url, EXAMPLE_BEHAVIOUR="dies") as child:
        assert await child.ended() == 1
    (died,) = child.saying("part died")
    assert died["part"] == "relay"
    assert died["level"] == "error"
    assert "Traceback" in died["exception"]
    assert died["exception"].endswith("ValueError: no mail for ***")


async def test_a_wrong_setting_ends_a_process_with_one_sentence_and_exit_code_2(database_url: str) -> None:
    async with running(database_url, EXAMPLE_ROLES="cook") as child:
        assert await child.ended() == 2
        assert child.process.stderr
        said = (await child.process.stderr.read()).decode()
    assert said == "EXAMPLE_ROLES cannot be used: input should be 'api', 'ingest', 'work' or 'relay'.\n"
    assert child.lines == []


async def test_log_lines_name_order_and_trace_and_hide_people(database_url: str) -> None:
    async with running(database_url) as child, serving(child) as client:
        await client.get("/say", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        await client.get("/fail", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        await eventually(lambda: child.saying("request failed"))
        child.process.terminate()
        await child.ended()
    (structured,) = child.saying("structured")
    (plain,) = child.saying("plain for ***")
    (failed,) = child.saying("request failed")
    assert {line["trace_id"] for line in (structured, plain, failed)} == {TRACE}
    assert structured["order_id"] == plain["order_id"] == "order-7"
    assert (structured["email"], structured["customer"]) == ("***", {"phone": "***", "country": "SE"})
    assert plain["phone"] == "***"
    assert plain["logger"] == "aiokafka.consumer"
    assert failed["exception"].endswith("ValueError: no mail for ***")
    assert {line["service"] for line in child.lines} == {"example"}
    assert "asa.oberg" not in json.dumps(child.lines)


LATE_LOGGER = """
from faststream._internal.logger.logging import get_broker_logger
from shared.runtime.observability import configure_logging
configure_logging("example", "info")
late = get_broker_logger("kafka", {}, 10, "%(message)s", None, 10)
late.filters.clear()
late.debug("each record")
late.info("joined")
"""


async def test_a_logger_that_a_library_sets_up_later_writes_once_in_the_same_form() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LATE_LOGGER, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    assert errors == b""
    assert [json.loads(line)["message"] for line in out.splitlines()] == ["joined"]


async def test_the_address_of_the_database_is_in_no_log_line_even_when_it_cannot_be_reached(database_url: str) -> None:
    async with running(database_url + "_none") as child:
        await eventually(lambda: child.saying("waiting"), timeout=30)
        child.process.terminate()
        assert await child.ended() == 0
    assert "://" not in json.dumps(child.lines)
