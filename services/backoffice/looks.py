"""How pages are written: templates that escape everything, texts in three languages, files named by their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.backoffice.sessions import Visitor
from shared.contracts.values import Language
from shared.runtime.presentation.formats import Formats
from shared.runtime.presentation.texts import LANGUAGES, texts_of

HERE = Path(__file__).parent
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
LANGUAGE_NAMES: Mapping[Language, str] = {"sv": "Svenska", "fi": "Suomi", "en": "English"}


@dataclass(frozen=True)
class Asset:
    """A file that pages need; its address changes with its content, so that a browser may keep it for ever."""

    address: str
    media_type: str
    content: bytes
    zipped: bytes


class Looks:
    """Renders; built once, when the process starts."""

    def __init__(self, *, https: bool) -> None:
        self.https = https
        self.texts = texts_of(*sorted((HERE / "texts").glob("*.toml")))
        self.assets = {asset.address: asset for asset in map(_asset, _static())}
        self._addresses = {asset.address.rpartition("/")[2]: asset.address for asset in self.assets.values()}
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals |= {"asset": self._addresses.__getitem__, "language_names": LANGUAGE_NAMES}

    def render(
        self, template: str, language: Language, visitor: Visitor | None = None, time_zone: str = "UTC", **said: Any
    ) -> str:
        """The template with what is said to it; `time_zone` is the shop's."""
        return self._templates.get_template(template).render(
            say=self.texts[language],
            language=language,
            languages=LANGUAGES,
            formats=Formats(language, time_zone),
            visitor=visitor,
            **said,
        )


def _static() -> list[Path]:
    return sorted(path for path in (HERE / "static").iterdir() if path.suffix in MEDIA_TYPES)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"/static/{digest}/{path.name}", MEDIA_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
