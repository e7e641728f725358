"""An operator opens a new incarnation of a database that was set back, having seen what that does."""

import pytest

from shared.messaging.incarnations import recognise
from tests.plugins.kit import Kit
from tests.plugins.operator import ops


async def incarnation(kit: Kit) -> int:
    found: int = await kit.pool.fetchval("select incarnation from relay")
    return found


async def test_it_shows_what_it_will_do_asks_and_says_what_to_do_next(kit: Kit) -> None:
    before = await incarnation(kit)
    refused = await ops("restored", "-d", f"orders={kit.dsn}", says="n\n")
    assert refused.code == 1
    assert str(before) in refused.out
    assert "the same as before" in refused.out
    assert await incarnation(kit) == before

    answer = await ops("restored", "-d", f"orders={kit.dsn}", "--actor", "maria", "--reason", "a dump", says="y\n")
    assert answer.code == 0, answer.err
    kept = await kit.pool.fetchrow("select actor, action, reason, state from repair")
    assert tuple(kept or ()) == ("maria", "restored", "a dump", "done")
    after = await incarnation(kit)
    assert after > before
    assert f"incarnation {after} of the database of orders is open" in answer.out
    assert "Start orders" in answer.out
    row = await kit.pool.fetchrow("select previous, restored, system_identifier, timeline from relay")
    assert row is not None
    assert (row["previous"], row["restored"]) == (before, True)
    assert row["system_identifier"], "the service must not open another one for the same reason"


async def test_it_does_not_ask_when_told_so_and_finds_the_service_by_its_name(kit: Kit) -> None:
    before = await incarnation(kit)
    both = f"orders={kit.dsn},notifications=postgresql://a:b@127.0.0.1:1/notifications"
    answer = await ops("restored", "orders", "--yes", env={"OPS_DATABASES": both})
    assert answer.code == 0, answer.err
    assert await incarnation(kit) > before


async def test_with_several_databases_it_wants_to_be_told_which(kit: Kit) -> None:
    before = await incarnation(kit)
    both = f"orders={kit.dsn},notifications={kit.dsn}"
    answer = await ops("restored", "--yes", env={"OPS_DATABASES": both})
    assert answer.code == 2
    assert "orders, notifications" in answer.err
    assert await incarnation(kit) == before


async def test_where_the_server_is_another_one_is_opened_not_two(kit: Kit) -> None:
    async with kit.pool.acquire() as connection:
        await recognise(connection)
    await kit.pool.execute("update relay set timeline = '00000000', incarnation = 9000000000")
    answer = await ops("restored", "--yes", "-d", f"orders={kit.dsn}")
    assert "the service would open one by itself" in answer.out
    assert "incarnation 9000000001 of" in answer.out
    assert await incarnation(kit) == 9_000_000_001


async def test_what_another_command_writes_to_a_database_that_was_restored_belongs_to_its_new_life(kit: Kit) -> None:
    async with kit.pool.acquire() as connection:
        await recognise(connection)
    before = await incarnation(kit)
    await kit.pool.execute("update relay set timeline = '00000000'")
    await ops("accept-truncated", "-d", f"orders={kit.dsn}", "--topic", "orders.log", "--kafka", "127.0.0.1:1")
    assert await incarnation(kit) == before, "it could only read"
    await ops("tokens", "make", "-d", f"orders={kit.dsn}", "--shop", "tea", "--name", "x", "--scope", "orders:read")
    assert await incarnation(kit) > before


@pytest.mark.parametrize("emptied", [True, False])
async def test_a_database_that_has_no_life_to_follow_is_told(kit: Kit, database_url: str, *, emptied: bool) -> None:
    url = kit.dsn if emptied else database_url
    if emptied:
        await kit.pool.execute("delete from relay")
    answer = await ops("restored", "--yes", "-d", f"orders={url}")
    assert answer.code == 3
    assert ("has lost the row" if emptied else "missing: messaging/0001") in answer.err


async def test_status_says_which_incarnation_it_is_and_since_when(kit: Kit) -> None:
    first = (await ops("status", "-d", f"orders={kit.dsn}", "--json")).document["orders"]
    assert first["incarnation"] == await incarnation(kit)
    assert first["incarnation began"].endswith("UTC, with the database")
    await ops("restored", "--yes", "-d", f"orders={kit.dsn}")
    second = (await ops("status", "-d", f"orders={kit.dsn}", "--json")).document["orders"]
    assert second["incarnation"] == await incarnation(kit)
    assert second["incarnation began"].endswith(f"UTC, after {first['incarnation']}")
