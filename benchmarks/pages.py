"""Pages of the back office as a browser gets them: how long they take, what they weigh, how soon a change is seen.

`make bench ARGS=pages`. The time of a page is from the request to its last byte, on a connection that is kept, one
request at a time; a change is seen when a page that is open in a browser shows it, counted from the answer to whoever
made it.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
from playwright.async_api import Page, async_playwright

from benchmarks.rounds import in_turn
from benchmarks.rows import Row, Target
from benchmarks.used import cpu_seconds
from benchmarks.world import World
from deploy.local.demo.shops_and_tokens import set_up_shops
from deploy.local.ports import HOST
from services.backoffice.passwords import Passwords
from services.backoffice.people import add_person
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.runtime.actors import new_key, public_key_of
from tests.builders import a_customer, a_line, a_shop, an_order, to_place
from tests.plugins.backoffice import CHROMIUM, PASSWORD, SWITCHES, sign_in

EMAIL = "handler@example.org"
ORDERS, LINES, ENTRIES = 60, 40, 200
PAGES, CHANGES = 30, 20
APART = 0.7
"""Seconds between two changes: a page reads at most twice a second."""
STATUSES = ("on-hold", "")
AS_A_BROWSER = {"accept-encoding": "gzip", "sec-fetch-site": "same-origin"}
HAS_STATUS = "address => Boolean(document.querySelector(`tr:has(a[href='${address}']) .tag.internal`))"
UNTIL_SEEN = """([address, there]) => new Promise(done => {
  const look = () => {
    const found = Boolean(document.querySelector(`tr:has(a[href='${address}']) .tag.internal`));
    if (found === there) requestAnimationFrame(() => done(Date.now()));
    else requestAnimationFrame(look);
  };
  look();
})"""


@dataclass(frozen=True)
class Office:
    """The back office with its orders, and somebody who has signed in."""

    http: httpx2.AsyncClient
    orders: httpx2.AsyncClient
    long: OrderSnapshot
    """The order with many lines and entries."""
    count: int
    pids: Sequence[int]
    used: defaultdict[str, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))
    """By address and round, what each of these processes used for a page, in milliseconds of CPU."""

    async def milliseconds(self, address: str) -> float:
        """The median time of a page, in milliseconds."""
        taken = []
        before = [cpu_seconds(pid) for pid in self.pids]
        for _ in range(self.count):
            began = time.perf_counter()
            answer = await self.http.get(address)
            taken.append((time.perf_counter() - began) * 1e3)
            answer.raise_for_status()
        used = [cpu_seconds(pid) - earlier for pid, earlier in zip(self.pids, before, strict=True)]
        self.used[address].append(tuple(seconds * 1e3 / self.count for seconds in used))
        return statistics.median(taken)

    def cpu(self, address: str) -> str:
        """What a page costs, in words."""
        office, orders = (statistics.median(each) for each in zip(*self.used[address], strict=True))
        return f"CPU: {office:.1f} ms in backoffice, {orders:.1f} ms in orders."


async def measure(world: World) -> list[Row]:
    """The list of fifty orders and the page of a long one; and until a change is seen in an open list."""
    async with the_office(world) as office, a_browser(office) as page:
        addresses = {"list": "/orders", "order": f"/orders/{office.long.id}"}
        weights = {name: await weight(page, office, address) for name, address in addresses.items()}
        await page.goto(f"{office.http.base_url}/orders")
        await page.locator("#live[data-state=on]").wait_for()

        async def seen() -> float:
            return await until_seen(page, office, world.size(CHANGES))

        figures = await in_turn(
            world,
            {
                "list": lambda: office.milliseconds(addresses["list"]),
                "order": lambda: office.milliseconds(addresses["order"]),
                "seen": seen,
            },
        )
        cpu = {name: office.cpu(address) for name, address in addresses.items()}
    return [
        Row("page: the list, 50 orders", " ms", figures["list"], target=Target(most=50), note=cpu["list"]),
        Row(
            f"page: an order, {LINES} lines, {ENTRIES} entries",
            " ms",
            figures["order"],
            target=Target(most=50),
            note=cpu["order"],
        ),
        *weighed("the list", weights["list"]),
        *weighed("the order", weights["order"]),
        Row("a change by HTTP → seen in an open list", " ms", figures["seen"], note="In Chromium, by its clock."),
    ]


def weighed(what: str, found: tuple[float, float, float]) -> list[Row]:
    """What a page weighs, cold, warm, and as it is before it is compressed."""
    cold, warm, plain = found
    return [
        Row(f"{what}: over the wire, with every file", " kB", [cold], target=Target(most=100)),
        Row(f"{what}: over the wire, its files kept", " kB", [warm], note=f"{plain:.1f} kB of HTML before gzip."),
    ]


@asynccontextmanager
async def the_office(world: World) -> AsyncIterator[Office]:
    """Orders and the back office as processes, with a shop full of orders."""
    key = new_key()
    async with AsyncExitStack() as undo:
        prefix = await undo.enter_async_context(world.topics())
        dsn = await undo.enter_async_context(world.database())
        people = await undo.enter_async_context(world.database())
        orders = await undo.enter_async_context(world.service("orders", dsn, prefix, ACTOR_KEYS=public_key_of(key)))
        address = f"http://{HOST}:{orders.port}"
        others = dict.fromkeys(("ORDERS_URL", "NOTIFICATIONS_URL", "DOCUMENTS_URL", "INTEGRATIONS_URL"), address)
        office = await undo.enter_async_context(
            world.service("backoffice", people, prefix, ACTOR_KEY=key, HTTPS="false", **others)
        )
        shop = a_shop()
        tokens = await set_up_shops(dsn, [shop])
        connection = await asyncpg.connect(people)
        await add_person(
            connection, Passwords(), email=EMAIL, name="Åsa Ek", password=PASSWORD, roles={shop.shop: "handler"}
        )
        await connection.close()
        headers = {"authorization": f"Bearer {tokens[shop.shop]}"}
        api = await undo.enter_async_context(httpx2.AsyncClient(base_url=address, headers=headers, timeout=30))
        http = await undo.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"http://{HOST}:{office.port}", headers=AS_A_BROWSER, timeout=30, trust_env=False
            )
        )
        await sign_in(http, EMAIL)
        yield Office(http, api, await fill(api), world.size(PAGES), [office.process.pid, orders.process.pid])


async def fill(api: httpx2.AsyncClient) -> OrderSnapshot:
    """The shop's orders; gives the long one."""
    lines = [a_line(name=f"Sencha No. {n}, 100 g", article_number=f"TEA-{n}", quantity=1 + n % 4) for n in range(LINES)]
    long = an_order(lines=lines)
    for order in (long, *(an_order(customer=a_customer(full_name=f"Åsa Öberg {n}")) for n in range(ORDERS))):
        await post(api, "/v1/orders", to_place(order).model_dump(mode="json"))
    for n in range(ENTRIES - 2):
        await post(api, f"/v1/orders/{long.id}/internal-status", {"status": STATUSES[n % 2] or None})
    return long


async def post(api: httpx2.AsyncClient, path: str, body: Any) -> httpx2.Response:
    """Do it once."""
    answer = await api.post(path, json=body, headers={"idempotency-key": new_id()})
    return answer.raise_for_status()


@asynccontextmanager
async def a_browser(office: Office) -> AsyncIterator[Page]:
    """A page of Chromium that has the same session."""
    if CHROMIUM is None:
        raise RuntimeError("pages are measured with chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        context = await browser.new_context(base_url=str(office.http.base_url), locale="sv")
        cookies = [
            {"name": one.name, "value": one.value, "url": str(office.http.base_url)} for one in office.http.cookies.jar
        ]
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        yield await context.new_page()
        await browser.close()


async def weight(page: Page, office: Office, address: str) -> tuple[float, float, float]:
    """Kilobytes of a page over the wire, with nothing kept and with its files kept, and those of its HTML as it is."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.clearBrowserCache")
    received: list[float] = []
    session.on("Network.loadingFinished", lambda said: received.append(said["encodedDataLength"]))
    totals = []
    for _ in range(2):
        received.clear()
        await page.goto(address, wait_until="load")
        totals.append(sum(received) / 1e3)
    await session.detach()
    plain = len((await office.http.get(address)).content) / 1e3
    return totals[0], totals[1], plain


async def until_seen(page: Page, office: Office, count: int) -> float:
    """The median time from the answer to a change until the open list shows it, in milliseconds."""
    rows = page.locator("table.orders tbody th a")
    addresses: list[str] = await rows.evaluate_all("all => all.map(one => one.pathname)")
    taken = []
    for address in addresses[:count]:
        await asyncio.sleep(APART)
        taken.append(await one_change(page, office, address))
    return statistics.median(taken)


async def one_change(page: Page, office: Office, address: str) -> float:
    """Milliseconds from the answer to a change until the page shows it, by the clock of this machine."""
    order_id = address.rpartition("/")[2]
    there = await page.evaluate(HAS_STATUS, address)
    seen = asyncio.create_task(page.evaluate(UNTIL_SEEN, [address, not there]))
    await post(office.orders, f"/v1/orders/{order_id}/internal-status", {"status": None if there else "on-hold"})
    answered = time.time()
    return max(0.0, float(await seen) - answered * 1e3)
