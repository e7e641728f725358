"""What people look for in the list: each kind of filter, common and rare, in a large shop and in a small one."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, get_args

from benchmarks.list_orders import BEGAN
from services.orders.cursors import Sort
from shared.messaging.database import Connection

SAMPLE = "select tags from orders where shop = $1 order by id limit 6000"
NEWEST = "select max(placed_at) from orders"
BIG, SMALL = "big", "sixth"
Wish = Mapping[str, Any]


@dataclass(frozen=True)
class Shop:
    """What a shop's orders have: articles from the commonest to the rarest, and customers."""

    name: str
    articles: list[str]
    customers: list[str]
    emails: list[str]


@dataclass(frozen=True)
class Known:
    """What there is to look for."""

    newest: datetime
    total: int
    shops: Mapping[str, Shop]


@dataclass(frozen=True)
class Case:
    """One thing that is looked for, a little different each time; `wish` gives what is asked and of which shop."""

    name: str
    kind: str
    wish: Callable[[Random, Known], tuple[str, Wish]]
    sort: Sort = "-placed_at"


async def look_around(connection: Connection, total: int) -> Known:
    """What the shops have."""
    shops = {}
    for name in (BIG, SMALL):
        counted = Counter(tag for row in await connection.fetch(SAMPLE, name) for tag in row["tags"])
        of = {
            kind: [tag[2:] for tag, _ in counted.most_common() if tag.startswith(kind)] for kind in ("a:", "c:", "e:")
        }
        shops[name] = Shop(name, of["a:"], of["c:"], of["e:"])
    return Known(await connection.fetchval(NEWEST), total, shops)


def cases() -> list[Case]:
    """All of them."""
    found = [
        Case(f"{shop}: {name}", "page", _always(shop, **wish), sort)
        for shop in (BIG, SMALL)
        for sort in WAYS
        for name, wish in _FIXED.items()
    ]
    found += [
        Case(f"{shop}: {name}", "page", _of(shop, make)) for shop in (BIG, SMALL) for name, make in _VARIED.items()
    ]
    found += [Case(f"big: by {sort}", "page", _always(BIG), sort) for sort in SORTS]
    found += [
        Case(f"big: {name}, by {sort}", "sorted", _always(BIG, **_FIXED[name]), sort)
        for name in ("status received", "folder wholesale", "returned", "processed")
        for sort in SORTS
        if "placed_at" not in sort
    ]
    found += [
        Case(f"{shop}: words {words!r}", "search", _always(shop, q=words))
        for shop in (BIG, SMALL)
        for words in SEARCHES
    ]
    found += [
        Case(f"big: the words of a number or name {n}", "search", _of(BIG, make)) for n, make in enumerate(_WORDS)
    ]
    found.append(Case("big: words 'maria', status received", "search", _always(BIG, q="maria", status=["received"])))
    return found


SORTS: tuple[Sort, ...] = get_args(Sort)
WAYS: tuple[Sort, Sort] = ("-placed_at", "placed_at")
SEARCHES = ("white", "s", "ma", "maria", "maria ber", "white heart", "red box lantern", "gmail", "zzz", "zzz white")
_FIXED: dict[str, Wish] = {
    "all": {},
    "status received": {"status": ["received"]},
    "status delivered": {"status": ["delivered"]},
    "several statuses": {"status": ["received", "in-progress", "shipped"]},
    "line status returned": {"line_status": ["returned"]},
    "to pick": {"internal_status": ["to-pick"]},
    "folder root": {"folder": ["root"]},
    "folder to-pack": {"folder": ["to-pack"]},
    "folder wholesale": {"folder": ["wholesale"]},
    "folder disputes": {"folder": ["disputes"]},
    "unprocessed": {"processing": ["unprocessed"]},
    "partly": {"processing": ["partly"]},
    "processed": {"processing": ["processed"]},
    "captured": {"payment_status": ["captured"]},
    "declined": {"payment_status": ["declined"]},
    "returned": {"goods": ["returned"]},
    "attention": {"attention": True},
    "message": {"message": True},
    "cancelled": {"cancelled": True},
    "not cancelled": {"cancelled": False},
    "unprocessed, not cancelled": {"processing": ["unprocessed"], "cancelled": False},
    "message, returned": {"message": True, "goods": ["returned"]},
    "to-pack, delivered": {"folder": ["to-pack"], "status": ["delivered"]},
    "captured, archive, message": {"payment_status": ["captured"], "folder": ["archive"], "message": True},
    "no such status": {"status": ["no-such"]},
}


def _always(shop: str, **wish: Any) -> Callable[[Random, Known], tuple[str, Wish]]:
    return lambda _random, _known: (shop, wish)


def _of(shop: str, make: Callable[[Random, Known, Shop], Wish]) -> Callable[[Random, Known], tuple[str, Wish]]:
    return lambda random, known: (shop, make(random, known, known.shops[shop]))


def _days(random: Random, known: Known, days: int) -> Wish:
    begin = known.newest - BEGAN * random.random()
    return {"placed_from": begin, "placed_before": begin + timedelta(days=days)}


def _numbers(random: Random, known: Known) -> Wish:
    first = random.randrange(1, known.total)
    return {"number_from": first, "number_to": first + known.total // 100}


_VARIED: dict[str, Callable[[Random, Known, Shop], Wish]] = {
    "the commonest articles": lambda random, _, shop: {"article": [random.choice(shop.articles[:10])]},
    "usual articles": lambda random, _, shop: {"article": [random.choice(shop.articles[50:1000] or shop.articles)]},
    "rare articles": lambda random, _, shop: {"article": [random.choice(shop.articles[-500:])]},
    "three articles": lambda random, _, shop: {"article": random.sample(shop.articles[:1000], 3)},
    "the best customer": lambda _random, _known, shop: {"customer_id": [shop.customers[0]]},
    "customers": lambda random, _, shop: {"customer_id": [random.choice(shop.customers)]},
    "e-mail": lambda random, _, shop: {"email": [random.choice(shop.emails)]},
    "a day": lambda random, known, _: _days(random, known, 1),
    "a month": lambda random, known, _: _days(random, known, 30),
    "a month, returned": lambda random, known, _: {**_days(random, known, 30), "goods": ["returned"]},
    "a month, delivered": lambda random, known, _: {**_days(random, known, 30), "goods": ["delivered"]},
    "numbers": lambda random, known, _: _numbers(random, known),
}
_WORDS: tuple[Callable[[Random, Known, Shop], Wish], ...] = (
    lambda random, known, _: {"q": str(random.randrange(known.total // 10, known.total))},
    lambda random, _, shop: {"q": random.choice(shop.emails)},
    lambda random, _, shop: {"q": random.choice(shop.emails).split("@")[0].replace(".", " ")[:-2]},
)
