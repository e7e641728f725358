"""The settings by HTTP: two people lose nothing, refusals stand where they belong, and what changed is written down."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.contracts.message import new_id
from tests.builders import an_order
from tests.plugins.backoffice import SHOP, Backoffice, csrf_in, sign_in

ADMINISTRATOR, HANDLER, VIEWER, OPERATOR = (
    f"{role}@example.org" for role in ("administrator", "handler", "viewer", "operator")
)
PAGES = ("shop", "statuses", "folders", "people", "tokens")
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def hidden(page: httpx2.Response) -> dict[str, str]:
    """What the page's first form carries unseen."""
    form = page.text.partition('<div class="area">')[2]
    fields: dict[str, str] = {}
    for name, value in FIELD.findall(form):
        fields.setdefault(name, unescape(value))
    return fields


def filled_in(page: httpx2.Response, **changes: str) -> dict[str, Any]:
    """The shop's form as a browser sends it, with these changes."""
    fields: dict[str, Any] = hidden(page)
    typed = {name.removeprefix("was."): value for name, value in fields.items() if name.startswith("was.")}
    main, *_ = languages = typed.pop("languages").split(",")
    return fields | typed | {"languages.main": main, "languages.other": languages} | changes


async def send(http: httpx2.AsyncClient, area: str, *, follow: Any = False, **fields: Any) -> httpx2.Response:
    """Sends one of a page's forms."""
    page = await http.get(f"/settings/{area}")
    known = {"csrf": csrf_in(page), "history": hidden(page).get("history", "0")}
    return await http.post(f"/settings/{area}", data=known | fields, follow_redirects=follow)


def said(page: httpx2.Response) -> str:
    """What a person reads on a page: no tags, one blank between words."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


async def settings_of(backoffice: Backoffice) -> dict[str, Any]:
    """What orders has."""
    async with backoffice.system.http() as http:
        return dict((await http.get("/v1/shop")).json())


@pytest.fixture(autouse=True)
async def fresh(backoffice: Backoffice) -> None:
    """The shop as every test begins with it."""
    await backoffice.system.open_a_shop(
        folders=[{"id": "to-pack", "name": "Att packa"}, {"id": "abroad", "name": "Utland"}]
    )


@asynccontextmanager
async def at_work(backoffice: Backoffice, email: str = ADMINISTRATOR, language: str = "en") -> AsyncIterator[Any]:
    """Somebody at the settings of the shop."""
    async with backoffice.client(email, **{"accept-language": language}) as http:
        if email == OPERATOR:
            page = await http.get("/shops")
            await http.post("/shops", data={"csrf": csrf_in(page), "shop": SHOP})
        yield http


async def newcomer(backoffice: Backoffice, roles: dict[str, str], name: str = "Åsa Öberg") -> tuple[str, str]:
    """Somebody new: their id and their address."""
    email = f"{uuid4()}@example.org"
    return await backoffice.add(email, roles, name=name), email


@pytest.mark.requirement("R083")
async def test_whoever_may_not_sees_no_settings_and_is_refused_in_words(backoffice: Backoffice) -> None:
    for email in (HANDLER, VIEWER):
        async with at_work(backoffice, email) as http:
            page = await http.get("/orders")
            assert "/settings" not in page.text
            for area in (*PAGES, "shops"):
                for answer in (
                    await http.get(f"/settings/{area}"),
                    await http.post(f"/settings/{area}", data={"csrf": csrf_in(page), "do": "add"}),
                ):
                    assert answer.status_code == 403, area
                    assert "Your role in this shop does not include that." in answer.text
    async with at_work(backoffice) as http:
        page = await http.get("/settings", follow_redirects=True)
        assert page.url.path == "/settings/shop"
        assert re.findall(r'href="/settings/([a-z]+)"', page.text) == list(PAGES)
        assert (await http.get("/settings/shops")).status_code == 403


@pytest.mark.requirement("R084")
async def test_what_a_shop_may_say_of_itself_is_saved_and_written_down(backoffice: Backoffice) -> None:
    wanted = {
        "name": "Tehuset i Umeå",
        "email": "te@tehuset.example",
        "phone": "",
        "postal_address": "Kungsgatan 2\r\n903 25 Umeå",
        "languages.main": "fi",
        "languages.other": ["sv"],
        "time_zone": "Europe/Helsinki",
        "currency": "eur",
        "vat_country": "FI",
        "prices_include_vat": "false",
        "rounding": "whole",
        "total_tolerance": "1,50",
        "process_within_hours": "24",
        "first_order_number": "5000",
    }
    before = await settings_of(backoffice)
    async with at_work(backoffice) as http:
        answer = await http.post("/settings/shop", data=filled_in(await http.get("/settings/shop")) | wanted)
        assert answer.headers["location"] == "/settings/shop?done=saved", said(answer)
        page = await http.get(answer.headers["location"])
    now = await settings_of(backoffice)
    assert {name: now[name] for name in before if now[name] != before[name]} == {
        "name": "Tehuset i Umeå",
        "email": "te@tehuset.example",
        "phone": "",
        "postal_address": "Kungsgatan 2\n903 25 Umeå",
        "languages": ["fi", "sv"],
        "time_zone": "Europe/Helsinki",
        "currency": "EUR",
        "vat_country": "FI",
        "prices_include_vat": False,
        "rounding": "whole",
        "total_tolerance": 150,
        "process_within_hours": 24,
        "first_order_number": 5000,
    }
    assert "The settings are saved." in page.text
    assert "Name: Nordiska Tehuset → Tehuset i Umeå" in said(page)
    assert "Prices are shown: With VAT first → Without VAT first" in said(page)
    assert "The administrator, " in said(page)
    nothing = await http_again(backoffice)
    assert nothing.headers["location"] == "/settings/shop?done=nothing"


async def http_again(backoffice: Backoffice) -> httpx2.Response:
    """The form sent as it was found."""
    async with at_work(backoffice) as http:
        answer: httpx2.Response = await http.post("/settings/shop", data=filled_in(await http.get("/settings/shop")))
        return answer


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("name", " ", "Write what the shop is called"),
        ("email", "nobody", "Write an e-mail address"),
        ("time_zone", "Mars/Olympus", "There is no such time zone."),
        ("currency", "XYZ", "There is no such currency."),
        ("total_tolerance", "1,505", "Write an amount such as"),
        ("process_within_hours", "two", "Write a whole number of hours"),
        ("process_within_hours", "0", "Write a whole number of hours"),
        ("first_order_number", "-1", "Write a whole number, 1 at least."),
        ("vat_country", "JP", "The VAT rates of that country are not known."),
        ("phone", "1" * 201, "Write at most 200 characters"),
    ],
)
async def test_what_cannot_be_stands_at_its_field_and_all_that_was_typed_is_kept(
    backoffice: Backoffice, field: str, typed: str, words: str
) -> None:
    async with at_work(backoffice) as http:
        form = filled_in(await http.get("/settings/shop"), website="https://typed.example") | {field: typed}
        answer = await http.post("/settings/shop", data=form)
        assert answer.status_code == 422
        at = answer.text.index(f'id="f-{field.replace("_", "-")}-wrong"')
        assert words in answer.text[at : at + 200]
        assert 'value="https://typed.example"' in answer.text
        assert answer.text.count('class="wrong"') == 1
        again = await http.post("/settings/shop", data=filled_in(answer, website="https://typed.example"))
        assert again.headers["location"] == "/settings/shop?done=saved"


async def test_the_second_of_two_people_is_told_who_changed_what_and_keeps_what_was_typed(
    backoffice: Backoffice,
) -> None:
    _, email = await newcomer(backoffice, {SHOP: "administrator"}, name="Väinö Korhonen")
    async with at_work(backoffice) as first, at_work(backoffice, email) as second:
        mine = filled_in(await second.get("/settings/shop"), name="Teboden", website="https://teboden.example")
        theirs = filled_in(await first.get("/settings/shop"), name="Tehuset", phone="+46 90 1")
        assert (await first.post("/settings/shop", data=theirs)).status_code == 303
        answer = await second.post("/settings/shop", data=mine)
        assert answer.status_code == 412
        assert "Somebody has changed the settings since you opened them." in answer.text
        assert "Name: Nordiska Tehuset → Tehuset" in said(answer)
        assert "The administrator, " in said(answer)
        assert "Changed meanwhile to Tehuset" in said(answer)
        assert 'name="name" value="Teboden"' in answer.text, "what was typed is kept"
        assert 'name="phone" value="+46 90 1"' in answer.text, "what was not touched is theirs"
        again = filled_in(answer, name="Teboden", website="https://teboden.example")
        assert (await second.post("/settings/shop", data=again)).headers["location"] == "/settings/shop?done=saved"
    now = await settings_of(backoffice)
    assert (now["name"], now["phone"], now["website"]) == ("Teboden", "+46 90 1", "https://teboden.example")


async def test_a_change_that_came_by_the_api_is_told_of_too(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        form = filled_in(await http.get("/settings/shop"), name="Teboden")
        await backoffice.system.open_a_shop(phone="+46 1")
        answer = await http.post("/settings/shop", data=form)
    assert answer.status_code == 412
    assert "The change was made elsewhere than on these pages" in answer.text
    assert "Changed meanwhile to +46 1" in said(answer)


@pytest.mark.requirement("R034", "R036", "R039")
async def test_a_status_is_added_changed_moved_retired_used_again_and_deleted(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        names = {"name.sv": "Present", "name.fi": "", "name.en": "Gift"}
        added = await send(http, "statuses", do="add", about="internal", follows="pick-list", **names)
        assert added.headers["location"].startswith("/settings/statuses?done=add")
        status = (await settings_of(backoffice))["statuses"][-1]
        assert (status["id"], status["axis"], status["prints"], status["visible"]) == (
            "gift",
            "internal",
            "pick-list",
            False,
        )
        page = await http.get("/settings/statuses")
        assert "sv Present fi missing en Gift Prints pick list" in said(page)

        edit = await http.get("/settings/statuses?edit=internal:gift")
        seen = re.search(r'name="seen" value="([0-9a-f]+)"', edit.text)
        assert seen
        names |= {"name.fi": "Lahja"}
        saved = await send(http, "statuses", do="save", about="internal:gift", seen=seen[1], **names)
        assert "done=save" in saved.headers["location"]
        assert "→ Lahja" in said(await http.get("/settings/statuses"))

        for _ in range(2):
            await send(http, "statuses", do="up", about="internal:gift")
        found = [each for each in (await settings_of(backoffice))["statuses"] if each["axis"] == "internal"]
        order = [each["id"] for each in sorted(found, key=lambda each: each["position"])]
        assert order[-3:] == ["gift", "on-hold", "done"]
        assert order[:4] == ["to-pick", "picked", "awaiting-goods", "awaiting-payment"]

        await send(http, "statuses", do="retire", about="internal:gift")
        assert "Retired" in said(await http.get("/settings/statuses"))
        await send(http, "statuses", do="use", about="internal:gift")
        deleted = await send(http, "statuses", do="delete", about="internal:gift", follow=True)
        assert "The status is deleted." in deleted.text
        assert "gift" not in [each["id"] for each in (await settings_of(backoffice))["statuses"]]
        for words in ("was added", "was changed", "was moved", "was retired", "taken into use again", "was deleted"):
            assert words in said(deleted)


@pytest.mark.requirement("R035", "R037")
async def test_what_follows_from_a_status_is_kept_as_it_was_said(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        wanted = {"name.sv": "Klar att hämta", "visible": "1", "sends": "order-status", "follows": "delivery-note"}
        await send(http, "statuses", do="add", about="order", **wanted)
        await send(http, "statuses", do="add", about="line", follows="claimed", **{"name.fi": "Rikki"})
        order, line = (await settings_of(backoffice))["statuses"][-2:]
        assert (order["visible"], order["sends"], order["prints"]) == (True, "order-status", "delivery-note")
        assert (line["visible"], line["moves_to"], line["prints"]) == (False, "claimed", None)
        hidden_one = wanted | {"visible": ""}
        answer = await send(http, "statuses", do="add", about="order", **hidden_one)
        assert answer.status_code == 422
        assert "the customer does not see it" in answer.text
        assert 'value="Klar att hämta"' in answer.text, "what was typed is kept"
        nameless = await send(http, "statuses", do="add", about="order", visible="1")
        assert "Give the status a name in one language at least." in nameless.text


@pytest.mark.requirement("R034", "R036")
async def test_a_status_that_orders_have_is_not_deleted_and_the_page_says_what_to_do(backoffice: Backoffice) -> None:
    order = an_order()
    assert (await backoffice.system.place(order)).is_success
    async with backoffice.system.http(**{"idempotency-key": new_id()}) as orders:
        assert (await orders.post(f"/v1/orders/{order.id}/internal-status", json={"status": "on-hold"})).is_success
    async with at_work(backoffice) as http:
        answer = await send(http, "statuses", do="delete", about="internal:on-hold")
        assert answer.status_code == 409
        assert "Orders have this status. It cannot be deleted. Retire it instead" in said(answer)
        assert '<button name="do" value="retire" class="primary">' in answer.text
        retired = await send(http, "statuses", do="retire", about="internal:on-hold", follow=True)
        assert "No more orders are given the status." in retired.text
        needed = await send(http, "statuses", do="delete", about="order:cancelled")
        assert (needed.status_code, "needed when orders are cancelled" in needed.text) == (422, True)
        unknown = await send(http, "statuses", do="retire", about="order:nonsense")
        assert (unknown.status_code, "The shop has no such status." in unknown.text) == (422, True)
        assert (await send(http, "statuses", do="explode", about="order:shipped")).status_code == 422


async def test_two_people_change_two_statuses_and_the_second_at_the_same_one_is_told(backoffice: Backoffice) -> None:
    _, email = await newcomer(backoffice, {SHOP: "administrator"})

    async def opened(http: httpx2.AsyncClient, status: str) -> dict[str, str]:
        page = await http.get(f"/settings/statuses?edit={status}")
        found = re.search(r'name="seen" value="([0-9a-f]+)"', page.text)
        assert found
        return {"csrf": csrf_in(page), "history": hidden(page)["history"], "seen": found[1], "about": status}

    async with at_work(backoffice) as first, at_work(backoffice, email) as second:
        same, other = await opened(second, "internal:picked"), await opened(second, "internal:done")
        names = {"name.sv": "Plockat", "name.fi": "Kerätty", "name.en": "Picked"}
        mine = await opened(first, "internal:picked")
        assert (await first.post("/settings/statuses", data={**mine, "do": "save", **names})).status_code == 303
        done = {"name.sv": "Färdig", "name.fi": "Valmis", "name.en": "Done"}
        answer = await second.post("/settings/statuses", data={**other, "do": "save", **done})
        assert answer.status_code == 303, "another status is no conflict"
        names["name.sv"] = "Packad"
        answer = await second.post("/settings/statuses", data={**same, "do": "save", **names})
        assert answer.status_code == 422
        assert "Name in Swedish: Plockad → Plockat" in said(answer)
        assert 'value="Packad"' in answer.text
        seen = re.search(r'name="seen" value="([0-9a-f]+)"', answer.text)
        assert seen
        answer = await second.post("/settings/statuses", data={**same, "do": "save", **names, "seen": seen[1]})
        assert answer.status_code == 303


async def test_many_people_move_statuses_at_once_and_none_is_lost(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        page = await http.get("/settings/statuses")
        form = {"csrf": csrf_in(page), "history": "0"}
        moves = [("up", "done"), ("down", "to-pick"), ("retire", "on-hold"), ("down", "picked")]
        answers = await asyncio.gather(
            *(http.post("/settings/statuses", data={**form, "do": do, "about": f"internal:{one}"}) for do, one in moves)
        )
        assert {answer.status_code for answer in answers} <= {303, 412}
    internal = [each for each in (await settings_of(backoffice))["statuses"] if each["axis"] == "internal"]
    assert sorted(each["id"] for each in internal) == sorted(
        ["to-pick", "picked", "awaiting-goods", "awaiting-payment", "on-hold", "done"]
    )


@pytest.mark.requirement("R005", "R040")
async def test_folders_are_added_renamed_moved_and_deleted_while_they_are_empty(backoffice: Backoffice) -> None:
    order = an_order()
    assert (await backoffice.system.place(order)).is_success
    async with backoffice.system.http(**{"idempotency-key": new_id()}) as orders:
        assert (await orders.post(f"/v1/orders/{order.id}/folder", json={"folder": "abroad"})).is_success
    async with at_work(backoffice) as http:
        await send(http, "folders", do="add", name="Hämtas i butik")
        await send(http, "folders", do="up", about="hamtas-i-butik")
        await send(http, "folders", do="save", about="to-pack", was="Att packa", name="Packas nu")
        assert (await settings_of(backoffice))["folders"] == [
            {"id": "to-pack", "name": "Packas nu"},
            {"id": "hamtas-i-butik", "name": "Hämtas i butik"},
            {"id": "abroad", "name": "Utland"},
        ]
        refused = await send(http, "folders", do="delete", about="abroad")
        assert refused.status_code == 409
        assert "Orders lie in the folder. It cannot be deleted. Move them to another folder first" in said(refused)
        assert re.search(r'class="button primary" href="/orders\?folder=abroad">See its orders \(\d+\)', refused.text)
        gone = await send(http, "folders", do="delete", about="hamtas-i-butik", follow=True)
        assert "The folder is deleted." in gone.text
        assert "The folder Att packa is now called Packas nu" in said(gone)
        for name, words in (
            ("", "Write what the folder"),
            ("utland", "a folder of that name"),
            ("x" * 201, "too long"),
        ):
            answer = await send(http, "folders", do="add", name=name)
            assert (answer.status_code, words in answer.text) == (422, True), name
        late = await send(http, "folders", do="save", about="to-pack", was="Att packa", name="Packas sen")
        assert late.status_code == 422
        assert 'value="Packas sen"' in late.text


@pytest.mark.requirement("R083")
async def test_somebody_new_chooses_a_password_by_a_link_that_is_shown_and_good_once(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    async with at_work(backoffice) as http:
        made = await send(
            http, "people", do="add", name="Åsa Öberg", email=email.upper(), role="handler", language="fi"
        )
        assert made.status_code == 200
        link = re.search(r'id="once" readonly value="([^"]+)"', made.text)
        assert link
        address = unescape(link[1]).removeprefix(backoffice.url)
        page = await http.get("/settings/people")
        assert "/set-password" not in page.text
        assert "Åsa Öberg became a user: Handler" in said(page)
    secret = address.partition("key=")[2]
    assert secret not in await backoffice.ask("select string_agg(l::text, ' ') from password_link l")
    async with backoffice.client() as http:
        form = await http.get(address)
        assert "Åsa Öberg" in form.text

        async def choose(password: str, again: str) -> httpx2.Response:
            sent = {"csrf": csrf_in(form), "key": secret, "password": password, "again": again}
            return await http.post("/set-password", data=sent)

        assert (await choose("short", "short")).status_code == 422
        assert (await choose("tea and biscuits", "tea and sugar")).status_code == 422
        assert (await choose("tea and biscuits", "tea and biscuits")).status_code == 200
        assert (await choose("another password", "another password")).status_code == 404
        assert (await http.get(address)).status_code == 404
        assert (await sign_in(http, email, "tea and biscuits")).status_code == 303
        assert "Käsittelijä" in (await http.get("/account")).text


@pytest.mark.requirement("R083")
async def test_a_role_changes_sessions_end_and_whoever_is_shut_out_stays_out(backoffice: Backoffice) -> None:
    person, email = await newcomer(backoffice, {SHOP: "viewer"})
    async with at_work(backoffice) as http, at_work(backoffice, email) as theirs:
        assert "never" not in row_of(await http.get("/settings/people"), person), "the last sign-in is shown"
        await send(http, "people", do="role", about=person, role="handler")
        assert 'id="move-title"' in (await theirs.get("/orders")).text, "who handles orders can move them"
        await send(http, "people", do="sessions", about=person)
        assert (await theirs.get("/orders")).status_code == 303
        assert (await sign_in(theirs, email)).status_code == 303
        await send(http, "people", do="disable", about=person)
        assert (await theirs.get("/orders")).status_code == 303
        assert (await sign_in(theirs, email)).status_code == 401
        refused = await send(http, "people", do="link", about=person)
        assert (refused.status_code, "Let the user in again first." in refused.text) == (422, True)
        page = await send(http, "people", do="enable", about=person, follow=True)
        assert (await sign_in(theirs, email)).status_code == 303
        link = await send(http, "people", do="link", about=person)
        assert "/set-password?key=" in link.text
        assert (await sign_in(theirs, email)).status_code == 303, "the old password holds until the link is used"
        for words in ("is now: Handler", "was signed out everywhere", "was shut out", "was let in again"):
            assert f"Åsa Öberg {words}" in said(page)


def row_of(page: httpx2.Response, person: str) -> str:
    """What the list of people says of one."""
    return page.text.partition(f'id="p-{person}"')[2].partition("</li>")[0]


async def test_nobody_takes_their_own_right_and_no_shop_loses_its_last_administrator(backoffice: Backoffice) -> None:
    shop = f"s{uuid4().hex[:8]}"
    one, email = await newcomer(backoffice, {shop: "administrator"}, name="One")
    two, other_email = await newcomer(backoffice, {shop: "administrator"}, name="Two")
    async with at_work(backoffice, email) as first, at_work(backoffice, other_email) as second:
        for do in ("role", "disable"):
            own = await send(first, "people", do=do, about=one, role="viewer")
            assert (own.status_code, "You cannot take the right from yourself." in own.text) == (422, True)
        forms = [(await http.get("/settings/people"), http, about) for http, about in ((first, two), (second, one))]
        answers = await asyncio.gather(
            *(
                http.post(
                    "/settings/people", data={"csrf": csrf_in(page), "do": "role", "about": about, "role": "viewer"}
                )
                for page, http, about in forms
            )
        )
        assert sorted(answer.status_code for answer in answers) == [303, 403], "the one who is too late has no right"
    left = "select count(*) from membership where shop = $1 and role = 'administrator'"
    assert await backoffice.ask(left, shop) == 1
    async with at_work(backoffice, OPERATOR) as operator:
        last = await backoffice.ask("select person_id from membership where shop = $1 and role = 'administrator'", shop)
        refused = await send(operator, "people", do="disable", about=last, all="true")
        assert (refused.status_code, "would have no administrator left" in refused.text) == (422, True)
        mine = await backoffice.ask("select id from person where email = $1", OPERATOR)
        own = await send(operator, "people", do="disable", about=mine, all="true")
        assert own.status_code == 422


async def test_whoever_works_in_other_shops_too_is_in_no_ones_hands_but_the_operators(backoffice: Backoffice) -> None:
    person, email = await newcomer(backoffice, {SHOP: "handler", "other-shop": "viewer"}, name="Both Shops")
    async with at_work(backoffice) as http:
        page = await http.get(f"/settings/people?edit={person}")
        assert "The user also works in a shop that you do not look after." in said(page)
        assert "other-shop" not in page.text
        for do in ("link", "sessions", "disable", "enable"):
            answer = await send(http, "people", do=do, about=person)
            assert (answer.status_code, "/set-password" in answer.text) == (422, False), do
        assert (await send(http, "people", do="leave", about=person)).status_code == 303
        assert person not in (await http.get("/settings/people")).text.partition('class="card history')[0]
        taken = await send(http, "people", do="add", name="X", email=email, role="viewer")
        assert (taken.status_code, "Both Shops" in taken.text.partition('class="card history')[0]) == (422, False)
        assert "Ask the platform&#39;s operator" in taken.text
    async with at_work(backoffice, OPERATOR) as operator:
        joined = await send(operator, "people", do="add", name="X", email=email, role="viewer")
        assert (joined.status_code, "/set-password" in joined.text) == (200, False), "the password is as it was"
        everybody = await operator.get("/settings/people?all=true")
        assert "other-shop: Viewer" in said(everybody)
    mine, _ = await newcomer(backoffice, {SHOP: "administrator", "second-shop": "administrator"})
    assert mine


@pytest.mark.parametrize("do", ["role", "leave", "disable", "enable", "sessions", "link"])
async def test_people_of_another_shop_are_not_there(backoffice: Backoffice, do: str) -> None:
    person, email = await newcomer(backoffice, {f"s{uuid4().hex[:8]}": "administrator"}, name="Not Ours")
    operator = await backoffice.ask("select id from person where email = $1", OPERATOR)
    before = await backoffice.ask("select p::text from person p where id = $1", person)
    async with at_work(backoffice) as http:
        for query in ("", "?all=true", f"?edit={person}", f"?edit={person}&all=true"):
            page = await http.get(f"/settings/people{query}")
            assert "Not Ours" not in page.text, query
            assert email not in page.text
            assert OPERATOR not in page.text
        nobody = await send(http, "people", do=do, about="nobody", role="viewer")
        for about in (person, operator):
            answer = await send(http, "people", do=do, about=about, role="viewer", all="true")
            assert answer.status_code == nobody.status_code == 404
            assert said(answer) == said(nobody), "as if there were nobody"
    assert await backoffice.ask("select p::text from person p where id = $1", person) == before


async def test_people_are_made_with_sense_or_it_stands_at_the_form(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        for fields, words in (
            ({"name": " ", "email": "a@example.org", "role": "viewer"}, "cannot be right"),
            ({"name": "A", "email": "no address", "role": "viewer"}, "cannot be right"),
            ({"name": "A", "email": HANDLER, "role": "viewer"}, "in the shop already"),
            ({"name": "A", "email": "a@example.org", "role": "operator"}, "Choose a role."),
            ({"name": "A", "email": OPERATOR, "role": "viewer"}, "whom you do not look after"),
        ):
            answer = await send(http, "people", do="add", **fields)
            assert (answer.status_code, words in answer.text) == (422, True), fields
            assert f'value="{fields["email"]}"' in answer.text


SERVICES = ("orders", "notifications", "documents", "integrations")


@pytest.mark.requirement("R083")
async def test_a_token_is_made_shown_once_used_and_revoked_with_care(backoffice: Backoffice) -> None:
    async with at_work(backoffice) as http:
        made = await send(http, "tokens", do="make", service="orders", name="Shop front", scope=["orders:read"])
        assert made.status_code == 200
        token = re.search(r"ot_([0-9a-f]{16})_[A-Za-z0-9_-]{43}", made.text)
        assert token
        page = await http.get("/settings/tokens")
        assert token[0] not in page.text
        assert "Shop front Made by The administrator" in said(page)
        assert "The token Shop front was made (Orders)" in said(page)
        async with backoffice.system.http(authorization=f"Bearer {token[0]}") as orders:
            assert (await orders.get("/v1/orders")).status_code == 200
            assert (await orders.get("/v1/tokens")).status_code == 403
            careless = await send(http, "tokens", do="revoke", service="orders", token=token[1])
            assert careless.status_code == 422
            assert "The token was used within the last hour." in careless.text
            assert (await orders.get("/v1/orders")).status_code == 200
        gone = await send(http, "tokens", do="revoke", service="orders", token=token[1], sure="yes", follow=True)
        assert "The token is revoked." in gone.text
        assert f't-{token[1]}"' not in gone.text
        again = await send(http, "tokens", do="revoke", service="orders", token=token[1], sure="yes")
        assert (again.status_code, "There is no such token" in again.text) == (422, True)


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_gives_what_it_says_may_be_given_and_no_more(backoffice: Backoffice, service: str) -> None:
    for email in (ADMINISTRATOR, OPERATOR):
        async with at_work(backoffice, email) as http:
            page = await http.get(f"/settings/tokens?add={service}")
            scopes = re.findall(r'name="scope" value="([^"]+)"', page.text)
            assert scopes
            assert "operator" not in scopes
            made = await send(http, "tokens", do="make", service=service, name="All of it", scope=scopes)
            assert made.status_code == 200, said(made)
            assert "ot_" in made.text
            for fields, words in (
                ({"name": "x", "scope": ["operator"]}, 403 if email == ADMINISTRATOR else 422),
                ({"name": "x", "scope": ["tea:drink"]}, 403 if email == ADMINISTRATOR else 422),
                ({"name": "x"}, 422),
                ({"name": "", "scope": scopes[:1]}, 422),
            ):
                answer = await send(http, "tokens", do="make", service=service, **fields)
                assert (answer.status_code, "ot_" in answer.text) == (words, False), fields
                assert 'role="alert"' in answer.text


@pytest.mark.parametrize("service", SERVICES)
async def test_tokens_of_another_shop_are_not_there(backoffice: Backoffice, service: str) -> None:
    shop = f"s{uuid4().hex[:8]}"
    _, email = await newcomer(backoffice, {shop: "administrator"})
    async with at_work(backoffice, email) as theirs, at_work(backoffice) as http:
        page = await theirs.get(f"/settings/tokens?add={service}")
        scope = re.findall(r'name="scope" value="([^"]+)"', page.text)[:1]
        made = await send(theirs, "tokens", do="make", service=service, name="Not Ours", scope=scope)
        token = re.search(r"ot_([0-9a-f]{16})_", made.text)
        assert token
        assert "Not Ours" not in (await http.get(f"/settings/tokens?revoke={token[1]}")).text
        answer = await send(http, "tokens", do="revoke", service=service, token=token[1], sure="yes")
        assert answer.status_code == 422
        assert f't-{token[1]}"' in (await theirs.get("/settings/tokens")).text
    async with at_work(backoffice, OPERATOR) as operator:
        assert "Not Ours" not in (await operator.get("/settings/tokens")).text, "it is another shop that is open"


@pytest.mark.requirement("R082")
async def test_an_operator_makes_shops_and_gives_them_features(backoffice: Backoffice) -> None:
    shop = f"s{uuid4().hex[:8]}"
    new = {
        "do": "make",
        "about": shop,
        "name": "Kahvila",
        "email": "moi@kahvila.example",
        "languages.main": "fi",
        "languages.other": ["fi", "sv"],
        "time_zone": "Europe/Helsinki",
        "currency": "EUR",
        "vat_country": "FI",
    }
    async with backoffice.client(OPERATOR, **{"accept-language": "en"}) as http:
        assert (await http.get("/settings", follow_redirects=True)).url.path == "/settings/shops", "in no shop yet"
        assert (await send(http, "shops", **new)).headers["location"] == f"/settings/shops?done=make#shop-{shop}"
        twice = await send(http, "shops", **new)
        assert (twice.status_code, "a shop of that short name already" in twice.text) == (422, True)
        for name, value in (("about", "No Shop"), ("currency", "XYZ"), ("email", "x"), ("name", "")):
            answer = await send(http, "shops", **{**new, "about": f"{shop}-2", name: value})
            assert answer.status_code == 422, name
            assert 'class="wrong"' in answer.text, name
            assert 'value="Europe/Helsinki"' in answer.text
        given = await send(http, "shops", do="features", about=shop, more="order-editing, exports", follow=True)
        assert f"The features of {shop} were changed: +exports +order-editing" in said(given)
        page = await http.get(f"/settings/shops?edit={shop}")
        version = re.search(r'name="version" value="([^"]+)"', page.text)
        assert version
        await send(http, "shops", do="features", about=shop, feature=["exports"], version=unescape(version[1]))
        late = await send(http, "shops", do="features", about=shop, version=unescape(version[1]))
        assert late.status_code == 412
        assert "order-editing" in said(late)
        wrong = await send(http, "shops", do="features", about=shop, more="å")
        assert (wrong.status_code, "A feature is a short word" in wrong.text) == (422, True)


async def test_while_services_are_away_their_boxes_say_so(backoffice: Backoffice) -> None:
    system = backoffice.system
    known = dict(system.settings)
    for service in SERVICES:
        system.settings[f"BACKOFFICE_{service.upper()}_URL"] = "http://127.0.0.1:9"
    process = await system.start("backoffice", name="backoffice-alone")
    system.settings.update(known)
    url = f"http://127.0.0.1:{system.ports['backoffice-alone']}"
    async with httpx2.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        await sign_in(http, ADMINISTRATOR)
        tokens = await http.get("/settings/tokens")
        assert (tokens.status_code, tokens.text.count("This is not available now.")) == (200, 4)
        people = await http.get("/settings/people")
        assert (people.status_code, "The handler" in people.text) == (200, True)
        assert (await http.get("/settings/shop")).status_code == 503
    await process.stop()
