"""What failed, with the file and the line where somebody can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from snowmelt.serve.commands import Document
from snowmelt.service.parts import Parts
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.project_digest import project_digest

FAILURES_MAX = 20
_TESTS = ("data_tests", "tests")


def failed_loads(loads: Sequence[Document]) -> list[Document]:
    """Return the files that could not be loaded: the name, the line, and why."""
    return [
        {
            "file": load["file_name"],
            "line": load["first_error_line_number"],
            "column": load["first_error_column_name"],
            "message": load["first_error_message"],
        }
        for load in loads
        if load["status"] == "Load failed"
    ][:FAILURES_MAX]


def failed_nodes(parts: Parts, failures: list[Document]) -> list[Document]:
    """Return the models and tests that failed, each with where it is written.

    Failing rows are left out: a program's log is no place for them.
    """
    graph = parts.publication.known_graph(project_digest(parts.project.root))
    named = {} if graph is None else {node.name: node for node in graph.nodes.values()}
    return [
        {
            "node": each["node"],
            "resource_type": each["resource_type"],
            "status": each["status"],
            "message": each["message"],
            **_where(parts.project.root, graph, named.get(each["node"])),
        }
        for each in failures[:FAILURES_MAX]
    ]


def _where(root: Path, graph: Graph | None, node: Node | None) -> Document:
    if graph is None or node is None:
        return {"path": None, "line": None}
    line = _line_of_test(root / node.path, graph, node) if node.is_test else None
    return {"path": node.path or None, "line": line}


def _line_of_test(path: Path, graph: Graph, node: Node) -> int | None:
    """Return the line of a YAML file that asks for a test; None of SQL files."""
    test: dict[str, Any] = node.test or {}
    of = graph.nodes.get(test.get("of") or "")
    if of is None or path.suffix not in (".yml", ".yaml"):
        return None
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    model = _named(_entry(document, of.resource_type + "s"), of.name)
    column = (test.get("arguments") or {}).get("column_name")
    place = _named(_entry(model, "columns"), column) if column else model
    space = f"{test['namespace']}." if test.get("namespace") else ""
    for key in _TESTS:
        for item in _sequence(_entry(place, key)):
            name = item.value[0][0] if _is_mapping(item) and item.value else item
            if getattr(name, "value", None) == f"{space}{test.get('kind')}":
                return int(item.start_mark.line) + 1
    return None


def _is_mapping(node: Any) -> bool:
    return isinstance(node, yaml.MappingNode)


def _sequence(node: Any) -> list[Any]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _entry(node: Any, key: str) -> Any:
    """Return what a mapping has under a key."""
    if not _is_mapping(node):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _named(node: Any, name: str) -> Any:
    """Return the item of a list whose `name` this is."""
    for item in _sequence(node):
        found = _entry(item, "name")
        if found is not None and found.value == name:
            return item
    return None


def problem_of(
    loads: list[Document],
    nodes: list[Document],
    more: str | None,
    load_count: int | None = None,
) -> str:
    """Say in one line what failed first, and how much more did.

    `load_count`: so many loads failed, of which `loads` are the first.
    """
    told = [
        f"{_place(each['file'], each['line'])}: "
        + (f"{each['column']}: " if each["column"] else "")
        + str(each["message"])
        for each in loads
    ]
    told += [
        f"{each['resource_type']} {each['node']}"
        + (f" ({_place(each['path'], each['line'])})" if each["path"] else "")
        + f": {each['message']}"
        for each in nodes
    ]
    if more and not nodes:
        told.append(more)
    count = len(told) + max(0, (load_count or 0) - len(loads))
    rest = f" (and {count - 1} more)" if count > 1 else ""
    return told[0] + rest if told else ""


def _place(path: str, line: int | None) -> str:
    return f"{path}:{line}" if line else path
