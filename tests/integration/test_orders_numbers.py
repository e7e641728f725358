"""Order numbers: unique and rising per shop, begun where the shop wants, never blocked by an order that is not done."""

import asyncio

import pytest

from services.orders.numbers import AT_LEAST_LOST, Numbers
from shared.messaging.incarnations import open_next, present_life
from tests.builders import a_shop, an_order, to_place
from tests.plugins.orders import OrdersAlone


async def take(numbers: Numbers, count: int, **changes: object) -> list[int]:
    shop = a_shop(**changes)
    taken = []
    for _ in range(count):
        number = await numbers.upcoming(shop)
        numbers.used(shop.shop, number)
        taken.append(number)
    return taken


@pytest.mark.requirement("R006", "R084")
async def test_numbers_begin_where_the_shop_wants_and_rise(orders_alone: OrdersAlone) -> None:
    assert await take(orders_alone.numbers, 25, first_order_number=5_000) == list(range(5_000, 5_025))


async def test_each_shop_has_numbers_of_its_own(orders_alone: OrdersAlone) -> None:
    assert await take(orders_alone.numbers, 3, shop="one") == [1, 2, 3]
    assert await take(orders_alone.numbers, 3, shop="two") == [1, 2, 3]


async def test_a_number_that_no_order_took_is_still_the_next_one(orders_alone: OrdersAlone) -> None:
    shop = a_shop()
    assert await orders_alone.numbers.upcoming(shop) == await orders_alone.numbers.upcoming(shop) == 1


async def test_two_processes_never_give_the_same_number(orders_alone: OrdersAlone) -> None:
    others = Numbers(orders_alone.numbers._pool, block=10)  # noqa: SLF001 - another process has a pool of its own
    taken = await asyncio.gather(*(take(numbers, 55) for numbers in (orders_alone.numbers, others)))
    assert all(numbers == sorted(numbers) for numbers in taken)
    assert len({number for numbers in taken for number in numbers}) == 110


async def test_many_tasks_of_one_process_never_give_the_same_number(orders_alone: OrdersAlone) -> None:
    taken = await asyncio.gather(*(take(orders_alone.numbers, 7) for _ in range(20)))
    assert sorted(number for numbers in taken for number in numbers) == list(range(1, 141))


async def test_a_shop_that_moves_its_first_number_up_gets_it_at_once(orders_alone: OrdersAlone) -> None:
    assert await take(orders_alone.numbers, 2) == [1, 2]
    assert await take(orders_alone.numbers, 2, first_order_number=900) == [900, 901]
    assert await take(orders_alone.numbers, 2, first_order_number=1) == [902, 903]


async def test_a_new_process_goes_on_behind_the_last_block(orders_alone: OrdersAlone) -> None:
    assert await take(orders_alone.numbers, 2) == [1, 2]
    assert await take(Numbers(orders_alone.numbers._pool, block=10), 1) == [11]  # noqa: SLF001 - as above


async def begin_a_life(alone: OrdersAlone) -> None:
    async with alone.pool.acquire() as connection:
        life = await present_life(connection)
        assert life is not None
        await open_next(connection, life)


def a_process(alone: OrdersAlone, block: int = 10) -> Numbers:
    return Numbers(alone.numbers._pool, block=block)  # noqa: SLF001 - as above


@pytest.mark.requirement("R006", "R084")
async def test_after_a_restore_no_number_is_given_that_a_lost_order_may_have(orders_alone: OrdersAlone) -> None:
    assert await take(a_process(orders_alone), 15) == list(range(1, 16))
    block = await orders_alone.pool.fetchval("select next from order_number_block")
    lost = await take(a_process(orders_alone), 900)
    await orders_alone.pool.execute("update order_number_block set next = $1", block)
    await begin_a_life(orders_alone)
    given = await take(a_process(orders_alone), 25)
    assert given == list(range(block + AT_LEAST_LOST, block + AT_LEAST_LOST + 25))
    assert not set(lost) & set(given)
    assert await take(a_process(orders_alone), 1) == [given[0] + 30], "once for each life, not for each block"


async def test_a_shop_leaves_out_twice_what_it_was_given_in_its_last_week(orders_alone: OrdersAlone) -> None:
    for _ in range(3):
        await orders_alone.handle(*(to_place(an_order()) for _ in range(40)))
    assert await orders_alone.pool.fetchval("select max(number) from orders") == 120
    await orders_alone.pool.execute("update orders set accepted_at = now() - interval '8 days' where number <= 20")
    block = await orders_alone.pool.fetchval("select next from order_number_block")
    await begin_a_life(orders_alone)
    assert await take(a_process(orders_alone), 1) == [block + AT_LEAST_LOST + 2 * 99]


async def test_a_shop_whose_first_block_was_lost_begins_behind_it(orders_alone: OrdersAlone) -> None:
    assert await take(a_process(orders_alone), 3) == [1, 2, 3]
    await orders_alone.pool.execute("delete from order_number_block")
    await begin_a_life(orders_alone)
    assert await take(a_process(orders_alone), 1) == [1 + AT_LEAST_LOST]
    assert await take(a_process(orders_alone), 1, shop="opened-since") == [1]


async def test_of_many_processes_after_a_restore_each_has_numbers_of_its_own(orders_alone: OrdersAlone) -> None:
    await take(a_process(orders_alone), 3)
    await begin_a_life(orders_alone)
    taken = await asyncio.gather(*(take(a_process(orders_alone), 15) for _ in range(6)))
    assert len({number for numbers in taken for number in numbers}) == 90
    assert min(number for numbers in taken for number in numbers) == 11 + AT_LEAST_LOST


async def test_a_life_that_no_restore_began_leaves_nothing_out(orders_alone: OrdersAlone) -> None:
    await take(a_process(orders_alone), 3)
    await orders_alone.pool.execute("update relay set incarnation = incarnation + 1000")
    assert await take(a_process(orders_alone), 1) == [11]
