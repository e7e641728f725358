"""Signed links: whoever has one opens one document until it expires, without a token."""

from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer
from pydantic import SecretStr


class LinkInvalid(Exception):
    """This is no link of ours."""


class LinkExpired(Exception):
    """The link was good until a moment that has passed."""


class Links:
    """Makes links with the first of the keys and opens those made with any; `keys` have commas between them."""

    def __init__(self, keys: SecretStr) -> None:
        newest_last = [key.strip() for key in reversed(keys.get_secret_value().split(","))]
        self._serializer = URLSafeSerializer(newest_last, salt="documents.link")

    def make(self, document_id: str, until: datetime) -> str:
        """What is to be sent as `link` to open the document until then."""
        return self._serializer.dumps([document_id, int(until.timestamp())])

    def check(self, link: str, document_id: str, moment: datetime) -> None:
        """Raises LinkInvalid for what was not made for this document, LinkExpired for what was good before."""
        try:
            said, until = self._serializer.loads(link)
        except (BadData, ValueError, TypeError):
            raise LinkInvalid from None
        if said != document_id:
            raise LinkInvalid
        if moment.timestamp() >= until:
            raise LinkExpired(datetime.fromtimestamp(until, UTC).isoformat())
