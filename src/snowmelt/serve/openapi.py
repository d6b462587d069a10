"""The HTTP API as an OpenAPI document, made of what its routes are made of."""

from __future__ import annotations

from typing import Any

from snowmelt import __version__
from snowmelt.serve.commands import Commands
from snowmelt.serve.downloads import KINDS
from snowmelt.serve.errand_schemas import errand_paths
from snowmelt.serve.records import ERROR
from snowmelt.serve.schemas import ANSWERS
from snowmelt.serve.web_api import (
    ACTS,
    LIMIT,
    LIMIT_MAX,
    ON_ERROR,
    READS,
    REQUIRED,
    TEXT_LENGTH_MAX,
)

_ERRORS = {
    "400": "What was sent is no request, or no JSON.",
    "401": "Nobody is logged in.",
    "403": "Another site asks, the token of the session is missing, or a viewer acts.",
    "408": "The request took too long to arrive.",
    "413": "The request is too large.",
    "421": "The service does not answer to this name.",
    "431": "The address or the headers are too long.",
    "422": "What was asked for is not there, or cannot be done: the error says why.",
    "503": "The warehouse cannot be reached, or too much is asked at once.",
}
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_KINDS: dict[type, dict[str, Any]] = {
    str: {"type": "string", "maxLength": TEXT_LENGTH_MAX},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    list: {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH_MAX},
        "minItems": 1,
    },
}


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    paths = {
        f"/api/v1/{verb}": {"get": _reading(verb, names)}
        for verb, names in READS.items()
    }
    for verb, names in ACTS.items():
        paths[f"/api/v1/{verb}"] = {"post": _acting(verb, names)}
    paths |= errand_paths(_errors(), _SECURITY)
    paths["/api/v1/tables/{file}"] = {"get": _download()}
    paths["/healthz"] = {"get": _plain("Does the process answer?")}
    paths["/readyz"] = {"get": _plain("Does the warehouse answer, too?", "503")}
    paths["/metrics"] = {"get": _metrics()}
    paths["/badge/{name}.svg"] = {"get": _badge()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Snowmelt",
            "version": __version__,
            "description": "The verbs of the command line, as far as they need no path "
            "of the machine that the service runs on.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`serve: token` of snowmelt.yml: reads. A token "
                    "of `snowmelt tokens add`: what its role may.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Cookie",
                    "description": "The cookie of the pages; what acts needs the "
                    "session's X-CSRF-Token, too.",
                },
            },
        },
    }


def _caption(verb: str) -> str:
    return str(getattr(Commands, verb).__doc__ or "").strip().splitlines()[0]


def _errors(*left_out: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        status: {"description": told, "content": content}
        for status, told in _ERRORS.items()
        if status not in left_out
    }


def _answer(verb: str) -> dict[str, Any]:
    content = {"application/json": {"schema": ANSWERS[verb]}}
    return {"200": {"description": _caption(verb), "content": content}}


def _reading(verb: str, names: dict[str, type]) -> dict[str, Any]:
    parameters = []
    for name, kind in names.items():
        schema = dict(_KINDS[kind])
        if name == "limit":
            schema |= {"minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
        is_required = name in REQUIRED.get(verb, ())
        if is_required and kind is str:
            schema["minLength"] = 1
        parameters.append(
            {"name": name, "in": "query", "required": is_required, "schema": schema}
        )
    return {
        "operationId": verb,
        "summary": _caption(verb),
        "security": _SECURITY,
        "parameters": parameters,
        "responses": _answer(verb) | _errors(),
    }


def _acting(verb: str, names: dict[str, type]) -> dict[str, Any]:
    required = REQUIRED.get(verb, ())
    properties = {}
    for name, kind in names.items():
        schema = dict(_KINDS[kind])
        if name == "on_error":
            schema = {"enum": [*ON_ERROR, None]}
        elif name in required:
            schema |= {"minLength": 1} if kind is str else {}
        else:
            schema["type"] = [schema["type"], "null"]
        properties[name] = schema
    body: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        body["required"] = list(required)
    return {
        "operationId": verb,
        "summary": _caption(verb),
        "security": _SECURITY,
        "requestBody": {
            "required": bool(required),
            "content": {"application/json": {"schema": body}},
        },
        "responses": _answer(verb) | _errors(),
    }


def _download() -> dict[str, Any]:
    kinds = {
        "text/csv": {"schema": {"type": "string"}},
        KINDS["json"]: {"schema": {"type": "array", "items": {"type": "object"}}},
        KINDS["arrow"]: {"schema": {"type": "string", "format": "binary"}},
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "operationId": "download",
        "summary": "A table of gold, whole, of one run: NAME.csv, .json or .arrow.",
        "security": _SECURITY,
        "parameters": [
            {
                "name": "file",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
                "example": "gold.fct_orders.csv",
            }
        ],
        "responses": {
            "200": {
                "description": "The table.",
                "content": kinds,
                "headers": {
                    "X-Snowmelt-Run": {
                        "description": "The run that the table is of.",
                        "schema": {"type": "string"},
                    }
                },
            },
            "404": {"description": "There is no such table.", "content": content},
            "501": {"description": "Arrow is not installed.", "content": content},
            **_errors("422"),
        },
    }


def _plain(told: str, *more: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    answers = {"200": {"description": "Yes.", "content": content}}
    for status in more:
        answers[status] = {"description": "No.", "content": content}
    return {"summary": told, "security": [], "responses": answers | _odd()}


def _odd() -> dict[str, Any]:
    kept = ("400", "403", "413", "421", "431")
    return {key: value for key, value in _errors().items() if key in kept}


def _metrics() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "summary": "Numbers for Prometheus.",
        "security": _SECURITY,
        "responses": {
            "200": {"description": "The numbers.", "content": content},
            **_errors("422", "503"),
        },
    }


def _badge() -> dict[str, Any]:
    missing = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "summary": "Is what a dashboard shows current?",
        "security": [],
        "parameters": [
            {
                "name": "name",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }
        ],
        "responses": {
            "200": {
                "description": "The badge.",
                "content": {"image/svg+xml": {"schema": {"type": "string"}}},
            },
            "404": {"description": "There is no such dashboard.", "content": missing},
            **_odd(),
        },
    }
