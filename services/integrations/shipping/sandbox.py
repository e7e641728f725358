"""Sandbox Post, the carrier of the demo and the tests; its interface stands in `deploy/local/sandbox`."""

import json
import re
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx2
from babel.core import get_global

from services.integrations.calling import Calling, Checked, Heard, NotAnAnswer
from services.integrations.connections import Connection
from services.integrations.shipping.port import Parcel, Seen
from shared.messaging.effects import Done, Failed, Permit

CLEAR_NO = frozenset({400, 401, 404, 409, 422})
GRAMS, IN_ONE, MOST = 100, 350, 99
"""What a unit is said to weigh, for nobody knows; how many are in a parcel, and how many parcels there are at most."""
TOWN = re.compile(r"(?P<postal_code>(?=[A-Z ]*[0-9])[0-9A-Z][0-9A-Z -]*[0-9A-Z]) +(?P<city>\D+)")


class SandboxPost:
    """One customer's account at Sandbox Post."""

    remembers = 24 * 3600.0

    def __init__(self, connection: Connection, *, seconds: float, heard: Heard | None = None) -> None:
        headers = {"X-Api-Key": connection.api_key}
        self._calling = Calling(connection.url, seconds=seconds, headers=headers, heard=heard)

    async def book(self, parcel: Parcel, permit: Permit) -> Done | Failed:
        """See Carrier."""
        body = json.dumps(shipment_of(parcel)).encode()
        headers = {"Idempotency-Key": parcel.key}
        return _outcome(await self._calling.send("POST", "/v1/shipments", permit, body=body, headers=headers))

    async def find(self, key: str) -> Done | None:
        """See Carrier."""
        found = await self._calling.look("/v1/shipments", reference=key)
        return _done(found["shipments"][0]) if found and found["shipments"] else None

    async def cancel(self, shipment_id: str, permit: Permit) -> Done | Failed:
        """See Carrier."""
        return _outcome(await self._calling.send("DELETE", f"/v1/shipments/{quote(shipment_id, safe='')}", permit))

    async def cancelled(self, shipment_id: str) -> Done | None:
        """See Carrier."""
        found = await self._calling.look(f"/v1/shipments/{quote(shipment_id, safe='')}")
        return _done(found) if found is not None and found["status"] == "cancelled" else None

    def seen(self, body: bytes) -> Seen | None:
        """See Carrier."""
        event = json.loads(body)
        if event["type"] != "shipment.tracked":
            return None
        told = event["data"]
        last = told["event"]
        return Seen(told["shipment"], last["code"], datetime.fromisoformat(last["time"]), told["reference"])

    async def check(self) -> Checked:
        """See Carrier."""
        return await self._calling.check("/v1/customer", lambda customer: bool(customer["number"]))

    async def close(self) -> None:
        """See Carrier."""
        await self._calling.close()


def shipment_of(parcel: Parcel) -> dict[str, Any]:
    """A booking in the words of this carrier."""
    to, shop = parcel.receiver, parcel.sender
    parts = [min(IN_ONE, parcel.units - n) for n in range(0, parcel.units, IN_ONE)][:MOST]
    return {
        "reference": parcel.key,
        "service": "parcel",
        "sender": {
            "name": shop.name,
            "country": get_global("zone_territories").get(shop.time_zone, ""),
            **_place_of(shop.postal_address),
        },
        "receiver": {
            "name": to.company or to.full_name or parcel.customer,
            "street": to.street,
            "postal_code": to.postal_code,
            "city": to.city,
            "country": to.country,
        },
        "parcels": [{"weight_grams": GRAMS * units} for units in parts or [1]],
    }


def _place_of(postal_address: str) -> dict[str, str]:
    """Street, postal code and town of an address that people have written; nothing where no line names a town."""
    lines = [line.strip() for line in postal_address.split("\n")]
    for before, line in pairwise(lines):
        if found := TOWN.fullmatch(line):
            return {"street": before[:200], **found.groupdict()}
    return {}


def _outcome(answer: httpx2.Response) -> Done | Failed:
    if answer.is_success:
        return _done(answer.json())
    if answer.status_code in CLEAR_NO:
        first, *_ = answer.json()["errors"]
        return Failed(first["code"], f"{first['field'] or ''} {first['message']}".strip())
    raise NotAnAnswer(f"the carrier answered {answer.status_code}")


def _done(shipment: dict[str, Any]) -> Done:
    same = ("tracking_number", "tracking_url", "label_url")
    return Done({"shipment_id": shipment["id"], **{name: shipment[name] for name in same}})
