"""Why a file was or was not loaded; why a model was or was not built."""

from __future__ import annotations

from shlex import quote
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.landing.stage import StagedFile, find_hidden
from snowmelt.pipe.file_format import GUESSED_ENCODING, NOT_UTF8
from snowmelt.pipe.scope import is_forgotten
from snowmelt.serve.commands import Document
from snowmelt.service.documents import HISTORY_COLUMNS, as_documents
from snowmelt.service.parts import Parts
from snowmelt.service.questions import name_in_stage
from snowmelt.service.standing import waiting_reasons
from snowmelt.warehouse.port import Session


def explain(parts: Parts, target: str) -> Document:
    """Explain a file or a model, by what is on record and on disk.

    Raises UsageError when neither knows the name.
    """
    name = name_in_stage(parts, target)
    with parts.warehouse.snapshot() as session:
        loads = _loads(session, name)
        nodes = _nodes(session, target.rpartition(".")[2])
    document: Document = {"schema_version": 1, "target": target}
    pending = [
        each
        for each in parts.pending.states()
        if str(each["file_name"]).rpartition("/")[2] == name
        or each["file_name"] == name
    ]
    staged = parts.stage.look(loads[0]["file_name"] if loads else name)
    if loads or pending or staged:
        answer = _explain_file(parts, name, loads, pending, staged)
        return document | {"kind": "file", "answer": answer, "loads": loads}
    if nodes:
        return document | {
            "kind": "model",
            "answer": _explain_node(nodes),
            "runs": nodes,
        }
    raise UsageError(
        target,
        "no file in the landing folder, no load and no model has this name",
        "See: snowmelt status, snowmelt history.",
    )


def _loads(session: Session, name: str) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
        "where file_name = $1 or ends_with(file_name, '/' || $1) "
        "order by load_seq desc limit 20",
        [name],
    )
    return as_documents(HISTORY_COLUMNS, rows)


def _nodes(session: Session, name: str) -> list[Document]:
    columns = ("run_id", "run_state", "reason", "status", "started_at", "message")
    rows = session.rows(
        "select run_id, run.state, run.reason, node.status, run.started_at, "
        "node.message from snowmelt.node_history as node "
        "join snowmelt.run_history as run using (run_id) "
        "where node.node = $1 order by run.started_at desc limit 5",
        [name],
    )
    return as_documents(columns, rows)


def _explain_file(
    parts: Parts,
    name: str,
    loads: list[Document],
    pending: list[dict[str, Any]],
    staged: StagedFile | None,
) -> str:
    if pending:
        return _explain_pending(parts, pending[0])
    pipe = parts.pending.pipe_of(name)
    if loads:
        told = _explain_load(loads[0])
        if loads[0]["status"] == "Load failed":
            told += _what_helps(parts, loads[0])
        return told + _explain_absence(parts, loads, staged)
    hidden = find_hidden(name.split("/"))
    if hidden:
        return f"Names such as '{hidden}' are hidden or temporary: never loaded."
    if pipe is None:
        patterns = ", ".join(pipe.pattern for pipe in parts.project.pipes)
        return (
            f"No pipe's pattern matches its path. Patterns: {patterns}. "
            "Rename it, or give a pipe a pattern that matches."
        )
    if staged and is_forgotten(staged, pipe, parts.clock.now()):
        return (
            "It was staged more than 7 days ago: under snowpipe_compat no listing "
            f"offers it any more. Load it with: snowmelt reload {name}"
        )
    return "It has not been offered yet. Load it with: snowmelt run"


def _explain_pending(parts: Parts, pending: dict[str, Any]) -> str:
    """Say what a pending file waits for, if it is not just its turn."""
    name, pipe_name = str(pending["file_name"]), str(pending["pipe_name"])
    pipe = next(each for each in parts.project.pipes if each.name == pipe_name)
    told = f"It is pending ({pending['state']}) for pipe {pipe_name}."
    with parts.warehouse.snapshot() as session:
        return " ".join([told, *waiting_reasons(session, parts, name, pipe)])


def _what_helps(parts: Parts, load: Document) -> str:
    """Say what makes a file that failed be tried again."""
    if parts.project.target_name:
        return (
            " Snowpipe does not try a name again for 14 days: correct the file and put "
            "it under another name; or correct the pipe and deploy it, which tries "
            "again what failed."
        )
    pipe = next((p for p in parts.project.pipes if p.name == load["pipe_name"]), None)
    if pipe is None or not pipe.snowpipe_compat:
        return " Correct the file, or the pipe: then it is tried again by itself."
    return (
        " Under snowpipe_compat its name stays known for 14 days: correct the pipe or "
        f"the file, then: snowmelt reload {load['file_name']}"
    )


def _explain_absence(
    parts: Parts, loads: list[Document], staged: StagedFile | None
) -> str:
    """Say why a file that was loaded is not in the stage, if that is known."""
    if staged is not None or parts.project.target_name:
        return ""
    with parts.warehouse.snapshot() as session:
        rows = session.rows(
            "select action, target, state, error from snowmelt.after_load "
            "where load_seq in (select unnest($1::json::bigint[])) "
            "order by load_seq desc limit 1",
            [[load["load_seq"] for load in loads]],
        )
    if not rows or rows[0][2] != "done" or rows[0][3]:
        return " It does not lie in the stage any more; its rows stay."
    action, target, *_ = rows[0]
    moved = f"archived below {target}" if action == "archive" else "purged"
    return f" Afterwards it was {moved}, as its pipe says (after_load)."


def _explain_load(load: Document) -> str:
    status, seq = load["status"], load["load_seq"]
    if load["superseded_by"] is not None and load["duplicate_of"] is None:
        return f"Load {load['superseded_by']} of the same name replaced these rows."
    if status == "Load skipped" and load["duplicate_of"] is None:
        return (
            f"It was {load['first_error_message']}. Load it all the same with: "
            f"snowmelt reload {load['file_name']}"
        )
    if status == "Load skipped":
        return (
            f"Its bytes are those of load {load['duplicate_of']}: loading them again "
            "would double the rows. It loads by itself when that load is superseded."
        )
    if status == "Load failed":
        return _explain_failure(load)
    rejected = (
        f"; {load['error_count']} records were rejected, see: snowmelt rejects "
        f"--file {load['file_name']}"
        if load["error_count"]
        else ""
    )
    return f"Load {seq} copied {load['row_count']} rows of it{rejected}."


def _explain_failure(load: Document) -> str:
    """Say what is wrong with a file, where it is, and which command shows the rest."""
    told = str(load["first_error_message"])
    column, line = load["first_error_column_name"], load["first_error_line_number"]
    if column is not None:
        told = f"column {column}: {told}"
    if line is not None:
        told = f"Line {line}: {told}"
    told += f" (on_error: {load['error_limit']})."
    if load["first_error_message"] == NOT_UTF8:
        told += (
            " If it is Latin-1, or of an older Windows, say so in the pipe: "
            f"file_format.encoding: {GUESSED_ENCODING}."
        )
    if load["error_count"]:
        count = int(load["error_count"])
        records = "1 record was" if count == 1 else f"{count:,} records were"
        file = quote(str(load["file_name"]))
        told += f" {records} refused: snowmelt rejects --file {file}."
    return told


def _explain_node(nodes: list[Document]) -> str:
    newest = nodes[0]
    built = f"The last run that chose it began at {newest['started_at']}"
    why = f"because of {newest['reason']}"
    if newest["run_state"] == "SUCCEEDED":
        return f"{built} {why}; it ended as {newest['status']} and was published."
    return (
        f"{built} {why}; it ended as {newest['status']}, and the run was rolled back: "
        "readers keep the run before."
    )
