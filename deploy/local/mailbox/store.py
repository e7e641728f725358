"""A mail is one `.eml` file, complete and synced before anybody is told that it was accepted."""

import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from deploy.local.mailbox.reading import header_text, headers_of, without_brackets

_SENDER, _RECIPIENT, _RECEIVED = "Return-Path", "X-Original-To", "Received"


@dataclass(frozen=True)
class Summary:
    """One line of the list: the envelope as SMTP gave it, and what the mail says of itself."""

    number: int
    received_at: datetime
    envelope_from: str
    envelope_to: tuple[str, ...]
    sender: str
    to: str
    subject: str
    message_id: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**asdict(self), "received_at": self.received_at.isoformat()}

    def has(self, words: str) -> bool:
        """Whether the addresses or the subject contain `words`, in any case."""
        all_of_it = "\n".join((self.sender, self.to, self.subject, *self.envelope_to))
        return words.casefold() in all_of_it.casefold()


class Mails:
    """All mails of one folder, by their number; numbers rise and are never used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._summaries = {found.number: found for found in self._found()}
        self._last = max(self._summaries, default=0)

    def __len__(self) -> int:
        return len(self._summaries)

    def newest_first(self, before: int | None = None, after: int = 0) -> Iterator[Summary]:
        """The mails with numbers below `before` and above `after`, the newest first."""
        with self._lock:
            numbers = sorted(self._summaries, reverse=True)
        for number in numbers:
            if number > after and (before is None or number < before):
                yield self._summaries[number]

    def summary(self, number: int) -> Summary | None:
        """One mail's line, or None when there is no such mail."""
        return self._summaries.get(number)

    def raw(self, number: int) -> bytes:
        """The bytes as they came, after the three trace headers that every mail server writes on top."""
        return self._path(number).read_bytes()

    def keep(self, sender: str, recipients: list[str], content: bytes, client: str) -> Summary:
        """Write a mail to disk, sync it, and only then list it."""
        received_at = datetime.now(UTC).replace(microsecond=0)
        trace = [
            f"{_SENDER}: <{sender}>",
            *(f"{_RECIPIENT}: {recipient}" for recipient in recipients),
            f"{_RECEIVED}: from {client} by mailbox; {format_datetime(received_at)}",
        ]
        raw = "".join(f"{line}\r\n" for line in trace).encode("utf-8", "surrogateescape") + content
        with self._lock:
            self._last += 1
            number = self._last
        self._write(number, raw)
        summary = _summary(number, raw)
        with self._lock:
            self._summaries[number] = summary
        return summary

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.eml"

    def _write(self, number: int, raw: bytes) -> None:
        path = self._path(number)
        half = path.with_suffix(".half")
        with half.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _found(self) -> Iterator[Summary]:
        for path in self._folder.glob("*.half"):
            path.unlink()
        for path in sorted(self._folder.glob("*.eml")):
            yield _summary(int(path.stem), path.read_bytes())


def _summary(number: int, raw: bytes) -> Summary:
    headers = headers_of(raw)
    return Summary(
        number=number,
        received_at=_received_at(headers),
        envelope_from=without_brackets(headers.get(_SENDER, "")),
        envelope_to=tuple(str(value) for value in headers.get_all(_RECIPIENT, [])),
        sender=header_text(headers, "From"),
        to=header_text(headers, "To"),
        subject=header_text(headers, "Subject"),
        message_id=header_text(headers, "Message-ID"),
        size=len(raw),
    )


def _received_at(headers: Message) -> datetime:
    return parsedate_to_datetime(str(headers.get(_RECEIVED, "")).rpartition(";")[2].strip())
