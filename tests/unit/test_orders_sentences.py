"""Every entry of an order's log is said in words, in each language, in the shop's own names for things."""

import json
import re
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest

import services as services_of_this_project
from services.orders.entry import Entry
from services.orders.sentences import Sentences, texts
from shared.contracts.documents import example_of
from shared.contracts.message import CONTRACTS, Envelope, now, read_message
from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import LogEntry, OrderNoted, PaymentProviderMessage, PaymentUnmatched
from shared.contracts.shop_facts import Folder
from shared.contracts.values import Language
from shared.messaging.outbox import noted
from tests.builders import a_shop, stamped

LANGUAGES: tuple[Language, ...] = get_args(Language)
SHOP = a_shop(folders=[Folder(id="to-be-packed", name="Att packa")])


def example(contract: type[Any]) -> Any:
    return read_message(Envelope.model_validate_json(json.dumps(example_of(contract))))


def entries() -> list[LogEntry]:
    """One of each type, and one for each event that orders notes."""
    found: list[LogEntry] = []
    for contract in CONTRACTS.values():
        if not contract.__module__.startswith("shared.contracts."):  # one that a test has made
            continue
        if issubclass(contract, LogEntry) and contract is not OrderNoted:
            found.append(example(contract))
        elif issubclass(contract, OrderEvent):
            event = example(contract)
            found.append(stamped(noted(event, event.meta.id)))
    return found


def said(entry: LogEntry, language: Language = "sv") -> str:
    return Sentences(language, SHOP, "SEK").of(Entry.of(entry, now()))


@pytest.mark.requirement("R076", "R079")
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.summary)
def test_every_entry_is_said_in_every_language(entry: LogEntry) -> None:
    sentences = {language: said(entry, language) for language in LANGUAGES}
    assert len(set(sentences.values())) == 3, "no two languages say the same"
    for sentence in sentences.values():
        assert sentence != entry.summary
        assert not re.search(r"[{}]", sentence)


def test_sentences_name_what_the_shop_has_named_and_write_money_as_the_language_does() -> None:
    events = {type(entry).__name__ + entry.summary: entry for entry in entries()}
    assert said(events["OrderNotedorder.moved-to-folder"]) == "Flyttades till mappen Att packa (låg i Root)"
    assert said(events["OrderNotedorder.status-changed"], "fi") == "Tilauksen tila: Käsittelyssä (oli Vastaanotettu)"
    assert said(events["OrderNotedorder.internal-status-changed"]) == "Intern status: Att plocka (var -)"
    assert said(events["PaymentConfirmedpayment.confirmed"], "en").endswith("by hand: SEK\u00a01,073.27")
    words = said(events["PaymentProviderMessagepayment.provider-message"], "en")
    assert words == "The payment provider said: payment.authorized SEK\u00a0178.00"
    assert "47 min" in said(events["PaymentUnmatchedpayment.unmatched"])
    assert "följesedel" in said(events["OrderNotedorder.document-requested"])


def test_an_entry_that_nobody_has_words_for_is_called_by_its_summary() -> None:
    entry = OrderNoted(order_id=uuid4(), outcome="done", summary="order.blessed", event_type="x", event_id="1")
    assert said(stamped(entry)) == "order.blessed"


def test_every_sentence_and_every_word_stands_in_all_languages_with_the_same_places() -> None:
    for table in texts():
        for key, text in table.items():
            assert set(text) == set(LANGUAGES), key
            assert len({frozenset(re.findall(r"{(\w+)}", each)) for each in text.values()}) == 1, key


def test_what_a_provider_said_of_another_currency_or_of_no_money_is_said_so() -> None:
    entry = example(PaymentProviderMessage)
    euros = stamped(entry.model_copy(update={"currency": "EUR"}))
    assert said(euros, "en").endswith("payment.authorized €178.00")
    assert said(stamped(entry.model_copy(update={"amount": None})), "en").endswith("said: payment.authorized")


def test_a_payment_that_a_person_attached_is_said_so() -> None:
    entry = example(PaymentUnmatched).model_copy(update={"summary": "payment.attached", "by_hand": True})
    assert said(stamped(entry), "sv") == "Betalningen pay_4b1d2c3e kopplades till ordern för hand"


def test_every_reason_that_a_service_of_ours_gives_for_a_no_has_words() -> None:
    given = re.compile(r'(?:Failed\(|_refusal\(|reason=)"([a-z-]+)"')
    services = Path(services_of_this_project.__path__[0])
    reasons = {
        reason
        for name in ("notifications", "integrations", "documents")
        for file in (services / name).rglob("*.py")
        for reason in given.findall(file.read_text("utf-8"))
    }
    assert len(reasons) > 6
    _, words = texts()
    assert reasons <= words.keys()
