"""The OpenAPI 3.1 document at `/gradio_api/openapi.json`: the functions for programs, their parameters and results.

It is made from the functions' signatures, and replaces Gradio's own document, which describes every result only as
a stream of text.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from epiqa.web.gradio_api import NAMES, Functions

PATH: Final = "/gradio_api/openapi.json"

_KINDS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
_ABOUT: Final = (
    "A call takes two requests. The POST gives an event_id; the GET with it gives a stream of server-sent events,"
    " of which the one that counts is `event: complete`, its data a JSON list with one value, or `event: error`,"
    " its data a JSON object whose `error` says what was wrong."
)
_FILES: Final[dict[str, Any]] = {
    "type": "array",
    "description": "The files, sent to /gradio_api/upload before: for each the path that came back from there.",
    "items": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "A path that /gradio_api/upload gave."},
            "meta": {
                "type": "object",
                "properties": {"_type": {"const": "gradio.FileData"}},
                "required": ["_type"],
            },
        },
        "required": ["path", "meta"],
    },
}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why there is no result.",
    "properties": {"error": {"type": "string", "description": "What was wrong, and what to do."}},
    "required": ["error"],
}


def openapi_route() -> Route:
    """Returns the route of the document, which must come before Gradio's own."""

    def give(_: Request) -> JSONResponse:
        return JSONResponse(describe())

    return Route(PATH, give, methods=["GET"])


def describe() -> dict[str, Any]:
    """Returns the document."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {"/gradio_api/upload": {"post": _upload()}}
    for name in NAMES:
        function: Callable[..., Any] = getattr(Functions, name)
        hints = get_type_hints(function, include_extras=True)
        says = inspect.getdoc(function)
        paths[f"/gradio_api/call/v2/{name}"] = {"post": _call(name, says, _parameters(function, hints, schemas))}
        result = _list_of_one(schema_of(hints["return"], schemas))
        paths[f"/gradio_api/call/{name}/{{event_id}}"] = {"get": _result(name, says, result)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "EpiQA", "description": _ABOUT, "version": version("epiqa")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"password": []}],
    }


def schema_of(hint: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Returns the JSON schema of a type; a TypedDict's is added to `schemas` and referred to by name.

    Raises TypeError for an unsupported type.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return schema_of(arguments[0], schemas) | {"description": arguments[1]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(argument, schemas) for argument in arguments]}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0], schemas)}
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Json")
        if name not in schemas:
            schemas[name] = {}  # reserves its position before its fields' schemas
            schemas[name] |= _object(hint, schemas)
        return {"$ref": f"#/components/schemas/{name}"}
    if hint not in _KINDS:
        raise TypeError(f"{hint!r} has no JSON schema")
    return {"type": _KINDS[hint]}


def _object(hint: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(hint, include_extras=True)
    return {
        "type": "object",
        "description": inspect.getdoc(hint),
        "properties": {name: schema_of(field, schemas) for name, field in hints.items()},
        "required": [name for name in hints if name in hint.__required_keys__],
        "additionalProperties": False,
    }


def _parameters(function: Callable[..., Any], hints: Mapping[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    properties, required = {}, []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        name = parameter.name
        properties[name] = _FILES if name == "files" else schema_of(hints[name], schemas)
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
        else:
            properties[name] = properties[name] | {"default": parameter.default}
    return {"type": "object", "properties": properties, "required": required}


def _call(name: str, says: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
    event = {
        "type": "object",
        "properties": {"event_id": {"type": "string", "description": "Fetch the result with it."}},
        "required": ["event_id"],
    }
    return {
        "operationId": name,
        "summary": says,
        "requestBody": {"required": True, "content": {"application/json": {"schema": parameters}}},
        "responses": {
            "200": {"description": "Accepted.", "content": {"application/json": {"schema": event}}},
            "422": {"description": "A parameter is missing or of the wrong kind."},
            **_refusals(),
        },
    }


def _result(name: str, says: str | None, result: dict[str, Any]) -> dict[str, Any]:
    events = {
        "type": "string",
        "description": "Server-sent events; the data of `event: complete` is what contentSchema describes.",
        "contentMediaType": "application/json",
        "contentSchema": result,
    }
    return {
        "operationId": f"{name}_result",
        "summary": f"The result of {name}: {says}",
        "parameters": [{"name": "event_id", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "200": {
                "description": "`event: complete` with the result, or `event: error` with an Error.",
                "content": {"text/event-stream": {"schema": events}},
            },
            **_refusals(),
        },
    }


def _upload() -> dict[str, Any]:
    files = {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}}
    form = {"type": "object", "properties": {"files": files}, "required": ["files"]}
    paths = {"type": "array", "items": {"type": "string"}, "description": "Their paths there, in the same order."}
    return {
        "operationId": "upload",
        "summary": "Sends files, for add to take.",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
        "responses": {
            "200": {"description": "Received.", "content": {"application/json": {"schema": paths}}},
            "413": {"description": "A file is too large, or there are too many."},
            **_refusals(),
        },
    }


def _refusals() -> dict[str, Any]:
    return {
        "401": {"description": "The page asks for a password."},
        "429": {"description": "Too many: try again after the seconds of Retry-After."},
        "503": {"description": "Too many are waiting: try again after the seconds of Retry-After."},
    }


def _list_of_one(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": [value], "items": False, "minItems": 1, "maxItems": 1}
