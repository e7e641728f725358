"""A database that was taken up from a copy begins a new life by itself, once, before anything is served from it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.notifications.app import compose as compose_notifications
from services.notifications.settings import NotificationsSettings
from services.orders.app import compose as compose_orders
from services.orders.settings import OrdersSettings
from shared.contracts.message import Sequence as Number
from shared.contracts.order_events import OrderPlaced
from shared.messaging import metrics
from shared.messaging.database import transaction
from shared.messaging.incarnations import Life, open_next, present_life, recognise
from shared.runtime.database import Pool, close_pool, open_pool
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit
from tests.plugins.servers import execute
from tests.plugins.waiting import eventually


@pytest.fixture
async def pool(kit: Kit) -> AsyncIterator[Pool]:
    """As a service opens its pools."""
    made = await open_pool(kit.dsn, name="test", connections=20, on_connect=recognise)
    yield made
    await close_pool(made)


async def life(kit: Kit) -> Life:
    async with kit.pool.acquire() as connection:
        found = await present_life(connection)
    assert found is not None
    return found


async def opened() -> float:
    return float(next(iter(metrics.incarnations.collect())).samples[0].value)


async def test_the_first_connection_remembers_which_database_it_is(kit: Kit, pool: Pool) -> None:
    first = await life(kit)
    await pool.fetchval("select 1")
    known = await life(kit)
    assert known.kept == known.now
    assert (known.incarnation, known.previous, known.restored) == (first.incarnation, None, False)
    assert len(known.now[1] or "") == 8


@pytest.mark.parametrize("changed", ["system_identifier = '7'", "timeline = '00000000'"])
async def test_another_server_or_timeline_begins_a_new_life_and_says_so(kit: Kit, pool: Pool, changed: str) -> None:
    async with kit.pool.acquire() as connection:
        await recognise(connection)
    before, counted = await life(kit), await opened()
    await kit.pool.execute(f"update relay set {changed}")
    with capture_logs() as logs:
        await pool.fetchval("select 1")
    after = await life(kit)
    assert (after.previous, after.restored, after.kept) == (before.incarnation, True, after.now)
    assert after.incarnation > before.incarnation
    assert await opened() == counted + 1
    [event] = [entry for entry in logs if entry["log_level"] == "error"]
    assert (event["event"], event["present"]) == ("incarnation opened", after.incarnation)


async def test_of_many_connections_that_see_it_at_once_one_begins_it(kit: Kit, pool: Pool) -> None:
    await kit.pool.execute("update relay set system_identifier = '7', timeline = '00000001'")
    before, counted = await life(kit), await opened()
    seen = await asyncio.gather(
        *(pool.fetchval("select incarnation from relay where pg_sleep(0.05) is not null") for _ in range(20))
    )
    assert set(seen) == {(await life(kit)).incarnation}
    assert (await life(kit)).previous == before.incarnation
    assert await opened() == counted + 1


async def test_a_clock_that_was_set_back_does_not_bring_an_old_life_back(kit: Kit, pool: Pool) -> None:
    await kit.pool.execute("update relay set incarnation = 9000000000, system_identifier = '7', timeline = '00000001'")
    await pool.fetchval("select 1")
    assert (await life(kit)).incarnation == 9_000_000_001


async def test_before_the_migrations_have_run_there_is_nothing_to_compare(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await recognise(connection)
    assert await connection.fetchval("select 1") == 1
    await connection.close()


async def test_who_may_not_write_is_let_in_and_begins_nothing(kit: Kit) -> None:
    await kit.pool.execute("update relay set system_identifier = '7', timeline = '00000001'")
    reader = await asyncpg.connect(kit.dsn, server_settings={"default_transaction_read_only": "on"})
    await recognise(reader)
    assert await reader.fetchval("select restored from relay") is False
    await reader.close()


async def test_an_ordinary_user_who_owns_the_tables_can_compare(kit: Kit) -> None:
    name = f"test_{uuid4().hex[:12]}"
    await kit.pool.execute(f"create role {name} login; grant select, update on relay, stream to {name}")
    url = urlsplit(kit.dsn)
    connection = await asyncpg.connect(urlunsplit(url._replace(netloc=f"{name}@{url.hostname}:{url.port}")))
    try:
        await recognise(connection)
        await kit.pool.execute("update relay set timeline = '00000000'")
        await recognise(connection)
        assert await connection.fetchval("select restored from relay")
    finally:
        await connection.close()
        await execute(kit.dsn, f"drop owned by {name}; drop role {name}")


async def test_a_lease_table_emptied_by_hand_begins_a_life_that_no_reader_has_passed(kit: Kit, pool: Pool) -> None:
    before = await life(kit)
    await kit.pool.execute("update relay set incarnation = incarnation - 10")
    await kit.pool.execute("delete from relay")
    await pool.fetchval("select 1")
    after = await life(kit)
    assert after.incarnation >= before.incarnation
    assert not after.restored


async def test_nobody_takes_a_number_of_the_old_life_once_the_new_one_has_begun(kit: Kit) -> None:
    """Without the lock, a statement that waits for another's row counts on with the life that it saw at its start."""
    one, other = sorted((an_order(), an_order()), key=lambda order: str(order.id))

    async def say(*orders: Any) -> list[Number | None]:
        async with transaction(kit.pool) as connection:
            said = [(to_place(order).meta, [OrderPlaced(order=order)]) for order in orders]
            return [message.meta.sequence for message in await kit.outbox.append(connection, said)]

    async def waiting(count: int) -> bool:
        found = await kit.pool.fetchval(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        return bool(found >= count)

    before = await life(kit)
    async with transaction(kit.pool) as slow:
        await kit.outbox.append(slow, [(to_place(one).meta, [OrderPlaced(order=one)])])
        both = asyncio.create_task(say(one, other))
        await eventually(lambda: waiting(1))
        opening = asyncio.create_task(begin(kit, before))
        await eventually(lambda: waiting(2))
        late = asyncio.create_task(say(other))
        await eventually(lambda: waiting(3))
    numbers = {str(number) for number in await both}
    assert {number[:10] for number in numbers} == {str(before.incarnation)}
    present = await opening
    assert [number.incarnation for number in await late if number] == [present, present]


async def begin(kit: Kit, before: Life) -> int | None:
    async with kit.pool.acquire() as connection:
        return await open_next(connection, before)


async def test_a_life_is_followed_by_one_other_only(kit: Kit) -> None:
    before = await life(kit)
    begun = await asyncio.gather(*(begin(kit, before) for _ in range(5)))
    assert sorted(each is None for each in begun) == [False, True, True, True, True]


async def test_every_pool_of_every_service_compares_first(kit: Kit) -> None:
    settings: dict[str, Any] = {"database_url": kit.dsn, "kafka": "127.0.0.1:1"}
    orders = await compose_orders(OrdersSettings(**settings))
    notifications = await compose_notifications(
        NotificationsSettings(**settings, smtp_host="127.0.0.1", smtp_port=1, sender_domain="mail.example")
    )
    for service in (orders, notifications):
        for each in (service.pool, *service.more_pools):
            await kit.pool.execute("update relay set system_identifier = '7', timeline = '00000001', restored = false")
            await each.fetchval("select 1")
            assert (await life(kit)).restored, service.name
            await close_pool(each)


async def test_a_server_that_does_not_say_which_it_is_serves_and_keeps_its_life(kit: Kit) -> None:
    before = await life(kit)
    name = f"test_{uuid4().hex[:12]}"
    await kit.pool.execute(f"create role {name} login; grant select, update on relay, stream to {name}")
    await kit.pool.execute("revoke execute on function pg_control_system() from public")
    url = urlsplit(kit.dsn)
    connection = await asyncpg.connect(urlunsplit(url._replace(netloc=f"{name}@{url.hostname}:{url.port}")))
    try:
        await recognise(connection)
        silent = await present_life(connection)
        assert silent is not None
        assert (silent.now, silent.is_another, silent.incarnation) == (None, False, before.incarnation)
        assert await open_next(connection, silent) is not None
    finally:
        await connection.close()
        await execute(kit.dsn, "grant execute on function pg_control_system() to public")
        await execute(kit.dsn, f"drop owned by {name}; drop role {name}")
