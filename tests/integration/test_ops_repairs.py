"""Operators list what needs a person, and leave at the service's desk what shall be done; the answer comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.messaging.repair_desk import RepairDesk
from shared.runtime.migrations import migrate
from tests.builders import an_order
from tests.integration.test_kit_ingest import an_entry, inbox, log
from tests.integration.test_kit_repairs_of_records import mend, quarantine, take
from tests.integration.test_kit_trouble import PARKED, UNKNOWN
from tests.plugins.broken import a_dead_message, a_group, dead, repairs_of, row, story
from tests.plugins.kit import FOLDERS, Kit, running
from tests.plugins.lanes import lane, said
from tests.plugins.operator import Answer, ops
from tests.plugins.servers import CreateDatabase
from tests.plugins.waiting import eventually

LONG_AGO = "interval '1 hour'"


@asynccontextmanager
async def a_service(kit: Kit) -> AsyncIterator[None]:
    """A process of the service stands at the desk."""
    async with running(RepairDesk(repairs_of(kit, a_group(), log), every=0.05)):
        yield


async def typed(kit: Kit, *words: str, service: str = "shop", **options: Any) -> Answer:
    return await ops(*words, "-d", f"{service}={kit.dsn}", **options)


async def test_dead_messages_are_listed_and_shown_without_personal_data(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    listed = await typed(kit, "dead", "list")
    assert f"shop/notifications:{position}" in listed.out
    assert "no such template: a***@example.org" in listed.out
    shown = await typed(kit, "dead", "show", f"shop/notifications:{position}")
    for answer in (listed, shown, await typed(kit, "dead", "show", f"notifications:{position}", "--json")):
        assert answer.code == 0, answer.err
        assert str(order.id) in answer.out
        assert "asa" not in answer.out
        assert "Öberg" not in answer.out
    (document,) = (await typed(kit, "dead", "list", "--json")).document
    assert (document["id"], document["blocks"]) == (f"shop/notifications:{position}", True)


async def test_the_story_of_an_order_names_its_dead_message(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    (told,) = [
        entry
        for entry in (await typed(kit, "journey", str(order.id), "--no-topics", "--json")).document["story"]
        if entry["what"] == "inbox notifications"
    ]
    assert f"dead after 1 attempts (notifications:{position} for `dead retry` and `dead skip`)" in told["text"]


async def test_a_list_shows_what_fits(kit: Kit) -> None:
    await a_dead_message(kit)
    for options, fits in (
        (["--group", "notifications", "--shop", "nordic-tea", "--error", "template", "--topic", "orders.events"], True),
        (["--since", "2026-01-01"], True),
        (["--shop", "another"], False),
    ):
        answer = await typed(kit, "dead", "list", *options)
        assert ("nothing is dead" in answer.out) is not fits
    assert (await typed(kit, "dead", "list", "--shop", "Not A Shop")).code == 2


async def test_a_dead_message_is_retried_by_the_service_and_the_answer_is_printed(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    async with a_service(kit):
        answer = await typed(
            kit, "dead", "retry", f"shop/notifications:{position}", "--reason", "mended", "--actor", "maria"
        )
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        f"shop/notifications:{position}: it is tried again in its place, and what waits behind it follows in order\n"
    )
    assert (await lane(kit, str(order.id)))["state"] == "ready"
    (entry,) = await said(kit, "repair.made.v1")
    assert (entry["actor"], entry["data"]["reason"]) == ("maria", "mended")


async def test_a_service_that_is_down_does_it_when_it_comes_and_the_operator_is_told(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    answer = await typed(kit, "dead", "skip", f"notifications:{position}", "--reason", "a test order", "--wait", "0.3")
    assert answer.code == 3
    assert "not answered yet: 1 thing; done as soon as a process of shop with the role work runs" in answer.err
    assert await kit.count("inbox", "state = 'dead'") == 1
    async with a_service(kit):
        await eventually(lambda: gone(kit))
    listed = await typed(kit, "repairs", "list", "--json")
    assert [(each["action"], each["state"], each["reason"]) for each in listed.document] == [
        ("skip", "done", "a test order")
    ]


async def gone(kit: Kit) -> bool:
    return await kit.count("inbox") == 0


async def test_what_was_asked_can_be_taken_back_until_it_is_done(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    await typed(kit, "dead", "skip", f"notifications:{position}", "--reason", "a mistake", "--wait", "0")
    listed = await typed(kit, "repairs", "list", "--state", "asked")
    assert f"skip group=notifications position={position}" in listed.out
    assert (await typed(kit, "repairs", "withdraw", "99")).code == 1
    taken_back = await typed(kit, "repairs", "withdraw", "--actor", "maria")
    assert (taken_back.code, taken_back.out) == (0, "taken back: 1\n")
    assert (await row(kit, "select state, answer from repair"))["answer"] == "taken back by maria"
    assert (await typed(kit, "repairs", "withdraw")).code == 1
    assert (await typed(kit, "repairs", "list", "--state", "odd")).code == 2


async def test_what_cannot_be_done_ends_with_1_and_the_reason(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    async with a_service(kit):
        both = await asyncio.gather(
            typed(kit, "dead", "retry", f"notifications:{position}"),
            typed(kit, "dead", "skip", f"notifications:{position}", "--reason", "x"),
        )
    assert sorted(answer.code for answer in both) == [0, 1]
    again = await typed(kit, "dead", "retry", f"notifications:{position}")
    assert (again.code, again.err) == (1, f"notifications:{position}: nothing is dead.\n")


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("retry", "notifications:1", "--all"),
        ("retry", "--all", "--group", "notifications"),
        ("skip", "--all"),
        ("skip", "--all", "--reason", " "),
        ("retry", "--all", "--actor", "two words"),
    ],
)
async def test_what_is_asked_wrongly_ends_with_2(kit: Kit, words: tuple[str, ...]) -> None:
    await a_dead_message(kit)
    answer = await typed(kit, "dead", *words, "--yes")
    assert answer.code == 2, answer.out
    assert await kit.count("repair") == 0


async def test_many_are_chosen_by_what_they_have_in_common(kit: Kit) -> None:
    for _ in range(4):
        await dead(kit, a_group(), story(an_order(id=uuid4()), "ccc"), given_up=[0, 1, 2])
    await kit.pool.execute("update inbox set error = 'another' where position % 3 = 0")
    words = ("dead", "retry", "--error", "template", "--group", "notifications")

    dry = await typed(kit, *words, "--dry-run")
    assert (dry.code, await kit.count("repair")) == (0, 0)
    assert "8 things in all" in dry.out
    assert dry.out.count("notifications:") == 8

    no = await typed(kit, *words, says="n\n")
    assert (no.code, await kit.count("repair")) == (1, 0)

    async with a_service(kit):
        yes = await typed(kit, *words, says="y\n")
    assert yes.code == 0, yes.err
    assert "done: 8 things" in yes.out
    assert "8: it is tried again; what came after it may have been handled before it" in yes.out
    assert (await kit.count("inbox", "state = 'dead'"), await kit.count("repair")) == (4, 8)
    nothing = await typed(kit, *words, "--yes")
    assert (nothing.code, nothing.err) == (1, "nothing is dead: nothing fits.\n")


async def test_of_many_the_first_are_shown_and_the_refused_are_named(kit: Kit) -> None:
    keys = [(str(uuid4()),) for _ in range(25)]
    await kit.pool.executemany(PARKED, keys)
    dry = await typed(kit, "parked", "release", "--all", "--dry-run")
    assert "and 15 more; 25 things in all" in dry.out
    waiting = asyncio.create_task(typed(kit, "parked", "release", "--all", "--yes"))
    await eventually(lambda: asked(kit, 25))
    await kit.pool.execute("delete from parked where aggregateid = any($1)", [key for (key,) in keys[:12]])
    async with a_service(kit):
        answer = await waiting
    assert answer.code == 1
    assert "done: 13 things" in answer.out
    assert answer.err.count("refused: nothing of") == 10
    assert "and 2 more were refused" in answer.err


async def asked(kit: Kit, count: int) -> bool:
    return await kit.count("repair") == count


async def test_unknown_effects_are_listed_shown_and_settled(kit: Kit) -> None:
    order = str(uuid4())
    await kit.pool.execute(UNKNOWN, order)
    listed = await typed(kit, "unknown", "list")
    assert listed.out.count("shop/mail:") == 3
    shown = await typed(kit, "unknown", "show", "shop/mail:1", "--json")
    assert (shown.document["error"], shown.document["cause"]) == ("the answer was lost", None)
    async with a_service(kit):
        one = await typed(kit, "unknown", "settle", "mail:1", "--happened", "--reason", "in the server's log")
        both = await typed(kit, "unknown", "settle", "--all", "--did-not-happen", "--give-up", "--reason", "x", "--yes")
    assert one.out.startswith("shop/mail:1: it happened"), one.err
    assert "done: 2 things" in both.out
    states = await kit.pool.fetch("select state from effect order by key")
    assert [each["state"] for each in states] == ["done", "failed", "failed"]
    assert len(await said(kit, "effect.settled.v1")) == 3
    wrong = await typed(kit, "unknown", "settle", "mail:1", "--happened", "--give-up", "--reason", "x")
    assert wrong.code == 2


async def test_a_gap_is_listed_shown_and_accepted(kit: Kit) -> None:
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4, 5)))
    item = f"shop/orders.log:/notifications:{order}"
    (listed,) = (await typed(kit, "held", "list", "--json")).document
    assert (listed["id"], listed["first"], listed["last"], listed["held"]) == (item, 2, 3, 2)
    shown = await typed(kit, "held", "show", item, "--json")
    assert [each["n"] for each in shown.document["records"]] == [4, 5]
    async with a_service(kit):
        answer = await typed(kit, "held", "accept-gap", item, "--reason", "the log was cut")
    assert answer.out == f"{item}: 2 given up; of what was held: 2 taken in\n", answer.err
    assert await inbox(kit, order) == ["01", "04", "05"]


async def test_a_parked_key_is_listed_shown_and_released(kit: Kit) -> None:
    order = an_order(id=uuid4())
    await kit.pool.execute(PARKED, str(order.id))
    await kit.say((event := story(order, "p")[0]).meta, [event])
    item = f"shop/orders.events:{order.id}"
    assert item in (await typed(kit, "parked", "list", "--topic", "orders.events")).out
    shown = await typed(kit, "parked", "show", item)
    assert "order.placed.v1" in shown.out
    assert "Öberg" not in shown.out
    async with a_service(kit):
        answer = await typed(kit, "parked", "release", item)
    assert answer.out == f"{item}: it is sent again: 1 in order\n", answer.err
    assert await kit.count("parked") == 0


async def test_quarantined_records_are_read_again(kit: Kit) -> None:
    order = str(uuid4())
    position, other = await quarantine(kit, b"not yet", b"never")
    await mend(kit, position, an_entry(order, 1))
    async with a_service(kit):
        one = await typed(kit, "quarantine", "re-ingest", f"shop/{position}")
        rest = await typed(kit, "quarantine", "re-ingest", "--topic", "orders.log", "--yes")
    assert (one.code, one.out) == (0, f"shop/{position}: it is taken in\n")
    assert rest.code == 1
    assert f"shop/{other}: refused: it stays: record: Invalid JSON" in rest.err
    assert await inbox(kit, order) == ["01"]


async def test_an_id_without_a_service_is_looked_for_in_all(kit: Kit, create_database: CreateDatabase) -> None:
    other = await create_database()
    connection = await asyncpg.connect(other)
    await migrate(connection, FOLDERS)
    await connection.execute(PARKED, "same")
    await connection.close()
    await kit.pool.execute(PARKED, "same")
    await kit.pool.execute(PARKED, "here")
    where = ("-d", f"a={kit.dsn}", "-d", f"b={other}")
    unclear = await ops("parked", "show", "orders.events:same", *where)
    assert unclear.code == 2
    assert "a/orders.events:same" in unclear.err
    assert "b/orders.events:same" in unclear.err
    assert (await ops("parked", "show", "b/orders.events:same", *where)).code == 0
    assert (await ops("parked", "show", "orders.events:here", *where)).code == 0
    assert (await ops("parked", "show", "b/orders.events:here", *where)).code == 1


async def test_status_names_the_command_for_each_thing_that_needs_a_person(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    await dead(kit, a_group(), story(an_order(id=uuid4()), "cc"), given_up=[0, 1])
    await kit.pool.execute(UNKNOWN, str(order.id))
    await kit.pool.execute(PARKED, str(order.id))
    await quarantine(kit, b"x")
    await take(kit, an_entry(str(order.id), 3), at=5)
    await kit.pool.execute(f"update held set at = at - {LONG_AGO}")
    await typed(kit, "dead", "retry", f"notifications:{position}", "--wait", "0")
    await kit.pool.execute(f"update repair set asked_at = asked_at - {LONG_AGO}")
    status = await typed(kit, "status")
    for command in (
        f"no such template: a***@example.org → ops dead retry shop/notifications:{position}, or dead skip",
        "2 messages that block nothing are dead in notifications → ops dead list --group notifications",
        "→ ops unknown settle shop/mail:1 --happened, or --did-not-happen",
        f"too large → ops parked release shop/orders.events:{order.id}",
        f"missing 1 to 2 → ops held accept-gap shop/orders.log:/notifications:{order.id}",
        "1 record not understood → ops quarantine list",
        "1 repair asked for and not done → ops repairs list --state asked",
    ):
        assert command in status.out, status.out
