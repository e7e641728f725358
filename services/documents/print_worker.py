"""The process that sets documents: it knows no secrets and has little memory."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from services.documents.typesetting import PrintRequest, Typesetting
from shared.runtime.child import Fault, have_little, serve
from shared.runtime.frames import frame
from shared.runtime.presentation.texts import TextsIncomplete


def printer(folder: Path) -> Callable[[bytes], bytes]:
    """Prints what a request asks for: a frame with the file's name, and then the PDF."""
    typesetting = Typesetting(folder)

    def make(body: bytes) -> bytes:
        request = PrintRequest.model_validate_json(body)
        try:
            name = typesetting.file_name(request)
            return frame(json.dumps(name).encode()) + typesetting.pages(request)
        except (TextsIncomplete, LookupError, MemoryError, OSError) as error:
            raise Fault(f"{request.document}: {type(error).__name__}: {error}") from None

    return make


if __name__ == "__main__":
    have_little()
    serve(printer(Path(sys.argv[1])), float(sys.argv[2]))
