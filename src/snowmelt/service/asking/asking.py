"""Queries of the SQL page: who may ask, where it runs, what comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.gold.relations import list_columns
from snowmelt.serve.commands import Document
from snowmelt.serve.questions import SQL_LENGTH_MAX, Answer, Download
from snowmelt.serve.spreadsheet import write_csv_file, write_xlsx_file
from snowmelt.serve.users import Role
from snowmelt.service.asking.card import card_yaml
from snowmelt.service.asking.copies import Copies
from snowmelt.service.asking.engines import (
    Engine,
    InChild,
    InWarehouse,
    Limits,
    Places,
    first_rows,
)
from snowmelt.service.asking.readable import (
    all_schemas,
    published_schemas,
    readable_tables,
)
from snowmelt.service.asking.veil import NoVeil, Veil
from snowmelt.service.parts import Parts
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.question import QuestionError

_WRITERS = {"csv": write_csv_file, "xlsx": write_xlsx_file}


class Asking:
    """Answers the SQL page. See `snowmelt.serve.questions.Questions`.

    Who reaches the pages from this machine alone, and may act, asks the warehouse as
    it is. Everybody else asks a child, which has a copy of what is published.
    """

    def __init__(self, parts: Parts, veil: Veil | None = None) -> None:
        self._parts = parts
        self._config = parts.project.settings.serve
        self._places = Places()
        self._here = InWarehouse(parts, all_schemas(parts.project))
        copies = {
            Role.OPERATOR: Copies(parts, NoVeil(), "operators"),
            Role.VIEWER: Copies(parts, veil or NoVeil(), "viewers"),
        }
        self._apart = {role: InChild(parts, each) for role, each in copies.items()}

    def refusal(self, role: Role) -> str:
        who = self._config.sql
        if who == "off":
            return "Queries are switched off: serve: {sql: off} in snowmelt.yml."
        if role is not Role.OPERATOR and who != "viewers":
            return "Operators ask queries. serve: {sql: viewers} lets viewers ask, too."
        return ""

    def _engine(self, role: Role) -> Engine:
        if told := self.refusal(role):
            raise UsageError("sql", told)
        is_here = role is Role.OPERATOR and self._config.is_loopback
        return self._here if is_here else self._apart[role]

    def _schemas(self, role: Role) -> list[str]:
        project = self._parts.project
        is_here = self._engine(role) is self._here
        return all_schemas(project) if is_here else published_schemas(project)

    def tables(self, role: Role) -> Document:
        schemas = self._schemas(role)
        with self._parts.warehouse.snapshot() as session:
            found = readable_tables(session, schemas)
        listed = [
            {
                "name": schema,
                "tables": [
                    {"name": table, "rows": rows}
                    for each, table, rows in found
                    if each == schema
                ],
            }
            for schema in schemas
        ]
        return {
            "place": self._engine(role).place,
            "schemas": [each for each in listed if each["tables"]],
            "seconds": self._config.sql_timeout.total_seconds(),
            "rows_max": self._config.sql_rows_max,
        }

    def columns(self, role: Role, name: str) -> list[Document]:
        schemas = self._schemas(role)
        with self._parts.warehouse.snapshot() as session:
            known = {(s, t) for s, t, _ in readable_tables(session, schemas)}
            schema, _, table = name.partition(".")
            if (schema, table) not in known:
                raise UsageError(name[:80], "there is no such table")
            found = list_columns(session, schema, table)
        return [{"name": column, "type": kind} for column, kind in found]

    def ask(self, role: Role, sql: str, rows_max: int) -> Answer:
        engine, limits = self._engine(role), self._limits(rows_max + 1)
        began = self._parts.clock.monotonic()
        _require_short(sql)
        with self._places.taken(), engine.flow(sql, limits) as flow:
            rows, more = first_rows(flow, rows_max)
        seconds = self._parts.clock.monotonic() - began
        return Answer(
            columns=flow.columns,
            types=flow.types,
            rows=rows,
            more=more,
            seconds=seconds,
            run_id=flow.run_id,
            place=engine.place,
        )

    @contextmanager
    def download(self, role: Role, sql: str, kind: str) -> Iterator[Download]:
        engine, limits = self._engine(role), self._limits(self._config.sql_rows_max)
        _require_short(sql)
        spool = self._parts.project.spool
        with tempfile.TemporaryDirectory(prefix="answer-", dir=spool) as folder:
            path = Path(folder) / f"answer.{kind}"
            target = path if kind == "parquet" else None
            with self._places.taken(), engine.flow(sql, limits, target) as flow:
                if target is None:
                    _WRITERS[kind](flow, path, limits.rows_max)
                else:
                    for _ in flow.rows:
                        pass  # a child says that it is done
            yield Download(path, flow.run_id)

    def card(self, role: Role, sql: str) -> str:
        answer = self.ask(role, sql, 1)
        files, path = self._parts.files, self._parts.project.root / RECORDINGS
        graph = files.graph() if files is not None else load_recordings(path).graph
        nodes = graph.nodes.values() if graph else ()
        relations = {node.key.lower(): node.name for node in nodes if node.relation}
        columns = list(zip(answer.columns, answer.types, strict=True))
        rows = 2 if answer.more else len(answer.rows)
        return card_yaml(sql, columns, relations, rows)

    def _limits(self, rows_max: int) -> Limits:
        seconds = self._config.sql_timeout.total_seconds()
        return Limits(rows_max, seconds, self._config.sql_memory_bytes)


def _require_short(sql: str) -> None:
    if len(sql) > SQL_LENGTH_MAX:
        problem = f"a query has at most {SQL_LENGTH_MAX:,} characters here"
        raise QuestionError(problem, "A terminal takes any: snowmelt sql …")
    if "\0" in sql or not sql.strip():
        raise QuestionError("there is no query")
