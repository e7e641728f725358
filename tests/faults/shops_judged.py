"""Whether a shop got what it was promised: orders, their promises, and the ledgers of the companies, as plain values.

Every promise ends in a word, and the ledgers say the same; what was asked for once was done at most once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Entry = Mapping[str, Any]

KEYS = {
    "capture": "capture:{}",
    "refund": "refund:{}",
    "void": "void:{}",
    "book-shipment": "book-shipment:{}",
}
"""Under which key a company is asked for what an event promises."""
DEEDS = {"captured", "refunded", "voided", "booked"}
"""What is done once for each key."""


@dataclass(frozen=True)
class Handled:
    """One order: what it shows, what was printed of it, and whether its customer's mail was accepted."""

    order_id: str
    payment: str
    """What the payment provider calls its payment."""
    captured: int
    refunded: int
    promises: Sequence[Entry]
    printed: int = 0
    """Entries of its log that say that the delivery note was printed."""
    mails: int = 0
    """How often a mail server has accepted a mail to its customer."""


@dataclass(frozen=True)
class Ledgers:
    """What the companies have executed, oldest first."""

    payment: Sequence[Entry]
    shipping: Sequence[Entry]
    erp: Sequence[Entry]


@dataclass
class Judgement:
    """What is wrong, in words, and what the promises came to."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def judge(orders: Sequence[Handled], ledgers: Ledgers, expected: Sequence[str]) -> Judgement:
    """`expected` are the promises that every order must show."""
    found = Judgement()
    found.wrong += _doubled(ledgers)
    for order in orders:
        found.counts.update(f"{promise['what']}: {promise['state']}" for promise in order.promises)
        found.wrong += [f"order {order.order_id}: {words}" for words in _of_order(order, ledgers, expected)]
    return found


def _doubled(ledgers: Ledgers) -> Iterator[str]:
    for name, entries in (("payment", ledgers.payment), ("shipping", ledgers.shipping)):
        done = Counter(
            entry["key"] for entry in entries if entry["did"] in {"captured", "refunded", "voided", "booked"}
        )
        yield from (f"{name} has {key} {count} times" for key, count in done.items() if key and count > 1)
    created = Counter(entry["reference"] for entry in ledgers.erp if entry["did"] == "created")
    yield from (f"the ERP has order {reference} {count} times" for reference, count in created.items() if count > 1)


def _of_order(order: Handled, ledgers: Ledgers, expected: Sequence[str]) -> Iterator[str]:
    shown = {promise["what"] for promise in order.promises}
    yield from (f"shows no {what}" for what in expected if what not in shown)
    for promise in order.promises:
        what, state = promise["what"], promise["state"]
        if state not in {"done", "failed", "unknown"}:
            yield f"{what} is {state}"
        elif state == "unknown" and what != "order-received":
            yield f"{what} is unknown, and its company can be asked"
        elif what in KEYS and state != "unknown":
            yield from _agreed(what, state, KEYS[what].format(promise["event_id"]), ledgers)
        elif what == "transfer":
            yield from _exported(order.order_id, state, ledgers)
    yield from _money(order, ledgers)
    yield from _told(order)


def _agreed(what: str, state: str, key: str, ledgers: Ledgers) -> Iterator[str]:
    entries = ledgers.shipping if what == "book-shipment" else ledgers.payment
    there = sum(entry["key"] == key for entry in entries)
    if there != (state == "done"):
        yield f"{what} is {state}, and its company has it {there} times"


def _exported(order_id: str, state: str, ledgers: Ledgers) -> Iterator[str]:
    there = sum(entry["reference"] == order_id and entry["did"] == "created" for entry in ledgers.erp)
    if there != (state == "done"):
        yield f"the transfer is {state}, and the ERP has it {there} times"


def _money(order: Handled, ledgers: Ledgers) -> Iterator[str]:
    """What the order says of its money is what the provider has, and never more than was authorized."""
    last = [entry["payment"] for entry in ledgers.payment if entry["payment"]["id"] == order.payment]
    if not last:
        yield f"its payment {order.payment} is unknown to the provider"
        return
    for name, shown in (("captured", order.captured), ("refunded", order.refunded)):
        moved = sum(
            entry["transaction"]["amount"]
            for entry in ledgers.payment
            if entry["payment"]["id"] == order.payment and entry["did"] == name
        )
        if moved != shown:
            yield f"shows {shown} {name}, and the provider has {moved}"
        if moved > last[-1]["authorized"]:
            yield f"{moved} were {name} of {last[-1]['authorized']}"


def _told(order: Handled) -> Iterator[str]:
    for what, count in (("order-received", order.mails), ("delivery-note", order.printed)):
        for promise in order.promises:
            if promise["what"] == what and promise["state"] == "done" and count != 1:
                yield f"{what} is done, and there {count} times"
    if order.mails > 1:
        yield f"its customer has {order.mails} mails"


def overtaken(ledgers: Ledgers, reopened_at: float) -> Judgement:
    """While the ERP stood still money was taken and parcels were booked, and afterwards it has got those orders."""
    found = Judgement()
    before = [entry for entry in ledgers.erp if entry["did"] == "created" and entry["at"] < reopened_at]
    if before:
        found.wrong.append(f"the ERP has taken {len(before)} orders while it was closed")
    for name, entries, did in (("payment", ledgers.payment, "captured"), ("shipping", ledgers.shipping, "booked")):
        count = sum(entry["did"] == did and entry["at"] < reopened_at for entry in entries)
        found.counts[f"{did} while the ERP was closed"] = count
        if not count:
            found.wrong.append(f"nothing was {did} at {name} while the ERP was closed")
    return found
