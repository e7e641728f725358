"""What needs a person is listed: what has waited longest first, page by page, by filter, and each by its id."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.order_events import OrderPlaced
from shared.messaging import trouble
from shared.messaging.trouble import Item, Kind, NotAPlace
from shared.messaging.wanted import SkipDead
from tests.builders import an_order, to_place
from tests.integration.test_kit_ingest import an_entry
from tests.integration.test_kit_repairs_of_records import quarantine, take
from tests.plugins.broken import a_dead_message, a_group, dead, repair, repairs_of, story
from tests.plugins.kit import Kit

UNKNOWN = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, result)
select 'mail:' || n, 'notifications', $1, 'nordic-tea', 'mail', 'unknown', 1, gen_random_uuid(),
  now() - make_interval(mins => 10 - n), now(), '{"detail": "the answer was lost"}'
from generate_series(1, 3) n
"""
PARKED = "insert into parked (topic, aggregateid, error) values ('orders.events', $1, 'too large')"


async def all_of(kind: Kind[Any, Any], kit: Kit, **asked: Any) -> list[Any]:
    found: AsyncIterator[Item] = kind.everything(kit.pool, kind.filter(**asked))
    return [item async for item in found]


async def ids(kind: Kind[Any, Any], kit: Kit, **asked: Any) -> list[str]:
    return [item.id for item in await all_of(kind, kit, **asked)]


async def test_a_dead_message_tells_what_it_is_and_whether_it_blocks(kit: Kit) -> None:
    order = an_order(id=uuid4())
    events = story(order, "cpp")
    positions = await dead(kit, a_group(), events, given_up=[0, 1])
    skipped, blocking = await all_of(trouble.dead, kit)
    assert [item.position for item in (skipped, blocking)] == [positions[event.meta.id] for event in events[:2]]
    assert (skipped.blocks, blocking.blocks) == (False, True)
    assert (blocking.id, blocking.group) == (f"notifications:{blocking.position}", "notifications")
    assert (blocking.order, blocking.shop, blocking.topic) == (str(order.id), order.shop, "orders.events")
    assert (blocking.type, blocking.message_id, blocking.attempts) == ("order.placed.v1", events[1].meta.id, 1)
    assert "no such template" in blocking.error


async def test_a_message_whose_lane_is_gone_still_has_its_shop(kit: Kit) -> None:
    await a_dead_message(kit)
    await kit.pool.execute("delete from lane")
    (item,) = await all_of(trouble.dead, kit, shop="nordic-tea")
    assert (item.shop, item.blocks) == ("nordic-tea", False)
    assert await all_of(trouble.dead, kit, shop="another") == []


async def test_dead_messages_are_found_by_group_shop_topic_time_and_error(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    expected, now = [f"notifications:{position}"], datetime.now(UTC)
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"group": "notifications"}, {"group": "documents"}),
        ({"shop": "nordic-tea"}, {"shop": "another"}),
        ({"topic": "orders.events"}, {"topic": "orders.log"}),
        ({"since": now - timedelta(minutes=5)}, {"since": now + timedelta(minutes=5)}),
        ({"error": "No Such Template"}, {"error": "100%"}),
    ]
    for fits, fits_not in cases:
        assert await ids(trouble.dead, kit, **fits) == expected
        assert await ids(trouble.dead, kit, **fits_not) == []
    assert await ids(trouble.dead, kit, group="notifications", error="template", shop="nordic-tea") == expected


async def test_pages_follow_each_other_without_gap_or_repetition(kit: Kit) -> None:
    group = a_group()
    for _ in range(3):
        await dead(kit, group, story(an_order(id=uuid4()), "ccc"), given_up=[0, 1, 2])
    await kit.pool.execute("update inbox set died_at = date_trunc('minute', died_at)")
    seen, after = [], None
    for expected in (4, 4, 1):
        page = await trouble.dead.page(kit.pool, trouble.DeadFilter(), after=after, limit=4)
        seen += [item.id for item in page.items]
        assert len(page.items) == expected
        after = page.following
    assert after is None
    assert len(set(seen)) == 9


@pytest.mark.parametrize("after", ["x", "bm8=", "WzEsMl0=", "WyIyMDI2LTExLTI2IiwgIngiXQ==", "é"])
async def test_a_place_that_no_page_gave_is_refused(kit: Kit, after: str) -> None:
    with pytest.raises(NotAPlace):
        await trouble.dead.page(kit.pool, trouble.DeadFilter(), after=after)


async def test_an_item_is_found_by_its_id_until_it_is_repaired(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4, 5)))
    (item,) = await all_of(trouble.held, kit)
    assert item.id == f"orders.log:/notifications:{order}"
    assert await trouble.held.find(kit.pool, item.id) == item
    for nonsense in ("", "x", "orders.log:/notifications:\x00", "\ud800"):
        assert await trouble.held.find(kit.pool, nonsense) is None


async def test_a_held_stream_tells_which_numbers_are_missing(kit: Kit) -> None:
    first, second = (str(uuid4()) for _ in range(2))
    await take(kit, *(an_entry(first, n) for n in (1, 4, 5)), an_entry(second, 3, 1_700_000_005))
    one, other = await all_of(trouble.held, kit)
    assert (one.order, one.incarnation, one.first, one.last, one.held) == (first, 1_700_000_000, 2, 3, 2)
    assert (other.order, other.incarnation, other.first, other.last, other.held) == (second, 1_700_000_005, 1, 2, 1)
    assert (one.shop, one.source, one.topic) == ("nordic-tea", "/notifications", "orders.log")
    assert await ids(trouble.held, kit, topic="orders.events") == []
    assert await ids(trouble.held, kit, shop="another") == []


async def test_unknown_effects_are_listed_the_oldest_first(kit: Kit) -> None:
    order = str(uuid4())
    await kit.pool.execute(UNKNOWN, order)
    found = await all_of(trouble.unknown, kit, group="notifications", shop="nordic-tea", error="LOST")
    assert [item.key for item in found] == ["mail:1", "mail:2", "mail:3"]
    assert (found[0].order, found[0].kind, found[0].error) == (order, "mail", "the answer was lost")
    assert await ids(trouble.unknown, kit, since=found[1].at) == ["mail:2", "mail:3"]


async def test_quarantined_records_are_listed_with_their_place_and_reason(kit: Kit) -> None:
    positions = await quarantine(kit, b"no json", None)
    found = await all_of(trouble.quarantined, kit)
    assert [item.id for item in found] == [str(position) for position in positions]
    assert [(item.topic, item.partition, item.offset, item.bytes) for item in found] == [
        ("orders.log", 0, 0, 7), ("orders.log", 0, 1, 0)
    ]  # fmt: skip
    assert await ids(trouble.quarantined, kit, error="no value") == [str(positions[1])]


async def test_a_parked_key_tells_how_much_waits_behind_it(kit: Kit) -> None:
    order = an_order(id=uuid4())
    await kit.pool.execute(PARKED, str(order.id))
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    (item,) = await all_of(trouble.parked, kit, topic="orders.events")
    assert (item.id, item.key, item.waiting) == (f"orders.events:{order.id}", str(order.id), 1)
    assert item.error == "too large"


async def test_what_is_repaired_is_listed_no_longer(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    await repair(repairs_of(kit, a_group()), SkipDead(group="notifications", position=position))
    assert await ids(trouble.dead, kit) == []
