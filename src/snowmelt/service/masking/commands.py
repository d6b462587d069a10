"""What viewers are told: every answer of Commands, with what is about persons masked.

Each verb that may be asked through the pages' port is in one of two lists here: those
that tell no value of a row, and those that are masked. A verb that is in neither is not
answered to viewers as long as a column of the project is about persons.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.cells import MASK
from snowmelt.serve.commands import Commands, Document
from snowmelt.service.masking.masks import Masks
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.masking.queries import masked_query
from snowmelt.service.masking.texts import masked_text, masked_value
from snowmelt.service.pages.lineage import known_graph

if TYPE_CHECKING:
    from snowmelt.service.loop import Loop

Mask = Callable[[Masks, Document], None]
HARMLESS = frozenset(
    (
        *("shell", "tables", "streams", "advise", "dashboards", "lineage"),
        *("pipes", "trace_columns", "catalog", "connections", "cost", "search"),
    )
)
"""Verbs whose answers have names, numbers and times, and no value of a row."""
_OVER_DATA = ("dashboard", "board", "trace", "became", "query", "profile", "table")
"""Verbs whose errors may tell values: they ask the data."""


def _run(masks: Masks, run: Document | None) -> None:
    if run is not None:
        masks.text(run, "error")
        masks.failures(run.get("failures") or [])


def _status(masks: Masks, found: Document) -> None:
    found["problems"] = [masked_text(each) for each in found["problems"]]
    found["warnings"] = [masked_text(each) for each in found["warnings"]]
    for each in found["changed_files"]:
        masks.text(each, "problem")
    found["held"] = masks.free(found["held"])
    found["pending"] = masks.free(found["pending"])
    masks.loads(found["failed"])
    for each in found["checks"]:
        masks.text(each, "message")
    _run(masks, found["last_run"])


def _health(masks: Masks, found: Document) -> None:
    for each in found["attention"]:
        if each["kind"] in ("run", "check", "file", "held"):
            masks.text_after_name(each, "told")
        elif each["kind"] in ("service", "config"):
            masks.text(each, "told")
    _run(masks, found["last_run"])
    masks.loads(found["recent"])


def _files(masks: Masks, found: Document) -> None:
    masks.loads(found["loads"])
    found["held"] = masks.free(found["held"])
    found["pending"] = masks.free(found["pending"])


def _file(masks: Masks, found: Document) -> None:
    masks.rejects(found["rejects"], found["load"])
    masks.loads([found["load"], *found["past"]])
    for each in (*found["groups"], *found["after_load"]):
        masks.text(each, "reason", "error")
    _steps(masks, found)


def _steps(masks: Masks, found: Document) -> None:
    for each in found["steps"]:
        masks.text(each, "error")
        each["details"] = masks.free(each["details"], "details")


def _reject_groups(masks: Masks, found: Document) -> None:
    for each in found["groups"]:
        masks.text(each, "reason")


def _quarantine(masks: Masks, found: Document) -> None:
    for each in found["rows"]:
        each["values"] = masks.row(each["values"], *_of_quarantine(masks, each))


def _quarantine_groups(masks: Masks, found: Document) -> None:
    for each in found["groups"]:
        if isinstance(each.get("example"), dict):
            each["example"] = masks.row(each["example"], *_of_quarantine(masks, each))


def _of_quarantine(masks: Masks, found: Document) -> list[str]:
    """Return the relations that a refused row may be of: its model, what that reads."""
    return [found["model"], *masks.read_by(found["model"])]


def _why(masks: Masks, found: Document) -> None:
    masks.text(found, "answer")
    masks.loads(found.get("loads", []))
    for each in found.get("runs", []):
        masks.text(each, "message", "reason")


def _runs(masks: Masks, found: Document) -> None:
    for each in found["runs"]:
        masks.text(each, "error")


def _run_detail(masks: Masks, found: Document) -> None:
    masks.text(found["run"], "error", "fallback_reason")
    for each in found["nodes"]:
        masks.text(each, "message")
    masks.failures(found["failures"])


def _dashboard(masks: Masks, found: Document) -> None:
    for card in found["cards"]:
        masked = masks.personal.of_query(card["sql"], card["columns"])
        card["rows"] = masks.cells(card["columns"], card["rows"], masked)
        card["masked"] = sorted(masked)


def _board(masks: Masks, found: Document) -> None:
    """Mask cards, and what filters offer; nobody can look for a person by a filter."""
    _dashboard(masks, found)
    for card in found["cards"]:
        comparison = card.get("comparison")
        if comparison and card["masked"]:
            comparison |= {"value": None, "change": None, "difference": None}
        masks.text(card.get("problem") or {}, "problem")
    for each in found["filters"]:
        relation, _, column = each["of"].rpartition(".")
        if not masks.personal.is_masked(relation, column):
            continue
        if each["is_active"]:
            told = "it is about persons: viewers cannot choose by it"
            raise UsageError(each["name"], told)
        if "options" in each:
            each |= {"options": [], "more": False}


def _doctor(masks: Masks, found: Document) -> None:
    """Mask what an account says is wrong with files; this machine tells no values."""
    for each in found["findings"]:
        if each["check"] in ("copies", "task run", "pipe"):
            masks.text(each, "found")


def _publications(masks: Masks, found: Document) -> None:
    for each in found["places"]:
        masks.text(each, "problem")


def _tasks(masks: Masks, found: Document) -> None:
    for name in ("tasks", "task_runs"):
        for each in found.get(name, ()):
            texts = ("error_message", "first_error_message", "last_error", "cause")
            masks.text(each, *texts)
            for key in ("return_value", "result", "last_run"):
                if key in each:
                    each[key] = masks.free(each[key], "details")


def _free(masks: Masks, found: Document) -> None:
    fresh = masks.free(dict(found))
    found.clear()
    found.update(fresh)


def _table(masks: Masks, found: Document) -> None:
    key, sample = found["table"]["key"], found["sample"]
    masked = masks.personal.masked(key)
    for each in found["columns"]:
        each["is_masked"] = each["name"].lower() in masked
    sample["rows"] = masks.cells(sample["columns"], sample["rows"], masked)
    found["key_columns"] = [
        each for each in found["key_columns"] if each.lower() not in masked
    ]


def _profile(masks: Masks, found: Document) -> None:
    masked = masks.personal.masked(found["name"])
    for each in found["columns"]:
        if each["name"].lower() in masked:
            each |= {"min": masked_value(each["min"]), "max": masked_value(each["max"])}
            each["top"] = []
            each["is_masked"] = True


def _quality(masks: Masks, found: Document) -> None:
    for each in found["tests"]:
        masks.text(each, "message")
    for each in found["audits"]:
        masks.text(each, "error")


def _quality_test(masks: Masks, found: Document) -> None:
    test = found["test"]
    masks.text(test, "message")
    found["rows"] = masks.failing_rows(test["test"], found["rows"])
    for each in found["history"]:
        masks.text(each, "message")


def _trace(masks: Masks, found: Document) -> None:
    model = found["model"]
    if "relations" not in found:
        if any(masks.personal.is_masked(model, k) for k in found["key_columns"]):
            found["example"] = f"snowmelt trace {model} --key COLUMN=VALUE"
        return
    found["rows"] = [masks.row(each, model) for each in found["rows"]]
    for relation in found["relations"]:
        key = relation["relation"]
        for row in relation.get("rows") or ():
            if "key" in row:
                row["key"] = masks.row(row["key"], key)
            if "values" in row:
                row["values"] = masks.row(row["values"], key)
                load = row["replayed_from"] or row["load_seq"]
                row["record"] = masks.record(row["record"], masks.pipe_of(key), load)
    for each in (found["versions"] or {}).get("rejects", ()):
        masks.text(each, "error")


def _became(masks: Masks, found: Document) -> None:
    masks.loads(found.get("loads", []))
    for each in found["became"]:
        each["keys"] = [masks.row(key, each["model"]) for key in each["keys"]]
    record = found.get("record")
    if record is None:
        return
    pipe = found.get("pipe_name")
    masks.reject(record, pipe, record["load_seq"])
    of_pipe = masks.personal.pipes.get(str(pipe))
    if record.get("values") is not None:
        table = of_pipe.table if of_pipe else "?"
        wrong = set(record["unreadable"])
        record["values"] = {
            name: MASK if name in wrong and value else value
            for name, value in masks.row(record["values"], table).items()
        }
    for each in (*record.get("silver", ()), *record.get("would", ())):
        if "key" in each:
            each["key"] = masks.row(each["key"], each["model"])
        for touched in each.get("touches", ()):
            touched["keys"] = [
                masks.row(key, touched["model"]) for key in touched["keys"]
            ]


MASKED: dict[str, Mask] = {
    "status": _status,
    "health": _health,
    "history": lambda masks, found: masks.loads(found["loads"]),
    "files": _files,
    "file": _file,
    "log": _steps,
    "rejects": lambda masks, found: masks.rejects(found["rejects"], None),
    "reject_samples": lambda masks, found: masks.rejects(found["rejects"], None),
    "reject_groups": _reject_groups,
    "quarantine": _quarantine,
    "quarantine_groups": _quarantine_groups,
    "why": _why,
    "runs": _runs,
    "run_detail": _run_detail,
    "dashboard": _board,
    "board": _board,
    "publications": _publications,
    "doctor": _doctor,
    "tasks": _tasks,
    "task_history": _tasks,
    "alerts": _free,
    "alert_history": _free,
    "drift": _free,
    **dict.fromkeys(("task_board", "graph_run", "task_detail"), _free),
    **dict.fromkeys(("alert_board", "alert", "deliveries", "drift_board"), _free),
    "table": _table,
    "profile": _profile,
    "quality": _quality,
    "quality_test": _quality_test,
    "trace": _trace,
    "became": _became,
}
"""Verb → what masks its answer, in place."""


class _MaskedCommands:
    """Commands as viewers may ask them."""

    def __init__(self, commands: Commands, loop: Loop) -> None:
        self._commands = commands
        self._loop = loop

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._commands, verb)

        def masked(**arguments: Any) -> Document:
            return self._answer(verb, call, arguments)

        masked.__name__ = f"{verb}, masked"
        return masked

    def _answer(
        self, verb: str, call: Callable[..., Document], arguments: dict[str, Any]
    ) -> Document:
        if verb in HARMLESS:
            return call(**arguments)
        if verb == "query":
            return self._query(call, arguments)
        self._require_open(verb, arguments)
        try:
            answer = call(**arguments)
        except SnowmeltError as error:
            raise self._told(verb, error) from None
        with self._loop.parts.warehouse.snapshot() as session:
            personal = personal_of(self._loop.parts, session)
            if not personal.is_any:
                return answer
            if verb not in MASKED:
                raise UsageError(verb, "its answer is not shown to viewers")
            answer = deepcopy(answer)
            MASKED[verb](
                Masks(personal, session, lambda: known_graph(self._loop)), answer
            )
        return answer

    def _query(
        self, call: Callable[..., Document], arguments: dict[str, Any]
    ) -> Document:
        """Answer a viewer's own query, over masked tables."""
        with self._loop.parts.warehouse.snapshot() as session:
            personal = personal_of(self._loop.parts, session)
        sql = masked_query(personal, arguments["sql"])
        try:
            return call(**arguments | {"sql": sql})
        except SnowmeltError as error:
            raise self._told("query", error) from None

    def _require_open(self, verb: str, arguments: dict[str, Any]) -> None:
        """Raise UsageError for what asks by a value that is masked."""
        if verb != "trace":
            return
        with self._loop.parts.warehouse.snapshot() as session:
            personal = personal_of(self._loop.parts, session)
        given = str(arguments["model"]).lower()
        tables = [
            key
            for key in personal.carried.tables
            if given in (key, key.partition(".")[2])
        ]
        for each in arguments["keys"]:
            column = each.partition("=")[0].strip()
            if any(
                column.lower() in personal.carried.tables[key]
                and personal.is_masked(key, column)
                for key in tables
            ):
                raise UsageError(
                    column,
                    "this column is masked for viewers, and no row is found by it",
                    "Name the row by another column, or ask an operator.",
                )

    def _told(self, verb: str, error: SnowmeltError) -> SnowmeltError:
        """Return an error without the values that it may tell."""
        if verb not in _OVER_DATA:
            return error
        with self._loop.parts.warehouse.snapshot() as session:
            if not personal_of(self._loop.parts, session).is_any:
                return error
        remedy = error.remedy
        if verb == "trace" and "--key" in remedy:
            remedy = "Name the row by columns that are not masked: COLUMN=VALUE."
        return type(error)(error.where, masked_text(error.problem), remedy)


def masked(commands: Commands, loop: Loop) -> Commands:
    """Return commands whose answers anybody who may look may see."""
    return cast("Commands", _MaskedCommands(commands, loop))
