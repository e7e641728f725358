"""The VAT rates of the shop's country, for shop fronts that want to show what an order will bear."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from services.orders.answers import RefusingRoute
from services.orders.asking import reader
from services.orders.domain.vat_rates import rates_on
from services.orders.repository import shop_of
from shared.contracts.message import now
from shared.contracts.refusal import Refused
from shared.contracts.values import VatRate
from shared.runtime.database import connected
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1/vat-rates", tags=["shop"], route_class=RefusingRoute)

NO_COUNTRY = problem_response("422", "no-vat-country", "The shop has no VAT country.")


class ClassRate(BaseModel):
    """What a class bears."""

    vat_class: str = Field(description="What an order's line may say of itself.", examples=["food"])
    rate: VatRate
    since: date = Field(description="The first day of this rate, as far as it is known.")
    until: date | None = Field(description="The last one; none where no end is known.")


class CountryRates(BaseModel):
    """All classes of the shop's country on one day."""

    country: str = Field(examples=["SE"])
    on: date
    rates: list[ClassRate]


@router.get("", summary="Read the VAT rates of a day", responses={422: NO_COUNTRY})
async def read_rates(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    on: Annotated[
        date | None, Query(description="Which day; today in the shop's time zone where it is absent.")
    ] = None,
) -> CountryRates:
    """What each class of goods bears on a day in the country whose VAT the shop charges; empty for days before 2013."""
    async with connected(request.app.state.pool) as connection:
        shop = (await shop_of(connection, caller.shop)).settings
    if shop.vat_country is None:
        raise Refused("no-vat-country", "the shop has set no VAT country")
    day = on or now().astimezone(ZoneInfo(shop.time_zone)).date()
    rates = [ClassRate.model_validate(vars(each)) for each in rates_on(shop.vat_country, day)]
    return CountryRates(country=shop.vat_country, on=day, rates=rates)
