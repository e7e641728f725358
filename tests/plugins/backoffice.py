"""The back office on the real services, with one person for each role, and a browser to look at it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from deploy.local.ports import HOST
from services.backoffice.passwords import Passwords
from services.backoffice.people import add_person
from shared.runtime.actors import PersonRole
from tests.plugins.browsers import CHROMIUM, SWITCHES
from tests.plugins.servers import apart, execute
from tests.plugins.system import ACTOR_KEY, System

PASSWORD = "a long enough password"
SHOP = "nordic-tea"


@dataclass
class Backoffice:
    """Where it is, and how somebody signs in."""

    system: System
    database: str

    @property
    def url(self) -> str:
        """Where pages are."""
        return f"http://{HOST}:{self.system.ports['backoffice']}"

    async def add(self, email: str, roles: dict[str, str], name: str = "Maria Ek", **more: Any) -> str:
        """Makes somebody who may sign in with the password of all tests; gives their id."""
        connection = await asyncpg.connect(self.database)
        try:
            return await add_person(
                connection, Passwords(), email=email, name=name, password=PASSWORD, roles=roles, **more
            )
        finally:
            await connection.close()

    async def ask(self, statement: str, *values: object) -> Any:
        """What the database of users and sessions says."""
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    @asynccontextmanager
    async def client(self, email: str = "", **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser without scripts, signed in where an address is given."""
        async with httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False) as http:
            if email:
                assert (await sign_in(http, email)).status_code == 303
            yield http


async def sign_in(http: httpx2.AsyncClient, email: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
    """Fills in the form and sends it."""
    form = await http.get("/sign-in")
    return await http.post("/sign-in", data={"csrf": csrf_in(form), "email": email, "password": password, **more})


def csrf_in(page: httpx2.Response) -> str:
    """The secret of the page's forms."""
    return page.text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def backoffice(running_system: System, postgres_url: str) -> Iterator[Backoffice]:
    """The back office on all services, one person for each role in `nordic-tea`: viewer@example.org and so on."""
    name = f"test_backoffice_{running_system.prefix.strip('.')}"
    database = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    running_system.databases = {**running_system.databases, "backoffice": database}
    made = Backoffice(running_system, database)
    apart(lambda: asyncio.run(_begin(made, postgres_url, name)))
    yield made
    apart(lambda: asyncio.run(_end(running_system, postgres_url, name)))


async def _begin(made: Backoffice, postgres_url: str, name: str) -> None:
    await execute(postgres_url, f"create database {name}")
    system = made.system
    urls = {
        f"BACKOFFICE_{service.upper()}_URL": f"http://{HOST}:{system.ports[service]}"
        for service in ("orders", "notifications", "documents", "integrations")
    }
    system.settings |= urls | {"BACKOFFICE_ACTOR_KEY": ACTOR_KEY, "BACKOFFICE_HTTPS": "false"}
    system.settings["BACKOFFICE_GUESSES_PER_ADDRESS"] = "1000"
    await system.start("backoffice")
    for role in PersonRole:
        await made.add(f"{role}@example.org", {"*" if role == "operator" else SHOP: role}, name=f"The {role}")


async def _end(system: System, postgres_url: str, name: str) -> None:
    await system.processes["backoffice"].stop()
    await execute(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A real one; a test that needs it is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        await started.close()


@dataclass
class Window:
    """A page of the browser, and everything that it complained about."""

    page: Page
    context: BrowserContext
    complaints: list[str]


@asynccontextmanager
async def window(
    browser: Browser, backoffice: Backoffice, email: str = "", *, language: str = "sv", width: int = 1440, **more: Any
) -> AsyncIterator[Window]:
    """A window of this width in this language, signed in where an address is given; what it complains of is kept."""
    context = await browser.new_context(
        base_url=backoffice.url, locale=language, viewport={"width": width, "height": 900}, **more
    )
    page, complaints = await context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if email:
        await page.goto("/sign-in")
        await page.fill("#email", email)
        await page.fill("#password", PASSWORD)
        await page.click("main button.primary")
        await page.wait_for_url(lambda url: "/sign-in" not in url)
    yield Window(page, context, complaints)
    await context.close()
