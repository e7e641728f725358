"""An operator replaces the key of the personal identity numbers: beside the running service, and in pieces."""

import asyncio
from base64 import urlsafe_b64encode

import asyncpg
import pytest

from services.orders.key_ops import FIRST, reseal_some
from services.orders.keyring import Keyring
from services.orders.personal_numbers import Holder, PersonalNumbers
from tests.builders import an_order, to_place
from tests.plugins.operator import Answer, ops
from tests.plugins.orders import OrdersAlone
from tests.plugins.waiting import eventually

OLD, NEW = (urlsafe_b64encode(letter * 32).decode() for letter in (b"o", b"n"))
BEFORE, BOTH = f"2026-05:{OLD}", f"2026-11:{NEW},2026-05:{OLD}"
NUMBER = "19850709-9805"


def numbers(setting: str) -> PersonalNumbers:
    return PersonalNumbers(Keyring(dict(part.split(":") for part in setting.split(","))))


async def keys(url: str, command: str, setting: str, *words: str) -> Answer:
    return await ops("orders", "keys", command, "-d", f"orders={url}", *words, env={"ORDERS_SEALING_KEYS": setting})


async def orders_with_numbers(orders: OrdersAlone, count: int, setting: str = BEFORE) -> list[Holder]:
    """So many orders, with numbers sealed with the newest of these keys."""
    holders = []
    for _ in range(count):
        command = to_place(an_order())
        await orders.handle(command)
        holders.append(Holder(command.order_id, "nordic-tea"))
        await numbers(setting).keep(orders.pool, holders[-1], NUMBER)  # type: ignore[arg-type]
    return holders


async def revealed(orders: OrdersAlone, setting: str, holders: list[Holder]) -> set[str]:
    async with orders.pool.acquire() as connection:
        return {await numbers(setting).reveal(connection, each, "maria", "a test") for each in holders}


@pytest.mark.requirement("R011")
async def test_keys_are_listed_with_how_many_numbers_need_each(orders_alone: OrdersAlone, orders_url: str) -> None:
    await orders_with_numbers(orders_alone, 2)
    await orders_with_numbers(orders_alone, 1, BOTH)
    listed = await keys(orders_url, "list", BOTH, "--json")
    assert listed.document == [
        {"key": "2026-11", "numbers": 1, "state": "the newest"},
        {"key": "2026-05", "numbers": 2, "state": "older"},
    ]
    without = await keys(orders_url, "list", f"2026-11:{NEW}")
    assert [line.split() for line in without.out.splitlines() if "2026-05" in line] == [["2026-05", "2", "missing"]]
    assert OLD not in listed.out + without.out


async def test_there_are_no_keys_and_none_is_needed(orders_url: str) -> None:
    assert "no number needs one" in (await keys(orders_url, "list", "")).out
    assert (await keys(orders_url, "rotate", "")).code == 2
    wrong = await keys(orders_url, "rotate", OLD)
    assert (wrong.code, OLD in wrong.err) == (2, False)


@pytest.mark.requirement("R011")
async def test_all_numbers_are_sealed_anew_and_the_old_key_can_go(orders_alone: OrdersAlone, orders_url: str) -> None:
    holders = await orders_with_numbers(orders_alone, 5)
    rotated = await keys(orders_url, "rotate", BOTH)
    assert (rotated.code, rotated.out) == (0, "5 numbers sealed anew with 2026-11\n")
    assert await revealed(orders_alone, f"2026-11:{NEW}", holders) == {NUMBER}
    again = await keys(orders_url, "rotate", f"2026-11:{NEW}")
    assert (again.code, again.out) == (0, "0 numbers sealed anew with 2026-11\n")


async def test_a_key_that_is_still_needed_is_named_and_nothing_changes(
    orders_alone: OrdersAlone, orders_url: str
) -> None:
    holders = await orders_with_numbers(orders_alone, 2)
    refused = await keys(orders_url, "rotate", f"2026-11:{NEW}")
    assert refused.code == 1
    assert "2026-05 (2 numbers). Nothing was changed." in refused.err
    assert await revealed(orders_alone, BEFORE, holders) == {NUMBER}


async def test_a_rotation_that_was_stopped_goes_on_where_it_was(orders_alone: OrdersAlone, orders_url: str) -> None:
    holders = await orders_with_numbers(orders_alone, 7)
    async with orders_alone.pool.acquire() as connection:
        batch = await reseal_some(connection, Keyring({"2026-11": NEW, "2026-05": OLD}), FIRST, most=3)
    assert batch is not None
    assert batch.resealed == 3
    assert await revealed(orders_alone, BOTH, holders) == {NUMBER}, "both keys are in use"
    assert (await keys(orders_url, "rotate", BOTH)).out.startswith("4 numbers")


async def test_a_number_that_its_key_does_not_open_stays_and_stops_no_other(
    orders_alone: OrdersAlone, orders_url: str
) -> None:
    broken, *others = await orders_with_numbers(orders_alone, 3)
    await orders_alone.pool.execute("update personal_number set sealed = 'x' where order_id = $1", broken.order_id)
    rotated = await keys(orders_url, "rotate", BOTH)
    assert (rotated.code, rotated.out) == (1, "2 numbers sealed anew with 2026-11\n")
    assert f"1 number cannot be opened with the key that it names: {broken.order_id}" in rotated.err
    assert await revealed(orders_alone, f"2026-11:{NEW}", others) == {NUMBER}
    kept = "select key, sealed from personal_number where order_id = $1"
    assert tuple(await orders_alone.pool.fetchrow(kept, broken.order_id) or ()) == ("2026-05", b"x")


async def test_whoever_writes_meanwhile_is_waited_for_and_not_overwritten(
    orders_alone: OrdersAlone, orders_url: str
) -> None:
    first, second = await orders_with_numbers(orders_alone, 2)
    rotating: asyncio.Task[Answer] | None = None
    async with orders_alone.pool.acquire() as connection, connection.transaction():
        await numbers(BOTH).keep(connection, first, "131052-308T")
        rotating = asyncio.create_task(keys(orders_url, "rotate", BOTH))
        await until_somebody_waits(orders_url)
    assert (await rotating).code == 0
    assert await revealed(orders_alone, BOTH, [first]) == {"131052-308T"}
    assert await revealed(orders_alone, BOTH, [second]) == {NUMBER}


async def until_somebody_waits(url: str) -> None:
    connection = await asyncpg.connect(url)

    async def waits() -> bool:
        waiting = "select count(*) from pg_stat_activity where application_name = 'ops' and wait_event_type = 'Lock'"
        return bool(await connection.fetchval(waiting))

    await eventually(waits)
    await connection.close()
