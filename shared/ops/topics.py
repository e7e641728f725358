"""Topics are made by operators and never changed in silence: create leaves what exists alone, compare tells."""

import asyncio
from typing import Annotated

import typer
from aiokafka.errors import LeaderNotAvailableError, UnknownTopicOrPartitionError

from shared.contracts.topics import BY_NAME, DAY_MS, PARTITIONS, TOPICS
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.ops.servers import AsJson, Kafka, Prefix, finish, kafka_at
from shared.ops.shown import print_json, print_table

app = typer.Typer(no_args_is_help=True, help="The topics: as they are declared, and as they are on the broker.")

KNOWN_WITHIN = 30.0
"""Seconds from a topic's creation until every broker knows it."""

Partitions = Annotated[int, typer.Option(min=1, help="Partitions of each; can be raised later, never lowered.")]
Replicas = Annotated[int, typer.Option(min=1, help="Copies of each partition; 1 on a single broker.")]
MinInsync = Annotated[
    int | None,
    typer.Option(min=1, help="Copies that must have a record before it counts.", show_default="one less than replicas"),
]


@app.command()
def create(
    kafka: Kafka,
    prefix: Prefix = "",
    partitions: Partitions = PARTITIONS,
    replicas: Replicas = 3,
    min_insync: MinInsync = None,
) -> None:
    """Create the declared topics that do not exist, with their settings. Those that exist are left as they are."""
    created = finish(_create(kafka, prefix, partitions, replicas, min_insync or max(1, replicas - 1)))
    for name in created:
        typer.echo(f"created {name}")
    existed = len(TOPICS) - len(created)
    if existed:
        typer.echo(f"{existed} existed and were left as they are; `topics compare` says whether they are as declared")


@app.command()
def compare(kafka: Kafka, prefix: Prefix = "", *, as_json: AsJson = False) -> None:
    """Compare the topics on the broker with what is declared; exit code 1 where they differ."""
    differences = finish(_differences(kafka, prefix))
    if as_json:
        print_json({"differences": differences})
    elif differences:
        typer.echo("\n".join(differences))
    else:
        typer.echo(f"{len(TOPICS)} topics are as declared")
    if differences:
        raise typer.Exit(1)


@app.command()
def describe(kafka: Kafka, prefix: Prefix = "", *, as_json: AsJson = False) -> None:
    """Show the declared topics with their settings on the broker; exit code 1 where one does not exist."""
    found = finish(_describe(kafka, prefix))
    if as_json:
        print_json(found)
    else:
        columns = ("topic", "partitions", "replicas", "in sync", "kept", "key", "writers", "readers")
        print_table(columns, (_row(name, found.get(prefix + name)) for name in BY_NAME))
    if len(found) < len(TOPICS):
        raise typer.Exit(1)


def _row(name: str, settings: dict[str, str] | None) -> tuple[object, ...]:
    topic = BY_NAME[name]
    declared = (topic.key, ", ".join(topic.writers), ", ".join(topic.readers))
    if settings is None:
        return (name, "does not exist", "", "", "", *declared)
    days = int(settings["retention.ms"]) // DAY_MS
    kept = "the last of each key" if settings["cleanup.policy"] == "compact" else f"{days} days"
    return (name, settings["partitions"], settings["replicas"], settings["min.insync.replicas"], kept, *declared)


async def _create(kafka: str, prefix: str, partitions: int, replicas: int, min_insync: int) -> list[str]:
    async with kafka_at(kafka), TopicsOnBroker(kafka, prefix) as topics:
        return await create_topics(topics, partitions=partitions, replicas=replicas, min_insync=min_insync)


async def create_topics(
    topics: TopicsOnBroker, *, partitions: int = PARTITIONS, replicas: int = 1, min_insync: int = 1
) -> list[str]:
    """Create the declared topics that do not exist, and wait until every broker knows them; the names of the new ones.

    Raises TimeoutError where that takes longer than `KNOWN_WITHIN`.
    """
    created = await topics.create(partitions=partitions, replicas=replicas, min_insync=min_insync)
    async with asyncio.timeout(KNOWN_WITHIN):
        while not await _all_known(topics):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.1)
    return created


async def _all_known(topics: TopicsOnBroker) -> bool:
    """Whether the brokers have told each other of every topic, and of who leads it."""
    try:
        return len(await topics.describe()) == len(TOPICS)
    except (UnknownTopicOrPartitionError, LeaderNotAvailableError):
        return False


async def _differences(kafka: str, prefix: str) -> list[str]:
    async with kafka_at(kafka), TopicsOnBroker(kafka, prefix) as topics:
        return await topics.differences()


async def _describe(kafka: str, prefix: str) -> dict[str, dict[str, str]]:
    async with kafka_at(kafka), TopicsOnBroker(kafka, prefix) as topics:
        return await topics.describe()
