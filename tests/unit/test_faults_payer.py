"""The payer says on the log what came of a charge, and a byte leaves only while it may."""

import time

import pytest

from shared.contracts.order_log import EffectUnknown
from shared.messaging.effects import Done, Failed, NotSent, Outcome, Permit, Unknown
from shared.messaging.timers import Later
from tests.builders import an_order, placed
from tests.faults.payer.contracts import ChargeFailed, ChargeMade, ReceiptDue
from tests.faults.payer.handlers import charge_for_the_order, payer
from tests.faults.payer.till import Terms, Till, checking
from tests.faults.payer.webhook import is_genuine
from tests.faults.provider import sign


class RecordedEffects:
    """Stands for the kit's effects: makes the call, and remembers its key."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome, self.keys = outcome, list[str]()

    async def once(self, *, key: str, **_rest: object) -> Outcome | None:
        self.keys.append(key)
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "contract"),
    [
        (Done({"charge_id": "ch_1"}), ChargeMade),
        (Failed("declined", "no"), ChargeFailed),
        (Unknown("cut"), EffectUnknown),
    ],
)
async def test_each_outcome_has_its_entry(outcome: Outcome, contract: type) -> None:
    effects, event = RecordedEffects(outcome), placed(an_order())
    till = Till(effects, Terms("http://provider"))  # type: ignore[arg-type]
    entry, *later = await charge_for_the_order(event, till)
    await till.close()
    assert type(entry) is contract
    assert [type(each.message) for each in later if isinstance(each, Later)] == [ReceiptDue] * (contract is ChargeMade)
    assert effects.keys == [f"charge:{event.meta.id}"]


def test_the_group_reacts_to_both_events() -> None:
    assert payer.handles("order.placed.v1")
    assert payer.handles("order.confirmation-requested.v1")


async def test_without_the_permit_nothing_is_sent() -> None:
    hook = checking(Permit(asked_at=0.0, allowance=-1.0))
    await hook("connection.connect_tcp.started", {})
    with pytest.raises(NotSent):
        await hook("http11.send_request_headers.started", {})


def test_a_webhook_is_believed_only_with_a_signature_that_is_fresh() -> None:
    body, now = b"{}", int(time.time())
    assert is_genuine(sign("sandbox", body), body)
    assert not is_genuine(sign("sandbox", body), b"{ }")
    assert not is_genuine(sign("other", body), body)
    assert not is_genuine(sign("sandbox", body, now - 1000), body)
    assert not is_genuine("", body)
