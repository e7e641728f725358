"""The HTTP face of documents: what was printed is handed out to whoever has a token of the shop, or a link."""

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.documents.archive import Archive, Found
from services.documents.links import LinkExpired, LinkInvalid, Links
from services.documents.store import FileMissing, Files
from shared.contracts.message import now
from shared.contracts.values import Identifier
from shared.runtime.bodies import json_body
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP, Caller, authenticated

router = APIRouter(prefix="/v1/documents", tags=["documents"])
log = structlog.stdlib.get_logger(__name__)
with_token = authenticated("documents:read")

UNKNOWN = problem_response("404", "unknown-document", "There is no such document.")
EXPIRED = problem_response("410", "link-expired", "The link has expired.")
NO_LINKS = problem_response("501", "no-links", "This installation makes no links.")
LONGEST = 7 * 24 * 3600
"""Seconds that a link may be good for."""


class LinkWanted(BaseModel):
    """For how long the link shall open the document."""

    seconds: Annotated[int, Field(ge=1, le=LONGEST)] = 3600


class DocumentLink(BaseModel):
    """Who has the address opens the document, until it expires."""

    url: str = Field(examples=["/v1/documents/01a213cc-0338-7a51-9c3e-5f0b7d2a1e44?link=WyIwMWEy.Xw"])
    expires_at: datetime


@router.get(
    "/{document_id}",
    summary="Fetch a document",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}, "description": "The file."},
        304: {"description": "The caller has it."},
        404: UNKNOWN,
        410: EXPIRED,
    },
)
async def fetch(
    request: Request,
    document_id: Identifier,
    link: Annotated[str | None, Query(max_length=500, description="What stands in an address with a link.")] = None,
) -> Response:
    """The file, for a token of its shop with the scope `documents:read`, or for a link that has not expired."""
    if link is None:
        found = await of_caller(request, document_id, await with_token(request))
    else:
        found = await by_link(request, document_id, link)
    headers = {
        "ETag": f'"{found.file.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(found.file.name)}",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(await content_of(request, found), headers=headers, media_type=found.file.media_type)


@router.post(
    "/{document_id}/link",
    summary="Make a link to a document",
    responses={200: {"model": DocumentLink}, 404: UNKNOWN, 501: NO_LINKS},
)
async def make_link(
    request: Request,
    caller: Annotated[Caller, Depends(with_token)],
    document_id: Identifier,
    wanted: Annotated[LinkWanted, Depends(json_body(LinkWanted))],
) -> Response:
    """An address that opens the document without a token; it cannot be taken back, only expire."""
    links: Links | None = request.app.state.links
    await of_caller(request, document_id, caller)
    if links is None:
        raise Problem(501, "no-links", "This installation makes no links.", "DOCUMENTS_LINK_KEYS is not set.")
    until = now().replace(microsecond=0) + timedelta(seconds=wanted.seconds)
    url = f"{router.prefix}/{quote(document_id)}?link={links.make(document_id, until)}"
    return Response(DocumentLink(url=url, expires_at=until).model_dump_json(), media_type="application/json")


async def of_caller(request: Request, document_id: str, caller: Caller) -> Found:
    """The document, where it is of the caller's shop; another shop's is as unknown as none."""
    archive: Archive = request.app.state.archive
    found = await archive.find(document_id)
    if found is None or caller.shop not in {found.shop, ANY_SHOP}:
        raise Problem(404, "unknown-document", "There is no such document.")
    return found


async def by_link(request: Request, document_id: str, link: str) -> Found:
    """The document of a link that is good."""
    links: Links | None = request.app.state.links
    archive: Archive = request.app.state.archive
    try:
        if links is not None:
            links.check(link, document_id, now())
    except LinkInvalid:
        raise Problem(404, "unknown-document", "There is no such document.", "The link is not whole.") from None
    except LinkExpired as expired:
        raise Problem(410, "link-expired", "The link has expired.", f"It was good until {expired}.") from None
    found = await archive.find(document_id)
    if links is None or found is None:
        raise Problem(404, "unknown-document", "There is no such document.")
    return found


async def content_of(request: Request, found: Found) -> bytes:
    """The file's bytes; a Problem where the store has lost or damaged them."""
    files: Files = request.app.state.files
    try:
        return await files.read(found.file.sha256)
    except FileMissing as missing:
        log.error("file missing", reason=str(missing))  # noqa: TRY400 - the reason is enough
        raise Problem(
            500, "file-missing", "The document's file is not in the store.", "Print the document again."
        ) from None
