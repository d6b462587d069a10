"""A silver model's own SQL, asked about other rows than those it holds.

About one bronze row: which key it has. About a record that was refused: which key it
would have, and which groups of gold that would touch, as far as its values can be read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from snowmelt.bronze.layout import header_of
from snowmelt.bronze.raw_form import RawForm
from snowmelt.bronze.table import LOAD_COLUMNS
from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.trace.closure import AFFECTED_ROWS, columns_of, listed, with_scans
from snowmelt.trace.models import Models, name_of
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

WOULD = "snowmelt_trace_would"


def keys_of_record(models: Models, node: Node, rows: str) -> str:
    """Return what a silver model makes of rows that stand in for its bronze table."""
    schema, table = models.tables_read(node)[0].key.split(".", 1)
    named = re.compile(
        rf'"[^"]+"\."{re.escape(schema)}"\."{re.escape(table)}"', re.IGNORECASE
    )
    return named.sub(lambda _: rows, models.sql[node.id])


@dataclass
class Would:
    """What a record that was refused would be, and would touch."""

    model: str
    key: dict[str, Any]
    replaces: bool
    touches: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Parsed:
    """A refused record's values by column, and which cannot be read as their type.

    Not `aligned`: it has more or fewer fields than the header, so that what is behind
    the wrong one may stand under another's name.
    """

    values: Mapping[str, str | None]
    unreadable: tuple[str, ...]
    missing: tuple[str, ...]
    aligned: bool = True


def parse_record(
    session: Session, pipe: Pipe, header: str | None, raw: bytes
) -> Parsed:
    """Read a refused record as far as it goes. `header` is what its load keeps."""
    form = RawForm.read(header)
    fields = _of_json(raw) if form.marks is None else _of_csv(raw, form)
    values = {
        column.name: fields[header_of(column)]
        for column in pipe.contract.columns
        if header_of(column) in fields
    }
    unreadable = [
        column.name
        for column in pipe.contract.columns
        if values.get(column.name) not in (None, "")
        and session.value(f"select {_typed(column, values)}") is None
    ]
    names = [column.name for column in pipe.contract.columns]
    missing = tuple(name for name in names if name not in values)
    aligned = form.marks is None or fields.pop("", None) is None
    return Parsed(values, tuple(unreadable), missing, aligned)


def _of_json(raw: bytes) -> dict[str, str | None]:
    try:
        read = json.loads(raw)
    except ValueError:
        return {}
    if not isinstance(read, dict):
        return {}
    return {
        str(name).lower(): value
        if value is None or isinstance(value, str)
        else json.dumps(value)
        for name, value in read.items()
    }


def _of_csv(raw: bytes, form: RawForm) -> dict[str, str | None]:
    marks = form.marks or {}
    quote = marks.get("field_optionally_enclosed_by", '"')
    rows = csv.reader(
        io.StringIO(raw.decode("utf-8", "replace")),
        delimiter=marks.get("field_delimiter", ","),
        quotechar=None if quote == "none" else quote,
        quoting=csv.QUOTE_NONE if quote == "none" else csv.QUOTE_MINIMAL,
    )
    try:
        row = next(rows, [])
    except csv.Error:
        return {}
    names = [name.strip().lower() for name in form.header]
    odd: dict[str, str | None] = {"": "odd"} if len(row) != len(names) else {}
    return dict(zip(names, row, strict=False)) | odd


def _typed(column: Column, values: Mapping[str, str | None]) -> str:
    value = values.get(column.name)
    if value is None or (value == "" and column.type != "varchar"):
        return f"cast(null as {column.type})"
    return f"try_cast({literal(value)} as {column.type})"


def stand_in(pipe: Pipe, parsed: Parsed, load: Mapping[str, Any], file_row: int) -> str:
    """Return a refused record as a row that bronze would have, as a query."""
    at: datetime = load["version_at"]
    origin = {
        "_file": literal(load["file_name"]),
        "_file_row": str(file_row),
        "_load_seq": str(load["load_seq"]),
        "_version_at": literal(at.isoformat()),
    }
    columns = [
        f"{_typed(each, parsed.values)} as {identifier(each.name)}"
        for each in pipe.contract.columns
    ]
    columns += [
        f"cast({origin.get(name, 'null')} as {kind}) as {name}"
        for name, kind in LOAD_COLUMNS.items()
    ]
    return f"(select {', '.join(columns)})"


def would_become(
    session: Session, models: Models, nodes: Sequence[Node], record: str
) -> list[Would]:
    """Return what silver would make of a record, and what that touches in gold."""
    found = []
    for node in nodes:
        session.execute(
            f"create or replace temp table {WOULD} as "
            + keys_of_record(models, node, record)
        )
        keys = list(node.unique_key)
        if not keys:
            continue
        (row,) = session.rows(f"select {listed(keys)} from {WOULD}") or [()]  # noqa: S608
        if not row or None in row:
            found.append(Would(node.key, dict(zip(keys, row, strict=False)), False))
            continue
        matching = " and ".join(f'there."{key}" = made."{key}"' for key in keys)
        there = session.value(
            f"select count(*) from {name_of(node.key)} as there "  # noqa: S608
            f"join {WOULD} as made on {matching}"
        )
        touches = [
            touched
            for reader in models.graph.nodes.values()
            if (touched := _touched(session, models, reader, node.key)) is not None
        ]
        would = Would(node.key, dict(zip(keys, row, strict=True)), bool(there), touches)
        found.append(would)
    return found


def _touched(
    session: Session, models: Models, reader: Node, streamed: str
) -> dict[str, Any] | None:
    """Return the groups of one model that rows like those in WOULD would touch."""
    if reader.materialized != "affected_keys":
        return None
    if streamed not in [each.key for each in models.tables_read(reader)]:
        return None
    plan = models.plan(session, reader)
    if plan.reason or streamed not in plan.streamed:
        return None
    streams = {
        number: WOULD
        if each.key == streamed
        else f"(select * from {each.sql} where false)"  # noqa: S608
        for number, each in enumerate(plan.relations)
    }
    groups = list(reader.affected_by)
    session.execute(
        f"create or replace temp table {AFFECTED_ROWS.removeprefix('temp.')} as "  # noqa: S608
        f"select distinct {listed(groups)} from "
        f"({with_scans(plan.touched, streams)}) where {listed(groups[:1])} is not null"
    )
    rows = session.rows(f"select * from {AFFECTED_ROWS} order by all limit 20")  # noqa: S608
    there = (
        session.value(
            f"select count(*) from {name_of(reader.key)} "  # noqa: S608
            f"where ({listed(groups)}) in (select * from {AFFECTED_ROWS})"
        )
        if columns_of(session, reader.key)
        else 0
    )
    return {
        "model": reader.key,
        "keys": [dict(zip(groups, row, strict=True)) for row in rows],
        "rows_there": there,
    }
