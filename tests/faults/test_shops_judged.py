"""The oracle of the shops sees what was done twice, not done, or not told, and nothing where all is well."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.shops_judged import Handled, Ledgers, judge, overtaken

EXPECTED = ("order-received", "transfer", "book-shipment", "capture", "delivery-note")


def promise(what: str, state: str = "done", event: str = "") -> dict[str, Any]:
    return {"what": what, "state": state, "event_id": event or f"e-{what}"}


def money(did: str, key: str, amount: int, at: float = 30.0) -> dict[str, Any]:
    payment = {"id": "pay_1", "authorized": 1000}
    return {"did": did, "key": key, "payment": payment, "transaction": {"amount": amount}, "at": at}


BOOKED = {"did": "booked", "key": "book-shipment:e-book-shipment", "at": 30.0}
CREATED = {"did": "created", "key": "", "reference": "o-1", "at": 60.0}
CAPTURED = money("captured", "capture:e-capture", 1000)
ORDER = Handled("o-1", "pay_1", 1000, 0, [promise(what) for what in EXPECTED], printed=1, mails=1)


def ledgers(
    payment: list[Any] | None = None, shipping: list[Any] | None = None, erp: list[Any] | None = None
) -> Ledgers:
    found = [money("authorized", "checkout", 1000), CAPTURED] if payment is None else payment
    return Ledgers(found, [BOOKED] if shipping is None else shipping, [CREATED] if erp is None else erp)


def with_promise(what: str, state: str, **changes: Any) -> Handled:
    promises = [promise(name, state if name == what else "done") for name in EXPECTED]
    return Handled(**{**vars(ORDER), "promises": promises, **changes})


def test_a_shop_that_got_all_is_well() -> None:
    found = judge([ORDER], ledgers(), EXPECTED)
    assert found.wrong == []
    assert found.counts["capture: done"] == 1


@pytest.mark.parametrize(
    ("order", "there", "words"),
    [
        (ORDER, ledgers(payment=[CAPTURED, CAPTURED]), "payment has capture:e-capture 2 times"),
        (ORDER, ledgers(shipping=[BOOKED, BOOKED]), "shipping has book-shipment:e-book-shipment 2 times"),
        (ORDER, ledgers(erp=[CREATED, CREATED]), "the ERP has order o-1 2 times"),
        (ORDER, ledgers(erp=[]), "the transfer is done, and the ERP has it 0 times"),
        (ORDER, ledgers(shipping=[]), "book-shipment is done, and its company has it 0 times"),
        (with_promise("transfer", "failed"), ledgers(), "the transfer is failed, and the ERP has it 1 times"),
        (with_promise("capture", "failed"), ledgers(), "capture is failed, and its company has it 1 times"),
        (with_promise("capture", "expected"), ledgers(), "capture is expected"),
        (with_promise("capture", "overdue"), ledgers(), "capture is overdue"),
        (with_promise("capture", "unknown"), ledgers(), "capture is unknown, and its company can be asked"),
        (with_promise("x", "done", captured=900), ledgers(), "shows 900 captured, and the provider has 1000"),
        (with_promise("x", "done", mails=2), ledgers(), "its customer has 2 mails"),
        (with_promise("x", "done", printed=2), ledgers(), "delivery-note is done, and there 2 times"),
        (with_promise("x", "done", payment="pay_9"), ledgers(), "its payment pay_9 is unknown to the provider"),
        (Handled("o-1", "pay_1", 1000, 0, [promise("capture")]), ledgers(), "shows no transfer"),
    ],
)
def test_what_is_not_well_is_named(order: Handled, there: Ledgers, words: str) -> None:
    wrong = judge([order], there, EXPECTED).wrong
    assert any(words in each for each in wrong), wrong


def test_more_than_was_authorized_is_never_well() -> None:
    twice = [money("captured", "capture:e-capture", 1000), money("captured", "capture:e-2", 500)]
    order = Handled(**{**vars(ORDER), "captured": 1500})
    assert any("1500 were captured of 1000" in each for each in judge([order], ledgers(payment=twice), EXPECTED).wrong)


def test_a_mail_of_which_nobody_knows_may_have_arrived_or_not() -> None:
    for mails in (0, 1):
        assert judge([with_promise("order-received", "unknown", mails=mails)], ledgers(), EXPECTED).wrong == []


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (ledgers, ""),
        (lambda: ledgers(payment=[]), "nothing was captured at payment while the ERP was closed"),
        (lambda: ledgers(shipping=[BOOKED | {"at": 50.0}]), "nothing was booked at shipping while the ERP was closed"),
        (lambda: ledgers(erp=[CREATED | {"at": 20.0}]), "the ERP has taken 1 orders while it was closed"),
    ],
)
def test_an_erp_that_stands_still_stops_nobody_else(there: Callable[[], Ledgers], words: str) -> None:
    assert overtaken(there(), reopened_at=40.0).wrong == ([words] if words else [])
