"""Whatever a mail server does, a mail ends as a clear yes, a clear no, certainly not sent, or unknown."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from aiosmtplib import SMTPServerDisconnected
from aiosmtplib.errors import SMTPReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.mailbox.smtp import Reception, listen
from deploy.local.mailbox.store import Mails
from services.notifications.mail import Mail, People, Person, compose, message_id
from services.notifications.rendering import Letter
from services.notifications.smtp import SmtpPost, SmtpServer
from shared.messaging.effects import Done, Failed, NotSent, Permit, PutOff
from tests.plugins.smtp_scripts import HANG_UP, SILENCE, ScriptedServer, scripted_smtp

SHOP = Person("Nordiska Tehuset", "hej@tehuset.example")


class Mailbox:
    """The mailbox of the local stack, and a way to it."""

    def __init__(self, mails: Mails, port: int) -> None:
        self.mails = mails
        self.post = post_at(port)

    async def deliver(self, recipient: str) -> Done | Failed:
        return await self.post.deliver(a_mail(recipient), allowed())

    def recipients(self) -> list[tuple[str, ...]]:
        return [mail.envelope_to for mail in self.mails.newest_first()]


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    mails = Mails(tmp_path / "mails")
    server = await listen(mails, "127.0.0.1", 0)
    box = Mailbox(mails, server.sockets[0].getsockname()[1])
    async with server:
        yield box
        await box.post.close()


def post_at(
    port: int, *, answer_within: float = 5.0, connect_within: float = 4.0, idle_for: float = 20.0, **server: Any
) -> SmtpPost:
    """A way to a server on this machine."""
    return SmtpPost(
        SmtpServer("127.0.0.1", port, local_hostname="test.example", **server),
        answer_within=answer_within,
        connect_within=connect_within,
        idle_for=idle_for,
    )


def a_mail(recipient: str = "asa@example.org", text: str = "Tack!\n.\n..\n") -> Mail:
    return compose(
        Letter("Orderbekräftelse", text, "<p>Tack!</p>"),
        "sv",
        People(SHOP, Person("Åsa", recipient), SHOP),
        message_id=message_id(f"mail:1:order-received:{recipient}", "mail.example"),
        date=datetime(2026, 11, 24, tzinfo=UTC),
    )


def allowed(seconds: float = 5.0) -> Permit:
    return Permit(time.monotonic(), seconds)


async def delivered(server: ScriptedServer, recipient: str = "asa@example.org") -> Done | Failed:
    post = post_at(server.port)
    try:
        return await post.deliver(a_mail(recipient), allowed())
    finally:
        await post.close()


async def test_an_accepted_mail_is_done_with_its_message_id_and_the_servers_words(mailbox: Mailbox) -> None:
    outcome = await mailbox.deliver("asa@example.org")
    assert isinstance(outcome, Done)
    assert outcome.result["message_id"] == a_mail("asa@example.org").message_id
    assert outcome.result["answer"] == "250 2.0.0 kept as 1"
    (kept,) = mailbox.mails.newest_first()
    assert (kept.envelope_from, kept.envelope_to) == ("hej@tehuset.example", ("asa@example.org",))
    assert kept.message_id == outcome.result["message_id"]


async def test_dots_at_the_beginning_of_a_line_arrive_as_they_were(mailbox: Mailbox) -> None:
    await mailbox.deliver("asa@example.org")
    text, _ = message_from_bytes(mailbox.mails.raw(1), policy=default).iter_parts()
    assert text.get_content().splitlines() == ["Tack!", ".", ".."]


async def test_a_recipient_that_is_refused_is_a_clear_no_and_its_address_is_masked(mailbox: Mailbox) -> None:
    outcome = await mailbox.deliver("refuse-550@example.org")
    assert outcome == Failed("address-refused", "550 5.1.1 r***@example.org is refused on purpose")
    assert not mailbox.recipients()


async def test_a_mail_that_is_refused_after_its_content_is_a_clear_no(mailbox: Mailbox) -> None:
    outcome = await mailbox.deliver("refuse-data-554@example.org")
    assert outcome == Failed("message-refused", "554 5.6.0 the mail is refused on purpose")


async def test_a_recipient_that_is_put_off_was_certainly_not_sent_and_can_be_tried_again(mailbox: Mailbox) -> None:
    for _ in range(2):
        with pytest.raises(PutOff, match=r"451 4\.1\.1 t\*\*\*@example\.org"):
            await mailbox.deliver("tempfail-451-2@example.org")
    assert isinstance(await mailbox.deliver("tempfail-451-2@example.org"), Done)
    assert mailbox.recipients() == [("tempfail-451-2@example.org",)]


@pytest.mark.parametrize("recipient", ["tempfail-421@example.org", "refuse-data-451@example.org"])
async def test_what_is_put_off_whoever_it_is_for_speaks_against_the_server(mailbox: Mailbox, recipient: str) -> None:
    with pytest.raises(NotSent) as raised:
        await mailbox.deliver(recipient)
    assert not isinstance(raised.value, PutOff)


async def test_a_mail_that_is_put_off_after_its_content_was_certainly_not_sent(mailbox: Mailbox) -> None:
    with pytest.raises(NotSent, match="451"):
        await mailbox.deliver("refuse-data-451@example.org")


async def test_a_refused_connection_means_certainly_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent, match="not usable"):
            await post_at(unused.getsockname()[1]).deliver(a_mail(), allowed())


@pytest.mark.requirement("R202")
async def test_a_connection_cut_in_place_of_the_last_answer_leaves_it_unknown(mailbox: Mailbox) -> None:
    with pytest.raises(SMTPServerDisconnected):
        await mailbox.deliver("hangup@example.org")
    assert mailbox.recipients() == [("hangup@example.org",)], "it was taken, and nobody can say so"


@pytest.mark.requirement("R202")
async def test_a_last_answer_that_does_not_come_leaves_it_unknown() -> None:
    async with scripted_smtp(CONTENT=SILENCE) as server:
        with pytest.raises(SMTPReadTimeoutError):
            await post_at(server.port, answer_within=0.2).deliver(a_mail(), allowed())
        assert len(server.mails) == 1


@pytest.mark.parametrize("answer", ["nonsense", "333 what now", "200 hm"])
async def test_an_answer_that_is_neither_yes_nor_no_leaves_it_unknown(answer: str) -> None:
    async with scripted_smtp(CONTENT=answer) as server:
        with pytest.raises(Exception, match=r"nonsense|what now|hm") as raised:
            await delivered(server)
        assert not isinstance(raised.value, NotSent)


@pytest.mark.parametrize(
    "script", [{"MAIL": HANG_UP}, {"RCPT": HANG_UP}, {"MAIL": "nonsense"}, {"RCPT": "421 closing"}]
)
async def test_whatever_goes_wrong_before_the_content_means_certainly_not_sent(script: dict[str, str]) -> None:
    async with scripted_smtp(**script) as server:
        with pytest.raises(NotSent):
            await delivered(server)
        assert not server.mails


@pytest.mark.parametrize(
    "script",
    [
        {"GREETING": "554 no service"},
        {"GREETING": HANG_UP},
        {"EHLO": HANG_UP},
        {"EHLO": "500 what", "HELO": "500 what"},
        {"MAIL": "530 log in first"},
    ],
)
async def test_a_server_that_refuses_us_says_nothing_about_the_mail(script: dict[str, str]) -> None:
    async with scripted_smtp(**script) as server:
        with pytest.raises(NotSent):
            await delivered(server)


async def test_a_server_that_does_not_greet_in_time_means_certainly_not_sent() -> None:
    async with scripted_smtp(GREETING=SILENCE) as server:
        with pytest.raises(NotSent):
            await post_at(server.port, connect_within=0.2).deliver(a_mail(), allowed())


async def test_a_sender_that_is_refused_is_a_clear_no() -> None:
    async with scripted_smtp(MAIL="553 not <hej@tehuset.example>") as server:
        assert await delivered(server) == Failed("sender-refused", "553 not <h***@tehuset.example>")


async def test_when_the_permit_is_over_nothing_is_said_about_the_mail() -> None:
    async with scripted_smtp() as server:
        with pytest.raises(NotSent, match="start allowance"):
            await post_at(server.port).deliver(a_mail(), allowed(seconds=-1))
        assert server.connections == 1
        assert not [command for command in server.heard if command.startswith(("MAIL", "RCPT", "DATA"))]


async def test_an_address_beyond_ascii_is_sent_where_the_server_takes_it(mailbox: Mailbox) -> None:
    assert isinstance(await mailbox.deliver("åsa@exempel.example"), Done)
    assert mailbox.recipients() == [("åsa@exempel.example",)]


async def test_an_address_beyond_ascii_is_a_clear_no_where_the_server_does_not_take_it() -> None:
    async with scripted_smtp() as server:
        outcome = await delivered(server, "åsa@exempel.example")
        assert outcome == Failed("address-needs-smtputf8", "the mail server takes no addresses beyond ASCII")
        assert not server.mails


async def test_a_connection_is_kept_for_the_next_mail() -> None:
    async with scripted_smtp() as server:
        post = post_at(server.port)
        for _ in range(3):
            assert isinstance(await post.deliver(a_mail(), allowed()), Done)
        assert (server.connections, len(server.mails)) == (1, 3)
        await post.close()
        assert server.heard[-1] == "QUIT"


async def test_a_kept_connection_that_the_server_has_closed_is_replaced_before_anything_is_sent() -> None:
    async with scripted_smtp() as server:
        post = post_at(server.port)
        await post.deliver(a_mail(), allowed())
        server.script["RSET"] = HANG_UP
        assert isinstance(await post.deliver(a_mail(), allowed()), Done)
        assert (server.connections, len(server.mails)) == (2, 2)
        await post.close()


async def test_a_connection_that_was_idle_too_long_is_not_used_again() -> None:
    async with scripted_smtp() as server:
        post = post_at(server.port, idle_for=0.0)
        await post.deliver(a_mail(), allowed())
        await post.deliver(a_mail(), allowed())
        assert server.connections == 2
        await post.close()


async def test_after_a_lost_answer_the_connection_is_never_used_again() -> None:
    async with scripted_smtp(CONTENT=SILENCE) as server:
        post = post_at(server.port, answer_within=0.1)
        with pytest.raises(SMTPReadTimeoutError):
            await post.deliver(a_mail(), allowed())
        server.script["CONTENT"] = "250 queued"
        assert isinstance(await post.deliver(a_mail(), allowed()), Done)
        assert server.connections == 2
        await post.close()


async def test_a_delivery_that_is_cancelled_gives_its_connection_up() -> None:
    async with scripted_smtp(CONTENT=SILENCE) as server:
        post = post_at(server.port)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await post.deliver(a_mail(), allowed())
        server.script["CONTENT"] = "250 queued"
        assert isinstance(await post.deliver(a_mail(), allowed()), Done)
        assert server.connections == 2
        await post.close()


async def test_many_mails_at_once_each_arrive_once(mailbox: Mailbox) -> None:
    outcomes = await asyncio.gather(*(mailbox.deliver(f"customer-{number}@example.org") for number in range(40)))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert sorted(mailbox.recipients()) == sorted((f"customer-{number}@example.org",) for number in range(40))


async def test_a_server_without_starttls_is_not_used_when_starttls_is_asked_for() -> None:
    async with scripted_smtp() as server:
        with pytest.raises(NotSent, match="STARTTLS"):
            await post_at(server.port, starttls=True).deliver(a_mail(), allowed())


async def test_a_server_that_knows_no_login_is_not_used_when_there_is_a_user() -> None:
    async with scripted_smtp() as server:
        with pytest.raises(NotSent, match="AUTH"):
            await post_at(server.port, user="shop", password="secret").deliver(a_mail(), allowed())


async def test_a_wrong_password_is_no_fault_of_the_mail_and_is_not_repeated_in_words() -> None:
    async with scripted_smtp(EHLO="250-test.example\r\n250 AUTH PLAIN", AUTH="535 5.7.8 wrong") as server:
        with pytest.raises(NotSent, match=r"535|wrong") as raised:
            await post_at(server.port, user="shop", password="secret").deliver(a_mail(), allowed())
        assert "secret" not in str(raised.value)


async def test_mail_goes_out_over_starttls_and_a_server_with_a_strange_certificate_gets_none(tmp_path: Path) -> None:
    theirs, ours = tls_contexts(tmp_path)
    mails = Mails(tmp_path / "mails")

    def session() -> SMTP:
        return SMTP(Reception(mails), hostname="test.example", tls_context=theirs, require_starttls=True)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        post = post_at(port, starttls=True, tls_context=ours)
        assert isinstance(await post.deliver(a_mail(), allowed()), Done)
        await post.close()
        with pytest.raises(NotSent, match=r"(?i)certificate"):
            await post_at(port, starttls=True).deliver(a_mail(), allowed())
    assert len(mails) == 1


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1 of its own making, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    both = folder / "server.pem"
    both.write_bytes(
        key.private_bytes(pem, private, serialization.NoEncryption()) + certificate.public_bytes(encoding=pem)
    )
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(both)
    return theirs, ssl.create_default_context(cadata=certificate.public_bytes(pem).decode())
