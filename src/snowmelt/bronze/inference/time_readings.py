"""The query that tries forms of dates and times on all values of a column."""

from __future__ import annotations

import re
from collections.abc import Mapping

from snowmelt.bronze.inference.column_type import iso_type
from snowmelt.bronze.inference.evidence import Evidence
from snowmelt.bronze.inference.kinds import Kind
from snowmelt.bronze.inference.sample import TABLE
from snowmelt.bronze.inference.time_forms import (
    Choice,
    Form,
    Reading,
    candidate_forms,
    choose_format,
    order_of,
)
from snowmelt.pipe.time_format import to_strptime
from snowmelt.warehouse.duckdb.scratch import Connection
from snowmelt.warehouse.sql import literal

SHAPES_MAX = 20
COMPACT = Form("date", "YYYYMMDD")
_COMPACT_LEAST, _COMPACT_MOST = 19000101, 20991231
_DATE_NAME = re.compile(r"(^|_)(date|day|dt|datum|data|fecha|jour)(_|$)|date$")


def may_be_times(evidence: Evidence) -> bool:
    """Say whether most values look like dates or times that are not ISO 8601."""
    found = evidence.count(Kind.TIMELIKE)
    iso = evidence.count(Kind.DATE, Kind.TIMESTAMP, Kind.TIME)
    return found > 0 and (found + iso) * 2 >= evidence.values


def may_be_compact(evidence: Evidence, name: str) -> bool:
    """Say whether a column named like a date has numbers that look like 20240131."""
    return (
        _DATE_NAME.search(name) is not None
        and evidence.values == evidence.count(Kind.INTEGER) > 0
        and evidence.least >= _COMPACT_LEAST
        and evidence.most <= _COMPACT_MOST
    )


def read_forms(
    connection: Connection, place: str, *, compact: bool
) -> tuple[Reading, ...]:
    """Try every form that some value of a column has on all of them."""
    forms = [COMPACT] if compact else candidate_forms(_examples(connection, place))
    if not forms:
        return ()
    asked = ", ".join(_question(form) for form in forms)
    row = connection.execute(
        f"select {asked} from (select trim({place}) as v from {TABLE})"
    ).fetchone()
    return tuple(
        Reading(form, answer["many"], answer["span"] or 0)
        for form, answer in zip(forms, row or (), strict=True)
    )


def choose_formats(
    evidence: Mapping[int, Evidence], readings: Mapping[int, tuple[Reading, ...]]
) -> dict[str, Choice]:
    """Choose the pipe's one format of dates, of timestamps, of times."""
    day_first: bool | None = None
    chosen: dict[str, Choice] = {}
    for _ in range(2):
        for kind in ("date", "timestamp", "time"):
            chosen[kind] = _choose(kind, evidence, readings, day_first)
        orders = {order_of(choice) for choice in chosen.values()} - {None}
        if len(orders) != 1:
            break
        day_first = orders.pop()
    return chosen


def _choose(
    kind: str,
    evidence: Mapping[int, Evidence],
    readings: Mapping[int, tuple[Reading, ...]],
    day_first: bool | None,
) -> Choice:
    columns = {}
    for column, found in readings.items():
        full = [
            reading
            for reading in found
            if reading.form.type == kind and reading.count == evidence[column].values
        ]
        if full:
            columns[str(column)] = full
    names = (kind, "timestamptz") if kind == "timestamp" else (kind,)
    iso = [
        str(column)
        for column, each in evidence.items()
        if str(column) not in columns and iso_type(each) in names
    ]
    return choose_format(columns, iso, day_first)


def _examples(connection: Connection, place: str) -> list[str]:
    """Return a value of each of the commonest shapes of a column."""
    shape = "regexp_replace(regexp_replace(v, '[0-9]', '9', 'g'), '[A-Za-z]', 'a', 'g')"
    rows = connection.execute(
        f"select any_value(v) from (select trim({place}) as v from {TABLE}) "
        f"where v <> '' and length(v) < 40 group by {shape} "
        f"order by count(*) desc limit {SHAPES_MAX}"
    ).fetchall()
    return [row[0] for row in rows]


def _question(form: Form) -> str:
    read = f"try_strptime(v, {literal(to_strptime(form.format))})"
    meant = f"regexp_full_match(v, {literal(form.expression)})"
    read = f"case when {meant} then {read} end"
    return (
        f"{{'many': count({read}), 'span': datediff('day', min({read}), max({read}))}}"
    )
