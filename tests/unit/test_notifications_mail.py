"""What goes over the wire is one mail to one recipient, whatever stands in names and subjects."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest

from services.notifications.mail import (
    AddressUnusable,
    Mail,
    People,
    Person,
    compose,
    message_id,
    people_of,
    usable,
    with_masked_addresses,
)
from services.notifications.rendering import Letter
from tests.builders import a_customer, a_shop

LETTER = Letter(subject="Orderbekräftelse 1001", text="Tack!\n.\n", html="<p>Tack för 🍵!</p>")
SHOP = Person("Nordiska Tehuset", "hej@tehuset.example")
NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)


def composed(
    recipient: Person, *, letter: Letter = LETTER, sender: Person = SHOP, reply_to: Person | None = SHOP
) -> Mail:
    return compose(letter, "sv", People(sender, recipient, reply_to), message_id="<a@b.example>", date=NOW)


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(mail.content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_mail_has_both_bodies_and_says_that_a_machine_wrote_it() -> None:
    message = parsed(composed(Person("Åsa Öberg", "asa@example.org")))
    assert message["From"] == "Nordiska Tehuset <hej@tehuset.example>"
    assert message["To"] == "Åsa Öberg <asa@example.org>"
    assert message["Reply-To"] == "Nordiska Tehuset <hej@tehuset.example>"
    assert message["Subject"] == "Orderbekräftelse 1001"
    assert message["Message-ID"] == "<a@b.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "sv"
    assert message["Date"] == "Tue, 24 Nov 2026 18:30:00 +0000"
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content().splitlines() == ["Tack!", "."]
    assert html.get_content().strip() == "<p>Tack för 🍵!</p>"


def test_every_line_fits_into_smtp_and_is_ascii() -> None:
    letter = Letter(subject="ö" * 200, text="å" * 5000, html="<p>" + "x" * 5000 + "</p>")
    mail = composed(Person("Ö" * 200, "asa@example.org"), letter=letter, sender=Person("Ä" * 200, SHOP.address))
    assert mail.content.isascii()
    assert max(map(len, mail.content.split(b"\r\n"))) < 998
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    message = message_from_bytes(mail.content)
    assert str(make_header(decode_header(message["Subject"]))) == "ö" * 200
    assert str(make_header(decode_header(message["To"]))) == "Ö" * 200 + " <asa@example.org>"
    assert str(make_header(decode_header(message["From"]))) == "Ä" * 200 + " <hej@tehuset.example>"


@pytest.mark.parametrize(
    "name",
    [
        "Åsa <evil@example.com>, Bo",
        '"Åsa", evil@example.com',
        "=?utf-8?q?=0ABcc:_evil@example.com?=",
        "Åsa (comment) \\ ; :",
        "evil@example.com",
        "Åsa\u202e moc.elpmaxe",
    ],
)
def test_a_name_never_becomes_a_recipient_or_a_header(name: str) -> None:
    message = parsed(composed(Person(name, "asa@example.org")))
    assert [address.addr_spec for address in message["To"].addresses] == ["asa@example.org"]
    assert "Bcc" not in message
    assert len(message.keys()) == len(set(message.keys()))


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r"])
def test_a_line_break_in_a_header_is_refused(line_break: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|CR or LF"):
        composed(Person(f"Åsa{line_break}Bcc: evil@example.com", "asa@example.org"))
    with pytest.raises(ValueError, match=r"linefeed|CR or LF"):
        composed(SHOP, letter=Letter(f"Hej{line_break}Bcc: evil@example.com", "", ""))


def test_only_an_address_beyond_ascii_needs_smtputf8() -> None:
    assert not composed(Person("Åsa Öberg", "asa@example.org")).needs_smtputf8
    beyond = composed(Person("Åsa", "åsa@example.org"))
    assert beyond.needs_smtputf8
    assert "åsa@example.org".encode() in beyond.content


def test_an_answering_address_beyond_ascii_is_left_out_where_the_mail_itself_needs_no_smtputf8() -> None:
    mail = composed(Person("Bo", "bo@example.org"), reply_to=Person("Åsa", "åsa@example.org"))
    assert not mail.needs_smtputf8
    assert "Reply-To" not in parsed(mail)


def test_a_domain_beyond_ascii_goes_out_in_its_idna_form() -> None:
    assert usable("asa@åäö.example", reason="x") == "asa@xn--4cab6c.example"
    assert usable("åsa@åäö.example", reason="x") == "åsa@xn--4cab6c.example"


@pytest.mark.requirement("R124")
@pytest.mark.parametrize(
    "address",
    ["a..b@example.org", "<a@b.example", "a,b@example.org", "a@-.example", "a@example.invalid", "a\u202e@x.se"],
)
def test_what_is_no_address_is_refused_with_a_reason_that_does_not_repeat_it(address: str) -> None:
    with pytest.raises(AddressUnusable) as refusal:
        usable(address, reason="address-unusable")
    assert refusal.value.reason == "address-unusable"
    assert str(refusal.value)
    assert address not in str(refusal.value)


def test_mail_comes_from_the_shops_own_address_or_from_the_platforms_in_the_shops_name() -> None:
    own = people_of(a_shop(), a_customer(), "")
    assert own == People(SHOP, Person("Åsa Öberg", "asa.oberg@example.org"), SHOP)
    platforms = people_of(a_shop(), a_customer(), "mail@platform.example")
    assert platforms.sender == Person("Nordiska Tehuset", "mail@platform.example")
    assert platforms.reply_to == SHOP


def test_a_shop_that_cannot_be_answered_can_still_send_from_the_platforms_address() -> None:
    shop = a_shop(email="shop@example.invalid")
    assert people_of(shop, a_customer(), "mail@platform.example").reply_to is None
    with pytest.raises(AddressUnusable) as refusal:
        people_of(shop, a_customer(), "")
    assert refusal.value.reason == "sender-unusable"


@pytest.mark.requirement("R202")
def test_the_same_effect_gives_the_same_message_id_and_another_another() -> None:
    assert message_id("mail:1:order-received:x", "a.example") == message_id("mail:1:order-received:x", "a.example")
    assert message_id("mail:1:order-received:x", "a.example") != message_id("mail:2:order-received:x", "a.example")


def test_words_from_outside_come_on_one_line_with_every_address_masked() -> None:
    words = with_masked_addresses("550 5.1.1 <asa@example.org>:\r\n no such\x00 user (bo.ek@mail.example) \udcff", 400)
    assert words == "550 5.1.1 <a***@example.org>: no such user (b***@mail.example) ?"
