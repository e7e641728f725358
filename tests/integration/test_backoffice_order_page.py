"""The page of one order without a browser: what it shows, what it refuses, and that nothing that was typed is lost."""

import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.contracts.order import Delivery, OrderSnapshot
from tests.builders import a_customer, a_line, an_address, an_order
from tests.plugins.backoffice import Backoffice

HANDLER, VIEWER, ADMINISTRATOR = "handler@example.org", "viewer@example.org", "administrator@example.org"
FORMS = (
    "process",
    "ship",
    "deliver",
    "back-order",
    "return",
    "claim",
    "credit",
    "cancel",
    "book-shipment",
    "confirm-payment",
    "capture",
    "refund",
    "void",
    "cancel-shipment",
    "transfer",
    "contact",
    "customer",
    "message",
    "line-status",
)


def hidden(page: httpx2.Response) -> dict[str, str]:
    """What every form of the page says of itself."""
    names = ("csrf", "key", "version", "seen")
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page.text)[-1] for name in names}


def three_lines() -> list[Any]:
    return [
        a_line(name="Sencha, 100 g", quantity=3, stock_location="A-12", weight_g=120, volume_ml=300),
        a_line(name="Tekanna", article_number="POT-1", quantity=1, unit_price=34900, vat_rate=Decimal(25)),
        a_line(name="Presentkort", article_number="GIFT", kind="digital", quantity=1, unit_price=50000),
    ]


async def placed(backoffice: Backoffice, **changes: Any) -> OrderSnapshot:
    """An order of three lines, confirmed to its customer."""
    fields: dict[str, Any] = {
        "lines": three_lines(),
        "message": "Ring innan ni levererar, tack.",
        "delivery": Delivery(
            method="parcel",
            name="PostNord ombud",
            price=4900,
            pick_up_point="ICA Nära Hornstull",
            promised_date=date(2026, 11, 30),
        ),
    }
    order = an_order(**fields | changes)
    assert (await backoffice.system.place(order)).is_success
    await backoffice.system.noted(order, "message.sent.v1")
    return order


async def do(http: httpx2.AsyncClient, page: httpx2.Response, name: str, **fields: Any) -> httpx2.Response:
    """Sends a form of the page, as a browser without scripts does."""
    path = page.url.path.partition("/do/")[0]
    return await http.post(f"{path}/do/{name}", data=hidden(page) | fields, follow_redirects=True)


@pytest.mark.requirement("R006", "R007", "R016", "R024", "R027", "R028", "R029", "R101", "R102", "R103", "R134")
async def test_the_page_has_everything_of_the_order(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        page = await http.get(f"/orders/{order.id}")
        said = ["Sencha, 100 g", "TEA-100", "A-12", "120 g", "300 ml", "ICA Nära Hornstull", "30 november 2026", "Root"]
        said += ["Ring innan ni levererar", "asa.oberg@example.org", "+46 70 123 45 67", "Hornsgatan 12"]
        said += ["Orderstatus", "Intern status", "Behandling", "Orderbekräftelse", "Ordern kom in", "Totala summan"]
        assert [each for each in said if each not in page.text] == []
        assert "Leveransadress" not in page.text


@pytest.mark.requirement("R017", "R018", "R019", "R020", "R021", "R022", "R023")
async def test_more_information_opens_from_an_icon_of_its_own(backoffice: Backoffice) -> None:
    more = {"currency": "EUR", "exchange_rate": Decimal("11.25"), "ip_address": "192.0.2.7", "message": ""}
    order = await placed(backoffice, customer=a_customer(customer_id="c-17"), **more)
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}")
        facts = page.text.partition("More information")[2].partition("</details>")[0]
        for said in (str(order.id), "EUR", "11.25", "192.0.2.7", "c-17"):
            assert said in facts
        assert "No message" in page.text


@pytest.mark.requirement("R014", "R015")
async def test_a_delivery_address_is_shown_where_it_is_another_one_only(backoffice: Backoffice) -> None:
    other = await placed(backoffice, delivery_address=an_address(street="Köpmangatan 1"))
    same = await placed(backoffice, delivery_address=a_customer().address)
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        assert "Leveransadress" in (await http.get(f"/orders/{other.id}")).text
        assert "Leveransadress" not in (await http.get(f"/orders/{same.id}")).text


@pytest.mark.parametrize("language", ["sv", "fi", "en"])
async def test_every_form_opens_in_every_language(backoffice: Backoffice, language: str) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": language}) as http:
        for name in FORMS:
            page = await http.get(f"/orders/{order.id}?do={name}")
            assert page.status_code == 200, name
            assert f'action="/orders/{order.id}/do/{name}"' in page.text
            assert f'<html lang="{language}">' in page.text


@pytest.mark.requirement("R110")
async def test_a_part_is_processed_and_the_rest_stays_open(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    first, second, third = order.lines
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}?do=process")
        assert re.findall(r'name="units\.[^"]+" value="(\d+)"', page.text) == ["3", "1", "1"]
        sent = {f"units.{first.line_id}": "2", f"units.{second.line_id}": "", f"units.{third.line_id}": "0"}
        after = await do(http, page, "process", **sent)
        assert after.status_code == 200
        for said in ("the order was processed", "Partly processed", "2 shipped", "1 open", "2 units sent"):
            assert said in after.text


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("process", {"units.x": "two"}, "A number is not a whole one."),
        ("ship", {"units.x": "0", "reason": "Kept as typed"}, "Say how many"),
        ("ship", {"units.x": "1", "reason": "Kept as typed"}, "The order has no such line."),
        ("confirm-payment", {"amount": "12,345", "reason": "Kept as typed"}, "The amount cannot be understood."),
        ("confirm-payment", {"amount": "-5"}, "The amount cannot be understood."),
        ("message", {"to": "other", "headline": "Kept as typed", "text": "Hello"}, "Write the address"),
        ("message", {"to": "customer", "headline": "Kept as typed", "text": " "}, "Write a subject and a text."),
        ("message", {"to": "other", "to_address": "no", "headline": "Kept as typed", "text": "x"}, "understood"),
        ("capture", {"amount": "10"}, "The shop has not connected this."),
        ("line-status", {"line": "x", "status": "nonsense"}, "no such"),
        ("status", {"status": "nonsense"}, "The shop has no such status."),
        ("folder", {"folder": "nonsense"}, "The shop has no such folder."),
        ("comment", {"text": " "}, "Write something first."),
        ("delete-comment", {"comment_id": "nonsense"}, "There is no such comment."),
        ("customer", {"customer_id": "Kept as typed"}, "understood"),
    ],
)
async def test_what_is_refused_is_said_and_what_was_typed_is_kept(
    backoffice: Backoffice, name: str, typed: dict[str, str], said: str
) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        answer = await do(http, await http.get(f"/orders/{order.id}"), name, **typed)
        assert 400 <= answer.status_code < 500
        assert said in answer.text
        assert "Kept as typed" in answer.text or "Kept as typed" not in typed.values()


@pytest.mark.requirement("R208")
async def test_the_second_of_two_people_is_told_who_was_faster_and_keeps_what_they_wrote(
    backoffice: Backoffice,
) -> None:
    order = await placed(backoffice)
    async with (
        backoffice.client(HANDLER, **{"accept-language": "en"}) as one,
        backoffice.client(ADMINISTRATOR, **{"accept-language": "en"}) as other,
    ):
        mine, theirs = await one.get(f"/orders/{order.id}"), await other.get(f"/orders/{order.id}")
        assert (await do(other, theirs, "internal-status", status="on-hold")).status_code == 200
        refused = await do(one, mine, "comment", text="Wrap it as a present.")
        assert refused.status_code == 412
        for said in ("Internal status: On hold", "The administrator", "Wrap it as a present.</textarea>"):
            assert said in refused.text
        assert (await do(one, refused, "comment", text="Wrap it as a present.")).status_code == 200


async def test_a_form_that_is_sent_twice_is_done_once(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER) as http:
        page = await http.get(f"/orders/{order.id}")
        for _ in range(2):
            assert (await do(http, page, "comment", text="Once.")).status_code == 200
    entries = await backoffice.system.noted(order, "order.noted.v1", 2)
    assert [entry["summary"] for entry in entries].count("order.comment-added") == 1


async def test_who_may_only_look_has_no_button_and_is_refused(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(VIEWER) as http:
        page = await http.get(f"/orders/{order.id}?do=process")
        assert page.status_code == 200
        inside = page.text.partition('<main id="main"')[2]
        assert "<form" not in inside
        assert "<button" not in inside
        assert "?do=" not in inside
        csrf = re.findall(r'name="csrf" value="([^"]*)"', page.text)[0]
        answer = await http.post(f"/orders/{order.id}/do/process", data={"csrf": csrf, "version": "1", "key": "k"})
        assert answer.status_code == 403


async def test_no_form_is_taken_without_the_secret_or_the_version(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER) as http:
        page = await http.get(f"/orders/{order.id}")
        sent = hidden(page) | {"text": "x"}
        for name, value in (("csrf", "wrong"), ("version", ""), ("version", "٣"), ("version", "9" * 30)):
            answer = await http.post(f"/orders/{order.id}/do/comment", data=sent | {name: value})
            assert answer.status_code in {403, 422}
        assert (await http.post(f"/orders/{order.id}/do/nonsense", data=sent)).status_code == 404
    assert len(await backoffice.system.timeline(order)) == 2


@pytest.mark.requirement("R065", "R066")
async def test_a_deleted_comment_is_deleted_and_stays(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await do(http, await http.get(f"/orders/{order.id}"), "comment", text="<b>Wrap</b> it")
        assert "&lt;b&gt;Wrap&lt;/b&gt; it" in page.text
        (comment,) = re.findall(r'name="comment_id" value="([^"]+)"', page.text)
        page = await do(http, page, "delete-comment", comment_id=comment)
        assert page.text.count("<del>&lt;b&gt;Wrap&lt;/b&gt; it</del>") == 3
        assert "Deleted by The handler" in " ".join(page.text.split())


@pytest.mark.requirement("R067", "R106")
async def test_a_printed_document_opens_here_for_its_own_order_alone(backoffice: Backoffice) -> None:
    order, other = await placed(backoffice), await placed(backoffice)
    async with backoffice.client(HANDLER) as http:
        await do(http, await http.get(f"/orders/{order.id}"), "print", document="pick-list")
        (entry,) = await backoffice.system.noted(order, "document.printed.v1")
        page = await http.get(f"/orders/{order.id}")
        (link,) = re.findall(r'href="(/orders/[^"]+/documents/[^"]+)"', page.text)
        paper = await http.get(link)
        assert paper.headers["content-type"] == "application/pdf"
        assert paper.content.startswith(b"%PDF-")
        assert "no-store" in paper.headers["cache-control"]
        assert (await http.get(link.replace(str(order.id), str(other.id)))).status_code == 404
        assert (await http.get(f"/orders/{order.id}/documents/{uuid4()}/x.pdf")).status_code == 404
        assert entry["data"]["document_id"] in link


@pytest.mark.requirement("R119", "R120")
async def test_html_is_shown_in_a_frame_that_can_do_nothing(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    text = "<p>Hej <b>Åsa</b></p><script>alert(1)</script><img src=x onerror=alert(1)>"
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}?do=message")
        shown = await do(http, page, "message", to="customer", headline="Hej", text=text, format="html", preview="1")
        (frame,) = re.findall(r'<iframe sandbox srcdoc="([^"]*)"', shown.text)
        assert "&lt;b&gt;Åsa&lt;/b&gt;" in frame
        assert "alert" not in frame
        assert "<script>alert" not in shown.text
        assert "onerror" not in frame
        assert len(await backoffice.system.timeline(order)) == 2
        sent = await do(http, shown, "message", to="customer", headline="Hej", text=text, format="html")
        assert sent.status_code == 200
        await backoffice.system.noted(order, "message.sent.v1", 2)
        page = await http.get(f"/orders/{order.id}")
        (message, *_) = re.findall(r'href="(/orders/[^"]+/messages/\d+)"', page.text)
        assert "Hej Åsa" in (await http.get(message)).text


@pytest.mark.requirement("R112", "R113", "R114", "R124")
async def test_a_contact_is_corrected_and_the_order_attached_to_its_customer(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    customer = f"c-{uuid4().hex[:8]}"
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}?do=contact")
        now = order.customer
        typed = {"full_name": now.full_name, "company": "", "email": "new@example.org", "phone": now.phone}
        typed |= {f"address.{name}": getattr(now.address, name) for name in type(now.address).model_fields}
        page = await do(http, page, "contact", **typed)
        assert "mailto:new@example.org" in page.text
        page = await do(http, page, "customer", customer_id=customer)
        assert f"/customers/{customer}" in page.text
        history = await http.get(f"/customers/{customer}")
        assert history.status_code == 200
        for said in ("1 orders, 0 of them cancelled", "SEK 1,165.00", f"/orders/{order.id}"):
            assert said in history.text.replace("\u00a0", " ")
        assert (await http.get("/customers/nobody")).status_code == 404


async def test_a_log_is_filtered_and_says_what_caused_what(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": "en"}) as http:
        page = await http.get(f"/orders/{order.id}?kind=message")
        log = page.text.partition('<section id="log"')[2]
        assert "was sent to" in log
        assert "Because: The order came in" in " ".join(log.split())
        everything = (await http.get(f"/orders/{order.id}?kind=nonsense")).text.partition('<section id="log"')[2]
        assert re.search(r"The order came in.*<ol>.*was sent to", everything, re.DOTALL)


async def test_the_address_of_a_form_leads_back_to_it(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER) as http:
        answer = await http.get(f"/orders/{order.id}/do/ship")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/orders/{order.id}?do=ship")
        assert (await http.get(f"/orders/{order.id}/reveal")).headers["location"] == f"/orders/{order.id}"


@pytest.mark.requirement("R125")
async def test_what_the_customer_did_in_the_shop_is_told_in_words(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    steps = [{"at": "2026-11-24T18:00:00Z", "step": "added-to-cart", "detail": "POT-1"}]
    async with backoffice.system.http(**{"idempotency-key": str(uuid4())}) as api:
        assert (await api.post(f"/v1/orders/{order.id}/checkout-steps", json={"steps": steps})).is_success
    async with backoffice.client(HANDLER, **{"accept-language": "fi"}) as http:
        page = await http.get(f"/orders/{order.id}")
        assert "Lisäsi ostoskoriin: POT-1" in page.text
        assert "24.11.2026 19.00" in page.text


async def test_an_order_of_another_shop_is_unknown(backoffice: Backoffice) -> None:
    async with backoffice.client(HANDLER) as http:
        for path in ("", "/messages/1", f"/documents/{uuid4()}/x.pdf"):
            assert (await http.get(f"/orders/{uuid4()}{path}")).status_code == 404


async def test_of_a_long_log_the_older_entries_are_asked_for(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.system.http() as http:
        for n in range(40):
            said = {"status": "on-hold" if n % 2 == 0 else None}
            headers = {"idempotency-key": f"{order.id}-{n}"}
            await http.post(f"/v1/orders/{order.id}/internal-status", json=said, headers=headers)
    async with backoffice.client(VIEWER, **{"accept-language": "sv"}) as http:
        page = await http.get(f"/orders/{order.id}")
        assert "äldre händelser" in page.text
        assert page.text.count('<li id="n-') < 40
        whole = await http.get(f"/orders/{order.id}?log=all")
        assert whole.text.count('<li id="n-') >= 42
        assert "Ordern kom in" in whole.text
        assert "äldre händelser" not in whole.text


@pytest.mark.requirement("R084")
async def test_what_is_to_be_paid_is_the_rounded_sum(backoffice: Backoffice) -> None:
    shop = f"round-{uuid4().hex[:8]}"
    await backoffice.add(f"{shop}@example.org", {shop: "handler"})
    token = backoffice.system.token
    await backoffice.system.open_a_shop(shop=shop, rounding="whole")
    order = an_order(shop=shop, lines=[a_line(name="Sencha", unit_price=10049, vat_rate=Decimal(25))])
    try:
        assert (await backoffice.system.place(order)).is_success
    finally:
        backoffice.system.token = token
    async with backoffice.client(f"{shop}@example.org", **{"accept-language": "sv"}) as http:
        page = (await http.get(f"/orders/{order.id}")).text.replace("\u00a0", " ")
    sums = page.partition('class="sum">')[2].partition("<")[0]
    assert sums.endswith(",00 kr"), sums
    assert f'class="grand">{sums}' in page
    assert "Avrundning" in page
