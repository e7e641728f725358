"""What operators are answered by HTTP, and the examples of it in the API's document."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.messaging.trouble import MOST
from shared.runtime.operator_sections import AT, Action, Section

AT_MOST = 10_000
"""So many things are asked for in one request."""
SHOWN = 10
FOLLOWING = "WyIyMDI2LTExLTI1VDE3OjU2OjEyLjMwMDUwMCswMDowMCIsICJ4Il0="
"""Where a page of the examples would go on."""


class Paging(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid")
    after: Annotated[str | None, Field(description="What the page before gave as `following`.", max_length=2_000)] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=MOST, description="At most so many.")] = 100
    latest_first: Annotated[bool, Field(description="The latest first; `after` is of a page in the same order.")] = (
        False
    )


class Done(BaseModel):
    """What came of it."""

    id: str
    action: str
    answer: str = Field(description="For people: what happens now, and whether the order is kept.")


class Many(BaseModel):
    """What fits the filter, and how much of it was left at the desk; none in a dry run."""

    fits: int = Field(description=f"How much fits, counted up to {AT_MOST}.")
    asked: int
    first: list[dict[str, Any]] = Field(description=f"The first {SHOWN}, as the list shows them.")
    more: bool = Field(description=f"Whether more than {AT_MOST} fit: ask again for the rest.")
    first_position: int | None = Field(
        default=None, description="Where what was asked begins in `/v1/operators/repairs`."
    )
    last_position: int | None = Field(default=None, description="Where it ends there.")


class Asked(BaseModel):
    """One thing that an operator asked for, with its answer."""

    position: int
    asked_at: datetime
    actor: str
    action: str
    arguments: dict[str, Any]
    reason: str
    state: Literal["asked", "done", "refused"]
    answer: str
    answered_at: datetime | None


class AskedCounts(BaseModel):
    """How far it is."""

    asked: int = 0
    done: int = 0
    refused: int = 0


class AskedPage(BaseModel):
    """Some of what was asked for, the latest first."""

    items: list[Asked]
    before: int | None = Field(description="Ask again with it for what was asked before; none where this is all.")
    counts: AskedCounts | None = Field(description="By state, where positions `since` and `until` were given.")


def content(example: Any) -> dict[str, Any]:
    """Content of a request or response with this example."""
    return {"application/json": {"example": example}}


def page_example(section: Section) -> dict[str, Any]:
    """A page with the one example of this kind."""
    item = section.kind.item(**{name: getattr(section.example, name) for name in section.kind.item.model_fields})
    return {"items": [item.model_dump(mode="json")], "following": FOLLOWING}


def done_example(section: Section, action: Action) -> dict[str, Any]:
    """An answer to one."""
    item_id: str = page_example(section)["items"][0]["id"]
    return Done(id=item_id, action=action.name, answer="what waits behind it goes on").model_dump()


def many_example(section: Section, asked: int) -> dict[str, Any]:
    """An answer to many."""
    said = {"first_position": 7 if asked else None, "last_position": 7 if asked else None}
    return Many(fits=1, asked=asked, first=page_example(section)["items"], more=False, **said).model_dump()


def asked_example() -> dict[str, Any]:
    """A page of what was asked for."""
    asked = Asked(
        position=7,
        asked_at=AT,
        actor="maria",
        action="skip",
        arguments={"group": "notifications", "position": 4711},
        reason="A test order.",
        state="done",
        answer="it is skipped; what waits behind it goes on",
        answered_at=AT,
    )
    return AskedPage(items=[asked], before=7, counts=AskedCounts(done=1)).model_dump(mode="json")
