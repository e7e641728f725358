"""The files of pages: kept by browsers for ever, since their addresses change with them."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.backoffice.visiting import looks_of
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{_digest}/{_name}")
async def file(request: Request, _digest: str, _name: str) -> Response:
    """A file, compressed where the browser takes that."""
    asset = looks_of(request).assets.get(request.url.path)
    if asset is None:
        raise Problem(404, "not-found", "There is no such file.")
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if zipped else {})
    return Response(asset.zipped if zipped else asset.content, headers=headers, media_type=asset.media_type)
