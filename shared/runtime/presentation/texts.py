"""What letters and documents say, all languages side by side: a text that lacks one is found when it is read."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from shared.contracts.values import Language

LANGUAGES: tuple[Language, ...] = get_args(Language)
PLACE = re.compile(r"\{([a-z_]+)\}")


class TextsIncomplete(Exception):
    """Texts lack a language, or say different things in different languages."""


class Texts:
    """The texts of one kind in one language; templates call it: `text("greeting", name=order.customer_name)`."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __call__(self, key: str, **values: str) -> str:
        """The text with its `{places}` filled. Raises LookupError for an unknown text or a place without a value."""
        return PLACE.sub(lambda place: str(values[place[1]]), self._texts[key])

    def keys(self) -> frozenset[str]:
        """The names of all texts."""
        return frozenset(self._texts)

    def all(self) -> dict[str, str]:
        """All texts, with their places unfilled, for templates that fill them themselves."""
        return dict(self._texts)


def read_texts(folder: Path, kind: str) -> dict[Language, Texts]:
    """The texts of a kind of letter or document, with those that all share, by language.

    Raises TextsIncomplete, with one sentence for each fault, for texts that are not complete in every language.
    """
    return texts_of(folder / "texts.toml", folder / kind / "texts.toml")


def texts_of(*files: Path) -> dict[Language, Texts]:
    """The texts of these files together, by language. Raises TextsIncomplete as `read_texts` does."""
    texts: dict[str, dict[str, Any]] = {}
    faults = []
    for file in files:
        own = _table(file)
        faults += [f"{key} stands in several files" for key in sorted(texts.keys() & own.keys())]
        texts |= own
    faults += [fault for key, text in texts.items() for fault in _faults(key, text)]
    if faults:
        raise TextsIncomplete(f"{files[-1].parent.name}: {'; '.join(faults)}")
    return {language: Texts({key: text[language] for key, text in texts.items()}) for language in LANGUAGES}


def _table(path: Path) -> dict[str, dict[str, Any]]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _faults(key: str, text: Mapping[str, Any]) -> list[str]:
    missing = [language for language in LANGUAGES if not str(text.get(language, "")).strip()]
    unknown = sorted(text.keys() - set(LANGUAGES))
    if missing or unknown:
        return [f"{key} is missing in {name}" for name in missing] + [f"{key} has a text in {name}" for name in unknown]
    places = {language: set(PLACE.findall(text[language])) for language in LANGUAGES}
    return [
        f"{key} has not the same places in {language} as in {LANGUAGES[0]}"
        for language in LANGUAGES[1:]
        if places[language] != places[LANGUAGES[0]]
    ]
