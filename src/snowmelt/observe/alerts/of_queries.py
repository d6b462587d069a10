"""Causes that a query of the user's finds: each row is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import EVIDENCE_MAX, Cause, Evidence, count_rows
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session

KEY, MESSAGE, SINCE = "cause", "message", "since"
_TOLD_CHARS_MAX = 500


def find_by_query(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return a cause for each row; one for all rows without a column `cause`."""
    assert rule.sql is not None
    table = session.table(around.render(rule.sql), limit=LOOKED_AT_MAX)
    names = [name.lower() for name in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    if not rows:
        return []
    if KEY not in names:
        return [_all_in_one(rows)]
    causes = {str(row[KEY]): _cause(str(row[KEY]), row) for row in reversed(rows)}
    return list(reversed(causes.values()))


def _cause(key: str, row: Mapping[str, Any]) -> Cause:
    return Cause(
        key=key[:_TOLD_CHARS_MAX],
        summary=_summary(row) or key[:_TOLD_CHARS_MAX],
        since=_instant(row.get(SINCE)),
        command="snowmelt alerts",
        ended=f"{key[:_TOLD_CHARS_MAX]}: the query does not find it any more",
        evidence=_rows([row]),
    )


def _all_in_one(rows: list[dict[str, Any]]) -> Cause:
    return Cause(
        key="query",
        summary=_summary(rows[0]) or f"the query returns {count_rows(len(rows))}",
        since=_instant(rows[0].get(SINCE)),
        command="snowmelt alerts",
        ended="the query finds nothing any more",
        evidence=_rows(rows),
    )


def _summary(row: Mapping[str, Any]) -> str:
    told = row.get(MESSAGE)
    return " ".join(str(told).split())[:_TOLD_CHARS_MAX] if told is not None else ""


def _rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Evidence, ...]:
    left = [
        {name: str(row[name]) for name in row if name not in (KEY, MESSAGE, SINCE)}
        for row in rows[:EVIDENCE_MAX]
    ]
    return tuple(Evidence("row", "", row=row) for row in left if row)


def _instant(given: Any) -> datetime | None:
    if not isinstance(given, datetime):
        return None
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
