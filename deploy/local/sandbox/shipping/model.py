"""A shipment goes one way: booked, handed over, in transit, delivered; only a booked one can be cancelled."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Service = Literal["parcel", "express", "letter"]
Code = Literal["handed-over", "in-transit", "delivered"]
Status = Literal["booked", "cancelled", "handed-over", "in-transit", "delivered"]
NEXT: dict[Status, Code] = {"booked": "handed-over", "handed-over": "in-transit", "in-transit": "delivered"}
POSTAL_CODES = {
    "SE": re.compile(r"\d{3} ?\d{2}"),
    "FI": re.compile(r"\d{5}"),
    "NO": re.compile(r"\d{4}"),
    "DK": re.compile(r"\d{4}"),
    "EE": re.compile(r"\d{5}"),
    "DE": re.compile(r"\d{5}"),
    "FR": re.compile(r"\d{5}"),
    "ES": re.compile(r"\d{5}"),
    "NL": re.compile(r"\d{4} ?[A-Z]{2}"),
    "BE": re.compile(r"\d{4}"),
    "CH": re.compile(r"\d{4}"),
    "PT": re.compile(r"\d{4}-\d{3}"),
    "GB": re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"),
    "IE": re.compile(r"[A-Z]\d[\dW] ?[A-Z\d]{4}"),
}
"""The countries that Sandbox Post serves, and how their postal codes look."""
HEAVIEST = 35_000
"""Grams of one parcel."""

Text = Annotated[str, Field(max_length=200)]


class Problem(BaseModel):
    """Why a shipment cannot be booked."""

    field: str
    code: str
    message: str


class Address(BaseModel):
    """Where from or where to; what is empty is judged by the post, not by the form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text = ""
    street: Text = ""
    postal_code: Text = ""
    city: Text = ""
    country: Text = ""

    def problems(self, of: str) -> list[Problem]:
        """Why nothing can be sent there, or from there."""
        names = ("name", "street", "postal_code", "city", "country")
        found = [
            Problem(field=f"{of}.{name}", code=f"{name.upper()}_REQUIRED", message=f"The {name} is missing.")
            for name in names
            if not getattr(self, name).strip()
        ]
        shape = POSTAL_CODES.get(self.country)
        if self.country and shape is None:
            message = f"We do not serve {self.country}."
            found.append(Problem(field=f"{of}.country", code="COUNTRY_NOT_SERVED", message=message))
        if self.postal_code and shape is not None and not shape.fullmatch(self.postal_code):
            message = f"{self.postal_code} is no postal code of {self.country}."
            found.append(Problem(field=f"{of}.postal_code", code="POSTAL_CODE_INVALID", message=message))
        return found


class Parcel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    weight_grams: Annotated[int, Field(gt=0, strict=True)]


class ShipmentWanted(BaseModel):
    """What is to be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Annotated[str, Field(min_length=1, max_length=100)]
    service: Service
    sender: Address
    receiver: Address
    parcels: Annotated[tuple[Parcel, ...], Field(min_length=1, max_length=99)]

    def problems(self) -> list[Problem]:
        """Why it cannot be booked; empty when it can."""
        heavy = [
            Problem(field=f"parcels.{n}.weight_grams", code="PARCEL_TOO_HEAVY", message=f"At most {HEAVIEST} g.")
            for n, parcel in enumerate(self.parcels)
            if parcel.weight_grams > HEAVIEST
        ]
        return [*self.sender.problems("sender"), *self.receiver.problems("receiver"), *heavy]


class Tracked(BaseModel):
    """Where a shipment was, and when."""

    model_config = ConfigDict(frozen=True)

    code: Code
    time: str


class Shipment(ShipmentWanted):
    """A shipment as it stands; a step makes a new one."""

    id: str
    tracking_number: str
    status: Status
    created: str
    events: tuple[Tracked, ...] = ()

    def stepped(self, time: str) -> "Shipment | None":
        """The shipment one step on; None where there is no further step."""
        code = NEXT.get(self.status)
        if code is None:
            return None
        return self.model_copy(update={"status": code, "events": (*self.events, Tracked(code=code, time=time))})
