"""One service's messaging, put together: which of the kit's parts a process of the service runs in which role."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaError

from shared.contracts.topics import CHANNELS, SHOPS_FACTS, Topic
from shared.messaging.claims import Hands
from shared.messaging.consent_gate import AfterConsent, AskConsent
from shared.messaging.database import Connection
from shared.messaging.gauges import Gauges
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.inside import InsideWorker
from shared.messaging.late_types import LateTypes
from shared.messaging.outbox import Appended, Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.pressure import Pressure
from shared.messaging.relay import Relay
from shared.messaging.relay_consent import Consent
from shared.messaging.repair_desk import RepairDesk
from shared.messaging.repairs import Repairs
from shared.messaging.repairs_asked import Asked, group_of
from shared.messaging.sweeper import Sweeper
from shared.messaging.timers import Timers
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.messaging.wakeup import Bell
from shared.runtime.database import Pool
from shared.runtime.health import Check, Component
from shared.runtime.housekeeping import Housekeeping
from shared.runtime.operator_status import Lag, Stands
from shared.runtime.settings import Role, ServiceSettings

TOPICS_LOOKED_AT_EVERY = 30.0
"""Seconds between two looks at the broker's topics once they are as declared."""


@dataclass
class Messaging:
    """Built in a service's `app.py`: give it the groups, then hand `components()` and `checks()` to the Service."""

    service: str
    settings: ServiceSettings
    pool: Pool
    keyed_pool: Pool
    """Connections whose plans go by keys alone, for what works on the kit's own tables."""
    source: str
    appended: Appended | None = None
    keeps: bool = False
    """Whether what was published is kept in `announced`."""
    forgets: Sequence[str] = ()
    """Statements that forget what the service keeps for a time."""
    relay_bell: Bell = field(default_factory=Bell)
    inbox_bells: dict[str, Bell] = field(default_factory=lambda: defaultdict(Bell))
    """One for each topic, which wakes the groups that read it."""
    hands: Hands = field(default_factory=Hands)
    groups: list[Group] = field(default_factory=list)
    workers: list[Component] = field(default_factory=list)
    everywhere: list[Component] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.source, self.relay_bell, self.appended, self.settings.emits)
        self.gauges = Gauges(self.pool)
        self.pressure = Pressure(
            self.keyed_pool, self.settings.inbox_limit, self.settings.inbox_disk_limit_mib * 1024 * 1024
        )
        self.repairs = Repairs(self.keyed_pool, self.outbox, self.groups, self.inbox_bells.values())
        self.kafka = ",".join(self.settings.kafka)
        self.dsn = self.settings.database_url.get_secret_value()
        written = [topic for topic in CHANNELS if topic.sequenced and self.service in topic.writers]
        self.consent = Consent(self.kafka, self.settings.topic_prefix, written, self.source)

    def work_inside(
        self, group: Group, workspaces: Mapping[type, Callable[[Connection], Any]], *, poll: float = 0.25
    ) -> None:
        """A group whose handlers run in the transaction that finishes their message."""
        bell = self.inbox_bells[group.reads.name].another()
        worker = InsideWorker(
            self.keyed_pool, self.dsn, group, self.outbox, bell, workspaces, hands=self.hands, poll=poll
        )
        self.groups.append(group)
        self.workers.append(worker)

    def take_repairs(self) -> None:
        """What is asked of this service on an order is left at its desk; that is seldom, and looked for seldom."""
        self.work_inside(group_of(self.service), {Asked: Asked}, poll=1.0)

    def work_outside(self, groups: Sequence[Group], provided: Mapping[type, Any], *, source: str | None = None) -> None:
        """Groups whose handlers may touch the world; they begin when the shops' facts are known.

        What they say is said by `source`, where the service has several.
        """
        outbox = self.outbox if source is None else self.outbox_of(source)
        facts, bell = (self.kafka, self.settings.topic_prefix), Bell()
        for topic in {group.reads.name for group in groups}:
            self.inbox_bells[topic].add(bell)
        worker = OutsideWorker(
            self.keyed_pool, self.dsn, groups, outbox, bell, provided, facts_of=facts, hands=self.hands
        )
        self.groups.extend(groups)
        self.workers.append(worker)

    def outbox_of(self, source: str) -> Outbox:
        """What another source of this service says, published by the same relay."""
        self.consent.sources.add(source)
        return Outbox(source, self.relay_bell, self.appended, self.settings.emits)

    def work_beside(self, component: Component) -> None:
        """A component that runs where the groups are worked for."""
        self.workers.append(component)

    def run_everywhere(self, component: Component) -> None:
        """A component that every process of the service runs once, whatever its roles."""
        self.everywhere.append(component)

    def components(self, *, facts: bool = False) -> dict[Role, list[Component]]:
        """What each role runs; `facts`: whether this service needs to know the shops' facts."""
        topics = {group.reads.name: group.reads for group in self.groups}
        if facts:
            topics[SHOPS_FACTS.name] = SHOPS_FACTS
        bell = self._everybodys_bell()
        components: dict[Role, list[Component]] = {
            Role.API: [],
            Role.INGEST: [AfterConsent(self._ingest(topic), self.consent) for topic in topics.values()],
            Role.WORK: [
                *(AfterConsent(worker, self.consent) for worker in self.workers),
                Timers(self.keyed_pool, bell),
                LateTypes(self.keyed_pool, self.groups, bell),
                Sweeper(self.keyed_pool, bell),
                RepairDesk(self.repairs),
                Housekeeping(self.pool, also=self.forgets),
            ],
            Role.RELAY: [self._relay()],
        }
        first = next(role for role in Role if role in self.settings.roles)
        components[first] += [self.gauges, AskConsent(self.consent, self.keyed_pool), *self.everywhere]
        return components

    def checks(self) -> dict[str, Check]:
        """Readiness beside the components': the topics are as declared."""
        return {"topics": TopicsAsDeclared(self.kafka, self.settings.topic_prefix)}

    def stands(self) -> Stands:
        """What says how the service stands, for `/v1/operators/status`."""
        lag = Lag(self.service, self.kafka, self.settings.topic_prefix)
        return Stands(lag, self.consent, self.pressure)

    def _everybodys_bell(self) -> Bell:
        bell = Bell()
        for each in self.inbox_bells.values():
            bell.add(each)
        return bell

    def _ingest(self, topic: Topic) -> Component:
        return Ingest(
            self.keyed_pool,
            self.kafka,
            topic,
            self.groups,
            self.inbox_bells[topic.name],
            service=self.service,
            instance=self.settings.instance,
            prefix=self.settings.topic_prefix,
            outbox=self.outbox,
            pressure=self.pressure,
        )

    def _relay(self) -> Component:
        prefix = self.settings.topic_prefix
        return Relay(self.dsn, self.kafka, self.relay_bell, prefix=prefix, keeps=self.keeps, consent=self.consent)


class TopicsAsDeclared:
    """A readiness check: asks the broker until its topics are as declared, and then now and again."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._good_until = 0.0

    async def __call__(self) -> str | None:
        """The first differences, or None."""
        if time.monotonic() < self._good_until:
            return None
        try:
            async with TopicsOnBroker(self._kafka, self._prefix) as topics:
                differences = await topics.differences()
        except (KafkaError, OSError) as error:
            return f"Kafka cannot be asked: {type(error).__name__}"
        if differences:
            return "; ".join(differences[:3])
        self._good_until = time.monotonic() + TOPICS_LOOKED_AT_EVERY
        return None
