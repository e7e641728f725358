"""One mail as it goes over the wire, made so that nothing in a name or a subject can become a header or a recipient."""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from email_validator import EmailNotValidError, validate_email

from services.notifications.rendering import Letter
from shared.contracts.order import Customer
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language, masked_email, on_one_line

ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+")


@dataclass(frozen=True)
class Mail:
    """The envelope of a mail and its content."""

    sender: str
    recipient: str
    content: bytes
    message_id: str
    needs_smtputf8: bool
    """The part before the @ of an address is not ASCII (RFC 6531); domains never need it."""

    def request(self) -> bytes:
        """All of it as it is kept while nobody knows whether it was sent."""
        fields = {**asdict(self), "content": b64encode(self.content).decode()}
        return json.dumps(fields).encode()

    @classmethod
    def from_request(cls, request: bytes) -> "Mail":
        """What `request` kept, byte for byte."""
        fields = json.loads(request)
        return cls(**fields | {"content": b64decode(fields["content"])})


@dataclass(frozen=True)
class Person:
    """An address that mail can be sent to or from, and the name beside it, which may be empty."""

    name: str
    address: str

    def header(self) -> Address:
        """The two as they stand in a header."""
        username, _, domain = self.address.rpartition("@")
        return Address(display_name=as_written(self.name), username=username, domain=domain)


class AddressUnusable(Exception):
    """No mail can go to such an address, or come from it; the message says why, without the address."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class People:
    """From whom a mail comes, to whom it goes, and whom an answer goes to."""

    sender: Person
    recipient: Person
    reply_to: Person | None


def people_of(shop: ShopSettings, customer: Customer, sender_address: str) -> People:
    """A mail to a customer comes in the shop's name: from `sender_address`, or from the shop's own where it is empty.

    Raises AddressUnusable; a shop's address that answers cannot reach is left out where it is not the sender.
    """
    recipient = Person(customer.full_name, usable(customer.email, reason="address-unusable"))
    try:
        shop_itself = Person(shop.name, usable(shop.email, reason="sender-unusable"))
    except AddressUnusable:
        if not sender_address:
            raise
        return People(Person(shop.name, sender_address), recipient, None)
    return People(Person(shop.name, sender_address or shop_itself.address), recipient, shop_itself)


def usable(address: str, *, reason: str) -> str:
    """An address as mail servers want it: a domain beyond ASCII in its IDNA form.

    Raises AddressUnusable with `reason` for what is no address, or lies where mail never goes, such as `.invalid`.
    """
    try:
        found = validate_email(
            address,
            check_deliverability=False,
            globally_deliverable=False,
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise AddressUnusable(reason, with_masked_addresses(str(error), 400)) from None
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"


def message_id(effect_key: str, domain: str) -> str:
    """The Message-ID of the mail that this effect sends: the same however often it is composed."""
    return f"<{hashlib.sha256(effect_key.encode()).hexdigest()[:32]}@{domain}>"


def compose(letter: Letter, language: Language, people: People, *, message_id: str, date: datetime) -> Mail:
    """The mail: plain text and HTML as alternatives (RFC 2046), marked as written by a machine (RFC 3834)."""
    sender, recipient, reply_to = people.sender, people.recipient, people.reply_to
    beyond_ascii = not (sender.address + recipient.address).isascii()
    message = EmailMessage(policy=SMTP.clone(utf8=beyond_ascii))
    message["From"] = sender.header()
    message["To"] = recipient.header()
    if reply_to is not None and (beyond_ascii or reply_to.address.isascii()):
        message["Reply-To"] = reply_to.header()
    message["Subject"] = as_written(letter.subject)
    message["Date"] = date
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    # After the bodies, because what is called Content-… before them moves into the first one.
    message["Content-Language"] = language
    return Mail(sender.address, recipient.address, message.as_bytes(), message_id, beyond_ascii)


def as_written(text: str) -> str:
    """The text so that no mail program takes a part of it for an encoded word (RFC 2047), which could hide anything."""
    return text.replace("=?", "= ?")


def with_masked_addresses(text: str, limit: int) -> str:
    """A sentence from outside on one line of at most `limit` characters, with every address in it masked."""
    printable = text.encode("utf-8", "replace").decode()
    return on_one_line(ADDRESS.sub(lambda found: masked_email(found[0]), printable), limit)
