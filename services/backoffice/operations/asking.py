"""What these pages ask of the services, as the operator who has signed in; one that is away leaves its box."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from services.backoffice.operations.kinds import Deed, Kind
from services.backoffice.operations.wanted import SERVICES, Filter
from services.backoffice.others import Away, Others, Parameters, Refusal
from services.backoffice.sessions import Visitor
from shared.messaging.trouble import Item
from shared.runtime.operator_answers import AskedPage, Many
from shared.runtime.operator_status import Status
from shared.runtime.problems import Problem

T = TypeVar("T")
NOT_NOW = {404, 405, 429}
"""A service of an older version does not know the address; one that is asked too much says so."""
OPERATORS = "/v1/operators"


@dataclass(frozen=True)
class Listed:
    """Some of one service's list, and where it goes on."""

    service: str
    items: Sequence[Item]
    following: str


async def statuses(others: Others, whose: Visitor) -> dict[str, Status | None]:
    """How each service stands; None for one that is away."""

    async def status(service: str) -> Status:
        return Status.model_validate_json((await others.get(service, f"{OPERATORS}/status", whose)).content)

    found = await asyncio.gather(*(or_none(status(service)) for service in SERVICES))
    return dict(zip(SERVICES, found, strict=True))


async def lists(others: Others, whose: Visitor, wanted: Filter) -> dict[str, Listed | None]:
    """What fits, of each service that is asked; None for one that is away."""

    async def listed(service: str) -> Listed:
        path = f"{OPERATORS}/{wanted.kind.name}"
        body = (await others.get(service, path, whose, wanted.parameters())).body
        return Listed(service, [wanted.kind.item(each) for each in body["items"]], body["following"] or "")

    found = await asyncio.gather(*(or_none(listed(service)) for service in wanted.services))
    return dict(zip(wanted.services, found, strict=True))


async def in_full(others: Others, whose: Visitor, kind: Kind, service: str, item_id: str) -> BaseModel | None:
    """One item; None where it is no longer there. Raises Away, Refusal."""
    try:
        return kind.full((await others.get(service, _path(kind, item_id), whose)).body)
    except Refusal as refusal:
        if refusal.reason == "unknown-item":
            return None
        raise


async def do(
    others: Others,
    whose: Visitor,
    kind: Kind,
    service: str,
    item_id: str,
    deed: Deed,
    body: Mapping[str, Any],
    key: str,
) -> str:
    """What came of it, in the service's words. Raises Away, Refusal."""
    path = f"{_path(kind, item_id)}/{deed.action}"
    answer: str = (await others.post(service, path, whose, body, key=key)).body["answer"]
    return answer


async def do_with_many(
    others: Others, whose: Visitor, wanted: Filter, deed: Deed, reason: str, *, key: str, dry_run: bool
) -> Many:
    """How many fit, and with what positions they were left at the desk. Raises Away, Refusal."""
    body = {**deed.said, "reason": reason, "filter": wanted.chosen(), "dry_run": dry_run}
    path = f"{OPERATORS}/{wanted.kind.name}/{deed.action}"
    return Many.model_validate_json((await others.post(wanted.service, path, whose, body, key=key)).content)


async def asked_of(others: Others, whose: Visitor, service: str, parameters: Parameters) -> AskedPage | None:
    """What operators asked of a service, the latest first; None while it is away."""

    async def page() -> AskedPage:
        answer = await others.get(service, f"{OPERATORS}/repairs", whose, parameters)
        return AskedPage.model_validate_json(answer.content)

    return await or_none(page())


async def or_none(asked: Awaitable[T]) -> T | None:
    """None where the service is away, too busy, or too old to know what is asked."""
    try:
        return await asked
    except (Away, ValidationError):
        return None
    except Refusal as refusal:
        if refusal.status in NOT_NOW:
            return None
        raise


def service_of(said: str) -> str:
    """The service of this name. Raises Problem."""
    if said not in SERVICES:
        raise Problem(404, "not-found", "There is no such service.")
    return said


def _path(kind: Kind, item_id: str) -> str:
    return f"{OPERATORS}/{kind.name}/{quote(item_id, safe='')}"
