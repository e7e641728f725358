"""A shop's settings, changed a piece at a time, on what they are at that moment: nobody's change is lost."""

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from services.backoffice.administration.frame import write_down
from services.backoffice.administration.history import Done
from services.backoffice.orders import ORDERS
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import others_of

NOT_THE_SHOPS = ("shop", "features")
"""What `PUT /v1/shop` does not take: only the platform's operator decides it."""
CONFLICT = 412
TRIES = 5
Settings = dict[str, Any]
Alter = Callable[[Settings], Sequence[Done]]


@dataclass(frozen=True)
class Kept:
    """The settings as orders has them; fields that a newer version adds are kept as they are."""

    settings: Settings
    etag: str

    @property
    def time_zone(self) -> str:
        """The shop's."""
        return str(self.settings["time_zone"])


async def read_shop(request: Request, visitor: Visitor) -> Kept:
    """The settings of the visitor's shop. Raises Away, Refusal."""
    answer = await others_of(request).get(ORDERS, "/v1/shop", visitor)
    return Kept(answer.body, answer.etag)


async def put_shop(request: Request, visitor: Visitor, settings: Settings, etag: str) -> None:
    """Put these in place of those that had this ETag. Raises Away, Refusal."""
    body = {name: value for name, value in settings.items() if name not in NOT_THE_SHOPS}
    await others_of(request).put(ORDERS, "/v1/shop", visitor, body, seen=etag)


async def alter_shop(request: Request, visitor: Visitor, area: str, alter: Alter) -> None:
    """Change a piece of the settings as they are now; where somebody is faster, the same once more on theirs.

    `alter` changes what it is given and says what it did. Raises what it raises, Away, Refusal.
    """
    for left in reversed(range(TRIES)):
        kept = await read_shop(request, visitor)
        settings = copy.deepcopy(kept.settings)
        done = alter(settings)
        if not done:
            return
        try:
            await put_shop(request, visitor, settings, kept.etag)
        except Refusal as no:
            if no.status != CONFLICT or not left:
                raise
        else:
            await write_down(request, visitor, visitor.shop or "", area, *done)
            return


def digest(piece: Any) -> str:
    """What a form knows a piece of the settings by, to find out whether somebody has changed it."""
    return hashlib.sha256(json.dumps(piece, sort_keys=True).encode()).hexdigest()[:16]


def new_name(wanted: str, taken: Sequence[str], otherwise: str) -> str:
    """An id that nothing else has, made of a name: `Att packa` becomes `att-packa`."""
    plain = wanted.lower().translate(str.maketrans("åäöéü", "aaoeu"))
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in plain).split()
    stem = "-".join(words)[:60].strip("-") or otherwise
    names = [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
