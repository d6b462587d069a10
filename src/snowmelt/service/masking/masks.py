"""Masks over the parts that answers are made of: loads, rejects, rows, messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from snowmelt.bronze.table import LOAD_COLUMNS
from snowmelt.serve.commands import Document
from snowmelt.service.masking.personal import Personal
from snowmelt.service.masking.texts import (
    WHOLE_MASKED,
    RecordMask,
    masked_row,
    masked_text,
    masked_value,
)
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session

_COUNTED = ("n_records", "num_rows", "row_count")
_OF_COLUMN = ("unique_field", "value_field", "from_field")
"""What dbt's own tests call the value of the column that they test."""
_FREE = frozenset(
    (
        *("error", "message", "error_message", "problem", "reason", "details"),
        *("evidence", "told", "answer", "body", "text", "what", "why"),
        *("first_error_message", "cause", "causes", "detail", "summary", "lines"),
    )
)
"""Keys of texts that may tell values, in documents that have many forms."""
_TOLD = ("_error", "_message", "_problem", "_reason", "problems", "reasons")
"""How other keys of such texts end."""
_VALUES = frozenset(
    (
        *("value", "values", "row", "rows", "example", "examples", "sample"),
        *("samples", "record", "records", "payload", "return_value", "result"),
        *("config", "raw"),
    )
)
"""Keys of values themselves, whatever they are."""
_COUNTS = ("rows", "records")
_NAMES = ("name", "type", "rule", "kind", "state", "severity", "sink", "about")
_OWN = {*_VALUES, *_NAMES}


def _is_free(name: str) -> bool:
    return name in _FREE or name.endswith(_TOLD)


class Masks:
    """What is known while one answer is masked."""

    def __init__(
        self, personal: Personal, session: Session, graph: Callable[[], Graph | None]
    ) -> None:
        self.personal = personal
        self._session = session
        self._graph = graph
        self._headers: dict[int, str | None] = {}
        self._tests: dict[str, Node] | None = None

    # Messages.

    def text(self, holder: Document, *names: str) -> None:
        """Mask messages of a document, where they are there."""
        for name in names:
            if name in holder:
                holder[name] = masked_text(holder[name])

    def text_after_name(self, holder: Document, name: str) -> None:
        """Mask a message, but for a name that stands before it with a colon."""
        before, colon, rest = str(holder[name]).partition(": ")
        if colon:
            holder[name] = f"{before}: {masked_text(rest)}"
        else:
            holder[name] = masked_text(before)

    def free(self, found: Any, name: str = "") -> Any:
        """Return a document of any form with every text masked that may tell values."""
        if name in _VALUES:
            is_count = name in _COUNTS and isinstance(found, int)
            return found if is_count else _all_masked(found)
        if isinstance(found, dict):
            inside = _is_free(name)
            return {
                key: value
                if str(key).endswith("_at") or key == "since"  # an instant of ours
                else self.free(value, name if inside and key not in _OWN else key)
                for key, value in found.items()
            }
        if isinstance(found, list):
            return [self.free(each, name) for each in found]
        if isinstance(found, str) and _is_free(name):
            return masked_text(found)
        return found

    # Files.

    def loads(self, loads: Iterable[Document]) -> None:
        """Mask what load records tell of values."""
        for load in loads:
            of_pipe = self.personal.pipes.get(load.get("pipe_name", ""))
            if of_pipe is None or of_pipe.is_personal:
                self.text(load, "first_error_message")

    def rejects(self, rejects: Iterable[Document], load: Document | None) -> None:
        """Mask refused records. `load`: their load's record, if they do not name it."""
        rejects = list(rejects)
        self._read_headers(
            each.get("load_seq", (load or {}).get("load_seq")) for each in rejects
        )
        for each in rejects:
            load_seq = each.get("load_seq", (load or {}).get("load_seq"))
            pipe = each.get("pipe_name", (load or {}).get("pipe_name"))
            self.reject(each, pipe, load_seq)

    def reject(self, reject: Document, pipe: Any, load_seq: Any) -> None:
        """Mask one refused record, and what is told of it."""
        of_pipe = self.personal.pipes.get(str(pipe))
        if of_pipe is not None and not of_pipe.is_personal:
            return
        wrong = [each["column_name"] for each in reject.get("errors", ())]
        name = "rejected_record" if "rejected_record" in reject else "record"
        reject.pop("rejected_record_base64", None)
        reject[name] = self.record(reject[name], pipe, load_seq, wrong)
        self.text(reject, "error")
        for each in reject.get("errors", ()):
            self.text(each, "error")

    def record(
        self, raw: str | None, pipe: Any, load_seq: Any, wrong: Iterable[Any] = ()
    ) -> str | None:
        """Return a raw record with its fields masked that not everybody may see."""
        if raw is None:
            return None
        of_pipe = self.personal.pipes.get(str(pipe))
        if of_pipe is None:
            return WHOLE_MASKED
        if not of_pipe.is_personal:
            return raw
        self._read_headers([load_seq])
        fields = {of_pipe.column_of.get(str(each), str(each)) for each in wrong if each}
        if any(each is None for each in wrong):
            return WHOLE_MASKED
        header = self._headers.get(load_seq)
        return RecordMask(of_pipe.open_fields, header).mask(raw, fields)

    def _read_headers(self, loads: Iterable[Any]) -> None:
        wanted = {each for each in loads if each is not None} - set(self._headers)
        if wanted:
            self._headers |= dict.fromkeys(wanted)
            self._headers |= dict(
                self._session.rows(
                    "select load_seq, header from snowmelt.load_history "
                    "where load_seq in (select unnest($1::json::bigint[]))",
                    [sorted(wanted)],
                )
            )

    def pipe_of(self, table: str) -> str:
        """Return the pipe that loads a bronze table; empty if none does."""
        return next(
            (
                name
                for name, each in self.personal.pipes.items()
                if each.table == table.lower()
            ),
            "",
        )

    # Rows.

    def row(self, row: Document, *relations: str) -> Document:
        """Return a row with the columns masked that are masked in any relation."""
        return masked_row(row, lambda name: self._is_masked(name, relations))

    def cells(
        self, columns: list[str], rows: list[list[Any]], masked: set[str]
    ) -> list[list[Any]]:
        """Return rows of a result with the cells of masked columns masked."""
        places = [place for place, name in enumerate(columns) if name.lower() in masked]
        for row in rows:
            for place in places:
                row[place] = masked_value(row[place])
        return rows

    def _is_masked(self, name: str, relations: Iterable[str]) -> bool:
        """Is a column masked in any of these relations, or in none of them known?"""
        if name.lower() in LOAD_COLUMNS:
            return False
        known = [
            each
            for each in relations
            if name.lower() in self.personal.carried.tables.get(each.lower(), {})
        ]
        return not known or any(self.personal.is_masked(each, name) for each in known)

    def failures(self, failures: Iterable[Document]) -> None:
        """Mask what failing tests tell, and their failing rows."""
        for each in failures:
            self.text(each, "message")
            each["rows"] = self.failing_rows(each["node"], each.get("rows", []))

    def failing_rows(self, test: str, rows: list[Any]) -> list[Any]:
        """Return the failing rows of a test with what is about persons masked."""
        node = self._test(test)
        if node is None:
            return [self._unknown(row) for row in rows]
        graph = self._graph() or Graph((), ())
        read = [
            graph.nodes[each].key if each in graph.nodes else _source(graph, each)
            for each in node.parents
        ]
        if read and not any(self.personal.masked(each) for each in read if each):
            return rows
        about = node.test or {}
        column = str((about.get("arguments") or {}).get("column_name") or "")
        of = graph.nodes.get(str(about.get("of")))

        def is_masked(name: str) -> bool:
            if name.lower() in _COUNTED:
                return False
            if name.lower() in _OF_COLUMN and of is not None and column:
                return self.personal.is_masked(of.key, column.strip('"'))
            return self._is_masked(name, read)

        return [
            masked_row(row, is_masked) if isinstance(row, dict) else masked_value(row)
            for row in rows
        ]

    def read_by(self, model: str) -> list[str]:
        """Return the relations that a model reads, by its key."""
        graph = self._graph() or Graph((), ())
        return [
            graph.nodes[parent].key if parent in graph.nodes else _source(graph, parent)
            for node in graph.nodes.values()
            if node.key.lower() == model.lower() and not node.is_check
            for parent in node.parents
        ]

    def _unknown(self, row: Any) -> Any:
        """Mask a row of which nobody knows what it is of."""
        if not isinstance(row, dict):
            return masked_value(row)
        return masked_row(row, lambda name: name.lower() not in LOAD_COLUMNS)

    def _test(self, name: str) -> Node | None:
        if self._tests is None:
            graph = self._graph()
            nodes = graph.nodes.values() if graph else ()
            self._tests = {each.name: each for each in nodes if each.is_test}
        return self._tests.get(name)


def _all_masked(found: Any) -> Any:
    """Return a value of any form with every text and figure in it masked."""
    if isinstance(found, dict):
        return {key: _all_masked(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_all_masked(each) for each in found]
    return found if isinstance(found, bool) else masked_value(found)


def _source(graph: Graph, node_id: str) -> str:
    source = graph.sources.get(node_id)
    return f"{source.schema}.{source.table}" if source else ""
