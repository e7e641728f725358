"""The OpenAPI document shows the bodies that are read from raw bytes as if the framework had read them."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.runtime.bodies import json_body
from shared.runtime.http import make_app
from shared.runtime.openapi import problem_response


class Price(BaseModel):
    """A price, which is read as a number or a text and written as a text."""

    amount: Decimal


class Wish(BaseModel):
    """What comes in."""

    price: Price


class Offer(BaseModel):
    """What goes out."""

    price: Price


router = APIRouter()


@router.post("/offers", responses={409: problem_response("409", "sold", "It is sold.")})
async def make_offer(wish: Annotated[Wish, Depends(json_body(Wish))]) -> Offer:
    """Offer what is wished for."""
    return Offer(price=wish.price)


def document() -> dict[str, Any]:
    return make_app("offers", [router]).openapi()


def test_a_model_that_is_read_otherwise_than_written_is_shown_as_both() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["Wish"]["properties"]["price"] == {"$ref": "#/components/schemas/Price-Input"}
    assert schemas["Offer"]["properties"]["price"] == {"$ref": "#/components/schemas/Price"}
    assert len(schemas["Price-Input"]["properties"]["amount"]["anyOf"]) == 2
    assert schemas["Price"]["properties"]["amount"]["type"] == "string"


def test_a_route_keeps_the_problems_that_it_declares_and_gets_those_that_any_has() -> None:
    operation = document()["paths"]["/offers"]["post"]
    assert set(operation["responses"]) == {"200", "400", "409", "413", "415", "422", "500", "503"}
    example = operation["responses"]["409"]["content"]["application/problem+json"]["example"]
    assert example == {"type": "/problems/sold", "title": "It is sold.", "status": 409}


def test_every_reference_leads_somewhere() -> None:
    shown = document()
    names = {f"#/components/schemas/{name}" for name in shown["components"]["schemas"]}
    assert set(references(shown)) <= names


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    here = [value["$ref"]] if "$ref" in value else []
    return here + [found for item in value.values() for found in references(item)]
