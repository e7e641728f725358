"""What the kit's own tables tell of an order, the same in every service."""

from typing import Any

import asyncpg

from shared.ops.shown import age
from shared.ops.story import Chapter, Entry, behind
from shared.runtime.masking import read_json, without_personal

LATE_SECONDS = 60.0
"""What has waited for longer is for a person to look at."""


def masked_record(record: bytes | str) -> Any:
    """A record of ours as it may be shown."""
    return without_personal(read_json(record.encode() if isinstance(record, str) else record))


def _outbox(row: asyncpg.Record) -> Entry:
    text = f"{row['type']} {row['sequence']} waits to be published on {row['topic']}"
    late = row["waits"] > LATE_SECONDS
    return Entry(
        "outbox",
        f"{text}, for {age(row['waits'])}" if late else text,
        row["created_at"],
        wrong=late,
        document=masked_record(row["payload"]),
    )


def _message(row: asyncpg.Record) -> Entry:
    dead = row["state"] == "dead"
    state = "waits in its lane"
    if dead:
        item = f"{row['group']}:{row['position']}"
        state = f"dead after {row['attempts']} attempts ({item} for `dead retry` and `dead skip`): {row['error']}"
    text = f"{row['type']} of {row['source']}, taken in from {row['topic']}: {state}"
    return Entry(f"inbox {row['group']}", text, row["at"], wrong=dead, document=masked_record(row["record"]))


def _lane(row: asyncpg.Record) -> Entry:
    words = [row["state"]]
    if row["due"] is not None:
        words.append(f"{'leased until' if row['state'] == 'leased' else 'due'} {row['due']:%Y-%m-%d %H:%M:%S}")
    if row["attempts"]:
        words.append(f"{row['attempts']} attempts")
    if row["failing_since"] is not None:
        words.append(f"failing since {row['failing_since']:%Y-%m-%d %H:%M:%S}")
    words.append(f"{row['waiting']} waiting")
    if row["error"]:
        words.append(row["error"])
    return Entry(
        f"lane {row['group']}", "; ".join(words), wrong=row["state"] == "blocked" or bool(row["failing_since"])
    )


def _effect(row: asyncpg.Record) -> Entry:
    open_ = f", until {row['deadline']:%H:%M:%S} at the latest" if row["state"] == "started" else ""
    return Entry(
        f"effect {row['kind']}",
        f"{row['state']}{open_} (attempt {row['attempts']}) {row['key']}",
        row["started_at"],
        wrong=row["state"] == "unknown",
        document=without_personal(read_json((row["result"] or "null").encode())),
    )


def _held(row: asyncpg.Record) -> Entry:
    text = f"{row['type']} {row['incarnation']:010d}.{row['n']:012d} of {row['source']} waits for an earlier one"
    late = row["waits"] > LATE_SECONDS
    return Entry(f"held {row['topic']}", text, row["at"], wrong=late, document=masked_record(row["record"]))


def _passed(row: asyncpg.Record) -> Entry:
    text = f"{row['type']} of {row['source']}: a type that no version seen here knows"
    return Entry(f"passed {row['topic']}", text, row["at"], document=masked_record(row["record"]))


_STREAM = behind("source", "stream")
_CURSOR = behind("source", "cursor")
_LANE = behind("group", "lane")
_INBOX = behind("group", "inbox")

CHAPTERS = (
    Chapter(
        "stream",
        f"{_STREAM} select source, topic, last from few join stream on source = few.value "  # noqa: S608
        "where subject = $1 order by topic, source",
        lambda row: Entry(f"said on {row['topic']}", f"{row['last']} so far, as {row['source']}"),
    ),
    Chapter(
        "cursor",
        f"{_CURSOR} select source, topic, last from few join cursor on source = few.value "  # noqa: S608
        "where subject = $1 and last > 0 order by topic, source",
        lambda row: Entry(f"read on {row['topic']}", f"up to number {row['last']} of {row['source']}"),
    ),
    Chapter(
        "lane",
        f"""{_LANE} select l.*, (select count(*) from inbox i where (i."group", i.subject) = (l."group", l.subject)
        and i.state = 'ready') as waiting from few join lane l on l."group" = few.value where l.subject = $1""",  # noqa: S608
        _lane,
    ),
    Chapter(
        "parked",
        "select topic, error, at from parked where aggregateid = $1",
        lambda row: Entry(f"parked {row['topic']}", f"Kafka refuses a record: {row['error']}", row["at"], wrong=True),
    ),
    Chapter(
        "outbox",
        "select *, extract(epoch from clock_timestamp() - created_at)::float8 as waits from outbox "
        "where aggregateid = $1 order by position",
        _outbox,
    ),
    Chapter(
        "inbox",
        f"""{_INBOX} select i."group", i.position, i.state, i.attempts, i.error, m.at, m.type, m.source, m.topic,
        m.record from few join inbox i on i."group" = few.value join message m using (position) where i.subject = $1
        order by position""",  # noqa: S608
        _message,
    ),
    Chapter("effect", "select * from effect where subject = $1 order by started_at", _effect),
    Chapter(
        "held",
        "select *, extract(epoch from clock_timestamp() - at)::float8 as waits from held where subject = $1",
        _held,
    ),
    Chapter("passed", "select * from passed where subject = $1 order by position", _passed),
    Chapter(
        "quarantine",
        """select position, topic, partition, "offset", reason, at from quarantine
        where key = convert_to($1, 'UTF8') order by position""",
        lambda row: Entry(
            "quarantine",
            f"{row['position']}: {row['topic']} {row['partition']}/{row['offset']}: {row['reason']}",
            row["at"],
            wrong=True,
        ),
    ),
    Chapter(
        "announced",
        "select number, at, topic, type, sequence, payload from announced where aggregateid = $1 and at >= $2 "
        "order by number",
        lambda row: Entry(
            "announced",
            f"{row['type']} {row['sequence']} was published on {row['topic']} (number {row['number']})",
            row["at"],
            document=masked_record(row["payload"]),
        ),
        optional=True,
        bounded=True,
    ),
)
