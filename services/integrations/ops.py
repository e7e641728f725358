"""What an operator types about what shops have connected, and what integrations' own tables tell of an order."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from pydantic import SecretStr

import services.integrations
from services.integrations.connections import (
    Capture,
    Connection,
    Kind,
    list_connections,
    remove_connection,
    save_connection,
)
from services.integrations.health import Health, place_of, read_health
from shared.messaging.database import KEYS_ONLY
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from shared.ops.contributed import Contribution
from shared.ops.servers import KIT_MIGRATIONS, AsJson, Database, Given, connected, finish, one_database
from shared.ops.shown import counted, print_json, print_table
from shared.ops.story import Chapter, Entry
from shared.runtime.actors import is_shop
from shared.runtime.migrations import Folder

SOURCE = "/integrations"
MOST = 10_000
"""Connections that are shown at most."""
COLUMNS = (
    *("shop", "kind", "at", "is", "last answer", "last trouble", "which was", "done / failed in 24 h", "last no"),
    *("held up", "last webhook not genuine"),
)
NO_SHOP = "expected a shop's short name: a-z, 0-9 and -, at most 63 of them, not - first: nordic-tea"
KEYS = "INTEGRATIONS_SEALING_KEYS"
MIGRATIONS: Sequence[Folder] = (
    KIT_MIGRATIONS,
    ("integrations", Path(services.integrations.__path__[0]) / "sql" / "migrations"),
)

app = typer.Typer(no_args_is_help=True, help="What the shops have connected: payment, shipping, ERP.")


class KindOf(StrEnum):
    """What is connected."""

    PAYMENT = "payment"
    SHIPPING = "shipping"
    ERP = "erp"


class CaptureBy(StrEnum):
    """When money is taken."""

    BY_HAND = "by-hand"
    WHEN_SHIPPED = "when-shipped"


Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop's short name: nordic-tea.")]
OfShop = Annotated[str, typer.Option(help="Of this shop alone.")]
Which = Annotated[KindOf, typer.Argument(metavar="KIND", help="payment, shipping or erp.")]
Provider = Annotated[str, typer.Option(help="Which adapter speaks with it.")]
Url = Annotated[str, typer.Option(help="Where the provider's interface is: https://api.example.")]
ApiKey = Annotated[
    str, typer.Option(envvar="CONNECTION_API_KEY", prompt="API key", hide_input=True, help="Asked for where not given.")
]
WebhookSecret = Annotated[
    str, typer.Option(envvar="CONNECTION_WEBHOOK_SECRET", help="What the provider signs webhooks with: whsec_…")
]
By = Annotated[CaptureBy, typer.Option("--capture", help="When money is taken: by hand, or by shipping.")]
Actor = Annotated[str, typer.Option(help="Who says so: an id, never a name or an address.")]


@app.command("list")
def list_(given: Given, shop: OfShop = "", *, as_json: AsJson = False) -> None:
    """List what is connected, without secrets."""
    found = finish(_list(one_database(given, "integrations"), shop))
    rows = [dict(row) | {"url": place_of(row["url"])} for row in found]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(tuple(rows[0].keys()), (tuple(row.values()) for row in rows))
    else:
        typer.echo("nothing is connected")


@app.command()
def health(given: Given, shop: OfShop = "", *, as_json: AsJson = False) -> None:
    """Show how each connection is, by what the database knows: in one word, and the facts behind it."""
    found = finish(_health(one_database(given, "integrations"), shop))
    if as_json:
        print_json([asdict(each) for each in found])
    elif found:
        print_table(COLUMNS, (_row(each) for each in found))
    else:
        typer.echo("nothing is connected")


@app.command()
def save(
    shop: Shop,
    kind: Which,
    given: Given,
    url: Url,
    api_key: ApiKey,
    provider: Provider = "sandbox",
    webhook_secret: WebhookSecret = "",
    capture: By = CaptureBy.BY_HAND,
    actor: Actor = "operator",
) -> None:
    """Connect a shop's account at a provider, in place of the one of that kind, and tell all services.

    The secrets are sealed with INTEGRATIONS_SEALING_KEYS, which the service has too.
    """
    if not is_shop(shop):
        raise typer.BadParameter(NO_SHOP, param_hint="SHOP")
    seal = _seal()
    new = Connection(shop, _kind(kind), provider, url, api_key, webhook_secret, _capture(capture))
    finish(_save(one_database(given, "integrations"), new, seal, actor))
    typer.echo(f"{shop} has connected {kind}: {provider} at {place_of(url) or 'no address'}")


@app.command()
def remove(shop: Shop, kind: Which, given: Given, *, actor: Actor = "operator") -> None:
    """Forget a connection and tell all services; exit code 1 where there is none."""
    if not finish(_remove(one_database(given, "integrations"), shop, _kind(kind), actor)):
        typer.echo(f"{shop} has no {kind} connection.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{shop} has no {kind} connection any more")


def _kind(kind: KindOf) -> Kind:
    return kind.value


def _capture(capture: CaptureBy) -> Capture:
    return capture.value


def _seal() -> Seal:
    keys = os.environ.get(KEYS, "")
    try:
        seal = Seal.from_setting(SecretStr(keys))
    except ValueError:
        seal = None
    if seal is None:
        typer.echo(f"{KEYS} is not set, or holds no keys: it must be what the service has.", err=True)
        raise typer.Exit(2)
    return seal


async def _list(database: Database, shop: str) -> list[asyncpg.Record]:
    async with connected(database, MIGRATIONS) as connection:
        return await list_connections(connection, shop)


async def _health(database: Database, shop: str) -> list[Health]:
    async with connected(database, MIGRATIONS) as connection:
        for name, value in KEYS_ONLY.items():
            await connection.execute("select set_config($1, $2, false)", name, value)
        return await read_health(connection, shop or None, limit=MOST)


def _row(health: Health) -> tuple[object, ...]:
    alone = f"left alone by {counted(health.left_alone_by, 'process')}" if health.left_alone_by else ""
    held_up = [f"{count} {what}" for what in ("waiting", "blocked", "unknown") if (count := getattr(health, what))]
    return (
        health.shop,
        health.kind,
        f"{health.provider} {health.host}",
        health.state,
        health.answered_at,
        health.troubled_at,
        health.trouble,
        f"{health.done} / {health.failed}",
        health.failed_reason,
        ", ".join([*held_up, *([alone] if alone else [])]),
        health.forged_at if _is_newer(health.forged_at, health.webhook_at) else None,
    )


def _is_newer(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


async def _save(database: Database, new: Connection, seal: Seal, actor: str) -> None:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        await save_connection(connection, new, seal, Outbox(SOURCE, Bell()), actor)


async def _remove(database: Database, shop: str, kind: Kind, actor: str) -> bool:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        return await remove_connection(connection, shop, kind, Outbox(SOURCE, Bell()), actor)


def _known(row: asyncpg.Record) -> Entry:
    return Entry(
        "known there", f"{row['kind']}: {row['reference']} at the provider of {row['shop']}", row["known_since"]
    )


contribution = Contribution(
    commands={"connections": app},
    chapters=(
        Chapter(
            "known_there",
            "select * from known_there where order_id = $1::text::uuid order by known_since",
            _known,
            optional=True,
        ),
    ),
)
