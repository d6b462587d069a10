"""Errands and happenings in the OpenAPI document: paths, and what answers have."""

from __future__ import annotations

from typing import Any

from snowmelt.serve.errands import (
    ASKED,
    ERRANDS,
    KEY_LENGTH_MAX,
    KINDS,
    LIMIT,
    LIMIT_MAX,
    STATES,
    TEXT_LENGTH_MAX,
    WHATS,
)

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string", "maxLength": TEXT_LENGTH_MAX}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_AT: Schema = {"type": "string", "format": "date-time"}
_MAYBE_AT: Schema = {"type": ["string", "null"], "format": "date-time"}
_ONE = "/{errand}"
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
_KINDS: dict[type, Schema] = {
    str: {"type": ["string", "null"], "maxLength": TEXT_LENGTH_MAX},
    list: {"type": ["array", "null"], "items": {**_TEXT, "minLength": 1}},
    dict: {"type": ["object", "null"]},
}


def _record(properties: dict[str, Schema], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


ERRAND = _record(
    {
        "errand": _NUMBER,
        "key": _MAYBE_TEXT,
        "what": {"enum": list(WHATS)},
        "asked": {"type": "object"},
        "cause": _MAYBE_TEXT,
        "who": {"type": "string"},
        "state": {"enum": list(STATES)},
        "has_ended": {"type": "boolean"},
        "tries": _COUNT,
        "asked_at": _AT,
        "began_at": _MAYBE_AT,
        "ended_at": _MAYBE_AT,
        "run_id": _MAYBE_TEXT,
        "graph_run_group_id": _MAYBE_TEXT,
        "answer": {"type": ["object", "null"]},
        "problem": _MAYBE_TEXT,
    }
)
ANSWER = _record(
    {"schema_version": _COUNT, "errand": ERRAND, "created": {"type": "boolean"}},
    "created",
)
LISTED = _record(
    {
        "schema_version": _COUNT,
        "errands": {"type": "array", "items": ERRAND},
        "next": {"type": ["integer", "null"]},
    }
)
HAPPENING = _record(
    {
        "id": {"type": "string"},
        "kind": {"enum": list(KINDS)},
        "at": _AT,
        "position": {"type": "string"},
        "load_seq": _COUNT,
        "pipe": {"type": "string"},
        "table": {"type": "string"},
        "file": {"type": "string"},
        "status": {"type": "string"},
        "row_count": _COUNT,
        "error_count": _COUNT,
        "line": {"type": ["integer", "null"]},
        "run_id": {"type": "string"},
        "reason": {"type": "string"},
        "models": {"type": ["integer", "null"]},
        "tests": {"type": ["integer", "null"]},
        "read_through": {"type": ["integer", "null"]},
        "problem": _MAYBE_TEXT,
    },
    *("load_seq", "pipe", "table", "file", "status", "row_count", "error_count"),
    *("line", "run_id", "reason", "models", "tests", "read_through", "problem"),
)
HAPPENED = _record(
    {
        "schema_version": _COUNT,
        "happenings": {"type": "array", "items": HAPPENING},
        "next": {"type": "string"},
        "more": {"type": "boolean"},
    }
)
FAILED_LOAD = _record(
    {
        "file": {"type": "string"},
        "line": {"type": ["integer", "null"]},
        "column": _MAYBE_TEXT,
        "message": _MAYBE_TEXT,
    }
)
ARRIVED = _record(
    {
        "schema_version": _COUNT,
        "pipe": {"type": "string"},
        "loaded": _COUNT,
        "failed": _COUNT,
        "row_count": _COUNT,
        "files": {"type": "array", "items": {"type": "string"}},
        "failed_loads": {"type": "array", "items": FAILED_LOAD},
        "waiting": {
            "type": "array",
            "items": _record({"file": {"type": "string"}, "state": {"type": "string"}}),
        },
        "waiting_count": _COUNT,
        "last_load_seq": _COUNT,
    }
)


def errand_paths(errors: Schema, security: list[dict[str, list[str]]]) -> Schema:
    """Return the paths. `errors`: how every path refuses."""
    paths = _of_errands() | _of_happenings()
    for answers in paths.values():
        for answer in answers.values():
            answer["security"] = security
            answer["responses"] |= errors
    missing = errors["422"] | {"description": "There is no such errand."}
    for path, method in ((ERRANDS + _ONE, "get"), (ERRANDS + _ONE + "/cancel", "post")):
        paths[path][method]["responses"]["404"] = missing
    return paths


def _path(name: str, told: str, schema: Schema, **more: Any) -> Schema:
    content = {"application/json": {"schema": schema}}
    responses = {"200": {"description": told, "content": content}}
    return {"operationId": name, "summary": told, "responses": responses, **more}


def _of_errands() -> Schema:
    number = {"name": "errand", "in": "path", "required": True, "schema": _NUMBER}
    asking = _path(
        "ask_errand",
        "Ask for a run, once: with the key of an errand, that one.",
        ANSWER,
        requestBody=_body(_wish()),
    )
    listing = _path(
        "list_errands",
        "Errands, newest first.",
        LISTED,
        parameters=[
            _query("state", {"enum": list(STATES)}),
            _query("what", {"enum": list(WHATS)}),
            _query("before", _NUMBER),
            _limit(),
        ],
    )
    finding = _path("find_errand", "How an errand stands.", ANSWER, parameters=[number])
    cancelling = _path(
        "cancel_errand",
        "Have an errand end that has not.",
        ANSWER,
        parameters=[number],
        requestBody=_body(_record({"reason": _KINDS[str]}, "reason")),
    )
    return {
        ERRANDS: {"post": asking, "get": listing},
        ERRANDS + _ONE: {"get": finding},
        f"{ERRANDS}{_ONE}/cancel": {"post": cancelling},
    }


def _of_happenings() -> Schema:
    happened = _path(
        "happenings",
        "What was loaded and published after a position, oldest first.",
        HAPPENED,
        parameters=[
            _query("after", _TEXT),
            _query("kinds", {"enum": list(KINDS)}),
            _query("pipe", _TEXT),
            _limit(),
        ],
    )
    arrived = _path(
        "arrived",
        "What became of a pipe's files of some names.",
        ARRIVED,
        parameters=[
            _query("pipe", {**_TEXT, "minLength": 1}, required=True),
            _query("name", _TEXT),
            _query("since", _AT),
        ],
    )
    return {
        "/api/v1/happenings": {"get": happened},
        "/api/v1/arrived": {"get": arrived},
    }


def _wish() -> Schema:
    properties = {name: _KINDS[kind] for name, kind in ASKED.items()}
    return _record(
        {
            "what": {"enum": list(WHATS)},
            "key": {"type": ["string", "null"], "maxLength": KEY_LENGTH_MAX},
            "cause": _KINDS[str],
            **properties,
        },
        *("key", "cause", *ASKED),
    )


def _body(schema: Schema) -> Schema:
    schema = {**schema, "additionalProperties": False}
    return {
        "required": bool(schema["required"]),
        "content": {"application/json": {"schema": schema}},
    }


def _query(name: str, schema: Schema, *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _limit() -> Schema:
    schema = {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT}
    return _query("limit", schema)
