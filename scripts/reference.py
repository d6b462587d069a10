"""Write docs/reference from the code: commands, and the keys of the YAML files."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from snowmelt.cli.main import COMMANDS, group
from snowmelt.pipe.definition import Pipe
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.settings import Settings

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def commands_page() -> str:
    """Return every command's own help."""
    top = click.Context(group, info_name="snowmelt")
    lines = ["# Commands", "", "```", _strip(group.get_help(top)), "```", ""]
    for name in COMMANDS:
        command: click.Command = importlib.import_module(f"snowmelt.cli.{name}").command
        context = click.Context(command, info_name=name, parent=top)
        lines += [f"## {name}", "", "```", _strip(command.get_help(context)), "```", ""]
        below = command.commands if isinstance(command, click.Group) else {}
        for word, inner in below.items():
            context_below = click.Context(inner, info_name=word, parent=context)
            told = _strip(inner.get_help(context_below))
            lines += [f"### {name} {word}", "", "```", told, "```", ""]
    return "\n".join(lines)


def keys_page(title: str, model: type[BaseModel]) -> str:
    """Return every key of a YAML file: type, default, meaning."""
    schema = model.model_json_schema()
    lines = [f"# {title}", "", "| key | type | default | meaning |"]
    lines += ["|---|---|---|---|"]
    lines += _rows(schema, schema.get("$defs", {}), "")
    return "\n".join([*lines, ""])


def _rows(schema: dict[str, Any], defs: dict[str, Any], prefix: str) -> list[str]:
    rows: list[str] = []
    required = schema.get("required", [])
    for name, found in schema["properties"].items():
        inner, many = _inner(found, defs)
        key = f"{prefix}{name}"
        if inner is None and (named := _of_names(found, defs)) is not None:
            rows.append(f"| `{key}` | by name | | {found.get('description', '')} |")
            rows += _rows(named, defs, f"{key}.NAME.")
            continue
        if variants := _variants(found, defs):
            rows += _rows_of_variants(key, found, variants, defs)
            continue
        default = "required" if name in required else _default(found)
        kind = _kind(found) if inner is None else ("list" if many else "keys below")
        rows.append(
            f"| `{key}` | {kind} | {default} | {found.get('description', '')} |"
        )
        if inner is not None:
            rows += _rows(inner, defs, f"{key}[]." if many else f"{key}.")
    return rows


def _rows_of_variants(
    key: str,
    found: dict[str, Any],
    variants: dict[str, dict[str, Any]],
    defs: dict[str, Any],
) -> list[str]:
    """Return the keys of each kind of a block that has a `type`."""
    rows = [f"| `{key}` | name, or keys below | | {found.get('description', '')} |"]
    for kind, schema in variants.items():
        caption = schema["description"].splitlines()[0]
        rows.append(f"| **`{key}`, `type: {kind}`** | | | {caption} |")
        rows += [
            row
            for row in _rows(schema, defs, f"{key}.")
            if not row.startswith(f"| `{key}.type`")
        ]
    return rows


def _variants(found: dict[str, Any], defs: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schemas a block may have, by its `type`."""
    schemas = [
        defs[each["$ref"].rpartition("/")[2]]
        for each in found.get("anyOf", [])
        if "$ref" in each
    ]
    return {
        each["properties"]["type"]["default"]: each
        for each in schemas
        if "type" in each.get("properties", {}) and len(schemas) > 1
    }


def _of_names(found: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a mapping holds under names that a person chooses."""
    patterns = found.get("patternProperties", {}).values()
    held = found.get("additionalProperties") or next(iter(patterns), None)
    if not isinstance(held, dict) or not held or "$ref" not in held:
        return None
    return _inner(held, defs)[0]


def _inner(
    found: dict[str, Any], defs: dict[str, Any]
) -> tuple[dict[str, Any] | None, bool]:
    target, many = found, False
    while target.get("type") == "array":
        target, many = target["items"], True
    named = [target, *target.get("anyOf", [])]
    reference = next((each["$ref"] for each in named if "$ref" in each), None)
    if reference is None or "properties" not in defs[reference.rpartition("/")[2]]:
        return None, many
    return defs[reference.rpartition("/")[2]], many


def _kind(found: dict[str, Any]) -> str:
    kinds = [found, *found.get("anyOf", [])]
    names = [str(kind["type"]) for kind in kinds if kind.get("type", "null") != "null"]
    if found.get("format") == "duration":
        return "duration"
    return names[0] if names else "text"


def _default(found: dict[str, Any]) -> str:
    default = found.get("default")
    return "" if default in (None, "") else f"`{default}`"


def _strip(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


def pages() -> dict[str, str]:
    """Return every generated page by its file name."""
    return {
        "commands.md": commands_page(),
        "snowmelt-yml.md": keys_page("snowmelt.yml", Settings),
        "pipes.md": keys_page("pipes/*.yml", Pipe),
        "dashboards.md": keys_page("dashboards/*.yml", Dashboard),
    }


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
