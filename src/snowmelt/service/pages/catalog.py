"""The catalog: every table that files or models make, and everything about one."""

from __future__ import annotations

import difflib
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.loop import Loop
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.pages.dashboards import known_boards
from snowmelt.service.pages.lineage import known_graph, lineage_document
from snowmelt.service.pages.noted import documentation
from snowmelt.service.pages.shell import shell_document
from snowmelt.trace.origins import named_by
from snowmelt.transform.documentation import Note
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

SAMPLE_ROWS = 20
HISTORY_RUNS = 60
HISTORY_DAYS, HISTORY_LOADS = 30, 100_000
KEYS_MAX = 3
"""So many columns name a row of a table without a key, as in a trace."""


def catalog_document(loop: Loop) -> Document:
    """Return every table with its layer, size, state and what is said of it."""
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        found = lineage_document(loop, session)
        widths: dict[str, int] = dict(
            session.rows(
                "select lower(schema_name || '.' || table_name), column_count "
                "from duckdb_tables() union all "
                "select lower(schema_name || '.' || view_name), column_count "
                "from duckdb_views() where not internal"
            )
        )
        there = loop.parts.gold.columns(session) if loop.parts.gold else {}
    widths |= {key: len(columns) for key, columns in there.items()}
    tables = [_listed(loop, each, widths) for each in found["nodes"]]
    order = {"bronze": 0, "gold": 2}
    tables.sort(key=lambda each: (order.get(each["layer"], 1), each["key"]))
    return {"schema_version": SCHEMA_VERSION, "shell": shell, "tables": tables}


def _listed(loop: Loop, node: Document, widths: dict[str, int]) -> Document:
    key, made, pipe = _key_of(loop, node)
    notes = documentation(loop.parts)
    note = notes.of_key(key) if notes else None
    return {
        "key": key,
        "layer": node["layer"],
        "kind": made.materialized or made.resource_type if made else "pipe",
        "pipe_name": pipe,
        "description": note.description if note else "",
        "owner": note.owner if note else "",
        "rows": node["rows"],
        "columns": widths.get(key.lower()),
        **{name: node[name] for name in ("state", "told", "at", "failed_at")},
        **{
            name: node.get(name, 0)
            for name in ("tests", "tests_failed", "tests_warned")
        },
    }


def _key_of(loop: Loop, node: Document) -> tuple[str, Node | None, str | None]:
    """Return a node's relation, what makes it, and the pipe that loads it."""
    kind, _, name = node["id"].partition(":")
    if kind == "pipe":
        return f"{loop.parts.project.settings.layers.bronze}.{node['name']}", None, name
    graph = known_graph(loop) or Graph((), ())
    made = next(
        (
            each
            for each in graph.nodes.values()
            if each.name == name and not each.is_check
        ),
        None,
    )
    return (made.key if made else name), made, None


def table_document(loop: Loop, name: str) -> Document:
    """Return everything about one table. Raises UsageError for an unknown name."""
    catalog = catalog_document(loop)
    table = find_table(catalog["tables"], name)
    graph = known_graph(loop) or Graph((), ())
    notes = documentation(loop.parts)
    note = notes.of_key(table["key"]) if notes else None
    node = _node(graph, table["key"])
    with loop.parts.warehouse.snapshot() as session:
        columns = _columns(loop, session, table, note)
        _add_tests(session, graph, node, columns)
        is_there = bool(columns) and columns[0]["type"] != ""
        is_there = is_there and loop.parts.gold is None  # else its rows are elsewhere
        keys = _keys(graph, node, [each["name"] for each in columns])
        history = (
            _loaded_by_day(session, table["pipe_name"], loop.parts.clock.now())
            if table["pipe_name"]
            else _rows_by_run(session, node.name if node else "")
        )
        sample = _sample(session, table["key"]) if is_there else _nothing()
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": catalog["shell"],
        "table": table,
        "is_built": is_there,
        "path": f"pipes/{table['pipe_name']}.yml"
        if table["pipe_name"]
        else (note.path if note else ""),
        "sql": note.sql if note else "",
        "unique_key": list(node.unique_key) if node else [],
        "key_columns": keys if is_there and node else [],
        "columns": columns,
        "table_tests": _tests_of_table(tests_of(graph, node), columns),
        "sample": sample,
        "history": history,
        "reads": _reads(loop, graph, node),
        "read_by": _read_by(loop, graph, table),
        "shown_by": _shown_by(loop, node),
    }


def find_table(tables: list[Document], name: str) -> Document:
    """Return a table by its key, or by its name alone. Raises UsageError."""
    known = {each["key"].lower(): each for each in tables}
    found = known.get(name.lower()) or next(
        (
            each
            for each in reversed(tables)
            if name.lower() == each["key"].partition(".")[2].lower()
        ),
        None,
    )
    if found is None:
        near = difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)
        hint = f"Near: {', '.join(near)}." if near else "See the catalog."
        raise UsageError(name[:80], "there is no such table", hint)
    return found


def _node(graph: Graph, key: str) -> Node | None:
    return next(
        (
            each
            for each in graph.nodes.values()
            if each.key.lower() == key.lower() and not each.is_check
        ),
        None,
    )


def _columns(
    loop: Loop, session: Session, table: Document, note: Note | None
) -> list[Document]:
    """Return the columns that are there, then those that are only written down."""
    schema, name = table["key"].split(".", 1)
    personal = personal_of(loop.parts, session)
    rows = _columns_there(loop, session, table["key"]) or session.rows(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and lower(schema_name) = lower($1) "
        "and lower(table_name) = lower($2) order by column_index",
        [schema, name],
    )
    said = _said(loop, session, table, note)
    found = [
        {
            "name": column,
            "type": kind.lower(),
            "description": said.get(column.lower(), ""),
            "personal": personal.why(table["key"], column),
            "is_masked": False,
            "tests": [],
        }
        for column, kind in rows
    ]
    there = {each["name"].lower() for each in found}
    return found + [
        {
            "name": column,
            "type": "",
            "description": told,
            "personal": "",
            "is_masked": False,
            "tests": [],
        }
        for column, told in said.items()
        if column not in there
    ]


def _columns_there(loop: Loop, session: Session, key: str) -> list[tuple[str, str]]:
    """Return columns and types of a table whose rows are in an account."""
    gold = loop.parts.gold
    return list(gold.columns(session).get(key.lower(), {}).items()) if gold else []


def _said(
    loop: Loop, session: Session, table: Document, note: Note | None
) -> dict[str, str]:
    """Return descriptions of columns by their names in lower case."""
    said = {
        name: column.description
        for name, column in (note.columns if note else {}).items()
    }
    for pipe in loop.parts.project.pipes:
        if pipe.name == table["pipe_name"]:
            contract = effective_pipe(session, pipe).contract
            said |= {each.name: each.description for each in contract.columns}
    return said


def tests_of(graph: Graph, node: Node | None) -> list[Node]:
    """Return the tests of a node: those that are attached to it, or read only it."""
    if node is None:
        return []
    return [
        each
        for each in graph.nodes.values()
        if each.is_test
        and ((each.test or {}).get("of") == node.id or each.parents == (node.id,))
    ]


def _add_tests(
    session: Session, graph: Graph, node: Node | None, columns: list[Document]
) -> None:
    """Say of each column how its tests ended last."""
    tests = tests_of(graph, node)
    ended = _ended(session, [each.name for each in tests])
    by_name = {each["name"].lower(): each for each in columns}
    for test in tests:
        about = test.test or {}
        column = str((about.get("arguments") or {}).get("column_name") or "")
        place = by_name.get(column.strip('"').lower())
        if place is not None:
            place["tests"].append(_test(test, ended))


def _tests_of_table(tests: list[Node], columns: list[Document]) -> list[str]:
    """Return the names of tests that are of no single column."""
    placed = {test["test"] for each in columns for test in each["tests"]}
    return [each.name for each in tests if each.name not in placed]


def _test(node: Node, ended: dict[str, str]) -> Document:
    about = node.test or {}
    return {
        "test": node.name,
        "kind": about.get("kind") or node.name,
        "severity": str(about.get("severity") or "ERROR").lower(),
        "status": ended.get(node.name),
    }


def _ended(session: Session, tests: list[str]) -> dict[str, str]:
    """Return how tests ended when they last ran, within the newest runs."""
    if not tests:
        return {}
    return dict(
        session.rows(
            "with runs as (select run_id from snowmelt.run_history "
            "order by started_at desc limit 50) "
            "select node, arg_max(status, run_id) from snowmelt.node_history "
            "where run_id >= (select min(run_id) from runs) and status <> 'skipped' "
            "and node in (select unnest($1::json::varchar[])) group by node",
            [tests],
        )
    )


def _keys(graph: Graph, node: Node | None, columns: list[str]) -> list[str]:
    """Return the columns that name a row, as far as anything says so."""
    if node is None:
        return []
    known = {each.lower(): each for each in columns}
    named = [each.strip('"').lower() for each in named_by(graph, node)]
    found = [known[each] for each in named if each in known]
    return found or [each for each in columns if not each.startswith("_")][:KEYS_MAX]


def _sample(session: Session, key: str) -> Document:
    relation = ".".join(identifier(each) for each in key.split(".", 1))
    table = session.table(f"select * from {relation} limit {SAMPLE_ROWS}")
    return {"columns": table.columns, "rows": [plain(row) for row in table.rows]}


def _nothing() -> Document:
    return {"columns": [], "rows": []}


def _rows_by_run(session: Session, node: str) -> list[Document]:
    """Return how many rows a model had after each of its newest runs, oldest first."""
    rows = session.rows(
        "with runs as (select run_id, ended_at from snowmelt.run_history "
        "where state = 'SUCCEEDED' order by started_at desc limit $2) "
        "select runs.run_id, runs.ended_at, rows_out from snowmelt.node_history "
        "join runs using (run_id) where node_history.run_id >= "
        "(select min(run_id) from runs) and node = $1 and rows_out is not null "
        "order by runs.run_id",
        [node, HISTORY_RUNS],
    )
    return as_documents(("run_id", "at", "rows"), rows)


def _loaded_by_day(session: Session, pipe: str, now: Any) -> list[Document]:
    """Return how many rows files brought by day: the newest loads of the last days."""
    rows = session.rows(
        "select null, date_trunc('day', last_load_time), sum(row_count)::bigint "
        "from snowmelt.load_history where pipe_name = $1 and load_seq > "
        "(select max(load_seq) from snowmelt.load_history) - $4 "
        "and last_load_time >= $2::timestamptz - to_days($3) group by all order by 2",
        [pipe, now, HISTORY_DAYS, HISTORY_LOADS],
    )
    return as_documents(("run_id", "at", "rows"), rows)


def _reads(loop: Loop, graph: Graph, node: Node | None) -> list[str]:
    if node is None:
        return []
    found = []
    for parent in node.parents:
        source, above = graph.sources.get(parent), graph.nodes.get(parent)
        if source is not None:
            found.append(f"{source.schema}.{source.table}")
        elif above is not None:
            found.append(above.key)
    return list(dict.fromkeys(found))


def _shown_by(loop: Loop, node: Node | None) -> list[Document]:
    """Return the dashboards that read a model."""
    return [
        {"name": each.name, "title": each.title}
        for each in known_boards(loop)
        if node is not None and node.name in each.models
    ]


def _read_by(loop: Loop, graph: Graph, table: Document) -> list[str]:
    wanted = table["key"].lower()
    node = _node(graph, table["key"])
    ids = {node.id} if node else set()
    ids |= {
        each.id
        for each in graph.sources.values()
        if f"{each.schema}.{each.table}".lower() == wanted
    }
    return [
        each.key
        for each in graph.nodes.values()
        if not each.is_check and ids.intersection(each.parents)
    ]
