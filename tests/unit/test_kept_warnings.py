"""Rows that a test warns of are kept, and not the same ones with every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snowmelt.clock import SystemClock
from snowmelt.gold.run_result import (
    FailingRow,
    read_evidence,
    warned_anew,
    write_evidence,
)
from snowmelt.transform.node_result import NodeResult
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.port import Session

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUERY = "select range as amount from range({})"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    limits = Limits(1, 256 << 20)
    warehouse = open_warehouse(tmp_path / "w.duckdb", folders=[], limits=limits)
    ensure_system_tables(warehouse, SystemClock())
    with warehouse.session() as opened:
        yield opened
    warehouse.close()


def warned(failures: int, status: str = "warn") -> NodeResult:
    query = QUERY.format(failures)
    return NodeResult("small", "test", status, 0.1, failures, None, query)


def run(session: Session, number: int, result: NodeResult) -> list[FailingRow]:
    """Do what a run does of one test's result; return the rows that it kept."""
    rows = read_evidence(session, warned_anew(session, [result]), rows_max=3)
    write_evidence(session, f"run{number:02}", rows)
    began = NOON + timedelta(minutes=number)
    session.execute(
        "insert into snowmelt.run_history (run_id, state, reason, started_at, "
        "full_refresh, project_digest) values ($1, 'SUCCEEDED', '', $2, '', '')",
        [f"run{number:02}", began],
    )
    session.execute(
        "insert into snowmelt.node_history (run_id, node, resource_type, status, "
        "seconds, failures) values ($1, 'small', 'test', $2, 0.1, $3)",
        [f"run{number:02}", result.status, result.failures],
    )
    return rows


def test_rows_are_kept_when_they_are_new(session: Session) -> None:
    first = run(session, 1, warned(5))
    assert [row.failing_row for row in first] == [
        f'{{"amount": {n}}}' for n in range(3)
    ], "so many as are kept of a test"
    assert run(session, 2, warned(5)) == [], "they are kept already"
    assert len(run(session, 3, warned(2))) == 2, "there are others now"
    assert run(session, 4, warned(0, "pass")) == []
    assert len(run(session, 5, warned(2))) == 2, "it passed between"


def test_of_what_passes_or_has_no_query_nothing_is_kept(session: Session) -> None:
    without = NodeResult("x", "test", "warn", 0.1, 5, None, None)
    assert warned_anew(session, [warned(0, "pass"), without]) == []
    assert warned_anew(session, []) == []


def test_rows_that_are_not_there_any_more_are_kept_again(session: Session) -> None:
    run(session, 1, warned(2))
    for number in range(2, 25):
        run(session, number, warned(2))
    kept = session.rows("select distinct run_id from snowmelt.test_failures order by 1")
    assert [run_id for (run_id,) in kept] == ["run01", "run22"]
