"""The process that renders templates: it knows no secrets and has little memory."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from jinja2 import TemplateError

from services.notifications.rendering import Rendering, RenderRequest
from shared.runtime.child import Fault, have_little, serve
from shared.runtime.presentation.texts import TextsIncomplete

TEMPLATE_FAULTS = (
    TemplateError,
    TextsIncomplete,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template, or what it was given, can do wrong; anything else is a fault of this program and ends it."""


def letters(folder: Path) -> Callable[[bytes], bytes]:
    """Writes the letter that a request asks for, as its fields in JSON."""
    rendering = Rendering(folder)

    def write(body: bytes) -> bytes:
        request = RenderRequest.model_validate_json(body)
        try:
            return json.dumps(asdict(rendering.letter(request))).encode()
        except TEMPLATE_FAULTS as error:
            raise Fault(f"{request.kind}: {type(error).__name__}: {error}") from None

    return write


if __name__ == "__main__":
    have_little()
    serve(letters(Path(sys.argv[1])), float(sys.argv[2]))
