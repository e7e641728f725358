"""The system as the demo needs it: databases, topics, services that are ready, shops; what is there stays."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.local.demo.connect import connect, key_of, start_sandboxes, until_told
from deploy.local.demo.people import Person, set_up_people
from deploy.local.demo.shops_and_tokens import new_tokens, set_up_shops
from deploy.local.failure import LocalStackError
from deploy.local.ports import HOST
from deploy.local.stack import Stack
from services.integrations.connections import Kind
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.sealing import Seal
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.ops.topics import create_topics
from shared.runtime.actors import public_key_of

PORTS = {"orders": 18080, "notifications": 18081, "documents": 18082, "integrations": 18083, "backoffice": 18084}
_SENDER_DOMAIN = "mail.example"
_SEALING_KEY = urlsafe_b64encode(b"local-stack-only-never-elsewhere").decode()
_ACTOR_KEY = _SEALING_KEY.rstrip("=")


@dataclass(frozen=True)
class System:
    """The running system, as those outside see it; tokens by shop, those of orders and those of documents."""

    orders_url: str
    documents_url: str
    backoffice_url: str
    people: Sequence[Person]
    """Who may sign in there, one for each role."""
    kafka: str
    mailbox_url: str
    database_urls: Mapping[str, str]
    tokens: Mapping[str, str]
    document_tokens: Mapping[str, str]
    sandboxes: Mapping[Kind, str]
    payment_keys: Mapping[str, str]
    """Of the shops at the sandbox of payment."""


@dataclass(frozen=True)
class World:
    """Where everything is that the services need."""

    kafka: str
    smtp_host: str
    smtp_port: int
    files: str
    """The folder of the documents."""
    urls: Mapping[str, str]
    """Where each service is that the back office asks."""


def settings_of(name: str, database_url: str, host: str, port: int, world: World) -> dict[str, str]:
    """The environment of a service that listens there."""
    settings = {"DATABASE_URL": database_url, "HOST": host, "PORT": str(port), "MIGRATE": "true"}
    if name == "backoffice":
        settings |= {"ACTOR_KEY": _ACTOR_KEY, "HTTPS": "false"}
        settings |= {f"{service.upper()}_URL": url for service, url in world.urls.items()}
    else:
        settings |= {"KAFKA": world.kafka, "ACTOR_KEYS": public_key_of(_ACTOR_KEY)}
    if name in {"orders", "documents"}:
        settings["REQUESTS_PER_SECOND"] = "0"  # the demo hurries, with one token for each shop
    match name:
        case "orders":
            settings["SEALING_KEYS"] = f"local:{_SEALING_KEY}"
        case "notifications":
            settings |= {
                "SMTP_HOST": world.smtp_host,
                "SMTP_PORT": str(world.smtp_port),
                "SENDER_DOMAIN": _SENDER_DOMAIN,
                "SEALING_KEYS": _SEALING_KEY,
            }
        case "documents":
            settings |= {"STORE": world.files, "LINK_KEYS": _SEALING_KEY}
        case "integrations":
            settings["SEALING_KEYS"] = _SEALING_KEY
    return {f"{name.upper()}_{setting}": value for setting, value in settings.items()}


async def set_up(stack: Stack, shops: Iterable[ShopSettings], chaos: float = 0.0) -> System:
    """Makes what is missing on the stack's servers and starts the services. Raises LocalStackError."""
    await _make_topics(stack.kafka)
    databases = {name: await stack.create_database(name) for name in PORTS}
    ports = {name: stack.port(name, preferred) for name, preferred in PORTS.items()}
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items() if name != "backoffice"}
    world = World(stack.kafka, HOST, stack.smtp_port, str(stack.folder / "files"), urls)
    starts = (
        stack.start_service(
            name,
            f"services.{name}.app",
            settings_of(name, databases[name], HOST, ports[name], world),
            ready_url=f"http://{HOST}:{ports[name]}/readyz",
        )
        for name in PORTS
    )
    await asyncio.gather(*starts)
    shops = list(shops)
    sandboxes = await start_sandboxes(stack, chaos)
    tokens = await set_up_shops(databases["orders"], shops)
    integrations = stack.inside("integrations", ports["integrations"])
    await connect(databases["integrations"], sandboxes, integrations, shops, Seal([_SEALING_KEY]))
    await until_told(databases["orders"], shops)
    return System(
        f"http://{HOST}:{ports['orders']}",
        f"http://{HOST}:{ports['documents']}",
        f"http://{HOST}:{ports['backoffice']}",
        await set_up_people(databases["backoffice"], [shop.shop for shop in shops]),
        stack.kafka,
        stack.mailbox_url,
        databases,
        tokens,
        await new_tokens(databases["documents"], shops, ("documents:read",)),
        {kind: sandbox.url for kind, sandbox in sandboxes.items()},
        {shop.shop: key_of("payment", shop.shop) for shop in shops},
    )


async def _make_topics(kafka: str) -> None:
    async with TopicsOnBroker(kafka) as topics:
        await create_topics(topics)
        differences = await topics.differences()
    if differences:
        raise LocalStackError(
            f"The topics of an earlier run differ from those declared ({'; '.join(differences)}): "
            "make demo-reset forgets that run."
        )
