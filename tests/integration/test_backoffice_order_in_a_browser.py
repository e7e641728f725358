"""The page of one order in a real browser: handled from end to end, by two people, by keys, at every width."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from shared.contracts.order import OrderSnapshot
from tests.builders import a_line
from tests.integration.test_backoffice_in_a_browser import faults, sideways
from tests.integration.test_backoffice_order_page import placed, three_lines
from tests.plugins.backoffice import Backoffice, Window, window

HANDLER, VIEWER, ADMINISTRATOR = "handler@example.org", "viewer@example.org", "administrator@example.org"
SOON = 30_000
BEYOND = """() => [...document.querySelectorAll(".card")].flatMap(card => [...card.querySelectorAll("*")]
  .filter(each => each.checkVisibility() && !each.closest(".hidden, dialog")
    && each.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)
  .map(each => `${each.tagName}.${each.className}`))"""
"""What reaches out of its box."""


async def see(opened: Window, order: OrderSnapshot) -> Page:
    """The order's page in a window."""
    await opened.page.goto(f"/orders/{order.id}")
    return opened.page


def sure(page: Page, where: str, text: str) -> Any:
    """Waits until a part of the page says something."""
    return expect(page.locator(where)).to_contain_text(text, timeout=SOON)


@pytest.mark.requirement("R033", "R065", "R076", "R101", "R107", "R109", "R110")
async def test_an_order_is_handled_from_end_to_end_in_swedish(browser: Browser, backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER) as opened:
        page = await see(opened, order)
        await page.get_by_role("link", name="Behandla", exact=True).click()
        await expect(page.locator("#doing h2")).to_be_focused()
        await page.get_by_label("Antal av Sencha, 100 g").fill("2")
        await page.locator("#doing").get_by_role("button", name="Behandla").click()
        await sure(page, "#order > .notice", "ordern är behandlad")
        await sure(page, "#statuses", "Delvis behandlad")
        await page.get_by_role("link", name="Ändra status för Tekanna").click()
        await expect(page.locator("#line-menu")).to_contain_text("Tekanna")
        await page.locator("#line-menu").get_by_role("button", name="Reklamation").click()
        await sure(page, ".lines tbody tr:nth-child(2)", "1 reklamerade")

        await page.get_by_label("Ny internkommentar").fill("Slås in som present.")
        await page.get_by_role("button", name="Lägg till").click()
        await sure(page, "#comments .entries", "Slås in som present.")
        for said in ("Ordern behandlades: 4 st", "reklamerade", "En intern kommentar skrevs", "Slås in som present."):
            await sure(page, "#log", said)
        assert opened.complaints == []


@pytest.mark.requirement("R049", "R070", "R080", "R119", "R120")
async def test_what_is_printed_and_written_is_seen_on_the_page_and_its_log(
    browser: Browser, backoffice: Backoffice
) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER) as opened:
        page = await see(opened, order)
        await page.locator("#documents").get_by_role("button", name="Följesedel").click()
        await expect(page.locator("#documents a")).to_have_text("Följesedel", timeout=SOON)

        await page.locator("#messages").get_by_role("link", name="Nytt meddelande").click()
        await page.get_by_label("Text", exact=True).fill("Hej Åsa,\nden blå är slut.")
        await page.get_by_role("button", name="Förhandsgranska").click()
        await sure(page, ".preview", "den blå är slut.")
        await page.get_by_role("button", name="Skicka", exact=True).click()
        await sure(page, "#messages .entries", f"Om din order {await number(page)}")
        await page.locator("#messages").get_by_role("link", name="Visa texten").first.click()
        await sure(page, "#messages .quoted", "den blå är slut.")

        await sure(page, "#log", "Utskrivet: följesedel")
        await page.locator("#log").get_by_role("link", name="Dokument").click()
        await expect(page.locator("#log .log > li")).to_have_count(1)
        assert opened.complaints == []


async def number(page: Page) -> str:
    """The order's, as its page says."""
    return (await page.locator("h1").inner_text()).split()[-1]


@pytest.mark.requirement("R208")
async def test_two_people_at_once_and_neither_loses_anything(browser: Browser, backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with (
        window(browser, backoffice, HANDLER) as first,
        window(browser, backoffice, ADMINISTRATOR) as second,
    ):
        mine, theirs = await see(first, order), await see(second, order)
        await mine.get_by_role("link", name="Skicka", exact=True).click()
        await mine.get_by_label("Orsak").fill("Hämtas i dag")
        await mine.get_by_label("Antal av Sencha, 100 g").fill("1")
        await theirs.get_by_label("Intern status").select_option(label="Pausad")
        await theirs.get_by_role("button", name="Ändra Intern status").click()
        await sure(theirs, "#order > .notice", "intern status är ändrad")
        await mine.locator("#doing").get_by_role("button", name="Skicka").click()
        await sure(mine, "#doing .error", "Intern status: Pausad")
        await sure(mine, "#doing .error", "The administrator")
        assert await mine.get_by_label("Orsak").input_value() == "Hämtas i dag"
        assert await mine.get_by_label("Antal av Sencha, 100 g").input_value() == "1"
        await mine.locator("#doing").get_by_role("button", name="Skicka").click()
        await sure(mine, "#order > .notice", "markerat som skickat")
        await sure(mine, "#statuses", "Delvis skickade")


async def test_html_is_shown_before_it_is_sent_and_can_do_nothing(browser: Browser, backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER) as opened:
        page = await see(opened, order)
        await page.goto(f"/orders/{order.id}?do=message")
        await page.get_by_label("HTML").check()
        await page.get_by_label("Text", exact=True).fill("<h1>Hej</h1><script>top.document.title='x'</script><b>då</b>")
        await page.get_by_role("button", name="Förhandsgranska").click()
        await expect(page.frame_locator(".preview iframe").locator("b")).to_have_text("då")
        assert await page.title() != "x"
        assert await page.get_by_label("HTML").is_checked()
        assert opened.complaints == []


async def test_what_another_service_does_is_seen_without_asking(browser: Browser, backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER) as opened:
        page = await see(opened, order)
        await page.get_by_label("Ny internkommentar").fill("Inte klar än")
        await page.click(".cog > summary")
        await page.locator(".cog").get_by_role("button", name="Plocklista").click()
        await sure(page, "#attention", "Plocklista")
        await page.get_by_label("Ny internkommentar").fill("Inte klar än")
        await expect(page.locator("#documents a")).to_have_text("Plocklista", timeout=SOON)
        await expect(page.locator("#attention")).not_to_contain_text("Plocklista", timeout=SOON)
        assert await page.get_by_label("Ny internkommentar").input_value() == "Inte klar än"


@pytest.mark.parametrize(("language", "process"), [("sv", "Behandla"), ("fi", "Käsittele"), ("en", "Process")])
async def test_the_page_speaks_one_language_at_a_time(
    browser: Browser, backoffice: Backoffice, language: str, process: str
) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER, language=language) as opened:
        page = await see(opened, order)
        await expect(page.get_by_role("link", name=process, exact=True)).to_be_visible()
        text = await page.inner_text("#order")
        assert re.findall(r"\b(?:do|did|about|goods|unit|what|kind-of|problem|promise)-[a-z-]+", text) == []


async def test_without_scripts_it_is_handled_too(browser: Browser, backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with window(browser, backoffice, HANDLER, java_script_enabled=False) as opened:
        page = await see(opened, order)
        await page.get_by_role("link", name="Ändra status för Tekanna").click()
        await page.locator("#doing").get_by_role("button", name="Restnoterad").click()
        await sure(page, ".lines tbody tr:nth-child(2)", "1 restnoterade")
        await page.get_by_role("link", name="Behandla", exact=True).click()
        await page.locator("#doing").get_by_role("button", name="Behandla").click()
        await sure(page, "#order > .notice", "ordern är behandlad")
        await page.get_by_label("Orderstatus").select_option(label="Under behandling")
        await page.get_by_role("button", name="Ändra Orderstatus").click()
        await sure(page, "#log", "Orderstatus: Under behandling")


@pytest.mark.parametrize("width", [390, 768, 1440])
async def test_nothing_is_cut_and_everybody_can_use_it(browser: Browser, backoffice: Backoffice, width: int) -> None:
    long = [a_line(name="Väldigtlångtartikelnamnutanmellanslag" * 3, article_number="A" * 60, quantity=100_000)]
    order = await placed(backoffice, lines=three_lines() + long)
    for email in (HANDLER, VIEWER):
        async with window(browser, backoffice, email, width=width) as opened:
            for asked in ("", "?do=process", "?do=cancel", "?do=message", "?do=contact", "?do=line-status"):
                await opened.page.goto(f"/orders/{order.id}{asked}")
                assert await sideways(opened.page) == 0, asked
                assert await opened.page.evaluate(BEYOND) == [], asked
                assert await faults(opened.page) == [], (asked, email)
