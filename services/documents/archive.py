"""Which documents were printed, for whom, and where their files are."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.contracts.files import FileRef
from shared.runtime.database import Pool, connected

ADD = """
insert into document (id, shop, order_id, kind, language, sha256, name, media_type, size, asked_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing
"""
FIND = "select shop, sha256, name, media_type, size from document where id = $1"


@dataclass(frozen=True)
class Kept:
    """A document: its id is that of the event that asked for it."""

    id: str
    shop: str
    order_id: UUID
    kind: str
    language: str
    file: FileRef
    asked_at: datetime


@dataclass(frozen=True)
class Found:
    """What is needed to hand a document out."""

    shop: str
    file: FileRef


class Archive:
    """The table of documents."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, kept: Kept) -> None:
        """Records a document; one that is there stays as it is."""
        file = kept.file
        async with connected(self._pool) as connection:
            await connection.execute(
                ADD,
                *(kept.id, kept.shop, kept.order_id, kept.kind, kept.language),
                *(file.sha256, file.name, file.media_type, file.size, kept.asked_at),
            )

    async def find(self, document_id: str) -> Found | None:
        """The document of this id, whichever shop's it is."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(FIND, document_id)
        if row is None:
            return None
        return Found(row["shop"], FileRef(**{name: row[name] for name in FileRef.model_fields}))
