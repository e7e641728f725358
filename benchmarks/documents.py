"""Documents from their request to the archive, beside a Typst compiler that sets the same pages in one warm process.

Every document is another: Typst remembers what it has set before, and would only look it up.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer

from benchmarks.orders import shop_front_producer
from benchmarks.rounds import PATIENCE, REFERENCE, progress
from benchmarks.rows import Row, Target
from benchmarks.used import cpu_seconds
from benchmarks.world import World
from services.documents.press import Press
from services.documents.typesetting import TEMPLATES, PrintRequest, Typesetting
from shared.contracts.files import DocumentKind
from shared.contracts.message import Message, record_headers, write_record
from shared.contracts.order_events import DocumentRequested
from tests.builders import a_customer, a_line, a_shop, an_order, stamped

KIND: DocumentKind = "delivery-note"
SIZES: Mapping[int, int] = {5: 250, 1_114: 8}
"""How many documents of so many lines; a press is replaced after 300, and has no memory left after ten large ones."""
ROUNDS = 3
KEPT = "select count(*) from document where order_id = any($1::uuid[])"
LOOK_EVERY = 0.01


@dataclass
class Speed:
    """Documents per second in each round: by the clock, and of CPU."""

    by_clock: list[float] = field(default_factory=list)
    per_core: list[float] = field(default_factory=list)

    def add(self, documents: int, seconds: float, used: float) -> None:
        """One round."""
        self.by_clock.append(documents / seconds)
        self.per_core.append(documents / used)


Contender = Callable[[Sequence[DocumentRequested]], Awaitable[tuple[float, float]]]
"""Makes all these documents, the first to warm up: seconds by the clock and of CPU that the others took."""


async def measure(world: World) -> list[Row]:
    """Documents per second, of one core and by the clock, of orders as they are usually and of the largest."""
    async with _service(world) as service, _bare(world) as bare:
        contenders = {REFERENCE: bare, "press alone": _press, "service": service}
        return [row for lines in SIZES for row in await _measured(world, contenders, lines)]


async def _measured(world: World, contenders: Mapping[str, Contender], lines: int) -> list[Row]:
    documents = world.size(SIZES[lines])
    speeds = {name: Speed() for name in contenders}
    for number in [1] if world.quick else range(ROUNDS + 1):
        for name, contender in contenders.items():
            progress(f"  {lines:,} lines: {f'round {number} of {ROUNDS}' if number else 'warm-up'}: {name} …")
            measured = await contender([_requested(lines) for _ in range(documents + 1)])
            if number:
                speeds[name].add(documents, *measured)
    progress("")
    bare, press, service = speeds.values()
    what = f"documents: {KIND} of {lines:,} lines"
    note = (
        "event on the topic → set, kept as a file, in the archive; one press; per core: of CPU, in the service and "
        "its press; reference: the compiler with the same template, data and standards"
    )
    return [
        Row(f"{what}, per core", "/s", service.per_core, bare.per_core, Target(least_ratio=0.5), note),
        Row(f"{what}, by the clock", "/s", service.by_clock, bare.by_clock),
        Row(f"{what}, the press alone, per core", "/s", press.per_core, bare.per_core),
    ]


_numbers = count(1)


def _requested(lines: int) -> DocumentRequested:
    """A document of an order that nobody has had before: no number, no customer and no line is one of another's."""
    number = next(_numbers)
    customer = a_customer(full_name=f"Åsa Öberg {number}")
    goods = [a_line(line_id=str(n), name=f"Sencha {number}-{n}, 100 g", quantity=1 + n % 7) for n in range(lines)]
    order = an_order(id=uuid4(), number=number, customer=customer, lines=goods)
    return stamped(DocumentRequested(order=order, document=KIND, language=order.language))


def _request(event: DocumentRequested) -> PrintRequest:
    return PrintRequest(
        document=event.document, language=event.language, at=event.meta.time, order=event.order, shop=a_shop()
    )


@asynccontextmanager
async def _bare(world: World) -> AsyncIterator[Contender]:
    typesetting = Typesetting()
    with TemporaryDirectory(dir=world.folder) as folder:
        data = Path(folder) / "data"

        async def make(events: Sequence[DocumentRequested]) -> tuple[float, float]:
            await asyncio.to_thread(data.write_text, "\n".join(_data(typesetting, event) for event in events))
            page = TEMPLATES / KIND / "page.typ"
            words = [sys.executable, "-m", "benchmarks.bare_typst", str(page), str(TEMPLATES), str(data)]
            child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
            said, _ = await child.communicate()
            seconds, used = said.split()
            return float(seconds), float(used)

        yield make


def _data(typesetting: Typesetting, event: DocumentRequested) -> str:
    return json.dumps(typesetting.given(_request(event)))


async def _press(events: Sequence[DocumentRequested]) -> tuple[float, float]:
    press, requests = Press(seconds=PATIENCE), [_request(event) for event in events]
    try:
        await press.print(requests[0])
        began, used = time.perf_counter(), _with_press()
        for request in requests[1:]:
            await press.print(request)
        return time.perf_counter() - began, _with_press() - used
    finally:
        await press.close()


def _with_press() -> float:
    """CPU seconds of this process, of the press that it has, and of those that were replaced."""
    presses = [child for child in psutil.Process().children() if "services.documents.print_worker" in child.cmdline()]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(cpu_seconds(press.pid) for press in presses)


@asynccontextmanager
async def _service(world: World) -> AsyncIterator[Contender]:
    with TemporaryDirectory(dir=world.folder) as folder:
        async with (
            world.database() as dsn,
            world.topics() as prefix,
            shop_front_producer(world.kafka) as producer,
        ):
            await _send(producer, prefix, stamped(a_shop()))
            async with (
                world.service("documents", dsn, prefix, STORE=folder) as documents,
                asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool,
            ):
                pid = documents.process.pid

                async def make(events: Sequence[DocumentRequested]) -> tuple[float, float]:
                    await _send(producer, prefix, events[0])
                    await _kept(pool, events[:1])
                    began, used = time.perf_counter(), cpu_seconds(pid)
                    await _send(producer, prefix, *events[1:])
                    await _kept(pool, events)
                    return time.perf_counter() - began, cpu_seconds(pid) - used

                yield make


async def _send(producer: AIOKafkaProducer, prefix: str, *messages: Message) -> None:
    """Puts the messages on their topics as their services do, and waits until Kafka has them."""
    answers = [
        await producer.send(
            prefix + message.topic.name,
            write_record(message, message.meta).encode(),
            key=message.subject.encode(),
            headers=[(name, value.encode()) for name, value in record_headers(message, message.meta).items()],
        )
        for message in messages
    ]
    await asyncio.gather(*answers)


async def _kept(pool: asyncpg.Pool, events: Sequence[DocumentRequested]) -> None:
    """Waits until all these are in the archive."""
    deadline, order_ids = time.monotonic() + PATIENCE, [event.order.id for event in events]
    while (kept := await pool.fetchval(KEPT, order_ids)) < len(events):
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {kept} of {len(events)} documents were kept within {PATIENCE:g} s")
        await asyncio.sleep(LOOK_EVERY)
