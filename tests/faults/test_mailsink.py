"""The mail sink's ledger names what it accepted, whatever it said of it."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import aiosmtplib
import pytest

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process
from deploy.local.sandbox.ledger import Entry, read_ledger
from tests.faults.chaos import Chaos
from tests.plugins.servers import apart
from tests.plugins.waiting import eventually


@dataclass
class Running:
    """A mail sink in a process of its own."""

    process: Process
    port: int
    folder: Path

    def behave(self, chaos: Chaos) -> None:
        (self.folder / "chaos").write_text(chaos.model_dump_json())

    async def send(self, identity: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Message-ID"] = "a@shop.example", "b@customer.example", identity
        mail.set_content("hello")
        await aiosmtplib.send(mail, hostname=HOST, port=self.port, timeout=5)

    def of(self, identity: str, kind: str = "mails") -> list[Entry]:
        return [entry for entry in read_ledger(self.folder / kind) if entry["key"] == identity]


@pytest.fixture(scope="module")
def running_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, port = tmp_path_factory.mktemp("mailsink"), take_port()
    files: list[str | Path] = ["--ledger", folder / "mails", "--chaos", folder / "chaos"]
    words: list[str | Path] = [sys.executable, "-m", "tests.faults.mailsink", "--port", str(port), *files]
    sink = Running(start_process("mailsink", words, folder / "mailsink.log"), port, folder)
    apart(lambda: asyncio.run(eventually(lambda: sink.process.listens_on(port), timeout=30)))
    yield sink
    apart(lambda: asyncio.run(sink.process.stop()))


@pytest.fixture
def sink(running_sink: Running) -> Running:
    running_sink.behave(Chaos())
    return running_sink


def a_message_id() -> str:
    return f"<{uuid4().hex}@mail.example>"


async def test_an_accepted_mail_stands_in_the_ledger(sink: Running) -> None:
    identity = a_message_id()
    await sink.send(identity)
    assert [entry["recipient"] for entry in sink.of(identity)] == ["b@customer.example"]


async def test_a_mail_put_off_does_not_and_a_second_try_is_another_throw_of_the_dice(sink: Running) -> None:
    identity = a_message_id()
    sink.behave(Chaos(busy=1.0))
    with pytest.raises(aiosmtplib.SMTPDataError, match="451"):
        await sink.send(identity)
    assert sink.of(identity) == []
    sink.behave(Chaos())
    await sink.send(identity)
    assert [(call["nth"], call["did"]) for call in sink.of(identity, "mails.calls")] == [
        (1, "nothing"),
        (2, "executed"),
    ]


async def test_a_lost_answer_cuts_the_connection_after_the_mail_was_accepted(sink: Running) -> None:
    identity = a_message_id()
    sink.behave(Chaos(lost=1.0))
    with pytest.raises(aiosmtplib.SMTPException):
        await sink.send(identity)
    assert len(sink.of(identity)) == 1
