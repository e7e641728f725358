"""The personal identity number stands on no topic: a record that has one is refused, and kept without it."""

import json
import re
import unicodedata
from typing import Any

NEVER_SENT = "personal_identity_number"
"""The field that no record may have: it comes by HTTP only, and a record that has it is refused, not ignored."""
OTHER_NAMES = (
    "henkilotunnus",
    "hetu",
    "personal_identity_code",
    "personal_number",
    "personnummer",
    "samordningsnummer",
    "social_security_number",
    "ssn",
)
"""What strangers may call it; capitals, accents, `-`, `_` and blanks in a name make no difference."""
PUT_OUT = "***"
TRACES = (b"person", b"ssn", b"henkil", b"hetu", b"samord", b"social")
"""In lower case; a record with none of these, and no escaped letter, has no field of such a name."""

_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
_SEPARATORS = re.compile(r"[\s_-]+")
_PLAIN = frozenset(_SEPARATORS.sub("", name) for name in (NEVER_SENT, *OTHER_NAMES))
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one without an end goes to the end: each byte is read once
_WORD = re.compile(
    "|".join(
        rf"(?<![a-z]){name.replace('_', '[-_ ]?').replace('kilo', 'kil(?:o|ö|Ö)')}(?![a-z])"
        for name in (NEVER_SENT, *OTHER_NAMES)
    ).encode(),
    re.IGNORECASE,
)


def is_never_sent(name: str) -> bool:
    """Whether a field of this name is for a personal identity number."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return _SEPARATORS.sub("", plain).casefold() in _PLAIN


def has_one(document: Any) -> bool:
    """Whether a JSON document has a field for a personal identity number, at any depth."""
    if isinstance(document, dict):
        return any(map(is_never_sent, document)) or any(map(has_one, document.values()))
    return isinstance(document, list) and any(map(has_one, document))


def without_number(record: bytes) -> bytes:
    """The record as it may be kept: with `***` for the number, under the one name that it is refused for.

    A record without one is given back as it is. What names one and is no JSON is cut off there.
    """
    if not _may_have_one(record.lower()):
        return record
    putting_out = _PuttingOut()
    try:
        document = json.loads(record, object_pairs_hook=putting_out)
        return json.dumps(document).encode() if putting_out.found else record
    except (ValueError, RecursionError):
        return _cut_off(record)


def _may_have_one(lowered: bytes) -> bool:
    if any(trace in lowered for trace in TRACES):
        return True
    return b"\\u00" in lowered and _ESCAPED_LETTER.search(lowered) is not None


class _PuttingOut:
    """Makes objects of their members, also of such as stand twice, without the numbers; `found`: there were some."""

    def __init__(self) -> None:
        self.found = False

    def __call__(self, members: list[tuple[str, Any]]) -> dict[str, Any]:
        if not any(is_never_sent(name) for name, _ in members):
            return dict(members)
        self.found = True
        return dict((NEVER_SENT, PUT_OUT) if is_never_sent(name) else (name, value) for name, value in members)


def _cut_off(record: bytes) -> bytes:
    word = _WORD.search(record)
    texts = (found.start() for found in _TEXT.finditer(record) if is_never_sent(_read(found[0])))
    places = [place for place in (word and word.start(), next(texts, None)) if place is not None]
    return record[: min(places)] + PUT_OUT.encode() if places else record


def _read(text: bytes) -> str:
    try:
        return str(json.loads(text.decode("utf-8", "replace")))
    except ValueError:
        return ""
