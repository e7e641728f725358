"""What a person writes, made fit for a mail: of HTML only formatting is kept, and there is always a plain text."""

import re
from html import unescape
from typing import Literal

import nh3
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict

from shared.runtime.presentation.written import clean_html

ENDS_A_CELL = re.compile(r"</(?:td|th)>", re.IGNORECASE)
ENDS_A_LINE = re.compile(r"<(?:br|hr)\b[^>]*>|</(?:p|div|li|tr|h[1-4]|blockquote|pre|table)>", re.IGNORECASE)
BLANKS = re.compile(r"[ \t\r\f\v]+")


class Written(BaseModel):
    """A message as a person wrote it."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    headline: str
    text: str
    format: Literal["plain", "html"] = "plain"

    def as_text(self) -> str:
        """What it says; empty where nothing is left of its HTML."""
        return self.text.strip() if self.format == "plain" else html_as_text(self.text)

    def as_html(self) -> Markup:
        """How it looks."""
        return text_as_html(self.text) if self.format == "plain" else clean_html(self.text)


def html_as_text(text: str) -> str:
    """The words of HTML, a line for each block."""
    in_lines = ENDS_A_LINE.sub(lambda found: found[0] + "\n", clean_html(BLANKS.sub(" ", text.replace("\n", " "))))
    words = unescape(nh3.clean(ENDS_A_CELL.sub("  ", in_lines), tags=set()))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in words.split("\n"))).strip()


def text_as_html(text: str) -> Markup:
    """Plain text as paragraphs, its line breaks kept."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return Markup("").join(
        Markup('<p dir="auto">{}</p>').format(Markup("<br>").join(escape(line) for line in paragraph.split("\n")))
        for paragraph in paragraphs
    )
