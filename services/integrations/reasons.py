"""A provider's word for its no, as the order log writes reasons."""

import re

NO_WORD = re.compile(r"[^a-z0-9]+")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def reason_of(code: str) -> str:
    """`UnknownArticle`, `card_expired` as `unknown-article`, `card-expired`; `refused` where nothing is left."""
    word = NO_WORD.sub("-", CAMEL.sub("-", code).lower()).strip("-")[:64].rstrip("-")
    return word if len(word) > 1 and word[0].isalpha() else "refused"
