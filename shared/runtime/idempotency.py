"""Idempotency-Key: an answer is kept in the transaction of its change, so a repeated request cannot change it twice."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from fastapi import Header, Request
from starlette.responses import Response

from shared.runtime.database import Connection
from shared.runtime.problems import Problem

KEEP = timedelta(days=7)
AT_ONCE = 5000

CLAIM = """
insert into idempotency (shop, key, request_hash, status, headers, body) values ($1, $2, $3, $4, $5, $6)
on conflict (shop, key) do nothing returning true
"""
ANSWER = "update idempotency set status = $3, headers = $4, body = $5 where shop = $1 and key = $2"
FIND = "select request_hash, status, headers, body from idempotency where shop = $1 and key = $2"
FORGET = """
delete from idempotency where ctid = any (array(
  select ctid from idempotency where created_at < clock_timestamp() - $1::interval order by created_at limit $2
))
"""

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,128}$",
        description="Chosen by the caller, new for each thing it wants done; kept for seven days.",
        examples=["0197c8a6-5f0e-7a43-9c52-8e2b7f1d4c11"],
    ),
]


class KeyReused(Problem):
    """The key was used before for another request."""

    def __init__(self) -> None:
        super().__init__(422, "idempotency-key-reused", "The Idempotency-Key was used for another request.")


@dataclass(frozen=True)
class Answer:
    """What was answered, kept to be answered again."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    def response(self) -> Response:
        """Give the answer to send."""
        return Response(self.body, self.status, {"Content-Type": self.media_type, **self.headers})


class AnsweredBefore(Exception):
    """The request was answered before; the app answers that again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(self.__doc__)
        self.answer = answer


async def answer_again(_request: Request, error: Exception) -> Response:
    """Give the earlier answer."""
    assert isinstance(error, AnsweredBefore)  # noqa: S101 - registered for this class alone
    return error.answer.response()


@dataclass
class Claim:
    """A key that is ours: `seen` is the earlier answer, else set `answer` before the block ends."""

    seen: Answer | None = None
    answer: Answer | None = None


def request_hash(request: Request, body: bytes) -> bytes:
    """Hash what makes two requests the same."""
    return hashlib.sha256(request_content(request, body)).digest()


def request_content(request: Request, body: bytes) -> bytes:
    """What makes two requests the same: method, path with query, and the bytes of the body."""
    return f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body


async def remember(
    connection: Connection, shop: str, key: str, request_hash: bytes, answer: Answer, older: Sequence[bytes] = ()
) -> None:
    """Keep an answer that is known already, in one statement, at any place in the transaction of its change.

    Raises AnsweredBefore when the key has an answer: let it pass through the transaction, which it rolls back, and
    the earlier answer is given again. A first request that still runs is waited for; when that one is rolled back, this
    is the first. Raises KeyReused when the key was used for another request.
    Work that would be refused when done twice looks with `find` before it answers with the refusal.
    `older` are hashes that the same request may have been kept under.
    """
    while not await connection.fetchval(CLAIM, shop, key, request_hash, *columns(answer)):
        if earlier := await find(connection, shop, key, request_hash, older):
            raise AnsweredBefore(earlier)


@asynccontextmanager
async def claimed(connection: Connection, shop: str, key: str, request_hash: bytes) -> AsyncIterator[Claim]:
    """Claim a key before the work, where the answer is known only after it: two statements, around the block.

    A claim with `seen` was answered before: do nothing and answer that. Otherwise set `answer` in the block; what is
    raised there rolls back the claim with everything else, and the next request with the key is the first.
    Raises KeyReused as `remember` does. Needs an open transaction, begun before and committed after.
    """
    claim = Claim()
    while not await connection.fetchval(CLAIM, shop, key, request_hash, None, None, None):
        if earlier := await find(connection, shop, key, request_hash):
            claim.seen = earlier
            break
    yield claim
    if claim.seen is None:
        if claim.answer is None:
            raise RuntimeError("the block of a claimed key ended without an answer")
        await connection.execute(ANSWER, shop, key, *columns(claim.answer))


async def find(
    connection: Connection, shop: str, key: str, request_hash: bytes, older: Sequence[bytes] = ()
) -> Answer | None:
    """Give the answer kept under a key; None when it was forgotten in between. KeyReused for another request."""
    row = await connection.fetchrow(FIND, shop, key)
    if row is None:
        return None
    if row["request_hash"] not in {request_hash, *older}:
        raise KeyReused
    headers = json.loads(row["headers"])
    return Answer(row["status"], row["body"], headers, headers.pop("Content-Type"))


def columns(answer: Answer) -> tuple[int, str, bytes]:
    """Give an answer as its columns."""
    return answer.status, json.dumps({**answer.headers, "Content-Type": answer.media_type}), answer.body


async def forget_old(connection: Connection, older_than: timedelta = KEEP) -> int:
    """Forget the answers of more than seven days ago, 5,000 at a time; gives how many those were."""
    forgotten = 0
    while True:
        count = int((await connection.execute(FORGET, older_than, AT_ONCE)).removeprefix("DELETE "))
        forgotten += count
        if count < AT_ONCE:
            return forgotten
