"""The entry of Snowmelt's package in a dbt project's list of packages.

The list is somebody's file: a line is put into it, and not a mark of the rest changes.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from snowmelt.errors import ConfigError
from snowmelt.transform.dbt_project import read_mapping
from snowmelt.transform.package import PACKAGE

PACKAGES_FILE = "packages.yml"
_ENTRY = {"local": PACKAGE.as_posix()}
_LINE = f"- local: {PACKAGE.as_posix()}"


def packages_file(project_dir: Path) -> str:
    """Return the file that lists a project's packages, there or not."""
    other = project_dir / "dependencies.yml"
    if other.is_file() and "packages" in read_mapping(other.read_bytes()):
        return other.name
    return PACKAGES_FILE


def is_listed(project_dir: Path) -> bool:
    """Does the project list the package?"""
    path = project_dir / packages_file(project_dir)
    listed = read_mapping(path.read_bytes()).get("packages") if path.exists() else None
    return isinstance(listed, list) and any(
        isinstance(each, dict)
        and str(each.get("local", "")).removeprefix("./").rstrip("/") == _ENTRY["local"]
        for each in listed
    )


def list_with_ours(project_dir: Path) -> str:
    """Return the project's list of packages with ours in it.

    Raises ConfigError if it is not one that a line can be put into.
    """
    path = project_dir / packages_file(project_dir)
    text = with_entry(path.read_text(encoding="utf-8") if path.exists() else "")
    if text is None:
        raise ConfigError(
            path.name,
            "it is not a list of packages as dbt reads it",
            f"Put it right, or write below packages: {_LINE}",
        )
    return text


def with_entry(text: str) -> str | None:
    """Return the text of a list with the package in it; None if that cannot be."""
    before = read_mapping(text.encode())
    if not before and (text.strip() and _node(text) is not None):
        return None
    known = before.get("packages") or []
    if not isinstance(known, list):
        return None
    found = _insert(text)
    wanted = {**before, "packages": [*known, _ENTRY]}
    return found if read_mapping(found.encode()) == wanted else None


def _insert(text: str) -> str:
    """Put the entry where the list ends, as the list is written."""
    node = _node(text)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    entries = next((v for k, v in pairs if k.value == "packages"), None)
    if isinstance(entries, yaml.SequenceNode) and entries.flow_style:
        end = entries.end_mark.index - 1
        comma = ", " if entries.value else ""
        return f"{text[:end].rstrip()}{comma}{{local: {_ENTRY['local']}}}{text[end:]}"
    if isinstance(entries, yaml.SequenceNode):
        indent = " " * entries.start_mark.column
        return _after_line(text, _last_line(entries), f"{indent}{_LINE}")
    if entries is not None:  # the key alone
        return _after_line(text, entries.start_mark.line, f"  {_LINE}")
    return f"{text}{_break(text)}packages:\n  {_LINE}\n"


def _node(text: str) -> yaml.Node | None:
    """Return YAML with the places of its parts; None if there is none."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return node


def _last_line(node: yaml.Node) -> int:
    """Return the last line that a value stands on, not the comments after it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _after_line(text: str, number: int, line: str) -> str:
    lines = text.splitlines(keepends=True)
    head = "".join(lines[: number + 1])
    return f"{head}{_break(head)}{line}\n{''.join(lines[number + 1 :])}"


def _break(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"
