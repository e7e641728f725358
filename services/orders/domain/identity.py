"""Personal identity numbers of Sweden and Finland: what is one, in which form it is kept, what of it is shown."""

import re
from datetime import date

from stdnum import luhn
from stdnum.exceptions import ValidationError
from stdnum.fi import hetu
from stdnum.se import personnummer

SWEDISH = re.compile(r"(?:18|19|20)?[0-9]{6}[-+][0-9]{4}")
WHOLE = 13
"""Characters of a Swedish one with its century."""
COORDINATION = 60
"""Added to the day of birth in a samordningsnummer."""
OF_THIS_CENTURY = tuple("ABCDEF")
"""What a Finnish one has between date and number, since 2023 any of these."""
WRITTEN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{2})?[0-9]{6} ?[-+A-Fa-fU-Yu-y]? ?[0-9]{3}[0-9A-Ya-y](?![0-9A-Za-z])")
"""What may be a number, in a text."""
HIDDEN = "******-****"


class NotANumber(ValueError):
    """expected a Swedish personnummer or samordningsnummer, or a Finnish henkilötunnus"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def normal(text: str) -> str:
    """The number in its normal form: `19850709-9805` in Sweden, `131052-308T` in Finland. Raises NotANumber.

    Ten digits get the century that their separator means today (Folkbokföringslagen 1991:481, section 18), because it
    will mean another. Digits that are a number in both countries stay as they were written: nobody can say whose it is.
    """
    number = _finnish(text) or _swedish(text)
    if not number:
        raise NotANumber
    return number


def masked(number: str) -> str:
    """What is shown of a number in its normal form: the date without its century, `850709-****`."""
    return f"{number[2:8] if len(number) == WHOLE else number[:6]}-****"


def without_numbers(text: str) -> str:
    """The text with `***` for each number in it."""
    return WRITTEN.sub(lambda found: "***" if _is_one(found[0]) else found[0], text)


def _is_one(text: str) -> bool:
    return bool(_finnish(text) or _swedish(text))


def _swedish(text: str) -> str:
    try:
        number = personnummer.compact(text)
        if SWEDISH.fullmatch(number) is None:
            return ""
        luhn.validate(number[-11:-5] + number[-4:])
        day = int(number[-7:-5])
        of_birth = day - COORDINATION if day > COORDINATION else day
        born = personnummer.get_birth_date(f"{number[:-7]}{of_birth:02}{number[-5:]}")
    except ValidationError:
        return ""
    return f"{born:%Y%m}{day:02}-{number[-4:]}" if born <= _today() else ""


def _finnish(text: str) -> str:
    try:
        number = hetu.validate(text) if text.isascii() else ""
    except ValidationError:
        return ""
    of_this_century = number[6:7] in OF_THIS_CENTURY
    born = date(2000 + int(number[4:6]), int(number[2:4]), int(number[:2])) if of_this_century else None
    return "" if born is not None and born > _today() else number


def _today() -> date:
    return date.today()  # noqa: DTZ011 - the library takes centuries from it, too
