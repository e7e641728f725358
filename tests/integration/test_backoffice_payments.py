"""Payments without an order in the back office: a person attaches one to its order, or closes it with a reason."""

import re
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from playwright.async_api import Browser, expect

from shared.contracts.order import OrderSnapshot, Payment
from tests.builders import a_customer, an_order
from tests.integration.test_backoffice_in_a_browser import faults, sideways
from tests.plugins.backoffice import Backoffice, csrf_in, window
from tests.plugins.sandboxes import Sandbox
from tests.plugins.waiting import eventually

HANDLER, VIEWER, ADMINISTRATOR = "handler@example.org", "viewer@example.org", "administrator@example.org"
SOON = 30_000


async def paid(
    backoffice: Backoffice, sandbox: Sandbox, amount: int = 17800, currency: str = "SEK", card: str = ""
) -> tuple[str, str]:
    """Somebody pays and no order comes: the payment's reference there, and its id here."""
    wanted = {"amount": amount, "currency": currency, "reference": f"cart-{uuid4().hex[:6]}"} | (
        {"card": card} if card else {}
    )
    answer = await sandbox.http.post("/v1/payments", json=wanted)
    reference = str(answer.json()["id"])
    async with backoffice.client(HANDLER) as http:

        async def there() -> str:
            listed = (await http.get("/payments")).text
            found = re.findall(rf'href="/payments/([0-9a-f-]+)">{reference}<', listed)
            assert found, listed
            return str(found[0])

        return reference, await eventually(there, timeout=30, waiting_for=f"payment {reference} to be seen")


async def unpaid(backoffice: Backoffice, **changes: Any) -> OrderSnapshot:
    """An order that names no payment, and that integrations knows of."""
    name = f"Q{uuid4().hex[:10]}"
    order = an_order(customer=a_customer(full_name=name, email=f"{name.lower()}@example.org"), **changes)
    assert (await backoffice.system.place(order)).is_success
    await backoffice.system.noted(order, "message.sent.v1")
    return order


def sent_with(page: httpx2.Response, **fields: str) -> dict[str, str]:
    """What a form of the page sends."""
    return {"csrf": csrf_in(page), "key": re.findall(r'name="key" value="([^"]+)"', page.text)[-1]} | fields


@pytest.fixture
async def sandbox(backoffice: Backoffice, payment_sandbox: Sandbox) -> Sandbox:
    """The payment provider of the shop."""
    await backoffice.system.connect(payment_sandbox)
    return payment_sandbox


@pytest.mark.requirement("R133")
async def test_a_payment_is_seen_and_attached_to_the_order_that_somebody_is_sure_of(
    backoffice: Backoffice, sandbox: Sandbox
) -> None:
    order = await unpaid(backoffice)
    reference, case = await paid(backoffice, sandbox, order.totals.to_pay.amount)
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        side = (await http.get("/orders")).text.partition('href="/payments"')[2].partition("</a>")[0]
        assert re.search(r'class="count">\d+<', side)
        page = await http.get(f"/payments/{case}")
        assert "There is money, and no order." in page.text
        assert re.search(
            r"The amount is authorized</strong>: SEK\s[\d.,]+ <span class=\"muted\">authorization", page.text
        )
        proposed = page.text.partition('id="found"')[2].partition("</ul>")[0]
        assert "same amount" in proposed, "orders of those days that nobody has paid are proposed"
        for q in (order.customer.full_name[:8], order.customer.email):
            found = await http.get(f"/payments/{case}", params={"q": q})
            assert f"?order={order.id}" in found.text, q
        number = (await http.get(f"/orders/{order.id}")).text.partition("<h1>Order ")[2].partition("<")[0].strip()
        by_number = await http.get(f"/payments/{case}", params={"q": number})
        assert f"?order={order.id}" in by_number.text
        sure = await http.get(f"/payments/{case}", params={"order": str(order.id)})
        assert "Is it this order?" in sure.text
        assert "The amounts differ" not in sure.text
        done = await http.post(
            f"/payments/{case}/attach", data=sent_with(sure, order_id=str(order.id)), follow_redirects=True
        )
        assert "The payment is attached to the order." in done.text
        assert "The handler" in done.text, "it says who"
        assert f'href="/orders/{order.id}">Order {number}' in done.text
        await backoffice.system.noted(order, "payment.unmatched.v1")
        assert reference not in (await http.get("/payments")).text
        assert reference in (await http.get("/payments?state=matched")).text


@pytest.mark.requirement("R133")
async def test_an_order_that_cannot_have_it_is_explained_before_and_after(
    backoffice: Backoffice, sandbox: Sandbox
) -> None:
    _, case = await paid(backoffice, sandbox, 12300)
    mine = await unpaid(backoffice, payment=Payment(method="card", name="Kort", reference=f"pay_{uuid4().hex[:8]}"))
    euros = await unpaid(backoffice, currency="EUR")
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        other = await http.get(f"/payments/{case}", params={"order": str(mine.id)})
        assert f"The order has another payment already, {mine.payment.reference}." in other.text
        assert "/attach" in other.text
        assert "Attach to order" not in other.text
        listed = await http.get(f"/payments/{case}", params={"q": euros.customer.full_name})
        assert "other currency, cannot be attached" in listed.text
        assert f"?order={euros.id}" not in listed.text
        foreign = await http.get(f"/payments/{case}", params={"order": str(euros.id)})
        assert "another currency than the payment" in foreign.text
        for order, reason in ((mine, "has another payment already"), (euros, "another currency than the payment")):
            page = await http.get(f"/payments/{case}")
            refused = await http.post(f"/payments/{case}/attach", data=sent_with(page, order_id=str(order.id)))
            assert (refused.status_code, reason in refused.text) == (409, True)
        page = await http.get(f"/payments/{case}")
        nowhere = await http.post(f"/payments/{case}/attach", data=sent_with(page, order_id=str(uuid4())))
        assert (nowhere.status_code, "There is no such order." in nowhere.text) == (422, True)
        nothing = await http.post(f"/payments/{case}/attach", data=sent_with(page))
        assert (nothing.status_code, "Choose an order first." in nothing.text) == (422, True)
        none = await http.get(f"/payments/{case}", params={"q": "nobody-is-called-this"})
        assert "the beginning of the name is enough" in none.text


@pytest.mark.requirement("R133")
async def test_it_is_closed_with_a_reason_and_the_second_of_two_people_is_told(
    backoffice: Backoffice, sandbox: Sandbox
) -> None:
    reference, case = await paid(backoffice, sandbox)
    english = {"accept-language": "en"}
    async with backoffice.client(HANDLER, **english) as one, backoffice.client(ADMINISTRATOR, **english) as other:
        page, late = await one.get(f"/payments/{case}"), await other.get(f"/payments/{case}")
        empty = await one.post(f"/payments/{case}/close", data=sent_with(page, reason=" "))
        assert (empty.status_code, "Write why." in empty.text) == (422, True)
        too_long = await one.post(f"/payments/{case}/close", data=sent_with(page, reason="x" * 300))
        assert (too_long.status_code, "x" * 300 in too_long.text) == (422, True), "what was typed stays"
        done = await one.post(
            f"/payments/{case}/close", data=sent_with(page, reason="Paid back by phone"), follow_redirects=True
        )
        assert "The payment is closed." in done.text
        second = await other.post(f"/payments/{case}/close", data=sent_with(late, reason="It was my test"))
        assert second.status_code == 409
        for said in ("Somebody was faster: the payment is closed already.", "The handler", "It was my test"):
            assert said in second.text
        assert "Paid back by phone" in (await other.get("/payments?state=closed")).text
        assert reference not in (await other.get("/payments")).text
        order = await unpaid(backoffice)
        sure = await other.get(f"/payments/{case}", params={"order": str(order.id)})
        attached = await other.post(f"/payments/{case}/attach", data=sent_with(sure, order_id=str(order.id)))
        assert attached.status_code == 303, "one that was closed can be attached all the same"
        rest = await unpaid(backoffice)
        late = await one.post(f"/payments/{case}/attach", data=sent_with(page, order_id=str(rest.id)))
        assert (late.status_code, "the payment is an order's already" in late.text) == (409, True)


@pytest.mark.requirement("R083")
async def test_a_viewer_sees_payments_and_settles_none(backoffice: Backoffice, sandbox: Sandbox) -> None:
    reference, case = await paid(backoffice, sandbox)
    async with backoffice.client(VIEWER, **{"accept-language": "en"}) as http:
        assert reference in (await http.get("/payments")).text
        page = await http.get(f"/payments/{case}")
        assert "The amount is authorized" in page.text
        assert "Attach to an order" not in page.text
        sent = {"csrf": csrf_in(page), "reason": "No", "order_id": str(uuid4())}
        for what in ("attach", "close"):
            assert (await http.post(f"/payments/{case}/{what}", data=sent)).status_code == 403
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        sent = {"csrf": "forged", "reason": "No"}
        assert (await http.post(f"/payments/{case}/close", data=sent)).status_code == 403
        missing = await http.get(f"/payments/{uuid4()}")
        assert (missing.status_code, "There is no such payment." in missing.text) == (404, True)
        assert (await http.get(f"/payments/{case}/close")).headers["location"] == f"/payments/{case}"


async def test_empty_lists_say_what_would_be_there(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        heard = await http.get("/payments?state=heard")
        assert "What was declined, voided or paid back" in heard.text
        assert (await http.get("/payments?state=nonsense")).status_code == 200


@pytest.mark.requirement("R133")
async def test_a_payment_finds_its_order_in_a_browser_with_keys_alone(
    browser: Browser, backoffice: Backoffice, sandbox: Sandbox
) -> None:
    order = await unpaid(backoffice)
    reference, case = await paid(backoffice, sandbox, order.totals.to_pay.amount)
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.locator("#side").get_by_role("link", name="Betalningar utan order").click()
        await expect(page.get_by_role("link", name=reference)).to_be_visible()
        assert await faults(page) == []
        await page.get_by_role("link", name=reference).click()
        assert await faults(page) == []
        await page.locator("#q").focus()
        await page.keyboard.type(order.customer.full_name)
        await expect(page.locator("#found li")).to_have_count(1, timeout=SOON)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#sure")).to_contain_text("Är det den här ordern?")
        assert await faults(page) == []
        await page.locator("#sure button").press("Enter")
        await expect(page.locator(".notice.good")).to_contain_text("kopplad till ordern", timeout=SOON)
        assert await faults(page) == []
        assert opened.complaints == []
    async with window(browser, backoffice, HANDLER, language="fi", width=390) as opened:
        for address in ("/payments", "/payments?state=matched", f"/payments/{case}"):
            await opened.page.goto(address)
            assert await faults(opened.page) == []
            assert await sideways(opened.page) == 0, address
