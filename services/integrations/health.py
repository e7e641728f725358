"""How each connection is, in one word that follows from what the database knows, and in the facts behind that word."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

import asyncpg

from services.integrations.calling import Word
from services.integrations.connections import Kind
from services.integrations.pulse import BELIEVED_FOR
from services.integrations.reasons import reason_of
from shared.messaging.database import Connection

State = Literal["healthy", "troubled", "unreachable", "refused", "untried"]
NO_ANSWER = frozenset[str]({"not-reached", "no-answer"})
HOURS = 24
"""For so long back what was done and what failed is counted."""

READ = """
select c.shop, c.kind, c.provider, c.url, c.capture, c.changed_at, h.answered_at, h.troubled_at, h.trouble,
  h.webhook_at, h.forged_at, h.forged, h.checked_at, h.checked, h.checked_ms,
  (select count(*) from effect e where e.shop = c.shop and e."group" = g and e.state = 'done'
    and e.started_at > now() - make_interval(hours => $5)) as done,
  (select count(*) from effect e where e.shop = c.shop and e."group" = g and e.state = 'failed'
    and e.started_at > now() - make_interval(hours => $5)) as failed,
  (select count(*) from effect e where e.shop = c.shop and e."group" = g and e.state = 'unknown') as unknown,
  (select max(e.started_at) from effect e where e.shop = c.shop and e."group" = g and e.state = 'done') as done_at,
  f.failed_at, f.failed_reason,
  (select count(*) from lane l where l."group" = g and l.shop = c.shop and l.due is not null and l.error is not null)
    as waiting,
  (select count(*) from lane l where l."group" = g and l.shop = c.shop and l.state = 'blocked') as blocked,
  a.left_alone_by, a.left_alone_since
from connection c
cross join lateral (select 'integrations.' || c.kind as g) named
left join connection_heard h on h.shop = c.shop and h.kind = c.kind
left join lateral (
  select e.started_at as failed_at, e.result->>'reason' as failed_reason from effect e
  where e.shop = c.shop and e."group" = g and e.state = 'failed' order by e.started_at desc limit 1) f on true
cross join lateral (
  select count(*) as left_alone_by, min(since) as left_alone_since from connection_left_alone x
  where x."group" = g and x.connection = c.provider || ':' || c.shop
    and x.said_at > now() - make_interval(secs => $6)) a
where ($1::text is null or c.shop = $1) and ($2::text is null or (c.shop, c.kind) > ($2, $3::text))
order by c.shop, c.kind limit $4
"""
"""One statement for all of them; each count and each last one by an index, on a connection that plans by keys alone.

`now()`, and not the clock: what stands still while the statement runs can be looked up by a key.
"""


@dataclass(frozen=True)
class Facts:
    """What the word about a connection follows from."""

    changed_at: datetime
    answered_at: datetime | None = None
    """When it was last answered, with a yes or a no."""
    troubled_at: datetime | None = None
    trouble: Word | None = None
    """When an exchange last went otherwise, and how."""
    left_alone_by: int = 0
    """How many processes leave it alone because it mostly fails."""
    unknown: int = 0
    """Calls of which nobody can say whether they happened."""
    waiting: int = 0
    """Orders whose messages are tried again later."""
    blocked: int = 0
    """Orders whose messages were given up and keep the next ones waiting."""


def state_of(facts: Facts) -> State:
    """The word; the first that fits.

    `refused`: the last word was that the key is not good. `unreachable`: the last time nobody answered. `troubled`: the
    last answer was that it cannot now; or a process leaves it alone; or orders wait, or calls are unknown. `untried`:
    nothing was asked since it was connected or changed, and what was before says nothing. `healthy`: none of these.
    That a provider says no to what was asked of it, as of a card, is no trouble of the connection; and a webhook that
    is not genuine can come from anybody.
    """
    answered, troubled = _since(facts.changed_at, facts.answered_at), _since(facts.changed_at, facts.troubled_at)
    last = facts.trouble if troubled and (answered is None or troubled > answered) else None
    if last == "refused":
        return "refused"
    if last in NO_ANSWER:
        return "unreachable"
    if last or facts.left_alone_by or facts.unknown or facts.waiting or facts.blocked:
        return "troubled"
    return "healthy" if answered else "untried"


def _since(beginning: datetime, at: datetime | None) -> datetime | None:
    return at if at is not None and at >= beginning else None


@dataclass(frozen=True)
class Health:
    """A connection, how it is, and why; no secrets, and of its address the host alone."""

    shop: str
    kind: Kind
    provider: str
    host: str
    capture: str | None
    changed_at: datetime
    state: State
    answered_at: datetime | None
    troubled_at: datetime | None
    trouble: Word | None
    left_alone_by: int
    left_alone_since: datetime | None
    done: int
    failed: int
    unknown: int
    done_at: datetime | None
    failed_at: datetime | None
    failed_reason: str | None
    waiting: int
    blocked: int
    webhook_at: datetime | None
    forged_at: datetime | None
    forged: str | None
    checked_at: datetime | None
    checked: Word | None
    checked_ms: int | None


async def read_health(
    connection: Connection, shop: str | None, *, after: tuple[str, str] | None = None, limit: int = 1_000
) -> list[Health]:
    """A shop's connections, or with None all shops', by shop and kind, `after` that one."""
    rows = await connection.fetch(READ, shop, *(after or (None, None)), limit, HOURS, BELIEVED_FOR)
    return [_health(row) for row in rows]


def host_of(url: str) -> str:
    """Host and port of an address, and nothing else of it; empty where it has none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host = parts.hostname or ""
    return f"[{host}]{port}" if ":" in host else f"{host}{port}"


def place_of(url: str) -> str:
    """Where an address leads, without user, password or query; empty where it leads nowhere."""
    host = host_of(url)
    return f"{urlsplit(url).scheme}://{host}{urlsplit(url).path}" if host else ""


def _health(row: asyncpg.Record) -> Health:
    answers = [at for at in (row["answered_at"], row["done_at"], row["failed_at"]) if at is not None]
    facts = {name: row[name] for name in ("changed_at", "troubled_at", "trouble", "left_alone_by")}
    counts = {name: row[name] for name in ("unknown", "waiting", "blocked")}
    answered_at = max(answers, default=None)
    same = {name: row[name] for name in Health.__dataclass_fields__.keys() & dict(row).keys()}
    return Health(
        **same
        | {
            "host": host_of(row["url"]),
            "capture": row["capture"] if row["kind"] == "payment" else None,
            "state": state_of(Facts(answered_at=answered_at, **facts, **counts)),
            "answered_at": answered_at,
            "failed_reason": None if row["failed_at"] is None else reason_of(row["failed_reason"] or ""),
        }
    )
