"""What pages ask of integrations about connections: tolerant of fields and words that a newer version adds."""

import hashlib
from datetime import datetime

from pydantic import BaseModel

from services.backoffice.others import Others
from services.backoffice.sessions import Visitor

INTEGRATIONS = "integrations"
KINDS = ("payment", "shipping", "erp")
CHECK_WITHIN = 15.0
"""Seconds that a check may take: integrations waits five for the provider, and writes down how it was."""


class Calls(BaseModel):
    """What was asked of the provider for orders, in 24 hours."""

    done: int
    failed: int
    unknown: int
    last_done_at: datetime | None = None
    last_failed_at: datetime | None = None
    last_failed_reason: str | None = None


class HeldUp(BaseModel):
    """Orders that wait, or were given up."""

    waiting: int
    blocked: int


class Breaker(BaseModel):
    """How many processes leave it alone because it mostly fails."""

    open_in: int
    since: datetime | None = None


class Webhooks(BaseModel):
    """What came to the connection's address."""

    last_genuine_at: datetime | None = None
    last_not_genuine_at: datetime | None = None
    not_genuine: str | None = None

    @property
    def last_is_not_genuine(self) -> bool:
        """Whether nothing genuine came since one that was not."""
        if self.last_not_genuine_at is None:
            return False
        return self.last_genuine_at is None or self.last_genuine_at < self.last_not_genuine_at


class Check(BaseModel):
    """What came of a check that a person asked for."""

    at: datetime
    outcome: str
    ms: int
    detail: str = ""


class Connection(BaseModel):
    """What the shop has connected, and how it is."""

    kind: str
    provider: str
    host: str
    capture: str | None = None
    changed_at: datetime
    state: str
    last_answer_at: datetime | None = None
    last_trouble_at: datetime | None = None
    last_trouble: str | None = None
    calls: Calls
    orders: HeldUp
    breaker: Breaker
    webhooks: Webhooks | None = None
    last_check: Check | None = None


class Connections(BaseModel):
    """All that the shop has connected."""

    connections: list[Connection]
    tag: str = ""
    """The same as long as all of it is the same."""

    def of(self, kind: str) -> Connection | None:
        """The one of this kind."""
        return next((each for each in self.connections if each.kind == kind), None)

    @property
    def kinds(self) -> list[str]:
        """What can be connected, and what is."""
        return list(dict.fromkeys([*KINDS, *(each.kind for each in self.connections)]))


async def connections_of(others: Others, visitor: Visitor) -> Connections:
    """The connections of the visitor's shop, as integrations knows them. Raises Away, Refusal."""
    content = (await others.get(INTEGRATIONS, "/v1/connections", visitor)).content
    found = Connections.model_validate_json(content)
    found.tag = hashlib.sha256(content).hexdigest()[:16]
    return found


async def check_connection(others: Others, visitor: Visitor, kind: str) -> Check:
    """How the provider answers now. Raises Away, and Refusal: `checked-just-now` with its `wait`."""
    answer = await others.try_once(INTEGRATIONS, f"/v1/connections/{kind}/check", visitor, within=CHECK_WITHIN)
    return Check.model_validate_json(answer.content)
