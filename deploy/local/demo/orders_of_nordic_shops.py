"""Orders as Nordic shop fronts send them; the same seed makes the same orders with the same ids."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from uuid import UUID

from deploy.local.demo.asked import Asked
from deploy.local.demo.nordic_people import Person, a_message, a_person, an_address, pick_up_point
from deploy.local.demo.nordic_shops import SHOPS, VAT, VAT_CLASSES, Article, NordicShop, Way
from shared.contracts.order import Customer, Delivery, OrderLine, Payment
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.values import Language

_WRONG_CLOCK = datetime(2062, 3, 1, 9, 30, tzinfo=UTC)
_WEIGHTS = (4, 3, 3, 2)
"""How many orders each of SHOPS gets, against the others."""


def nordic_orders(count: int, seed: int, today: date) -> list[Asked]:
    """`count` orders of the four shops; promised delivery dates count from `today`, nothing else depends on it.

    About one in thirty says that it was placed in 2062, as a shop front with a wrong clock would: it is to be refused.
    """
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    return [_order(random, f"{seed % 100_000:05}-{number:04}", today) for number in range(1, count + 1)]


@dataclass(frozen=True)
class _Cart:
    """What one customer is about to order."""

    shop: NordicShop
    language: Language
    country: str
    buyer: Person
    lines: list[OrderLine]

    @property
    def worth(self) -> int:
        return sum(line.quantity * line.unit_price - line.discount for line in self.lines)

    @property
    def highest_rate(self) -> Decimal:
        return max(line.vat_rate for line in self.lines)

    @property
    def is_carried(self) -> bool:
        return any(line.kind == "physical" for line in self.lines)


def _order(random: Random, reference: str, today: date) -> Asked:
    [shop] = random.choices(SHOPS, _WEIGHTS)
    language, country = random.choice(shop.customers)
    buyer = a_person(random, language, country, company=shop.to_companies)
    cart = _Cart(shop, language, country, buyer, list(_lines(random, shop, country)))
    delivery, payment = _delivery(random, cart, today), _payment(random, cart)
    order = PlaceOrder(
        order_id=UUID(int=random.getrandbits(128), version=4),
        placed_at=_WRONG_CLOCK if _one_in(random, 30) else None,
        language=language if language in shop.settings.languages else shop.settings.languages[0],
        currency=shop.settings.currency,
        prices_include_vat=shop.settings.prices_include_vat,
        customer=_customer(random, buyer),
        delivery_address=an_address(random, country, "Lagret", buyer.company) if _one_in(random, 5) else None,
        message=a_message(random, language) if _one_in(random, 4) else "",
        lines=cart.lines,
        delivery=delivery,
        payment=payment,
        total=_total(cart, delivery, payment),
        ip_address=f"192.0.2.{random.randint(1, 254)}" if _one_in(random, 2) else "",
        reference=reference,
    )
    return Asked(shop.settings.shop, f"{shop.settings.shop} {reference}", order)


def _lines(random: Random, shop: NordicShop, country: str) -> Iterator[OrderLine]:
    digital = [article for article in shop.articles if article.kind == "digital"]
    if digital and _one_in(random, 12):
        yield _line(random, 1, digital[0], shop, country)
        return
    articles = random.sample(shop.articles, random.choice((1, 1, 2, 2, 3, 4, 6)))
    for number, article in enumerate(articles, start=1):
        yield _line(random, number, article, shop, country)


def _line(random: Random, number: int, article: Article, shop: NordicShop, country: str) -> OrderLine:
    quantity = random.randint(1, article.most)
    per_cent = random.choice((10, 15, 25)) if _one_in(random, 6) else 0
    return OrderLine(
        line_id=str(number),
        article_number=article.number,
        name=article.name,
        kind=article.kind,
        quantity=quantity,
        unit_price=article.price,
        discount=quantity * article.price * per_cent // 100,
        vat_rate=VAT[country][article.tax],
        vat_class=VAT_CLASSES[article.tax] if shop.settings.vat_country else None,
        stock_location=article.shelf,
        weight_g=article.weight,
    )


def _customer(random: Random, buyer: Person) -> Customer:
    return Customer(
        full_name=buyer.full_name,
        company=buyer.company,
        email=buyer.email,
        phone=buyer.phone,
        customer_id=f"K{random.randint(1000, 9999)}" if _one_in(random, 2) else None,
        address=buyer.address,
    )


def _delivery(random: Random, cart: _Cart, today: date) -> Delivery:
    if not cart.is_carried:
        return Delivery(method="none", name=cart.shop.download, vat_rate=cart.highest_rate)
    way = random.choice(cart.shop.deliveries)
    return Delivery(
        method=way.method,
        name=way.name,
        price=0 if cart.worth >= cart.shop.free_delivery_from else way.price,
        vat_rate=cart.highest_rate,
        pick_up_point=pick_up_point(random, cart.country) if way.pick_up else "",
        promised_date=today + timedelta(days=random.randint(2, 6)) if _one_in(random, 3) else None,
    )


def _payment(random: Random, cart: _Cart) -> Payment:
    way: Way = random.choice(cart.shop.payments)
    return Payment(method=way.method, name=way.name, cost=way.price, vat_rate=VAT[cart.country]["standard"])


def _total(cart: _Cart, delivery: Delivery, payment: Payment) -> int:
    """What the checkout page showed; the shop for companies rounds VAT for each rate, and the sum to whole kronor."""
    if cart.shop.settings.prices_include_vat:
        return cart.worth + delivery.price + payment.cost
    amounts = [(line.quantity * line.unit_price - line.discount, line.vat_rate) for line in cart.lines]
    amounts += [(delivery.price, delivery.vat_rate), (payment.cost, payment.vat_rate)]
    by_rate = Counter[Decimal]()
    for amount, rate in amounts:
        by_rate[rate] += amount
    vat = sum(_half_up(amount * rate / 100) for rate, amount in by_rate.items())
    return _half_up(Decimal(by_rate.total() + vat) / 100) * 100


def _half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _one_in(random: Random, many: int) -> bool:
    return random.randrange(many) == 0
