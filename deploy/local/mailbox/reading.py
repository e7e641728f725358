"""Reading a mail never fails, however broken or hostile it is: what cannot be decoded is shown as it stands."""

import base64
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser, HeaderParser
from typing import Any

_CONTENT_ID = re.compile(r"cid:([^\"'\s)>]+)", re.IGNORECASE)
_HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
_OWN_BASE = re.compile(r"<base\s", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """An attachment, or a picture that the HTML refers to."""

    index: int
    filename: str
    media_type: str
    content_id: str
    content: bytes


@dataclass(frozen=True)
class Reading:
    """What a person sees of a mail."""

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None
    parts: list[Part]

    @property
    def attachments(self) -> list[Part]:
        """The parts that the HTML does not show in its own place."""
        shown = set(_CONTENT_ID.findall(self.html or ""))
        return [part for part in self.parts if not part.content_id or part.content_id not in shown]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values, attachments by their name, type and size."""
        named = [
            {"index": part.index, "filename": part.filename, "media_type": part.media_type, "size": len(part.content)}
            for part in self.parts
        ]
        return {"headers": self.headers, "text": self.text, "html": self.html, "parts": named}


def read_mail(raw: bytes) -> Reading:
    """Take a mail apart: its headers decoded, its first text and HTML bodies, everything else as parts."""
    mail = BytesParser().parsebytes(raw)
    text: str | None = None
    html: str | None = None
    parts: list[Part] = []
    for leaf in _leaves(mail):
        kind, attached = leaf.get_content_type(), leaf.get_content_disposition() == "attachment"
        if kind == "text/plain" and text is None and not attached:
            text = _body(leaf)
        elif kind == "text/html" and html is None and not attached:
            html = _body(leaf)
        else:
            parts.append(_part(len(parts), leaf))
    return Reading([(name, _decoded(value)) for name, value in headers_of(raw).items()], text, html, parts)


def html_for_a_frame(reading: Reading) -> str:
    """The HTML with its own pictures inside it, and links that open in a window of their own."""
    html = reading.html or ""
    pictures = {part.content_id: part for part in reading.parts if part.content_id}

    def picture(found: re.Match[str]) -> str:
        part = pictures.get(found.group(1))
        if part is None or not part.media_type.startswith("image/"):
            return found.group()
        return f"data:{part.media_type};base64,{base64.b64encode(part.content).decode()}"

    html = _CONTENT_ID.sub(picture, html)
    if _OWN_BASE.search(html):
        return html
    return _HEAD.sub(lambda found: f'{found.group()}<base target="_blank">', html, count=1)


def headers_of(raw: bytes) -> Message:
    """The headers alone, undecoded; UTF-8 in them is read as what it is (RFC 6532)."""
    return HeaderParser().parsestr(raw.decode("utf-8", "surrogateescape"))


def header_text(headers: Message, name: str) -> str:
    """A header as a person reads it; empty when it is not there."""
    value = headers.get(name)
    return "" if value is None else _decoded(value)


def without_brackets(address: object) -> str:
    """The address without the angle brackets of an envelope or a content id."""
    return str(address).strip().removeprefix("<").removesuffix(">")


def _leaves(mail: Message) -> Iterator[Message]:
    return (part for part in mail.walk() if not part.is_multipart())


def _part(index: int, leaf: Message) -> Part:
    name = leaf.get_filename()
    content = leaf.get_payload(decode=True)
    return Part(
        index=index,
        filename=_decoded(name) if name else f"part-{index}",
        media_type=leaf.get_content_type(),
        content_id=without_brackets(leaf.get("Content-ID", "")),
        content=content if isinstance(content, bytes) else b"",
    )


def _body(leaf: Message) -> str:
    content = leaf.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(leaf.get_content_charset() or "utf-8", errors="replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", errors="replace")


def _decoded(value: object) -> str:
    """The header without its encoded words, on one line, with nothing in it that is not text."""
    folded = str(value)
    with contextlib.suppress(HeaderParseError, LookupError, ValueError):
        folded = str(make_header(decode_header(folded)))
    one_line = " ".join(folded.split())
    return one_line.encode("utf-8", "replace").decode("utf-8")
