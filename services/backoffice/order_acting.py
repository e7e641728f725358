"""What is done with one order: always at the version that the page showed, with what was typed kept where it fails."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from services.backoffice.order_deeds import DEEDS, NotSo
from services.backoffice.order_log import LogEntry
from services.backoffice.order_sheet import Sheet, read_sheet
from services.backoffice.order_show import Asked, Tried, show
from services.backoffice.orders import ORDERS, order_of
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import AtWork, Form, Handler, Posted, go_to, is_part, language_of, others_of
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
CONFLICT = 412
REVEAL = "reveal"


@router.post("/orders/{order_id}/do/{name}")
async def act(
    request: Request, visitor: Handler, sent: Posted, order_id: Annotated[UUID, Path()], name: str
) -> Response:
    """Do it, and show the order as it is then; a refusal shows the form again, with the reason and what it had."""
    deed = DEEDS.get(name)
    if deed is None:
        raise Problem(404, "not-found", "There is no such thing to do.")
    if sent.one("preview"):
        return show(request, visitor, await sheet_of(request, visitor, order_id), Asked(), tried=Tried(name, sent))
    others = others_of(request)
    try:
        order = await order_of(others, visitor, str(order_id))
        await others.post(
            ORDERS,
            f"/v1/orders/{order_id}/{deed.path}",
            visitor,
            deed.read(sent, order),
            key=f"{sent.one('key')[:60]}:{name}",
            version=version_in(sent),
        )
    except NotSo as wrong:
        sheet = await sheet_of(request, visitor, order_id)
        return show(request, visitor, sheet, Asked(), tried=Tried(name, sent, wrong.reason), status=422)
    except Refusal as refusal:
        return await refused(request, visitor, order_id, Tried(name, sent), refusal)
    if not is_part(request):
        return go_to(request, f"/orders/{order_id}?done={name}")
    after = await sheet_of(request, visitor, order_id)
    return show(request, visitor, after, Asked(done=name), headers={"HX-Push-Url": f"/orders/{order_id}"})


@router.get("/orders/{order_id}/do/{name}")
async def again(request: Request, _visitor: AtWork, order_id: Annotated[UUID, Path()], name: str) -> Response:
    """Whoever reloads a page that a form had led to, or changes its language, gets the form again."""
    return go_to(request, f"/orders/{order_id}?do={name}" if name in DEEDS else f"/orders/{order_id}")


@router.get("/orders/{order_id}/reveal")
async def no_more(request: Request, _visitor: AtWork, order_id: Annotated[UUID, Path()]) -> Response:
    """A number that was shown is not shown again."""
    return go_to(request, f"/orders/{order_id}")


@router.post("/orders/{order_id}/reveal")
async def reveal(request: Request, visitor: AtWork, sent: Posted, order_id: Annotated[UUID, Path()]) -> Response:
    """The customer's whole personal identity number, once, on this page alone; orders keeps who saw it and why."""
    sheet = await sheet_of(request, visitor, order_id)
    if not sent.one("reason").strip():
        return show(request, visitor, sheet, Asked(), tried=Tried(REVEAL, sent, "no-reason"), status=422)
    path = f"/v1/orders/{order_id}/personal-number/reveal"
    try:
        answer = await others_of(request).post(
            ORDERS, path, visitor, {"reason": sent.one("reason").strip()}, key=sent.one("key")[:60]
        )
    except Refusal as no:
        tried = Tried(REVEAL, sent, no.reason, no.detail)
        return show(request, visitor, sheet, Asked(), tried=tried, status=no.status)
    return show(request, visitor, sheet, Asked(revealed=answer.body["personal_identity_number"]))


async def refused(request: Request, visitor: Visitor, order_id: UUID, what: Tried, refusal: Refusal) -> Response:
    """The form again; where somebody was faster, with what they did."""
    sheet = await sheet_of(request, visitor, order_id)
    changes = changes_since(sheet, what.form) if refusal.status == CONFLICT else ()
    tried = Tried(what.deed, what.form, refusal.reason, words_of(refusal), changes)
    return show(request, visitor, sheet, Asked(), tried=tried, status=refusal.status)


def words_of(refusal: Refusal) -> str:
    """The service's own words, with what it says of single fields."""
    errors = refusal.document.get("errors")
    return "; ".join([refusal.detail, *map(str, errors)] if isinstance(errors, list) else [refusal.detail])


def changes_since(sheet: Sheet, sent: Form) -> list[LogEntry]:
    """What orders has noted since the page was made."""
    seen = int(sent.one("seen")) if sent.one("seen").isdecimal() else sheet.seen
    return [entry for entry in sheet.entries if entry.n > seen and entry.kind == "order"]


def version_in(sent: Form) -> int:
    """The order's version that the page showed. Raises Problem: no form of ours is without it."""
    said = sent.one("version")
    if not (said.isascii() and said.isdecimal() and 0 < len(said) < 10):  # noqa: PLR2004 - versions are below 10**9
        raise Problem(422, "invalid-request", "The form does not say which version of the order it is about.")
    return int(said)


async def sheet_of(request: Request, visitor: Visitor, order_id: UUID) -> Sheet:
    """All that the page shows. Raises Away, Refusal."""
    return await read_sheet(others_of(request), request.app.state.pool, visitor, str(order_id), language_of(request))
