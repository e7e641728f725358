"""Every topic of the system, declared once; a topic that differs on the broker makes a service not ready."""

from dataclasses import dataclass
from typing import Literal

DAY_MS = 24 * 60 * 60 * 1000
MAX_RECORD_BYTES = 1536 * 1024
"""No record is larger, whoever writes it."""
BROKER_LIMIT_BYTES = 2 * 1024 * 1024
"""The broker's own limit: whatever a batch adds to a record fits."""
MAX_ORDER_BYTES = 768 * 1024
"""An order is accepted up to this size as an event: 2,000 ordinary lines. As much again is left for later."""


@dataclass(frozen=True)
class Topic:
    """A topic's name, who owns it and who may write it, what its key is, and how long it is kept."""

    name: str
    owner: str
    writers: tuple[str, ...]
    about: str
    readers: tuple[str, ...] = ()
    """The services that read it; anybody else may too, and is not asked to say so."""
    key: Literal["order id", "<shop>/<owner>"] = "order id"
    retention_ms: int = 35 * DAY_MS
    compacted: bool = False
    sequenced: bool = True
    """Whether each source numbers its records per subject; what is not numbered is deduplicated by (source, id)."""

    def broker_settings(self, min_insync_replicas: int) -> dict[str, str]:
        """The settings the broker must have for this topic, as its admin tools name them."""
        settings = {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "compression.type": "lz4",
            "max.message.bytes": str(BROKER_LIMIT_BYTES),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }
        if not self.compacted:
            settings["retention.ms"] = str(self.retention_ms)
        return settings


PARTITIONS = 24

ORDERS_COMMANDS = Topic(
    "orders.commands",
    owner="orders",
    writers=("shop fronts", "other services"),
    about="What somebody asks of an order; answered on orders.log.",
    readers=("orders",),
    retention_ms=14 * DAY_MS,
    sequenced=False,
)
ORDERS_EVENTS = Topic(
    "orders.events",
    owner="orders",
    writers=("orders",),
    about="What happened to an order, with the order as it is now.",
    readers=("notifications", "documents", "integrations"),
)
ORDERS_LOG = Topic(
    "orders.log",
    owner="orders",
    writers=("orders", "notifications", "documents", "integrations"),
    about="The order log: what every service did to an order.",
    readers=("orders",),
)
SHOPS_FACTS = Topic(
    "shops.facts",
    owner="orders",
    writers=("orders", "notifications", "documents", "integrations"),
    about="What every service needs to know about a shop; the last record of a key is the whole truth.",
    readers=("orders", "notifications", "documents", "integrations"),
    key="<shop>/<owner>",
    compacted=True,
)


def dead_letters_of(group: str, owner: str) -> Topic:
    """The topic that gets a copy, personal fields masked, of each message that a group has given up."""
    return Topic(
        f"{group}.dead-letters",
        owner=owner,
        writers=(owner,),
        about=f"Copies of what the group {group} has given up, for outside tools; the messages keep their places.",
        sequenced=False,
    )


DEAD_LETTERS = (
    dead_letters_of("orders.commands", "orders"),
    dead_letters_of("orders.log", "orders"),
    dead_letters_of("notifications", "notifications"),
    dead_letters_of("documents", "documents"),
    dead_letters_of("orders.reports", "orders"),
    dead_letters_of("integrations.payment", "integrations"),
    dead_letters_of("integrations.shipping", "integrations"),
    dead_letters_of("integrations.erp", "integrations"),
    dead_letters_of("notifications.repairs", "notifications"),
    dead_letters_of("documents.repairs", "documents"),
    dead_letters_of("integrations.repairs", "integrations"),
)
CHANNELS = (ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG, SHOPS_FACTS)
"""Where contracts are published."""
TOPICS = (*CHANNELS, *DEAD_LETTERS)
BY_NAME = {topic.name: topic for topic in TOPICS}
