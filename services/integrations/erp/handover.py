"""One request hands an order over once, and the order log is told what came of it."""

from services.integrations.accounts import Accounts
from services.integrations.erp.port import ErpSystem
from services.integrations.reasons import reason_of
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import TransferRequested
from shared.contracts.order_log import EffectUnknown, ErpFailed, ErpOrderExported, LogEntry
from shared.messaging.effects import Done, Effects, Failed, Outcome, Permit, WhenUnknown

EFFECT = "transfer"


def key_of(event: TransferRequested) -> str:
    """The key of the effect."""
    return f"{EFFECT}:{event.meta.id}"


class Handover:
    """What ERP's handlers work with; `seconds` is what one call may take in all, `holds` as in WhenUnknown."""

    def __init__(self, effects: Effects, accounts: Accounts[ErpSystem], *, seconds: float, holds: float) -> None:
        self._effects, self._accounts = effects, accounts
        self._seconds, self._holds = seconds, holds

    async def push(self, event: TransferRequested) -> LogEntry:
        """What the order log shall say of a request. Raises as Effects.once does."""
        account = await self._accounts.of(event.meta.shop)
        if account is None:
            return _entry(event, Failed("not-connected", "the shop has no erp connection"))
        connection, system = account

        async def call(permit: Permit, request: bytes) -> Done | Failed:
            return await system.push(OrderSnapshot.model_validate_json(request), permit)

        async def look_up() -> Done | None:
            return await system.find(event.order)

        # The order's reference is unique there, so it may be handed over again however long ago that was tried first.
        rule = WhenUnknown(look_up=look_up, remembers=self._holds, holds=self._holds)
        outcome = await self._effects.once(
            key=key_of(event),
            kind=EFFECT,
            call=call,
            timeout=self._seconds,
            request=event.order.model_dump_json().encode(),
            connection=connection.name,
            when_unknown=rule,
        )
        return _entry(event, outcome)


def _entry(event: TransferRequested, outcome: Outcome) -> LogEntry:
    order_id, request_id = event.order.id, event.request_id
    if isinstance(outcome, Done):
        number = str(outcome.result.get("number") or f"settled-{event.meta.id}")
        return ErpOrderExported(
            order_id=order_id,
            outcome="done",
            summary="erp.order-exported",
            parameters={"number": number},
            request_id=request_id,
            number=number,
        )
    if isinstance(outcome, Failed):
        reason = reason_of(outcome.reason)
        return ErpFailed(
            order_id=order_id,
            outcome="failed",
            summary="erp.failed",
            parameters={"reason": reason},
            request_id=request_id,
            reason=reason,
            detail=outcome.detail[:500],
        )
    return EffectUnknown(
        order_id=order_id,
        outcome="unknown",
        summary="effect.unknown",
        parameters={"effect": EFFECT},
        effect=EFFECT,
        key=key_of(event),
        request_id=request_id,
        detail=outcome.detail[:500],
    )
