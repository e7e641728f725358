"""Commands, however they come: an order is placed once, belongs to one shop, and is found as it was placed."""

import asyncio
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest

from services.orders.repository import PlacedMeanwhile, find_order
from shared.contracts.order import LineUnits
from shared.contracts.order_commands import PlaceOrder, PrintDocument, ProcessOrder, ResendConfirmation, ShipUnits
from shared.contracts.order_events import ConfirmationRequested, DocumentRequested, OrderEvent, OrderPlaced
from shared.contracts.order_log import OrderNoted
from shared.contracts.refusal import Refused
from shared.runtime.database import transaction
from tests.builders import a_line, a_shop, an_order, stamped, to_place
from tests.plugins.orders import OrdersAlone


@pytest.mark.requirement("R006", "R019")
async def test_a_placed_order_is_stored_announced_and_noted_in_one_transaction(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    placed, noted = await orders_alone.handle(command)
    assert isinstance(placed, OrderPlaced)
    assert isinstance(noted, OrderNoted)
    assert (noted.event_id, noted.meta.causationid) == (placed.meta.id, command.meta.id)
    async with orders_alone.pool.acquire() as connection:
        order = await find_order(connection, command.order_id, "nordic-tea")
        topics = await connection.fetch("select topic from outbox where aggregateid = $1", str(command.order_id))
        entries = await connection.fetch("select id from timeline where order_id = $1", command.order_id)
    assert order.now == order.placed == placed.order
    assert [row["topic"] for row in topics] == ["orders.events", "orders.log"]
    assert [row["id"] for row in entries] == [noted.meta.id]


async def test_an_order_placed_again_says_nothing_new(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    await orders_alone.handle(command)
    assert await orders_alone.handle(command) == []
    other_content = stamped(command.model_copy(update={"lines": [a_line(quantity=7)]}))
    assert await orders_alone.handle(other_content) == []


async def test_an_order_id_that_another_shop_has_is_refused(orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    command = to_place(an_order())
    await orders_alone.handle(command)
    with pytest.raises(Refused) as refusal:
        await orders_alone.handle(stamped(command, shop="other-shop"))
    assert refusal.value.reason == "order-id-taken"
    assert "nordic-tea" not in str(refusal.value)


async def test_an_unknown_shop_is_refused_and_uses_up_no_number(orders_alone: OrdersAlone) -> None:
    with pytest.raises(Refused) as refusal:
        await orders_alone.handle(stamped(to_place(an_order()), shop="no-such-shop"))
    assert refusal.value.reason == "unknown-shop"
    placed, _ = await orders_alone.handle(to_place(an_order()))
    assert isinstance(placed, OrderPlaced)
    assert placed.order.number == 1


async def test_a_refused_order_uses_up_no_number(orders_alone: OrdersAlone) -> None:
    huge = to_place(an_order()).model_copy(update={"lines": [a_line(quantity=10**6, unit_price=10**12)]})
    with pytest.raises(Refused):
        await orders_alone.handle(stamped(huge))
    placed, _ = await orders_alone.handle(to_place(an_order()))
    assert isinstance(placed, OrderPlaced)
    assert placed.order.number == 1


@pytest.mark.requirement("R068")
async def test_a_confirmation_can_be_asked_for_again(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    placed, _ = await orders_alone.handle(command)
    again = stamped(ResendConfirmation(order_id=command.order_id, content="as-then"))
    requested, noted = await orders_alone.handle(again)
    assert isinstance(placed, OrderPlaced)
    assert isinstance(requested, ConfirmationRequested)
    assert requested.order == placed.order
    assert (requested.meta.sequence, noted.summary) != (placed.meta.sequence, "order.placed")  # type: ignore[attr-defined]


@pytest.mark.requirement("R109")
async def test_commands_about_one_order_in_one_batch_follow_one_another(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order(lines=[a_line(line_id="1", quantity=3)]))
    await orders_alone.handle(command)
    two = ProcessOrder(order_id=command.order_id, units=[LineUnits(line_id="1", units=2)])
    said = await orders_alone.handle(stamped(two), stamped(ShipUnits(order_id=command.order_id)))
    events = [each for each in said if isinstance(each, OrderEvent)]
    assert [(event.type, event.order.version, event.order.goods) for event in events] == [
        ("order.processed.v1", 2, "partly-shipped"),
        ("order.units-moved.v1", 3, "shipped"),
    ]
    async with orders_alone.pool.acquire() as connection:
        order = await find_order(connection, command.order_id, "nordic-tea")
    assert (order.now, order.placed.version) == (events[-1].order, 1)


@pytest.mark.requirement("R067", "R070", "R071")
async def test_a_document_is_asked_for_with_the_order_as_it_is_now(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order(language="fi"))
    placed, _ = await orders_alone.handle(command)
    wanted = [PrintDocument(order_id=command.order_id, document="pick-list", language=each) for each in (None, "en")]
    said = [await orders_alone.handle(stamped(each)) for each in wanted]
    requested = [each[0] for each in said]
    assert isinstance(placed, OrderPlaced)
    assert all(isinstance(each, DocumentRequested) and each.order == placed.order for each in requested)
    assert [each.language for each in requested if isinstance(each, DocumentRequested)] == ["fi", "en"]
    assert [noted.summary for _, noted in said if isinstance(noted, OrderNoted)] == ["order.document-requested"] * 2


@pytest.mark.requirement("R069")
async def test_a_changed_order_is_kept_beside_how_it_was_placed(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    await orders_alone.handle(command)
    for version in (2, 3):
        async with transaction(orders_alone.pool) as connection:
            orders = orders_alone.orders(connection)
            await orders.open([command])
            order = orders.get(command.order_id, "nordic-tea")
            changed = order.now.model_copy(update={"version": version, "reference": f"changed {version}"})
            orders.save(type(order)(changed, order.placed))
            await orders.flush()
    async with orders_alone.pool.acquire() as connection:
        order = await find_order(connection, command.order_id, "nordic-tea")
    assert (order.now.version, order.now.reference) == (3, "changed 3")
    assert (order.placed.version, order.placed.reference) == (1, command.reference)


async def test_what_a_newer_version_keeps_on_an_order_survives_an_older_one(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    await orders_alone.handle(command)
    async with transaction(orders_alone.pool) as connection:
        await connection.execute('update orders set body = body || \'{"gift_card": "G-7"}\'')
    await orders_alone.handle(stamped(ProcessOrder(order_id=command.order_id)))
    async with orders_alone.pool.acquire() as connection:
        (kept,) = await connection.fetch("select body->>'gift_card', body->>'processing' from orders")
    assert tuple(kept) == ("G-7", "processed")


@pytest.mark.parametrize("shop", ["other-shop", "nordic-tea"])
async def test_a_foreign_or_missing_order_is_unknown(orders_alone: OrdersAlone, shop: str) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    command = to_place(an_order())
    await orders_alone.handle(command)
    order_id = command.order_id if shop == "other-shop" else uuid4()
    with pytest.raises(Refused) as refusal:
        await orders_alone.handle(stamped(ResendConfirmation(order_id=order_id), shop=shop))
    assert refusal.value.reason == "unknown-order"


async def test_a_batch_is_placed_as_one_and_may_ask_about_an_order_that_it_placed(orders_alone: OrdersAlone) -> None:
    batch = [to_place(an_order()) for _ in range(50)]
    again = stamped(ResendConfirmation(order_id=batch[7].order_id))
    said = await orders_alone.handle(*batch, again)
    kinds = Counter(type(message) for message in said)
    assert kinds == {OrderPlaced: 50, ConfirmationRequested: 1, OrderNoted: 51}
    numbers = [message.order.number for message in said if isinstance(message, OrderPlaced)]
    assert numbers == list(range(1, 51))


async def test_two_transactions_that_place_the_same_order_become_one_order(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    outcomes = await asyncio.gather(*(orders_alone.handle(stamped(command)) for _ in range(4)), return_exceptions=True)
    said = [outcome for outcome in outcomes if isinstance(outcome, list) and outcome]
    others = [outcome for outcome in outcomes if not isinstance(outcome, list)]
    assert len(said) == 1
    assert all(isinstance(other, PlacedMeanwhile) for other in others)
    assert await orders_alone.handle(stamped(command)) == []


async def test_an_order_of_two_thousand_lines_is_stored(orders_alone: OrdersAlone) -> None:
    lines = [a_line(line_id=str(number), article_number="", name="T", unit_price=1) for number in range(2_000)]
    command: PlaceOrder = to_place(an_order(lines=lines))
    await orders_alone.handle(command)
    async with orders_alone.pool.acquire() as connection:
        order = await find_order(connection, command.order_id, "nordic-tea")
    assert len(order.now.lines) == len(lines)


async def test_texts_of_every_kind_come_back_as_they_were_sent(orders_alone: OrdersAlone) -> None:
    odd = "Ring på! 🫖 \u202eright to left\u202c \t\n ' \" \\ {} \\u0000 %s"
    command = to_place(an_order(message=odd))
    await orders_alone.handle(command)
    async with orders_alone.pool.acquire() as connection:
        order = await find_order(connection, command.order_id, "nordic-tea")
    assert order.now.message == odd


async def test_a_number_that_stands_on_an_order_is_never_given_again_even_by_mistake(
    orders_alone: OrdersAlone,
) -> None:
    await orders_alone.handle(to_place(an_order()))
    async with orders_alone.pool.acquire() as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(
                "insert into orders (id, shop, number, version, placed_at, body)"
                " select gen_random_uuid(), shop, number, version, placed_at, body from orders"
            )
