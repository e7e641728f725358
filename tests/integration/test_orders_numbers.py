"""Order numbers: unique and rising per shop, begun where the shop wants, never blocked by an order that is not done."""

import asyncio

import pytest

from services.orders.numbers import Numbers
from tests.builders import a_shop
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
