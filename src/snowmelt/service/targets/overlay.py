"""Puts what an account tells into the documents that are made from its history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snowmelt.deploy.harvest.scope import Scope
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.pages.health import verdict_of
from snowmelt.service.targets.conditions_there import judge_conditions
from snowmelt.service.targets.facts import (
    Facts,
    Told,
    problems_of,
    stale_of,
    stream_documents,
    warnings_of,
)
from snowmelt.service.targets.refusing import command_there

Overlay = Callable[[Facts, Scope, Document], Document]


def shell_of(facts: Facts, shell: Document) -> None:
    """Put beside every page how many files wait, and a publication of no run."""
    shell["pending"] = facts.pending
    if facts.by_hand is not None:
        shell |= {"run_id": None, "published_at": plain(facts.by_hand)}


def point_there(found: Any, scope: Scope) -> None:
    """Let every command that a document names be the one that helps on the target."""
    if isinstance(found, list):
        for each in found:
            point_there(each, scope)
    elif isinstance(found, dict):
        for key, value in found.items():
            if key == "command" and isinstance(value, str):
                found[key] = command_there(value, scope)
            else:
                point_there(value, scope)


def _pipes(facts: Facts, scope: Scope, document: Document) -> Document:
    for pipe in document["pipes"]:
        status = facts.statuses.get(pipe["pipe_name"])
        if status is not None:
            pipe["execution_state"] = status.get("executionState", "RUNNING")
            pipe["pending"] = status.get("pendingFileCount", 0)
            pipe["oldest_pending"] = status.get("oldestFileTimestamp")
    return document


def _status(facts: Facts, scope: Scope, document: Document) -> Document:
    _pipes(facts, scope, document)
    for pipe in document["pipes"]:
        pipe["pipe_status"] = facts.statuses.get(pipe["pipe_name"], pipe["pipe_status"])
    document["problems"] += _lines([*problems_of(facts), *stale_of(facts)])
    document["warnings"] += _lines(warnings_of(facts))
    document["tasks"]["publishes"] = _tasks_publish(scope)
    document["target"] = facts.target
    document["limits"] = {}
    return document


def _tasks_publish(scope: Scope) -> bool:
    """Do the account's tasks build, or a machine that follows it?"""
    return scope.names.target.runner == "tasks"


def _streams(facts: Facts, scope: Scope, document: Document) -> Document:
    return {
        "schema_version": SCHEMA_VERSION,
        "streams": stream_documents(facts),
        "target": facts.target,
    }


def _tasks(facts: Facts, scope: Scope, document: Document) -> Document:
    """Tell the tasks that are in the account; what is there alone is told, too."""
    judge_conditions(facts, document["conditions"])
    there = {each["name"]: each for each in facts.tasks}
    known = document["tasks"]
    if document["is_default"]:
        known = [_task_there(each, scope) for each in facts.tasks]
        document |= {"is_default": False, "limits": {}}
        root = next((each for each in scope.tasks if each.name == each.root), None)
        if root is not None:
            document["root"] = root.name
            document["schedule"] = root.schedule or f"when {root.when}"
    for task in known:
        told = there.get(task["name"])
        task["state"] = told["state"] if told else "not there"
        if told and told["last_suspended_reason"]:
            task["reason"] = told["last_suspended_reason"]
    told = {"publishes": _tasks_publish(scope), "target": facts.target}
    return document | {"tasks": known} | told


def _task_there(task: Document, scope: Scope) -> Document:
    of = {each.name: each for each in scope.tasks}.get(task["name"])
    nothing: dict[str, Any] = dict.fromkeys(
        (
            *("finalize", "timeout_seconds", "suspended_by", "reason", "since"),
            *("last_state", "last_scheduled_at", "last_started_at", "last_ended_at"),
            *("last_error", "next_time"),
        )
    )
    return nothing | {
        "name": task["name"],
        "kind": of.kind if of else "sql",
        "text": task["path"],
        "after": list(of.after) if of else [],
        "when": task["condition"],
        "state": task["state"],
    }


def _health(facts: Facts, scope: Scope, document: Document) -> Document:
    attention = document["attention"]
    doctor = command_there("snowmelt doctor", scope)
    for level, lines in (
        ("bad", problems_of(facts)),
        ("warn", [*stale_of(facts), *warnings_of(facts)]),
    ):
        attention += [
            {
                "level": level,
                "kind": "service",
                "name": "",
                "told": told[:1].upper() + told[1:],
                "command": remedy or doctor,
            }
            for told, remedy in lines
        ]
    attention.sort(key=lambda each: each["level"] != "bad")
    document["verdict"] = verdict_of(attention, document["last_run"])
    return document | {"target": facts.target}


def _lines(told: list[Told]) -> list[str]:
    return [f"{what}. {remedy}" if remedy else what for what, remedy in told]


def _board(facts: Facts, scope: Scope, document: Document) -> Document:
    document["streams"] = stream_documents(facts)
    judge_conditions(facts, document["conditions"])
    return document


def _task(facts: Facts, scope: Scope, document: Document) -> Document:
    if document["condition"] is not None:
        judge_conditions(facts, [document["condition"]])
    return document


def _search(facts: Facts, scope: Scope, document: Document) -> Document:
    """Leave out what only this machine has a page of: tables and their columns."""
    for kind in ("tables", "columns"):
        document[kind], document["counts"][kind] = [], 0
    return document


OVERLAYS: dict[str, Overlay] = {
    "pipes": _pipes,
    "search": _search,
    "status": _status,
    "streams": _streams,
    "tasks": _tasks,
    "health": _health,
    "task_board": _board,
    "task_detail": _task,
}
