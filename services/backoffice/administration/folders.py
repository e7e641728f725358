"""Folders (R005): a shop names them, orders them, and takes away those in which nothing lies."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.administration.desk import Settings, alter_shop, new_name, read_shop
from services.backoffice.administration.frame import NotSo, Owner, Tried, refused, show, since
from services.backoffice.administration.history import Done
from services.backoffice.orders import folders_of
from services.backoffice.others import Refusal, or_away
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, is_part, others_of
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
LONGEST = 200
Folder = dict[str, Any]
Act = Callable[[Settings, str, Form], Sequence[Done]]


@router.get("/settings/folders")
async def folders(request: Request, visitor: Owner, *, edit: Annotated[str, Query(max_length=200)] = "") -> Response:
    """All of them, with their counts; `edit` opens the name of one."""
    return await drawn(request, visitor, edit=edit)


@router.post("/settings/folders")
async def change(request: Request, visitor: Owner, sent: Posted) -> Response:
    """Add, rename, move or delete one."""
    do, about = sent.one("do"), sent.one("about")
    act = DEEDS.get(do)
    if act is None:
        raise Problem(422, "invalid-request", "There is no such thing to do.")
    try:
        await alter_shop(request, visitor, "folders", lambda settings: act(settings, about, sent))
    except NotSo as no:
        changes = await since(request, visitor.shop or "", sent, ["folders"]) if no.conflict else []
        mine = [each for each in changes if each.about == about]
        return await drawn(request, visitor, tried=Tried(do, sent, about, no.reason, "", no.fields, mine))
    except Refusal as no:
        return await drawn(request, visitor, tried=refused(no, do, sent, about), status=no.status)
    if is_part(request) and do in {"up", "down"}:
        return await drawn(request, visitor)
    return go_to(request, f"/settings/folders?done={do}")


async def drawn(
    request: Request, visitor: Visitor, *, edit: str = "", tried: Tried | None = None, status: int = 422
) -> Response:
    """The page; the counts are missing while they cannot be had."""
    kept, counted = await asyncio.gather(read_shop(request, visitor), or_away(folders_of(others_of(request), visitor)))
    return await show(
        request,
        visitor,
        "folders",
        shop=str(kept.settings["shop"]),
        time_zone=kept.time_zone,
        status=status if tried else 200,
        tried=tried,
        folders=kept.settings["folders"],
        counts={each.id: each for each in counted or ()},
        edit=tried.about if tried and tried.do == "save" else edit,
    )


def found_in(settings: Settings, folder_id: str) -> Folder:
    """The folder that a form is about. Raises NotSo."""
    for each in settings["folders"]:
        if each["id"] == folder_id:
            known: Folder = each
            return known
    raise NotSo("unknown-folder")


def name_in(form: Form, others: Sequence[Folder]) -> str:
    """What it is to be called: something, and not as another one. Raises NotSo."""
    name = form.one("name").strip()
    if not name:
        raise NotSo("folder-nameless", "name")
    if len(name) > LONGEST:
        raise NotSo("name-too-long", "name")
    if name.casefold() in {each["name"].casefold() for each in others}:
        raise NotSo("folder-twice", "name")
    return name


def add_folder(settings: Settings, _about: str, form: Form) -> Sequence[Done]:
    """A new one, behind the others."""
    name = name_in(form, settings["folders"])
    folder_id = new_name(name, [*(each["id"] for each in settings["folders"]), "root"], "folder")
    settings["folders"].append({"id": folder_id, "name": name})
    return [Done("folder-added", folder_id, {"name": name})]


def rename_folder(settings: Settings, about: str, form: Form) -> Sequence[Done]:
    """Another name; its orders stay in it."""
    folder = found_in(settings, about)
    name = name_in(form, [each for each in settings["folders"] if each is not folder])
    before = folder["name"]
    if name == before:
        return []
    if form.one("was") != before:
        raise NotSo("version-conflict", conflict=True)
    folder["name"] = name
    return [Done("folder-renamed", about, {"name": before, "after": name})]


def move_folder(by: int) -> Act:
    """One step up or down."""

    def move(settings: Settings, about: str, _form: Form) -> Sequence[Done]:
        folder, all_of_them = found_in(settings, about), settings["folders"]
        at = all_of_them.index(folder)
        if not 0 <= at + by < len(all_of_them):
            return []
        all_of_them.insert(at + by, all_of_them.pop(at))
        return [Done("folder-moved", about, {"name": folder["name"], "place": at + by + 1})]

    return move


def delete_folder(settings: Settings, about: str, _form: Form) -> Sequence[Done]:
    """Gone; orders refuses that while orders lie in it."""
    folder = found_in(settings, about)
    settings["folders"].remove(folder)
    return [Done("folder-deleted", about, {"name": folder["name"]})]


DEEDS: Mapping[str, Act] = {
    "add": add_folder,
    "save": rename_folder,
    "up": move_folder(-1),
    "down": move_folder(1),
    "delete": delete_folder,
}
