"""A dbt project as a graph: what dbt's manifest says of it, as far as a run needs it.

Read from `target/manifest.json`
(https://schemas.getdbt.com/dbt/manifest/v12.json). Nothing here asks dbt or the
warehouse: a graph can be kept beside recordings and read without dbt.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

from snowmelt.transform.compile_time import reasons_to_ask_dbt

LOGGED = ("latest_version", "affected_keys")
"""Materializations that keep a log of their changes."""
_BUILT = ("model", "test", "seed", "snapshot", "unit_test")


@dataclass(frozen=True)
class Node:
    """One thing that a build makes or tests.

    `relation` is its name as dbt writes it into SQL, `key` as offsets and logs have it
    (schema.name). `asks_dbt` says why what dbt did for it cannot be done again without
    dbt; empty if it can. `rules` are its row rules, `target_lag` its goal, `newest_by`
    the business time of its versions, as they are written; `path` is the file it is in.
    """

    id: str
    name: str
    fqn: str
    resource_type: str
    parents: tuple[str, ...]
    materialized: str = ""
    relation: str = ""
    key: str = ""
    unique_key: tuple[str, ...] = ()
    affected_by: tuple[str, ...] = ()
    reads_stream: bool = False
    asks_dbt: str = ""
    rules: tuple[Any, ...] = ()
    test: dict[str, Any] | None = None
    target_lag: str = ""
    newest_by: str = ""
    path: str = ""

    def scratch(self, name: str) -> str:
        """Return a temporary table of the model's materialization, without quotes."""
        return f"{self.key.replace('.', '__', 1)}__{name}"

    @property
    def is_test(self) -> bool:
        """Is it a test of rows? Unit tests look at no rows."""
        return self.resource_type == "test"

    @property
    def is_check(self) -> bool:
        """Does it only look at what others make?"""
        return self.resource_type in ("test", "unit_test")

    @property
    def keeps_log(self) -> bool:
        """Does its materialization keep a log of changes?"""
        return self.materialized in LOGGED

    @property
    def needs_refresh(self) -> bool:
        """Is it blind to rows that leave what it reads?

        An ordinary incremental model is; one that reads a stream is told of them.
        """
        return self.materialized == "incremental" and not self.reads_stream


@dataclass(frozen=True)
class Source:
    """A table that dbt reads and does not make."""

    id: str
    selector: str
    schema: str
    table: str


class Graph:
    """The nodes of a project in the order of a build, and who reads whom."""

    def __init__(self, nodes: Iterable[Node], sources: Iterable[Source]) -> None:
        self.sources = {source.id: source for source in sources}
        by_id = {node.id: node for node in nodes}
        self.nodes = {each: by_id[each] for each in _in_order(by_id)}

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        children = defaultdict(list)
        for node in self.nodes.values():
            for parent in node.parents:
                children[parent].append(node.id)
        return children

    def sources_of(self, tables: Iterable[str], schema: str = "bronze") -> list[Source]:
        """Return the sources that are these tables of bronze, whatever their names.

        Several may be the same table; the engine does not look at upper and lower case.
        """
        wanted = {(schema.lower(), table.lower()) for table in tables}
        return [
            source
            for source in self.sources.values()
            if (source.schema.lower(), source.table.lower()) in wanted
        ]

    def downstream(self, ids: Iterable[str]) -> set[str]:
        """Return what reads any of these, at any distance; they are not in it."""
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def build_order(self, ids: set[str]) -> list[Node]:
        """Return these nodes as a build takes them: a test before what comes after."""
        return [node for node in self.nodes.values() if node.id in ids]

    def as_document(self) -> dict[str, Any]:
        """Return the graph as JSON holds it."""
        return {
            "nodes": [asdict(node) for node in self.nodes.values()],
            "sources": [asdict(source) for source in self.sources.values()],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what `as_document` gave."""
        return cls(
            [Node(**_tuples(each)) for each in document["nodes"]],
            [Source(**each) for each in document["sources"]],
        )


def read_graph(manifest: Mapping[str, Any]) -> Graph:
    """Return the graph of a manifest, without what is only documentation."""
    reasons = reasons_to_ask_dbt(manifest)
    entries = [*manifest["nodes"].values(), *manifest["unit_tests"].values()]
    nodes = [
        _node(entry, reasons.get(entry["unique_id"], ""))
        for entry in entries
        if entry["resource_type"] in _BUILT
    ]
    sources = [
        Source(
            entry["unique_id"],
            f"source:{entry['source_name']}.{entry['name']}",
            entry["schema"],
            entry["identifier"],
        )
        for entry in manifest["sources"].values()
    ]
    return Graph(nodes, sources)


def _node(entry: Mapping[str, Any], asks_dbt: str) -> Node:
    config = entry["config"]
    is_test = entry["resource_type"] == "test"
    unique_key = _as_tuple(config.get("unique_key"))
    return Node(
        id=entry["unique_id"],
        name=entry["name"],
        fqn=".".join(entry["fqn"]),
        resource_type=entry["resource_type"],
        parents=tuple(dict.fromkeys(entry["depends_on"].get("nodes", ()))),
        materialized="" if is_test else config.get("materialized") or "",
        relation=entry.get("relation_name") or "",
        key=f"{entry.get('schema')}.{entry.get('alias') or entry['name']}",
        unique_key=unique_key,
        affected_by=_as_tuple(config.get("affected_by")) or unique_key,
        reads_stream=_reads_stream(entry),
        asks_dbt=asks_dbt,
        rules=_rules(config),
        test=_test(entry) if is_test else None,
        target_lag=_target_lag(config),
        newest_by=str(config.get("newest_by") or ""),
        path=entry.get("original_file_path") or "",
    )


def _reads_stream(entry: Mapping[str, Any]) -> bool:
    """Does a model read a stream? By whatever macro: stream() leaves its hook."""
    hooks = entry["config"].get("post-hook") or ()
    return any("snowmelt.move_offsets" in hook["sql"] for hook in hooks) or bool(
        re.search(r"\bsnowmelt\.stream\s*\(", entry.get("raw_code") or "")
    )


def _test(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a test is of, and how many failures are too many."""
    metadata = entry.get("test_metadata") or {}
    config = entry["config"]
    names = ("severity", "error_if", "warn_if", "fail_calc", "limit", "where")
    return {
        "kind": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "arguments": metadata.get("kwargs", {}),
        "of": entry.get("attached_node"),
        "on_changes": config.get("meta", {}).get("on_changes"),
    } | {name: config.get(name) for name in names}


def _rules(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the row rules of a model, as they are written."""
    rules = (config.get("meta") or {}).get("rules")
    return tuple(rules) if isinstance(rules, list) else (rules,) if rules else ()


def _target_lag(config: Mapping[str, Any]) -> str:
    given = (config.get("meta") or {}).get("target_lag")
    return "" if given is None else str(given)


def _as_tuple(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else ()


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
    }


def _in_order(nodes: Mapping[str, Node]) -> list[str]:
    """Sort so that parents come first, and tests before models that are as ready.

    So a model waits for the tests of what it reads, as in a build of dbt.
    """
    tests = defaultdict(list)
    waiting = {}
    for node in nodes.values():
        parents = {each for each in node.parents if each in nodes}
        waiting[node.id] = parents
        if node.is_test:
            for parent in parents:
                tests[parent].append(node.id)
    ordered: dict[str, None] = {}
    while waiting:
        ready = [each for each, parents in waiting.items() if parents <= ordered.keys()]
        if not ready:  # dbt refuses cycles; nothing is left out of a graph all the same
            ready = list(waiting)
        ready.sort(key=lambda each: (not nodes[each].is_test, each))
        first = [each for each in ready if nodes[each].is_test] or ready[:1]
        for each in first:
            ordered[each] = None
            del waiting[each]
    return list(ordered)
