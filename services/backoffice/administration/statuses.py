"""The catalogues of statuses (R034, R036, R039): what a shop calls orders and lines, and what follows from it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.administration.desk import Settings, alter_shop, digest, new_name, read_shop
from services.backoffice.administration.frame import NotSo, Owner, Tried, refused, show, since
from services.backoffice.administration.history import Done
from services.backoffice.orders import Axis
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, is_part
from shared.contracts.files import DocumentKind
from shared.contracts.order import UnitState
from shared.runtime.presentation.texts import LANGUAGES
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
AXES: tuple[Axis, ...] = ("order", "line", "internal")
CANCELLED = ("order", "cancelled")
"""What an order is called that is cancelled as a whole; without it, cancelling would be refused."""
MESSAGES = ("order-status",)
STEP = 10
LONGEST = 200
Status = dict[str, Any]
Act = Callable[[Settings, str, Form], Sequence[Done]]
"""One thing to be done with the catalogues: it changes the settings, and says what it did."""
Word = Annotated[str, Query(max_length=200)]


@router.get("/settings/statuses")
async def statuses(request: Request, visitor: Owner, *, edit: Word = "", add: Word = "") -> Response:
    """The three catalogues; `edit` opens one status, `add` the form of a new one."""
    return await drawn(request, visitor, edit=edit, add=add)


@router.post("/settings/statuses")
async def change(request: Request, visitor: Owner, sent: Posted) -> Response:
    """Add, save, move, retire, take into use again, or delete."""
    do, about = sent.one("do"), sent.one("about")
    act = DEEDS.get(do)
    if act is None or (do == "add" and about not in AXES):
        raise Problem(422, "invalid-request", "There is no such thing to do.")
    try:
        await alter_shop(request, visitor, "statuses", lambda settings: act(settings, about, sent))
    except NotSo as no:
        changes = await since(request, visitor.shop or "", sent, ["statuses"]) if no.conflict else []
        mine = [each for each in changes if each.about == about]
        return await drawn(request, visitor, tried=Tried(do, sent, about, no.reason, "", no.fields, mine))
    except Refusal as no:
        return await drawn(request, visitor, tried=refused(no, do, sent, about), status=no.status)
    if is_part(request) and do in {"up", "down"}:
        return await drawn(request, visitor)
    return go_to(request, f"/settings/statuses?done={do}#{anchor(about)}")


async def drawn(
    request: Request, visitor: Visitor, *, edit: str = "", add: str = "", tried: Tried | None = None, status: int = 422
) -> Response:
    """The page; a form that was refused is open, with what it had."""
    kept = await read_shop(request, visitor)
    if tried and tried.do not in {"add", "up", "down"}:
        edit = tried.about
    if tried and tried.do == "add":
        add = tried.about
    return await show(
        request,
        visitor,
        "statuses",
        shop=str(kept.settings["shop"]),
        time_zone=kept.time_zone,
        status=status if tried else 200,
        tried=tried,
        catalogues=[(axis, *parted(kept.settings, axis)) for axis in AXES],
        edit=edit,
        add=add,
        units=get_args(UnitState),
        prints=get_args(DocumentKind),
        messages=MESSAGES,
        digest=digest,
        anchor=anchor,
        fixed=":".join(CANCELLED),
    )


def parted(settings: Settings, axis: str) -> tuple[list[Status], list[Status]]:
    """A catalogue in its order: what is given to orders, and what is not any more."""
    found = sorted((each for each in settings["statuses"] if each["axis"] == axis), key=lambda each: each["position"])
    return [each for each in found if not each["retired"]], [each for each in found if each["retired"]]


def anchor(about: str) -> str:
    """Where a status stands on the page; its catalogue, where that is what was meant."""
    axis, _, status_id = about.partition(":")
    return f"s-{axis}-{digest(status_id)}" if status_id else f"catalogue-{axis}"


def found_in(settings: Settings, about: str) -> Status:
    """The status that a form is about. Raises NotSo."""
    axis, _, status_id = about.partition(":")
    for each in settings["statuses"]:
        if (each["axis"], each["id"]) == (axis, status_id):
            known: Status = each
            return known
    raise NotSo("unknown-status")


def read_form(form: Form, axis: str) -> Status:
    """What a form says of a status. Raises NotSo."""
    names = {language: form.one(f"name.{language}").strip() for language in LANGUAGES}
    if not any(names.values()):
        raise NotSo("status-nameless", "names")
    if any(len(name) > LONGEST for name in names.values()):
        raise NotSo("name-too-long", "names")
    said: Status = {
        "names": {language: name for language, name in names.items() if name},
        "visible": axis != "internal" and bool(form.one("visible")),
    }
    said |= {"moves_to" if axis == "line" else "prints": form.one("follows") or None}
    if axis == "order":
        said["sends"] = form.one("sends") or None
    if said.get("sends") and not said["visible"]:
        raise NotSo("status-not-shown", "visible", "sends")
    return said


def add_status(settings: Settings, axis: str, form: Form) -> Sequence[Done]:
    """A new one, at the end of its catalogue."""
    said = read_form(form, axis)
    taken = [each["id"] for each in settings["statuses"] if each["axis"] == axis]
    first = said["names"].get("en") or next(iter(said["names"].values()))
    status_id = new_name(first, taken, "status")
    last = max((each["position"] for each in settings["statuses"] if each["axis"] == axis), default=0)
    made = {"id": status_id, "axis": axis, "position": last + STEP, "retired": False, **said}
    settings["statuses"].append(made)
    return [Done("status-added", f"{axis}:{status_id}", {"names": said["names"]})]


def save_status(settings: Settings, about: str, form: Form) -> Sequence[Done]:
    """Names and what follows, on the status that the page showed."""
    status = found_in(settings, about)
    said = read_form(form, status["axis"])
    before = {name: status[name] for name in said}
    if before == said:
        return []
    if form.one("seen") != digest(status):
        raise NotSo("version-conflict", conflict=True)
    status.update(said)
    return [Done("status-changed", about, {"names": before["names"], "changed": differences(before, said)})]


def differences(before: Status, after: Status) -> Mapping[str, list[Any]]:
    """What was, and what is now; names one by one."""
    named = {f"name-{one}": [before["names"].get(one), after["names"].get(one)] for one in LANGUAGES}
    rest = {name: [before[name], after[name]] for name in after if name != "names"}
    return {name: pair for name, pair in (named | rest).items() if pair[0] != pair[1]}


def move_status(by: int) -> Act:
    """One step up or down, past those that are in use."""

    def move(settings: Settings, about: str, _form: Form) -> Sequence[Done]:
        status = found_in(settings, about)
        used, retired = parted(settings, status["axis"])
        at = used.index(status) if status in used else -1
        if at < 0 or not 0 <= at + by < len(used):
            return []
        used.insert(at + by, used.pop(at))
        for n, each in enumerate([*used, *retired], start=1):
            each["position"] = n * STEP
        return [Done("status-moved", about, {"names": status["names"], "place": at + by + 1})]

    return move


def retire_status(*, retired: bool) -> Act:
    """No order is given it any more, or again."""

    def retire(settings: Settings, about: str, _form: Form) -> Sequence[Done]:
        status = found_in(settings, about)
        if tuple(about.split(":", 1)) == CANCELLED and retired:
            raise NotSo("status-needed")
        if status["retired"] == retired:
            return []
        status["retired"] = retired
        return [Done("status-retired" if retired else "status-used-again", about, {"names": status["names"]})]

    return retire


def delete_status(settings: Settings, about: str, _form: Form) -> Sequence[Done]:
    """Gone; orders refuses that where an order has it."""
    status = found_in(settings, about)
    if tuple(about.split(":", 1)) == CANCELLED:
        raise NotSo("status-needed")
    settings["statuses"].remove(status)
    return [Done("status-deleted", about, {"names": status["names"]})]


DEEDS: Mapping[str, Act] = {
    "add": add_status,
    "save": save_status,
    "up": move_status(-1),
    "down": move_status(1),
    "retire": retire_status(retired=True),
    "use": retire_status(retired=False),
    "delete": delete_status,
}
