"""In a real browser no mail runs a script, loads anything from elsewhere, or breaks the page at any width."""

import asyncio
import smtplib
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.plugins.browsers import CHROMIUM, SWITCHES
from tests.plugins.mailboxes import Mailbox

LONG = "a-very-long-word-that-does-not-end-" * 10
HOSTILE = f"""\
From: "<img src=x onerror=alert(1)>" <evil@example.com>
To: you@example.com
Subject: {LONG}
Content-Type: text/html; charset=utf-8

<html><head><meta http-equiv="refresh" content="0;url=http://192.0.2.1/refresh">
<link rel="stylesheet" href="http://192.0.2.1/style.css"></head><body>
<h1>Hostile</h1><script>top.document.title = "owned"; top.location = "http://192.0.2.1/script"</script>
<img src="http://192.0.2.1/track.gif" onerror="top.document.title = 'owned'">
<svg onload="top.document.title = 'owned'"></svg>
<iframe src="http://192.0.2.1/frame"></iframe>
<form action="http://192.0.2.1/form"><input name="password"><button>Log in</button></form></body></html>
""".replace("\n", "\r\n").encode()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        await started.close()


def send(mailbox: Mailbox, content: bytes) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.smtp_port, timeout=10) as smtp:
        smtp.sendmail("bounces@example.com", ["you@example.com"], content)


async def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    width = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return int(width)


@pytest.mark.parametrize("width", [390, 1440])
async def test_a_hostile_mail_does_nothing_at_all(browser: Browser, mailbox: Mailbox, width: int) -> None:
    await asyncio.to_thread(send, mailbox, HOSTILE)
    number = (await mailbox.message(to="you@example.com"))["number"]
    page = await browser.new_page(viewport={"width": width, "height": 844})
    loaded: list[str] = []
    page.on("requestfinished", lambda request: loaded.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for view in ("html", "text", "headers", "source"):
        await page.goto(f"{mailbox.url}/messages/{number}?show={view}")
        assert await sideways(page) == 0
    await page.goto(f"{mailbox.url}/messages/{number}")
    frame = page.frame_locator("iframe")
    assert await frame.locator("h1").inner_text() == "Hostile"
    assert (await page.title()).startswith("a-very-long-word")
    assert page.url == f"{mailbox.url}/messages/{number}"
    assert [url for url in loaded if not url.startswith((mailbox.url, "data:"))] == []


async def test_a_mail_that_arrives_appears_without_reloading(browser: Browser, mailbox: Mailbox) -> None:
    page = await browser.new_page()
    await page.goto(mailbox.url)
    content = b"From: shop@example.com\r\nSubject: Just arrived\r\n\r\nHello\r\n"
    await asyncio.to_thread(send, mailbox, content)
    line = page.get_by_text("Just arrived")
    await line.wait_for(timeout=10_000)
    await line.click()
    assert await page.locator(".tabs [aria-current]").inner_text() == "Plain text", "it has no HTML"
    assert (await page.locator("pre").inner_text()).strip() == "Hello"
