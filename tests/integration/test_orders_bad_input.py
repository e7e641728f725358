"""Whatever a caller sends gets its clear answer as a problem: nothing is stored, and nothing ends in a 500."""

import asyncio
import base64
import json
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from shared.contracts.message import new_id
from tests.builders import a_shop, an_order, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone

Change = Callable[[dict[str, Any]], object]


def document() -> dict[str, Any]:
    """A good order."""
    sent: dict[str, Any] = to_place(an_order(message="Ring på!")).model_dump(mode="json")
    return sent


def with_raw(place: str, value: bytes) -> bytes:
    """A good order with these bytes as one line's member."""
    sent = document()
    sent["lines"][0][place] = "HERE"
    return json.dumps(sent).encode().replace(b'"HERE"', value)


def line(**fields: Any) -> Change:
    return lambda sent: sent["lines"][0].update(fields)


def order(**fields: Any) -> Change:
    return lambda sent: sent.update(fields)


def customer(**fields: Any) -> Change:
    return lambda sent: sent["customer"].update(fields)


NOT_VALID: dict[str, tuple[Change, str]] = {
    "no quantity": (line(quantity=0), "#/lines/0/quantity"),
    "negative quantity": (line(quantity=-1), "#/lines/0/quantity"),
    "huge quantity": (line(quantity=10**7), "#/lines/0/quantity"),
    "quantity of a half": (line(quantity=1.5), "#/lines/0/quantity"),
    "quantity as text": (line(quantity="2"), "#/lines/0/quantity"),
    "quantity true": (line(quantity=True), "#/lines/0/quantity"),
    "negative price": (line(unit_price=-1), "#/lines/0/unit_price"),
    "huge price": (line(unit_price=10**13), "#/lines/0/unit_price"),
    "price with decimals": (line(unit_price=89.5), "#/lines/0/unit_price"),
    "discount above the line": (line(quantity=1, unit_price=100, discount=101), "#/lines/0"),
    "vat above all": (line(vat_rate="101"), "#/lines/0/vat_rate"),
    "vat of three decimals": (line(vat_rate="25.125"), "#/lines/0/vat_rate"),
    "vat not a number": (line(vat_rate="NaN"), "#/lines/0/vat_rate"),
    "no name": (line(name="   "), "#/lines/0/name"),
    "a name of two lines": (line(name="Te\nmed mjölk"), "#/lines/0/name"),
    "a name without end": (line(name="å" * 201), "#/lines/0/name"),
    "a nul in a name": (line(name="Te\x00"), "#/lines/0/name"),
    "a nul in a text": (order(message="Ring\x00"), "#/message"),
    "unknown kind": (line(kind="imaginary"), "#/lines/0/kind"),
    "unknown field of a line": (line(colour="blue"), "#/lines/0/colour"),
    "unknown field": (order(colour="blue"), "#/colour"),
    "unknown currency": (order(currency="XYZ"), "#/currency"),
    "currency in lower case": (order(currency="sek"), "#/currency"),
    "unknown language": (order(language="no"), "#/language"),
    "no lines": (order(lines=[]), "#/lines"),
    "lines of nothing": (order(lines=[None]), "#/lines/0"),
    "no delivery": (lambda sent: sent.pop("delivery"), "#/delivery"),
    "an id that is none": (order(order_id="7"), "#/order_id"),
    "a time without zone": (order(placed_at="2026-11-25T12:00:00"), "#/placed_at"),
    "no such day": (order(placed_at="2026-02-30T12:00:00Z"), "#/placed_at"),
    "an exchange rate of nothing": (order(exchange_rate="0"), "#/exchange_rate"),
    "no address of a mail": (customer(email="asa"), "#/customer/email"),
    "a mail's address with a line break": (customer(email="a@b.se\nBcc: c@d.se"), "#/customer/email"),
    "a personal identity number": (
        customer(personal_identity_number="19900101-1234"),
        "#/customer/personal_identity_number",
    ),
    "no country": (lambda sent: sent["customer"]["address"].update(country="Sverige"), "#/customer/address/country"),
    "duplicate line ids": (lambda sent: sent["lines"].append(sent["lines"][0]), "#"),
    "more than 2,000 lines": (lambda sent: sent.update(lines=sent["lines"] * 2001), "#/lines"),
}


async def test_every_field_that_is_wrong_is_named(tea: Caller, orders_alone: OrdersAlone) -> None:
    answered = {}
    for case, (change, _) in NOT_VALID.items():
        sent = document()
        change(sent)
        answer = await tea.place(sent)
        assert problem(answer) == (422, "/problems/invalid-request"), case
        assert "19900101" not in answer.text
        answered[case] = [fault["pointer"] for fault in answer.json()["errors"]]
    assert {case for case, (_, pointer) in NOT_VALID.items() if pointer not in answered[case]} == set()
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 0


MALFORMED = (400, "/problems/malformed-json")
INVALID = (422, "/problems/invalid-request")
NO_ORDERS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "NaN": (with_raw("unit_price", b"NaN"), INVALID),
    "-Infinity": (with_raw("unit_price", b"-Infinity"), INVALID),
    "1e400": (with_raw("unit_price", b"1e400"), INVALID),
    "1e400 as a rate": (with_raw("vat_rate", b"1e400"), INVALID),
    "5,000 digits": (with_raw("quantity", b"9" * 5_000), MALFORMED),
    "a lone surrogate": (with_raw("name", b'"\\ud800"'), MALFORMED),
    "no UTF-8": (with_raw("name", b'"\xff\xfe"'), MALFORMED),
    "a surrogate in UTF-8": (with_raw("name", b'"\xed\xa0\x80"'), MALFORMED),
    "10,000 lists": (b"[" * 10_000 + b"]" * 10_000, MALFORMED),
    "10,000 objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, MALFORMED),
    "10,000 lists for a name": (with_raw("name", b"[" * 10_000 + b"]" * 10_000), MALFORMED),
    "nothing": (b"", MALFORMED),
    "the beginning of something": (b"{", MALFORMED),
    "null": (b"null", INVALID),
    "a list": (b"[]", INVALID),
    "a text": (b'"order"', INVALID),
    "10 MB": (b" " * 10 * 1024 * 1024, (413, "/problems/too-large")),
}


async def test_a_body_that_is_no_order_is_refused(tea: Caller) -> None:
    answered = {case: problem(await tea.place(body)) for case, (body, _) in NO_ORDERS.items()}
    assert answered == {case: expected for case, (_, expected) in NO_ORDERS.items()}


NOT_ACCEPTED: dict[str, tuple[Change, str]] = {
    "more money than there is": (line(quantity=10**6, unit_price=10**12), "amount-too-large"),
    "an order of tomorrow's tomorrow": (order(placed_at="2999-01-01T00:00:00Z"), "placed-at-impossible"),
    "an order before the year 1": (order(placed_at="0001-01-01T00:00:00+14:00"), "placed-at-impossible"),
    "an order after the year 9999": (order(placed_at="9999-12-31T23:59:59-14:00"), "placed-at-impossible"),
    "an order too large as an event": (
        lambda sent: sent.update(lines=[{**sent["lines"][0], "line_id": f"{n:0128}"} for n in range(1_900)]),
        "order-too-large",
    ),
}


async def test_what_can_be_read_and_not_be_accepted_is_refused_with_a_reason(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    for case, (change, reason) in NOT_ACCEPTED.items():
        sent = document()
        change(sent)
        assert problem(await tea.place(sent)) == (422, f"/problems/{reason}"), case
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 0


async def test_a_body_that_is_not_declared_as_json_is_refused(tea: Caller) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
        answer = await tea.place(document(), **{"content-type": content_type})
        assert problem(answer) == (415, "/problems/unsupported-media-type")


async def test_a_key_is_needed_and_is_short_printable_ascii(tea: Caller) -> None:
    assert problem(await tea.client.post("/v1/orders", json=document())) == INVALID
    for key in ("", "with a blank", "å", "x" * 129):
        headers = [(b"content-type", b"application/json"), (b"idempotency-key", key.encode("latin-1"))]
        answer = await tea.client.post("/v1/orders", content=json.dumps(document()), headers=headers)
        assert problem(answer) == INVALID


async def test_a_token_that_is_none_is_refused(tea: Caller) -> None:
    for authorization in ("", "Bearer", "Bearer x", "Basic eDp4", "Bearer ot_0000000000000000_" + "A" * 43):
        answer = await tea.place(document(), authorization=authorization)
        assert problem(answer) == (401, "/problems/unauthorized")
        assert "www-authenticate" in answer.headers


async def test_a_shop_that_is_not_there_is_refused(call_as: CallAs) -> None:
    answer = await (await call_as("no-such-shop")).place(document())
    assert problem(answer) == (422, "/problems/unknown-shop")


WRONG_ADDRESSES: list[tuple[str, dict[str, Any], int]] = [
    ("7", {}, 422),
    ("%00", {}, 422),
    ("{id}/log", {"after": "-1"}, 422),
    ("{id}/log", {"after": "x"}, 422),
    ("{id}/log", {"after": str(2**70)}, 422),
    ("{id}/log", {"limit": "0"}, 422),
    ("{id}/log", {"limit": "501"}, 422),
    ("{id}/log", {"type": "a b"}, 422),
    ("{id}/log", {"type": "a\x00b"}, 422),
    ("{id}/log", {"type": ["t"] * 21}, 422),
    ("{id}/nothing", {}, 404),
]


async def test_a_wrong_address_is_refused(tea: Caller) -> None:
    sent = document()
    await tea.place(sent)
    for path, parameters, expected in WRONG_ADDRESSES:
        answer = await tea.get(path.format(id=sent["order_id"]), **parameters)
        assert problem(answer)[0] == expected, (path, parameters)


async def test_a_wish_for_a_confirmation_that_is_none_is_refused(tea: Caller) -> None:
    sent = document()
    await tea.place(sent)
    for body in ({"content": "as-ever"}, {"content": None}, {"colour": "blue"}):
        assert problem(await tea.confirm(sent["order_id"], **body)) == INVALID


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"]


@pytest.mark.requirement("R208")
async def test_of_two_people_who_edit_at_once_one_is_told_of_the_other(tea: Caller) -> None:
    sent = document()
    etag = (await tea.place(sent)).headers["etag"]

    async def edit(text: str) -> httpx2.Response:
        headers = {"idempotency-key": new_id(), "if-match": etag}
        path = f"/v1/orders/{sent['order_id']}/contact"
        return await tea.client.post(path, json={"full_name": text}, headers=headers)

    names = [f"Åsa {n}" for n in range(8)]
    answers = await asyncio.gather(*map(edit, names))
    (done,) = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    others = [answer for answer in answers if answer.status_code != 200]
    assert {problem(answer) for answer in others} == {(412, "/problems/version-conflict")}
    for answer in others:
        assert re.search(r"token/[0-9a-f]{16} at 20\d\d-", answer.json()["detail"]), "it says who, and when"
    order = (await tea.get(sent["order_id"])).json()
    assert (order["version"], order["customer"]["full_name"]) == (2, names[done])


MANY = 1_000_000


async def test_a_filter_of_a_million_lines_is_refused_before_it_is_looked_at(tea: Caller) -> None:
    values = "\n".join(f"TEA-{n}" for n in range(MANY))
    view = json.dumps({"name": "Alla", "filter": {"article": values.split("\n")}})
    answer = await tea.client.put("/v1/views/all", content=view, headers={"content-type": "application/json"})
    assert problem(answer) == (413, "/problems/too-large")
    several = {"name": "Alla", "filter": {"article": [f"TEA-{n}" for n in range(51)]}}
    assert problem(await tea.client.put("/v1/views/all", json=several)) == INVALID
    of_lines = {"name": "Alla", "filter": {"article": ["\n".join(f"TEA-{n}" for n in range(50_000))]}}
    assert problem(await tea.client.put("/v1/views/all", json=of_lines)) == INVALID
    assert (await tea.client.get("/v1/views")).json() == {"views": []}
    for field in ("status", "article", "email", "customer_id", "processing"):
        many = {field: ["unprocessed"] * 51}
        assert problem(await tea.client.get("/v1/orders", params=many)) == INVALID, field


async def test_a_search_of_ten_thousand_characters_is_answered(tea: Caller) -> None:
    sent = document()
    await tea.place(sent)
    for text in ("å" * 10_000, "å " * 5_000, "'" * 10_000, "a" * 3_000 + "\x00", "<->" * 3_000):
        assert problem(await tea.client.get("/v1/orders", params={"q": text})) == INVALID, text[:10]
        assert problem(await tea.client.get("/v1/orders/count", params={"q": text})) == INVALID, text[:10]
    for text in ("å" * 2_000, "å " * 1_000, "' & | ! ( ) : * < > \\ " * 90, "\u2028\u200b\ufeff" * 600, "Te" * 999):
        for path in ("/v1/orders", "/v1/orders/count"):
            answer = await tea.client.get(path, params={"q": text[:2_000]})
            assert answer.status_code == 200, (text[:10], answer.text)


async def test_a_cursor_of_another_list_is_refused(tea: Caller, call_as: CallAs, orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    other = await call_as("other-shop")
    for caller in (tea, tea, other, other):
        assert (await caller.place(document())).status_code == 201
    theirs = (await other.client.get("/v1/orders", params={"limit": 1})).json()["next"]
    own = (await tea.client.get("/v1/orders", params={"limit": 1})).json()["next"]
    assert (await tea.client.get("/v1/orders", params={"after": own})).status_code == 200
    refused = {
        "of another shop": {"after": theirs},
        "of another sorting": {"after": own, "sort": "number"},
        "cut off": {"after": own[:-5]},
        "nothing of ours": {"after": "x" * 500},
        "not ascii": {"after": "å" * 20},
    }
    refused |= {f"forged: {said}": {"after": forged(said), "sort": sort} for said, sort in FORGED}
    for case, parameters in refused.items():
        assert problem(await tea.client.get("/v1/orders", params=parameters)) == WRONG_CURSOR, case
    assert problem(await tea.client.get("/v1/orders", params={"after": "x" * 501})) == INVALID


WRONG_CURSOR = (422, "/problems/wrong-cursor")
AN_ID = "01a213cc-0338-7a51-9c3e-5f0b7d2a1e44"
FORGED: list[tuple[str, str]] = [
    (f'["nordic-tea", "number", {10**30}, "{AN_ID}"]', "number"),
    (f'["nordic-tea", "number", 1e400, "{AN_ID}"]', "number"),
    (f'["nordic-tea", "number", NaN, "{AN_ID}"]', "number"),
    (f'["nordic-tea", "number", null, "{AN_ID}"]', "number"),
    (f'["nordic-tea", "number", [1], "{AN_ID}"]', "number"),
    ('["nordic-tea", "number", 1, 7]', "number"),
    (f'["nordic-tea", "-placed_at", "2026-11-25T12:00:00", "{AN_ID}"]', "-placed_at"),
    (f'["nordic-tea", "-placed_at", "0001-01-01T00:00:00+14:00", "{AN_ID}"]', "-placed_at"),
    (f'["nordic-tea", "-placed_at", "9999-12-31T23:59:59-14:00", "{AN_ID}"]', "-placed_at"),
    (f'["nordic-tea", "-placed_at", 7, "{AN_ID}"]', "-placed_at"),
    ("[" * 300, "number"),
    ("{}", "number"),
    ("7", "number"),
    ('["a", "b", "c", "d", "e"]', "number"),
]


def forged(said: str) -> str:
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


async def test_a_filter_at_the_ends_of_time_is_answered(tea: Caller) -> None:
    await tea.place(document())
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"):
        for field in ("placed_from", "placed_before"):
            for path in ("/v1/orders", "/v1/orders/count"):
                answer = await tea.client.get(path, params={field: moment})
                assert answer.status_code in {200, 422}, (moment, field, answer.text)
            view = {"name": "Alla", "filter": {field: moment}}
            answer = await tea.client.put("/v1/views/ends", json=view)
            assert answer.status_code in {204, 422}
