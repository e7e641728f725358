"""What the shop has connected, as the back office shows it: how it is in words, what to do, and a check on demand."""

import re
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from playwright.async_api import Browser, expect

from services.integrations.connections import Connection, Kind, remove_connection, save_connection
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from tests.integration.test_backoffice_in_a_browser import faults, sideways
from tests.plugins.backoffice import SHOP, Backoffice, csrf_in, window
from tests.plugins.sandboxes import Sandbox
from tests.plugins.system import LOCAL_KEY, WEBHOOK_SECRET

ADMINISTRATOR, HANDLER, OPERATOR = "administrator@example.org", "handler@example.org", "operator@example.org"
NOBODY = "http://127.0.0.1:1"
SOON = 30_000
EFFECT = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, result)
values ($1, 'integrations.payment', gen_random_uuid(), $2, 'capture', $3, 1, gen_random_uuid(), now(), now(), $4::jsonb)
"""
LANE = """
insert into lane ("group", subject, shop, state, due, error)
values ('integrations.payment', $1, $2, $3, now() + $4 * interval '1 day', 'given up')
"""


async def connect(backoffice: Backoffice, kind: Kind, url: str, api_key: str, **more: str) -> None:
    """As an operator does, whatever is there."""
    new = Connection(SHOP, kind, **{"provider": "sandbox", "url": url, "api_key": api_key} | more)  # type: ignore[arg-type]
    database = await asyncpg.connect(backoffice.system.databases["integrations"])
    async with database.transaction():
        await save_connection(database, new, Seal([LOCAL_KEY]), Outbox("/integrations", Bell()), "test")
    await database.close()


async def written(backoffice: Backoffice, statement: str, *values: object) -> None:
    """As integrations itself writes it down."""
    database = await asyncpg.connect(backoffice.system.databases["integrations"])
    await database.execute(statement, *values)
    await database.close()


@pytest.fixture(autouse=True)
async def nothing_connected(backoffice: Backoffice) -> None:
    """Each test begins with no connections."""
    database = await asyncpg.connect(backoffice.system.databases["integrations"])
    for kind in ("payment", "shipping", "erp"):
        async with database.transaction():
            await remove_connection(database, SHOP, kind, Outbox("/integrations", Bell()), "test")
    for table in ("effect", "lane"):
        await database.execute(f"delete from {table}")
    await database.close()


def card(page: httpx2.Response, kind: str) -> str:
    """What is said of one connection, as plain words."""
    html = page.text.partition(f'id="{kind}" aria-labelledby')[2].partition("</article>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition(">")[2]).split())


async def check(http: httpx2.AsyncClient, kind: str) -> httpx2.Response:
    """Presses the button, as a browser without scripts does."""
    page = await http.get("/settings/connections")
    return await http.post(f"/settings/connections/{kind}/check", data={"csrf": csrf_in(page)})


async def test_what_is_not_connected_says_what_it_would_do_and_how_it_is_connected(backoffice: Backoffice) -> None:
    async with backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as http:
        page = await http.get("/settings/connections")
        for kind, use in (("payment", "money is captured"), ("shipping", "label and tracking"), ("erp", "handed over")):
            said = card(page, kind)
            assert "Not connected" in said
            assert use in said
            assert f"ops connections save {SHOP} {kind} --url" in said
            assert "Check now" not in said
        told = await check(http, "erp")
        assert "The shop has no such connection." in card(told, "erp")


@pytest.mark.requirement("R115")
async def test_a_connection_is_shown_in_words_and_checked_on_demand(
    backoffice: Backoffice, payment_sandbox: Sandbox
) -> None:
    running = payment_sandbox.running
    secret = {"webhook_secret": WEBHOOK_SECRET, "capture": "when-shipped"}
    await connect(backoffice, "payment", running.url, payment_sandbox.api_key, **secret)
    async with backoffice.client(OPERATOR, **{"accept-language": "sv"}) as http:
        assert (await http.post("/shops", data={"csrf": csrf_in(await http.get("/shops")), "shop": SHOP})).is_redirect
        page = await http.get("/settings/connections")
        said = card(page, "payment")
        wanted = ["Oprövad", "Pröva den nu", "sandbox", f"127.0.0.1:{running.port}", "när varorna skickas"]
        assert [each for each in [*wanted, "Har inte hört av sig än"] if each not in said] == []
        assert payment_sandbox.api_key not in page.text
        said = card(await check(http, "payment"), "payment")
        assert re.search(r"Den svarar och godtar nyckeln. [\d\s]+ ms", said)
        assert "Fungerar" in said
        assert re.search(r"Prövad senast .* den svarade, [\d\s]+ ms", said)
        assert re.search(
            r"Den prövades alldeles nyss. Det går igen om \d+ s", card(await check(http, "payment"), "payment")
        )
        assert len(await payment_sandbox.calls()) == 1
        reloaded = await http.get("/settings/connections/payment/check")
        assert reloaded.headers["location"] == "/settings/connections#payment"


async def test_each_state_is_a_word_with_what_it_means_and_what_to_do(
    backoffice: Backoffice, payment_sandbox: Sandbox
) -> None:
    await connect(backoffice, "payment", payment_sandbox.running.url, "sk_wrong")
    await connect(backoffice, "shipping", NOBODY, "c1")
    await connect(backoffice, "erp", NOBODY, "c:1", provider="later-books")
    async with backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as http:
        refused = card(await check(http, "payment"), "payment")
        assert "The key is refused" in refused
        assert "It answers, and does not take the key." in refused
        assert "save the right key" in refused
        nobody = card(await check(http, "shipping"), "shipping")
        assert "Does not answer" in nobody
        assert "Nobody is there." in nobody
        assert "Orders wait for a day" in nobody
        later = card(await check(http, "erp"), "erp")
        assert "This version does not speak with the provider." in later


async def test_what_is_held_up_and_refused_is_counted_in_words(
    backoffice: Backoffice, payment_sandbox: Sandbox
) -> None:
    await connect(backoffice, "payment", payment_sandbox.running.url, payment_sandbox.api_key)
    await written(backoffice, EFFECT, str(uuid4()), SHOP, "done", "{}")
    await written(backoffice, EFFECT, str(uuid4()), SHOP, "failed", '{"reason": "card_declined"}')
    await written(backoffice, EFFECT, str(uuid4()), SHOP, "unknown", "{}")
    await written(backoffice, LANE, str(uuid4()), SHOP, "ready", 1)
    async with backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as http:
        page = await http.get("/settings/connections")
        said = card(page, "payment")
        wanted = ["Has trouble", "1 done, 1 refused", "the card was declined", "Orders waiting 1", "Orders stopped 0"]
        assert [each for each in [*wanted, "Unknown whether it happened 1"] if each not in said] == []
        assert 'href="/orders?attention=true"' in page.text.partition('id="payment"')[2].partition("</article>")[0]


@pytest.mark.requirement("R083")
async def test_only_administrators_and_operators_have_the_page(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        assert "/settings/connections" not in (await http.get("/orders")).text
        page = await http.get("/settings/connections")
        assert (page.status_code, "does not include that" in page.text) == (403, True)
        assert (await http.get("/settings/connections/live")).status_code == 403
        sent = {"csrf": csrf_in(await http.get("/orders"))}
        assert (await http.post("/settings/connections/payment/check", data=sent)).status_code == 403
    async with backoffice.client(ADMINISTRATOR) as http:
        assert 'href="/settings/connections"' in (await http.get("/orders")).text
        assert (await http.post("/settings/connections/payment/check", data={"csrf": "forged"})).status_code == 403


async def test_an_open_page_asks_for_what_is_new_alone_and_keeps_nobody_signed_in(backoffice: Backoffice) -> None:
    async with backoffice.client(ADMINISTRATOR, **{"hx-request": "true"}) as http:
        first = await http.get("/settings/connections/live")
        known = re.findall(r'id="known" name="known" value="([^"]+)"', first.text)[0]
        assert "<html" not in first.text
        assert (await http.get("/settings/connections/live", params={"known": known})).status_code == 204
        await connect(backoffice, "erp", NOBODY, "c:1")
        assert (await http.get("/settings/connections/live", params={"known": known})).status_code == 200
    async with backoffice.client(**{"hx-request": "true"}) as http:
        assert (await http.get("/settings/connections/live")).status_code == 401


async def test_the_pages_stand_while_integrations_is_away(backoffice: Backoffice) -> None:
    await backoffice.system.processes["integrations"].stop()
    try:
        async with backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as http:
            page = await http.get("/settings/connections")
            assert (page.status_code, "Orders are taken as usual" in page.text) == (200, True)
            sent = {"csrf": csrf_in(page)}
            told = await http.post("/settings/connections/payment/check", data=sent)
            assert "That is not possible now." in told.text
            payments = await http.get("/payments")
            assert (payments.status_code, "Nothing is lost" in payments.text) == (200, True)
            one = await http.get(f"/payments/{uuid4()}")
            assert (one.status_code, "Nothing is lost" in one.text) == (200, True)
            typed = await http.post(f"/payments/{uuid4()}/close", data=sent | {"reason": "Paid back by phone"})
            assert (typed.status_code, "Paid back by phone" in typed.text) == (503, True)
            assert 'href="/payments"' in (await http.get("/orders")).text
    finally:
        await backoffice.system.start("integrations")


@pytest.mark.requirement("R115")
async def test_a_connection_is_checked_in_a_browser_and_the_page_follows_by_itself(
    browser: Browser, backoffice: Backoffice, payment_sandbox: Sandbox
) -> None:
    await connect(backoffice, "payment", payment_sandbox.running.url, payment_sandbox.api_key)
    await connect(backoffice, "shipping", NOBODY, "c1")
    for language, width in (("sv", 1440), ("fi", 390)):
        async with window(browser, backoffice, ADMINISTRATOR, language=language, width=width) as opened:
            page = opened.page
            await page.goto("/settings/connections")
            assert await faults(page) == []
            assert await sideways(page) == 0
            if language == "fi":
                continue
            await page.locator("#check-payment").focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("#payment .notice.good")).to_contain_text("godtar nyckeln", timeout=SOON)
            await expect(page.locator("#payment .health")).to_have_text("Fungerar")
            await expect(page.locator("#check-payment")).to_be_focused()
            await expect(page.locator("#checked")).to_contain_text("Den svarar")
            await written(backoffice, LANE, str(uuid4()), SHOP, "ready", 1)
            await expect(page.locator("#payment .health")).to_have_text("Har problem", timeout=SOON)
            await expect(page.locator("#check-payment")).to_be_focused()
            assert await faults(page) == []
            assert opened.complaints == []
