"""What others change is seen without a reload, in a real browser, and nothing that a person does is moved or lost."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from shared.contracts.order import OrderSnapshot
from tests.builders import a_customer, an_order
from tests.integration.test_backoffice_in_a_browser import ROWS, faults, sideways
from tests.plugins.backoffice import Backoffice, sign_in, window
from tests.plugins.ears import listening
from tests.plugins.waiting import eventually

HANDLER, VIEWER, ADMINISTRATOR = "handler@example.org", "viewer@example.org", "administrator@example.org"
SOON = 30_000
LISTENS = "#live[data-state=on]"


@pytest.fixture
async def orders(backoffice: Backoffice) -> list[OrderSnapshot]:
    """Three orders of a name that no other test has."""
    name = f"L{uuid4().hex[:12]}"
    made = [an_order(customer=a_customer(full_name=f"{name} {n}")) for n in range(3)]
    for order in made:
        await place(backoffice, order)
    return made


def name_of(orders: list[OrderSnapshot]) -> str:
    return orders[0].customer.full_name.partition(" ")[0]


async def place(backoffice: Backoffice, order: OrderSnapshot) -> None:
    assert (await backoffice.system.place(order)).is_success


ON_HOLD = {"status": "on-hold"}


async def change(
    backoffice: Backoffice, order: OrderSnapshot, path: str = "internal-status", said: dict[str, Any] = ON_HOLD
) -> None:
    """What somebody else does."""
    async with backoffice.system.http(**{"idempotency-key": str(uuid4())}) as http:
        answer = await http.post(f"/v1/orders/{order.id}/{path}", json=said)
        assert answer.is_success, answer.text


async def listening_to(page: Page, address: str) -> None:
    """Opens a page and waits until it hears what changes."""
    await page.goto(address)
    await page.locator(LISTENS).wait_for()


def row_of(page: Page, order: OrderSnapshot) -> Any:
    return page.locator(ROWS, has=page.locator(f"a[href='/orders/{order.id}']"))


async def test_a_changed_row_changes_where_it_stands(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, VIEWER) as opened:
        page = opened.page
        await listening_to(page, f"/orders?q={name_of(orders)}&internal_status=on-hold")
        await listening_to(page, f"/orders?q={name_of(orders)}&processing=unprocessed")
        before = await page.locator(f"{ROWS} th").all_inner_texts()
        await change(backoffice, orders[1])
        await expect(row_of(page, orders[1])).to_contain_text("Pausad", timeout=SOON)
        await change(backoffice, orders[1], "process", {})
        await expect(row_of(page, orders[1])).to_contain_text("Behandlad", timeout=SOON)
        assert await page.locator(f"{ROWS} th").all_inner_texts() == before
        assert opened.complaints == []


async def test_new_orders_are_told_of_and_come_when_they_are_wanted(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER, width=390) as opened:
        page = opened.page
        await listening_to(page, f"/orders?q={name_of(orders)}")
        top = await page.locator(ROWS).first.bounding_box()
        await place(backoffice, an_order())
        for n in (7, 8):
            await place(backoffice, an_order(customer=a_customer(full_name=f"{name_of(orders)} {n}")))
        told = page.locator("#new-orders")
        await expect(told).to_contain_text("2 nya order", timeout=SOON)
        assert await page.locator(ROWS).first.bounding_box() == top, "nothing has moved"
        assert (await sideways(page), await faults(page)) == (0, [])
        await told.get_by_role("link", name="Visa").click()
        await expect(page.locator(ROWS)).to_have_count(5, timeout=SOON)
        await expect(told).to_be_hidden()
        assert opened.complaints == []


async def test_what_was_chosen_and_where_the_keys_were_stays_when_a_row_changes(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await listening_to(page, f"/orders?q={name_of(orders)}")
        box = row_of(page, orders[0]).locator("input[name=order]")
        await box.check()
        shown = await box.input_value()
        await row_of(page, orders[2]).locator("th a").focus()
        await change(backoffice, orders[0])
        await change(backoffice, orders[2])
        for order in (orders[0], orders[2]):
            await expect(row_of(page, order)).to_contain_text("Pausad", timeout=SOON)
        assert await box.is_checked()
        assert await box.input_value() == shown, "what was chosen is the version that was seen"
        await expect(row_of(page, orders[2]).locator("th a")).to_be_focused()
        assert await page.locator("#how-many").inner_text() == "1 valda"


async def test_a_page_that_was_hidden_reads_again_what_it_shows(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await listening_to(page, f"/orders?q={name_of(orders)}")
        await seen(page, hidden=True)
        await change(backoffice, orders[1])
        assert "Pausad" not in await row_of(page, orders[1]).inner_text()
        await seen(page, hidden=False)
        await expect(row_of(page, orders[1])).to_contain_text("Pausad", timeout=SOON)


async def seen(page: Page, *, hidden: bool) -> None:
    """As if another window had been laid over it, or taken away."""
    await page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


async def test_an_orders_page_says_who_changed_it_and_shows_what_services_did(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    order = orders[0]
    await backoffice.system.noted(order, "message.sent.v1")
    async with (
        window(browser, backoffice, HANDLER) as first,
        window(browser, backoffice, ADMINISTRATOR) as second,
    ):
        mine, theirs = first.page, second.page
        await listening_to(mine, f"/orders/{order.id}")
        await listening_to(theirs, f"/orders/{order.id}")
        await mine.get_by_label("Ny internkommentar").fill("Halvskriven")
        await theirs.locator("#documents").get_by_role("button", name="Följesedel").click()
        await expect(theirs.locator("#documents a")).to_have_text("Följesedel", timeout=SOON)
        await theirs.get_by_label("Intern status").select_option(label="Pausad")
        await theirs.get_by_role("button", name="Ändra Intern status").click()
        await expect(mine.locator("#news")).to_contain_text("Ändrad av The administrator kl.", timeout=SOON)
        assert await mine.get_by_label("Ny internkommentar").input_value() == "Halvskriven"
        await expect(theirs.locator("#order > .notice.good")).to_contain_text("intern status är ändrad", timeout=SOON)
        await expect(theirs.locator("#news")).to_be_empty()
        assert (await sideways(mine), await faults(mine)) == (0, [])
        await mine.locator("#news").get_by_role("link", name="Ladda om").click()
        await expect(mine.get_by_label("Intern status")).to_have_value("on-hold", timeout=SOON)
        await expect(mine.locator("#news")).to_be_empty()
        assert first.complaints == second.complaints == []


async def test_what_services_do_is_shown_in_place_and_forms_go_on_from_there(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    order = orders[0]
    await backoffice.system.noted(order, "message.sent.v1")
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await listening_to(page, f"/orders/{order.id}")
        await page.locator("#documents").get_by_role("button", name="Plocklista").click()
        await expect(page.locator("#documents a")).to_have_text("Plocklista", timeout=SOON)
        await page.get_by_label("Ny internkommentar").fill("Packad.")
        await page.get_by_role("button", name="Lägg till").click()
        await expect(page.locator("#comments .entries")).to_contain_text("Packad.", timeout=SOON)
        await expect(page.locator("#news")).to_be_empty()


async def test_whoever_has_not_signed_in_hears_nothing_and_who_signs_out_no_more(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    await backoffice.add(email, {"nordic-tea": "viewer"})
    async with httpx2.AsyncClient(base_url=backoffice.url, timeout=30, trust_env=False) as http:
        for path in ("/changes", "/orders/live", f"/orders/{uuid4()}/news"):
            assert (await http.get(path)).status_code == 401
        await sign_in(http, email)
        async with listening(http, "/changes") as ear:
            await backoffice.ask("update session set ended_at = now() from person where email = $1", email)
            await eventually(lambda: ear.ended, timeout=40)


async def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    person = await backoffice.add(email, {"nordic-tea": "viewer"})
    old = "update session set seen_at = now() - interval '2 hours' where person_id = $1"
    fresh = "select seen_at > now() - interval '1 hour' from session where person_id = $1"
    async with backoffice.client(email) as http:
        await backoffice.ask(old, person)
        assert (await http.get("/orders/live")).status_code == 200
        assert await backoffice.ask(fresh, person) is False
        assert (await http.get("/orders")).status_code == 200
        assert await backoffice.ask(fresh, person) is True


async def test_a_list_that_is_as_it_was_is_not_sent_again(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    async with backoffice.client(HANDLER) as http:
        address = f"/orders/live?q={name_of(orders)}"
        whole = await http.get(address)
        tag = whole.text.partition('data-tag="')[2].partition('"')[0]
        assert whole.text.count("<tr") == 3
        assert (await http.get(f"{address}&known={tag}")).status_code == 204
        await change(backoffice, orders[0])
        assert (await http.get(f"{address}&known={tag}")).status_code == 200
