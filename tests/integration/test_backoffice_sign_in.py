"""Who comes in, for how long, and who does not: names cannot be found out, guessing ends, and forms must be ours."""

import asyncio
import re
import time
from datetime import timedelta
from uuid import uuid4

import httpx2
import pytest
from fastapi.routing import APIRoute

from services.backoffice.app import ROUTERS
from services.backoffice.guesses import Guesses, TooMany
from services.backoffice.passwords import Passwords
from services.backoffice.people import DISABLE, LEAVE, NotSoPerson, names_of
from services.backoffice.sessions import Sessions
from shared.contracts.message import new_id
from shared.runtime.actors import Signer, new_key
from shared.runtime.database import connected, open_pool
from tests.plugins.backoffice import PASSWORD, SHOP, Backoffice, csrf_in, sign_in

HANDLER = "handler@example.org"


def cookie(answer: httpx2.Response, name: str) -> str:
    """The whole line that sets a cookie."""
    return next((line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")), "")


async def test_whoever_has_the_password_comes_in_and_goes_out(backoffice: Backoffice) -> None:
    async with backoffice.client() as http:
        before = await http.get("/orders?folder=root")
        assert (before.status_code, before.headers["location"]) == (303, "/sign-in?next=%2Forders%3Ffolder%3Droot")
        answer = await sign_in(http, " HANDLER@example.org ", next="/orders?folder=root")
        assert (answer.status_code, answer.headers["location"]) == (303, "/orders?folder=root")
        assert re.search(r"; HttpOnly; Path=/; SameSite=lax$", cookie(answer, "session"))
        page = await http.get("/orders")
        assert page.status_code == 200
        assert "The handler" in page.text
        kept = http.cookies["session"]
        assert (await http.post("/sign-out", data={"csrf": csrf_in(page)})).headers["location"] == "/sign-in"
        http.cookies.set("session", kept)
        assert (await http.get("/orders")).status_code == 303, "the session is over, not only the cookie"


async def test_with_https_cookies_are_bound_to_the_host_and_never_sent_in_the_clear(backoffice: Backoffice) -> None:
    backoffice.system.settings["BACKOFFICE_HTTPS"] = "true"
    process = await backoffice.system.start("backoffice", name="backoffice-https")
    backoffice.system.settings["BACKOFFICE_HTTPS"] = "false"
    port = backoffice.system.ports["backoffice-https"]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        form = await http.get("/sign-in")
    await process.stop()
    assert re.search(r"; HttpOnly; Path=/; SameSite=lax; Secure$", cookie(form, "__Host-sign-in"))
    assert "max-age" in form.headers["strict-transport-security"]


async def test_every_sign_in_makes_a_new_session_and_ends_the_old_one(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER) as http:
        first = http.cookies["session"]
        await sign_in(http, HANDLER)
        assert http.cookies["session"] != first
        assert (await http.get("/account")).status_code == 200
    async with backoffice.client(cookie=f"session={first}") as http:
        assert (await http.get("/account")).status_code == 303
    async with backoffice.client(cookie="session=chosen-by-somebody-else") as http:
        form = await http.get("/sign-in")
        known = {"cookie": f"session=chosen-by-somebody-else; sign-in={form.cookies['sign-in']}"}
        fields = {"csrf": csrf_in(form), "email": HANDLER, "password": PASSWORD}
        answer = await http.post("/sign-in", data=fields, headers=known)
        assert answer.status_code == 303
        assert "chosen-by-somebody-else" not in cookie(answer, "session")


async def test_the_database_has_no_secret_of_a_session_and_no_password(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER) as http:
        secret = http.cookies["session"]
    rows = await backoffice.ask("select string_agg(s::text, ' ') from session s")
    people = await backoffice.ask("select string_agg(p::text, ' ') from person p")
    assert secret not in rows
    assert secret.encode().hex() not in rows
    assert PASSWORD not in people
    assert "$argon2id$" in people


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(backoffice: Backoffice) -> None:
    async with backoffice.client() as http:
        password = await sign_in(http, HANDLER, "wrong")
        name = await sign_in(http, "nobody@example.org", "wrong")
    assert (password.status_code, name.status_code) == (401, 401)
    assert password.text.replace(HANDLER, "") == name.text.replace("nobody@example.org", "")
    assert "is not right" in password.text
    assert cookie(password, "session") == cookie(name, "session") == ""


async def test_a_wrong_name_takes_as_long_as_a_wrong_password() -> None:
    passwords = Passwords()
    kept = await passwords.hashed(PASSWORD)

    async def fastest(of: str | None) -> float:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            assert not await passwords.fits("wrong", of)
            took.append(time.perf_counter() - began)
        return min(took)

    assert await fastest(None) > 0.4 * await fastest(kept)


async def test_guessing_ends_after_ten_tries_also_for_whoever_then_knows_it(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    await backoffice.add(email, {SHOP: "viewer"})
    async with backoffice.client(**{"accept-language": "sv"}) as http:
        statuses = [(await sign_in(http, email, "wrong")).status_code for _ in range(11)]
        assert statuses == [401] * 10 + [429]
        late = await sign_in(http, email)
        assert late.status_code == 429
        assert "För många försök. Försök igen om 15 min." in late.text
        assert 0 < int(late.headers["retry-after"]) <= 900
        assert (await sign_in(http, HANDLER)).status_code == 303, "others are not locked out"


async def test_guesses_at_once_are_no_more_than_guesses_one_by_one(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"

    async def guess() -> int:
        async with backoffice.client() as http:
            return (await sign_in(http, email, "wrong")).status_code

    statuses = await asyncio.gather(*(guess() for _ in range(25)))
    assert sorted(statuses) == [401] * 10 + [429] * 15


async def test_an_address_has_so_many_tries_and_what_was_right_is_none_of_them(backoffice: Backoffice) -> None:
    pool = await open_pool(backoffice.database, name="test", connections=2)
    guesses, address = Guesses(pool, per_account=3, per_address=5), str(uuid4())
    for n in range(5):
        await guesses.count(f"{n}", address)
    with pytest.raises(TooMany):
        await guesses.count("6", address)
    other = str(uuid4())
    for _ in range(20):
        await guesses.count("right", other)
        await guesses.right("right", other)
    assert await pool.fetchval("select count(*) from guess where subject::text like '%right%'") == 0
    await pool.execute("update guess set begun_at = begun_at - interval '16 minutes'")
    await guesses.count("0", address)
    await pool.close()


async def test_a_form_that_is_not_ours_does_nothing(backoffice: Backoffice) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    posts = [route.path for route in routes if "POST" in (route.methods or ())]
    assert len(posts) >= 7
    async with backoffice.client(HANDLER) as http, backoffice.client(HANDLER) as other:
        theirs = csrf_in(await other.get("/account"))
        for path in posts:
            address = path.replace("{view_id}", "x").replace("{order_id}", str(uuid4()))
            for csrf in ({}, {"csrf": ""}, {"csrf": theirs}, {"csrf": "ö"}):
                answer = await http.post(address, data={"email": HANDLER, "password": PASSWORD, **csrf})
                assert answer.status_code == 403, (path, csrf)
        ours = csrf_in(await http.get("/account"))
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert (await http.post("/sign-out", data={"csrf": ours}, headers=elsewhere)).status_code == 403
        assert (await http.post("/sign-out", json={"csrf": ours})).status_code == 415
        assert (await http.get("/account")).status_code == 200


async def test_a_session_ends_by_age_by_idleness_and_by_its_person(backoffice: Backoffice) -> None:
    pool = await open_pool(backoffice.database, name="test", connections=2)
    person = await backoffice.add(f"{uuid4()}@example.org", {SHOP: "handler"})
    day = timedelta(days=1)
    sessions = Sessions(pool, idle=timedelta(hours=1), longest=day)
    for ending in ("seen_at = seen_at - interval '61 minutes'", "ends_at = clock_timestamp()"):
        secret = await sessions.begin(person, SHOP, "")
        assert await sessions.find(secret)
        await pool.execute(f"update session set {ending} where person_id = $1", person)
        assert await sessions.find(secret) is None
    mine, other = await sessions.begin(person, SHOP, ""), await sessions.begin(person, SHOP, "")
    visitor = await sessions.find(mine)
    assert visitor is not None
    await sessions.end_others(visitor)
    assert await sessions.find(other) is None
    await pool.execute(LEAVE, person, SHOP)
    left = await sessions.find(mine)
    assert left is not None
    assert (left.shop, left.role) == (None, None), "a role that was taken away is gone at once"
    await pool.execute(DISABLE, person)
    assert await sessions.find(mine) is None
    for nonsense in ("", "x", "x" * 1_000, "\x00", "ö"):
        assert await sessions.find(nonsense) is None
    await pool.close()


@pytest.mark.requirement("R083")
async def test_a_viewer_sees_no_buttons_and_may_do_nothing(backoffice: Backoffice) -> None:
    async with backoffice.client("viewer@example.org") as http:
        page = await http.get("/orders")
        assert page.status_code == 200
        assert "/orders/several" not in re.sub(r"<form id=\"several\"[^>]*>", "", page.text)
        assert 'type="checkbox" name="order"' not in page.text
        sent = {"csrf": csrf_in(page), "do": "process", "order": f"{uuid4()}.1.1", "key": new_id(), "name": "x"}
        for path in ("/orders/several", "/views", "/views/x/remove"):
            answer = await http.post(path, data=sent)
            assert answer.status_code == 403, path
            assert "Your role in this shop does not include that." in answer.text


async def test_nobody_works_in_a_shop_where_they_have_no_role(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    await backoffice.add(email, {"other-shop": "administrator", "third-shop": "viewer"})
    async with backoffice.client(email) as http:
        assert (await http.get("/orders")).headers["location"] == "/shops"
        page = await http.get("/shops")
        assert "other-shop" in page.text
        assert SHOP not in page.text
        answer = await http.post("/shops", data={"csrf": csrf_in(page), "shop": SHOP})
        assert answer.status_code == 404
        chosen = await http.post("/shops", data={"csrf": csrf_in(page), "shop": "third-shop"})
        assert chosen.headers["location"] == "/orders"


async def test_an_operator_works_in_any_shop_that_there_is(backoffice: Backoffice) -> None:
    async with backoffice.client("operator@example.org") as http:
        assert (await http.get("/orders")).headers["location"] == "/shops"
        page = await http.get("/shops")
        for nonsense in ("no-such-shop", "*", "", "../../v1"):
            answer = await http.post("/shops", data={"csrf": csrf_in(page), "shop": nonsense})
            assert answer.status_code == 404, nonsense
        assert (await http.post("/shops", data={"csrf": csrf_in(page), "shop": SHOP})).status_code == 303
        assert "Nordiska Tehuset" in (await http.get("/orders")).text


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere_after_signing_in(backoffice: Backoffice, where: str) -> None:
    async with backoffice.client() as http:
        assert (await sign_in(http, HANDLER, next=where)).headers["location"] == "/"


async def test_every_answer_keeps_other_sites_out(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await http.get("/orders")
        style = re.search(r'href="(/static/[^"]+style\.css)"', page.text)
        assert style
        paths = ("/orders", "/sign-in", "/nowhere", "/orders/x", f"/orders/{uuid4()}", style[1], "/static/x/y.js")
        for path in paths:
            answer = await http.get(path)
            assert "script-src 'self'" in answer.headers["content-security-policy"], path
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            kept = "immutable" if path == style[1] else "no-store"
            assert kept in answer.headers["cache-control"], path
        assert not re.search(r"<script(?![^>]*src=)|<style| style=| on[a-z]+=", page.text)


async def test_a_page_is_compressed_where_nobody_else_made_the_browser_ask(backoffice: Backoffice) -> None:
    asked = {"same-origin": "gzip", "none": "gzip", "same-site": None, "cross-site": None}
    async with backoffice.client("viewer@example.org") as http:
        for site, encoding in asked.items():
            headers = {"sec-fetch-site": site, "accept-encoding": "gzip, br"}
            answer = await http.get("/orders", headers=headers)
            assert answer.headers.get("content-encoding") == encoding, site
            assert "</html>" in answer.text
        old = await http.get("/orders", headers={"accept-encoding": "identity", "sec-fetch-site": "none"})
        unknown = await http.get("/orders", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in old.headers | unknown.headers


async def test_what_goes_wrong_is_a_page_in_the_visitors_language(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER, **{"accept-language": "fi,sv;q=0.5"}) as http:
        nowhere = await http.get("/nowhere")
        assert (nowhere.status_code, "Sivua ei ole." in nowhere.text) == (404, True)
        unknown = await http.get(f"/orders/{uuid4()}")
        assert (unknown.status_code, "Tilausta ei ole." in unknown.text) == (404, True)
        for path in ("/orders/x", "/orders?after=nonsense", "/orders?placed_from=yesterday", "/orders?processing=x"):
            answer = await http.get(path)
            assert answer.status_code == 422, path
            assert answer.headers["content-type"].startswith("text/html")


async def test_while_orders_is_away_the_page_stands_and_says_so(backoffice: Backoffice) -> None:
    system = backoffice.system
    known = system.settings["BACKOFFICE_ORDERS_URL"]
    system.settings["BACKOFFICE_ORDERS_URL"] = "http://127.0.0.1:9"
    process = await system.start("backoffice", name="backoffice-alone")
    system.settings["BACKOFFICE_ORDERS_URL"] = known
    url = f"http://127.0.0.1:{system.ports['backoffice-alone']}"
    async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        await sign_in(http, HANDLER)
        page = await http.get("/orders")
        assert page.status_code == 200
        assert page.text.count("This is not available now.") == 4
        order = await http.get(f"/orders/{uuid4()}")
        assert (order.status_code, "That is not possible now." in order.text) == (503, True)
        sent = {"csrf": csrf_in(page), "do": "process", "order": f"{uuid4()}.1.7", "key": new_id()}
        assert "That is not possible now." in (await http.post("/orders/several", data=sent)).text
    await process.stop()


async def test_a_key_that_services_were_not_told_of_opens_nothing(backoffice: Backoffice) -> None:
    token = Signer(new_key()).sign("orders", "1", SHOP, ["administrator"])
    async with backoffice.system.http(authorization=f"Bearer {token}") as http:
        assert (await http.get("/v1/orders")).status_code == 401


async def test_people_are_made_with_sense(backoffice: Backoffice) -> None:
    person = await backoffice.add(f"{uuid4()}@example.org", {SHOP: "viewer"}, name="Åsa Öberg")
    pool = await open_pool(backoffice.database, name="test", connections=1)
    async with connected(pool) as connection:
        known = await names_of(connection, [f"person/{person}", "token/1", "person/nobody"])
    assert known == {f"person/{person}": "Åsa Öberg"}
    await pool.close()
    wrong: list[tuple[str, dict[str, str]]] = [
        ("no address", {SHOP: "viewer"}),
        ("Handler@example.org", {SHOP: "viewer"}),
        ("a@example.org", {}),
        ("a@example.org", {SHOP: "boss"}),
        ("a@example.org", {SHOP: "operator"}),
        ("a@example.org", {"*": "viewer"}),
        ("a@example.org", {"No Shop": "viewer"}),
    ]
    for email, roles in wrong:
        with pytest.raises(NotSoPerson):
            await backoffice.add(email, roles)


def test_every_route_is_a_page_of_ours() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, APIRoute) and not route.include_in_schema for route in routes)
