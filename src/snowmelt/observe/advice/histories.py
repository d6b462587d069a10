"""Evidence for advice, read from the histories in the warehouse and dbt's manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from snowmelt.observe.advice.evidence import (
    Evidence,
    Execution,
    KeySearch,
    Place,
    Run,
)
from snowmelt.observe.advice.limits import Limits
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.duckdb.zonemaps import zones_of
from snowmelt.warehouse.port import Session

MANIFEST = SERVICE_FOLDER / "target" / "manifest.json"
_REF = re.compile(r"\bref\(\s*(?:['\"][^'\"]*['\"]\s*,\s*)?['\"]([^'\"]+)['\"]\s*\)")
_RUNS = """
    select
        run_id, state, started_at,
        epoch(ended_at) - epoch(started_at),
        coalesce(way, ''), reason, fallback_reason, full_refresh
    from (
        select * from snowmelt.run_history
        where ended_at is not null
        order by started_at desc
        limit $1
    )
    order by started_at
"""
_EXECUTIONS = """
    select run_id, node, resource_type, status, seconds, failures, form
    from snowmelt.node_history
    where run_id in (select unnest($1::varchar[]))
"""
_ROWS_READ = """
    with
    changes as (
        select table_name, load_seq as seq, row_count as rows
        from snowmelt.load_history where row_count > 0
        union all
        select table_name, superseded_by, -row_count
        from snowmelt.load_history where superseded_by is not null and row_count > 0
    ),
    totals as (
        select
            table_name,
            seq,
            sum(sum(rows)) over (partition by table_name order by seq) as rows
        from changes group by table_name, seq
    ),
    asked as (
        select run_id, read_through, table_name
        from snowmelt.run_history, (select distinct table_name from totals)
        where run_id in (select unnest($1::varchar[])) and read_through is not null
    )
    select asked.run_id, asked.table_name, totals.rows::bigint
    from asked asof join totals
        on asked.table_name = totals.table_name and asked.read_through >= totals.seq
"""
_STATEMENTS = """
    select
        node,
        regexp_extract(query_text, 'temp table "[^"]+__(affected|changed)"', 1),
        rows_produced,
        seconds
    from snowmelt.query_history
    where node in (select unnest($1::varchar[])) and status = 'SUCCEEDED'
        and query_text like '%temp table%'
"""


def read_evidence(
    session: Session,
    graph: Graph,
    root: Path,
    dashboards: Mapping[str, Sequence[str]],
    limits: Limits,
) -> Evidence:
    """Return what the histories say of the models and tests of a graph.

    `dashboards`: the SQL of the cards of each.
    """
    runs = [
        Run(*(*row[:7], tuple(filter(None, str(row[7]).split(", ")))))
        for row in session.rows(_RUNS, [limits.runs_max])
    ]
    ids = [run.run_id for run in runs]
    executions = [Execution(*row) for row in session.rows(_EXECUTIONS, [ids])]
    manifest = _manifest(root)
    return Evidence(
        runs=runs,
        executions=executions,
        graph=graph,
        rows_read=_rows_read(session, graph, ids),
        places=_places(manifest),
        searches=list(_searches(session, graph, limits)),
        read_by=_read_by(manifest, dashboards),
    )


def _rows_read(
    session: Session, graph: Graph, ids: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Return the rows of bronze upstream of each node, by run and node."""
    upstream: dict[str, set[str]] = {}
    for source in graph.sources.values():
        for each in graph.downstream([source.id]):
            upstream.setdefault(each, set()).add(source.table.lower())
    rows: dict[str, dict[str, int]] = {}
    for run_id, table, count in session.rows(_ROWS_READ, [ids]):
        rows.setdefault(run_id, {})[table.lower()] = count
    return {
        (run_id, graph.nodes[node].name): sum(known.get(each, 0) for each in tables)
        for run_id, known in rows.items()
        for node, tables in upstream.items()
    }


def _searches(session: Session, graph: Graph, limits: Limits) -> Iterator[KeySearch]:
    """Look at the tables of affected_keys models that are large enough to matter."""
    models = {
        node.id: node
        for node in graph.nodes.values()
        if node.materialized == "affected_keys"
    }
    sent: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for node, table, rows, seconds in session.rows(_STATEMENTS, [list(models)]):
        if table:
            of_node = sent.setdefault(node, {})
            of_node.setdefault(table, []).append((rows or 0, seconds))
    for node_id, statements in sent.items():
        found = _search(session, models[node_id], statements, limits)
        if found is not None:
            yield found


def _search(
    session: Session,
    node: Node,
    statements: Mapping[str, Sequence[tuple[int, float]]],
    limits: Limits,
) -> KeySearch | None:
    affected, changed = statements.get("affected", ()), statements.get("changed", ())
    if len(changed) < limits.runs_min or not affected:
        return None
    there = session.value(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and lower(schema_name || '.' || table_name) = lower($1)",
        [node.key],
    )
    if not there:
        return None
    rows = session.value(f"select count(*) from {node.relation}")  # noqa: S608
    if rows < limits.scan_rows_min:
        return None
    zones = zones_of(session, node.key, node.affected_by[0])
    return KeySearch(
        node.name,
        rows,
        zones.row_groups,
        zones.overlap,
        keys=median(count for count, _ in affected),
        written=median(count for count, _ in changed),
        seconds=median(seconds for _, seconds in changed),
        runs=len(changed),
    )


def _manifest(root: Path) -> Mapping[str, Any]:
    """Return what dbt wrote of the project; nothing where it cannot be read."""
    try:
        found = json.loads((root / MANIFEST).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _places(manifest: Mapping[str, Any]) -> dict[str, Place]:
    return {
        node_id: Place(
            entry["original_file_path"],
            (entry.get("patch_path") or "").partition("://")[2],
            _columns(entry.get("config", {}).get("cluster_by")),
        )
        for node_id, entry in manifest.get("nodes", {}).items()
    }


def _columns(said: object) -> tuple[str, ...]:
    if isinstance(said, str):
        return (said,)
    return tuple(map(str, said)) if isinstance(said, list) else ()


def _read_by(
    manifest: Mapping[str, Any], dashboards: Mapping[str, Sequence[str]]
) -> dict[str, list[str]] | None:
    """Return which dashboards and exposures read each model; None if there are none."""
    readers: list[tuple[str, Iterable[str]]] = [
        (f"exposure {entry['name']}", _names(entry["depends_on"].get("nodes", ())))
        for entry in manifest.get("exposures", {}).values()
    ]
    readers += [
        (f"dashboard {name}", _REF.findall("\n".join(cards)))
        for name, cards in dashboards.items()
    ]
    if not readers:
        return None
    found: dict[str, list[str]] = {}
    for reader, models in readers:
        for model in dict.fromkeys(models):
            found.setdefault(model, []).append(reader)
    return found


def _names(ids: Iterable[str]) -> Iterator[str]:
    return (each.split(".")[2] for each in ids if each.count(".") >= 2)
