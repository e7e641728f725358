"""What the parser lets through although it is no JSON is refused before it reaches a model."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.runtime.bodies import JSON, require_finite_numbers, takes_any_number
from shared.runtime.problems import Problem, pointer


@pytest.mark.parametrize(
    "body",
    [
        '{"a": NaN}',
        '{"a": [1, -Infinity]}',
        '{"a": {"b": [Infinity]}}',
        '{"a": 1e400}',
        '{"a": -1E+400}',
        '{"a": 1e0000400}',
        '{"a": ' + "9" * 400 + ".0}",
        '{"a": ' + "9" * 220 + "e99}",
        "1e999",
    ],
)
def test_a_number_that_no_double_can_hold_is_refused(body: str) -> None:
    with pytest.raises(Problem) as refused:
        require_finite_numbers(body.encode())
    assert refused.value.status_code == 400
    assert refused.value.slug == "malformed-json"


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "NaN", "where": "To Infinity and beyond 1e400"}',
        '{"a": 1e308, "b": 1e-400, "c": 1.5E+2}',
        '{"hash": "' + "1" * 300 + '"}',
        '{"broken": 1e400',
    ],
)
def test_texts_and_ordinary_numbers_pass_and_broken_json_is_left_to_the_model(body: str) -> None:
    require_finite_numbers(body.encode())


@given(st.floats())
def test_every_float_that_a_careless_client_writes_passes_exactly_when_it_is_finite(number: float) -> None:
    written = f'{{"a": {number!r}}}'.replace("nan", "NaN").replace("inf", "Infinity").encode()
    if number in (float("inf"), float("-inf")) or number != number:  # noqa: PLR0124 - NaN alone differs from itself
        with pytest.raises(Problem):
            require_finite_numbers(written)
    else:
        require_finite_numbers(written)


@pytest.mark.parametrize("declared", ["application/json", "Application/JSON; charset=utf-8", "application/foo.v1+json"])
def test_json_is_known_by_its_media_type(declared: str) -> None:
    assert JSON.match(declared)


@pytest.mark.parametrize("declared", ["", "text/plain", "application/jsonp", "application/xml", "text/json"])
def test_nothing_else_is_taken_for_json(declared: str) -> None:
    assert not JSON.match(declared)


@pytest.mark.parametrize(
    ("place", "written"),
    [((), "#"), (("lines", 0, "price"), "#/lines/0/price"), (("a/b", "c~d"), "#/a~1b/c~0d"), (("x" * 999,), None)],
)
def test_a_place_in_a_body_is_written_as_a_json_pointer(place: tuple[int | str, ...], written: str | None) -> None:
    assert pointer(place) == written if written else len(pointer(place)) == 200


class Amounts(BaseModel):
    """Numbers of a fixed kind."""

    whole: int
    exact: Decimal
    text: str
    more: list["Amounts"] = []


class Anything(Amounts):
    """Whatever comes."""

    extra: dict[str, dict[str, Any]] = {}


class Share(Amounts):
    """A float, deep inside."""

    parts: list[tuple[str, float]] | None = None


def test_only_models_that_take_floats_or_anything_need_a_look_at_their_numbers() -> None:
    looked_at = [kind for kind in (Amounts, Anything, Share) if takes_any_number(kind.__pydantic_core_schema__)]
    assert looked_at == [Anything, Share]
