"""Tables of gold as dbt describes them: keys, relations, what columns mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.gold.relations import all_columns, list_tables
from snowmelt.observe.export.described import Models
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_REF = re.compile(r"""ref\(\s*(?:['"]\w+['"]\s*,\s*)?['"](\w+)['"]\s*\)""")


@dataclass(frozen=True)
class Column:
    """A column; `type` as the engine writes it."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True)
class Reference:
    """A column whose values are those of another table's key."""

    column: str
    parent: str
    parent_column: str


@dataclass(frozen=True)
class Relation:
    """A reference that holds: each value of the child's column is in the parent's."""

    child: str
    column: str
    parent: str
    parent_column: str


@dataclass(frozen=True)
class GoldTable:
    """A table that readers see. `key`: what tells its rows apart, if that is known."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    description: str = ""
    key: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    partition_by: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def relation(self) -> str:
        """Its name as SQL has it."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    def column(self, name: str) -> Column | None:
        """Return a column by its name, however that is written."""
        lower = name.lower()
        return next((each for each in self.columns if each.name.lower() == lower), None)


def describe_gold(
    session: Session, models: Models, schemas: Sequence[str]
) -> list[GoldTable]:
    """Return the tables of some schemas, with what dbt knows of each."""
    graph = models.graph
    by_key = {node.key.lower(): node for node in graph.nodes.values() if node.relation}
    tests, columns_of = _tests_by_node(graph), all_columns(session, schemas)
    found = []
    for schema, name, _ in list_tables(session, schemas):
        node = by_key.get(f"{schema}.{name}".lower())
        entry = models.entries.get(node.id, {}) if node else {}
        columns = _columns(columns_of.get((schema, name), ()), entry)
        own = tests.get(node.id, []) if node else []
        names = {each.name.lower(): each.name for each in columns}
        found.append(
            GoldTable(
                schema=schema,
                name=name,
                columns=columns,
                description=str(entry.get("description") or "").strip(),
                key=_known(_key(node, entry, own), names) if node else (),
                references=_references(own, graph, names),
                partition_by=_known(_partitions(entry), names),
            )
        )
    return found


def _columns(
    found: Iterable[tuple[str, str]], entry: Mapping[str, Any]
) -> tuple[Column, ...]:
    told = {
        str(name).lower(): str(each.get("description") or "").strip()
        for name, each in entry.get("columns", {}).items()
    }
    return tuple(Column(name, kind, told.get(name.lower(), "")) for name, kind in found)


def _known(wanted: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """Return columns as they are written; nothing if one of them is not there."""
    found = tuple(names[each.lower()] for each in wanted if each.lower() in names)
    return found if len(found) == len(wanted) else ()


def _key(
    node: Node, entry: Mapping[str, Any], tests: Sequence[dict[str, Any]]
) -> tuple[str, ...]:
    """Return what dbt says tells rows apart: a constraint, unique_key, or tests."""
    for constraint in entry.get("constraints") or ():
        if constraint.get("type") == "primary_key" and constraint.get("columns"):
            return tuple(constraint["columns"])
    for name, column in entry.get("columns", {}).items():
        kinds = {each.get("type") for each in column.get("constraints") or ()}
        if "primary_key" in kinds:
            return (str(name),)
    return node.unique_key or _tested_key(tests)


def _tested_key(tests: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the first column that is tested to be unique and never null."""
    tested: dict[str, set[str]] = {}
    for test in tests:
        column = str(test["arguments"].get("column_name") or "")
        tested.setdefault(column, set()).add(str(test["kind"]))
    keys = [name for name, kinds in tested.items() if {"unique", "not_null"} <= kinds]
    return (keys[0],) if keys and keys[0] else ()


def _tests_by_node(graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """Return the tests of whole tables, by the node they are attached to."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in graph.nodes.values():
        if each.test and not each.test.get("where"):
            found.setdefault(str(each.test["of"]), []).append(each.test)
    return found


def _references(
    tests: Sequence[dict[str, Any]], graph: Graph, names: Mapping[str, str]
) -> tuple[Reference, ...]:
    """Return what tests of relationships say."""
    relating = [test for test in tests if test["kind"] == "relationships"]
    if not relating:
        return ()
    by_name = {each.name: each for each in graph.nodes.values() if each.relation}
    found = []
    for test in relating:
        arguments = test["arguments"]
        named = _REF.search(str(arguments.get("to") or ""))
        column = names.get(str(arguments.get("column_name") or "").lower())
        parent = by_name.get(named[1]) if named else None
        if parent and column:
            field = str(arguments.get("field") or "")
            found.append(Reference(column, parent.key, field))
    return tuple(dict.fromkeys(found))


def _partitions(entry: Mapping[str, Any]) -> list[str]:
    """Return what a model's `meta: {publish: {partition_by: …}}` names."""
    meta = (entry.get("config") or {}).get("meta") or {}
    publish = meta.get("publish") if isinstance(meta, dict) else None
    given = publish.get("partition_by") if isinstance(publish, dict) else None
    if isinstance(given, str):
        return [given]
    return [str(each) for each in given] if isinstance(given, list) else []
