"""The timeline: every entry once, whatever way it came and how often; the chain over them holds."""

import asyncio
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest

from services.orders.timeline import Timeline, read_page, record, verify
from shared.contracts.message import Sequence, new_id
from shared.contracts.order_log import CommandRejected, LogEntry, MessageSent, OrderNoted
from shared.runtime.database import transaction
from tests.builders import an_order, stamped, to_place
from tests.plugins.orders import Caller, OrdersAlone


def noted(order_id: UUID, n: int = 1) -> OrderNoted:
    entry = OrderNoted(
        order_id=order_id, outcome="done", summary="order.placed", event_type="order.placed.v1", event_id=new_id()
    )
    return stamped(entry, sequence=Sequence(1_790_000_000, n))


def sent(order_id: UUID, **meta: object) -> MessageSent:
    entry = MessageSent(
        order_id=order_id,
        outcome="done",
        summary="message.sent",
        parameters={"to": "a***@example.org", "copies": 2},
        template="order-received",
        recipient="a***@example.org",
        language="sv",
        message_id="<1@example.org>",
    )
    return stamped(entry, **{"source": "/notifications", **meta})


async def receive(alone: OrdersAlone, *entries: LogEntry) -> None:
    """As the group `orders.log` takes entries in."""
    async with transaction(alone.pool) as connection:
        timeline = Timeline(connection)
        await timeline.open(entries)
        for entry in entries:
            timeline.add(entry)
        await timeline.flush()


async def types_of(alone: OrdersAlone, order_id: UUID) -> list[tuple[int, str]]:
    async with alone.pool.acquire() as connection:
        page = await read_page(connection, order_id, "nordic-tea", limit=1000)
    return [(number, entry.type) for number, entry in page.entries]


async def broken(alone: OrdersAlone, order_id: UUID) -> int | None:
    async with alone.pool.acquire() as connection:
        return await verify(connection, order_id)


@pytest.mark.requirement("R076")
async def test_own_entries_stand_there_at_once_and_those_of_others_behind_them(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    await orders_alone.handle(command)
    assert await types_of(orders_alone, command.order_id) == [(1, "order.noted.v1")]
    await receive(orders_alone, sent(command.order_id))
    assert await types_of(orders_alone, command.order_id) == [(1, "order.noted.v1"), (2, "message.sent.v1")]


async def test_own_entries_that_come_back_from_the_topic_are_there_already(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    _, own = await orders_alone.handle(command)
    assert isinstance(own, LogEntry)
    await receive(orders_alone, own, sent(command.order_id))
    await receive(orders_alone, own)
    assert await types_of(orders_alone, command.order_id) == [(1, "order.noted.v1"), (2, "message.sent.v1")]


async def test_an_entry_of_an_earlier_life_is_put_in_once_even_where_its_order_is_missing(
    orders_alone: OrdersAlone,
) -> None:
    of_earlier_life = noted(uuid4())
    await receive(orders_alone, of_earlier_life)
    await receive(orders_alone, of_earlier_life)
    assert await types_of(orders_alone, of_earlier_life.order_id) == [(1, "order.noted.v1")]
    async with orders_alone.pool.acquire() as connection:
        assert await connection.fetchval("select incarnation from timeline") == 1_790_000_000
        assert await connection.fetchval("select from_before_restore from timeline")
        assert await verify(connection, of_earlier_life.order_id) is None
        await connection.execute("update timeline set from_before_restore = false")
        assert await verify(connection, of_earlier_life.order_id) == 1, "the mark is part of what is chained"


async def test_only_what_orders_itself_had_lost_is_marked(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    _, own = await orders_alone.handle(command)
    assert isinstance(own, LogEntry)
    async with orders_alone.pool.acquire() as connection:
        await connection.execute("update relay set incarnation = incarnation + 1000, restored = true")
    again = stamped(own, **{name: getattr(own.meta, name) for name in ("id", "sequence")})
    lost = noted(command.order_id, 7)
    await receive(orders_alone, again, sent(command.order_id), lost)
    async with orders_alone.pool.acquire() as connection:
        page = await read_page(connection, command.order_id, "nordic-tea", limit=9)
    marks = [(entry.id, entry.from_before_restore) for _, entry in page.entries]
    assert [mark for _, mark in marks] == [False, False, True]
    assert (marks[0][0], marks[2][0]) == (own.meta.id, lost.meta.id)


async def test_the_same_id_from_two_sources_is_two_entries(orders_alone: OrdersAlone) -> None:
    one = sent(uuid4())
    await receive(orders_alone, one, stamped(one, id=one.meta.id, source="/documents"))
    assert len(await types_of(orders_alone, one.order_id)) == 2


async def test_an_entry_comes_back_with_everything_that_it_said(orders_alone: OrdersAlone) -> None:
    said = sent(uuid4(), actor="token/1", causationid="cause")
    await receive(orders_alone, said)
    async with orders_alone.pool.acquire() as connection:
        [(_, entry)] = (await read_page(connection, said.order_id, "nordic-tea", limit=1)).entries
    assert (entry.id, entry.source, entry.at) == (said.meta.id, "/notifications", said.meta.time)
    assert (entry.actor, entry.causationid, entry.outcome) == ("token/1", "cause", "done")
    assert (entry.summary, entry.parameters) == ("message.sent", {"to": "a***@example.org", "copies": 2})
    assert entry.data == {
        "template": "order-received",
        "recipient": "a***@example.org",
        "language": "sv",
        "message_id": "<1@example.org>",
    }


async def test_several_entries_of_one_order_in_one_transaction_keep_their_order(orders_alone: OrdersAlone) -> None:
    first, second = uuid4(), uuid4()
    await receive(orders_alone, noted(first, 1), noted(second, 1), sent(first), noted(first, 2))
    assert [kind for _, kind in await types_of(orders_alone, first)] == [
        "order.noted.v1",
        "message.sent.v1",
        "order.noted.v1",
    ]
    assert await broken(orders_alone, first) is await broken(orders_alone, second) is None


@pytest.mark.requirement("R206")
async def test_writers_of_one_order_take_turns_and_the_chain_holds(orders_alone: OrdersAlone) -> None:
    order_id = uuid4()
    await asyncio.gather(*(receive(orders_alone, sent(order_id)) for _ in range(20)))
    assert [number for number, _ in await types_of(orders_alone, order_id)] == list(range(1, 21))
    assert await broken(orders_alone, order_id) is None


async def test_writers_of_the_same_orders_in_any_sequence_never_deadlock(orders_alone: OrdersAlone) -> None:
    ids = [uuid4() for _ in range(30)]
    sequences = [ids, ids[::-1], ids[10:] + ids[:10]]
    for _ in range(5):
        await asyncio.gather(*(receive(orders_alone, *map(sent, some)) for some in sequences))
    assert [len(await types_of(orders_alone, order_id)) for order_id in ids] == [15] * 30


@pytest.mark.requirement("R206")
@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        ("update timeline set actor = 'somebody else' where n = 2", 2),
        ("update timeline set parameters = '{}' where n = 3", 3),
        ("update timeline set recorded_at = recorded_at + interval '1 second' where n = 1", 1),
        ("delete from timeline where n = 2", 2),
        ("delete from timeline where n = 4", 4),
        ("delete from timeline_head", 5),
        ("update timeline set hash = sha256('') where n = 4", 4),
    ],
)
async def test_tampering_with_a_timeline_is_found_and_named(
    orders_alone: OrdersAlone, tampering: str, named: int
) -> None:
    order_id = uuid4()
    await receive(orders_alone, *(sent(order_id) for _ in range(4)))
    assert await broken(orders_alone, order_id) is None
    async with orders_alone.pool.acquire() as connection:
        await connection.execute(tampering)
    assert await broken(orders_alone, order_id) == named


@pytest.mark.requirement("R206")
async def test_an_order_whose_whole_log_is_gone_is_found(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    await orders_alone.handle(command)
    async with orders_alone.pool.acquire() as connection:
        await connection.execute("delete from timeline")
        await connection.execute("delete from timeline_head")
    assert await broken(orders_alone, command.order_id) == 1
    assert await broken(orders_alone, uuid4()) is None, "nobody has placed that"


@pytest.mark.requirement("R206")
async def test_a_log_that_is_written_meanwhile_is_intact(orders_alone: OrdersAlone) -> None:
    order_id, looks = uuid4(), 0
    writing = asyncio.gather(*(receive(orders_alone, sent(order_id)) for _ in range(40)))
    while not writing.done():
        assert await broken(orders_alone, order_id) is None
        looks += 1
    await writing
    assert looks > 1


async def test_a_page_goes_on_where_the_last_one_ended(orders_alone: OrdersAlone) -> None:
    order_id = uuid4()
    await receive(orders_alone, noted(order_id), *(sent(order_id) for _ in range(4)))
    async with orders_alone.pool.acquire() as connection:
        first = await read_page(connection, order_id, "nordic-tea", limit=3)
        rest = await read_page(connection, order_id, "nordic-tea", after=3, limit=3)
        mails = await read_page(connection, order_id, "nordic-tea", types=["message.sent.v1"], limit=9)
        foreign = await read_page(connection, order_id, "other-shop", limit=9)
    assert ([number for number, _ in first.entries], first.more) == ([1, 2, 3], True)
    assert ([number for number, _ in rest.entries], rest.more) == ([4, 5], False)
    assert [number for number, _ in mails.entries] == [2, 3, 4, 5]
    assert foreign.entries == []


EDGES = [
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=14))),
]


@pytest.mark.parametrize("edge", EDGES)
async def test_a_time_that_no_database_can_keep_becomes_that_of_recording(
    orders_alone: OrdersAlone, edge: datetime
) -> None:
    await receive(orders_alone, sent(uuid4(), time=edge))
    async with orders_alone.pool.acquire() as connection:
        assert await connection.fetchval("select at = recorded_at from timeline")


async def test_nothing_but_log_entries_is_recorded(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    rejected = stamped(
        CommandRejected(
            order_id=command.order_id,
            outcome="failed",
            summary="command.rejected",
            command_type=command.type,
            command_id=command.meta.id,
            reason="unknown-shop",
        )
    )
    async with transaction(orders_alone.pool) as connection:
        await record(connection, [command, rejected])
    assert await types_of(orders_alone, command.order_id) == [(1, "command.rejected.v1")]


@pytest.mark.requirement("R076")
@pytest.mark.parametrize(
    ("language", "text"), [("sv", "Ordern kom in"), ("fi", "Tilaus vastaanotettiin"), (None, None)]
)
async def test_the_log_is_said_in_words_where_a_language_is_asked_for(
    tea: Caller, language: str | None, text: str | None
) -> None:
    order = an_order()
    await tea.place(to_place(order))
    wanted = {"language": language} if language else {}
    (entry,) = (await tea.get(f"{order.id}/log", **wanted)).json()["entries"]
    assert entry["text"] == text
