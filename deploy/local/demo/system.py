"""The system as the demo needs it: databases, topics, services that are ready, shops; what is there stays."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.local.demo.connect import connect, key_of, start_sandboxes
from deploy.local.demo.shops_and_tokens import new_tokens, set_up_shops
from deploy.local.failure import LocalStackError
from deploy.local.ports import HOST
from deploy.local.stack import Stack
from services.integrations.connections import Kind
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.sealing import Seal
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.ops.topics import create_topics

_PORTS = {"orders": 18080, "notifications": 18081, "documents": 18082, "integrations": 18083}
_SENDER_DOMAIN = "mail.example"
_SEALING_KEY = urlsafe_b64encode(b"local-stack-only-never-elsewhere").decode()


@dataclass(frozen=True)
class System:
    """The running system, as those outside see it; tokens by shop, those of orders and those of documents."""

    orders_url: str
    documents_url: str
    kafka: str
    mailbox_url: str
    database_urls: Mapping[str, str]
    tokens: Mapping[str, str]
    document_tokens: Mapping[str, str]
    sandboxes: Mapping[Kind, str]
    payment_keys: Mapping[str, str]
    """Of the shops at the sandbox of payment."""


async def set_up(stack: Stack, shops: Iterable[ShopSettings], chaos: float = 0.0) -> System:
    """Makes what is missing on the stack's servers and starts the services. Raises LocalStackError."""
    await _make_topics(stack.kafka)
    databases = {name: await stack.create_database(name) for name in _PORTS}
    ports = {name: stack.port(name, preferred) for name, preferred in _PORTS.items()}
    settings: dict[str, dict[str, str]] = {
        "orders": {},
        "notifications": {
            "SMTP_HOST": HOST,
            "SMTP_PORT": str(stack.smtp_port),
            "SENDER_DOMAIN": _SENDER_DOMAIN,
            "SEALING_KEYS": _SEALING_KEY,
        },
        "documents": {"STORE": str(stack.folder / "files"), "LINK_KEYS": _SEALING_KEY},
        "integrations": {"SEALING_KEYS": _SEALING_KEY},
    }
    starts = (_start(stack, name, ports[name], databases[name], settings[name]) for name in _PORTS)
    await asyncio.gather(*starts)
    shops = list(shops)
    sandboxes = await start_sandboxes(stack, chaos) if stack.sandboxes else {}
    tokens = await set_up_shops(databases["orders"], shops)
    integrations_url = f"http://{HOST}:{ports['integrations']}"
    await connect(databases["integrations"], sandboxes, integrations_url, shops, Seal([_SEALING_KEY]))
    return System(
        f"http://{HOST}:{ports['orders']}",
        f"http://{HOST}:{ports['documents']}",
        stack.kafka,
        stack.mailbox_url,
        databases,
        tokens,
        await new_tokens(databases["documents"], shops, ("documents:read",)),
        sandboxes,
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


async def _start(stack: Stack, name: str, port: int, database_url: str, settings: Mapping[str, str]) -> None:
    all_of_them = {
        "DATABASE_URL": database_url,
        "KAFKA": stack.kafka,
        "HOST": HOST,
        "PORT": str(port),
        "MIGRATE": "true",
        **settings,
    }
    env = {f"{name.upper()}_{setting}": value for setting, value in all_of_them.items()}
    await stack.start_service(name, f"services.{name}.app", env, ready_url=f"http://{HOST}:{port}/readyz")
