"""In a real browser: search as you type, keys, many orders with progress; nothing is cut, nobody is kept out."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from shared.contracts.order import OrderSnapshot
from tests.builders import a_customer, an_order
from tests.plugins.backoffice import Backoffice, Window, window

AXE = (Path(__file__).parents[1] / "axe-core" / "axe-4.14.1.min.js").read_text()
HANDLER, VIEWER = "handler@example.org", "viewer@example.org"
ROWS = "table.orders tbody tr"
FOLDERS = [{"id": "to-pack", "name": "Att packa"}, {"id": "abroad", "name": "Utland"}]


@pytest.fixture
async def orders(backoffice: Backoffice) -> list[OrderSnapshot]:
    """Twelve orders of a name that no other test has."""
    await backoffice.system.open_a_shop(folders=FOLDERS)
    name = f"Q{uuid4().hex[:12]}"
    long = "Väänänen-Korhonen-" * 5
    made = [an_order(customer=a_customer(full_name=f"{name} {long if n == 1 else n}")) for n in range(12)]
    for order in made:
        assert (await backoffice.system.place(order)).is_success
    return made


def name_of(orders: list[OrderSnapshot]) -> str:
    return orders[0].customer.full_name.partition(" ")[0]


async def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


async def faults(page: Page) -> list[Any]:
    """What axe-core finds that is serious."""
    await page.evaluate(AXE)
    found = json.loads(await page.evaluate("axe.run().then(found => JSON.stringify(found.violations))"))
    return [
        (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


async def rows(opened: Window, count: int) -> None:
    await expect(opened.page.locator(ROWS)).to_have_count(count, timeout=20_000)


async def test_what_is_typed_is_found_while_typing_and_stands_in_the_address(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        await opened.page.locator("#q").press_sequentially(name_of(orders)[:9])
        await rows(opened, 12)
        await opened.page.wait_for_url(f"**/orders?q={name_of(orders)[:9]}")
        await opened.page.click(".filters > summary")
        await opened.page.check("input[name=message]")
        await opened.page.locator(".empty").wait_for()
        await opened.page.go_back()
        await rows(opened, 12)
        assert opened.complaints == []


async def test_many_are_moved_with_progress_and_the_counts_follow(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.goto(f"/orders?q={name_of(orders)}")
        count = page.locator("#side li", has_text="Utland").locator(".count")
        before = int(await count.inner_text())
        assert await page.locator("#do").is_disabled()
        await page.check("#choose-all")
        assert await page.locator("#how-many").inner_text() == "12 valda"
        await page.select_option("#action", label="Utland")
        await page.click("#do")
        await page.get_by_text("12 av 12 klara").wait_for()
        await expect(count).to_have_text(str(before + 12), timeout=20_000)
        assert await page.locator(".outcomes tr").count() == 12
        assert await page.locator(ROWS, has_text="Utland").count() == 12
        assert opened.complaints == []


async def test_processing_many_is_asked_twice(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page, answers = opened.page, iter([False, True])
        asked: list[str] = []

        async def answer(dialog: Any) -> None:
            asked.append(dialog.message)
            await (dialog.accept() if next(answers) else dialog.dismiss())

        page.on("dialog", answer)
        await page.goto(f"/orders?q={name_of(orders)}")
        await page.locator(f"{ROWS} input[name=order]").first.check()
        process = page.get_by_role("button", name="Behandla")
        await process.click()
        await process.click()
        await page.get_by_text("1 av 1 klara").wait_for()
        await page.locator(".state.processed").wait_for()
        assert await page.locator(".state.processed").count() == 1
        assert len(asked) == 2
        assert "räknas som skickat" in asked[0]


@pytest.mark.requirement("R040", "R041")
async def test_an_order_is_dragged_into_a_folder_and_the_other_chosen_ones_with_it(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.goto(f"/orders?q={name_of(orders)}")
        abroad = page.locator("#side [data-folder=abroad]")
        await page.locator(f"{ROWS} input[name=order]").nth(0).check()
        await page.locator(f"{ROWS} input[name=order]").nth(1).check()
        await page.locator(f"{ROWS} td.choose").nth(1).drag_to(abroad)
        await expect(page.locator(ROWS, has_text="Utland")).to_have_count(2, timeout=20_000)
        assert opened.complaints == []


async def test_columns_are_chosen_on_the_page(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.goto(f"/orders?q={name_of(orders)}")
        await page.click(".columns > summary")
        await page.get_by_label("E-post").check()
        await page.get_by_role("button", name="Visa").click()
        await expect(page.locator(ROWS).first).to_contain_text("@", timeout=20_000)
        assert await sideways(page) == 0
        assert opened.complaints == []


@pytest.mark.requirement("R040")
async def test_the_list_is_worked_with_keys_alone(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        await page.keyboard.press("/")
        await page.keyboard.type(name_of(orders))
        await rows(opened, 12)
        await page.locator("#q").blur()
        for key in ("j", "j", "x", "k", "x", "m", "1"):
            await page.keyboard.press(key)
        await page.get_by_text("2 av 2 klara").wait_for()
        await page.locator(f"{ROWS}:nth-child(2)", has_text="Att packa").wait_for()
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/orders/*-*")
        assert opened.complaints == []


async def test_somebody_else_was_faster_and_it_is_said(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        page = opened.page
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto(f"/orders?q={name_of(orders)}")
        async with backoffice.system.http(**{"idempotency-key": str(uuid4())}) as http:
            assert (
                await http.post(f"/v1/orders/{orders[0].id}/internal-status", json={"status": "on-hold"})
            ).is_success
        await page.locator(f"{ROWS} input[value^='{orders[0].id}']").check()
        await page.get_by_role("button", name="Behandla").click()
        await page.get_by_text("Någon har ändrat ordern under tiden.").wait_for()


async def test_a_session_that_is_over_leads_to_the_sign_in(browser: Browser, backoffice: Backoffice) -> None:
    async with window(browser, backoffice, HANDLER) as opened:
        await opened.context.clear_cookies()
        await opened.page.fill("#q", "tea")
        await opened.page.wait_for_url("**/sign-in")


@pytest.mark.parametrize("width", [390, 768, 1440])
async def test_no_page_is_cut_and_everybody_can_use_it(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot], width: int
) -> None:
    addresses = (
        "/orders",
        f"/orders?q={name_of(orders)}&processing=unprocessed",
        "/orders?q=zzzzzzz",
        f"/orders/{orders[1].id}",
        "/account",
        "/nowhere",
    )
    for email in (HANDLER, VIEWER):
        async with window(browser, backoffice, email, width=width) as opened:
            for address in addresses:
                await opened.page.goto(address)
                assert await sideways(opened.page) == 0, address
                assert await faults(opened.page) == [], (address, email)
    async with window(browser, backoffice, width=width) as opened:
        await opened.page.goto("/sign-in")
        assert (await sideways(opened.page), await faults(opened.page)) == (0, [])
    async with window(browser, backoffice, "operator@example.org", width=width) as opened:
        assert (await sideways(opened.page), await faults(opened.page)) == (0, [])


async def test_a_menu_opens_and_closes_and_the_language_changes(browser: Browser, backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    await backoffice.add(email, {"nordic-tea": "viewer"})
    async with window(browser, backoffice, email) as opened:
        await opened.page.click(".toolbar .menu > summary")
        await opened.page.keyboard.press("Escape")
        assert not await opened.page.locator(".menu-body").first.is_visible()
        await opened.page.click(".toolbar .menu > summary")
        await opened.page.get_by_role("button", name="Suomi").click()
        await opened.page.locator("html[lang=fi]").wait_for(state="attached")
        assert opened.complaints == []


async def test_without_scripts_it_works_too(
    browser: Browser, backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with window(browser, backoffice, HANDLER, java_script_enabled=False) as opened:
        page = opened.page
        await page.fill("#q", name_of(orders))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/orders?*q=*")
        assert await page.locator(ROWS).count() == 12
        await page.locator(f"{ROWS} input[name=order]").first.check()
        await page.select_option("#action", label="Utland")
        await page.click("#do")
        await page.get_by_text("1 av 1 klara").wait_for()
