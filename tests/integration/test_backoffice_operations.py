"""The operators' pages: for operators alone; they show what services say, and what is done is done once, with a why."""

import re
import shlex
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest

from services.backoffice.operations.kinds import DEEDS, KINDS
from shared.runtime.operator_sections import SECTIONS
from tests.builders import an_order
from tests.plugins.backoffice import Backoffice, csrf_in
from tests.plugins.operations import SERVICE, Troubles, troubles_in
from tests.plugins.operator import Answer, ops
from tests.plugins.waiting import eventually

OPERATOR = "operator@example.org"
ENGLISH = {"accept-language": "en"}
LINE = re.compile(r'<code id="([a-z0-9-]+)"[^>]*>([^<]+)</code>')
WHY = "the template is mended; it's in order"
PAGES = (
    "/operations",
    "/operations/dead",
    "/operations/asked",
    "/operations/dead/notifications/x",
    "/operations/dead/many?service=notifications&do=retry",
)


@pytest.fixture
async def made(backoffice: Backoffice) -> AsyncIterator[Troubles]:
    """Trouble in notifications, as a test makes it."""
    async with troubles_in(backoffice.system) as troubles:
        yield troubles


@pytest.fixture
async def http(backoffice: Backoffice) -> AsyncIterator[httpx2.AsyncClient]:
    """An operator without scripts."""
    async with backoffice.client(OPERATOR, **ENGLISH) as client:
        yield client


def item(kind: str, item_id: str) -> str:
    return f"/operations/{kind}/{SERVICE}/{quote(item_id, safe='')}"


def hidden(page: httpx2.Response, form: str = "") -> dict[str, str]:
    """The hidden fields of a form, by what its address or id has in it."""
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", page.text, re.DOTALL)
    (found,) = [each for each in forms if form in each]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', found))


def lines(page: httpx2.Response) -> dict[str, str]:
    """The commands that a page shows, by their places."""
    return {place: unescape(line) for place, line in LINE.findall(page.text)}


async def typed(backoffice: Backoffice, line: str, **more: Any) -> Answer:
    """The command as it was shown, typed with all databases in the environment."""
    named, *words = shlex.split(line)
    assert named == "ops"
    databases = backoffice.system.databases.items()
    known = ",".join(f"{service}={url}" for service, url in databases if service != "backoffice")
    return await ops(*words, env={"OPS_DATABASES": known}, **more)


@pytest.mark.parametrize("role", ["viewer", "handler", "administrator"])
async def test_who_is_no_operator_has_neither_the_pages_nor_the_menu(backoffice: Backoffice, role: str) -> None:
    async with backoffice.client(f"{role}@example.org", **ENGLISH) as client:
        assert 'href="/operations"' not in (await client.get("/orders")).text
        for address in PAGES:
            answer = await client.get(address)
            assert answer.status_code == 403, address
            assert "Your role in this shop does not include that." in answer.text
        csrf = csrf_in(await client.get("/account"))
        for address in ("/operations/dead/notifications/x", "/operations/dead/many", f"/operations/orders/{uuid4()}"):
            assert (await client.post(address, data={"csrf": csrf, "do": "retry"})).status_code == 403, address


async def test_whoever_has_not_signed_in_is_led_there(backoffice: Backoffice) -> None:
    async with backoffice.client() as client:
        for address in PAGES:
            assert (await client.get(address)).headers["location"].startswith("/sign-in")


async def test_where_nothing_is_wrong_the_overview_says_so(http: httpx2.AsyncClient) -> None:
    async def calm() -> httpx2.Response:
        page = await http.get("/operations")
        assert "Nothing needs a person." in page.text
        return page

    page = await eventually(calm)
    assert page.text.count("All normal") == 4
    assert 'aria-current="page">Operations</a>' in page.text
    for topic in ("orders.events", "orders.commands", "shops.facts"):
        assert topic in page.text
    empty = await http.get("/operations/dead")
    assert "No message has been given up." in empty.text


async def test_each_number_leads_to_a_list_that_is_as_long(made: Troubles, http: httpx2.AsyncClient) -> None:
    await made.one_of_each()
    await made.dead()
    overview = await http.get("/operations")
    for kind, found in made.ids.items():
        number = re.search(
            rf'id="need-{kind}" href="(/operations/{kind})".*?<strong>(\d+)</strong>', overview.text, re.DOTALL
        )
        assert number is not None, kind
        assert int(number[2]) == len(found)
        page = await http.get(f"{number[1]}?service={SERVICE}")
        for item_id in found:
            assert f'href="{item(kind, item_id)}"' in page.text, kind
        assert "asa@example.org" not in page.text
    assert "Nothing needs a person." not in overview.text


async def test_a_service_that_is_away_leaves_its_box_and_the_page_stands(
    backoffice: Backoffice, http: httpx2.AsyncClient
) -> None:
    await backoffice.system.processes["documents"].stop()
    try:
        page = await http.get("/operations")
        assert page.status_code == 200
        box = page.text.partition('id="service-documents"')[2].partition("</section>")[0]
        assert "Cannot be reached" in box
        assert page.text.count("Cannot be reached") == 1
        for address in ("/operations/dead", "/operations/asked"):
            listed = await http.get(address)
            assert listed.status_code == 200
            assert "This is not available now." in listed.text.partition('id="of-documents"')[2]
    finally:
        await backoffice.system.start("documents")


async def test_a_list_is_narrowed_turned_around_and_read_page_by_page(made: Troubles, http: httpx2.AsyncClient) -> None:
    for n in range(52):
        await made.dead("other-shop" if n == 51 else "nordic-tea")

    def shown(page: httpx2.Response) -> list[str]:
        return [
            unescape(each) for each in re.findall(r'class="button small" href="(/operations/dead/[^"]+)"', page.text)
        ]

    first = await http.get(f"/operations/dead?service={SERVICE}")
    following = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert following is not None
    second = await http.get(unescape(following[1]))
    assert [len(shown(page)) for page in (first, second)] == [50, 2]
    latest = await http.get(f"/operations/dead?service={SERVICE}&order=latest")
    assert shown(latest)[:2] == shown(second)[::-1]
    everywhere = await http.get("/operations/dead")
    assert len(shown(everywhere)) == 20
    assert "All of notifications" in everywhere.text
    for asked, expected in (
        ("shop=other-shop", 1),
        ("group=documents", 0),
        ("type=order.placed.v1&shop=other-shop", 1),
        ("type=order.noted.v1", 0),
        ("error=No+Sentence&shop=other-shop", 1),
        ("since=2020-01-01&shop=other-shop", 1),
        ("since=2999-01-01", 0),
    ):
        page = await http.get(f"/operations/dead?service={SERVICE}&{asked}")
        assert len(shown(page)) == expected, asked
        assert ("Nothing fits what was asked for." in page.text) is (expected == 0)
    assert (await http.get("/operations/dead?since=soon")).status_code == 422
    assert (await http.get("/operations/dead?shop=Not+A+Shop")).status_code == 422
    assert (await http.get("/operations/nonsense")).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
async def test_one_of_them_is_shown_in_full_with_personal_data_masked(
    made: Troubles, http: httpx2.AsyncClient, kind: str
) -> None:
    await made.one_of_each()
    page = await http.get(item(kind, made.ids[kind][0]))
    assert page.status_code == 200
    assert "asa" not in page.text
    for deed in DEEDS[kind]:
        assert f'id="deed-{deed.name}"' in page.text
    if kind == "dead":
        assert "a second line" in page.text
        assert "&#34;email&#34;: &#34;***&#34;" in page.text


def test_every_action_that_the_api_offers_is_a_way_out_here() -> None:
    offered = {(section.kind.name, action.name) for section in SECTIONS for action in section.actions}
    assert {(kind, deed.action) for kind, deeds in DEEDS.items() for deed in deeds} == offered


async def test_what_is_no_longer_there_is_said_kindly(http: httpx2.AsyncClient) -> None:
    page = await http.get(item("dead", "notifications:99999"))
    assert page.status_code == 404
    assert "It is no longer there" in page.text
    assert (await http.get("/operations/dead/nobody/x")).status_code == 404


async def test_a_repair_says_first_what_will_happen_and_is_then_done_once(
    made: Troubles, http: httpx2.AsyncClient
) -> None:
    address = item("dead", await made.dead())
    page = await http.get(address)
    sent = hidden(page, 'id="deed-skip"') | {"reason": WHY}
    sure = await http.post(address, data=sent)
    assert (sure.status_code, "What waits behind it goes on." in sure.text) == (200, True)
    assert await made.ask("select count(*) from inbox where state = 'dead'") == 1
    again = hidden(sure, 'name="sure"') | {"reason": WHY}
    for _ in range(2):
        done = await http.post(address, data=again)
        assert (done.status_code, "it is skipped; what waits behind it goes on" in done.text) == (200, True)
    assert await made.ask("select count(*) from inbox where state = 'dead'") == 0
    assert (await http.get(address)).status_code == 404
    asked = await http.get(f"/operations/asked?service={SERVICE}&mine=true")
    first = asked.text.partition("<tbody>")[2].partition("</tr>")[0]
    for said in ("Skip", "The operator", "Done", "it is skipped; what waits behind it goes on"):
        assert said in first
    assert WHY in unescape(first)


async def test_without_a_reason_where_one_is_needed_the_form_comes_back(
    made: Troubles, http: httpx2.AsyncClient
) -> None:
    address = item("unknown", await made.unknown())
    sent = hidden(await http.get(address), 'id="deed-happened"') | {"reason": "  ", "sure": "yes"}
    answer = await http.post(address, data=sent)
    assert (answer.status_code, "Write why." in answer.text) == (422, True)
    assert await made.ask("select count(*) from effect where state = 'unknown'") == 1


async def test_what_is_refused_is_said_with_the_reason(made: Troubles, http: httpx2.AsyncClient) -> None:
    address = item("quarantined", await made.quarantined())
    sure = await http.post(address, data=hidden(await http.get(address), "deed-re-ingest"))
    answer = await http.post(address, data=hidden(sure, 'name="sure"'))
    assert (answer.status_code, "Not done" in answer.text, "it stays" in answer.text) == (409, True, True)


async def test_only_the_gap_that_was_shown_is_accepted(made: Troubles, http: httpx2.AsyncClient) -> None:
    address = item("held", await made.held())
    sure = await http.post(address, data=hidden(await http.get(address), "deed-accept-gap") | {"reason": WHY})
    sent = hidden(sure, 'name="sure"') | {"reason": WHY}
    assert (sent["first"], sent["last"]) == ("4", "5")
    other = await http.post(address, data=sent | {"last": "4"})
    assert (other.status_code, "The gap is another one now, or gone." in other.text) == (409, True)
    assert (await http.post(address, data=sent | {"first": "four"})).status_code == 422


async def test_a_form_of_another_site_does_nothing(made: Troubles, http: httpx2.AsyncClient) -> None:
    address = item("dead", await made.dead())
    for wrong in ({"csrf": "x"}, {}):
        answer = await http.post(address, data={"do": "retry", "sure": "yes", "reason": "x"} | wrong)
        assert answer.status_code == 403
    foreign = hidden(await http.get(address), "deed-retry") | {"sure": "yes"}
    answer = await http.post(address, data=foreign, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert await made.ask("select count(*) from inbox where state = 'dead'") == 1


@pytest.mark.parametrize(("kind", "deed"), [(kind, deed.name) for kind, deeds in DEEDS.items() for deed in deeds])
async def test_the_command_that_is_shown_does_the_same(
    backoffice: Backoffice, made: Troubles, http: httpx2.AsyncClient, kind: str, deed: str
) -> None:
    value = {"quarantined": b"{}"}.get(kind)
    item_id = await (made.quarantined(value) if value else getattr(made, kind)())
    page = await http.get(item(kind, item_id))
    sure = await http.post(item(kind, item_id), data=hidden(page, f'id="deed-{deed}"') | {"reason": WHY})
    answer = await typed(backoffice, lines(sure)["line"])
    assert answer.code == (1 if kind == "quarantined" else 0), (answer.out, answer.err)
    assert f"{SERVICE}/{item_id}: " in answer.out + answer.err
    actor, action, reason, arguments = (
        await made.connection.fetch(
            "select actor, action, reason, arguments from repair order by position desc limit 1"
        )
    )[0]
    way = next(each for each in DEEDS[kind] if each.name == deed)
    assert (actor.startswith("person/"), action, reason) == (True, way.action, WHY)
    for name, said in way.said.items():
        assert f'"{name}": {str(said).lower()}' in arguments
    shown = lines(page).get("line-show")
    assert shown is not None
    if kind == "quarantined":
        assert (await typed(backoffice, shown)).code == 0


async def test_the_command_for_many_takes_those_of_the_filter_and_of_that_service(
    backoffice: Backoffice, made: Troubles, http: httpx2.AsyncClient
) -> None:
    for shop in ("nordic-tea", "nordic-tea", "other-shop"):
        await made.dead(shop)
    asked = f"service={SERVICE}&shop=nordic-tea&type=order.placed.v1&since=2020-01-01&error=no+sentence"
    page = await http.get(f"/operations/dead/many?do=skip&{asked}")
    assert "2 fit in notifications." in page.text
    wrong = await http.post("/operations/dead/many", data=hidden(page, 'action="/operations/dead/many"'))
    assert (wrong.status_code, "Write why." in wrong.text) == (422, True)
    answer = await typed(backoffice, lines(page)["line"], says="y\n")
    assert (answer.code, "done: 2 things" in answer.out) == (0, True), (answer.out, answer.err)
    assert await made.ask("select count(*) from inbox where state = 'dead'") == 1
    everything = await http.get(f"/operations/dead/many?do=retry&service={SERVICE}")
    answer = await typed(backoffice, f"{lines(everything)['line']} --dry-run")
    assert (answer.code, "1 thing in all" in answer.out) == (0, True)


async def test_many_are_left_at_the_desk_and_their_outcomes_are_shown(made: Troubles, http: httpx2.AsyncClient) -> None:
    for value in (b"{}", b"[]", b"1"):
        await made.quarantined(value)
    page = await http.get(f"/operations/quarantined/many?do=re-ingest&service={SERVICE}&error=no+json")
    asked = await http.post("/operations/quarantined/many", data=hidden(page, 'name="service"'))
    assert asked.status_code == 303

    async def finished() -> httpx2.Response:
        shown = await http.get(asked.headers["location"])
        assert "3 refused" in shown.text
        return shown

    shown = await eventually(finished)
    assert "0 of 3 done" in shown.text
    assert shown.text.count("came-refused") == 3
    assert 'hx-trigger="load' not in shown.text.partition('id="asked"')[2]
    nothing = await http.get(f"/operations/quarantined/many?do=re-ingest&service={SERVICE}&error=zzz")
    assert "Nothing fits what was asked for." in nothing.text
    assert (await http.get("/operations/quarantined/many?do=re-ingest")).status_code == 404
    assert (await http.get(f"/operations/quarantined/many?do=skip&service={SERVICE}")).status_code == 404


async def test_what_waits_at_the_desk_is_shown_with_the_command_that_takes_it_back(
    backoffice: Backoffice, made: Troubles, http: httpx2.AsyncClient
) -> None:
    await made.unknown()
    system = backoffice.system
    await system.processes[SERVICE].stop()
    await system.start(SERVICE, roles="api")
    try:
        page = await http.get(f"/operations/unknown/many?do=happened&service={SERVICE}")
        sent = hidden(page, 'name="service"') | {"reason": WHY}
        asked = (await http.post("/operations/unknown/many", data=sent)).headers["location"]
        assert (await http.post("/operations/unknown/many", data=sent)).headers["location"] == asked
        shown = await http.get(asked)
        assert "0 of 1 done" in shown.text
        assert 'hx-trigger="load delay:1s' in shown.text
        overview = await http.get("/operations")
        assert f'id="{SERVICE}-asked" href="/operations/asked?service={SERVICE}&amp;state=asked"' in overview.text
        (line,) = [line for place, line in lines(shown).items() if place.startswith("withdraw-")]
        answer = await typed(backoffice, line)
        assert (answer.code, answer.out.startswith("taken back: ")) == (0, True), answer.err
        after = await http.get(asked)
        assert "1 refused" in after.text
        assert "taken back by operator" in after.text
    finally:
        await system.processes[SERVICE].stop()
        await system.start(SERVICE)
    for state in ("asked", "done", "refused"):
        assert (await http.get(f"/operations/asked?state={state}")).status_code == 200
    assert (await http.get("/operations/asked?state=odd")).status_code == 422


async def test_an_order_opens_in_the_shop_that_it_is_of(
    backoffice: Backoffice, made: Troubles, http: httpx2.AsyncClient
) -> None:
    order = an_order(id=uuid4())
    assert (await backoffice.system.place(order)).is_success
    page = await http.get(item("dead", await made.dead()))
    csrf = csrf_in(page)
    answer = await http.post(f"/operations/orders/{order.id}", data={"csrf": csrf, "shop": order.shop})
    assert answer.headers["location"] == f"/orders/{order.id}"
    assert (await http.get(f"/orders/{order.id}")).status_code == 200
    assert f'<a href="/orders/{made_order(page)}"' in (await http.get(str(page.url.path))).text
    wrong = await http.post(f"/operations/orders/{order.id}", data={"csrf": csrf, "shop": "*"})
    assert wrong.status_code == 404


def made_order(page: httpx2.Response) -> str:
    found = re.search(r'action="/operations/orders/([0-9a-f-]+)"', page.text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("language", ["sv", "fi", "en"])
async def test_every_page_is_written_in_each_language(backoffice: Backoffice, made: Troubles, language: str) -> None:
    await made.one_of_each()
    async with backoffice.client(OPERATOR, **{"accept-language": language}) as client:
        for address in ("/operations", "/operations/asked", *(f"/operations/{kind}" for kind in KINDS)):
            page = await client.get(address)
            assert (page.status_code, f'<html lang="{language}">' in page.text) == (200, True), address
        for kind, (item_id, *_) in made.ids.items():
            assert (await client.get(item(kind, item_id))).status_code == 200
