"""Which nodes dbt has to compile anew for every run: a decision from the manifest.

What dbt sent for a node can be sent again only if the same project always compiles to
the same text. A macro that asks the data, the clock or the run while it compiles can
make another text each time; where one is in reach, dbt is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ASKS = {
    "run_query": "asks the data while it compiles",
    "statement": "asks the data while it compiles",
    "load_result": "asks the data while it compiles",
    "get_columns_in_relation": "asks the data while it compiles",
    "get_column_values": "asks the data while it compiles",
    "run_started_at": "asks the clock while it compiles",
    "modules": "can ask the clock while it compiles",
    "invocation_id": "asks which run it is while it compiles",
    "invocation_args_dict": "asks which run it is while it compiles",
    "selected_resources": "asks which run it is while it compiles",
    "thread_id": "asks which run it is while it compiles",
    "random": "draws lots while it compiles",
}
_ASKING = re.compile(r"\b(" + "|".join(_ASKS) + r")\b")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_CALL = re.compile(r"\b(?:(\w+)\.)?(\w+)\s*\(")
_OURS = ("dbt", "dbt_duckdb", "snowmelt")
_OWN_HOOKS = ("{{ snowmelt.move_offsets() }}",)
_REPLAYABLE = (
    "table",
    "view",
    "incremental",
    "ephemeral",
    "latest_version",
    "affected_keys",
)


def reasons_to_ask_dbt(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return why dbt has to be asked, by the id of each node of which that is so."""
    macros = _macros_by_name(manifest)
    reasons = {}
    hooks = [
        entry["name"]
        for entry in manifest["nodes"].values()
        if entry["resource_type"] == "operation" and entry["package_name"] not in _OURS
    ]
    overridden = _overriding(manifest)
    for entry in manifest["nodes"].values():
        reason = (
            _text_reason(entry, macros, overridden)
            or ("the project has on-run hooks" if hooks else "")
            or _kind_reason(entry)
        )
        if reason:
            reasons[entry["unique_id"]] = reason
    return reasons


def _kind_reason(entry: Mapping[str, Any]) -> str:
    """Return what about a node's kind makes dbt necessary."""
    kind = entry["resource_type"]
    config = entry["config"]
    if kind == "snapshot":
        return "snapshots are dbt's"
    if kind == "test":
        return "it stores its failures" if config.get("store_failures") else ""
    if kind != "model":
        return ""
    if entry.get("language") == "python":
        return "it is a Python model"
    hooks = [*config.get("pre-hook", ()), *config.get("post-hook", ())]
    if any(hook["sql"].strip() not in _OWN_HOOKS for hook in hooks):
        return "it has hooks"
    if config["materialized"] not in _REPLAYABLE:
        return f"materialization {config['materialized']} is not known"
    if config.get("incremental_strategy") == "microbatch":
        return "its batches follow the clock"
    return ""


def _text_reason(
    entry: Mapping[str, Any],
    macros: Mapping[str, list[Mapping[str, Any]]],
    overridden: list[Mapping[str, Any]],
) -> str:
    """Return what in a node's text, or in a macro that it reaches, asks something."""
    found = _asked(entry.get("raw_code") or "")
    if found:
        return f"it {_ASKS[found]} ({found})"
    texts = [entry.get("raw_code") or "", *(m["macro_sql"] for m in overridden)]
    for macro in _reached(texts, macros):
        found = _asked(macro["macro_sql"])
        if found:
            return f"macro {macro['name']} {_ASKS[found]} ({found})"
    for macro in overridden:
        found = _asked(macro["macro_sql"])
        if found:
            return f"macro {macro['name']} {_ASKS[found]} ({found})"
    return ""


def _asked(text: str) -> str:
    """Return the first name in a text's Jinja that asks something."""
    for part in _JINJA.findall(_COMMENT.sub("", text)):
        found = _ASKING.search(part)
        if found:
            return found[1]
    return ""


def _reached(
    texts: list[str], macros: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[Mapping[str, Any]]:
    """Yield every macro of a project or its packages that the texts can call.

    Names alone decide, so that one is rather found too much. What dbt and the package
    of Snowmelt bring is known not to ask, apart from what is called by name.
    """
    seen = set()
    waiting = list(texts)
    while waiting:
        for _, name in _CALL.findall(_COMMENT.sub("", waiting.pop())):
            for macro in macros.get(name, ()):
                if macro["unique_id"] not in seen:
                    seen.add(macro["unique_id"])
                    waiting.append(macro["macro_sql"])
                    yield macro


def _macros_by_name(
    manifest: Mapping[str, Any],
) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for macro in manifest["macros"].values():
        if macro["package_name"] not in _OURS:
            found.setdefault(macro["name"], []).append(macro)
            short = re.sub(r"^(default|duckdb)__", "", macro["name"])
            if short != macro["name"]:
                found.setdefault(short, []).append(macro)
    return found


def _overriding(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a project's macros that stand in for built-in ones: any node uses them."""
    built_in = {
        macro["name"]
        for macro in manifest["macros"].values()
        if macro["package_name"] in _OURS
    }
    return [
        macro
        for macro in manifest["macros"].values()
        if macro["package_name"] not in _OURS and macro["name"] in built_in
    ]
