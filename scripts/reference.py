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
        default = "required" if name in required else _default(found)
        kind = _kind(found) if inner is None else ("list" if many else "keys below")
        rows.append(
            f"| `{key}` | {kind} | {default} | {found.get('description', '')} |"
        )
        if inner is not None:
            rows += _rows(inner, defs, f"{key}[]." if many else f"{key}.")
    return rows


def _inner(
    found: dict[str, Any], defs: dict[str, Any]
) -> tuple[dict[str, Any] | None, bool]:
    target, many = found, False
    if found.get("type") == "array":
        target, many = found["items"], True
    reference = target.get("$ref")
    if reference is None:
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
    }


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
