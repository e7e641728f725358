"""How the services stand, in one table, and below it each thing that needs a person."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import typer

from shared.messaging.behind import places, taken
from shared.messaging.database import Connection
from shared.messaging.gauges import COUNTS, EFFECTS, INBOX, LANES
from shared.messaging.incarnations import present_life
from shared.ops.needs import needs_of
from shared.ops.restored import began
from shared.ops.servers import (
    CANNOT,
    AsJson,
    Database,
    Given,
    MaybeKafka,
    Prefix,
    Unavailable,
    connected,
    databases,
    finish,
    kafka_at,
)
from shared.ops.shown import age, counted, print_json, print_table, printable

SECONDS = " seconds"
"""What a measure's name ends with when its value is a length of time."""
RELAY = "select coalesce((select until > clock_timestamp() from relay), false)"


@dataclass
class Standing:
    """One service: its measures by name, and sentences for people; `missing` says what could not be asked."""

    service: str
    measures: dict[str, Any] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    taken: dict[tuple[str, int], int] = field(default_factory=dict)


def status(given: Given, kafka: MaybeKafka = None, prefix: Prefix = "", *, as_json: AsJson = False) -> None:
    """Show how the services stand: outbox, lanes, inbox, quarantine, what is held, parked or unknown.

    With --kafka also how many records each has still to take in. Exit code 3 where something could not be asked.
    """
    found = finish(_standings(databases(given), kafka, prefix))
    if as_json:
        print_json({s.service: {**s.measures, "needs": s.needs, "missing": s.missing} for s in found})
    else:
        names = list(dict.fromkeys(name for standing in found for name in standing.measures))
        rows = (
            (name.removesuffix(SECONDS), *(_shown(standing.measures, name) for standing in found)) for name in names
        )
        print_table(("", *(standing.service for standing in found)), rows)
        for standing in found:
            for sentence in standing.needs:
                typer.echo(f"! {standing.service}: {printable(sentence)}")
            for sentence in standing.missing:
                typer.echo(f"Not asked: {sentence}", err=True)
    if any(standing.missing for standing in found):
        raise typer.Exit(CANNOT)


def _shown(measures: dict[str, Any], name: str) -> str:
    value = measures.get(name)
    if name.endswith(SECONDS):
        return age(value) if value else ""
    return "" if value is None else str(value)


async def _standings(asked: list[Database], kafka: str | None, prefix: str) -> list[Standing]:
    found = [await _standing(database) for database in asked]
    if kafka is not None:
        try:
            await _compare(found, kafka, prefix)
        except Unavailable as error:
            found[0].missing.append(str(error))
    return found


async def _standing(database: Database) -> Standing:
    standing = Standing(database.service)
    try:
        async with connected(database) as connection:
            standing.measures = await _measures(connection)
            standing.taken = await taken(connection)
            standing.needs = await needs_of(connection, database.service)
    except Unavailable as error:
        standing.missing.append(str(error))
    return standing


async def _measures(connection: Connection) -> dict[str, Any]:
    (counts,) = await connection.fetch(COUNTS)
    life = await present_life(connection)
    measures: dict[str, Any] = {
        "incarnation": life.incarnation if life else None,
        "incarnation began": began(life) if life else None,
        "outbox rows": counts["outbox"],
        "outbox oldest seconds": counts["outbox_age"],
        "relay": "active" if await connection.fetchval(RELAY) else "none",
        "quarantine": counts["quarantine"],
        "parked keys": counts["parked"],
        "held": counts["held"],
        "held oldest seconds": counts["held_age"],
        "passed": counts["passed"],
    }
    for word, query in (("lanes", LANES), ("inbox", INBOX), ("effects", EFFECTS)):
        measures |= dict(_by_labels(word, await connection.fetch(query)))
    return measures


def _by_labels(word: str, rows: list[asyncpg.Record]) -> Iterator[tuple[str, int]]:
    for *labels, count in sorted(tuple(row) for row in rows):
        yield " ".join([word, *labels]), count


async def _compare(found: list[Standing], kafka: str, prefix: str) -> None:
    wanted = [(s.service, *key, following) for s in found for key, following in s.taken.items()]
    async with kafka_at(kafka):
        where = await places(kafka, prefix, wanted)
    for standing in found:
        mine = [place for place in where if place.service == standing.service]
        for topic in dict.fromkeys(place.topic for place in mine):
            standing.measures[f"unread {topic}"] = sum(place.unread for place in mine if place.topic == topic)
        standing.needs += [
            f"{place.topic}, partition {place.partition}: deleted unread: {counted(place.lost, 'record')}; "
            "see accept-truncated"
            for place in mine
            if place.lost
        ]
