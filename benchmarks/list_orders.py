"""Orders in the likeness of real ones, in any number: what a chunk holds depends on its number alone.

The patterns of a chunk are made by the domain: placed, then handled as far as orders of that age are. Each is used some
fifty times, under an id, a number, a time and a customer of its own. The lines are drawn from the real ones;
without their files, from articles that are ordered as unevenly, as many to an order (`MADE_UP_LINES`).
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from benchmarks.list_stories import handled, story_of
from deploy.local.demo.asked import Asked
from deploy.local.demo.orders_from_csv import orders_in
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from shared.contracts.message import Meta, new_id
from shared.contracts.order import Customer, Delivery, OrderLine, OrderSnapshot, Payment
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.shop_facts import Folder, ShopConnections, ShopSettings
from tests.builders import a_shop

CHUNKS = 100
USED = 50
"""How many orders are made after one pattern."""
BEGAN = timedelta(days=3 * 365)
"""So long ago the shops opened; since then orders come evenly."""
SHARES = {
    "big": 0.70,
    "second": 0.12,
    "third": 0.08,
    "fourth": 0.06,
    "fifth": 0.03,
    "sixth": 0.008,
    "smallest": 0.002,
}
FOLDERS = {"to-pack": "Att packa", "wholesale": "Grossist", "archive": "Arkiv", "disputes": "Tvister"}
LATER = {"later": "Senare"}
MADE_UP_LINES = ((0.0, 1), (0.1, 2), (0.25, 5), (0.5, 13), (0.75, 25), (0.9, 50), (0.95, 67), (0.99, 219), (1.0, 400))
"""Quantiles of how many lines an order has, as in the real files; a few there have more than a thousand."""
ONLY_HERE = 0.02
"""The part of the lines whose article is hardly ever ordered: made to measure."""
SYLLABLES = "ber dal ek fors gren ha jo kvist la lin ma mäk nen ny quist rin sjö sten ström tuo vaa vik ylä öst".split()
GIVEN = "Åsa Björn Maria Anna Erik Päivi Väinö Aino Mikko Olga Karin Lars Siobhán Oliver Priya Zoë Kwame Märta".split()
WORDS = "white red heart holder lantern set of box tea cake vintage paper chain kit bag jumbo retro spot metal".split()
DOMAINS = ("gmail.example", "posti.example", "telia.example", "home.example")
Row = tuple[UUID, str, int, int, datetime, datetime, str, str]
COLUMNS = ("id", "shop", "number", "version", "placed_at", "accepted_at", "body", "payments")


@dataclass(frozen=True)
class Pattern:
    """An order as the domain made it; `rest` is what all orders made after it have in common."""

    shop: str
    snapshot: OrderSnapshot
    rest: str
    payments: str


def settings() -> list[ShopSettings]:
    """The shops; the big one has folders of its own."""
    return [_shop(name).settings for name in SHARES]


@cache
def _shop(name: str) -> Shop:
    folders = [Folder(id=each, name=words) for each, words in (FOLDERS if name == "big" else LATER).items()]
    made = a_shop(shop=name, name=name.title(), folders=folders)
    return Shop(made, ShopConnections(shop=name))


@cache
def _carts(data: Path | None) -> tuple[list[int], list[OrderLine]]:
    """How many lines orders have, and lines that they have."""
    if data is None:
        return _made_up_carts(Random(7))
    asked = [each.order for each in orders_in(data) if isinstance(each, Asked)]
    return [min(len(order.lines), 400) for order in asked], [line for order in asked for line in order.lines]


def _made_up_carts(random: Random) -> tuple[list[int], list[OrderLine]]:
    lines = []
    for _ in range(13_000):
        article = int(2_600 * random.random() ** 2.5)
        name = " ".join(Random(article).choices(WORDS, k=4)).upper()
        price = Random(article).randint(30, 3_000)
        lines.append(_line(OrderLine, f"{20_000 + article}", name, random.choice((1, 2, 6, 12, 24)), price))
    return [_count_of(random.random()) for _ in range(500)], lines


def _count_of(part: float) -> int:
    for (low, least), (high, most) in pairwise(MADE_UP_LINES):
        if part <= high:
            return round(least + (most - least) * (part - low) / (high - low))
    return 1


def _line(kind: type[OrderLine], article: str, name: str, quantity: int, price: int) -> OrderLine:
    return kind(
        line_id="1", article_number=article, name=name, quantity=quantity, unit_price=price, vat_rate=Decimal(20)
    )


def rows_of(chunk: int, total: int, data: Path | None, now: datetime) -> list[Row]:
    """The orders of a chunk as rows of `COLUMNS`, the oldest first."""
    random = Random(f"{total}/{chunk}")
    numbers = range(chunk * total // CHUNKS, (chunk + 1) * total // CHUNKS)
    age = 1 - (chunk + 0.5) / CHUNKS
    patterns = defaultdict[str, list[Pattern]](list)
    for shop in [*SHARES, *random.choices(list(SHARES), list(SHARES.values()), k=len(numbers) // USED)]:
        patterns[shop].append(_pattern(random, shop, age, data))
    shops = random.choices(list(SHARES), list(SHARES.values()), k=len(numbers))
    return [
        _row(random, random.choice(patterns[shop]), 1 + n, now - BEGAN + BEGAN * (n / total))
        for n, shop in zip(numbers, shops, strict=True)
    ]


def _pattern(random: Random, shop: str, age: float, data: Path | None) -> Pattern:
    settings = _shop(shop)
    command = _command(random, shop, data)
    at = datetime(2020, 1, 1, tzinfo=UTC)
    (event,) = Order.place(command, settings.settings, 1, at=at)
    placed = event.order
    order = Order(placed, placed, moment=at + timedelta(days=1))
    order = handled(order, story_of(random, age), settings, random)
    rest = order.now.model_dump_json(exclude={"id", "shop", "number", "placed_at", "changed_at", "customer"})
    steps = {key: {"kind": s.kind, "amount": s.amount, "state": s.state} for key, s in order.payments.steps.items()}
    return Pattern(shop, order.now, rest[1:], json.dumps(steps))


def _command(random: Random, shop: str, data: Path | None) -> PlaceOrder:
    counts, lines = _carts(data)
    chosen = random.choices(lines, k=random.choice(counts))
    at = datetime(2020, 1, 1, tzinfo=UTC)
    command = PlaceOrder(
        order_id=UUID(int=random.getrandbits(128), version=4),
        placed_at=at,
        language="sv",
        currency="EUR" if random.random() < 0.1 else "SEK",
        prices_include_vat=False,
        customer=Customer.model_validate(_customer(random, shop)),
        lines=[_line_of(random, line, n, shop) for n, line in enumerate(chosen, 1)],
        delivery=Delivery(method="parcel", name="PostNord ombud", price=4900),
        payment=Payment(method="card", name="Kort", reference="p-1"),
        message="Ring gärna innan leverans." if random.random() < 0.08 else "",
        total=1 if random.random() < 0.01 else None,
        reference=f"cart-{random.getrandbits(32)}",
    )
    meta = Meta(new_id(), source="/http", subject=str(command.order_id), shop=shop, actor="shop-front", time=at)
    return command.stamped(meta)


def _line_of(random: Random, line: OrderLine, n: int, shop: str) -> OrderLine:
    changes = {"line_id": str(n)}
    if random.random() < ONLY_HERE:
        changes["article_number"] = f"{line.article_number}-{random.randrange(100_000)}"
    elif shop != "big":
        changes["article_number"] = f"{shop}-{line.article_number}"
    return line.model_copy(update=changes)


def _customer(random: Random, shop: str) -> dict[str, Any]:
    """Some come again and again: a hundredth of them have a fifth of the orders; one in eleven is a guest."""
    rank = int(200_000 * SHARES[shop] * random.random() ** 3)
    of_rank = Random(rank * 7919)
    given = of_rank.choice(GIVEN)
    family = "".join(of_rank.choices(SYLLABLES, k=3)).title()
    return {
        "full_name": f"{given} {family}",
        "company": f"{family} AB" if of_rank.random() < 0.1 else "",
        "email": f"{given}.{family}{rank}@{of_rank.choice(DOMAINS)}".lower(),
        "phone": f"+46 70 {of_rank.randrange(10**7)}",
        "customer_id": f"C-{rank}" if of_rank.random() < 10 / 11 else None,
        "address": {
            "street": "Storgatan 1",
            "postal_code": "111 22",
            "city": "Stockholm",
            "country": _country(of_rank),
        },
    }


def _country(random: Random) -> str:
    return random.choices(("SE", "FI", "NO", "DE", "EE"), (80, 12, 4, 3, 1))[0]


def _row(random: Random, pattern: Pattern, number: int, placed_at: datetime) -> Row:
    """The pattern as an order of its own."""
    order_id = UUID(int=random.getrandbits(128), version=4)
    changed_at = None if pattern.snapshot.changed_at is None else placed_at + timedelta(days=3 * random.random())
    head = {
        "id": str(order_id),
        "shop": pattern.shop,
        "number": number,
        "placed_at": placed_at.isoformat(),
        "changed_at": changed_at.isoformat() if changed_at else None,
        "customer": _customer(random, pattern.shop),
    }
    body = f"{json.dumps(head, ensure_ascii=False)[:-1]},{pattern.rest}"
    version = pattern.snapshot.version
    return (order_id, pattern.shop, number, version, placed_at, placed_at, body, pattern.payments)
