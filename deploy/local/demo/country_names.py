"""A country's name stands for one code of ISO 3166 or for none: nothing is guessed."""

from functools import cache

from babel import Locale

from shared.contracts.refusal import Refused

_ALSO_CALLED = {"EIRE": "IE", "USA": "US", "RSA": "ZA", "Czech Republic": "CZ", "Hong Kong": "HK"}
_NOT_COUNTRIES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}
_CODE_LENGTH = 2


def country_code(name: str) -> str:
    """The ISO 3166-1 alpha-2 code of a country named in English. Raises Refused for a name that means none."""
    code = _codes().get(name.casefold())
    if code is None:
        raise Refused(
            "unknown-country", f"the country {name!r} is not the name of one country" if name else "no country"
        )
    return code


@cache
def _codes() -> dict[str, str]:
    names = {
        name.casefold(): code
        for code, name in Locale("en").territories.items()
        if len(code) == _CODE_LENGTH and code not in _NOT_COUNTRIES
    }
    return names | {name.casefold(): code for name, code in _ALSO_CALLED.items()}
