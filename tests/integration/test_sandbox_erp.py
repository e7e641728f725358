"""Sandbox ERP has one document for a reference, whoever asks how often, and changes only what its caller has seen."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.plugins.sandboxes import Sandbox, credentials

ROW = {"articleNumber": "A1", "description": "Kaffe", "quantity": "3", "unitPrice": "33.33", "vatCode": "SE12"}


def document(reference: str = "o1", **changed: Any) -> dict[str, Any]:
    wanted = {"externalReference": reference, "customerName": "Åsa", "orderDate": "2026-01-31", "currency": "SEK"}
    return {**wanted, "rows": [ROW], **changed}


async def create(sandbox: Sandbox, reference: str = "o1", **changed: Any) -> httpx2.Response:
    return await sandbox.http.post("/api/salesorders", json=document(reference, **changed))


async def change(sandbox: Sandbox, number: int, if_match: str | None, **changed: Any) -> httpx2.Response:
    headers = {} if if_match is None else {"If-Match": if_match}
    return await sandbox.http.put(f"/api/salesorders/{number}", json=document(**changed), headers=headers)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorCode"]


async def test_an_order_becomes_a_document_with_a_number_and_totals_as_text(erp_sandbox: Sandbox) -> None:
    rows = [ROW, ROW | {"quantity": "0.5", "unitPrice": "0.05", "vatCode": "SE25"}]
    answer = await create(erp_sandbox, rows=rows)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    order = answer.json()
    assert (order["documentNumber"], order["revision"]) == (10_001, 1)
    assert (order["netTotal"], order["vatTotal"], order["grossTotal"]) == ("100.02", "12.01", "112.03")
    assert (await create(erp_sandbox, "o2")).json()["documentNumber"] == 10_002
    assert (await erp_sandbox.http.get("/api/salesorders/10001")).json() == order


async def test_a_reference_that_is_known_is_answered_with_its_document(erp_sandbox: Sandbox) -> None:
    number = (await create(erp_sandbox)).json()["documentNumber"]
    again = await create(erp_sandbox, customerName="Someone else")
    assert refusal(again) == (409, "DUPLICATE_EXTERNAL_REFERENCE")
    assert again.json()["documentNumber"] == number
    found = (await erp_sandbox.http.get("/api/salesorders", params={"externalReference": "o1"})).json()
    assert [(order["documentNumber"], order["customerName"]) for order in found["salesOrders"]] == [(number, "Åsa")]
    none = await erp_sandbox.http.get("/api/salesorders", params={"externalReference": "o2"})
    assert (none.status_code, none.json()) == (200, {"salesOrders": []})


async def test_twenty_at_once_for_one_reference_are_one_document(erp_sandbox: Sandbox) -> None:
    await erp_sandbox.connected(20)
    answers = await asyncio.gather(*(create(erp_sandbox) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert {answer.json()["documentNumber"] for answer in answers} == {10_001}
    assert len(await erp_sandbox.ledger()) == 1


async def test_numbers_rise_and_none_is_given_twice(erp_sandbox: Sandbox) -> None:
    await erp_sandbox.connected(20)
    answers = await asyncio.gather(*(create(erp_sandbox, f"o{n}") for n in range(20)))
    assert sorted(answer.json()["documentNumber"] for answer in answers) == list(range(10_001, 10_021))


async def test_a_change_needs_the_revision_that_was_seen(erp_sandbox: Sandbox) -> None:
    number = (await create(erp_sandbox)).json()["documentNumber"]
    changed = await change(erp_sandbox, number, '"1"', remarks="Ring först", cancelled=True)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["revision"], changed.json()["cancelled"]) == (2, True)
    outdated = await change(erp_sandbox, number, '"1"')
    assert refusal(outdated) == (412, "REVISION_MISMATCH")
    assert outdated.json()["revision"] == 2
    for unseen in (None, "*", "1"):
        assert refusal(await change(erp_sandbox, number, unseen)) == (428, "REVISION_REQUIRED")
    assert refusal(await change(erp_sandbox, number, '"2"', reference="o2")) == (422, "EXTERNAL_REFERENCE_IS_FIXED")
    assert refusal(await change(erp_sandbox, 9, '"1"')) == (404, "DOCUMENT_NOT_FOUND")


async def test_of_twenty_changes_of_one_revision_one_is_made(erp_sandbox: Sandbox) -> None:
    number = (await create(erp_sandbox)).json()["documentNumber"]
    await erp_sandbox.connected(20)
    answers = await asyncio.gather(*(change(erp_sandbox, number, '"1"', remarks=str(n)) for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({"articleNumber": "REFUSED"}, "ARTICLE_REFUSED", "rows.0.articleNumber"),
        ({"vatCode": "XX99"}, "UNKNOWN_VAT_CODE", "rows.0.vatCode"),
        ({"unitPrice": 33.33}, "INVALID_REQUEST", "rows.0.unitPrice"),
    ],
)
async def test_what_it_does_not_take_is_refused_with_code_and_field(
    erp_sandbox: Sandbox, row: dict[str, Any], code: str, field: str
) -> None:
    number = (await create(erp_sandbox, "o1")).json()["documentNumber"]
    for answer in (
        await create(erp_sandbox, "o2", rows=[ROW | row]),
        await change(erp_sandbox, number, '"1"', rows=[ROW | row]),
    ):
        assert refusal(answer) == (422, code)
        assert answer.json()["fieldName"] == field
    assert len(await erp_sandbox.ledger()) == 1


async def test_the_list_of_refused_articles_can_be_set(erp_sandbox: Sandbox) -> None:
    await erp_sandbox.misbehave(refused_articles=["A1"])
    assert refusal(await create(erp_sandbox)) == (422, "ARTICLE_REFUSED")
    await erp_sandbox.misbehave(refused_articles=[])
    assert (await create(erp_sandbox)).status_code == 201


async def test_closed_it_does_nothing_and_says_when_it_opens(erp_sandbox: Sandbox) -> None:
    await erp_sandbox.misbehave(closed_for=600)
    answer = await create(erp_sandbox)
    assert refusal(answer) == (503, "CLOSED")
    assert 590 < int(answer.headers["retry-after"]) <= 600
    assert await erp_sandbox.ledger() == []
    (call,) = await erp_sandbox.calls(key="o1")
    assert (call["did"], call["mishap"]) == ("nothing", "closed")


async def test_an_answer_that_was_lost_is_found_by_its_reference_also_after_a_crash(erp_sandbox: Sandbox) -> None:
    await erp_sandbox.misbehave(next=["lost"])
    with pytest.raises(httpx2.TransportError):
        await create(erp_sandbox)
    await erp_sandbox.killed_and_started()
    again = await create(erp_sandbox)
    assert (again.status_code, again.json()["documentNumber"]) == (409, 10_001)
    assert (await create(erp_sandbox, "o2")).json()["documentNumber"] == 10_002
    assert [call["nth"] for call in await erp_sandbox.calls(key="o1")] == [1, 2]


async def test_a_company_sees_no_document_of_another(erp_sandbox: Sandbox) -> None:
    url = f"/api/salesorders/{(await create(erp_sandbox)).json()['documentNumber']}"
    other = await erp_sandbox.http.get(url, headers=credentials("erp", "other"))
    assert refusal(other) == (404, "DOCUMENT_NOT_FOUND")
    for wrong in ("", "Basic !", "Basic YQ==", "Bearer x"):
        nobody = await erp_sandbox.http.get(url, headers={"Authorization": wrong})
        assert refusal(nobody) == (401, "NOT_SIGNED_IN")
        assert nobody.headers["www-authenticate"].startswith("Basic ")


async def test_nothing_of_it_goes_on_by_steps_or_is_told(erp_sandbox: Sandbox) -> None:
    assert (await erp_sandbox.advance("10001")).status_code == 404
    assert await erp_sandbox.untold() == []
