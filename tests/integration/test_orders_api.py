"""The API of orders: what a shop front sends is stored once and can be read again, by its own shop alone."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.order import OrderSnapshot
from tests.builders import a_line, a_shop, an_order, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone


@pytest.mark.requirement("R006", "R032", "R105")
async def test_a_placed_order_is_answered_with_its_number_totals_and_links(tea: Caller) -> None:
    order = an_order()
    answer = await tea.place(to_place(order))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/orders/{order.id}"
    assert answer.headers["etag"] == '"1"'
    placed = answer.json()
    assert (placed["id"], placed["number"], placed["attention"]) == (str(order.id), 1, [])
    assert placed["totals"] == order.totals.model_dump(mode="json")
    assert set(placed["links"]) == {
        *(
            "self",
            "log",
            "promises",
            "actions",
            "comments",
            "confirmation",
            "process",
            "ship",
            "capture",
            "refund",
            "void",
            "shipments",
            "transfer",
            "documents",
            "cancel",
            "status",
        )
    }


@pytest.mark.requirement("R007", "R010", "R012", "R013", "R014", "R016", "R019", "R020", "R021", "R022", "R023")
@pytest.mark.requirement("R025", "R026", "R027", "R028", "R029", "R030", "R031", "R102", "R115", "R134")
async def test_an_order_is_read_with_everything_that_was_said(tea: Caller) -> None:
    line = a_line(stock_location="A-04-2", weight_g=110, volume_ml=420, supplier="lerverket")
    order = an_order(
        lines=[line],
        message="Ring på!",
        ip_address="192.0.2.7",
        currency="EUR",
        exchange_rate=Decimal("11.25"),
        reference="c-1",
    )
    await tea.place(to_place(order))
    answer = await tea.get(str(order.id))
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    read = OrderSnapshot.model_validate_json(answer.content)
    assert read.model_dump(exclude={"number"}) == order.model_dump(exclude={"number"})


async def test_a_total_that_differs_is_accepted_and_flagged(tea: Caller) -> None:
    answer = await tea.place(to_place(an_order(total=1)))
    assert answer.status_code == 201
    assert answer.json()["attention"] == ["total-differs"]
    assert answer.json()["totals"]["shop_front"]["amount"] == 1


async def test_the_same_request_again_gets_the_first_answer_and_does_nothing(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    command = to_place(an_order())
    first = await tea.place(command, key="once")
    again = await tea.place(command, key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["location"]) == (again.content, again.headers["location"])
    assert await orders_alone.pool.fetchval("select count(*) from outbox where topic = 'orders.events'") == 1


async def test_the_same_order_under_another_key_is_the_order_that_is_there(tea: Caller) -> None:
    command = to_place(an_order())
    first = await tea.place(command)
    again = await tea.place(command)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content


async def test_an_order_sent_again_and_again_uses_up_no_numbers(tea: Caller) -> None:
    command = to_place(an_order())
    for _ in range(5):
        await tea.place(command)
    assert (await tea.place(to_place(an_order()))).json()["number"] == 2


async def test_identical_requests_at_once_become_one_order_and_one_answer(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    command = to_place(an_order())
    answers = await asyncio.gather(*(tea.place(command, key="at-once") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 1


async def test_the_same_order_at_once_under_many_keys_becomes_one_order(tea: Caller, orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    answers = await asyncio.gather(*(tea.place(command) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 201]
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 1


async def test_a_key_used_for_another_order_is_refused(tea: Caller, orders_alone: OrdersAlone) -> None:
    await tea.place(to_place(an_order()), key="reused")
    answer = await tea.place(to_place(an_order()), key="reused")
    assert problem(answer) == (422, "/problems/idempotency-key-reused")
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 1


async def test_each_shop_has_idempotency_keys_of_its_own(
    tea: Caller, call_as: CallAs, orders_alone: OrdersAlone
) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    other = await call_as("other-shop")
    answers = [await caller.place(to_place(an_order()), key="mine") for caller in (tea, other)]
    assert [answer.status_code for answer in answers] == [201, 201]


@pytest.mark.requirement("R076")
async def test_the_log_is_read_page_by_page_and_by_type(tea: Caller) -> None:
    command = to_place(an_order())
    await tea.place(command)
    await tea.confirm(command.order_id)
    await tea.confirm(command.order_id, content="as-now")
    page = (await tea.get(f"{command.order_id}/log", limit=2)).json()
    assert [entry["summary"] for entry in page["entries"]] == ["order.placed", "order.confirmation-requested"]
    assert (page["after"], page["more"]) == (2, True)
    rest = (await tea.get(f"{command.order_id}/log", after=2)).json()
    assert [entry["n"] for entry in rest["entries"]] == [3]
    assert (rest["after"], rest["more"]) == (3, False)
    none = (await tea.get(f"{command.order_id}/log", after=3)).json()
    assert (none["entries"], none["after"], none["more"]) == ([], 3, False)
    mails = (await tea.get(f"{command.order_id}/log", type=["message.sent.v1", "message.failed.v1"])).json()
    assert mails["entries"] == []
    [first, *_] = page["entries"]
    assert (first["source"], first["type"], first["outcome"]) == ("/orders", "order.noted.v1", "done")
    assert first["actor"].startswith("token/")


@pytest.mark.requirement("R068", "R069")
async def test_a_confirmation_is_asked_for_again_once_per_key(tea: Caller, orders_alone: OrdersAlone) -> None:
    order = an_order()
    await tea.place(to_place(order))
    answers = [await tea.confirm(order.id, key="again", content="as-now") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["location"] == f"/v1/orders/{order.id}/log"
    asked = "select count(*) from outbox where type = 'order.confirmation-requested.v1'"
    assert await orders_alone.pool.fetchval(asked) == 1


@pytest.mark.requirement("R109", "R110")
async def test_an_order_is_processed_in_parts_and_says_how_far_it_is(tea: Caller, orders_alone: OrdersAlone) -> None:
    order = an_order(lines=[a_line(line_id="1", quantity=3)])
    await tea.place(to_place(order))
    first = await tea.handle(order.id, "process", key="first", units=[{"line_id": "1", "units": 2}])
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    assert (first.json()["processing"], first.json()["goods"]) == ("partly", "partly-shipped")
    again = await tea.handle(order.id, "process", key="first", units=[{"line_id": "1", "units": 2}])
    assert again.content == first.content
    rest = await tea.handle(order.id, "ship")
    assert (rest.json()["processing"], rest.json()["goods"], rest.json()["version"]) == ("processed", "shipped", 3)
    nothing = await tea.handle(order.id, "process")
    assert nothing.json() == rest.json()
    read = (await tea.get(str(order.id))).json()
    assert (read["version"], read["lines"][0]["units"]) == (3, {"shipped": 3})
    types = "select type from outbox where topic = 'orders.events' order by position"
    assert [row["type"] for row in await orders_alone.pool.fetch(types)] == [
        "order.placed.v1",
        "order.processed.v1",
        "order.units-moved.v1",
    ]
    page = (await tea.get(f"{order.id}/log")).json()
    assert [entry["summary"] for entry in page["entries"]] == ["order.placed", "order.processed", "order.units-moved"]


async def test_units_that_are_not_there_are_refused_and_nothing_changes(tea: Caller) -> None:
    order = an_order(lines=[a_line(line_id="1", quantity=3)])
    await tea.place(to_place(order))
    too_many = await tea.handle(order.id, "ship", units=[{"line_id": "1", "units": 4}])
    assert problem(too_many) == (409, "/problems/not-so-many-units")
    no_line = await tea.handle(order.id, "process", units=[{"line_id": "2", "units": 1}])
    assert problem(no_line) == (422, "/problems/unknown-line")
    twice = await tea.handle(order.id, "process", units=[{"line_id": "1", "units": 1}] * 2)
    assert twice.status_code == 422
    assert (await tea.handle(uuid4(), "process")).status_code == 404
    assert (await tea.get(str(order.id))).json()["version"] == 1


async def test_of_many_who_process_an_order_at_once_each_unit_is_sent_by_one(tea: Caller) -> None:
    order = an_order(lines=[a_line(line_id="1", quantity=10)])
    await tea.place(to_place(order))
    one = [{"line_id": "1", "units": 1}]
    answers = await asyncio.gather(*(tea.handle(order.id, "process", units=one) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 2
    read = (await tea.get(str(order.id))).json()
    assert (read["version"], read["lines"][0]["units"]) == (11, {"shipped": 10})


@pytest.mark.requirement("R067", "R070", "R071", "R106")
async def test_a_document_is_asked_for_once_per_key(tea: Caller, orders_alone: OrdersAlone) -> None:
    order = an_order()
    await tea.place(to_place(order))
    answers = [await tea.handle(order.id, "documents", key="note", document="delivery-note") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert (answers[0].json()["document"], answers[0].json()["language"]) == ("delivery-note", "sv")
    asked = "select count(*) from outbox where type = 'order.document-requested.v1'"
    assert await orders_alone.pool.fetchval(asked) == 1


async def test_a_document_that_nobody_knows_is_not_asked_for(tea: Caller) -> None:
    order = an_order()
    await tea.place(to_place(order))
    assert (await tea.handle(order.id, "documents", document="pro-forma")).status_code == 422
    assert (await tea.handle(uuid4(), "documents", document="pick-list")).status_code == 404


LOSES_THE_CONNECTION_AT_COMMIT = """
create function leave() returns trigger language plpgsql as
  $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
create constraint trigger leave after insert on orders deferrable initially deferred
  for each row execute function leave();
"""


async def test_a_connection_lost_during_commit_is_no_failure_and_the_same_key_repeats_it(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    command = to_place(an_order())
    await orders_alone.pool.execute(LOSES_THE_CONNECTION_AT_COMMIT)
    lost = await tea.place(command, key="again")
    assert problem(lost) == (503, "/problems/outcome-unknown")
    assert "retry-after" in lost.headers
    await orders_alone.pool.execute("drop function leave cascade")
    assert (await tea.place(command, key="again")).status_code == 201


async def test_while_the_outbox_waits_for_too_long_nothing_more_is_accepted(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    command = to_place(an_order())
    await tea.place(command)
    orders_alone.outbox_age = 601.0
    answer = await tea.place(to_place(an_order()))
    assert problem(answer) == (503, "/problems/outbox-behind")
    assert int(answer.headers["retry-after"]) > 0
    assert (await tea.get(str(command.order_id))).status_code == 200


async def test_a_database_that_was_set_back_accepts_nothing(tea: Caller, orders_alone: OrdersAlone) -> None:
    """Its numbers, of orders and of what is said about them, were given before."""
    orders_alone.refused = "the database was set back"
    answer = await tea.place(to_place(an_order()))
    assert problem(answer) == (503, "/problems/database-set-back")
    assert int(answer.headers["retry-after"]) > 0
    orders_alone.refused = ""
    assert (await tea.place(to_place(an_order()))).status_code == 201


async def test_a_foreign_order_is_not_there(tea: Caller, call_as: CallAs, orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    other = await call_as("other-shop")
    command = to_place(an_order())
    await tea.place(command)
    for answer in (
        await other.get(str(command.order_id)),
        await other.get(f"{command.order_id}/log"),
        await other.confirm(command.order_id),
        await other.get(str(uuid4())),
    ):
        assert problem(answer) == (404, "/problems/unknown-order")
        assert "nordic-tea" not in answer.text


async def test_an_order_id_that_another_shop_has_is_refused_and_tells_nothing(
    tea: Caller, call_as: CallAs, orders_alone: OrdersAlone
) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    command = to_place(an_order())
    await tea.place(command)
    answer = await (await call_as("other-shop")).place(command)
    assert problem(answer) == (409, "/problems/order-id-taken")
    assert "nordic-tea" not in answer.text


@pytest.mark.parametrize(("scope", "reading", "placing"), [("orders:read", 200, 403), ("orders:write", 403, 201)])
async def test_a_token_does_what_its_scopes_say(
    tea: Caller, call_as: CallAs, scope: str, reading: int, placing: int
) -> None:
    order = an_order()
    await tea.place(to_place(order))
    limited = await call_as("nordic-tea", scope)
    assert (await limited.get(str(order.id))).status_code == reading
    assert (await limited.get(f"{order.id}/log")).status_code == reading
    assert (await limited.place(to_place(an_order()))).status_code == placing


async def test_a_token_for_all_shops_places_no_orders(call_as: CallAs) -> None:
    answer = await (await call_as("*", "operator")).place(to_place(an_order()))
    assert problem(answer) == (403, "/problems/no-single-shop")


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    return answer.status_code, document["type"]
