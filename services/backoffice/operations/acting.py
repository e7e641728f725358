"""What operators have done: first it is said what will happen, then it is done, at once or by the service's desk."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.backoffice.operations import asking, command_lines
from services.backoffice.operations.kinds import Deed, Kind
from services.backoffice.operations.pages import Operating, kind_of, said_of, show_item
from services.backoffice.operations.wanted import Filter
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, looks_of, new_secret, others_of, page
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
KEY_LONGEST = 60
NUMBER_LONGEST = 18


@router.get("/operations/{kind_name}/many")
async def ask_of_many(request: Request, operator: Operating, kind_name: str) -> Response:
    """What would be done, and to how many."""
    query = Form(list(request.query_params.multi_items()))
    kind = kind_of(kind_name)
    return await about_many(request, operator, filter_in(kind, query), deed_in(kind, query), query)


@router.post("/operations/{kind_name}/many")
async def do_to_many(request: Request, operator: Operating, sent: Posted, kind_name: str) -> Response:
    """Left at the service's desk; the next page shows how far it is."""
    kind = kind_of(kind_name)
    wanted, deed, reason = filter_in(kind, sent), deed_in(kind, sent), sent.one("reason").strip()
    if not reason and kind.needs_reason(deed):
        return await about_many(request, operator, wanted, deed, sent, wrong=True)
    key = sent.one("key")[:KEY_LONGEST]
    many = await asking.do_with_many(others_of(request), operator, wanted, deed, reason, key=key, dry_run=False)
    if not many.asked:
        return await about_many(request, operator, wanted, deed, sent)
    where = f"service={wanted.service}&since={many.first_position}&until={many.last_position}"
    return go_to(request, f"/operations/asked?{where}&mine=true")


async def about_many(
    request: Request, operator: Visitor, wanted: Filter, deed: Deed, said: Form, *, wrong: bool = False
) -> Response:
    """The page that says what will happen to how many, with the first of them."""
    kind, reason = wanted.kind, said.one("reason").strip()
    dry = await asking.do_with_many(
        others_of(request), operator, wanted, deed, reason or "?", key=new_secret(), dry_run=True
    )
    actor, fields = f"person/{operator.id}", dict(wanted.fields)

    def many_line(why: str) -> str:
        return command_lines.for_many(kind, deed, wanted.service, fields, reason=why, actor=actor)

    more: dict[str, Any] = {"first": [kind.item(each) for each in dry.first], "fits": dry.fits, "more": dry.more}
    return page(
        request,
        "operations-many.html",
        status=422 if wrong else 200,
        wanted=wanted,
        deed=deed,
        reason=reason,
        wrong=wrong,
        many_line=many_line,
        **more,
        **said_of(request, kind),
    )


@router.post("/operations/{kind_name}/{service}/{item_id:path}")
async def act(
    request: Request, operator: Operating, sent: Posted, kind_name: str, service: str, item_id: str
) -> Response:
    """First what will happen; when that was read and confirmed, what came of it."""
    kind, service = kind_of(kind_name), asking.service_of(service)
    deed, reason = deed_in(kind, sent), sent.one("reason").strip()
    if not reason and kind.needs_reason(deed):
        return await show_item(request, operator, kind, service, item_id, wrong=deed.name, status=422)
    if not sent.one("sure"):
        return await confirm(request, operator, kind, service, item_id, deed, reason)
    body = kind.body(deed, reason, {name: number_in(sent, name) for name in deed.seen})
    said = {"service": service, "item_id": item_id, "deed": deed, "reason": reason, **said_of(request, kind)}
    key = f"{sent.one('key')[:KEY_LONGEST]}:{deed.name}"
    try:
        answer = await asking.do(others_of(request), operator, kind, service, item_id, deed, body, key)
    except Refusal as no:
        return page(
            request, "operations-done.html", status=no.status, answer=no.detail, refused=told(request, no), **said
        )
    return page(request, "operations-done.html", answer=answer, refused="", **said)


async def confirm(
    request: Request, operator: Visitor, kind: Kind, service: str, item_id: str, deed: Deed, reason: str
) -> Response:
    """The page that says what will happen to one. Raises Away, Refusal."""
    found = await asking.in_full(others_of(request), operator, kind, service, item_id)
    said = {"service": service, "item_id": item_id, **said_of(request, kind)}
    if found is None:
        return page(request, "operations-gone.html", status=404, **said)
    seen = {name: getattr(found, name) for name in deed.seen}
    return page(request, "operations-sure.html", item=found, deed=deed, reason=reason, seen=seen, **said)


def deed_in(kind: Kind, sent: Form) -> Deed:
    """The way out that was chosen. Raises Problem."""
    deed = kind.deed(sent.one("do"))
    if deed is None:
        raise Problem(404, "not-found", "There is no such way out.")
    return deed


def filter_in(kind: Kind, sent: Form) -> Filter:
    """Which of one service's items. Raises Problem."""
    wanted = replace(Filter.of(kind, sent.fields), after="")
    if not wanted.service:
        raise Problem(404, "not-found", "One service has to be said.")
    return wanted


def number_in(sent: Form, name: str) -> int:
    """A number that our page has sent with the form. Raises Problem."""
    said = sent.one(name)
    if not (said.isascii() and said.isdecimal() and len(said) <= NUMBER_LONGEST):
        raise Problem(422, "invalid-request", "The form does not say what it is about.")
    return int(said)


def told(request: Request, refusal: Refusal) -> str:
    """The text that says why not."""
    name, known = f"problem-{refusal.reason}", looks_of(request).texts["en"].keys()
    return name if name in known else "problem-refused"
