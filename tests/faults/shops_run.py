"""One run over all services: a shop sells, sends and prints while half of all answers are lost and processes die."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from deploy.local.demo.asked import Asked
from deploy.local.demo.checkout import Checkout
from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import State, Story
from deploy.local.demo.work import Work
from tests.builders import a_customer, a_line, a_shop, an_order, to_place
from tests.faults.chaos import Chaos
from tests.faults.deeds import Ground
from tests.faults.plan import kills
from tests.faults.settled import settled
from tests.faults.shops_judged import Handled, Judgement, judge, overtaken
from tests.faults.shops_world import LAYOUT, SHOP, ShopsWorld
from tests.faults.trouble import Trouble
from tests.unit.test_demo_shop_front import KeptRecords

SHARES = {"lost": 0.5, "error_before": 0.03, "error_after": 0.05, "busy": 0.03, "slow": 0.04, "seconds": 0.5,
          "webhook_doubled": 0.2, "webhook_seconds": 1.0}  # fmt: skip
"""Of the companies' answers half are lost, and the rest is no better."""
EXPECTED = ("order-received", "authorize", "transfer", "book-shipment", "capture", "delivery-note")
AT_A_TIME = 50
PATIENCE = 240.0
TRIES = 60
"""How often a customer clicks."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ShopsReport:
    """What a run showed."""

    judgement: Judgement
    orders: int
    faults: Counter[str]
    settled_in: float
    took: float
    left: list[str] = field(default_factory=list)


async def run_shops(
    world: ShopsWorld, orders: int, kills_: int, seed: int, erp_closed_for: float, tell: Tell
) -> ShopsReport:
    """Places and handles so many orders while so many processes are killed, then waits, and judges."""
    began = time.monotonic()
    mails = Chaos(seed=seed, slow=0.03, busy=0.05, lost=0.02, seconds=0.5)
    await world.misbehave_all(mails, SHARES | {"seed": seed}, erp_closed_for)
    reopened_at = time.time() + erp_closed_for
    stories = [Story(asked, "http") for asked in some_orders(orders, seed)]
    trouble, done = Trouble(Ground(world)), itertools.count()
    watch = asyncio.create_task(trouble.start_again_who_ends())
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(trouble.carry_out(kills(LAYOUT, kills_, seed)))
            tasks.create_task(_kill_companies(world, seed, reopened_at))
            tasks.create_task(_handle_all(world, stories, lambda: tell(f"{next(done) + 1} of {orders} orders handled")))
        quiet = await settled(world, tell)
    finally:
        watch.cancel()
    tell("reading what was done and said")
    ledgers = await world.ledgers()
    judgement = judge([await _handled(world, story) for story in stories], ledgers, EXPECTED)
    stood_still = overtaken(ledgers, reopened_at)
    judgement.wrong += stood_still.wrong
    judgement.counts += stood_still.counts
    faults = Counter(f"{fault.what}: {fault.target.rstrip('-0123456789')}" for fault in world.journal.faults)
    left = [f"{one.service} {one.what} {one.subject} {one.words}" for one in quiet.left]
    return ShopsReport(judgement, orders, faults, quiet.seconds, time.monotonic() - began, left)


def some_orders(count: int, seed: int) -> list[Asked]:
    """Orders of one to four lines, each of another customer."""
    dice = random.Random(f"shops {seed}")
    made = []
    for number in range(count):
        lines = [a_line(line_id=str(n), quantity=dice.randint(1, 5)) for n in range(1, dice.randint(2, 5))]
        customer = a_customer(email=f"customer-{seed}-{number}@example.org")
        order = an_order(lines=lines, customer=customer, placed_at=datetime.now(UTC))
        made.append(Asked(SHOP, f"order {number}", to_place(order), 1))
    return made


async def _handle_all(world: ShopsWorld, stories: Sequence[Story], handled: Callable[[], None]) -> None:
    """As a shop does, some at a time, on whichever process of orders the order falls to."""
    waiting = iter(stories)
    urls = [world.fleet.url(member) for member in world.fleet.with_role("api", "orders")]
    pay = world.sandboxes["payment"]

    async def worker(number: int) -> None:
        async with httpx2.AsyncClient(base_url=urls[number % len(urls)], timeout=30.0) as http:
            front = ShopFront(http, KeptRecords(), {SHOP: world.token}, patience=PATIENCE)
            checkout = Checkout(pay.http, [a_shop()], {SHOP: pay.api_key}, tries=TRIES)
            for story in waiting:
                await _handle(story, front, checkout)
                handled()

    await asyncio.gather(*(worker(number) for number in range(AT_A_TIME)))


async def _handle(story: Story, front: ShopFront, checkout: Checkout) -> None:
    story.asked = await checkout.paid(story.asked)
    await front.place(story)
    if story.state is not State.ACCEPTED:
        raise NoAnswer(f"{story.asked.label}: {story.reason} {story.words}")
    await front.ask_for(story.asked, "delivery-note")
    await Work(front, PATIENCE).handle(story)


async def _kill_companies(world: ShopsWorld, seed: int, erp_opens_at: float) -> None:
    """Each company is killed once and starts again on what it has left; the ERP after it has opened."""
    dice = random.Random(f"companies {seed}")
    for vendor, sandbox in world.sandboxes.items():
        await asyncio.sleep(dice.uniform(2.0, 5.0) + (max(0.0, erp_opens_at - time.time()) if vendor == "erp" else 0.0))
        with world.journal.writing_down("kill", vendor):
            await sandbox.killed_and_started()
            await sandbox.misbehave(**SHARES, seed=seed)


async def _handled(world: ShopsWorld, story: Story) -> Handled:
    """What everybody can see of one order."""
    order_id = story.order_id
    headers = {"authorization": f"Bearer {world.token}"}
    url = f"{world.fleet.url(world.fleet.with_role('api', 'orders')[0])}/v1/orders/{order_id}"
    async with httpx2.AsyncClient(headers=headers, timeout=30.0) as http:
        order: dict[str, Any] = (await http.get(url)).raise_for_status().json()
        promises = (await http.get(f"{url}/promises")).raise_for_status().json()["promises"]
        log = await http.get(f"{url}/log", params={"type": "document.printed.v1"})
        printed = log.raise_for_status().json()["entries"]
    paid = order["paid"]
    mails = world.mails_to(order["customer"]["email"])
    payment = order["payment"]["reference"]
    return Handled(str(order_id), payment, paid["captured"], paid["refunded"], promises, len(printed), mails)
