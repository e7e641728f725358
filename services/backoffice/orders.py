"""What pages ask of orders: tolerant of fields that a newer version adds."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from services.backoffice.others import Others, Parameters
from services.backoffice.sessions import Visitor
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import ShopSettings, Status
from shared.contracts.values import Language, Money

ORDERS = "orders"
Axis = Literal["order", "line", "internal"]


class ListedOrder(BaseModel):
    """An order as the list has it."""

    id: str
    number: int
    version: int
    placed_at: datetime
    name: str
    email: str
    amount: int
    currency: str
    status: str
    internal_status: str | None
    folder: str | None
    processing: str
    overdue: bool
    payment_status: str
    goods: str
    changed_at: datetime | None
    cancelled: bool
    attention: list[str]
    message: bool

    @property
    def total(self) -> Money:
        """What it comes to, with VAT."""
        return Money(amount=self.amount, currency=self.currency)


class OrderPage(BaseModel):
    """Some orders, and where the next ones begin."""

    orders: list[ListedOrder]
    next: str | None
    tag: str = ""
    """The same as long as all that the page shows is the same."""


class Count(BaseModel):
    """How many, and whether there are more than anybody counts."""

    count: int
    more: bool


class FolderCount(Count):
    """One of the shop's folders."""

    id: str
    name: str


class Folders(BaseModel):
    """All of them."""

    folders: list[FolderCount]


class ToDo(BaseModel):
    """What waits for people."""

    unprocessed: Count
    overdue: Count
    attention: Count


class SavedView(BaseModel):
    """A filter that has a name."""

    id: str
    name: str
    filter: dict[str, object]


class Views(BaseModel):
    """All of them."""

    views: list[SavedView]


async def shop_of(others: Others, visitor: Visitor) -> ShopSettings:
    """The shop's settings. Raises Away, Refusal."""
    return ShopSettings.model_validate_json((await others.get(ORDERS, "/v1/shop", visitor)).content)


async def list_of(others: Others, visitor: Visitor, asked: Parameters) -> OrderPage:
    """A page of the list. Raises Away, Refusal."""
    content = (await others.get(ORDERS, "/v1/orders", visitor, asked)).content
    found = OrderPage.model_validate_json(content)
    found.tag = hashlib.sha256(content).hexdigest()[:16]
    return found


async def folders_of(others: Others, visitor: Visitor) -> list[FolderCount]:
    """The folders with their counts, the unsorted orders first. Raises Away, Refusal."""
    return Folders.model_validate_json((await others.get(ORDERS, "/v1/folders", visitor)).content).folders


async def views_of(others: Others, visitor: Visitor) -> list[SavedView]:
    """The shop's saved views. Raises Away, Refusal."""
    return Views.model_validate_json((await others.get(ORDERS, "/v1/views", visitor)).content).views


async def to_do_of(others: Others, visitor: Visitor) -> ToDo:
    """What waits for people. Raises Away, Refusal."""
    return ToDo.model_validate_json((await others.get(ORDERS, "/v1/orders/to-do", visitor)).content)


async def order_of(others: Others, visitor: Visitor, order_id: str) -> OrderSnapshot:
    """An order. Raises Away, Refusal."""
    return OrderSnapshot.model_validate_json((await others.get(ORDERS, f"/v1/orders/{order_id}", visitor)).content)


class Catalogue:
    """What the shop calls its statuses and folders, in one language."""

    def __init__(self, shop: ShopSettings, language: Language) -> None:
        self._language = language
        self._statuses: dict[str, list[Status]] = {"order": [], "line": [], "internal": []}
        for status in sorted(shop.statuses, key=lambda each: each.position):
            self._statuses[status.axis].append(status)
        self._folders: Mapping[str, str] = {folder.id: folder.name for folder in shop.folders}

    def status(self, axis: Axis, status_id: str | None) -> str:
        """The name of a status; the id of one that the shop no longer has."""
        found = next((each for each in self._statuses[axis] if each.id == status_id), None)
        return self._name(found) if found else status_id or ""

    def choices(self, axis: Axis, *, retired: bool = False) -> Sequence[tuple[str, str]]:
        """Ids and names of what can be given, or with `retired` of all there ever were."""
        return [(each.id, self._name(each)) for each in self._statuses[axis] if retired or not each.retired]

    def folder(self, folder_id: str | None) -> str:
        """The name of a folder; empty where there is none."""
        return self._folders.get(folder_id, folder_id) if folder_id else ""

    def folders(self) -> Sequence[tuple[str, str]]:
        """Ids and names."""
        return list(self._folders.items())

    def _name(self, status: Status) -> str:
        return status.names.get(self._language) or next(iter(status.names.values()))
