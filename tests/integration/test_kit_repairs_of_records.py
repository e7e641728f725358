"""A gap is accepted, a quarantined record is read again, a parked key is let go: each once, and only what was seen."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.order_events import OrderPlaced
from shared.contracts.refusal import Refused
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG, SHOPS_FACTS, Topic
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.relay import Relay
from shared.messaging.wanted import AcceptGap, ReleaseKey, TakeAgain
from tests.builders import an_order, to_place
from tests.integration.test_kit_ingest import a_record, an_entry, commands, inbox, log
from tests.plugins.broken import repair, repairs_of, row
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import said
from tests.plugins.waiting import eventually

LIFE = 1_700_000_000


def arrived(document: dict[str, Any], offset: int, topic: Topic = ORDERS_LOG) -> Arrived:
    return Arrived(topic.name, 0, offset, *a_record(document), [("h", b"\xff")])


async def take(kit: Kit, *documents: dict[str, Any], topic: Topic = ORDERS_LOG, at: int = 0) -> None:
    """These records come, one after the other."""
    store = IngestStore(kit.pool, topic, [log, commands])
    for offset, document in enumerate(documents, start=at):
        await store.take([arrived(document, offset, topic)])


def a_gap(order: str, first: int, last: int, incarnation: int = LIFE) -> AcceptGap:
    return AcceptGap(
        topic="orders.log", source="/notifications", subject=order, incarnation=incarnation, first=first, last=last
    )


async def test_an_accepted_gap_lets_flow_what_was_held_behind_it(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4, 5, 7)))
    done = await repair(repairs_of(kit, log), a_gap(order, 2, 3))
    assert await inbox(kit, order) == ["01", "04", "05"]
    assert done.answer == "2 given up; of what was held: 2 taken in"
    assert await kit.count("held", "n = 7") == 1
    assert await kit.count("lane", "state = 'ready'") == 1
    (entry,) = await said(kit, "repair.made.v1")
    assert (entry["subject"], entry["shop"]) == (order, "nordic-tea")
    about = f"orders.log /notifications {LIFE}.000000000002 to {LIFE}.000000000003"
    assert (entry["data"]["action"], entry["data"]["about"]) == ("accept-gap", about)


async def test_what_comes_later_with_a_number_that_was_given_up_is_quarantined_and_not_dropped(kit: Kit) -> None:
    order = str(uuid4())
    first, fourth, late = (an_entry(order, n) for n in (1, 4, 3))
    await take(kit, first, fourth)
    await repair(repairs_of(kit, log), a_gap(order, 2, 3))
    await take(kit, late, fourth, late, at=10)
    assert await inbox(kit, order) == ["01", "04"]
    rows = await kit.pool.fetch('select "offset", reason from quarantine order by 1')
    assert [row["offset"] for row in rows] == [10, 12]
    assert "given up" in rows[0]["reason"]


async def test_the_first_number_of_a_stream_can_be_missing_too(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, an_entry(order, 3))
    await repair(repairs_of(kit, log), a_gap(order, 1, 2))
    assert await inbox(kit, order) == ["03"]
    await take(kit, an_entry(order, 2), an_entry(order, 4), at=5)
    assert await inbox(kit, order) == ["03", "04"]
    assert await kit.count("quarantine") == 1


async def test_a_gap_at_the_beginning_of_a_new_life_is_one_of_that_life(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, an_entry(order, 1), an_entry(order, 4, LIFE + 5), an_entry(order, 9))
    with pytest.raises(Refused, match=r"what is missing now is 1700000000\.000000000002 to 1700000000\.000000000008"):
        await repair(repairs_of(kit, log), a_gap(order, 2, 3, LIFE + 5))
    await kit.pool.execute("delete from held where n = 9")
    await repair(repairs_of(kit, log), a_gap(order, 2, 3, LIFE + 5))
    assert await inbox(kit, order) == ["01", "04"]
    await take(kit, an_entry(order, 2), an_entry(order, 3, LIFE + 5), at=20)
    assert [row["offset"] for row in await kit.pool.fetch('select "offset" from quarantine')] == [21]


@pytest.mark.parametrize("seen", [(2, 4), (3, 3), (1, 3)])
async def test_only_the_gap_that_was_seen_is_accepted(kit: Kit, seen: tuple[int, int]) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4)))
    with pytest.raises(Refused, match="what is missing now is"):
        await repair(repairs_of(kit, log), a_gap(order, *seen))
    assert (await kit.count("accepted_gap"), await kit.count("held"), await kit.count("repair")) == (0, 1, 0)


async def test_a_gap_that_was_filled_meanwhile_is_none(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 3, 2)))
    with pytest.raises(Refused, match="nothing of this stream is held back"):
        await repair(repairs_of(kit, log), a_gap(order, 2, 2))
    assert await kit.count("cursor", "last = 3") == 1


async def test_a_stream_that_nobody_knows_is_not_made_by_a_refusal(kit: Kit) -> None:
    with pytest.raises(Refused):
        await repair(repairs_of(kit, log), a_gap(str(uuid4()), 1, 1))
    assert await kit.count("cursor") == 0


async def test_of_two_operators_who_accept_a_gap_at_once_one_does(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4)))
    repairs = repairs_of(kit, log)
    outcomes = await asyncio.gather(*(repair(repairs, a_gap(order, 2, 3)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 3
    assert await inbox(kit, order) == ["01", "04"]


async def test_the_missing_record_and_the_operator_at_once_do_not_both_win(kit: Kit) -> None:
    order, repairs = str(uuid4()), repairs_of(kit, log)
    await take(kit, *(an_entry(order, n) for n in (1, 3)))
    await asyncio.gather(
        repair(repairs, a_gap(order, 2, 2)), take(kit, an_entry(order, 2), at=9), return_exceptions=True
    )
    taken, given_up = await inbox(kit, order) == ["01", "02", "03"], await kit.count("accepted_gap") == 1
    assert taken != given_up
    assert (await kit.count("quarantine") == 1) == given_up


async def test_what_is_held_of_an_old_life_behind_a_new_one_is_quarantined_also_when_a_baseline_is_taken(
    kit: Kit,
) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    await kit.pool.execute("insert into consumed values ('orders.log', 0, 7, 7)")
    await take(kit, *(an_entry(order, n, life) for n, life in ((5, LIFE), (9, LIFE), (6, LIFE + 5))), at=7)
    await kit.pool.execute("update held set at = at - interval '2 min'")
    assert await store.take_baselines() == 1
    assert await inbox(kit, order) == ["05", "06"]
    assert [row["offset"] for row in await kit.pool.fetch('select "offset" from quarantine')] == [8]


UNREADABLE: Sequence[bytes] = (b"", b"no json")


async def quarantine(kit: Kit, *values: bytes | None, topic: Topic = ORDERS_LOG, key: str | None = None) -> list[int]:
    """These values are quarantined; their positions."""
    store = IngestStore(kit.pool, topic, [log, commands])
    for offset, value in enumerate(values):
        await store.take([Arrived(topic.name, 0, offset, (key or "").encode(), value, [])])
    return [row["position"] for row in await kit.pool.fetch("select position from quarantine order by 1")]


async def mend(kit: Kit, position: int, document: dict[str, Any]) -> None:
    """A newer version understands the record: as if it had stood there like this."""
    key, value = a_record(document)
    await kit.pool.execute("update quarantine set key = $2, value = $3 where position = $1", position, key, value)


async def test_a_record_that_is_understood_now_is_taken_in_and_leaves_the_quarantine(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 1, correlationid="the-beginning"))
    offsets = await kit.pool.fetch("select * from consumed")
    done = await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert (done.done, done.answer) == (True, "it is taken in")
    assert await inbox(kit, order) == ["01"]
    assert (await kit.count("quarantine"), await kit.pool.fetch("select * from consumed")) == (0, offsets)
    (entry,) = await said(kit, "repair.made.v1")
    assert entry["data"]["about"] == "orders.log partition 0 offset 0"
    assert (entry["subject"], entry["correlationid"]) == (order, "the-beginning")


async def test_a_record_that_is_still_not_understood_stays_with_the_reason_of_now(kit: Kit) -> None:
    (position,) = await quarantine(kit, b"not yet")
    await kit.pool.execute("update quarantine set reason = 'of an older version'")
    done = await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert not done.done
    kept = await row(kit, "select reason from quarantine")
    assert kept["reason"] != "of an older version"
    assert kept["reason"] in done.answer
    assert await said(kit, "repair.made.v1") == []
    assert (await row(kit, "select state from repair"))["state"] == "refused"


async def test_a_record_that_came_again_meanwhile_is_not_handled_twice(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    entry = an_entry(order, 1)
    await mend(kit, position, entry)
    await take(kit, entry, at=5)
    done = await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert "already" in done.answer
    assert (await inbox(kit, order), await kit.count("quarantine")) == (["01"], 0)


async def test_a_record_of_a_new_life_that_is_read_again_tells_the_orders_log_of_the_fork(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 2, 3)))
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 2, LIFE + 5))
    await repair(repairs_of(kit, log), TakeAgain(position=position))
    (fork,) = await said(kit, "stream.forked.v1")
    assert (fork["subject"], fork["data"]["n"], fork["data"]["known"]) == (order, 2, 3)


async def test_a_record_whose_turn_has_not_come_is_held(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 2))
    done = await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert "held" in done.answer
    assert (await kit.count("held"), await kit.count("quarantine")) == (1, 0)
    await take(kit, an_entry(order, 1), at=5)
    assert await inbox(kit, order) == ["01", "02"]


async def test_a_record_fills_the_gap_that_its_quarantine_left(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 1))
    await take(kit, an_entry(order, 2), at=5)
    await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert await inbox(kit, order) == ["01", "02"]


async def test_what_postgresql_refuses_stays_and_takes_nothing_with_it(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 1))
    await kit.pool.execute("alter table message add constraint no_message check (false)")
    done = await repair(repairs_of(kit, log), TakeAgain(position=position))
    assert "PostgreSQL refuses it" in done.answer
    assert (await kit.count("quarantine"), await kit.count("cursor")) == (1, 0)


async def test_a_command_and_a_fact_are_taken_again_too(kit: Kit) -> None:
    order = an_order(id=uuid4())
    placing = to_place(order)
    (position,) = await quarantine(kit, b"x", topic=ORDERS_COMMANDS)
    document = an_entry(placing.subject, 1, source="/shop-front", id=placing.meta.id) | {"type": placing.type}
    await mend(kit, position, document | {"data": json.loads(placing.model_dump_json())})
    await repair(repairs_of(kit, commands), TakeAgain(position=position))
    assert await kit.count("inbox", "\"group\" = 'orders.commands'") == 1

    (position,) = await quarantine(kit, b"x", topic=SHOPS_FACTS)
    await mend(kit, position, an_entry("nordic-tea/orders", 3) | {"type": "shop.weather.v1", "data": {}})
    done = await repair(repairs_of(kit, commands), TakeAgain(position=position))
    assert done.done
    assert (await kit.count("fact"), await kit.count("quarantine")) == (1, 0)


async def test_of_two_who_read_a_record_again_at_once_one_does(kit: Kit) -> None:
    order = str(uuid4())
    (position,) = await quarantine(kit, b"not yet")
    await mend(kit, position, an_entry(order, 1))
    repairs = repairs_of(kit, log)
    outcomes = await asyncio.gather(
        *(repair(repairs, TakeAgain(position=position)) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 3
    assert (await inbox(kit, order), len(await said(kit, "repair.made.v1"))) == (["01"], 1)


async def test_reading_again_and_the_record_coming_again_at_once_do_not_deadlock(kit: Kit) -> None:
    """Ingest holds its cursor when it writes to the quarantine; reading again must not hold that row before."""
    order, repairs = str(uuid4()), repairs_of(kit, log)
    await take(kit, an_entry(order, 1), an_entry(order, 1) | {"id": "another"})
    position = (await row(kit, "select position from quarantine"))["position"]
    async with kit.pool.acquire() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("select from cursor where subject = $1 for update", order)
        again = asyncio.create_task(repair(repairs, TakeAgain(position=position)))
        await eventually(lambda: somebody_waits(kit))
        await other.execute("update quarantine set reason = reason where position = $1", position)
        await holding.commit()
    assert not (await again).done


async def somebody_waits(kit: Kit) -> bool:
    return bool(await kit.pool.fetchval("select count(*) from pg_locks where not granted"))


async def test_a_record_that_is_gone_or_of_a_topic_that_is_not_read_here_is_refused(kit: Kit) -> None:
    with pytest.raises(Refused, match="nothing is quarantined at 1"):
        await repair(repairs_of(kit, log), TakeAgain(position=1))
    (position,) = await quarantine(kit, b"x")
    with pytest.raises(Refused, match=r"orders\.log is not read here"):
        await repair(repairs_of(kit, commands), TakeAgain(position=position))


PARKED = "insert into parked (topic, aggregateid, error) values ('orders.events', $1, 'too large')"


async def test_a_parked_key_is_let_go_and_its_records_are_sent_in_order(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order(id=uuid4())
    await kit.pool.execute(PARKED, str(order.id))
    for _ in range(3):
        await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    relay = Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, poll=0.05)
    async with running(relay):
        await eventually(lambda: left(kit, 3))
        done = await repair(repairs_of(kit), ReleaseKey(topic="orders.events", key=str(order.id)))
        await eventually(lambda: left(kit, 0))
    assert done.answer == "it is sent again: 3 in order"
    sent = [json.loads(record.value)["sequence"][-1] for record in await kit.records(ORDERS_EVENTS)]
    assert sent == ["1", "2", "3"]
    entries = [json.loads(record.value) for record in await kit.records(ORDERS_LOG)]
    assert [entry["data"]["about"] for entry in entries if entry["type"] == "repair.made.v1"] == [
        f"orders.events {order.id}"
    ]


async def left(kit: Kit, count: int) -> bool:
    return await kit.count("outbox") == count


async def test_a_key_that_is_not_parked_cannot_be_released(kit: Kit) -> None:
    with pytest.raises(Refused, match="nothing of x is parked"):
        await repair(repairs_of(kit), ReleaseKey(topic="orders.events", key="x"))


async def test_a_key_behind_which_nothing_waits_is_released_without_an_entry(kit: Kit) -> None:
    await kit.pool.execute(PARKED, str(uuid4()))
    key = (await row(kit, "select aggregateid from parked"))["aggregateid"]
    done = await repair(repairs_of(kit), ReleaseKey(topic="orders.events", key=key))
    assert "nothing waits" in done.answer
    assert (await kit.count("parked"), await kit.count("outbox")) == (0, 0)
