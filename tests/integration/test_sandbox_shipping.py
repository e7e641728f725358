"""Sandbox Post books a shipment once for each key that it remembers, labels it, and tells where it is."""

import asyncio
import re
from typing import Any

import httpx2
import pytest

from tests.plugins.sandboxes import Sandbox, WebhookReceiver
from tests.plugins.waiting import eventually

SHOP = {"name": "Skogens Bönor", "street": "Gatan 1", "postal_code": "11122", "city": "Stockholm", "country": "SE"}
ASA = {"name": "Åsa (Öberg)", "street": "Kuja 2", "postal_code": "00100", "city": "Helsinki", "country": "FI"}


def wanted(**changed: Any) -> dict[str, Any]:
    parcels = [{"weight_grams": 1200}]
    return {
        "reference": "o1",
        "service": "parcel",
        "sender": SHOP,
        "receiver": ASA,
        "parcels": parcels,
    } | changed


async def book(sandbox: Sandbox, key: str = "k", **changed: Any) -> httpx2.Response:
    return await sandbox.http.post("/v1/shipments", json=wanted(**changed), headers={"Idempotency-Key": key})


async def booked(sandbox: Sandbox, key: str = "k", **changed: Any) -> dict[str, Any]:
    answer = await book(sandbox, key, **changed)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def refusals(answer: httpx2.Response) -> tuple[int, list[tuple[str | None, str]]]:
    return answer.status_code, [(error["field"], error["code"]) for error in answer.json()["errors"]]


async def test_a_shipment_is_booked_with_a_label_and_a_tracking_number(shipping_sandbox: Sandbox) -> None:
    shipment = await booked(shipping_sandbox)
    assert (shipment["status"], shipment["reference"], shipment["events"]) == ("booked", "o1", [])
    assert re.fullmatch(r"SP\d{9}SE", shipment["tracking_number"])
    assert (await shipping_sandbox.http.get(f"/v1/shipments/{shipment['id']}")).json() == shipment
    async with httpx2.AsyncClient() as anybody:
        page = await anybody.get(shipment["tracking_url"])
        label = await anybody.get(shipment["label_url"])
    assert page.text.startswith(f"{shipment['tracking_number']}: booked")
    assert label.headers["content-type"] == "application/pdf"
    assert r"Åsa \(Öberg\)".encode("cp1252") in label.content


async def test_a_label_is_a_pdf_whose_objects_are_where_its_table_says(shipping_sandbox: Sandbox) -> None:
    url = (await booked(shipping_sandbox))["label_url"]
    pdf = (await shipping_sandbox.http.get(url)).content
    assert pdf.startswith(b"%PDF-1.4\n")
    assert pdf.endswith(b"%%EOF\n")
    start = int(pdf.rpartition(b"startxref\n")[2].split(b"\n")[0])
    assert pdf[start:].startswith(b"xref\n")
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", pdf[start:])]
    assert [pdf[place:].split(b"\n")[0] for place in places] == [b"%d 0 obj" % n for n in range(1, len(places) + 1)]


@pytest.mark.parametrize(
    ("receiver", "field", "code"),
    [
        ({"country": "AQ"}, "receiver.country", "COUNTRY_NOT_SERVED"),
        ({"postal_code": ""}, "receiver.postal_code", "POSTAL_CODE_REQUIRED"),
        ({"postal_code": "111 22"}, "receiver.postal_code", "POSTAL_CODE_INVALID"),
        ({"name": " "}, "receiver.name", "NAME_REQUIRED"),
    ],
)
async def test_an_address_that_cannot_be_served_is_refused_with_its_field(
    shipping_sandbox: Sandbox, receiver: dict[str, str], field: str, code: str
) -> None:
    assert refusals(await book(shipping_sandbox, receiver=ASA | receiver)) == (422, [(field, code)])
    assert await shipping_sandbox.ledger() == []
    await booked(shipping_sandbox)


async def test_all_that_is_wrong_is_said_at_once(shipping_sandbox: Sandbox) -> None:
    answer = await book(shipping_sandbox, receiver={"country": "SE"}, parcels=[{"weight_grams": 35_001}])
    assert refusals(answer) == (
        422,
        [
            ("receiver.name", "NAME_REQUIRED"),
            ("receiver.street", "STREET_REQUIRED"),
            ("receiver.postal_code", "POSTAL_CODE_REQUIRED"),
            ("receiver.city", "CITY_REQUIRED"),
            ("parcels.0.weight_grams", "PARCEL_TOO_HEAVY"),
        ],
    )
    assert refusals(await book(shipping_sandbox, service="pigeon")) == (422, [("service", "INVALID_REQUEST")])
    assert refusals(await book(shipping_sandbox, key="")) == (400, [(None, "IDEMPOTENCY_KEY_REQUIRED")])


async def test_a_key_gets_its_first_answer_again_and_no_other_request(shipping_sandbox: Sandbox) -> None:
    first = await booked(shipping_sandbox)
    assert await booked(shipping_sandbox) == first
    other = await book(shipping_sandbox, service="express")
    assert refusals(other) == (422, [(None, "IDEMPOTENCY_KEY_REUSED")])
    assert len(await shipping_sandbox.ledger()) == 1


async def test_twenty_at_once_with_one_key_are_one_shipment(shipping_sandbox: Sandbox) -> None:
    await shipping_sandbox.connected(20)
    shipments = await asyncio.gather(*(booked(shipping_sandbox) for _ in range(20)))
    assert len({shipment["id"] for shipment in shipments}) == 1
    assert len(await shipping_sandbox.ledger()) == 1


async def test_a_key_beyond_its_memory_is_booked_twice_and_the_reference_finds_both(shipping_sandbox: Sandbox) -> None:
    await shipping_sandbox.misbehave(memory=0)
    two = [await booked(shipping_sandbox) for _ in range(2)]
    await booked(shipping_sandbox, reference="o2")
    assert two[0]["tracking_number"] != two[1]["tracking_number"]
    found = await shipping_sandbox.http.get("/v1/shipments", params={"reference": "o1"})
    assert found.json()["shipments"] == two


async def test_a_booked_shipment_can_be_cancelled_and_one_that_was_handed_over_cannot(
    shipping_sandbox: Sandbox,
) -> None:
    first, second = await booked(shipping_sandbox, "k1"), await booked(shipping_sandbox, "k2")
    for _ in range(2):
        cancelled = await shipping_sandbox.http.delete(f"/v1/shipments/{first['id']}")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await shipping_sandbox.advance(first["id"])).status_code == 409
    await shipping_sandbox.advance(second["id"])
    late = await shipping_sandbox.http.delete(f"/v1/shipments/{second['id']}")
    assert refusals(late) == (409, [(None, "ALREADY_HANDED_OVER")])
    assert [entry["did"] for entry in await shipping_sandbox.ledger()] == [
        "booked",
        "booked",
        "cancelled",
        "handed-over",
    ]


async def test_each_step_of_a_shipment_is_told(shipping_sandbox: Sandbox, webhook_receiver: WebhookReceiver) -> None:
    endpoint = await shipping_sandbox.http.put("/v1/webhook-endpoint", json={"url": webhook_receiver.url})
    shipment = await booked(shipping_sandbox)
    for n in range(1, 4):
        await shipping_sandbox.advance(shipment["id"])
        await webhook_receiver.until_heard(n)
    assert (await shipping_sandbox.advance(shipment["id"])).status_code == 409
    assert webhook_receiver.types() == ["shipment.tracked"] * 3
    told = [heard.event["data"] for heard in webhook_receiver.heard]
    assert [data["event"]["code"] for data in told] == ["handed-over", "in-transit", "delivered"]
    assert {data["tracking_number"] for data in told} == {shipment["tracking_number"]}
    assert all(heard.is_signed_with(endpoint.json()["secret"]) for heard in webhook_receiver.heard)
    now = (await shipping_sandbox.http.get(f"/v1/shipments/{shipment['id']}")).json()
    assert (now["status"], now["events"]) == ("delivered", [data["event"] for data in told])


async def test_a_shipment_arrives_by_itself_where_time_is_set(shipping_sandbox: Sandbox) -> None:
    shipment = await booked(shipping_sandbox)
    await shipping_sandbox.misbehave(by_itself=0.05)

    async def delivered() -> bool:
        answer = await shipping_sandbox.http.get(f"/v1/shipments/{shipment['id']}")
        return bool(answer.json()["status"] == "delivered")

    await eventually(delivered)
    assert [entry["did"] for entry in await shipping_sandbox.ledger()] == [
        "booked",
        "handed-over",
        "in-transit",
        "delivered",
    ]


async def test_a_killed_one_remembers_shipments_and_keys(shipping_sandbox: Sandbox) -> None:
    first = await booked(shipping_sandbox)
    await shipping_sandbox.advance(first["id"])
    await shipping_sandbox.killed_and_started()
    assert await booked(shipping_sandbox) == first
    (found,) = (await shipping_sandbox.http.get("/v1/shipments", params={"reference": "o1"})).json()["shipments"]
    assert (found["id"], found["status"]) == (first["id"], "handed-over")


async def test_an_answer_that_was_lost_is_found_by_key_and_by_reference(shipping_sandbox: Sandbox) -> None:
    await shipping_sandbox.misbehave(next=["lost"])
    with pytest.raises(httpx2.TransportError):
        await book(shipping_sandbox)
    (found,) = (await shipping_sandbox.http.get("/v1/shipments", params={"reference": "o1"})).json()["shipments"]
    assert await booked(shipping_sandbox) == found


async def test_a_customer_sees_no_shipment_of_another(shipping_sandbox: Sandbox) -> None:
    url = f"/v1/shipments/{(await booked(shipping_sandbox))['id']}"
    other, nobody = [await shipping_sandbox.http.get(url, headers={"X-Api-Key": key}) for key in ("other", "")]
    assert refusals(other) == (404, [(None, "SHIPMENT_NOT_FOUND")])
    assert refusals(nobody) == (401, [(None, "UNKNOWN_CUSTOMER")])
