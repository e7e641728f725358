"""What an entry of an order's log says to people, in their language (R076): `texts.toml` has every sentence."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from services.orders.domain.repairing import NEEDS
from services.orders.domain.statuses import Axis, catalogue_of
from services.orders.entry import Entry
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language, Money
from shared.runtime.presentation.formats import Formats
from shared.runtime.presentation.texts import PLACE

TEXTS = Path(__file__).with_name("texts.toml")
CATALOGUES: Mapping[str, Axis] = {
    "order.status-changed": "order",
    "order.line-status-changed": "line",
    "order.internal-status-changed": "internal",
}
NAMED = {"before", "after"}
"""Places that name a status or a folder of the shop's own."""


@cache
def texts() -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, Mapping[str, str]]]:
    """The sentences by summary, and the words in them, each by language."""
    table: dict[str, Any] = tomllib.loads(TEXTS.read_text("utf-8"))
    return {key: text for key, text in table.items() if key != "word"}, table["word"]


def labels(language: Language) -> Mapping[str, str]:
    """What the ways out of a trouble are called."""
    _, words = texts()
    return {action: words[action][language] for action in NEEDS}


class Sentences:
    """The sentences of one order, whose amounts are in `currency`."""

    def __init__(self, language: Language, shop: ShopSettings, currency: str) -> None:
        self._language, self._shop, self._currency = language, shop, currency
        self._formats = Formats(language, shop.time_zone)

    def of(self, entry: Entry) -> str:
        """The entry in words; one of a kind that nobody has words for is called by its summary."""
        sentences, _ = texts()
        key = entry.summary if entry.summary in sentences else entry.type.rpartition(".")[0]
        if key not in sentences:
            return entry.summary
        said = {**entry.data, **entry.parameters}
        currency = str(said.get("currency") or self._currency)
        text = PLACE.sub(
            lambda place: self._value(key, place[1], said.get(place[1], ""), currency), sentences[key][self._language]
        )
        return re.sub(" +", " ", text).strip(" ")

    def _value(self, key: str, place: str, value: object, currency: str) -> str:
        if value is None:
            return ""
        if place == "amount" and isinstance(value, int):
            return self._formats.money(Money(amount=value, currency=currency)) if value else ""
        if isinstance(value, int):
            return self._formats.number(value)
        if place in NAMED and key != "order.payment-status-changed":
            return self._named(key, str(value))
        _, words = texts()
        return words[str(value)][self._language] if str(value) in words else str(value)

    def _named(self, key: str, name: str) -> str:
        """What the shop calls a status or a folder; of one that it no longer has, the id."""
        if key == "order.moved-to-folder":
            _, words = texts()
            names = {folder.id: folder.name for folder in self._shop.folders}
            return names.get(name, name) or words["root"][self._language]
        for status in catalogue_of(self._shop):
            if (status.axis, status.id) == (CATALOGUES.get(key), name):
                return status.names.get(self._language) or next(iter(status.names.values()))
        return name or "-"
