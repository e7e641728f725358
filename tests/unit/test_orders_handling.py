"""What people do with an order: units come and go, it is cancelled, named, put away, corrected; each change is told."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.moving import MAX_RETURNED_ROWS, TARGETS, cancel, move
from services.orders.domain.naming import (
    change_internal_status,
    change_line_status,
    change_status,
    move_to_folder,
)
from services.orders.domain.order import Order
from services.orders.domain.people import attach_customer, correct_contact
from services.orders.domain.shop import Shop
from services.orders.domain.statuses import FROM_THE_START, require_usable
from services.orders.domain.units import STATES, ledger_of
from shared.contracts.order import LineUnits, Payment, UnitState
from shared.contracts.order_commands import (
    AttachCustomer,
    BackOrderUnits,
    CancelOrder,
    CapturePayment,
    ChangeInternalStatus,
    ChangeLineStatus,
    ChangeStatus,
    ClaimUnits,
    ConfirmPayment,
    CorrectContact,
    CreditUnits,
    DeliverUnits,
    MoveToFolder,
    ProcessOrder,
    RefundPayment,
    ReturnUnits,
    ShipUnits,
)
from shared.contracts.order_events import (
    ContactCorrected,
    DocumentRequested,
    MessageRequested,
    OrderCancelled,
    OrderEvent,
    PaymentRequested,
    StatusChanged,
    UnitsMoved,
)
from shared.contracts.order_log import PaymentAuthorized, PaymentCaptured
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import Folder, PaymentConnection, ShopConnections, Status
from tests.builders import a_customer, a_line, a_shop, an_address, an_order, stamped, what_is_printed, what_is_sent

FOLDERS = [Folder(id="to-pack", name="Att packa")]
ID = UUID(int=7)
PAID = ShopConnections(shop="nordic-tea", payment=PaymentConnection(provider="sandbox"))
SHOP = Shop(a_shop(folders=FOLDERS), PAID)


def an_order_of(*quantities: int, **changes: Any) -> Order:
    """An order with lines 1, 2, 3 … at 10.00 with VAT each unit, delivery for nothing, and a payment."""
    lines = [a_line(line_id=str(n), quantity=many, unit_price=1000) for n, many in enumerate(quantities, start=1)]
    payment = Payment(method="card", name="Kort", reference="pay_1")
    delivery = an_order().delivery.model_copy(update={"price": 0})
    order = an_order(id=ID, lines=lines, payment=payment, delivery=delivery, **changes)
    return Order(order, order)


def some(**units: int) -> list[LineUnits]:
    return [LineUnits(line_id=name[1:], units=many) for name, many in units.items()]


def do(order: Order, command: Any, shop: Shop = SHOP) -> tuple[Order, list[OrderEvent]]:
    """The order after a command, and what it said."""
    by_type: dict[type, Any] = {
        CancelOrder: cancel,
        ChangeStatus: change_status,
        ChangeLineStatus: change_line_status,
        ChangeInternalStatus: change_internal_status,
        MoveToFolder: move_to_folder,
        ProcessOrder: Order.process,
        CapturePayment: Order.capture,
        RefundPayment: Order.refund,
        **dict.fromkeys(TARGETS, move),
    }
    after, events = by_type[type(command)](order, stamped(command, actor="maria"), shop)
    return after, list(events)


def after(order: Order, *commands: Any) -> Order:
    for command in commands:
        order, _ = do(order, command)
    return order


def authorized(order: Order, captured: int = 0) -> Order:
    common: dict[str, Any] = {"order_id": ID, "outcome": "done", "summary": "x"}
    order, _ = order.reported(PaymentAuthorized(**common, amount=order.now.totals.to_pay.amount), SHOP)
    if captured:
        order, _ = order.reported(PaymentCaptured(**common, amount=captured, transaction_id="t-1"), SHOP)
    return order


def states(order: Order) -> dict[str, dict[UnitState, int]]:
    return {line.line_id: dict(line.units) for line in order.now.lines}


def refusal(order: Order, command: Any, shop: Shop = SHOP) -> str:
    with pytest.raises(Refused) as refused:
        do(order, command, shop)
    return refused.value.reason


@pytest.mark.requirement("R034", "R203")
def test_units_go_their_way_and_the_goods_follow() -> None:
    order = after(
        an_order_of(3), BackOrderUnits(order_id=ID, units=some(l1=1)), ShipUnits(order_id=ID, units=some(l1=2))
    )
    assert (states(order), order.now.goods) == ({"1": {"back-ordered": 1, "shipped": 2}}, "partly-shipped")
    order = after(order, ShipUnits(order_id=ID), DeliverUnits(order_id=ID))
    assert (states(order), order.now.goods) == ({"1": {"delivered": 3}}, "delivered")
    order = after(order, ClaimUnits(order_id=ID, units=some(l1=1)), CreditUnits(order_id=ID))
    assert states(order) == {"1": {"delivered": 2, "credited": 1}}


@pytest.mark.requirement("R131")
def test_what_comes_back_is_a_return_with_its_own_number_until_it_is_credited() -> None:
    order = after(an_order_of(3), ProcessOrder(order_id=ID))
    order, [event] = do(order, ReturnUnits(order_id=ID, units=some(l1=2), reason="Did not fit."))
    assert isinstance(event, UnitsMoved)
    number = f"{order.now.number}-1"
    assert (event.to, event.return_number, event.reason) == ("returned", number, "Did not fit.")
    (first,) = order.now.returns
    assert (first.number, first.units, first.state) == (number, some(l1=2), "received")
    order = after(order, ReturnUnits(order_id=ID))
    order = after(order, CreditUnits(order_id=ID, return_number=number))
    assert [each.state for each in order.now.returns] == ["credited", "received"]
    assert states(order) == {"1": {"returned": 1, "credited": 2}}
    assert refusal(order, CreditUnits(order_id=ID, return_number="1001-9")) == "unknown-return"


def test_no_number_of_returns_makes_an_order_too_large_to_tell_of() -> None:
    order = after(an_order_of(MAX_RETURNED_ROWS + 2), ProcessOrder(order_id=ID))
    row = order.now.lines[0]
    many = [LineUnits(line_id=row.line_id, units=1)]
    returned = after(order, ReturnUnits(order_id=ID, units=many)).now.returns[0]
    full = returned.model_copy(update={"units": many * MAX_RETURNED_ROWS})
    order = Order(order.now.model_copy(update={"returns": [full]}), order.placed)
    assert refusal(order, ReturnUnits(order_id=ID, units=many)) == "too-many-returns"


def test_what_cannot_be_moved_is_refused_and_says_from_where_it_could() -> None:
    with pytest.raises(Refused, match="no units that are delivered or shipped"):
        do(an_order_of(1), ReturnUnits(order_id=ID))
    assert refusal(an_order_of(1), DeliverUnits(order_id=ID)) == "nothing-to-move"
    assert refusal(an_order_of(1), ShipUnits(order_id=ID, units=some(l1=2))) == "not-so-many-units"


@pytest.mark.requirement("R131")
def test_a_cancelled_order_lets_go_of_its_money_and_shows_the_customer_so() -> None:
    order, events = do(authorized(an_order_of(2, 1)), CancelOrder(order_id=ID, reason="Changed her mind."))
    cancelled, status, void = events
    assert isinstance(cancelled, OrderCancelled)
    assert isinstance(status, StatusChanged)
    assert isinstance(void, PaymentRequested)
    assert (cancelled.reason, cancelled.units, void.action) == ("Changed her mind.", some(l1=2, l2=1), "void")
    now = order.now
    assert (now.cancelled, now.status, now.goods, now.processing) == (True, "cancelled", "cancelled", "processed")
    assert {event.order.version for event in events} == {2}
    assert refusal(order, CancelOrder(order_id=ID)) == "nothing-to-cancel"


@pytest.mark.requirement("R131")
def test_of_a_paid_order_that_is_cancelled_the_money_goes_back_and_the_rest_is_let_go_of() -> None:
    _, events = do(authorized(an_order_of(3), captured=1000), CancelOrder(order_id=ID))
    asked = [(event.action, event.amount) for event in events if isinstance(event, PaymentRequested)]
    assert asked == [("refund", 1000), ("void", 0)]
    assert len({event.request_id for event in events if isinstance(event, PaymentRequested)}) == 2


@pytest.mark.requirement("R131")
def test_units_that_are_cancelled_give_back_only_what_was_paid_too_much() -> None:
    order = authorized(an_order_of(3), captured=3000)
    order, events = do(order, CancelOrder(order_id=ID, units=some(l1=1)))
    assert [(e.action, e.amount) for e in events if isinstance(e, PaymentRequested)] == [("refund", 1000)]
    assert (order.now.cancelled, order.now.status) == (False, "received")
    _, events = do(authorized(an_order_of(3)), CancelOrder(order_id=ID, units=some(l1=1)))
    assert [type(event).__name__ for event in events] == ["OrderCancelled"], "nothing was taken yet"


@pytest.mark.requirement("R131")
def test_an_order_of_which_something_has_left_is_not_cancelled_as_a_whole() -> None:
    order = after(an_order_of(2), ShipUnits(order_id=ID, units=some(l1=1)))
    assert refusal(order, CancelOrder(order_id=ID)) == "already-shipped"
    rest, _ = do(order, CancelOrder(order_id=ID, units=some(l1=1)))
    assert (states(rest), rest.now.cancelled) == ({"1": {"shipped": 1, "cancelled": 1}}, False)


@pytest.mark.requirement("R131")
def test_whoever_cancels_chooses_what_the_customer_is_shown() -> None:
    own = [*FROM_THE_START, Status(id="sold-out", axis="order", names={"sv": "Slutsåld"})]
    shop = Shop(a_shop(statuses=own), PAID)
    order, _ = do(an_order_of(1), CancelOrder(order_id=ID, status="sold-out"), shop)
    assert order.now.status == "sold-out"
    assert refusal(an_order_of(1), CancelOrder(order_id=ID, status="sold-out")) == "unknown-status"


def test_what_was_cancelled_is_not_captured_when_the_rest_is_shipped() -> None:
    by_rule = Shop(
        a_shop(), ShopConnections(shop="nordic-tea", payment=PaymentConnection(provider="s", capture="when-shipped"))
    )
    order, _ = do(authorized(an_order_of(3)), CancelOrder(order_id=ID, units=some(l1=1)), by_rule)
    _, events = do(order, ProcessOrder(order_id=ID), by_rule)
    assert [e.amount for e in events if isinstance(e, PaymentRequested)] == [2000]


@pytest.mark.requirement("R035", "R107")
def test_the_customer_is_shown_another_status_and_its_document_is_printed() -> None:
    printing = Status(id="at-the-desk", axis="order", names={"fi": "Noudettavissa"}, prints="pick-list")
    shop = Shop(a_shop(statuses=[printing]), PAID, looks=what_is_printed())
    order, [changed, printed] = do(an_order_of(1), ChangeStatus(order_id=ID, status="at-the-desk"), shop)
    assert isinstance(changed, StatusChanged)
    assert isinstance(printed, DocumentRequested)
    assert (order.now.status, changed.before, printed.document) == ("at-the-desk", "received", "pick-list")
    assert do(order, ChangeStatus(order_id=ID, status="at-the-desk"), shop) == (order, [])
    assert refusal(order, ChangeStatus(order_id=ID, status="no-such")) == "unknown-status"
    nobody = Shop(shop.settings, PAID)
    assert refusal(an_order_of(1), ChangeStatus(order_id=ID, status="at-the-desk"), nobody) == "nobody-reacts"


@pytest.mark.requirement("R035", "R037")
def test_the_customer_is_told_of_a_status_that_sends_a_message_in_their_language() -> None:
    names = {"sv": "Slutsåld", "fi": "Loppuunmyyty"}
    telling = Status.model_validate({"id": "sold-out", "axis": "order", "names": names, "sends": "order-status"})
    shop = Shop(a_shop(statuses=[telling]), PAID, what_is_sent())
    for change in (ChangeStatus(order_id=ID, status="sold-out"), CancelOrder(order_id=ID, status="sold-out")):
        _, events = do(an_order_of(1), change, shop)
        (told,) = [event for event in events if isinstance(event, MessageRequested)]
        assert (told.template, told.words, told.order.status) == ("order-status", {"status": "Slutsåld"}, "sold-out")
        assert refusal(an_order_of(1), change, Shop(shop.settings, PAID)) == "nobody-reacts"


@pytest.mark.requirement("R038")
def test_a_shop_whose_customers_see_no_statuses_has_them_as_its_own_reminder() -> None:
    shop = Shop(a_shop(statuses=[Status(id="call-back", axis="order", names={"sv": "Ring upp"}, visible=False)]), PAID)
    order, events = do(an_order_of(1), ChangeStatus(order_id=ID, status="call-back"), shop)
    assert order.now.customer.customer_id is None
    assert (order.now.status, [type(event).__name__ for event in events]) == ("call-back", ["StatusChanged"])


@pytest.mark.parametrize("changes", [{"axis": "internal"}, {"visible": False}])
def test_what_the_customer_does_not_see_sends_no_message(changes: dict[str, Any]) -> None:
    status = {"id": "x", "axis": "order", "names": {"sv": "X"}, "sends": "order-status"} | changes
    with pytest.raises(Refused) as refused:
        require_usable(a_shop(statuses=[Status.model_validate(status)]), [])
    assert refused.value.reason == "status-not-shown"


def test_a_retired_status_is_given_to_no_order_any_more() -> None:
    shop = Shop(a_shop(statuses=[Status(id="old", axis="order", names={"sv": "Gammal"}, retired=True)]), PAID)
    assert refusal(an_order_of(1), ChangeStatus(order_id=ID, status="old"), shop) == "status-retired"


@pytest.mark.requirement("R036", "R039")
def test_the_internal_status_is_the_merchants_own() -> None:
    order, [event] = do(an_order_of(1), ChangeInternalStatus(order_id=ID, status="to-pick"))
    assert (order.now.internal_status, order.now.status) == ("to-pick", "received")
    assert event.parameters() == {"before": "", "after": "to-pick"}
    order, _ = do(order, ChangeInternalStatus(order_id=ID, status=None))
    assert order.now.internal_status is None


@pytest.mark.requirement("R024", "R033", "R034")
def test_a_lines_status_moves_its_units_and_moved_units_name_their_line() -> None:
    order, events = do(an_order_of(2, 1), ChangeLineStatus(order_id=ID, status="back-ordered", line_ids=["1"]))
    assert [type(event).__name__ for event in events] == ["UnitsMoved", "LineStatusChanged"]
    assert states(order)["1"] == {"back-ordered": 2}
    assert [line.status for line in order.now.lines] == ["back-ordered", None]
    assert all(event.order == order.now for event in events)
    order = after(order, ShipUnits(order_id=ID))
    assert [line.status for line in order.now.lines] == ["shipped", "shipped"]
    order = after(order, ReturnUnits(order_id=ID, units=some(l1=1)))
    assert order.now.lines[0].status == "shipped", "its units are in two states"
    assert refusal(order, ChangeLineStatus(order_id=ID, status="shipped", line_ids=["9"])) == "unknown-line"


@pytest.mark.requirement("R034")
def test_a_status_that_moves_nothing_only_names_its_line() -> None:
    own = [*FROM_THE_START, Status(id="gift", axis="line", names={"sv": "Gåva"})]
    shop = Shop(a_shop(statuses=own), PAID)
    order, [event] = do(an_order_of(1), ChangeLineStatus(order_id=ID, status="gift", line_ids=["1"]), shop)
    assert (event.parameters(), order.now.lines[0].status) == ({"after": "gift", "lines": 1}, "gift")
    assert order.now.processing == "unprocessed"
    assert do(order, ChangeLineStatus(order_id=ID, status="gift", line_ids=["1"]), shop) == (order, [])


@pytest.mark.requirement("R131")
def test_lines_that_are_all_called_cancelled_cancel_the_order() -> None:
    order = authorized(an_order_of(1, 1))
    order, events = do(order, ChangeLineStatus(order_id=ID, status="cancelled", line_ids=["1", "2"]))
    assert order.now.cancelled
    assert [e.action for e in events if isinstance(e, PaymentRequested)] == ["void"]


@pytest.mark.requirement("R040", "R042")
def test_an_order_lies_in_one_folder_or_in_none() -> None:
    order, [event] = do(an_order_of(1), MoveToFolder(order_id=ID, folder="to-pack"))
    assert (order.now.folder, event.parameters()) == ("to-pack", {"before": "", "after": "to-pack"})
    order, _ = do(order, MoveToFolder(order_id=ID, folder=None))
    assert order.now.folder is None
    assert refusal(order, MoveToFolder(order_id=ID, folder="attic")) == "unknown-folder"


@pytest.mark.requirement("R124")
def test_a_corrected_contact_says_what_stood_there_and_hides_it() -> None:
    order = an_order_of(1, customer=a_customer(email="asa.oberg@exampel.org"))
    wanted = CorrectContact(order_id=ID, email="asa.oberg@example.org", delivery_address=an_address(city="Umeå"))
    order, [event] = correct_contact(order, stamped(wanted))
    assert isinstance(event, ContactCorrected)
    assert order.now.customer.email == "asa.oberg@example.org"
    assert order.now.delivery_address == an_address(city="Umeå")
    assert event.parameters() == {"email": "a***@exampel.org", "delivery_address": ""}
    assert correct_contact(order, stamped(wanted)) == (order, [])


@pytest.mark.requirement("R114")
def test_an_order_is_attached_to_an_account_and_the_attachment_undone() -> None:
    order, [_] = attach_customer(an_order_of(1), stamped(AttachCustomer(order_id=ID, customer_id="C-7")))
    assert order.now.customer.customer_id == "C-7"
    assert attach_customer(order, stamped(AttachCustomer(order_id=ID, customer_id="C-7"))) == (order, [])
    order, [_] = attach_customer(order, stamped(AttachCustomer(order_id=ID, customer_id=None)))
    assert order.now.customer.customer_id is None


@pytest.mark.requirement("R116", "R118", "R132")
def test_a_person_confirms_that_money_arrived_which_no_provider_told_of() -> None:
    order, said = an_order_of(3).confirm_payment(stamped(ConfirmPayment(order_id=ID, amount=1000)))
    assert [type(each).__name__ for each in said] == ["PaymentConfirmed", "PaymentStatusChanged"]
    assert (order.now.payment_status, order.now.paid.captured) == ("partly-captured", 1000)
    order, _ = order.confirm_payment(stamped(ConfirmPayment(order_id=ID)))
    assert (order.now.payment_status, order.now.paid.captured) == ("captured", 3000)
    with pytest.raises(Refused) as refused:
        order.confirm_payment(stamped(ConfirmPayment(order_id=ID)))
    assert refused.value.reason == "nothing-to-pay"


@pytest.mark.requirement("R008", "R009")
def test_a_change_says_who_made_it_and_when_and_counts() -> None:
    order, [event] = do(an_order_of(1), ChangeStatus(order_id=ID, status="in-progress"))
    assert (order.now.version, order.now.changed_by) == (2, "maria")
    assert order.now.changed_at is not None
    assert event.order == order.now


def test_a_status_in_use_can_be_retired_but_not_taken_away() -> None:
    left = [status for status in FROM_THE_START if status.id != "to-pick"]
    with pytest.raises(Refused) as refused:
        require_usable(a_shop(statuses=left), [("internal", "to-pick")])
    assert refused.value.reason == "status-in-use"
    require_usable(a_shop(statuses=left), [("order", "received")])
    with pytest.raises(Refused) as refused:
        require_usable(a_shop(statuses=[*left, left[0]]), [])
    assert refused.value.reason == "status-twice"


@pytest.mark.requirement("R034", "R063")
def test_every_shop_begins_with_statuses_in_all_languages() -> None:
    assert {status.axis for status in FROM_THE_START} == {"order", "line", "internal"}
    for status in FROM_THE_START:
        assert set(status.names) == {"sv", "fi", "en"}
    names = {status.names["sv"] for status in FROM_THE_START}
    assert {"Skickad", "Restnoterad", "Avbruten", "Reklamation", "Krediterad"} <= names


COMMANDS = st.sampled_from([*TARGETS, CancelOrder])


@pytest.mark.requirement("R203")
@given(data=st.data(), quantities=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_whatever_is_done_no_unit_is_lost_or_made_and_no_money_beyond_the_order(
    data: st.DataObject, quantities: list[int]
) -> None:
    by_rule = PaymentConnection(provider="s", capture="when-shipped")
    shop = Shop(a_shop(), ShopConnections(shop="nordic-tea", payment=by_rule))
    order = authorized(an_order_of(*quantities))
    total = order.now.totals.to_pay.amount
    for _ in range(data.draw(st.integers(1, 12))):
        kind: Any = data.draw(COMMANDS)
        lines = data.draw(
            st.lists(st.sampled_from([line.line_id for line in order.now.lines]), unique=True, max_size=3)
        )
        units = [LineUnits(line_id=line, units=data.draw(st.integers(1, 4))) for line in lines] or None
        try:
            order, _ = do(order, kind(order_id=ID, units=units), shop)
        except Refused:
            continue
        ledger = ledger_of(order.now.lines)
        assert [sum(ledger[line.line_id].values()) for line in order.now.lines] == quantities
        assert set(STATES) >= {state for line in ledger.values() for state in line}
        assert 0 <= order.payments.kept() <= total
        assert order.now.cancelled == all(set(line) == {"cancelled"} for line in ledger.values())
