"""Traces as documents: where a row comes from."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.parts import Parts
from snowmelt.service.places import Places
from snowmelt.trace.backward import Backward
from snowmelt.trace.closure import VIEWED, columns_of, listed
from snowmelt.trace.models import BRONZE, TABLE, Models, Relation, name_of, open_models
from snowmelt.trace.origins import (
    key_columns,
    node_of_run,
    records,
    rows_by_load,
    rows_of_table,
    runs_of_loads,
)
from snowmelt.trace.versions import versions_of
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Node
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

ROWS_MAX = 10_000
"""So many rows of a relation are listed at most, also in JSON; all are counted."""
LOADS_MAX = 1_000
_LOAD_COLUMNS = (
    *("load_seq", "file_name", "pipe_name", "last_load_time", "status"),
    *("superseded_by", "replay_of"),
)


class Tracing:
    """Answers where rows come from, and what files became."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @contextmanager
    def opened(self) -> Iterator[tuple[Session, Models]]:
        """Open one snapshot, and what is known of the project's models."""
        parts = self._parts
        root = parts.project.root
        dbt = Dbt(root, parts.project.warehouse_path)
        bronze = [pipe.full_table_name for pipe in parts.project.pipes]
        with parts.warehouse.session() as session:
            models = open_models(session, dbt, root, project_digest(root), bronze)
        with parts.warehouse.snapshot() as session:
            yield session, models

    def rows(
        self, model: str, keys: Sequence[str], limit: int, *, all_lines: bool = False
    ) -> Document:
        """Return what the rows of a model with these values are made of.

        `keys` are written column=value. Without any, what the model's key is.
        """
        limit = min(limit, ROWS_MAX)
        with self.opened() as (session, models):
            node = find_model(session, models, model)
            if not keys:
                return _usage_document(session, models, node)
            condition = _condition(session, models, node, keys)
            backward = Backward(session, models)
            root = backward.trace(node, condition, _columns(keys))
            count, _ = backward.closure.count(root)
            if not count:
                raise _no_row(session, models, node, keys)
            places = Places(self._parts, session)
            if all_lines:
                places.look_in_large_files()
            return {
                "schema_version": SCHEMA_VERSION,
                "model": node.key,
                "key_columns": key_columns(session, models, node.key),
                "count": count,
                "rows": _roots(backward, root, limit),
                "versions": _versions(backward, root, node, all_loads=all_lines),
                **_answer(backward, root, places, limit),
            }

    def columns(self, model: str, columns: Sequence[str]) -> Document:
        """Return what feeds columns of a model; all of them if none is named."""
        from snowmelt.trace.lineage import Lineage

        with self.opened() as (session, models):
            node = find_model(session, models, model)
            known = {each.lower(): each for each in columns_of(session, node.key)}
            unknown = [each for each in columns if each.lower() not in known]
            if unknown:
                raise UsageError(
                    f"--columns {unknown[0]}",
                    f"{node.key} has no such column",
                    f"{', '.join(known.values())} are.",
                )
            lineage = Lineage(session, models)
            chosen = [known[each.lower()] for each in columns] or list(known.values())
            fed = [lineage.of(node, each) for each in chosen]
            return {
                "schema_version": SCHEMA_VERSION,
                "model": node.key,
                "columns": [
                    asdict(each)
                    | {"sources": [".".join(source) for source in each.sources()]}
                    for each in fed
                ],
                "files": _file_columns(self._parts, session, fed),
            }


def _file_columns(parts: Parts, session: Session, fed: list[Any]) -> Document:
    """Return what each bronze column at the ends is called in its pipe's files."""
    pipes = {each.full_table_name.lower(): each for each in parts.project.pipes}
    found: Document = {}
    for relation, column in dict.fromkeys(e for each in fed for e in each.sources()):
        pipe = pipes.get(relation.lower())
        if pipe is None:
            continue
        for each in effective_pipe(session, pipe).contract.columns:
            if each.name == column:
                called = each.path or each.name
                found[f"{relation}.{column}"] = {"pipe": pipe.name, "column": called}
    return found


def find_model(session: Session, models: Models, given: str) -> Node:
    """Return a model by its name, with or without its schema. Raises UsageError."""
    made = models.by_key()
    found = made.get(given.lower()) or next(
        (
            node
            for node in made.values()
            if given.lower() in (node.name.lower(), node.key.split(".", 1)[1].lower())
        ),
        None,
    )
    if found is None:
        near = difflib.get_close_matches(given.lower(), list(made), n=3, cutoff=0.4)
        near = near or [key for key in made if key.startswith("gold.")][:5]
        raise UsageError(given, "no such model", f"Models: {', '.join(near)}.")
    if not columns_of(session, found.key):
        raise UsageError(
            found.key, "it has not been built yet", "Build it: snowmelt run"
        )
    return found


def _example(session: Session, models: Models, node: Node) -> str:
    """Return a command that traces a row there is."""
    keys = key_columns(session, models, node.key)
    row = session.rows(
        f"select {', '.join(f'cast({identifier(each)} as varchar)' for each in keys)} "  # noqa: S608
        f"from {name_of(node.key)} limit 1"
    )
    values = row[0] if row else ["…"] * len(keys)
    words = [f"{key}={value}" for key, value in zip(keys, values, strict=True)]
    return f"snowmelt trace {node.key} " + " ".join(
        f"--key {_as_word(each)}" for each in words
    )


def _as_word(text: str) -> str:
    return (
        "'" + text.replace("'", "'\\''") + "'" if set(text) & set(" '\"$&;()") else text
    )


def _usage_document(session: Session, models: Models, node: Node) -> Document:
    keys = key_columns(session, models, node.key)
    return {
        "schema_version": SCHEMA_VERSION,
        "model": node.key,
        "key_columns": keys,
        "has_key": bool(node.unique_key),
        "columns": list(columns_of(session, node.key)),
        "count": session.value(f"select count(*) from {name_of(node.key)}"),  # noqa: S608
        "example": _example(session, models, node),
    }


def _condition(
    session: Session, models: Models, node: Node, given: Sequence[str]
) -> str:
    """Return the condition that a row has the given values, cast to their types.

    Raises UsageError for what is no column, or no value of its type.
    """
    columns = columns_of(session, node.key)
    known = {name.lower(): name for name in columns}
    conditions = []
    for each in given:
        name, equals, value = each.partition("=")
        column = known.get(name.strip().lower())
        if not equals or column is None:
            keys = ", ".join(key_columns(session, models, node.key))
            told = f"{node.key} has no column '{name}'" if equals else "it has no ="
            raise UsageError(
                f"--key {each}",
                f"{told}; its key is {keys}",
                f"For example: {_example(session, models, node)}",
            )
        kind = columns[column]
        text = f"try_cast({literal(value)} as {kind})"
        if session.value(f"select {text}") is None:
            raise UsageError(
                f"--key {each}",
                f"'{value}' is no {kind.lower()}, which {node.key}.{column} is",
                f"For example: {_example(session, models, node)}",
            )
        conditions.append(f"{identifier(column)} = cast({literal(value)} as {kind})")
    return " and ".join(conditions)


def _columns(given: Sequence[str]) -> list[str]:
    """Return the columns that `column=value` words name."""
    return [each.partition("=")[0].strip() for each in given]


def _no_row(
    session: Session, models: Models, node: Node, keys: Sequence[str]
) -> UsageError:
    return UsageError(
        " ".join(f"--key {each}" for each in keys),
        f"{node.key} has no such row",
        f"One that there is: {_example(session, models, node)}. A record that was "
        "refused: snowmelt rejects, snowmelt quarantine.",
    )


def _roots(backward: Backward, root: Relation, limit: int) -> list[dict[str, Any]]:
    """Return the rows that are asked about, without looking for them again."""
    session = backward.session
    columns = list(columns_of(session, root.key))
    if root.kind == TABLE:
        source = f"{root.sql} where {backward.closure.among(root)}"
    else:
        source = VIEWED
    table = session.table(
        f"select {listed(columns)} from {source} "  # noqa: S608
        f"order by {listed(columns)} limit {limit}"
    )
    return as_documents(table.columns, table.rows)


def _versions(
    backward: Backward, root: Relation, node: Node, *, all_loads: bool
) -> Document | None:
    """Return what else came for the keys of a row of silver; None of another model."""
    if node.materialized != "latest_version" or not node.unique_key:
        return None
    asked = backward.closure.among(root)
    found: Document = plain(
        versions_of(backward.session, backward.models, node, asked, all_loads=all_loads)
    )
    return found


def _answer(backward: Backward, root: Relation, places: Places, limit: int) -> Document:
    """Return the relations that were reached, their rows, loads and runs."""
    closure, models = backward.closure, backward.models
    relations, loads = [], dict[int, int]()
    for relation in closure.relations:
        made, passed = closure.count(relation)
        document: Document = {
            "relation": relation.key,
            "kind": relation.kind,
            "count": made,
            "only_let_pass": passed,
            "made_from": [each.key for each in closure.edges_below(relation)],
        }
        if relation.kind == BRONZE:
            by_load = rows_by_load(closure, relation)
            loads |= {load: loads.get(load, 0) + n for load, n in by_load.items()}
            document["rows"] = _records(backward, relation, places, limit)
        elif relation != root:
            document["rows"] = plain(rows_of_table(closure, models, relation, limit))
        relations.append(document)
    return {
        "relations": relations,
        "loads": loads_document(backward.session, loads, root.key),
        "coarse": [asdict(each) for each in backward.coarse],
        "decided": {
            key: [asdict(each) for each in notes]
            for key, notes in backward.decided.items()
        },
        "exact": not backward.coarse,
    }


def _records(
    backward: Backward, relation: Relation, places: Places, limit: int
) -> list[Document]:
    found = records(backward.closure, relation, limit)
    where = {
        (each["_replayed_from"] or each["_load_seq"], each["_file_row"])
        for each in found
    }
    lines = places.find(relation.key, where)
    documents = []
    for each in found:
        origin = each["_replayed_from"] or each["_load_seq"]
        place = lines[origin, each["_file_row"]]
        documents.append(
            {
                "file_name": each["_file"],
                "line": place.line,
                "no_line": place.why,
                "record": place.raw,
                "file_row": each["_file_row"],
                "load_seq": each["_load_seq"],
                "replayed_from": each["_replayed_from"],
                "version_at": plain(each["_version_at"]),
                "values": {
                    name: plain(value)
                    for name, value in each.items()
                    if not name.startswith("_")
                },
            }
        )
    return documents


def loads_document(
    session: Session, loads: dict[int, int], model: str
) -> list[Document]:
    """Return loads with how many rows of each are meant, and the run that took each."""
    chosen = sorted(loads)[:LOADS_MAX]
    rows = session.rows(
        f"select {', '.join(_LOAD_COLUMNS)} from snowmelt.load_history "  # noqa: S608
        "where load_seq in (select unnest($1::json::bigint[])) order by load_seq",
        [chosen],
    )
    runs = runs_of_loads(session, chosen)
    seconds = node_of_run(
        session, [each["run_id"] for each in runs.values()], model.split(".", 1)[1]
    )
    documents = as_documents(_LOAD_COLUMNS, rows)
    for document in documents:
        run = runs.get(document["load_seq"])
        document["rows"] = loads[document["load_seq"]]
        document["run"] = plain(
            run and run | {"model_seconds": seconds.get(run["run_id"])}
        )
    return documents
