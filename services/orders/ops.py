"""What an operator types about shops, and what orders' own tables tell of an order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
from pydantic import ValidationError

from services.orders import verifying
from services.orders.key_ops import MIGRATIONS
from services.orders.key_ops import app as keys
from services.orders.shops import LOCK, change_shop, find_shop, list_shops
from services.orders.timeline import Verified, verified
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from shared.ops.contributed import Contribution
from shared.ops.servers import AsJson, Database, Given, connected, finish, one_database
from shared.ops.shown import counted, print_json, print_table, printable, progress
from shared.ops.story import Chapter, Entry

SOURCE = "/orders"
LOST = """
select order_id::text, shop, min(at) as since, count(*) as entries from timeline t
where order_id in (select order_id from timeline where from_before_restore)
  and not exists (select from orders o where o.id = t.order_id)
group by 1, 2 order by 3
"""
FIELDS: dict[str, dict[str, Any]] = ShopSettings.model_json_schema()["properties"]

app = typer.Typer(
    no_args_is_help=True, help="The shops' settings: kept by orders, told to all services on shops.facts."
)

of_orders = typer.Typer(no_args_is_help=True, help="What orders' own database tells of all orders.")
of_orders.add_typer(keys, name="keys")

Shop = Annotated[str, typer.Argument(metavar="SHOP", help="The shop's short name: nordic-tea.")]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help=f"A field and its new value; lists with commas: languages=sv,fi. Fields: {', '.join(FIELDS)}.",
    ),
]
File = Annotated[
    typer.FileText | None,
    typer.Option("--file", help="All settings as JSON, as `shops show --json` prints them; - reads from stdin."),
]
Again = Annotated[bool, typer.Option("--again", help="Tell them on shops.facts also where nothing changed.")]
Order = Annotated[UUID | None, typer.Argument(metavar="[ORDER]", help="One order's id.")]
OfShop = Annotated[str | None, typer.Option("--shop", metavar="SHOP", help="All orders of this shop.")]
All = Annotated[bool, typer.Option("--all", help="All orders, those that a restore lost among them.")]
Actor = Annotated[str, typer.Option(help="Who says so: an id, never a name or an address.")]


@of_orders.command()
def lost(given: Given, *, as_json: AsJson = False) -> None:
    """List the orders that a restore lost and whose log came back; `journey` has each one's whole story."""
    rows = finish(_lost(one_database(given, "orders")))
    if as_json:
        print_json([dict(row) for row in rows])
    elif rows:
        print_table(("order", "shop", "since (UTC)", "entries"), (tuple(row.values()) for row in rows))
    else:
        typer.echo("no order is missing of which the log knows")


@of_orders.command()
def verify(
    given: Given, order: Order = None, shop: OfShop = None, *, everything: All = False, as_json: AsJson = False
) -> None:
    """Verify that the logs of orders are what was recorded: of one, of a shop, or all (R206).

    Names the first entry of each that is not. Exit code 1 where there is one, or no such order.
    """
    if (order is not None) + (shop is not None) + everything != 1:
        raise typer.BadParameter("name an order, or say --shop, or --all")
    looked_at, broken = finish(_verify(one_database(given, "orders"), order, shop))
    if as_json:
        print_json({"orders": looked_at, "broken": [{"order": str(name), **asdict(each)} for name, each in broken]})
    for name, each in broken if not as_json else ():
        typer.echo(f"order {name}: {verifying.said_of(each)}", err=True)
    if not as_json and not broken:
        typer.echo("there is no such order" if not looked_at and order else f"intact: {counted(looked_at, 'log')}")
    if broken or (order is not None and not looked_at):
        raise typer.Exit(1)


async def _verify(
    database: Database, order_id: UUID | None, shop: str | None
) -> tuple[int, list[tuple[UUID, Verified]]]:
    """How many logs there were, and those that are broken."""
    looked_at, broken = 0, []
    async with connected(database, MIGRATIONS) as connection:
        if order_id is not None:
            known = await verifying.is_known(connection, order_id)
            found = await verified(connection, order_id)
            return int(known), [(order_id, found)] if known and found.broken is not None else []
        with progress() as bar:
            task = bar.add_task("verifying", total=await verifying.count(connection, shop))
            async for name, found in verifying.walk(connection, shop):
                looked_at += 1
                bar.advance(task)
                if found.broken is not None:
                    broken.append((name, found))
    return looked_at, broken


class NotSettings(Exception):
    """These are no settings of a shop; `sentences` say why, one for each field."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


@app.command("list")
def list_(given: Given, *, as_json: AsJson = False) -> None:
    """List the shops."""
    shops = finish(_all(one_database(given, "orders")))
    if as_json:
        print_json([shop.model_dump(mode="json") for shop in shops])
    else:
        rows = ((s.shop, s.name, ", ".join(s.languages), s.currency, s.time_zone, s.email) for s in shops)
        print_table(("shop", "name", "languages", "currency", "time zone", "e-mail"), rows)


@app.command()
def show(shop: Shop, given: Given, *, as_json: AsJson = False) -> None:
    """Show a shop's settings; exit code 1 where there is no such shop."""
    settings = finish(_one(one_database(given, "orders"), shop))
    if settings is None:
        typer.echo(f"There is no shop {shop}.", err=True)
        raise typer.Exit(1)
    fields = settings.model_dump(mode="json")
    if as_json:
        print_json(fields)
    else:
        print_table(("field", "value"), ((name, _shown(value)) for name, value in fields.items()))


@app.command()
def save(
    shop: Shop,
    given: Given,
    changes: Changes = None,
    file: File = None,
    *,
    again: Again = False,
    actor: Actor = "operator",
) -> None:
    """Make a shop, or change its settings, and tell all services; prints what changed.

    What is neither in --file nor in --set stays as it is. Exit code 1 where the settings are refused; then nothing is
    written.
    """
    database = one_database(given, "orders")
    try:
        fields = read_fields(file.read() if file else "{}") | {"shop": shop} | _set(changes or ())
        changed = finish(_save(database, fields, actor, again=again))
    except NotSettings as error:
        for sentence in error.sentences:
            typer.echo(printable(sentence), err=True)
        raise typer.Exit(1) from None
    for name, (before, after) in changed.items():
        typer.echo(printable(f"{name}: {_shown(before)} -> {_shown(after)}"))
    if not changed:
        typer.echo("nothing changed" + ("; told again" if again else ""))


def read_fields(text: str) -> dict[str, Any]:
    """Settings from JSON: the fields, or a whole record as `contracts show shop.settings.v1` prints it."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise NotSettings(f"this is not JSON: {error}") from None
    fields = document.get("data") if isinstance(document, dict) and "specversion" in document else document
    if not isinstance(fields, dict):
        raise NotSettings("expected a JSON object with the shop's settings")
    return fields


def field_from(text: str) -> tuple[str, Any]:
    """A field and its value from `name=value`; numbers and true or false as in JSON, lists with commas or as JSON.

    Nothing after the equals sign is no value, where a field may have none.
    """
    name, equals, value = text.partition("=")
    kind = _type_of(FIELDS.get(name, {}))
    if not equals or kind is None:
        raise NotSettings(f"{name}: expected FIELD=VALUE with one of the fields {', '.join(FIELDS)}")
    if kind == "string":
        return name, value
    if kind == "string or null":
        return name, value or None
    if kind == "array" and not value.startswith("["):
        return name, [part.strip() for part in value.split(",") if part.strip()]
    try:
        return name, json.loads(value)
    except ValueError:
        raise NotSettings(f"{name}: expected {kind}, got {value}") from None


def _type_of(field: Mapping[str, Any]) -> str | None:
    return field.get("type") or " or ".join(branch["type"] for branch in field.get("anyOf", ())) or None


def settings_from(fields: Mapping[str, Any]) -> ShopSettings:
    """The settings with these fields. Raises NotSettings for what the contract refuses, and for what nobody reads."""
    unknown = [f"{name}: there is no such field" for name in fields if name not in FIELDS]
    try:
        settings = ShopSettings.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in found]
        raise NotSettings(*unknown, *faults) from None
    if unknown:
        raise NotSettings(*unknown)
    return settings


def differences(before: ShopSettings | None, after: ShopSettings) -> dict[str, tuple[Any, Any]]:
    """What changed, by field: the value before, None for a new shop, and the value now."""
    old = before.model_dump(mode="json") if before else {}
    new = after.model_dump(mode="json")
    return {name: (old.get(name), value) for name, value in new.items() if name not in old or old[name] != value}


def _set(changes: Sequence[str]) -> dict[str, Any]:
    return dict(field_from(change) for change in changes)


async def _all(database: Database) -> list[ShopSettings]:
    async with connected(database, MIGRATIONS) as connection:
        return await list_shops(connection)


async def _one(database: Database, shop: str) -> ShopSettings | None:
    async with connected(database, MIGRATIONS) as connection:
        return await find_shop(connection, shop)


async def _save(
    database: Database, fields: Mapping[str, Any], actor: str, *, again: bool
) -> dict[str, tuple[Any, Any]]:
    outbox = Outbox(SOURCE, Bell())
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        await connection.execute(LOCK, fields["shop"])
        before = await find_shop(connection, fields["shop"])
        known = before.model_dump(mode="json") if before else {}
        settings = settings_from({**known, **fields})
        changed = differences(before, settings)
        if changed or again:
            try:
                await change_shop(connection, before, settings, outbox, actor)
            except Refused as refusal:
                raise NotSettings(f"{refusal.reason}: {refusal.detail}") from None
        return changed


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).replace("\n", " / ")


def _order(row: asyncpg.Record) -> Entry:
    return Entry(
        "order", f"number {row['number']} of {row['shop']}, accepted; now version {row['version']}", row["accepted_at"]
    )


def _timeline(row: asyncpg.Record) -> Entry:
    text = f"{row['type']} {row['outcome']} by {row['source']}: {row['summary']} {row['parameters']}"
    text += ", from before the restore" if row["from_before_restore"] else ""
    wrong = row["outcome"] in {"failed", "unknown"}
    return Entry(f"timeline {row['n']}", text, row["recorded_at"], wrong, json.loads(row["data"]))


async def _lost(database: Database) -> list[asyncpg.Record]:
    async with connected(database, MIGRATIONS) as connection:
        return await connection.fetch(LOST)


contribution = Contribution(
    commands={"shops": app, "orders": of_orders},
    chapters=(
        Chapter(
            "orders",
            "select shop, number, version, accepted_at from orders where id = $1::text::uuid",
            _order,
            optional=True,
        ),
        Chapter(
            "timeline", "select * from timeline where order_id = $1::text::uuid order by n", _timeline, optional=True
        ),
    ),
)
