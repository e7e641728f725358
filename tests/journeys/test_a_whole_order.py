"""From the shop front to the paid, shipped, printed, handed-over order, through all services, by HTTP and by topic."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot, Payment
from shared.contracts.order_commands import (
    BookShipment,
    OrderCommand,
    PrintDocument,
    ProcessOrder,
    RefundPayment,
    TransferOrder,
)
from shared.contracts.values import Language
from tests.builders import a_customer, a_line, an_address, an_order, stamped, to_place
from tests.journeys.test_one_order_one_mail import send
from tests.plugins.sandboxes import Sandbox
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)
VAT = {"SE": Decimal(12), "FI": Decimal("13.5")}


@pytest.fixture
async def shop(
    running_system: System, payment_sandbox: Sandbox, shipping_sandbox: Sandbox, erp_sandbox: Sandbox
) -> "Shop":
    """A new shop with all three connected, whose money is taken when it ships."""
    name = f"shop-{uuid4().hex[:8]}"
    await running_system.open_a_shop(shop=name)
    for sandbox in (payment_sandbox, shipping_sandbox, erp_sandbox):
        await running_system.connect(sandbox, shop=name, capture="when-shipped")
    return Shop(running_system, name, payment_sandbox, shipping_sandbox, erp_sandbox)


class Shop:
    """A shop at work: its checkout, and what it asks of an order."""

    def __init__(self, system: System, name: str, pay: Sandbox, post: Sandbox, erp: Sandbox) -> None:
        self.system, self.name, self.pay, self.post, self.erp = system, name, pay, post, erp

    async def checkout(self, language: Language = "sv", *, country: str = "SE", **payment: Any) -> OrderSnapshot:
        """An order, not placed yet, whose customer has paid."""
        address = an_address(country=country, postal_code="00100" if country == "FI" else "118 20")
        customer = a_customer(email=f"{uuid4().hex}@kund.example", address=address)
        order = an_order(
            shop=self.name,
            language=language,
            customer=customer,
            lines=[a_line(line_id="1", quantity=2, vat_rate=VAT[country])],
        )
        wanted = {"amount": order.totals.to_pay.amount, "currency": "SEK", "reference": str(order.id)} | payment
        paid = (await self.pay.http.post("/v1/payments", json=wanted)).json()
        reference = Payment(method="card", name="Kort", reference=paid["id"])
        return order.model_copy(update={"payment": reference})

    async def ask(self, order: OrderSnapshot, what: str, **body: Any) -> Any:
        """A command by HTTP."""
        async with self.system.http(**{"idempotency-key": new_id()}) as http:
            answer = await http.post(f"/v1/orders/{order.id}/{what}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def now(self, order: OrderSnapshot) -> dict[str, Any]:
        """The order as anybody reads it."""
        async with self.system.http() as http:
            return dict((await http.get(f"/v1/orders/{order.id}")).json())

    async def becomes(self, order: OrderSnapshot, **wanted: Any) -> dict[str, Any]:
        """Waits until the order reads so."""

        async def so() -> dict[str, Any]:
            now = await self.now(order)
            found = {name: now[name] for name in wanted}
            assert found == wanted
            return now

        return dict(await eventually(so, waiting_for=f"{wanted} of order {order.id}"))


@pytest.mark.requirement("R072", "R103", "R109", "R110")
@pytest.mark.parametrize(("language", "country"), [("sv", "SE"), ("fi", "FI"), ("en", "SE")])
async def test_by_http_an_order_is_paid_shipped_printed_and_handed_over(
    shop: Shop, language: Language, country: str
) -> None:
    order = await shop.checkout(language, country=country, currency="SEK")
    total = order.totals.to_pay.amount
    assert (await shop.system.place(order)).status_code == 201
    await shop.becomes(order, payment_status="authorized")
    await shop.ask(order, "transfer")
    await shop.ask(order, "shipments")
    await shop.ask(order, "documents", document="delivery-note")
    await shop.ask(order, "process")
    now = await shop.becomes(order, payment_status="captured", goods="shipped", processing="processed")
    assert now["paid"] == {"authorized": total, "captured": total, "refunded": 0}
    (exported,) = await shop.system.noted(order, "erp.order-exported.v1")
    (booked,) = await shop.system.noted(order, "shipment.booked.v1")
    (printed,) = await shop.system.noted(order, "document.printed.v1")
    await shop.system.noted(order, "message.sent.v1")
    sources = {entry["source"] for entry in await shop.system.timeline(order)}
    assert {"/integrations/payment", "/integrations/shipping", "/integrations/erp", "/documents"} < sources
    (in_the_books,) = await shop.erp.ledger(did="created")
    assert (str(in_the_books["number"]), in_the_books["reference"]) == (exported["data"]["number"], str(order.id))
    assert printed["data"]["language"] == language
    for state in ("handed-over", "in-transit", "delivered"):
        await shop.post.advance(booked["data"]["shipment_id"])
        await eventually(lambda state=state: shipment_is(shop, order, state))  # type: ignore[misc]


async def shipment_is(shop: Shop, order: OrderSnapshot, state: str) -> bool:
    return [each["state"] for each in (await shop.now(order))["shipments"]] == [state]


async def test_by_topic_the_same_commands_do_the_same_and_part_of_the_money_goes_back(shop: Shop) -> None:
    order = await shop.checkout()
    await send(shop.system, to_place(order))
    await shop.system.noted(order, "payment.authorized.v1")
    wanted: list[OrderCommand] = [
        TransferOrder(order_id=order.id),
        BookShipment(order_id=order.id),
        PrintDocument(order_id=order.id, document="pick-list"),
        ProcessOrder(order_id=order.id),
    ]
    commands = [stamped(each, shop=shop.name, source="/shop-front") for each in wanted]
    await send(shop.system, *commands, *commands)
    await shop.becomes(order, payment_status="captured")
    refund = RefundPayment(order_id=order.id, amount=1000, reason="One package was damaged.")
    back = stamped(refund, shop=shop.name, source="/shop-front")
    await send(shop.system, back, back)
    now = await shop.becomes(order, payment_status="partly-refunded")
    assert now["paid"]["refunded"] == 1000
    for kind in ("erp.order-exported.v1", "shipment.booked.v1", "document.printed.v1", "payment.refunded.v1"):
        assert len(await shop.system.noted(order, kind)) == 1
    assert [entry["did"] for entry in await shop.pay.ledger()] == ["authorized", "captured", "refunded"]


async def test_a_declined_payment_is_shown_and_nothing_is_captured(shop: Shop) -> None:
    order = await shop.checkout(outcome="declined")
    await shop.system.place(order)
    await shop.becomes(order, payment_status="declined")
    await shop.ask(order, "process")
    now = await shop.becomes(order, goods="shipped")
    assert now["payment_status"] == "declined"
    assert not await shop.pay.ledger(did="captured")


async def test_a_capture_that_the_bank_refuses_is_shown_and_may_be_tried_again(shop: Shop) -> None:
    order = await shop.checkout(outcome="capture_declined")
    await shop.system.place(order)
    await shop.becomes(order, payment_status="authorized")
    await shop.ask(order, "capture")
    (no,) = await shop.system.noted(order, "payment.declined.v1")
    assert (no["data"]["action"], no["data"]["reason"]) == ("capture", "insufficient-funds")
    await shop.ask(order, "capture")
    await shop.system.noted(order, "payment.declined.v1", count=2)


async def test_a_refund_that_fails_later_is_told_by_the_providers_webhook(shop: Shop) -> None:
    order = await shop.checkout(outcome="refund_failed")
    await shop.system.place(order)
    await shop.becomes(order, payment_status="authorized")
    await shop.ask(order, "capture")
    await shop.becomes(order, payment_status="captured")
    await shop.ask(order, "refund")
    (pending,) = await eventually(lambda: shop.pay.ledger(did="refunded"))
    await shop.pay.advance(pending["transaction"]["id"])
    (no,) = await shop.system.noted(order, "payment.declined.v1")
    assert no["data"]["action"] == "refund"
    assert (await shop.now(order))["payment_status"] == "captured"


async def test_a_carrier_that_is_away_for_a_while_holds_up_neither_payment_nor_erp(shop: Shop) -> None:
    order = await shop.checkout()
    await shop.system.place(order)
    await shop.becomes(order, payment_status="authorized")
    await shop.post.misbehave(closed_for=600)
    await asyncio.gather(shop.ask(order, "shipments"), shop.ask(order, "transfer"), shop.ask(order, "process"))
    await shop.becomes(order, payment_status="captured")
    await shop.system.noted(order, "erp.order-exported.v1")
    assert not (await shop.now(order))["shipments"]
    await shop.post.misbehave()
    await shop.system.noted(order, "shipment.booked.v1", within=90)
    assert len(await shop.post.ledger(did="booked")) == 1


async def test_an_order_that_the_erp_refuses_is_shown_and_can_be_transferred_again(shop: Shop) -> None:
    await shop.erp.misbehave(refused_articles=["TEA-100"])
    order = await shop.checkout()
    await shop.system.place(order)
    await shop.ask(order, "transfer")
    (no,) = await shop.system.noted(order, "erp.failed.v1")
    assert (no["data"]["reason"], no["outcome"]) == ("article-refused", "failed")
    await shop.erp.misbehave()
    await shop.ask(order, "transfer")
    await shop.system.noted(order, "erp.order-exported.v1")


async def test_answers_that_are_lost_move_money_and_parcels_once(shop: Shop) -> None:
    order = await shop.checkout()
    await shop.system.place(order)
    await shop.becomes(order, payment_status="authorized")
    for sandbox in (shop.pay, shop.post, shop.erp):
        await sandbox.misbehave(next=["lost", "error-after"])
    await asyncio.gather(shop.ask(order, "shipments"), shop.ask(order, "transfer"), shop.ask(order, "process"))
    await shop.becomes(order, payment_status="captured")
    await shop.system.noted(order, "shipment.booked.v1", within=60)
    await shop.system.noted(order, "erp.order-exported.v1", within=60)
    assert len(await shop.pay.ledger(did="captured")) == 1
    assert len(await shop.post.ledger(did="booked")) == 1
    assert len(await shop.erp.ledger(did="created")) == 1


async def test_money_taken_on_the_providers_own_page_is_seen_on_the_order(shop: Shop) -> None:
    order = await shop.checkout()
    await shop.system.place(order)
    await shop.becomes(order, payment_status="authorized")
    path = f"/v1/payments/{order.payment.reference}/captures"
    await shop.pay.http.post(path, json={"amount": 1000}, headers={"Idempotency-Key": "by hand"})
    now = await shop.becomes(order, payment_status="partly-captured")
    assert now["paid"]["captured"] == 1000
