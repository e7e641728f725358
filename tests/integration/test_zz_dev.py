import os, time, statistics
from uuid import uuid4
from decimal import Decimal
from playwright.async_api import Browser
from tests.builders import a_line, a_customer, an_address
from tests.plugins.backoffice import Backoffice, window
from tests.integration.test_backoffice_order_page import placed, HANDLER, do, three_lines, hidden


async def test_dev(browser: Browser, backoffice: Backoffice) -> None:
    long = [a_line(name="Väldigtlångtartikelnamnutanmellanslag" * 3, article_number="A" * 60, quantity=100_000)]
    order = await placed(
        backoffice, lines=three_lines() + long, delivery_address=an_address(street="Köpmangatan 1"), total=99
    )
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        p = await http.get(f"/orders/{order.id}")
        p = await do(http, p, "process", **{f"units.{order.lines[0].line_id}": "2"})
        p = await do(http, p, "comment", text="Slås in som present.\nRing först.")
        p = await do(http, p, "print", document="pick-list")
        p = await do(http, p, "return", reason="Trasig", **{f"units.{order.lines[0].line_id}": "1"})
        await backoffice.system.noted(order, "document.printed.v1")
    customer = f"c-{uuid4().hex[:8]}"
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        await do(http, await http.get(f"/orders/{order.id}"), "customer", customer_id=customer)
    for width in (390, 1440):
        async with window(browser, backoffice, HANDLER, width=width) as opened:
            page = opened.page

            async def shot(name, full=False):
                await page.screenshot(path=f"/tmp/w/shot-{width}-{name}.png", full_page=full)

            await page.goto(f"/orders/{order.id}")
            await page.click(".cog > summary")
            await shot("cog")
            await page.goto(f"/orders/{order.id}")
            await page.locator("a.set").nth(1).click()
            await shot("dialog")
            await page.goto(f"/orders/{order.id}?do=ship")
            async with backoffice.client("administrator@example.org") as http:
                await do(
                    http,
                    await http.get(f"/orders/{order.id}"),
                    "internal-status",
                    status="on-hold" if width == 390 else "picked",
                )
            await page.locator("#doing .primary").click()
            await page.locator("#doing .error").wait_for()
            await shot("conflict")
            for asked in ("message", "contact", "cancel"):
                await page.goto(f"/orders/{order.id}?do={asked}")
                if asked == "message":
                    await page.fill("#text", "<h1>Hej</h1><p>Den blå är <b>slut</b>.</p>")
                    await page.get_by_label("HTML").check()
                    await page.locator("#doing button[name=preview]").click()
                    await page.locator(".preview").wait_for()
                await page.locator("#doing").screenshot(path=f"/tmp/w/shot-{width}-{asked}.png")
            await page.goto(f"/customers/{customer}")
            await shot("customer")
            await page.goto(f"/orders/{order.id}")
            await page.locator("#lines").screenshot(path=f"/tmp/w/shot-{width}-lines.png")
            await page.goto(f"/orders/{order.id}")
            await shot("whole", True)
            await page.emulate_media(media="print")
            await shot("print", True)
    async with window(browser, backoffice, "viewer@example.org", width=1440, language="fi") as opened:
        await opened.page.goto(f"/orders/{order.id}")
        await opened.page.screenshot(path=f"/tmp/w/shot-viewer.png", full_page=True)


async def test_speed(backoffice: Backoffice) -> None:
    if not os.environ.get("SPEED"):
        return
    order = await placed(
        backoffice, lines=[a_line(name=f"Te {n}", stock_location="A-1", weight_g=100, quantity=2) for n in range(40)]
    )
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        p = await http.get(f"/orders/{order.id}")
        async with backoffice.system.http() as api:
            for n in range(198):
                a = await api.post(
                    f"/v1/orders/{order.id}/internal-status",
                    json={"status": ["to-pick", "picked"][n % 2]},
                    headers={"idempotency-key": str(uuid4())},
                )
                assert a.is_success
        times = []
        for n in range(60):
            t = time.perf_counter()
            p = await http.get(f"/orders/{order.id}")
            times.append(time.perf_counter() - t)
        t1 = sorted(times[10:])
        print(
            "entries",
            len(p.text),
            p.text.count('id="n-'),
            "median ms",
            statistics.median(t1) * 1e3,
            "p95",
            t1[47] * 1e3,
            "load",
            os.getloadavg(),
            "bytes",
            len(p.content),
        )
        import cProfile
