"""Nobody works on a database that was set back; whoever waits says why, and stops when told to."""

import asyncio

from shared.messaging.consent_gate import AfterConsent, AskConsent
from shared.messaging.relay_consent import Consent
from tests.builders import an_order
from tests.integration.test_kit_consent import OF_ORDERS, begin_a_life, placed_in
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually


class Counts:
    """A component that tells whether it has begun."""

    name = "counts"
    began = 0

    async def run(self, stopping: asyncio.Event) -> None:
        self.began += 1
        await stopping.wait()

    def last_tick(self) -> float:
        return 0.0

    def problem(self) -> str | None:
        return None if self.began else "it has not started"


async def test_nobody_works_on_a_database_that_was_set_back(kit_on_kafka: Kit) -> None:
    kit, order, work = kit_on_kafka, an_order(), Counts()
    await kit.publish_messages(placed_in(order, await kit.pool.fetchval("select incarnation from relay")))
    consent = Consent(kit.kafka, kit.prefix, OF_ORDERS, "/orders")
    asking, gate = AskConsent(consent, kit.pool), AfterConsent(work, consent)
    assert "not been compared" in (gate.problem() or "")
    async with running(asking, gate):
        await eventually(lambda: consent.refused)
        assert asking.problem() == gate.problem() == consent.refused
        assert "ops restored" in consent.refused
        assert work.began == 0
        assert gate.last_tick() > 0
        await begin_a_life(kit)
        await eventually(lambda: work.began)
        assert (asking.problem(), gate.problem(), consent.refused) == (None, None, "")


async def test_while_kafka_is_away_nobody_works_and_the_process_is_not_to_blame(kit: Kit) -> None:
    consent, work = Consent("127.0.0.1:1", "", OF_ORDERS, "/orders"), Counts()
    asking, gate = AskConsent(consent, kit.pool), AfterConsent(work, consent)
    async with running(asking, gate):
        began = asking.last_tick()
        await eventually(lambda: asking.last_tick() > began + 0.2)
        assert (asking.problem(), work.began, consent.refused) == (None, 0, "")


async def test_a_source_without_topics_has_nothing_to_ask(kit: Kit) -> None:
    consent, work = Consent("127.0.0.1:1", "", (), "/payer"), Counts()
    async with running(AfterConsent(work, consent), AskConsent(consent, kit.pool)):
        await eventually(lambda: work.began)


async def test_a_component_that_never_got_consent_stops_when_it_is_told_to(kit: Kit) -> None:
    consent, work = Consent(kit.kafka, "", OF_ORDERS, "/orders"), Counts()
    async with running(AfterConsent(work, consent)):
        pass
    assert work.began == 0
