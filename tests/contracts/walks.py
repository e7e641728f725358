"""Walks over schemas and models: what a contract must not leave open, found wherever it stands."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.contracts.values import is_personal

Schema = dict[str, Any]

BOUNDED_FORMATS = {"uuid", "date", "date-time"}
FIXED = {"const", "enum"}
NAMED = {"properties", "patternProperties", "$defs"}
NESTED = {"items", "additionalProperties"}
UNIONS = {"anyOf", "oneOf", "allOf", "prefixItems"}
TELLS_OF_A_PERSON = re.compile(
    r"e_?mail|phone|mobile|address|street|postal|zip|city|region|company|_name$|birth|identity|customer|recipient"
)


def subschemas(schema: Any, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema inside a schema, with its path."""
    yield path, schema
    for keyword, inner in schema.items():
        named = inner if keyword in NAMED else {"": inner} if keyword in NESTED and isinstance(inner, dict) else {}
        listed = enumerate(inner) if keyword in UNIONS else ()
        for name, each in [*named.items(), *listed]:
            yield from subschemas(each, ".".join(part for part in (path, keyword, str(name)) if part))


def open_texts(schema: Schema) -> list[str]:
    """The paths of texts without a maximum length, or that may hold any character."""
    return [
        path
        for path, node in subschemas(schema)
        if node.get("type") == "string"
        and not FIXED & node.keys()
        and node.get("format") not in BOUNDED_FORMATS
        and not {"maxLength", "pattern"} <= node.keys()
    ]


def open_numbers(schema: Schema) -> list[str]:
    """The paths of numbers that may grow, or fall, without end."""
    lower, upper = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
    return [
        path
        for path, node in subschemas(schema)
        if node.get("type") in {"integer", "number"} and not (lower & node.keys() and upper & node.keys())
    ]


def open_collections(schema: Schema) -> list[str]:
    """The paths of lists without a maximum length, and of objects with free names and no maximum of them."""
    return [
        path
        for path, node in subschemas(schema)
        if (node.get("type") == "array" and "maxItems" not in node)
        or (node.get("type") == "object" and "properties" not in node and "maxProperties" not in node)
    ]


def fields_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str, FieldInfo]]:
    """Every field of a model and of the models that it is made of: its path, its name, itself."""
    for name, field in model.model_fields.items():
        yield f"{path}.{name}".lstrip("."), name, field
        for inner in _models_in(field.annotation):
            yield from fields_of(inner, f"{path}.{name}".lstrip("."))


def undeclared_personal_fields(model: type[BaseModel]) -> list[str]:
    """The paths of fields whose name tells of a person and that are not declared `Personal`."""
    return [
        path
        for path, name, field in fields_of(model)
        if TELLS_OF_A_PERSON.search(name) and not is_personal(field) and not _models_in(field.annotation)
    ]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
