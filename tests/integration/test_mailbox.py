"""The mailbox answers 250 only for a mail that a crash cannot take back, and shows any mail without harm."""

import asyncio
import contextlib
import os
import signal
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest

from deploy.local.mailbox.reading import read_mail
from deploy.local.mailbox.store import Mails
from deploy.local.ports import take_port
from tests.plugins.mailboxes import Mailbox, start_mailbox

HOSTILE = b"""\
From: "<script>alert(1)</script>" <evil@example.com>\r
To: you@example.com\r
Subject: =?utf-8?q?=3Cimg_src=3Dx_onerror=3Dalert(2)=3E?=\r
Content-Type: text/html; charset=no-such-charset\r
\r
<html><head><meta http-equiv="refresh" content="0;url=http://192.0.2.1/"></head><body><h1>Hostile</h1>
<script>parent.document.title = "owned"; top.location = "http://192.0.2.1/"</script>
<img src="http://192.0.2.1/track.gif" onerror="parent.document.title = 'owned'">
<form action="http://192.0.2.1/"><input name="password"></form></body></html>
"""


def ordinary(to: str, subject: str = "Tack för din beställning") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Skogens Bönor <order@skog.example>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = "<1@skog.example>"
    mail.set_content("Hej Åsa!")
    mail.add_alternative("<html><head></head><body>Hej <b>Åsa</b>!</body></html>", subtype="html")
    return mail


def send(mailbox: Mailbox, to: str, content: bytes | EmailMessage) -> None:
    with smtplib.SMTP(mailbox.host, mailbox.smtp_port, timeout=10) as smtp:
        if isinstance(content, EmailMessage):
            smtp.send_message(content, "bounces@skog.example", [to])
        else:
            smtp.sendmail("bounces@skog.example", [to], content)


async def test_a_mail_is_shown_with_its_envelope_and_both_bodies(mailbox: Mailbox) -> None:
    await asyncio.to_thread(send, mailbox, "asa@kund.example", ordinary("Åsa <asa@kund.example>"))
    mail = await mailbox.message(to="asa@kund.example")
    assert mail["envelope_from"] == "bounces@skog.example"
    assert mail["sender"] == "Skogens Bönor <order@skog.example>"
    assert mail["subject"] == "Tack för din beställning"
    assert mail["text"].strip() == "Hej Åsa!"
    assert "<b>Åsa</b>" in mail["html"]
    assert [found["number"] for found in await mailbox.messages(message_id="<1@skog.example>")] == [mail["number"]]
    assert await mailbox.messages(to="nobody@kund.example") == []


async def test_a_test_does_not_see_the_mails_of_the_tests_before(mailbox: Mailbox) -> None:
    assert await mailbox.messages() == []


@pytest.mark.parametrize(
    ("recipient", "code"),
    [("refuse-550", 550), ("refuse-553", 553), ("tempfail-451", 451), ("refuse-data-554", 554)],
)
async def test_a_recipient_may_ask_to_be_refused(mailbox: Mailbox, recipient: str, code: int) -> None:
    with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as refusal:
        await asyncio.to_thread(send, mailbox, f"{recipient}@kund.example", ordinary("a@kund.example"))
    assert str(code) in str(refusal.value)
    assert await mailbox.messages() == []


async def test_a_recipient_may_be_refused_for_a_number_of_tries(mailbox: Mailbox) -> None:
    to = "tempfail-451-2@kund.example"
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await asyncio.to_thread(send, mailbox, to, ordinary(to))
    await asyncio.to_thread(send, mailbox, to, ordinary(to))
    assert len(await mailbox.messages(to=to)) == 1


async def test_a_connection_cut_in_place_of_the_answer_leaves_the_mail_accepted(mailbox: Mailbox) -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(send, mailbox, "hangup@kund.example", ordinary("hangup@kund.example"))
    assert len(await mailbox.messages(to="hangup@kund.example")) == 1


@pytest.fixture
async def own_mailbox(tmp_path: Path) -> AsyncIterator[Mailbox]:
    taken: set[int] = set()
    started = await start_mailbox(tmp_path / "mails", take_port(taken=taken), take_port(taken=taken))
    yield started
    await started.process.stop()


async def test_an_accepted_mail_survives_the_death_of_the_mailbox(own_mailbox: Mailbox, tmp_path: Path) -> None:
    await asyncio.to_thread(send, own_mailbox, "asa@kund.example", ordinary("asa@kund.example"))
    own_mailbox.process.send(signal.SIGKILL)
    await own_mailbox.process.ended(5)
    (tmp_path / "mails" / "000002.half").write_bytes(b"a mail that was being written")
    again = await start_mailbox(tmp_path / "mails", own_mailbox.smtp_port, int(own_mailbox.url.rpartition(":")[2]))
    try:
        assert [mail["subject"] for mail in await again.messages()] == ["Tack för din beställning"]
        await asyncio.to_thread(send, again, "asa@kund.example", ordinary("asa@kund.example"))
        assert [mail["number"] for mail in await again.messages()] == [2, 1]
    finally:
        await again.process.stop()


async def test_the_mailbox_ends_though_a_client_is_still_connected(own_mailbox: Mailbox) -> None:
    with smtplib.SMTP(own_mailbox.host, own_mailbox.smtp_port, timeout=10) as smtp:
        smtp.noop()
        own_mailbox.process.send(signal.SIGTERM)
        assert await own_mailbox.process.ended(10)
        assert own_mailbox.process.exit_code() == 0
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            smtp.noop()


def test_a_mail_is_synced_before_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = Mails(tmp_path)
    synced: list[tuple[str, int]] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, len(list(mails.newest_first()))))

    monkeypatch.setattr(os, "fsync", fsync)
    mails.keep("a@b.example", ["c@d.example"], b"Subject: x\r\n\r\nx\r\n", "here")
    assert synced == [("000001.half", 0), (tmp_path.name, 0)]
    assert len(list(mails.newest_first())) == 1


async def test_the_page_escapes_a_hostile_mail_and_puts_its_html_in_a_sandbox(mailbox: Mailbox) -> None:
    await asyncio.to_thread(send, mailbox, "you@example.com", HOSTILE)
    number = (await mailbox.message(to="you@example.com"))["number"]
    async with httpx2.AsyncClient(base_url=mailbox.url) as http:
        for path in ("/", f"/messages/{number}?show=headers", f"/messages/{number}?show=source", "/list?q=evil"):
            page = (await http.get(path)).text
            assert "<script>alert" not in page
            assert "<img src=x" not in page
        frame = await http.get(f"/messages/{number}/html")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


BROKEN = [b"", b"\r\n", b"Subject\r\n\r\n", b"\xff\xfe\x00", b"Subject: =?utf-8?b?=\r\n\r\n\x00"]


@pytest.mark.parametrize("raw", BROKEN)
def test_reading_never_fails_however_broken_the_mail_is(raw: bytes, tmp_path: Path) -> None:
    Mails(tmp_path).keep("", ["x"], raw, "here")
    [found] = Mails(tmp_path).newest_first()
    kept = Mails(tmp_path).raw(found.number)
    assert kept.endswith(raw)
    assert read_mail(kept) is not None


@pytest.mark.parametrize("asked", ["/api/messages?after=x", "/api/messages?limit=-1", "/list?before=" + "9" * 30])
async def test_a_question_that_makes_no_sense_is_refused(mailbox: Mailbox, asked: str) -> None:
    async with httpx2.AsyncClient(base_url=mailbox.url) as http:
        assert (await http.get(asked)).status_code == 400
        assert (await http.get("/messages/999999")).status_code == 404
