"""Trace: what made a row, down to the line of a file; and what a file became."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of, trace_href, whole
from snowmelt.serve.pages.site import Site

ROWS_SHOWN = 20
KEYS_MAX = 20
_OURS = ("table", "file", "load", "row", "key")


async def show_trace(site: Site, request: Request) -> Response:
    """Answer `/trace`: `table` with its key, or `file` or `load` with `row`."""
    chosen = chosen_of(request, *_OURS)
    keys = _keys(request)
    found: Document | None = None
    became: Document | None = None
    problem: SnowmeltError | None = None
    usage: Document | None = None
    try:
        if chosen["table"]:
            usage = await _ask_trace(site, chosen["table"], ())
            found = await _ask_trace(site, chosen["table"], keys) if keys else None
        elif chosen["file"] or chosen["load"]:
            became = await _ask_became(site, chosen)
    except SnowmeltError as error:
        problem = error
    catalog = await site.ask("catalog")
    tables = [each for each in catalog["tables"] if not each["pipe_name"]]
    return await site.page(
        request,
        "trace.html",
        heading="Trace",
        section="/trace",
        shell=catalog["shell"],
        chosen=chosen,
        given={name: value for name, _, value in (k.partition("=") for k in keys)},
        tables=tables,
        usage=usage,
        found=found,
        steps=_steps(found) if found else [],
        became=became,
        problem=problem,
        same_as=_command(chosen, keys),
        trace_href=trace_href,
    )


def _keys(request: Request) -> tuple[str, ...]:
    """Return column=value of an address: as `key`, or as a parameter of that name."""
    given = [*request.query_params.getlist("key")]
    given += [
        f"{name}={value}"
        for name, value in request.query_params.multi_items()
        if name not in _OURS and value
    ]
    if len(given) > KEYS_MAX:
        raise UsageError("trace", f"more than {KEYS_MAX} columns are not looked at")
    return tuple(each for each in given if each.partition("=")[2])


async def _ask_trace(site: Site, table: str, keys: tuple[str, ...]) -> Document:
    return await site.ask(
        "trace", model=table, keys=keys, limit=ROWS_SHOWN, all_lines=False
    )


async def _ask_became(site: Site, chosen: dict[str, str | None]) -> Document:
    load, row = whole("load", chosen["load"]), whole("row", chosen["row"])
    file = None if load is not None else chosen["file"]
    return await site.ask("became", file=file, load=load, row=row, limit=ROWS_SHOWN)


def _steps(found: Document) -> list[Document]:
    """Return the relations a row is made of, what reads others first.

    The first one is the row's own.
    """
    relations = {each["relation"]: each for each in found["relations"]}
    order: dict[str, None] = {}

    def visit(name: str, seen: frozenset[str]) -> None:
        if name in order or name in seen or name not in relations:
            return
        for above, each in relations.items():
            if name in each["made_from"] and above not in seen:
                visit(above, seen | {name})
        order[name] = None

    for name in relations:
        visit(name, frozenset())
    return [{**relations[name], "layer": _layer(relations[name])} for name in order]


def _layer(relation: Document) -> str:
    schema = str(relation["relation"]).partition(".")[0]
    if relation["kind"] == "bronze":
        return "bronze"
    return schema if schema in ("silver", "gold") else "other"


def _command(chosen: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Return the words of the command that says the same."""
    words = ["snowmelt", "trace"]
    if chosen["table"]:
        words.append(chosen["table"])
        for each in keys:
            words += ["--key", each]
        return words
    for name in ("file", "load", "row"):
        if chosen[name] and not (name == "file" and chosen["load"]):
            words += [f"--{name}", chosen[name]]
    return words if len(words) > 2 else []
