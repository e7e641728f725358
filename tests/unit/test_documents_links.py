"""A link opens one document until it expires, and nothing else ever."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.documents.links import LinkExpired, LinkInvalid, Links

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
LINKS = Links(SecretStr("a-key"))


def test_a_link_opens_its_document_until_it_expires() -> None:
    link = LINKS.make("the-document", LATER)
    LINKS.check(link, "the-document", NOW)
    with pytest.raises(LinkExpired, match="2026-11-26T13:00:00"):
        LINKS.check(link, "the-document", LATER)


def test_a_link_opens_no_other_document() -> None:
    with pytest.raises(LinkInvalid):
        LINKS.check(LINKS.make("the-document", LATER), "another", NOW)


@pytest.mark.parametrize("link", ["", ".", "x", "WyJ0aGUtZG9jdW1lbnQiLDFd.aGk", "\x00", "é" * 100, "a.b.c"])
def test_what_was_not_signed_here_opens_nothing(link: str) -> None:
    with pytest.raises(LinkInvalid):
        LINKS.check(link, "the-document", NOW)


def test_a_link_whose_end_was_changed_opens_nothing() -> None:
    link, other = LINKS.make("the-document", NOW), LINKS.make("the-document", LATER)
    mixed = other.rpartition(".")[0] + "." + link.rpartition(".")[2]
    with pytest.raises(LinkInvalid):
        LINKS.check(mixed, "the-document", NOW)


def test_links_made_with_an_older_key_open_while_it_is_among_the_keys() -> None:
    old = Links(SecretStr("old")).make("the-document", LATER)
    rotated = Links(SecretStr("new,old"))
    rotated.check(old, "the-document", NOW)
    Links(SecretStr("new")).check(rotated.make("the-document", LATER), "the-document", NOW)
    with pytest.raises(LinkInvalid):
        Links(SecretStr("new")).check(old, "the-document", NOW)
