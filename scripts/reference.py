"""Write docs/reference from the code: commands, and the keys of the YAML files."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

import snowmelt.project
from snowmelt.cli.main import COMMANDS, group
from snowmelt.cli.target_option import with_target
from snowmelt.clock import SystemClock
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.opening import NoSession, names_of, open_deployment
from snowmelt.deploy.showing import show_plan
from snowmelt.pipe.definition import Pipe
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.project import load_project
from snowmelt.project.settings import Settings
from snowmelt.project.targets import SnowflakeTarget

TEMPLATES = Path(snowmelt.project.__file__).parent / "templates"
TARGET = """
targets:
  prod:
    type: snowflake
    account: myorg-myaccount
    user: DEPLOYER
    key_path: ${DEPLOY_KEY}
    aws: {account: "123456789012", region: eu-central-1, bucket: my-landing}
"""
REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def commands_page() -> str:
    """Return every command's own help."""
    top = click.Context(group, info_name="snowmelt")
    lines = ["# Commands", "", "```", _strip(group.get_help(top)), "```", ""]
    for name in COMMANDS:
        module = importlib.import_module(f"snowmelt.cli.{name}")
        command: click.Command = with_target(name, module.command)
        context = click.Context(command, info_name=name, parent=top)
        lines += [f"## {name}", "", "```", _strip(command.get_help(context)), "```", ""]
        below = command.commands if isinstance(command, click.Group) else {}
        for word, inner in below.items():
            context_below = click.Context(inner, info_name=word, parent=context)
            told = _strip(inner.get_help(context_below))
            lines += [f"### {name} {word}", "", "```", told, "```", ""]
    return "\n".join(lines)


def deployed(template: str, folder: Path) -> Deployment:
    """Return a template on a target, in an account in which there is nothing yet."""
    root = folder / template
    shutil.copytree(TEMPLATES / template, root)
    with (root / "snowmelt.yml").open("a") as file:
        file.write(TARGET)
    project = load_project(root)
    clock = SystemClock()
    return open_deployment(project, names_of(project, "prod"), NoSession(), clock)


def plan_pages() -> dict[str, str]:
    """Return the plan of each template, and of one of them every statement."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for template in sorted(each.name for each in TEMPLATES.iterdir()):
            deployment = deployed(template, Path(folder))
            plan = deployment.plan_offline()
            lines = [*show_plan(plan)]
            remarks = [f"{each.where}: {each.told}" for each in deployment.remarks]
            page = "\n".join([*lines, *([""] if remarks else []), *remarks, ""])
            found[f"plans/{template}.txt"] = page
            if template == "storefront":
                steps = [s for s in plan.acting if s.address.provider == "snowflake"]
                script = [e for step in steps for e in deployment.script(step)]
                found[f"plans/{template}.sql"] = ";\n\n".join([*script, ""])
    return found


def parity_page() -> str:
    """Return what is the same on Snowflake and here, of the scenarios that show it."""
    sys.path.insert(0, str(REFERENCE.parents[1] / "tests" / "parity"))
    page: str = importlib.import_module("parity_page").parity_page()
    return page


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
        inner, below = _inner(found, defs)
        key = f"{prefix}{name}"
        if variants := _variants(found, defs):
            rows += _rows_of_variants(key, found, variants, defs)
            continue
        default = "required" if name in required else _default(found)
        kind = _kind(found) if inner is None else _BELOW[below]
        rows.append(
            f"| `{key}` | {kind} | {default} | {found.get('description', '')} |"
        )
        if inner is not None:
            rows += _rows(inner, defs, f"{key}{below}.")
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


_BELOW = {"": "keys below", "[]": "list", ".NAME": "names, keys below each"}


def _inner(
    found: dict[str, Any], defs: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """Return the schema of what stands below a key, and how that is written."""
    target, below = found, ""
    while target.get("type") == "array":
        target, below = target["items"], "[]"
    for named in target.get("patternProperties", {}).values():
        if "$ref" in named:
            target, below = named, ".NAME"
    named = [target, *target.get("anyOf", [])]
    reference = next((each["$ref"] for each in named if "$ref" in each), None)
    if reference is None or "properties" not in defs[reference.rpartition("/")[2]]:
        return None, below
    return defs[reference.rpartition("/")[2]], below


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
        "targets.md": keys_page("targets: NAME: in snowmelt.yml", SnowflakeTarget),
        "parity.md": parity_page(),
        **plan_pages(),
    }


def main() -> None:
    """Write the pages."""
    (REFERENCE / "plans").mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
