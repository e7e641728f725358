"""The list as people use it: what is looked for is found, many are handled at once, and each says what became of it."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from tests.builders import a_customer, an_order
from tests.plugins.backoffice import Backoffice, csrf_in

HANDLER = "handler@example.org"
FOLDERS = [{"id": "to-pack", "name": "Att packa"}, {"id": "abroad", "name": "Utland & tull"}]


@pytest.fixture
async def orders(backoffice: Backoffice) -> list[OrderSnapshot]:
    """Three orders of a name that no other test has, the last with a message."""
    await backoffice.system.open_a_shop(folders=FOLDERS)
    name = f"Q{uuid4().hex[:12]}"
    made = [
        an_order(customer=a_customer(full_name=f"{name} <b>{n}</b>"), message="Tack!" if n == 2 else "")
        for n in range(3)
    ]
    for order in made:
        assert (await backoffice.system.place(order)).is_success
    return made


def name_of(orders: list[OrderSnapshot]) -> str:
    return orders[0].customer.full_name.partition(" ")[0]


def numbers(page: httpx2.Response) -> list[str]:
    """The order numbers that a page lists."""
    return re.findall(r'<th scope="row" class="number"><a href="/orders/[^"]+">(\d+)</a>', page.text)


def boxes(page: httpx2.Response) -> list[str]:
    """What the boxes of the listed orders say."""
    return re.findall(r'name="order" value="([^"]+)"', page.text)


async def listed(http: httpx2.AsyncClient, orders: list[OrderSnapshot], **asked: Any) -> httpx2.Response:
    return await http.get("/orders", params={"q": name_of(orders), **asked})


async def send(http: httpx2.AsyncClient, page: httpx2.Response, said: Mapping[str, Any], **headers: str) -> str:
    """Sends the form of the list; gives the answer's words."""
    fields = {"csrf": csrf_in(page), "key": new_id(), "order": boxes(page), **said}
    answer = await http.post("/orders/several", data=fields, headers=headers)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


@pytest.mark.requirement("R001", "R002", "R003", "R004", "R017", "R101")
async def test_the_list_shows_orders_in_the_persons_language(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    words = {
        "sv": (
            "Order",
            "Ordernummer",
            "Intern status",
            "Orderstatus",
            "Obehandlad",
            "Meddelande från kund",
            "227,00 kr",
        ),
        "fi": ("Tilaukset", "Tilausnumero", "Käsittelyn tila", "Tilauksen tila", "Vastaanotettu", "Viesti asiakkaalta"),
        "en": ("Orders", "Order number", "Internal status", "Order status", "Unprocessed", "Message from customer"),
    }
    for language, said in words.items():
        async with backoffice.client(HANDLER, **{"accept-language": language}) as http:
            page = await listed(http, orders)
            assert f'<html lang="{language}">' in page.text
            for word in said:
                assert word in unescape(page.text).replace("\xa0", " "), (language, word)
            assert len(numbers(page)) == 3
            assert page.text.count('class="message yes"') == 1
            assert "&lt;b&gt;" in page.text
            assert "<b>" not in page.text
            assert page.text.count(f'href="/orders/{orders[0].id}"') == 2, "by its number, and by the icon"
            assert (await http.get(f"/orders/{orders[0].id}")).status_code == 200


async def test_a_language_once_chosen_stays(backoffice: Backoffice) -> None:
    email = f"{uuid4()}@example.org"
    await backoffice.add(email, {"nordic-tea": "viewer"})
    async with backoffice.client(email, **{"accept-language": "fi"}) as http:
        page = await http.get("/account")
        assert 'lang="fi"' in page.text
        answer = await http.post("/language", data={"csrf": csrf_in(page), "language": "sv", "next": "/account"})
        assert answer.headers["location"] == "/account"
        assert '<html lang="sv">' in (await http.get("/account")).text
        assert (await http.post("/language", data={"csrf": csrf_in(page), "language": "de"})).status_code == 422
    async with backoffice.client(email, **{"accept-language": "fi"}) as http:
        assert '<html lang="sv">' in (await http.get("/account")).text


@pytest.mark.requirement("R017")
async def test_people_choose_what_the_list_shows_and_their_browser_keeps_it(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await listed(http, orders)
        wanted = {"csrf": csrf_in(page), "back": "/orders?q=tea", "column": ["email", "goods", "folder", "nonsense"]}
        answer = await http.post("/orders/columns", data=wanted)
        assert (answer.status_code, answer.headers["location"]) == (303, "/orders?q=tea")
        page = await listed(http, orders)
        assert heads(page) == ["Order number", "E-mail", "Goods", "Folder"]
        assert orders[0].customer.email in page.text
        inside = await listed(http, orders, folder="root")
        assert heads(inside) == ["Order number", "E-mail", "Goods"], "all of them lie in it"
        assert re.search(r'value="folder" checked', inside.text), "and it is chosen still"
        await http.post("/orders/columns", data=wanted | {"as-at-first": "1", "back": "//evil.example"})
        assert "E-mail" not in heads(await listed(http, orders))


def heads(page: httpx2.Response) -> list[str]:
    """The columns that people read, without those of boxes and signs."""
    found = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page.text)
    said = (re.sub(r"<[^>]+>|[↓↑]", "", each).strip() for each in found if 'class="hidden"' not in each)
    return list(said)


@pytest.mark.parametrize("sort", ["name", "-amount", "-changed_at"])
async def test_the_list_is_sorted_by_what_its_columns_say(
    backoffice: Backoffice, orders: list[OrderSnapshot], sort: str
) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders, sort=sort)
        assert len(numbers(page)) == 3
        if sort == "name":
            expected = [order.customer.full_name[-5] for order in orders]
            assert re.findall(r"&lt;b&gt;(\d)&lt;", page.text.partition("<tbody>")[2]) == expected


async def test_pages_follow_each_other_and_sorting_turns_them_round(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    for _ in range(60):
        order = an_order(customer=a_customer(full_name=f"{name_of(orders)} more"))
        assert (await backoffice.system.place(order)).is_success
    async with backoffice.client(HANDLER) as http:
        first = await listed(http, orders, sort="number")
        following = re.search(r'rel="next" href="([^"]+)"', first.text)
        assert following
        second = await http.get(unescape(following[1]))
        seen = [int(number) for number in numbers(first) + numbers(second)]
        assert len(seen) == 63
        assert seen == sorted(seen)
        assert 'rel="next"' not in second.text
        last = await listed(http, orders, sort="-number")
        assert int(numbers(last)[0]) == max(seen)


@pytest.mark.requirement("R005", "R040", "R041", "R042")
async def test_orders_are_moved_to_a_folder_and_back(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders, folder="root")
        assert len(numbers(page)) == 3
        said = await send(http, page, {"action": "folder:abroad"})
        assert "3 of 3 done" in said
        assert numbers(await listed(http, orders, folder="root")) == []
        moved = await listed(http, orders, folder="abroad")
        assert sorted(numbers(moved)) == sorted(numbers(page))
        assert "Utland &amp; tull" in moved.text
        assert "1 of 1 done" in await send(http, moved, {"action": "folder:root", "order": boxes(moved)[:1]})
        assert len(numbers(await listed(http, orders, folder="root"))) == 1


@pytest.mark.requirement("R104", "R110")
async def test_many_are_processed_and_each_says_what_became_of_it(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders)
        await send(http, page, {"action": "internal:on-hold", "order": boxes(page)[:1]})
        said = await send(http, page, {"do": "process"})
        assert "2 of 3 done" in said
        assert "1 could not be done" in said
        assert "Somebody has changed the order meanwhile." in said, "it is not processed as nobody has seen it"
        again = await listed(http, orders)
        assert again.text.count("state processed") == 2
        person = await backoffice.ask("select id from person where email = $1", HANDLER)
        done = [order for order in orders if str(order.id) in page.text]
        entries = [entry for order in done for entry in await backoffice.system.timeline(order)]
        assert {e["actor"] for e in entries if e["summary"] == "order.processed"} == {f"person/{person}"}


async def test_what_is_sent_twice_happens_once(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders)
        for _ in range(2):
            assert "3 of 3 done" in await send(http, page, {"do": "process", "key": "the-key-of-one-form"})
        assert "Somebody has changed" in await send(http, page, {"do": "process"})


async def test_statuses_are_given_and_documents_asked_for(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders)
        for deed in ("internal:to-pick", "status:in-progress", "print:pick-list"):
            assert "3 of 3 done" in await send(http, page, {"action": deed}), deed
        after = await listed(http, orders)
        assert after.text.count("To be picked</span>") == 3
        assert after.text.count("In progress</span>") == 3
        assert "3 of 3 done" in await send(http, page, {"action": "internal:"})
        assert "To be picked</span>" not in (await listed(http, orders)).text
        await backoffice.system.noted(orders[0], "document.printed.v1")


async def test_a_step_at_a_time_with_scripts(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    for _ in range(9):
        assert (await backoffice.system.place(an_order(customer=a_customer(full_name=name_of(orders))))).is_success
    async with backoffice.client(HANDLER) as http:
        page, by_htmx = await listed(http, orders), {"hx-request": "true"}
        key = new_id()
        first = await send(http, page, {"action": "status:shipped", "key": key}, **by_htmx)
        assert "8 of 12 done" in first
        rest = {name: re.findall(f'name="{name}" value="([^"]*)"', first) for name in ("key", "do", "total", "done")}
        last = await send(http, page, rest | {"failed": "0", "order": boxes_of(first)}, **by_htmx)
        assert "12 of 12 done" in last
        assert "hx-trigger" not in last
        assert (await listed(http, orders)).text.count("Shipped</span>") == 12


def boxes_of(text: str) -> list[str]:
    return re.findall(r'name="order" value="([^"]+)"', text)


async def test_nonsense_is_refused_and_another_shops_order_is_not_there(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders)
        said: Mapping[str, Any]
        for said in (
            {"action": ""},
            {"action": "cancel"},
            {"action": "folder:"},
            {"action": "print:"},
            {"do": "process", "order": []},
            {"do": "process", "order": ["../x.1.1"]},
            {"do": "process", "order": ["1"]},
            {"do": "process", "order": [f"{uuid4()}.1.1" for _ in range(201)]},
        ):
            fields = {"csrf": csrf_in(page), "key": new_id(), "order": boxes(page)} | dict(said)
            assert (await http.post("/orders/several", data=fields)).status_code == 422, said
        unknown = await send(http, page, {"action": "folder:to-pack", "order": [f"{uuid4()}.1.77"]})
        assert "There is no such order." in unknown
        wrong = await send(http, page, {"action": "folder:no-such-folder"})
        assert wrong.count("The shop has no such folder.") == 3
        assert numbers(await listed(http, orders)) == numbers(page)


async def test_a_filter_is_saved_as_a_view_and_forgotten(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders, processing="unprocessed", placed_from="2026-11-01", placed_to="2026-11-30")
        name = f"View {uuid4()}"
        fields = {
            "csrf": csrf_in(page),
            "name": name,
            "q": name_of(orders),
            "processing": ["unprocessed", "partly"],
            "message": "true",
            "placed_from": "2026-11-01",
            "placed_to": "2026-11-30",
        }
        assert (await http.post("/views", data=fields)).status_code == 303
        shown = await http.get("/orders")
        link = re.search(rf'href="([^"]+)"[^>]*>{name}<', shown.text)
        assert link
        viewed = await http.get(unescape(link[1]))
        assert len(numbers(viewed)) == 1, (link[1], re.sub(r"<[^>]+>|\s+", " ", viewed.text)[-300:])
        assert 'name="placed_to" value="2026-11-30"' in viewed.text, "a day in the shop's own zone"
        remove = re.search(rf'action="(/views/[^"]+/remove)"[^\n]*{name}', viewed.text)
        assert remove
        assert (await http.post(unescape(remove[1]), data={"csrf": csrf_in(viewed)})).status_code == 303
        assert name not in (await http.get("/orders")).text
        assert (await http.post("/views", data=fields | {"name": " "})).status_code == 422


async def test_a_page_that_is_empty_says_what_helps(backoffice: Backoffice, orders: list[OrderSnapshot]) -> None:
    await backoffice.system.open_a_shop(folders=[*FOLDERS, {"id": "empty", "name": "Tom"}])
    async with backoffice.client(HANDLER) as http:
        assert "The search finds the beginnings of words" in (await http.get("/orders?q=zzzzzzzzz")).text
        assert "The folder is empty." in (await http.get("/orders?folder=empty")).text
        assert len(numbers(await listed(http, orders))) == 3


async def test_a_page_of_fifty_orders_has_less_than_a_hundred_kilobytes_with_everything(
    backoffice: Backoffice, orders: list[OrderSnapshot]
) -> None:
    for _ in range(50):
        assert (await backoffice.system.place(an_order(customer=a_customer(full_name=name_of(orders))))).is_success
    async with backoffice.client(HANDLER) as http:
        page = await listed(http, orders)
        assert len(numbers(page)) == 50
        files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
        assert len(files) >= 3
        assert len(page.content) < 100_000, "the page alone, where it is not compressed"
        as_a_browser = {"accept-encoding": "gzip", "sec-fetch-site": "same-origin"}
        sizes = []
        for address in (f"/orders?q={name_of(orders)}", *files):
            async with http.stream("GET", address, headers=as_a_browser) as answer:
                sizes.append(len(b"".join([part async for part in answer.aiter_raw()])))
    assert sum(sizes) < 60_000, sizes


async def test_whom_somebody_looks_for_stands_in_no_log(backoffice: Backoffice) -> None:
    name = f"Zacharias{uuid4().hex[:8]}"
    async with backoffice.client("viewer@example.org") as http:
        assert (await http.get("/orders", params={"q": name})).status_code == 200
    for service in ("backoffice", "orders"):
        assert name not in backoffice.system.log(service).read_text()
