"""In a real browser: what goes wrong is on the overview within seconds, is put right there or by the command shown."""

from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, Page, expect

from shared.contracts.order import OrderSnapshot
from tests.builders import a_customer, an_order
from tests.integration.test_backoffice_in_a_browser import faults, sideways
from tests.integration.test_backoffice_operations import OPERATOR, item, typed
from tests.plugins.backoffice import Backoffice, window
from tests.plugins.operations import Troubles, troubles_in
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)
SOON = 40_000
"""Milliseconds: the page looks again after some seconds, and later after more."""
UNKNOWN, QUARANTINED = "#need-unknown", "#need-quarantined"


@pytest.fixture
async def made(backoffice: Backoffice) -> AsyncIterator[Troubles]:
    """Trouble in notifications, as a test makes it."""
    async with troubles_in(backoffice.system) as troubles:
        yield troubles


async def a_mail_is_cut_off(backoffice: Backoffice) -> OrderSnapshot:
    """An order whose mail server takes the confirmation and hangs up in place of an answer."""
    order = an_order(id=uuid4(), customer=a_customer(email="hangup@example.org"))
    assert (await backoffice.system.place(order)).is_success
    return order


async def poison(backoffice: Backoffice) -> None:
    """Somebody writes a record that nobody understands."""
    system = backoffice.system
    async with AIOKafkaProducer(bootstrap_servers=system.kafka) as producer:
        await producer.send_and_wait(f"{system.prefix}orders.events", b"poison", key=str(uuid4()).encode())


async def shown_command(page: Page, place: str = "line") -> str:
    return await page.locator(f"#{place}").inner_text()


@pytest.mark.requirement("R202")
async def test_a_mail_of_which_nobody_knows_is_seen_settled_on_the_page_and_gone(
    browser: Browser, backoffice: Backoffice, made: Troubles
) -> None:
    async with window(browser, backoffice, OPERATOR) as opened:
        page = opened.page
        await page.goto("/operations")
        await expect(page.locator(UNKNOWN)).to_have_count(0)
        order = await a_mail_is_cut_off(backoffice)
        await expect(page.locator(UNKNOWN)).to_contain_text("1", timeout=SOON)
        await page.click(UNKNOWN)
        await expect(page.locator(".troubles tbody tr")).to_have_count(1)
        await page.get_by_role("link", name="Öppna").click()
        assert str(order.id) in await page.locator(".facts").inner_text()
        form = page.locator("#deed-happened")
        await form.get_by_label("Varför").fill("it's in the log of mx1")
        assert """--happened --reason 'it'"'"'s in the log of mx1' --actor""" in await shown_command(
            page, "line-happened"
        )
        await form.get_by_role("button", name="Det blev av").click()
        await expect(page.locator(".will")).to_contain_text("Anropet räknas som gjort.")
        await page.get_by_role("button", name="Ja, det blev av").click()
        await expect(page.locator("h1")).to_contain_text("Klart")
        (settled,) = await backoffice.system.noted(order, "effect.settled.v1")
        assert (settled["data"]["happened"], settled["data"]["reason"]) == (True, "it's in the log of mx1")
        assert settled["actor"].startswith("person/")
        await page.get_by_role("navigation", name="Drift").get_by_role("link", name="Översikt").click()
        await expect(page.locator("#notifications-unknown")).to_have_text("0", timeout=SOON)
        await page.get_by_role("navigation", name="Drift").get_by_role("link", name="Vad som begärts").click()
        await expect(page.locator(".troubles tbody tr").first).to_contain_text("Avgör anrop")
        assert opened.complaints == []
    assert await made.ask("select count(*) from effect where state = 'unknown'") == 0


@pytest.mark.requirement("R202")
async def test_the_same_is_done_by_the_command_that_the_page_shows(
    browser: Browser, backoffice: Backoffice, made: Troubles
) -> None:
    order = await a_mail_is_cut_off(backoffice)
    await backoffice.system.noted(order, "effect.unknown.v1")
    async with window(browser, backoffice, OPERATOR, language="en") as opened:
        page = opened.page
        await page.goto("/operations/unknown")
        await page.get_by_role("link", name="Open").click()
        await page.locator("#why-give-up").fill("mx1 had been down")
        answer = await typed(backoffice, await shown_command(page, "line-give-up"))
        assert answer.code == 0, answer.err
        await page.goto("/operations")
        await expect(page.locator("#notifications-unknown")).to_have_text("0", timeout=SOON)
        assert opened.complaints == []
    (settled,) = await backoffice.system.noted(order, "effect.settled.v1")
    assert (settled["data"]["happened"], settled["data"]["reason"]) == (False, "mx1 had been down")
    assert await made.ask("select count(*) from effect where state = 'unknown'") == 0


async def test_a_record_that_nobody_understands_is_on_the_overview_within_seconds(
    browser: Browser, backoffice: Backoffice, made: Troubles
) -> None:
    async with window(browser, backoffice, OPERATOR, language="en") as opened:
        page = opened.page
        await page.goto("/operations")
        await poison(backoffice)
        await expect(page.locator(QUARANTINED)).to_be_visible(timeout=SOON)
        await expect(page.locator("#notifications-quarantined")).to_have_text("1", timeout=SOON)
        await page.click("#notifications-quarantined")
        await page.get_by_role("button", name="Read all again").click()
        await expect(page.locator(".will")).to_contain_text("1 fit in notifications.")
        await page.get_by_role("button", name="Read all again (1)").click()
        await expect(page.locator("#asked .failed")).to_contain_text("1 refused", timeout=SOON)
        await expect(page.locator("#asked .came")).to_contain_text("it stays")
        assert opened.complaints == []
    assert await made.ask("select count(*) from quarantine") == 1


async def test_a_page_that_is_hidden_does_not_look_again(browser: Browser, backoffice: Backoffice) -> None:
    hide = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => %s })"
    async with window(browser, backoffice, OPERATOR, language="en") as opened:
        page, asked = opened.page, []
        page.on("request", lambda request: asked.append(request.url) if "again=" in request.url else None)
        await page.goto("/operations")
        await page.evaluate(hide % "true")
        before = len(asked)
        await page.evaluate("htmx.trigger('#standing', 'seen')")
        assert len(asked) == before
        async with page.expect_request("**/operations?again=*"):
            await page.evaluate(hide % "false")
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_what_is_open_and_where_one_is_stays_when_the_page_looks_again(
    browser: Browser, backoffice: Backoffice, made: Troubles
) -> None:
    await made.waiting()
    async with window(browser, backoffice, OPERATOR, language="en") as opened:
        page = opened.page
        await page.goto("/operations")
        await page.click("#groups-notifications summary")
        await page.focus("#notifications-dead")
        async with page.expect_response("**/operations?again=*"):
            await page.evaluate("htmx.trigger('#standing', 'seen')")
        await page.locator("#standing[hx-get$='again=2'], #standing[hx-get$='again=3']").wait_for()
        await expect(page.locator("#groups-notifications")).to_have_attribute("open", "")
        await expect(page.locator("#notifications-dead")).to_be_focused()
        assert opened.complaints == []


async def test_a_repair_is_made_with_keys_alone(browser: Browser, backoffice: Backoffice, made: Troubles) -> None:
    address = item("dead", await made.dead())
    async with window(browser, backoffice, OPERATOR, language="en") as opened:
        page = opened.page
        await page.goto(address)
        await page.focus("#why-skip")
        await page.keyboard.type("a test order")
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Yes, skip it").wait_for()
        await expect(page.get_by_role("button", name="Yes, skip it")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_contain_text("Done")
    assert await made.ask("select count(*) from inbox where state = 'dead'") == 0


async def test_without_scripts_it_works_too(browser: Browser, backoffice: Backoffice, made: Troubles) -> None:
    await made.dead()
    async with window(browser, backoffice, OPERATOR, language="en", java_script_enabled=False) as opened:
        page = opened.page
        await page.goto("/operations")
        await page.click("#need-dead")
        await page.get_by_role("button", name="Skip all").click()
        await page.get_by_label("Why").fill("a test order")
        await page.get_by_role("button", name="Skip all (1)").click()
        await page.wait_for_url("**/operations/asked?*")

    async def gone() -> bool:
        return not await made.ask("select count(*) from inbox where state = 'dead'")

    await eventually(gone)


@pytest.mark.parametrize("width", [390, 768, 1440])
async def test_no_page_is_cut_and_everybody_can_use_it(
    browser: Browser, backoffice: Backoffice, made: Troubles, width: int
) -> None:
    await made.one_of_each()
    kinds = {kind: quote(found[0], safe="") for kind, found in made.ids.items()}
    addresses = (
        *("/operations", "/operations/asked", "/operations/dead/notifications/gone"),
        *(f"/operations/{kind}" for kind in kinds),
        *(f"/operations/{kind}/notifications/{item_id}" for kind, item_id in kinds.items()),
        "/operations/dead/many?service=notifications&do=skip",
    )
    async with window(browser, backoffice, OPERATOR, language="fi", width=width) as opened:
        for address in addresses:
            await opened.page.goto(address)
            assert await sideways(opened.page) == 0, address
            assert await faults(opened.page) == [], address
