"""An order's page beside the world: connected systems, mails that fail, services that are away, hidden numbers."""

import re
from uuid import uuid4

import httpx2
import pytest
from playwright.async_api import Browser, expect

from shared.contracts.order import Payment
from tests.builders import a_customer, an_order, to_place
from tests.integration.test_backoffice_order_page import do, hidden, placed
from tests.plugins.backoffice import Backoffice, window
from tests.plugins.sandboxes import Sandbox
from tests.plugins.waiting import eventually

HANDLER, ADMINISTRATOR = "handler@example.org", "administrator@example.org"
NUMBER = "19850709-9805"
SOON = 30_000


@pytest.mark.requirement("R124", "R201", "R205")
async def test_a_mail_that_failed_is_the_first_thing_that_is_said_and_is_put_right(backoffice: Backoffice) -> None:
    order = an_order(customer=a_customer(email="refuse-550@example.org"))
    assert (await backoffice.system.place(order)).is_success
    (failed,) = await backoffice.system.noted(order, "message.failed.v1")
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}")
        for said in ("550 5.1.1", "Correct the address and send", f"?do=skip&amp;entry={failed['id']}", "Try again"):
            assert said in attention_of(page), said
        assert "550 5.1.1" in page.text.partition('<section id="messages"')[2]
        form = await http.get(f"/orders/{order.id}?do=skip&entry={failed['id']}")
        assert "It is not tried again" in form.text
        no = await do(http, form, "skip", entry=failed["id"], reason=" ")
        assert (no.status_code, "Write why." in no.text) == (422, True)
        right = await do(http, form, "fix-address-and-send", entry=failed["id"], email="right@example.org")
        assert "the address is corrected" in right.text
        await backoffice.system.noted(order, "message.sent.v1")
        after = await http.get(f"/orders/{order.id}")
        assert "550 5.1.1" not in attention_of(after)
        again = await do(http, after, "retry", entry=failed["id"])
        assert (again.status_code, "It has been put right" in again.text) == (409, True)
        nowhere = await http.get(f"/orders/{order.id}?do=skip&entry=none-of-ours")
        assert "<form" not in nowhere.text.partition('id="doing"')[2].partition('id="attention"')[0]

        async def nothing_is_open() -> bool:
            assert "<h2>" not in (said := attention_of(await http.get(f"/orders/{order.id}"))), said
            return True

        await eventually(nothing_is_open, waiting_for="the page to ask for nobody")
    async with backoffice.client("viewer@example.org") as http:
        assert "do=skip" not in (await http.get(f"/orders/{order.id}")).text


def attention_of(page: httpx2.Response) -> str:
    """What the page says first."""
    return page.text.partition('<section id="attention"')[2].partition("</section>")[0]


@pytest.mark.requirement("R205")
async def test_what_nobody_knows_of_is_settled_from_the_page(backoffice: Backoffice) -> None:
    order = an_order(customer=a_customer(email="hangup@example.org"))
    assert (await backoffice.system.place(order)).is_success
    (unknown,) = await backoffice.system.noted(order, "effect.unknown.v1")
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        form = await http.get(f"/orders/{order.id}?do=settle&entry={unknown['id']}")
        assert (await do(http, form, "settle", entry=unknown["id"])).status_code == 422
        done = await do(http, form, "settle", entry=unknown["id"], became="happened", reason="She has it.")
        assert "Done: it is settled" in done.text
        (settled,) = await backoffice.system.noted(order, "effect.settled.v1")
        assert (settled["data"]["happened"], settled["data"]["reason"]) == (True, "She has it.")
        assert settled["actor"].startswith("person/")


@pytest.mark.requirement("R011")
async def test_a_personal_number_is_masked_and_shown_to_whoever_may_and_says_why(backoffice: Backoffice) -> None:
    order = an_order()
    body = to_place(order).model_dump(mode="json") | {"personal_identity_number": NUMBER}
    async with backoffice.system.http(**{"idempotency-key": str(uuid4())}) as api:
        assert (await api.post("/v1/orders", json=body)).is_success
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}")
        assert "850709-****" in page.text
        assert "Show the whole number" not in page.text
        sent = hidden(page) | {"reason": "Asked by phone"}
        assert (await http.post(f"/orders/{order.id}/reveal", data=sent)).status_code == 403
    async with backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}")
        no = await http.post(f"/orders/{order.id}/reveal", data=hidden(page) | {"reason": " "})
        assert (no.status_code, "Write why." in no.text, "9805" in no.text) == (422, True, False)
        shown = await http.post(f"/orders/{order.id}/reveal", data=hidden(page) | {"reason": "Asked by phone"})
        assert NUMBER in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert NUMBER not in (await http.get(f"/orders/{order.id}")).text


async def test_the_page_stands_while_notifications_is_away(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    await backoffice.system.processes["notifications"].stop()
    try:
        async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
            page = await http.get(f"/orders/{order.id}")
            assert page.status_code == 200
            messages = page.text.partition('<section id="messages"')[2].partition("</section>")[0]
            assert "This is not available now." in messages
            assert (await do(http, page, "comment", text="Still at work.")).status_code == 200
    finally:
        await backoffice.system.start("notifications")


@pytest.mark.requirement("R072", "R075", "R115", "R116", "R117")
async def test_connected_systems_bring_their_own_actions(
    browser: Browser, backoffice: Backoffice, payment_sandbox: Sandbox, shipping_sandbox: Sandbox
) -> None:
    system = backoffice.system
    for sandbox in (payment_sandbox, shipping_sandbox):
        await system.connect(sandbox)
    order = an_order()
    wanted = {"amount": order.totals.incl_vat.amount, "currency": "SEK", "reference": str(order.id)}
    paid = (await payment_sandbox.http.post("/v1/payments", json=wanted)).json()
    order = order.model_copy(update={"payment": Payment(method="card", name="Kort", reference=paid["id"])})
    assert (await system.place(order)).is_success
    await system.noted(order, "payment.authorized.v1")
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.goto(f"/orders/{order.id}")
        await page.click(".cog > summary")
        menu = page.locator(".cog .menu-body")
        assert "sandbox" in await menu.inner_text()
        assert "affärssystemet" not in await menu.inner_text()
        await menu.get_by_role("link", name="Dra pengarna").click()
        await page.get_by_label("Belopp").fill("100,00")
        await page.locator("#doing").get_by_role("button", name="Dra pengarna").click()
        await expect(page.locator("#payment")).to_contain_text("Pengarna drogs: 100,00", timeout=SOON)
        await expect(page.locator("#states")).to_contain_text("Delvis betald", timeout=SOON)
        await page.click(".cog > summary")
        await expect(menu.get_by_role("link", name="Betala tillbaka")).to_be_visible(timeout=SOON)
        await page.goto(f"/orders/{order.id}?do=book-shipment")
        await page.locator("#doing").get_by_role("button", name="Boka frakt").click()
        await expect(page.locator("#delivery")).to_contain_text("Bokad", timeout=SOON)
        link = page.locator("#delivery .entries a")
        assert re.match(r"https?://", await link.get_attribute("href") or "")
        assert opened.complaints == []
    ledger = await payment_sandbox.ledger()
    assert "10000" in str(ledger)
