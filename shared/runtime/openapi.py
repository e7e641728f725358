"""The OpenAPI document tells the whole truth: the bodies that are read from raw bytes, and the problems answered."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.runtime.problems import MEDIA_TYPE

REF = "#/components/schemas/{model}"
PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457). `type` is stable; programs decide by it, never by the texts.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/invalid-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["#/lines/0/quantity"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
TOKEN_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API token, `ot_…`, made by an operator for one shop; or an actor token of the back office.",
}
MEANINGS = {
    "400": ("malformed-json", "The body is not JSON."),
    "401": ("unauthorized", "A valid token is needed."),
    "403": ("missing-scope", "The token does not have the scope that this needs."),
    "404": ("not-found", "There is nothing here."),
    "405": ("wrong-method", "The method is not allowed here."),
    "413": ("too-large", "The body is too large."),
    "415": ("unsupported-media-type", "The body must be JSON."),
    "422": ("invalid-request", "The request does not follow the schema."),
    "429": ("too-many-requests", "The token asks too much at a time."),
    "500": ("unforeseen", "Something went wrong here; it has been recorded."),
    "503": ("unavailable", "The service cannot do this now; try again soon."),
}
ALWAYS = ("500", "503")
WITH_TOKEN = ("401", "403", "429")
WITH_BODY = ("400", "413", "415", "422")


LEADS_TO = "x-leads-to"


def leads_to(path: str, **parameters: str) -> dict[str, Any]:
    """Give what a response has to say in `responses=` to link to every operation under that path (OpenAPI links).

    `parameters` say where each parameter of the path stands in the answer: `order_id="$response.body#/id"`.
    """
    return {LEADS_TO: {"path": path, "parameters": parameters}}


def problem_response(status: str, slug: str, title: str, *, description: str | None = None) -> dict[str, Any]:
    """Give an OpenAPI response object with an example, for `responses=` of a route that has problems of its own."""
    example = {"type": f"/problems/{slug}", "title": title, "status": int(status)}
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}, "example": example}}
    return {"description": description or title, "content": content}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` include the JSON bodies, the schema of problems and the problems that any route answers."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def complete(app: FastAPI) -> dict[str, Any]:
    """Build the document."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    document["components"]["securitySchemes"] = {"token": TOKEN_SCHEME}
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                describe_route(operation, schemas, list(calls(route.dependant)))
    add_links(document["paths"])
    return document


def add_links(paths: dict[str, Any]) -> None:
    """Turn each `leads_to` into a link to each operation that it means."""
    for response in [each for path in paths.values() for way in path.values() for each in way["responses"].values()]:
        wanted = response.pop(LEADS_TO, None)
        if wanted is not None:
            response["links"] = {
                operation["operationId"]: {
                    "operationId": operation["operationId"],
                    "description": operation["summary"],
                    "parameters": wanted["parameters"],
                }
                for path, operations in paths.items()
                if path.startswith(wanted["path"])
                for operation in operations.values()
            }


def describe_route(operation: dict[str, Any], schemas: dict[str, Any], called: list[Callable[..., Any]]) -> None:
    """Add to one operation what its dependencies read and answer."""
    models = [call.json_model for call in called if hasattr(call, "json_model")]
    for model in models:
        schema = add_schema(schemas, model)
        given = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        operation["requestBody"] = {"required": True, "content": {"application/json": given | {"schema": schema}}}
    with_token = any(hasattr(call, "needs_token") for call in called)
    if with_token:
        operation["security"] = [{"token": []}]
    responses = operation["responses"]
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    possible = [*ALWAYS]
    possible += WITH_BODY if models else ("422",) if operation.get("parameters") else ()
    possible += WITH_TOKEN if with_token else ()
    for status in possible:
        responses.setdefault(status, problem_response(status, *MEANINGS[status]))


def add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Add the schema of a body to the components; one that is there under its name for answers is kept apart."""
    _, found = models_json_schema([(model, "validation")], ref_template=REF)
    definitions = {name: closed(schema) for name, schema in found["$defs"].items()}
    renamed = {
        name: f"{name}-Input" for name in definitions if schemas.get(name, definitions[name]) != definitions[name]
    }
    for name, schema in definitions.items():
        schemas[renamed.get(name, name)] = with_references(schema, renamed)
    return {"$ref": REF.format(model=renamed.get(model.__name__, model.__name__))}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Say that an object takes no fields but its own, as `json_body` does."""
    return {"additionalProperties": False} | schema if "properties" in schema else schema


def with_references(schema: Any, renamed: dict[str, str]) -> Any:
    """Point the references of a schema to the new names."""
    if isinstance(schema, list):
        return [with_references(item, renamed) for item in schema]
    if not isinstance(schema, dict):
        return schema
    targets = {REF.format(model=old): REF.format(model=new) for old, new in renamed.items()}
    return {
        key: targets.get(value, value) if key == "$ref" and isinstance(value, str) else with_references(value, renamed)
        for key, value in schema.items()
    }


def calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Go through everything that a route depends on."""
    for dependency in dependant.dependencies:
        if dependency.call is not None:
            yield dependency.call
        yield from calls(dependency)
