"""A process waits for its database, says how it is, stops without losing work, and ends when a part of it dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared.runtime.database import Pool, connected, open_pool
from shared.runtime.health import Health, Heart
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.service import Process, Service
from shared.runtime.settings import Role, ServiceSettings
from tests.integration.runtime_example import Part, router
from tests.plugins.waiting import eventually

Life = Callable[..., Any]


def settings(url: str, **changes: Any) -> ServiceSettings:
    fields: dict[str, Any] = {"database_url": SecretStr(url), "kafka": ("nowhere:9092",), "migrate": True}
    return ServiceSettings(**fields | changes)


async def service(url: str, parts: list[Part] | None = None, **changes: Any) -> Service:
    """Compose a service; what is no field of it is a setting."""
    own = {name: changes.pop(name) for name in ("before_serving", "checks", "migrations") if name in changes}
    pool = await open_pool(url, name="test")
    return Service("test", settings(url, **changes), pool, {Role.RELAY: parts or []}, [router], **own)


@asynccontextmanager
async def living(service: Service) -> AsyncIterator[tuple[Process, httpx2.AsyncClient, asyncio.Task[int]]]:
    """Let a process live for a while; it is told to stop at the end."""
    process = Process(service, asyncio.Event())
    life = asyncio.create_task(process.live())
    await eventually(lambda: process.port or life.done())
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=20) as client:
        yield process, client, life
        process.stopping.set()
        await life


def becomes(client: httpx2.AsyncClient, path: str, status: int) -> Callable[[], Any]:
    async def look() -> dict[str, Any] | None:
        answer = await client.get(path)
        return {"document": answer.json()} if answer.status_code == status else None

    return look


async def test_a_process_serves_and_stops_with_exit_code_0(database_url: str) -> None:
    part = Part("relay")
    async with living(await service(database_url, [part])) as (process, client, life):
        seen = await eventually(becomes(client, "/readyz", 200))
        assert seen["document"] == {"status": "ok", "checks": {"database": "ok", "relay": "ok"}}
        assert (await client.get("/livez")).json() == {"status": "ok", "checks": {"loop": "ok", "relay": "ok"}}
        process.stopping.set()
        assert await life == 0
    assert process.health.phase == "stopping"


async def test_a_request_that_runs_is_finished_and_no_new_connection_is_taken(database_url: str) -> None:
    async with living(await service(database_url)) as (process, client, life):
        await eventually(becomes(client, "/readyz", 200))
        with capture_logs() as lines:
            running = asyncio.create_task(client.get("/slow"))
            await eventually(lambda: any(line["event"] == "slow begun" for line in lines))
        process.stopping.set()

        async def refused() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", process.port)
            except ConnectionError:
                return True
            writer.close()
            return False

        await eventually(refused)
        assert not life.done()
        assert (await running).json() == {"done": True}
        assert await life == 0


@pytest.mark.parametrize(("behaviour", "words"), [("dies", "part died"), ("returns", "ended although nobody asked")])
async def test_a_part_that_ends_by_itself_ends_the_process_and_the_others_stop_well(
    behaviour: str, words: str, database_url: str
) -> None:
    with capture_logs() as lines:
        async with living(await service(database_url, [Part("relay", behaviour), Part("ingest")])) as (_, _, life):
            assert await life == 1
    assert [line["part"] for line in lines if line["event"].startswith(words)] == ["relay"]
    assert [line["part"] for line in lines if line["event"] == "lease given back"] == ["ingest"]


@pytest.mark.parametrize("behaviour", ["hangs", "refuses"])
async def test_what_hangs_is_named_and_cancelled_and_the_process_ends(
    behaviour: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.runtime.service.CANCELLED_WITHIN", 0.1)
    parts = [Part("relay"), Part("work:letters", behaviour)]
    with capture_logs() as lines:
        async with living(await service(database_url, parts, stop_within=0.3)) as (process, client, life):
            await eventually(becomes(client, "/readyz", 200))
            process.stopping.set()
            assert await life == 0
    late = [line["parts"] for line in lines if line["event"].startswith("did not stop in time")]
    assert late == [["work:letters"]]
    parts[1].behaviour = "returns"
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_a_database_that_is_away_is_waited_for_and_the_process_says_so(database_url: str) -> None:
    name = database_url.rpartition("/")[2] + "_later"
    part = Part("relay")
    watcher = await asyncpg.connect(database_url)
    with capture_logs() as lines:
        async with living(await service(database_url + "_later", [part])) as (_, client, _):
            seen = await eventually(becomes(client, "/readyz", 503))
            assert seen["document"] == {"status": "failing", "checks": {"process": "waiting for the database"}}
            assert (await client.get("/livez")).status_code == 200
            assert not part.begun
            await watcher.execute(f"create database {name}")
            await eventually(becomes(client, "/readyz", 200))
            await eventually(lambda: part.begun)
    await watcher.execute(f"drop database {name} with (force)")
    await watcher.close()
    said = [line for line in lines if line["event"] == "waiting"]
    assert [(line["step"], line["reason"]) for line in said] == [("the database", f'database "{name}" does not exist')]
    assert [line["step"] for line in lines if line["event"] == "waited for"] == ["the database"]


async def test_a_process_told_to_stop_while_it_waits_stops(database_url: str) -> None:
    async with living(await service(database_url + "_none")) as (process, client, life):
        await eventually(becomes(client, "/readyz", 503))
        process.stopping.set()
        assert await life == 0


async def test_a_process_that_may_not_migrate_waits_for_the_one_that_may(database_url: str) -> None:
    async with living(await service(database_url, migrate=False)) as (_, client, _):

        async def waiting() -> bool:
            document = (await client.get("/readyz")).json()
            return bool(document["checks"].get("process") == "waiting for the schema")

        await eventually(waiting)
        connection = await asyncpg.connect(database_url)
        await migrate(connection, [RUNTIME_MIGRATIONS])
        await connection.close()
        await eventually(becomes(client, "/readyz", 200))


async def test_steps_before_serving_come_after_the_schema_in_their_order_and_before_any_part(
    database_url: str,
) -> None:
    part = Part("relay")
    seen: list[object] = []

    async def first(pool: Pool) -> None:
        async with connected(pool) as connection:
            seen.append(await connection.fetchval("select to_regclass('api_token') is not null"))

    async def second(_pool: Pool) -> None:
        seen.append(part.begun)

    async with living(await service(database_url, [part], before_serving=[first, second])) as (_, client, _):
        await eventually(becomes(client, "/readyz", 200))
    assert seen == [True, False]


async def test_a_step_that_loses_its_connection_is_begun_again(database_url: str) -> None:
    tries: list[int] = []

    async def stumble(pool: Pool) -> None:
        async with connected(pool) as connection:
            tries.append(1)
            if len(tries) == 1:
                await connection.execute("select pg_terminate_backend(pg_backend_pid())")

    async with living(await service(database_url, before_serving=[stumble])) as (_, client, _):
        await eventually(becomes(client, "/readyz", 200))
    assert len(tries) == 2


async def test_a_step_that_fails_otherwise_ends_the_process(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_bad.sql").write_text("-- migrate:up\nselect 1/0;\n")
    with capture_logs() as lines:
        async with living(await service(database_url, migrations=[("shop", tmp_path)])) as (_, _, life):
            assert await life == 1
    (died,) = [line for line in lines if line["event"] == "part died"]
    assert str(died["exc_info"]) == "shop/0001_bad failed and was rolled back: division by zero"


async def test_a_port_in_use_is_said_in_one_line(database_url: str) -> None:
    async with living(await service(database_url)) as (first, _, _):
        second = Process(await service(database_url, port=first.port), asyncio.Event())
        with capture_logs() as lines:
            assert await second.live() == 1
    assert [line["port"] for line in lines if line["event"] == "cannot listen"] == [first.port]


async def test_a_process_does_what_its_roles_say_and_always_answers_for_its_health(database_url: str) -> None:
    part = Part("relay")
    async with living(await service(database_url, [part], roles=("work",))) as (_, client, _):
        seen = await eventually(becomes(client, "/readyz", 200))
        assert seen["document"]["checks"] == {"database": "ok"}
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/slow")).status_code == 404
    assert not part.begun


async def test_readiness_names_what_is_not_ready(database_url: str) -> None:
    part = Part("relay")
    part.trouble = "another process has the lease"

    async def topics() -> str | None:
        return "orders.events has 3 partitions, not 24"

    async def broken() -> str | None:
        raise OSError("secret address")

    async def silent() -> str | None:
        await asyncio.sleep(60)
        return None

    checks = {"topics": topics, "store": broken, "kafka": silent}
    living_service = await service(database_url, [part], checks=checks)
    async with living(living_service) as (process, client, _):
        process.health.check_within = 0.2

        async def judged() -> dict[str, Any]:
            document: dict[str, Any] = (await client.get("/readyz")).json()
            return document if "database" in document["checks"] else {}

        assert await eventually(judged) == {
            "status": "failing",
            "checks": {
                "database": "ok",
                "topics": "orders.events has 3 partitions, not 24",
                "store": "failed: OSError",
                "kafka": "no answer in time",
                "relay": "another process has the lease",
            },
        }


async def test_readiness_follows_the_database_but_asks_it_at_most_once_a_second(database_url: str) -> None:
    pool = await open_pool(database_url, name="test")
    asked: list[float] = []

    async def asking() -> str | None:
        asked.append(time.monotonic())
        return None

    health = Health(pool, Heart(), checks={"asking": asking}, phase=None)
    verdicts = await asyncio.gather(*(health.ready() for _ in range(20)))
    assert all(verdict.good for verdict in verdicts)
    assert (await health.ready()).good
    assert len(asked) == 1
    health.keep = 0.0
    health._until = 0.0  # noqa: SLF001 - a second goes by
    await pool.close()
    assert (await health.ready()).checks["database"] == "failed: InterfaceError"


async def test_liveness_names_a_part_that_has_stopped_turning(database_url: str) -> None:
    pool = await open_pool(database_url, name="test")
    part = Part("relay")
    health = Health(pool, Heart(), [part], tick_within=0.5)
    health.enter(None)
    assert health.alive().good
    part.ticked = health.serving_since = time.monotonic() - 1
    assert health.alive().document() == {
        "status": "failing",
        "checks": {"loop": "ok", "relay": "no sign of life for 1 s"},
    }
    health.enter("stopping")
    assert health.alive().good
    await pool.close()


async def test_liveness_tells_of_a_loop_that_was_held_up() -> None:
    heart = Heart()
    beating = asyncio.create_task(heart.beat())
    await eventually(lambda: heart.lag > 0)
    assert heart.problem(limit=0.3) is None
    time.sleep(1.0)  # noqa: ASYNC251 - this is what must be noticed
    assert heart.problem(limit=0.3) is not None
    await eventually(lambda: heart.problem(limit=0.3) is None)
    beating.cancel()
