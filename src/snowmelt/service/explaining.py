"""Why a file was or was not loaded; why a model was or was not built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.landing.stage import find_hidden
from snowmelt.serve.commands import Document
from snowmelt.service.checking import name_in_stage
from snowmelt.service.documents import HISTORY_COLUMNS, as_documents
from snowmelt.service.loop import Parts
from snowmelt.warehouse.port import Session


def explain(parts: Parts, target: str) -> Document:
    """Explain a file or a model, by what is on record and on disk.

    Raises UsageError when neither knows the name.
    """
    name = name_in_stage(parts, Path(target)) if "/" in target else target
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
    staged = parts.stage.look(name)
    if loads or pending or staged:
        answer = _explain_file(parts, name, loads, pending)
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
        "select run_id, state, reason, status, started_at, message "
        "from snowmelt.node_history join snowmelt.run_history using (run_id) "
        "where node = $1 order by started_at desc limit 5",
        [name],
    )
    return as_documents(columns, rows)


def _explain_file(
    parts: Parts, name: str, loads: list[Document], pending: list[dict[str, Any]]
) -> str:
    if pending:
        return (
            f"It is pending ({pending[0]['state']}) for pipe {pending[0]['pipe_name']}."
        )
    if loads:
        return _explain_load(loads[0])
    hidden = find_hidden(name.split("/"))
    if hidden:
        return f"Names such as '{hidden}' are hidden or temporary: never loaded."
    if parts.pending.pipe_of(name) is None:
        patterns = ", ".join(pipe.pattern for pipe in parts.project.pipes)
        return f"No pipe's pattern matches its path. Patterns: {patterns}."
    return "It has not been offered yet. Load it with: snowmelt run"


def _explain_load(load: Document) -> str:
    status, seq = load["status"], load["load_seq"]
    if load["superseded_by"] is not None and load["duplicate_of"] is None:
        return f"Load {load['superseded_by']} of the same name replaced these rows."
    if status == "Load skipped":
        return (
            f"Its bytes are those of load {load['duplicate_of']}: loading them again "
            "would double the rows. It loads by itself when that load is superseded."
        )
    if status == "Load failed":
        return (
            f"{load['first_error_message']} (on_error: {load['error_limit']}). "
            "Correct the file, or the pipe: then it is tried again by itself."
        )
    rejected = (
        f"; {load['error_count']} records were rejected, see: snowmelt rejects "
        f"--file {load['file_name']}"
        if load["error_count"]
        else ""
    )
    return f"Load {seq} copied {load['row_count']} rows of it{rejected}."


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
