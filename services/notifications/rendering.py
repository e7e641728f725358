"""From an order to the words of a mail: sandboxed templates that see only what `shown.py` prepared for them.

A template that names something unknown fails instead of leaving a hole, and nothing is ever loaded from the network.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from css_inline import CSSInliner
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict

from services.notifications.written import Written
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language, on_one_line
from shared.runtime.presentation.formats import Formats
from shared.runtime.presentation.shown import order_shown, shop_shown
from shared.runtime.presentation.texts import Texts, read_texts

TEMPLATES = Path(__file__).parent / "templates"
BLANK_LINES = re.compile(r"\n{3,}")
LONGEST_SUBJECT = 200
"""Characters."""


class RenderRequest(BaseModel):
    """Everything that a letter is made from; `kind` names a row of the catalogue."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kind: str
    language: Language
    order: OrderSnapshot
    shop: ShopSettings
    written: Written | None = None
    """What a person has written, where that is the message."""
    words: dict[str, str] = {}
    """What the message needs beside the order."""


@dataclass(frozen=True)
class Letter:
    """What a mail says: its subject, and its body in two forms."""

    subject: str
    text: str
    html: str


class Rendering:
    """Renders the messages whose templates lie in a folder; compiled templates and texts are kept."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._inliner = CSSInliner(load_remote_stylesheets=False)
        self._texts = cache(lambda kind: read_texts(folder, kind))

    def letter(self, request: RenderRequest) -> Letter:
        """The letter. Raises TemplateError, LookupError and whatever else a template can do wrong."""
        texts: Texts = self._texts(request.kind)[request.language]
        formats = Formats(request.language, request.shop.time_zone)
        seen: dict[str, Any] = {
            "language": request.language,
            "text": texts,
            "order": order_shown(request.order, request.shop, formats),
            "shop": shop_shown(request.shop),
        }
        seen["words"] = request.words
        if (written := request.written) is not None:
            seen["message"] = {
                "headline": written.headline,
                "text": written.as_text(),
                "html": written.as_html(),
            }
        return Letter(
            subject=on_one_line(self._rendered(request.kind, "subject.txt", seen), LONGEST_SUBJECT),
            text=BLANK_LINES.sub("\n\n", self._rendered(request.kind, "body.txt", seen)).strip() + "\n",
            html=self._inliner.inline(self._rendered(request.kind, "body.html", seen)),
        )

    def _rendered(self, kind: str, name: str, seen: dict[str, Any]) -> str:
        return self._environment.get_template(f"{kind}/{name}").render(seen)
