"""What needs a person, in sentences; each ends with the command that puts it right, ready to be typed."""

from collections.abc import AsyncIterator

from asyncpg import Record

from shared.messaging import trouble
from shared.messaging.database import Connection
from shared.messaging.trouble import HeldStream, ParkedKey, UnknownEffect
from shared.ops.shown import counted
from shared.runtime.masking import masked_text

MOST = 10
"""Sentences of one kind."""
LATE_SECONDS = 60.0
"""What has waited for longer is for a person to look at."""

BLOCKED = """
select l."group", l.subject as "order", l.error,
  (select i.position from inbox i where i."group" = l."group" and i.subject = l.subject and i.state = 'dead'
   order by i.died_at desc limit 1) as position
from lane l where l.state = 'blocked' order by l.failing_since, l.touched limit $1
"""
SKIPPED = """
select i."group", count(*) as count from inbox i
where i.state = 'dead' and not exists (
  select from lane l where l."group" = i."group" and l.subject = i.subject and l.state = 'blocked')
group by 1 order by 1
"""
FAILING = """
select "group", subject as "order", date_trunc('second', failing_since) as since, attempts,
  date_trunc('second', due) as due, error
from lane where state <> 'blocked' and failing_since < clock_timestamp() - make_interval(secs => $2)
order by failing_since limit $1
"""
QUARANTINED = "select count(*) from quarantine"
NOT_DONE = """
select count(*) from repair where state = 'asked' and asked_at < clock_timestamp() - make_interval(secs => $1)
"""
LATE_HELD = "select clock_timestamp() - make_interval(secs => $1)"


async def needs_of(connection: Connection, service: str) -> list[str]:
    """The sentences of one service."""
    return [sentence async for sentence in _sentences(connection, service)]


async def _sentences(connection: Connection, service: str) -> AsyncIterator[str]:
    for row in await connection.fetch(BLOCKED, MOST):
        yield _blocked(row, service)
    for row in await connection.fetch(SKIPPED):
        count = counted(row["count"], "message")
        yield f"{count} that block nothing are dead in {row['group']} → ops dead list --group {row['group']}"
    for row in await connection.fetch(FAILING, MOST, LATE_SECONDS):
        yield (
            f"lane {row['group']} of order {row['order']} is failing since {row['since']}, attempt {row['attempts']}, "
            f"next try {row['due']}: {masked_text(row['error'] or '')}"
        )
    for effect in (await trouble.unknown.page(connection, trouble.UnknownFilter(), limit=MOST)).items:
        yield _unknown(effect, service)
    for key in (await trouble.parked.page(connection, trouble.RecordFilter(), limit=MOST)).items:
        yield _parked(key, service)
    late = await connection.fetchval(LATE_HELD, LATE_SECONDS)
    for stream in (await trouble.held.page(connection, trouble.HeldFilter(), limit=MOST)).items:
        if stream.at < late:
            yield _held(stream, service)
    if quarantined := await connection.fetchval(QUARANTINED):
        yield f"{counted(quarantined, 'record')} not understood → ops quarantine list"
    if waiting := await connection.fetchval(NOT_DONE, LATE_SECONDS):
        yield f"{counted(waiting, 'repair')} asked for and not done → ops repairs list --state asked"


def _blocked(row: Record, service: str) -> str:
    sentence = f"lane {row['group']} of order {row['order']} is blocked: {masked_text(row['error'] or '')}"
    if row["position"] is None:
        return f"{sentence}: but nothing is dead in it"
    return f"{sentence} → ops dead retry {service}/{row['group']}:{row['position']}, or dead skip"


def _unknown(effect: UnknownEffect, service: str) -> str:
    return (
        f"effect {effect.kind} of order {effect.order} is unknown since {effect.at:%Y-%m-%d %H:%M:%S} → "
        f"ops unknown settle {service}/{effect.key} --happened, or --did-not-happen"
    )


def _parked(key: ParkedKey, service: str) -> str:
    return (
        f"order {key.key} is parked on {key.topic} since {key.at:%Y-%m-%d %H:%M:%S}: {masked_text(key.error)} → "
        f"ops parked release {service}/{key.id}"
    )


def _held(stream: HeldStream, service: str) -> str:
    return (
        f"{counted(stream.held, 'record')} of order {stream.order} on {stream.topic} from {stream.source} held since "
        f"{stream.at:%Y-%m-%d %H:%M:%S}, missing {stream.first} to {stream.last} → "
        f"ops held accept-gap {service}/{stream.id}"
    )
