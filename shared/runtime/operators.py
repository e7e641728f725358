"""What operators see and do by HTTP, the same in every service; every call needs a token with the scope `operator`.

One thing is done at once, in the transaction of its answer. Of many each is left at the service's desk, and done by a
process with the role `work`.
"""

import json
from collections.abc import Awaitable, Callable
from types import GenericAlias
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field, create_model
from starlette.responses import Response

from shared.contracts.refusal import Refused
from shared.messaging.database import Connection
from shared.messaging.repair_desk import ask
from shared.messaging.repairs import Operator, Repairs
from shared.messaging.trouble import MOST, Item, NotAPlace
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.idempotency import Answer, IdempotencyKey, claimed, request_hash
from shared.runtime.masking import masked_text
from shared.runtime.openapi import problem_response
from shared.runtime.operator_answers import (
    AT_MOST,
    SHOWN,
    Asked,
    AskedCounts,
    AskedPage,
    Done,
    Many,
    Paging,
    asked_example,
    content,
    done_example,
    many_example,
    page_example,
)
from shared.runtime.operator_sections import SECTIONS, Action, Body, Section
from shared.runtime.operator_status import EXAMPLE, Status, status_of
from shared.runtime.problems import MEDIA_TYPE, Problem, invalid_request
from shared.runtime.tokens import OPERATOR, Caller, authenticated
from shared.runtime.trouble_shown import shown

router = APIRouter(prefix="/v1/operators", tags=["operators"])

Whoever = Annotated[Caller, Depends(authenticated(OPERATOR))]
UNKNOWN = problem_response("404", "unknown-item", "There is nothing of this kind under this id, or no longer.")
REFUSED = problem_response("409", "not-done", "It could not be done.", description="Refused; `detail` says why.")
LIST_REPAIRS = """
select position, asked_at, actor, action, arguments, reason, state, coalesce(answer, '') as answer, answered_at
from repair where ($1::bigint is null or position < $1) and ($2::text is null or state = $2)
  and ($3::text is null or actor = $3) and ($4::bigint is null or position >= $4)
  and ($5::bigint is null or position <= $5)
order by position desc limit $6
"""
COUNT_REPAIRS = """
select state, count(*) from repair where position between $1 and $2 and ($3::text is null or actor = $3) group by 1
"""
LAST_OF_ALL = 2**63 - 1
Position = Annotated[int, Field(ge=1, lt=2**63)] | None


def annotated(endpoint: Callable[..., Awaitable[Response]], **types: Any) -> Callable[..., Awaitable[Response]]:
    """The endpoint, with the types that its kind of trouble gives its parameters."""
    endpoint.__annotations__ |= types
    return endpoint


def as_json(body: str, status: int = 200) -> Response:
    """An answer as JSON."""
    return Response(body, status, media_type="application/json")


def add_list(section: Section) -> None:
    """`GET /v1/operators/<kind>`."""

    async def endpoint(request: Request, caller: Whoever, asked: Any) -> Response:  # noqa: ARG001 - it must be one
        wanted = section.kind.filter(**asked.model_dump(include=set(section.kind.filter.model_fields)))
        async with connected(request.app.state.pool) as connection:
            try:
                page = await section.kind.page(
                    connection, wanted, after=asked.after, limit=asked.limit, latest_first=asked.latest_first
                )
            except NotAPlace as error:
                fault = {"loc": ("after",), "type": "not_a_place", "msg": str(error)}
                raise invalid_request([fault], where="query") from None
        items = [shown(item) for item in page.items]
        return as_json(pages(items=items, following=page.following).model_dump_json())

    items_of: Any = GenericAlias(list, (section.kind.item,))
    pages = create_model(f"{section.kind.item.__name__}Page", items=(items_of, ...), following=(str | None, ...))
    query = create_model(f"{section.kind.filter.__name__}Query", __base__=(section.kind.filter, Paging))
    router.add_api_route(
        f"/{section.kind.name}",
        annotated(endpoint, asked=Annotated[query, Query()]),
        summary=f"List {section.many}",
        description="What has waited longest comes first, unless the latest shall; personal data is masked.",
        operation_id=f"list-{section.kind.name}",
        responses={200: {"model": pages, "content": content(page_example(section))}},
    )


def add_show(section: Section) -> None:
    """`GET /v1/operators/<kind>/<id>`."""

    async def show(request: Request, caller: Whoever, item_id: str) -> Response:  # noqa: ARG001 - it must be one
        async with connected(request.app.state.pool) as connection:
            item = await find(section, connection, item_id)
            try:
                full = await section.in_full(connection, item)
            except LookupError:
                raise unknown_item() from None
        return as_json(full.model_dump_json())

    router.add_api_route(
        f"/{section.kind.name}/{{item_id:path}}",
        show,
        summary=f"Read {section.one} in full",
        description="With all that stands in it; personal data is masked.",
        operation_id=f"read-{section.kind.name}",
        responses={
            200: {"model": section.full, "content": content(section.example.model_dump(mode="json"))},
            404: UNKNOWN,
        },
    )


def add_action(section: Section, action: Action) -> None:
    """`POST /v1/operators/<kind>/<id>/<action>`."""

    async def act(request: Request, caller: Whoever, key: IdempotencyKey, item_id: str, body: Any) -> Response:
        repairs: Repairs = request.app.state.repairs
        operator = Operator(actor=caller.actor, reason=body.reason)
        identity = request_hash(request, await request.body())
        async with (
            transaction(repairs.pool) as connection,
            claimed(connection, caller.shop, key, identity) as claim,
        ):
            if claim.seen is not None:
                return claim.seen.response()
            item = await find(section, connection, item_id)
            claim.answer = await answer_of(repairs, connection, action, item, body, operator)
        repairs.committed()
        return claim.answer.response()

    router.add_api_route(
        f"/{section.kind.name}/{{item_id:path}}/{action.name}",
        annotated(act, body=Annotated[action.body, Depends(json_body(action.body))]),
        methods=["POST"],
        summary=f"{action.verb} {section.one}",
        description=(action.body.__doc__ or "") + " The answer says what happens now.",
        operation_id=f"{action.name}-{section.kind.name}",
        responses={
            200: {"model": Done, "content": content(done_example(section, action))},
            404: UNKNOWN,
            409: REFUSED,
        },
        openapi_extra={"requestBody": {"content": content(action.example)}},
    )


async def answer_of(
    repairs: Repairs, connection: Connection, action: Action, item: Item, body: Body, operator: Operator
) -> Answer:
    """Does it; an answer that is a refusal and yet wrote something is a problem too, and is kept."""
    wanted = action.wanted(item, body)
    try:
        repaired = await repairs.carry_out(connection, wanted, operator)
    except Refused as refusal:
        raise Problem(409, refusal.reason, "It could not be done.", refusal.detail) from None
    await repairs.record(connection, wanted, operator, repaired)
    if not repaired.done:
        document = Problem(409, "not-done", "It could not be done.", masked_text(repaired.answer)).document
        return Answer(409, json.dumps(document, ensure_ascii=False).encode(), media_type=MEDIA_TYPE)
    return Answer(
        200, Done(id=item.id, action=action.name, answer=masked_text(repaired.answer)).model_dump_json().encode()
    )


def add_for_many(section: Section, action: Action) -> None:
    """`POST /v1/operators/<kind>/<action>`."""

    async def act(request: Request, caller: Whoever, key: IdempotencyKey, body: Any) -> Response:
        repairs: Repairs = request.app.state.repairs
        operator = Operator(actor=caller.actor, reason=body.reason)
        identity = request_hash(request, await request.body())
        async with (
            transaction(repairs.pool) as connection,
            claimed(connection, caller.shop, key, identity) as claim,
        ):
            if claim.seen is not None:
                return claim.seen.response()
            found = await fitting(section, connection, body.filter)
            chosen = found[:AT_MOST]
            wanted = [] if body.dry_run else [action.wanted(item, body) for item in chosen]
            positions = await ask(connection, wanted, operator) if wanted else []
            many = Many(
                fits=len(chosen),
                asked=len(positions),
                first=[shown(item).model_dump(mode="json") for item in chosen[:SHOWN]],
                more=len(found) > AT_MOST,
                first_position=min(positions, default=None),
                last_position=max(positions, default=None),
            )
            claim.answer = Answer(200 if body.dry_run else 202, many.model_dump_json().encode())
        return claim.answer.response()

    body = create_model(
        f"{section.kind.item.__name__}{action.of_many.__name__}ForMany",
        __base__=action.of_many,
        __doc__="Which of them, and what is said to each.",
        filter=(section.kind.filter, ...),
        dry_run=(bool, Field(default=False, description="Only count and show.")),
    )
    said = {name: value for name, value in action.example.items() if name in action.of_many.model_fields}
    example = {**said, "filter": {"since": "2026-11-25T00:00:00Z"}, "dry_run": True}
    router.add_api_route(
        f"/{section.kind.name}/{action.name}",
        annotated(act, body=Annotated[body, Depends(json_body(body))]),
        methods=["POST"],
        status_code=202,
        summary=f"{action.verb} {section.many}",
        description="Each is left at the service's desk, and done by a process with the role `work`; "
        "`/v1/operators/repairs` has the answers. An empty filter chooses all. A dry run only counts and shows.",
        operation_id=f"{action.name}-many-{section.kind.name}",
        responses={
            202: {"model": Many, "content": content(many_example(section, asked=1))},
            200: {"model": Many, "description": "A dry run.", "content": content(many_example(section, asked=0))},
        },
        openapi_extra={"requestBody": {"content": content(example)}},
    )


async def fitting(section: Section, connection: Connection, wanted: Any) -> list[Item]:
    """What fits, one more than may be asked for at most."""
    found: list[Item] = []
    async for item in section.kind.everything(connection, wanted):
        found.append(item)
        if len(found) > AT_MOST:
            break
    return found


async def find(section: Section, connection: Connection, item_id: str) -> Any:
    """The item; a 404 Problem where there is none."""
    item = await section.kind.find(connection, item_id)
    if item is None:
        raise unknown_item()
    return item


def unknown_item() -> Problem:
    """Answer an id that names nothing."""
    return Problem(404, "unknown-item", "There is nothing of this kind under this id, or no longer.")


@router.get(
    "/status",
    summary="Say how the service stands",
    operation_id="show-status",
    responses={200: {"model": Status, "content": content(EXAMPLE.model_dump(mode="json"))}},
)
async def show_status(request: Request, caller: Whoever) -> Response:  # noqa: ARG001 - it must be one
    """Its numbers, of one moment, and what is unread; readiness and consent are those of the process that answers."""
    return as_json((await status_of(request.app)).model_dump_json())


@router.get(
    "/repairs",
    summary="List what operators asked for",
    operation_id="list-repairs",
    responses={200: {"model": AskedPage, "content": content(asked_example())}},
)
async def list_repairs(
    request: Request,
    caller: Whoever,  # noqa: ARG001 - it must be one
    *,
    before: Annotated[Position, Query(description="Only what was asked before this position.")] = None,
    state: Annotated[Literal["asked", "done", "refused"] | None, Query(description="Only what is so.")] = None,
    actor: Annotated[str | None, Query(max_length=128, pattern=r"^[\x21-\x7e]*$", description="Only theirs.")] = None,
    since: Annotated[Position, Query(description="Only from this position on.")] = None,
    until: Annotated[Position, Query(description="Only up to this position.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many.")] = 100,
) -> Response:
    """The latest first, by HTTP and by command line, each with its answer; what waits has the state `asked`."""
    async with connected(request.app.state.pool) as connection:
        rows = await connection.fetch(LIST_REPAIRS, before, state, actor, since, until, limit + 1)
        counts = None
        if since is not None or until is not None:
            counted = await connection.fetch(COUNT_REPAIRS, since or 1, until or LAST_OF_ALL, actor)
            counts = AskedCounts(**{row["state"]: row["count"] for row in counted})
    items = [
        Asked(**{**dict(row), "arguments": json.loads(row["arguments"]), "answer": masked_text(row["answer"])})
        for row in rows[:limit]
    ]
    following = items[-1].position if len(rows) > limit else None
    return as_json(AskedPage(items=items, before=following, counts=counts).model_dump_json())


for each in SECTIONS:
    add_list(each)
    for one in each.actions:
        add_for_many(each, one)
        add_action(each, one)
    add_show(each)
