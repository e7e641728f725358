"""One cause gives one mail: rendered, handed in once for ever, and told on the order log, whatever came of it.

The effect's key goes to the order log with an unknown, so it names the recipient by a digest, never by the address.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from services.notifications import metrics
from services.notifications.archive import KeptMail, State
from services.notifications.catalogue import MessageKind
from services.notifications.mail import (
    AddressUnusable,
    Mail,
    People,
    compose,
    message_id,
    people_of,
    with_masked_addresses,
)
from services.notifications.rendering import Letter, RenderRequest
from services.notifications.written import Written
from shared.contracts.message import Meta, now
from shared.contracts.order import Customer, OrderSnapshot
from shared.contracts.order_log import EffectUnknown, LogEntry, MessageFailed, MessageSent
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.contracts.values import Language, masked_email, on_one_line
from shared.messaging.effects import (
    ASK_A_PERSON,
    Call,
    Done,
    Failed,
    NotSent,
    Outcome,
    Permit,
    Unknown,
    WhenUnknown,
)

F = TypeVar("F", bound=ShopFact)

OUTCOMES: Mapping[type[Outcome], State] = {Done: "sent", Failed: "failed", Unknown: "unknown"}
WHEN_UNKNOWN = {"ask-a-person": ASK_A_PERSON, "once-more": WhenUnknown(repeats=1)}


class Facts(Protocol):
    """What is known of a shop; raises Retry while it is not."""

    async def of(self, shop: str, contract: type[F]) -> F: ...


class Effects(Protocol):
    """Calls to the outside world, at most one per key for ever."""

    async def once(
        self,
        *,
        key: str,
        kind: str,
        call: Call,
        timeout: float,  # noqa: ASYNC109 - the kit's
        request: bytes,
        when_unknown: WhenUnknown,
    ) -> Outcome: ...


class Letters(Protocol):
    """Where letters are written."""

    async def render(self, request: RenderRequest) -> Letter: ...


class Kept(Protocol):
    """Where it is kept what was written to whom, and what came of it."""

    async def keep(self, mail: KeptMail) -> None: ...


class Post(Protocol):
    """Where mail is handed in."""

    async def deliver(self, mail: Mail, permit: Permit) -> Done | Failed: ...


@dataclass(frozen=True)
class Sending:
    """How mail is sent: the domain of its Message-IDs, how long one may take, how many go at once.

    Mail comes from `address`, with the shop's name beside it; where that is empty, from the shop's own address.
    """

    domain: str
    address: str = ""
    seconds: float = 60.0
    at_once: int = 10


@dataclass(frozen=True)
class _Piece:
    """One message to one recipient about one order."""

    kind: MessageKind
    recipient: str
    order: OrderSnapshot
    cause: Meta
    written: Written | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def language(self) -> Language:
        return self.order.language

    @property
    def effect_key(self) -> str:
        digest = hashlib.sha256(f"{self.cause.id} {self.recipient}".encode()).hexdigest()[:16]
        return f"mail:{self.cause.id}:{self.kind.name}:{digest}"

    @property
    def masked_recipient(self) -> str:
        return on_one_line(masked_email(self.recipient), 200)

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"template": self.kind.name, "recipient": self.masked_recipient}


class Outgoing:
    """What handlers send messages with."""

    def __init__(
        self, effects: Effects, facts: Facts, letters: Letters, post: Post, kept: Kept, sending: Sending
    ) -> None:
        self._effects, self._facts, self._letters, self._post = effects, facts, letters, post
        self._kept = kept
        self._sending = sending
        self._turns = asyncio.Semaphore(sending.at_once)

    async def send(
        self,
        kind: MessageKind,
        *,
        to: Customer,
        about: OrderSnapshot,
        cause: Meta,
        written: Written | None = None,
        words: Mapping[str, str] | None = None,
    ) -> list[LogEntry]:
        """Sends a message about an order, keeps it, and gives what the order log shall say of it.

        Raises Retry while it cannot be tried, Fault or NotMade when no letter came of it; nothing was sent then.
        """
        piece = _Piece(kind, to.email, kind.part(about), cause, written, words or {})
        shop = await self._facts.of(cause.shop, ShopSettings)
        letter = await self._letter(piece, shop)
        identity = message_id(piece.effect_key, self._sending.domain)
        outcome = await self._outcome(piece, letter, shop, to)
        metrics.mails.labels(kind.name, OUTCOMES[type(outcome)]).inc()
        await self._kept.keep(_kept(piece, letter, outcome, identity))
        return [_entry(piece, outcome, identity)]

    async def _outcome(self, piece: _Piece, letter: Letter, shop: ShopSettings, to: Customer) -> Outcome:
        if piece.written is not None and not piece.written.as_text():
            return Failed("message-empty", "nothing is left of the message without its markup")
        try:
            people = people_of(shop, to, self._sending.address)
        except AddressUnusable as error:
            return Failed(error.reason, str(error))
        return await self._handed_in(piece, await self._mail(piece, letter, people))

    async def _letter(self, piece: _Piece, shop: ShopSettings) -> Letter:
        return await self._letters.render(
            RenderRequest(
                kind=piece.kind.name,
                language=piece.language,
                order=piece.order,
                shop=shop,
                written=piece.written,
                words=dict(piece.words),
            )
        )

    async def _mail(self, piece: _Piece, letter: Letter, people: People) -> Mail:
        identity = message_id(piece.effect_key, self._sending.domain)
        # In a thread, because the encoding of an order of a thousand lines would hold up the loop.
        return await asyncio.to_thread(compose, letter, piece.language, people, message_id=identity, date=now())

    async def _handed_in(self, piece: _Piece, mail: Mail) -> Outcome:
        async def deliver(permit: Permit, request: bytes) -> Done | Failed:
            try:
                return await self._post.deliver(Mail.from_request(request), permit)
            except NotSent:
                metrics.mails.labels(piece.kind.name, "put off").inc()
                raise

        # Waiting for a turn is no part of the call, whose allowance to start is short.
        async with self._turns:
            return await self._effects.once(
                key=piece.effect_key,
                kind="mail",
                call=deliver,
                timeout=self._sending.seconds,
                request=mail.request(),
                when_unknown=WHEN_UNKNOWN[piece.kind.when_unknown],
            )


def _kept(piece: _Piece, letter: Letter, outcome: Outcome, message_id: str) -> KeptMail:
    failed = outcome if isinstance(outcome, Failed) else None
    return KeptMail(
        message_id=message_id,
        shop=piece.cause.shop,
        order_id=piece.order.id,
        cause=piece.cause.id,
        actor=piece.cause.actor,
        kind=piece.kind.name,
        recipient=piece.recipient,
        language=piece.language,
        headline=letter.subject,
        text=letter.text,
        state=OUTCOMES[type(outcome)],
        reason=failed.reason if failed else "",
        detail=getattr(outcome, "detail", "")[:500],
        asked_at=piece.cause.time,
    )


def _entry(piece: _Piece, outcome: Outcome, message_id: str) -> LogEntry:
    match outcome:
        case Done():
            return MessageSent(
                order_id=piece.order.id,
                outcome="done",
                summary="message.sent",
                parameters=piece.parameters,
                template=piece.kind.name,
                recipient=piece.masked_recipient,
                language=piece.language,
                message_id=message_id,
            )
        case Failed(reason=reason, detail=detail):
            return MessageFailed(
                order_id=piece.order.id,
                outcome="failed",
                summary="message.failed",
                parameters={**piece.parameters, "reason": reason},
                template=piece.kind.name,
                recipient=piece.masked_recipient,
                language=piece.language,
                reason=reason,
                detail=with_masked_addresses(detail, 500),
            )
        case Unknown(detail=detail):
            return EffectUnknown(
                order_id=piece.order.id,
                outcome="unknown",
                summary="effect.unknown",
                parameters={**piece.parameters, "effect": "mail", "then": piece.kind.when_unknown},
                effect="mail",
                key=piece.effect_key,
                detail=with_masked_addresses(detail, 500),
            )
