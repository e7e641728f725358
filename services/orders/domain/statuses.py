"""The catalogues of statuses (R034, R035, R036): what a shop calls orders and lines, and what follows from it."""

from collections.abc import Sequence
from typing import Literal

from shared.contracts.order import PricedLine, UnitState
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings, Status

Axis = Literal["order", "line", "internal"]
CANCELLED = "cancelled"

_ORDER = {
    "received": ("Mottagen", "Vastaanotettu", "Received"),
    "in-progress": ("Under behandling", "Käsittelyssä", "In progress"),
    "partly-shipped": ("Delvis skickad", "Osittain lähetetty", "Partly shipped"),
    "shipped": ("Skickad", "Lähetetty", "Shipped"),
    "delivered": ("Levererad", "Toimitettu", "Delivered"),
    CANCELLED: ("Avbruten", "Peruttu", "Cancelled"),
    "returned": ("Returnerad", "Palautettu", "Returned"),
}
_LINE: dict[UnitState, tuple[str, str, str]] = {
    "back-ordered": ("Restnoterad", "Jälkitoimituksessa", "Back-ordered"),
    "shipped": ("Skickad", "Lähetetty", "Shipped"),
    "delivered": ("Levererad", "Toimitettu", "Delivered"),
    "cancelled": ("Avbruten", "Peruttu", "Cancelled"),
    "returned": ("Returnerad", "Palautettu", "Returned"),
    "claimed": ("Reklamation", "Reklamaatio", "Claim"),
    "credited": ("Krediterad", "Hyvitetty", "Credited"),
}
_INTERNAL = {
    "to-pick": ("Att plocka", "Kerättävä", "To be picked"),
    "picked": ("Plockad", "Kerätty", "Picked"),
    "awaiting-goods": ("Inväntar varor", "Odottaa tuotteita", "Awaiting goods"),
    "awaiting-payment": ("Inväntar betalning", "Odottaa maksua", "Awaiting payment"),
    "on-hold": ("Pausad", "Pidossa", "On hold"),
    "done": ("Klar", "Valmis", "Done"),
}


def _catalogue() -> list[Status]:
    made = [_status("order", name, names) for name, names in _ORDER.items()]
    made += [_status("line", state, names, moves_to=state) for state, names in _LINE.items()]
    made += [_status("internal", name, names, visible=False) for name, names in _INTERNAL.items()]
    return [status.model_copy(update={"position": 10 * n}) for n, status in enumerate(made, start=1)]


def _status(
    axis: Axis, name: str, names: tuple[str, str, str], *, visible: bool = True, moves_to: UnitState | None = None
) -> Status:
    in_languages = {"sv": names[0], "fi": names[1], "en": names[2]}
    fields = {"id": name, "axis": axis, "names": in_languages, "visible": visible, "moves_to": moves_to}
    return Status.model_validate(fields)


FROM_THE_START = _catalogue()
"""What a shop has that has said nothing else, in the words of Nordic shops."""


def catalogue_of(shop: ShopSettings) -> list[Status]:
    """The shop's statuses of all three kinds."""
    return shop.statuses or FROM_THE_START


def chosen(shop: ShopSettings, axis: Axis, status_id: str) -> Status:
    """The status that an order or a line is to be given. Raises Refused: `unknown-status`, `status-retired`."""
    for status in catalogue_of(shop):
        if (status.axis, status.id) == (axis, status_id):
            if status.retired:
                raise Refused("status-retired", f"the status {status_id} is no longer given to any order")
            return status
    raise Refused("unknown-status", f"the shop has no {axis} status {status_id}")


def line_after(line: PricedLine, shop: ShopSettings) -> PricedLine:
    """The line with the status that fits its units, where all that are not cancelled are in one state."""
    states = set(line.units) - {CANCELLED} or set(line.units)
    if len(states) != 1:
        return line
    (state,) = states
    for status in catalogue_of(shop):
        if status.axis == "line" and status.moves_to == state and not status.retired:
            return line.model_copy(update={"status": status.id})
    return line


def require_usable(new: ShopSettings, in_use: Sequence[tuple[Axis, str]]) -> None:
    """What orders have may be retired, not taken away. Raises Refused: `status-in-use`, `status-twice`,
    `status-not-shown`.
    """
    known = [(status.axis, status.id) for status in catalogue_of(new)]
    if len(set(known)) < len(known):
        raise Refused("status-twice", "a status stands twice in its catalogue")
    for status in catalogue_of(new):
        if status.sends and (status.axis != "order" or not status.visible):
            raise Refused("status-not-shown", f"the customer does not see the status {status.id}: it sends no message")
    for axis, status_id in in_use:
        if (axis, status_id) not in known:
            raise Refused("status-in-use", f"orders have the {axis} status {status_id}: it can be retired, not deleted")
