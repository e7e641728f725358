"""What went wrong with an order is put right on the order, by its shop, through real processes (R205)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import SettleEntry
from tests.builders import a_customer, an_order, stamped
from tests.journeys.test_one_order_one_mail import send
from tests.plugins.smtp_scripts import HANG_UP, ScriptedServer, scripted_smtp
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.requirement("R205")]
GIVE_UP = "update lane set failing_since = now() - interval '25 hours', due = now() where state = 'ready'"


@asynccontextmanager
async def with_a_mail_server(system: System, **script: str) -> AsyncIterator[ScriptedServer]:
    """Orders and notifications, running, and one shop, whose mail server says what its script says."""
    async with scripted_smtp(**script) as server:
        system.settings["NOTIFICATIONS_SMTP_PORT"] = str(server.port)
        await asyncio.gather(system.start("orders"), system.start("notifications"))
        await system.open_a_shop()
        await eventually(lambda: system.fact("notifications"), waiting_for="orders to know of the shop's messages")
        yield server
        await system.stop()


class Page:
    """An order's page, as its shop has it open."""

    def __init__(self, system: System, order: OrderSnapshot) -> None:
        self.system, self.order = system, order

    async def get(self, path: str) -> Any:
        async with self.system.http() as http:
            answer = await http.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def press(self, entry: dict[str, Any], action: str, **said: Any) -> None:
        """Presses what is offered at an entry."""
        (shown,) = [each for each in await self.system.timeline(self.order) if each["id"] == entry["id"]]
        assert action in [way["action"] for way in shown["repairs"]]
        async with self.system.http(**{"idempotency-key": new_id()}) as http:
            path = f"/v1/orders/{self.order.id}/{action}"
            answer = await http.post(path, json={"entry_id": entry["id"]} | said)
        assert answer.status_code == 202, answer.text

    async def until_it_needs_a_person(self) -> None:
        """By the list, its counts and the order itself."""
        await eventually(lambda: self._is_shown(open_things=True), waiting_for="the order to ask for a person")

    async def states(self) -> list[str]:
        """Of what is expected for the order, oldest first."""
        promises = await self.get(f"/v1/orders/{self.order.id}/promises")
        return [each["state"] for each in promises["promises"]]

    async def until_nothing_is_open(self) -> None:
        """By the same three."""
        await eventually(lambda: self._is_shown(open_things=False), waiting_for="nothing to be open")

    async def _is_shown(self, *, open_things: bool) -> bool:
        listed = (await self.get("/v1/orders?attention=true"))["orders"]
        count = (await self.get("/v1/orders/to-do"))["attention"]["count"]
        shown = (await self.get(f"/v1/orders/{self.order.id}"))["attention"]
        return {bool(listed), bool(count), bool(shown)} == {open_things}


async def placed(system: System, email: str = "asa.oberg@example.org") -> tuple[OrderSnapshot, Page]:
    order = an_order(id=uuid4(), customer=a_customer(email=email))
    assert (await system.place(order)).status_code == 201
    return order, Page(system, order)


async def test_an_address_that_is_refused_is_fixed_and_the_mail_arrives(system: System) -> None:
    async with with_a_mail_server(system) as server:
        server.refuses.add("wrong@example.org")
        order, page = await placed(system, "wrong@example.org")
        (failed,) = await system.noted(order, "message.failed.v1")
        await page.until_it_needs_a_person()

        await page.press(failed, "fix-address-and-send", email="right@example.org")

        await system.noted(order, "message.sent.v1")
        assert ["<right@example.org>" in line for line in server.heard if line.startswith("RCPT")] == [False, True]
        assert len(server.mails) == 1
        await page.until_nothing_is_open()
        assert (await page.states())[-1] == "done"
        assert (await page.get(f"/v1/orders/{order.id}/log/verify"))["intact"]


async def test_a_mail_of_which_nobody_knows_is_settled_on_the_topic_and_sent_once_more(system: System) -> None:
    async with with_a_mail_server(system, CONTENT=HANG_UP) as server:
        order, page = await placed(system)
        (unknown,) = await system.noted(order, "effect.unknown.v1")
        await page.until_it_needs_a_person()
        assert await page.states() == ["unknown"]
        lost = len(server.mails)

        server.script["CONTENT"] = "250 queued"
        wish = SettleEntry(order_id=order.id, entry_id=unknown["id"], happened=False, again=True, reason="she got none")
        command = stamped(wish, source="/warehouse", actor="maria", shop=order.shop)
        await send(system, command, command)

        (settled,) = await system.noted(order, "effect.settled.v1")
        assert (settled["actor"], settled["data"]["happened"]) == ("maria", False)
        await system.noted(order, "message.sent.v1")
        await page.until_nothing_is_open()
        assert await page.states() == ["done"]
        assert len(server.mails) == lost + 1
        again = command.stamped(stamped(wish, source="/warehouse").meta)
        await send(system, again)
        (refused,) = await system.noted(order, "command.rejected.v1")
        assert refused["data"]["reason"] == "already-repaired"


@pytest.mark.parametrize("action", ["retry", "skip"])
async def test_a_reaction_that_was_given_up_is_tried_again_or_skipped_and_the_lane_goes_on(
    system: System, action: str
) -> None:
    async with with_a_mail_server(system) as server:
        notifications = await asyncpg.connect(system.databases["notifications"])
        taken = "delete from fact where owner = 'orders' returning *"
        fact = await eventually(lambda: notifications.fetchrow(taken), waiting_for="the shop to be known")
        order, page = await placed(system)
        await ask_again(system, order)
        await eventually(lambda: is_failing(notifications, order), waiting_for="the lane to fail")
        await notifications.execute(GIVE_UP)
        (dead,) = await system.noted(order, "reaction.dead.v1")
        await page.until_it_needs_a_person()
        columns = ", ".join(f"${n}" for n in range(1, len(fact) + 1))
        await notifications.execute(f"insert into fact values ({columns})", *fact.values())
        await notifications.close()

        await page.press(dead, action, **({"reason": "she has changed her mind"} if action == "skip" else {}))

        (made,) = await system.noted(order, "repair.made.v1")
        assert (made["data"]["action"], made["data"]["entry_id"]) == (action, dead["id"])
        expected = 2 if action == "retry" else 1
        await system.noted(order, "message.sent.v1", count=expected)
        await page.until_nothing_is_open()
        assert await page.states() == (["done", "done"] if action == "retry" else ["failed", "done"])
        assert len(server.mails) == expected


async def ask_again(system: System, order: OrderSnapshot) -> None:
    """The same confirmation, asked for behind the first one."""
    async with system.http(**{"idempotency-key": new_id()}) as http:
        answer = await http.post(f"/v1/orders/{order.id}/confirmation", json={})
    assert answer.status_code == 202, answer.text


async def is_failing(notifications: asyncpg.Connection, order: OrderSnapshot) -> bool:
    """Whether the first of both messages has been tried, and waits with the other behind it."""
    lane = "select state = 'ready' and attempts > 0 from lane where \"group\" = 'notifications' and subject = $1"
    waiting = "select count(*) from inbox where \"group\" = 'notifications' and subject = $1"
    subject = str(order.id)
    return bool(await notifications.fetchval(lane, subject)) and await notifications.fetchval(waiting, subject) == 2
