"""Records that Kafka deleted unread are lost: ingest stops there until an operator has seen how many and accepts."""

from dataclasses import asdict
from typing import Annotated

import typer

from shared.messaging.behind import Place, places, taken
from shared.messaging.repairs import Operator, write_down
from shared.ops.asking import Actor, Reason, Yes, operator_of
from shared.ops.servers import Database, Given, Kafka, Prefix, Unavailable, connected, databases, finish, kafka_at
from shared.ops.shown import counted, print_table

# The partition is read from a new beginning, so a stream whose first records were lost may begin where it is found.
ACCEPT = """
update consumed set next = $4, first = $4 where topic = $1 and partition = $2 and next = $3
"""

TopicName = Annotated[str, typer.Option("--topic", help="The topic, without prefix: orders.events.")]
Partition = Annotated[
    int | None, typer.Option(min=0, help="Only this partition.", show_default="all that lost records")
]


def accept_truncated(
    given: Given,
    kafka: Kafka,
    topic: TopicName,
    partition: Partition = None,
    prefix: Prefix = "",
    reason: Reason = "",
    actor: Actor = "operator",
    *,
    yes: Yes = False,
) -> None:
    """Accept that records were deleted unread, after the alarm `log truncated`: reading goes on where the log begins.

    Shows how many each service has lost, and asks. A running ingest goes on within seconds. Orders of which a record
    in the middle was lost stay held: `status` names them, `journey` shows them. Exit code 1 where nothing was lost.
    """
    asked, operator = databases(given), operator_of(actor, reason)
    lost = finish(_lost(asked, kafka, prefix, topic, partition))
    if not lost:
        typer.echo("No record was lost here: nothing to accept.", err=True)
        raise typer.Exit(1)
    columns = ("service", "topic", "partition", "wanted next", "log begins at", "records lost")
    print_table(columns, ((p.service, p.topic, p.partition, p.next, p.begins, p.lost) for p in lost))
    if not yes:
        typer.confirm("Go on without them?", abort=True)
    finish(_accept({database.service: database for database in asked}, lost, operator))
    typer.echo(f"accepted the loss of {counted(sum(place.lost for place in lost), 'record')}; reading goes on behind")


async def _lost(asked: list[Database], kafka: str, prefix: str, topic: str, partition: int | None) -> list[Place]:
    wanted = []
    for database in asked:
        async with connected(database) as connection:
            read = await taken(connection, topic)
        wanted += [
            (database.service, *key, following) for key, following in read.items() if partition in {None, key[1]}
        ]
    async with kafka_at(kafka):
        return [place for place in await places(kafka, prefix, wanted) if place.lost]


async def _accept(asked: dict[str, Database], lost: list[Place], operator: Operator) -> None:
    for place in lost:
        async with connected(asked[place.service], writes=True) as connection, connection.transaction():
            done = await connection.execute(ACCEPT, place.topic, place.partition, place.next, place.begins)
            if done != "UPDATE 1":
                raise Unavailable(
                    f"{place.service} has moved on in {place.topic} {place.partition} meanwhile: look again"
                )
            await write_down(connection, "accept-truncated", asdict(place), operator, _answer(place), done=True)


def _answer(place: Place) -> str:
    return f"{counted(place.lost, 'record')} given up; reading goes on at {place.begins}"
