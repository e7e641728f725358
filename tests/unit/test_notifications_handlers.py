"""Each event of an order that sends a message sends one, and the order log says what came of it."""

import time
from collections import Counter
from typing import Any, TypeVar

import pytest

from services.notifications.archive import KeptMail
from services.notifications.catalogue import CATALOGUE, ORDER_RECEIVED
from services.notifications.handlers import messages_of, notifications, send_message, tell_customer
from services.notifications.mail import Mail
from services.notifications.outgoing import Outgoing, Sending
from services.notifications.rendering import Letter, RenderRequest
from services.notifications.written import Written
from shared.contracts.message import Message, NotUnderstood
from shared.contracts.order_events import ConfirmationRequested, MessageRequested, OrderPlaced
from shared.contracts.order_log import EffectUnknown, MessageFailed, MessageSent
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.contracts.topics import ORDERS_EVENTS
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
from shared.messaging.failures import Retry
from shared.runtime.children import NotMade
from tests.builders import a_customer, a_shop, an_order, confirmation_requested, placed, stamped

F = TypeVar("F", bound=ShopFact)


class KnownShops:
    """Facts that are here."""

    def __init__(self, *shops: ShopSettings) -> None:
        self._shops = {shop.shop: shop for shop in shops}

    async def of(self, shop: str, contract: type[F]) -> F:
        fact = self._shops.get(shop)
        if not isinstance(fact, contract):
            raise Retry(f"nothing is known of {shop}")
        return fact


class Remembered:
    """Effects that remember every outcome, as the kit does."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    async def once(
        self,
        *,
        key: str,
        kind: str,
        call: Call,
        timeout: float,  # noqa: ASYNC109 - the kit's
        request: bytes,
        when_unknown: WhenUnknown,
    ) -> Outcome:
        assert (kind, timeout, when_unknown) == ("mail", 60.0, ASK_A_PERSON)
        if key not in self.outcomes:
            try:
                self.outcomes[key] = await call(Permit(time.monotonic(), 5), request)
            except NotSent as error:
                raise Retry(str(error)) from error
            except ConnectionResetError as error:
                self.outcomes[key] = Unknown(f"ConnectionResetError: {error}")
        return self.outcomes[key]


class ShortLetters:
    """Letters that show what they were asked for."""

    def __init__(self) -> None:
        self.requests: list[RenderRequest] = []

    async def render(self, request: RenderRequest) -> Letter:
        self.requests.append(request)
        return Letter(f"{request.kind} {request.order.number}", "text", "<p>html</p>")


class BrokenLetters:
    """No template works."""

    async def render(self, request: RenderRequest) -> Letter:
        raise NotMade(request.kind)


class PostOffice:
    """Hands in every mail with the same answer."""

    def __init__(self, answer: Failed | Exception | None = None) -> None:
        self.mails: list[Mail] = []
        self._answer = answer

    async def deliver(self, mail: Mail, permit: Permit) -> Done | Failed:
        permit.check()
        self.mails.append(mail)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer or Done({"message_id": mail.message_id, "answer": "250 OK"})


class Shelf:
    """Keeps every mail that it is given."""

    def __init__(self) -> None:
        self.mails: list[KeptMail] = []

    async def keep(self, mail: KeptMail) -> None:
        self.mails.append(mail)


class Scene:
    """What a handler is given, and what the world saw."""

    def __init__(self, post: PostOffice | None = None, shop: ShopSettings | None = None) -> None:
        self.post, self.letters, self.effects = post or PostOffice(), ShortLetters(), Remembered()
        shops = KnownShops(shop or a_shop())
        self.shelf = Shelf()
        sending = Sending(domain="mail.example")
        self.outgoing = Outgoing(self.effects, shops, self.letters, self.post, self.shelf, sending)

    async def told(self, event: OrderPlaced | ConfirmationRequested) -> Message:
        """The one entry that an event leads to."""
        entry: Message
        (entry,) = await tell_customer(event, self.outgoing)
        return entry


@pytest.mark.requirement("R077", "R122")
async def test_a_placed_order_is_confirmed_to_the_customer_and_the_log_says_so() -> None:
    scene = Scene()
    order = an_order(language="fi")
    entry = await scene.told(placed(order))
    (mail,) = scene.post.mails
    assert mail.recipient == "asa.oberg@example.org"
    assert entry == MessageSent(
        order_id=order.id,
        outcome="done",
        summary="message.sent",
        parameters={"template": "order-received", "recipient": "a***@example.org"},
        template="order-received",
        recipient="a***@example.org",
        language="fi",
        message_id=mail.message_id,
    )
    assert mail.message_id.endswith("@mail.example>")
    (request,) = scene.letters.requests
    assert (request.kind, request.language, request.order) == ("order-received", "fi", order)


@pytest.mark.requirement("R202")
async def test_the_same_event_delivered_again_sends_no_second_mail_and_says_the_same() -> None:
    scene = Scene()
    event = placed(an_order())
    assert await scene.told(event) == await scene.told(event)
    assert len(scene.post.mails) == 1


@pytest.mark.requirement("R202")
async def test_two_recipients_of_one_cause_get_a_mail_each_and_each_only_one() -> None:
    scene = Scene()
    event = placed(an_order())
    for address in ("asa@example.org", "bo@example.org", "asa@example.org"):
        to = a_customer(email=address)
        await scene.outgoing.send(ORDER_RECEIVED, to=to, about=event.order, cause=event.meta)
    assert [mail.recipient for mail in scene.post.mails] == ["asa@example.org", "bo@example.org"]
    assert len({mail.message_id for mail in scene.post.mails}) == 2


@pytest.mark.requirement("R068", "R069")
async def test_a_requested_confirmation_is_a_mail_of_its_own_that_shows_the_order_as_the_event_has_it() -> None:
    scene = Scene()
    order = an_order()
    as_then = order.model_copy(update={"version": 1})
    await scene.told(placed(order))
    await scene.told(confirmation_requested(as_then))
    await scene.told(confirmation_requested(as_then))
    assert len({mail.message_id for mail in scene.post.mails}) == 3
    assert scene.letters.requests[1].order == as_then


@pytest.mark.requirement("R124")
async def test_a_refusal_by_the_mail_server_is_told_with_its_reason_and_its_words() -> None:
    scene = Scene(PostOffice(Failed("address-refused", "550 no mailbox asa.oberg@example.org here")))
    entry = await scene.told(placed(an_order()))
    assert isinstance(entry, MessageFailed)
    assert (entry.outcome, entry.reason) == ("failed", "address-refused")
    assert entry.detail == "550 no mailbox a***@example.org here"
    assert entry.parameters["reason"] == "address-refused"


@pytest.mark.requirement("R124")
async def test_an_address_that_is_none_is_told_without_asking_anybody() -> None:
    scene = Scene()
    entry = await scene.told(placed(an_order(customer=a_customer(email="a..b@example.org"))))
    assert isinstance(entry, MessageFailed)
    assert (entry.reason, entry.recipient) == ("address-unusable", "a***@example.org")
    assert not scene.post.mails
    assert not scene.effects.outcomes


@pytest.mark.requirement("R202")
async def test_a_lost_answer_is_a_visible_unknown_that_a_person_settles_and_no_second_mail() -> None:
    scene = Scene(PostOffice(ConnectionResetError("while asa.oberg@example.org was served")))
    event = placed(an_order())
    entry = await scene.told(event)
    assert isinstance(entry, EffectUnknown)
    assert (entry.outcome, entry.effect, entry.parameters["then"]) == ("unknown", "mail", "ask-a-person")
    assert entry.detail == "ConnectionResetError: while a***@example.org was served"
    assert await scene.told(event) == entry
    assert len(scene.post.mails) == 1


async def test_what_goes_to_the_order_log_never_names_the_recipient() -> None:
    customer = a_customer(email="a" * 64 + "@" + "b" * 60 + ".example")
    for answer in (None, Failed("address-refused", customer.email), ConnectionResetError(customer.email)):
        event = placed(an_order(customer=customer))
        entry = await Scene(PostOffice(answer)).told(event)
        assert customer.email.partition("@")[0] not in entry.model_dump_json()
        if isinstance(entry, EffectUnknown):
            assert entry.key.startswith(f"mail:{event.meta.id}:order-received:")


def asked_to_write(**fields: Any) -> MessageRequested:
    wanted: dict[str, Any] = {"headline": "Om din order", "text": "Hej!\nPassar grönt?"}
    return stamped(MessageRequested(order=an_order(), **wanted | fields))


@pytest.mark.requirement("R049", "R050", "R055", "R120", "R121")
async def test_what_somebody_writes_goes_to_the_customer_or_to_another_address() -> None:
    scene = Scene()
    for event, recipient in (
        (asked_to_write(), "asa.oberg@example.org"),
        (asked_to_write(to_address="lager@leverantor.example"), "lager@leverantor.example"),
    ):
        (entry,) = await send_message(event, scene.outgoing)
        assert isinstance(entry, MessageSent)
        assert (entry.template, scene.post.mails[-1].recipient) == ("message-about-order", recipient)
        assert scene.letters.requests[-1].written == Written(headline="Om din order", text="Hej!\nPassar grönt?")
    assert "Öberg".encode() not in scene.post.mails[-1].content, "somebody else is not called by the customer's name"


@pytest.mark.requirement("R035")
async def test_a_status_that_sends_a_message_sends_it_with_its_name() -> None:
    scene = Scene()
    (entry,) = await send_message(
        asked_to_write(template="order-status", headline="", text="", words={"status": "Skickad"}), scene.outgoing
    )
    assert isinstance(entry, MessageSent)
    (request,) = scene.letters.requests
    assert (request.kind, request.words, request.written) == ("order-status", {"status": "Skickad"}, None)


async def test_a_message_that_there_is_not_waits_for_a_person() -> None:
    scene = Scene()
    with pytest.raises(NotUnderstood):
        await send_message(asked_to_write(template="order-received"), scene.outgoing)
    assert not scene.letters.requests


@pytest.mark.requirement("R051")
async def test_html_of_which_nothing_is_left_is_not_sent_and_the_log_says_why() -> None:
    scene = Scene()
    event = asked_to_write(text="<script>alert(1)</script><img src=https://x.example/a.png>", format="html")
    (entry,) = await send_message(event, scene.outgoing)
    assert isinstance(entry, MessageFailed)
    assert (entry.reason, scene.post.mails) == ("message-empty", [])


@pytest.mark.requirement("R056", "R119")
async def test_every_mail_is_kept_with_what_came_of_it() -> None:
    for answer, state in ((None, "sent"), (Failed("address-refused", "550"), "failed"), (OSError(), "unknown")):
        scene = Scene(PostOffice(ConnectionResetError() if isinstance(answer, OSError) else answer))
        event = placed(an_order())
        await scene.told(event)
        (kept,) = scene.shelf.mails
        assert (kept.state, kept.recipient, kept.kind, kept.cause) == (
            state,
            "asa.oberg@example.org",
            "order-received",
            event.meta.id,
        )
        assert kept.message_id == scene.post.mails[0].message_id


async def test_a_mail_that_is_certainly_not_sent_is_tried_again_later() -> None:
    scene = Scene(PostOffice(NotSent("connection refused")))
    with pytest.raises(Retry, match="connection refused"):
        await scene.told(placed(an_order()))


async def test_a_shop_of_which_nothing_is_known_yet_is_waited_for() -> None:
    scene = Scene()
    with pytest.raises(Retry):
        await scene.told(stamped(OrderPlaced(order=an_order(shop="other")), shop="other"))
    assert not scene.letters.requests


async def test_a_letter_that_cannot_be_rendered_sends_nothing() -> None:
    post, effects = PostOffice(), Remembered()
    sending = Sending(domain="mail.example")
    outgoing = Outgoing(effects, KnownShops(a_shop()), BrokenLetters(), post, Shelf(), sending)
    with pytest.raises(NotMade):
        await tell_customer(placed(an_order()), outgoing)
    assert not post.mails
    assert not effects.outcomes


def test_the_group_reads_the_events_of_orders_and_needs_only_what_sends_messages() -> None:
    assert notifications.reads is ORDERS_EVENTS
    assert notifications.needs() == {Outgoing}
    assert Counter(contract.type for contract in notifications.reactions) == Counter(
        {"order.placed.v1": 1, "order.confirmation-requested.v1": 1, "order.message-requested.v1": 1}
    )


def test_every_shop_is_told_of_each_event_that_sends_a_message() -> None:
    told = messages_of("nordic-tea", 300)
    assert {each.event for each in told.messages} == {contract.type for contract in notifications.reactions}
    assert {each.message for each in told.messages} == set(CATALOGUE)
