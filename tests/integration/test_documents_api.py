"""Documents are handed out to a token of their shop and to a link that is good, and to nobody else."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from pydantic import SecretStr

import services.documents
from services.documents.api import router
from services.documents.archive import Archive, Kept
from services.documents.links import Links
from services.documents.store import Files, path_of
from shared.contracts.files import FileRef
from shared.contracts.message import new_id
from shared.runtime.database import open_pool
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import Tokens, make_token

CONTENT = b"%PDF-1.7 a document"
FOLDERS = [RUNTIME_MIGRATIONS, ("documents", Path(services.documents.__path__[0]) / "sql" / "migrations")]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@dataclass
class Counter:
    """Where documents are fetched, and one that is there."""

    client: httpx2.AsyncClient
    folder: Path
    document_id: str
    tokens: dict[str, str]

    def headers(self, shop: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[shop]}"}

    async def get(self, document_id: str, shop: str = "", **headers: str) -> httpx2.Response:
        known = self.headers(shop) if shop else {}
        return await self.client.get(f"/v1/documents/{document_id}", headers=known | headers)

    async def link(self, shop: str = "nordic-tea", **body: object) -> httpx2.Response:
        path = f"/v1/documents/{self.document_id}/link"
        return await self.client.post(path, headers=self.headers(shop), json=body)


@pytest.fixture
async def counter(database_url: str, tmp_path: Path) -> AsyncIterator[Counter]:
    """The HTTP face with one document of `nordic-tea`."""
    connection = await asyncpg.connect(database_url)
    await migrate(connection, FOLDERS)
    await connection.close()
    pool = await open_pool(database_url, name="documents", connections=4)
    archive, files = Archive(pool), Files(str(tmp_path))
    digest = await files.keep(CONTENT)
    file = FileRef(sha256=digest, name="följesedel-1.pdf", media_type="application/pdf", size=len(CONTENT))
    document_id = new_id()
    await archive.add(Kept(document_id, "nordic-tea", uuid4(), "delivery-note", "sv", file, NOW))
    async with pool.acquire() as acquired:
        tokens = {
            "nordic-tea": await make_token(acquired, "nordic-tea", "test", ["documents:read"]),
            "finn-kaffe": await make_token(acquired, "finn-kaffe", "test", ["documents:read"]),
            "writer": await make_token(acquired, "nordic-tea", "test", ["orders:write"]),
            "*": await make_token(acquired, "*", "test", ["operator"]),
        }
    state = {
        "pool": pool,
        "tokens": Tokens(pool),
        "archive": archive,
        "files": files,
        "links": Links(SecretStr("a-key")),
    }
    transport = httpx2.ASGITransport(make_app("documents", [router], state=state))
    async with httpx2.AsyncClient(transport=transport, base_url="http://documents.example") as client:
        yield Counter(client, tmp_path, document_id, tokens)
    await pool.close()


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"]


@pytest.mark.requirement("R106")
async def test_a_document_is_fetched_with_a_token_of_its_shop(counter: Counter) -> None:
    answer = await counter.get(counter.document_id, "nordic-tea")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''f%C3%B6ljesedel-1.pdf"
    assert answer.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    again = await counter.get(counter.document_id, "nordic-tea", **{"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_nobody_else_gets_it(counter: Counter) -> None:
    assert problem(await counter.get(counter.document_id)) == (401, "/problems/unauthorized")
    assert problem(await counter.get(counter.document_id, "writer")) == (403, "/problems/missing-scope")
    assert problem(await counter.get(counter.document_id, "finn-kaffe")) == (404, "/problems/unknown-document")
    assert problem(await counter.get(new_id(), "nordic-tea")) == (404, "/problems/unknown-document")
    assert problem(await counter.link("finn-kaffe")) == (404, "/problems/unknown-document")
    assert (await counter.get(counter.document_id, "*")).status_code == 200


async def test_a_link_opens_it_without_a_token(counter: Counter) -> None:
    made = (await counter.link(seconds=60)).json()
    answer = await counter.client.get(made["url"])
    assert answer.content == CONTENT
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert 50 < left.total_seconds() <= 60
    assert problem(await counter.client.get(made["url"] + "x")) == (404, "/problems/unknown-document")
    other = made["url"].replace(counter.document_id, new_id())
    assert problem(await counter.client.get(other)) == (404, "/problems/unknown-document")


async def test_a_link_that_has_expired_says_so(counter: Counter) -> None:
    expired = Links(SecretStr("a-key")).make(counter.document_id, NOW.replace(year=2025))
    answer = await counter.client.get(f"/v1/documents/{counter.document_id}?link={expired}")
    assert problem(answer) == (410, "/problems/link-expired")
    assert answer.json()["detail"] == "It was good until 2025-11-26T12:00:00+00:00."


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1, "60", 1.5])
async def test_a_link_is_good_for_a_second_to_a_week(counter: Counter, seconds: object) -> None:
    assert (await counter.link(seconds=seconds)).status_code == 422


async def test_an_installation_without_keys_makes_and_opens_no_links(counter: Counter) -> None:
    made = (await counter.link()).json()
    counter.client._transport.app.state.links = None  # type: ignore[attr-defined]  # noqa: SLF001
    assert problem(await counter.link()) == (501, "/problems/no-links")
    assert problem(await counter.client.get(made["url"])) == (404, "/problems/unknown-document")


async def test_a_file_that_the_store_has_lost_is_said_to_be_missing(counter: Counter) -> None:
    (counter.folder / path_of(hashlib.sha256(CONTENT).hexdigest())).unlink()
    answer = await counter.get(counter.document_id, "nordic-tea")
    assert problem(answer) == (500, "/problems/file-missing")
    assert answer.json()["detail"] == "Print the document again."
