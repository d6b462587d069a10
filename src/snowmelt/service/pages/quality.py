"""Quality: tests and since when they fail, accounts of rows, audits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.check_results import (
    BAD,
    CheckResult,
    finding_of,
    last_results,
)
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    as_documents,
    reconciliation_documents,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.lineage import known_graph
from snowmelt.service.pages.noted import documentation
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.pages.shell import shell_document
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.node_result import CHECKS
from snowmelt.warehouse.port import Session

RUNS_SHOWN = 20
TREND_RUNS = 50
AUDITS_SHOWN = 20
ROWS_SHOWN = 200
_PAST = """
    select
        node,
        min(run_id) filter (status <> 'pass' and run_id > coalesce(passed, '')),
        arg_max(run_id, run_id, $3),
        arg_max(status, run_id, $3)
    from snowmelt.node_history join (
        select
            unnest($2::json::varchar[]) as node, unnest($4::json::varchar[]) as passed
    ) using (node)
    where run_id >= $1 and status <> 'skipped'
    group by node
"""
_TOTALS = """
    select
        pipe_name,
        coalesce(sum(row_parsed) filter (replay_of is null), 0)::bigint,
        coalesce(sum(error_count) filter (replay_of is null), 0)::bigint,
        coalesce(sum(row_count) filter (replay_of is not null), 0)::bigint,
        coalesce(sum(row_count), 0)::bigint
    from snowmelt.load_history
    where status in ('Loaded', 'Partially loaded')
    group by pipe_name
"""


def quality_document(loop: Loop, model: str | None, status: str | None) -> Document:
    """Return every check with its state, failures first, and what is kept of rows.

    `model`: only the checks of one, by its key. `status`: fail, warn or pass.
    """
    graph = known_graph(loop) or Graph((), ())
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        tests = _tests(loop, session, graph)
        totals = remembered(loop.parts.warehouse, session, _by_pipe)
        accounts = reconciliation_documents(session)
        sizes = _sizes(session)
        document = {
            "schema_version": SCHEMA_VERSION,
            "shell": shell,
            "counts": _counts(tests),
            "trend": _trend(session),
            "audits": _audits(session),
            "sources": _sources(loop, graph, totals, accounts, sizes),
            "quarantined": sum(each["quarantined_open"] for each in accounts),
        }
    document["tests"] = [
        each
        for each in tests
        if (model is None or (each["model"] or "").lower() == model.lower())
        and (status is None or each["level"] == status)
    ]
    document["models"] = sorted({each["model"] for each in tests if each["model"]})
    return document


def _counts(tests: list[Document]) -> Document:
    return {
        level: sum(each["level"] == level for each in tests)
        for level in ("fail", "warn", "pass", "unknown")
    }


def _tests(loop: Loop, session: Session, graph: Graph) -> list[Document]:
    """Return each check, those that fail first, then those that warn."""
    started, results = last_results(session, graph)
    if started:
        _add_past(session, results, min(started))
    nodes = _tests_by_name(graph)
    found = [
        _check(loop, graph, name, results.get(name), started)
        for name in dict.fromkeys((*results, *nodes))
    ]
    order = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}
    found.sort(key=lambda each: (order[each["level"]], each["test"]))
    return found


def _add_past(session: Session, results: dict[str, CheckResult], oldest: str) -> None:
    """Say of what fails or warns since when it does, and how it ended before."""
    bad = [each for each in results.values() if each.newest["status"] != "pass"]
    names, passed = [each.name for each in bad], [each.passed for each in bad]
    for name, since, run_ids, statuses in (
        session.rows(_PAST, [oldest, names, RUNS_SHOWN, passed]) if bad else ()
    ):
        results[name] = replace(
            results[name], bad_since=since, run_ids=run_ids, statuses=statuses
        )


def _check(
    loop: Loop,
    graph: Graph,
    name: str,
    result: CheckResult | None,
    started: Mapping[str, Any],
) -> Document:
    node = _tests_by_name(graph).get(name)
    newest = result.newest if result else {}
    level = _level(newest.get("status"))
    about = (node.test if node else None) or {}
    of = graph.nodes.get(str(about.get("of"))) if node else None
    if of is None and node is not None and node.parents:
        of = graph.nodes.get(node.parents[0])
    owner, description = _note(loop, node, of)
    bad = level in ("fail", "warn")
    since = started.get(result.bad_since or "") if result and bad else None
    kind = result.resource_type if result else "test"
    return {
        "test": name,
        "kind": about.get("kind") or kind,
        "resource_type": kind,
        "model": of.key if of else None,
        "column": _column(about),
        "severity": str(about.get("severity") or "ERROR").lower(),
        "status": newest.get("status"),
        "level": level,
        "failures": newest.get("failures"),
        "message": finding_of(newest) if bad else None,
        "seconds": newest.get("seconds"),
        "run_id": newest.get("run_id"),
        "since": since.isoformat() if since else None,
        "since_at_least": since is not None
        and result is not None
        and not result.passed,
        "owner": owner,
        "description": description,
        "runs": [
            {"run_id": run_id, "status": status}
            for run_id, status in sorted(
                zip(result.run_ids, result.statuses, strict=True) if result else ()
            )
        ],
    }


@lru_cache(maxsize=4)
def _tests_by_name(graph: Graph) -> dict[str, Node]:
    return {each.name: each for each in graph.nodes.values() if each.is_test}


def _column(about: Mapping[str, Any]) -> str | None:
    given = (about.get("arguments") or {}).get("column_name")
    return str(given).strip('"') if given else None


def _note(loop: Loop, node: Node | None, of: Node | None) -> tuple[str, str]:
    """Return who answers for a test, or for its model, and what it says."""
    notes = documentation(loop.parts)
    if notes is None or node is None:
        return "", ""
    own = notes.notes.get(node.id)
    model = notes.notes.get(of.id) if of else None
    owner = (own.owner if own else "") or (model.owner if model else "")
    return owner, own.description if own else ""


def _level(status: str | None) -> str:
    if status is None:
        return "unknown"
    if status in BAD:
        return "fail"
    return "warn" if status == "warn" else "pass"


def _trend(session: Session) -> list[Document]:
    """Return how many checks passed, warned and failed in the newest runs."""
    rows = session.rows(
        "with runs as (select run_id, started_at, state from snowmelt.run_history "
        "where state <> 'EXECUTING' order by started_at desc limit $1) "
        "select runs.run_id, runs.started_at, runs.state, "
        "count(*) filter (status = 'pass'), count(*) filter (status = 'warn'), "
        "count(*) filter (status in ('fail', 'error', 'runtime error')) "
        "from runs join snowmelt.node_history as node using (run_id) "
        "where node.run_id >= (select min(run_id) from runs) and resource_type in "
        "(select unnest($2::json::varchar[])) group by all order by runs.run_id",
        [TREND_RUNS, list(CHECKS)],
    )
    names = ("run_id", "started_at", "state", "passed", "warned", "failed")
    return as_documents(names, rows)


def _audits(session: Session) -> list[Document]:
    names = (
        *("audit_id", "state", "reason", "started_at", "ended_at"),
        *("tables_compared", "tables_differing", "error"),
    )
    return as_documents(
        names,
        session.rows(
            f"select {', '.join(names)} from snowmelt.audit_history "
            f"order by started_at desc limit {AUDITS_SHOWN}"
        ),
    )


def _by_pipe(session: Session) -> dict[str, tuple[int, ...]]:
    """Return records read and refused, rows replayed and loaded, by pipe."""
    return {row[0]: row[1:] for row in session.rows(_TOTALS)}


def _sizes(session: Session) -> dict[str, int]:
    return dict(
        session.rows(
            "select schema_name || '.' || table_name, estimated_size "
            "from duckdb_tables() where not temporary"
        )
    )


def _sources(
    loop: Loop,
    graph: Graph,
    totals: Mapping[str, tuple[int, ...]],
    accounts: list[Document],
    sizes: Mapping[str, int],
) -> list[Document]:
    """Return of each pipe where its records are: in files, bronze, silver, gold."""
    of_model = {each["model"].lower(): each for each in accounts}
    sources = []
    for pipe in loop.parts.project.pipes:
        parsed, rejected, replayed, loaded = totals.get(pipe.name, (0, 0, 0, 0))
        ids = {
            each.id
            for each in graph.sources.values()
            if f"{each.schema}.{each.table}".lower() == pipe.full_table_name.lower()
        }
        readers = [
            each
            for each in graph.nodes.values()
            if not each.is_check and ids.intersection(each.parents)
        ]
        below = graph.downstream({each.id for each in readers})
        sources.append(
            {
                "pipe_name": pipe.name,
                "table": pipe.full_table_name,
                "parsed_records": parsed,
                "rejected_records": rejected,
                "replayed_rows": replayed,
                "loaded_rows": loaded,
                "accounts": [
                    of_model[each.key.lower()]
                    for each in readers
                    if each.key.lower() in of_model
                ],
                "gold": [
                    {"key": each.key, "rows": sizes.get(each.key)}
                    for each in graph.nodes.values()
                    if each.id in below
                    and not each.is_check
                    and each.key.partition(".")[0] == "gold"
                ],
            }
        )
    return sources


def test_document(loop: Loop, test: str) -> Document:
    """Return one check: its failing rows, whole, and how it ended in past runs.

    Raises UsageError for an unknown one.
    """
    graph = known_graph(loop) or Graph((), ())
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        known = {each["test"]: each for each in _tests(loop, session, graph)}
        if test not in known:
            raise UsageError(test[:120], "there is no such test", "See the tests.")
        run_id = session.value(
            "select max(run_id) from snowmelt.test_failures where test = $1", [test]
        )
        rows = session.rows(
            "select failing_row from snowmelt.test_failures "
            "where test = $1 and run_id = $2 order by ordinal limit $3",
            [test, run_id, ROWS_SHOWN],
        )
        names = ("run_id", "started_at", "status", "failures", "message", "seconds")
        history = session.rows(
            "select run_id, run.started_at, status, failures, message, seconds "
            "from snowmelt.node_history join snowmelt.run_history as run "
            "using (run_id) where node = $1 order by run_id desc limit $2",
            [test, TREND_RUNS],
        )
    notes = documentation(loop.parts)
    node = next((e for e in graph.nodes.values() if e.name == test), None)
    note = notes.notes.get(node.id) if notes and node else None
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "test": known[test],
        "rows_of_run": run_id,
        "rows": [json.loads(row) for (row,) in rows],
        "history": as_documents(names, history),
        "sql": note.sql if note else "",
        "path": note.path if note else "",
    }
