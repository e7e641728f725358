"""One demo from its first step to its table; everything is seen from outside, as anybody may see it."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from aiokafka import AIOKafkaProducer

from deploy.local.demo.asked import Asked, TurnedAway
from deploy.local.demo.checkout import Checkout
from deploy.local.demo.follow import open_log
from deploy.local.demo.mails import Mailbox, check_mails
from deploy.local.demo.outcome import Outcome
from deploy.local.demo.papers import Papers
from deploy.local.demo.run import Run
from deploy.local.demo.screen import Screen
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.system import System, set_up
from deploy.local.demo.timelines import Timelines
from deploy.local.demo.work import Work
from deploy.local.stack import Stack
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.topics import MAX_RECORD_BYTES


@dataclass(frozen=True)
class Source:
    """What is to be shown: the shops, their orders, and what could not become one."""

    shops: Sequence[ShopSettings]
    asked: list[Asked]
    turned_away: list[TurnedAway]


async def show(
    stack: Stack, source: Source, screen: Screen, began: float, chaos: float = 0.0
) -> tuple[System, Outcome]:
    """Sets the system up, places the orders, follows them, and prints the table; `began` by the monotonic clock."""
    screen.say("Making databases and topics, starting the services and the sandboxes of payment, shipping and ERP …")
    system = await set_up(stack, source.shops, chaos)
    screen.say(f"Placing {len(source.asked):,} orders, half by HTTP and half on orders.commands …")
    async with (
        httpx2.AsyncClient(base_url=system.orders_url, timeout=30.0, trust_env=False) as http,
        httpx2.AsyncClient(base_url=system.mailbox_url, timeout=30.0, trust_env=False) as mailbox_http,
        httpx2.AsyncClient(base_url=system.documents_url, timeout=30.0, trust_env=False) as documents_http,
        httpx2.AsyncClient(base_url=system.sandboxes["payment"], timeout=10.0, trust_env=False) as pay_http,
        _producer(system.kafka) as producer,
        open_log(system.kafka) as log,
    ):
        mailbox = Mailbox(mailbox_http)
        last_mail = await mailbox.last_number()
        front = ShopFront(http, producer, system.tokens)
        checkout = Checkout(pay_http, source.shops, system.payment_keys)
        run = Run(front, checkout, log, screen, stack.check)
        await run.tell(source.asked)
        screen.say("Asking every accepted order's timeline for its confirmation …")
        await run.compare(Timelines(front))
        screen.say("Handling every accepted order as its shop does: ERP, shipment, sending, capture, refunds …")
        await run.work(Work(front))
        screen.say("Printing every accepted order's delivery note …")
        await run.print_notes(Papers(front, documents_http, system.document_tokens))
        mails = check_mails(run.stories, await mailbox.message_ids(after=last_mail))
        outcome = Outcome(run.stories, source.turned_away, mails, log.seconds, time.monotonic() - began)
    screen.console.print(outcome.table())
    for complaint in outcome.complaints():
        screen.say(f"  ! {complaint}")
    return system, outcome


@asynccontextmanager
async def _producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka,
        client_id="shop-front",
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        max_request_size=2 * MAX_RECORD_BYTES,
    ) as producer:
        yield producer
