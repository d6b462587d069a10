"""Is this machine, and this project, fit to run? Each finding has its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Events
from snowmelt.landing.open_stage import open_stage
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.project.project import Project, load_project
from snowmelt.serve.client import connect_service
from snowmelt.service.alert_findings import alert_findings
from snowmelt.service.lagging import check_goals
from snowmelt.service.opening import opened
from snowmelt.service.publishing.verbs import publish_findings
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.package import PACKAGE, outdated_files
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import standings
from snowmelt.warehouse.memory import machine_memory

Finding = dict[str, Any]
_DISK_BYTES_MIN = 1 << 30


def diagnose(directory: Path) -> list[Finding]:
    """Check the interpreter, the packages, and the project if there is one."""
    findings = [_python(), *(_package(name) for name in ("duckdb", "dbt-duckdb"))]
    try:
        project = load_project(directory)
    except SnowmeltError as error:
        return [*findings, _finding("project", False, error.problem, str(error))]
    findings.append(_finding("project", True, f"{len(project.pipes)} pipes"))
    checks: list[Callable[[Project], Finding]]
    checks = [_landing, _macros, _target_lag, _disk, _memory, _warehouse]
    checks += [_tasks] if project.settings.tasks else []
    found = [check(project) for check in checks]
    return [*findings, *found, *alert_findings(project), *publish_findings(project)]


def _finding(check: str, ok: bool, found: str, remedy: str = "") -> Finding:
    return {"check": check, "ok": ok, "found": found, "remedy": remedy}


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return _finding(
        "python", ok, platform.python_version(), "Snowmelt needs Python 3.11 or newer."
    )


def _package(name: str) -> Finding:
    try:
        return _finding(name, True, version(name))
    except PackageNotFoundError:
        return _finding(name, False, "missing", f"Install it: pip install {name}")


def _landing(project: Project) -> Finding:
    if not project.lands_locally:
        return _bucket(project)
    folder = project.landing
    if not folder.is_dir():
        return _finding(
            "landing", False, f"{folder} is not there", f"Make it: mkdir -p {folder}"
        )
    readable = os.access(folder, os.R_OK | os.X_OK)
    return _finding(
        "landing", readable, str(folder), f"Let this user read it: chmod u+rx {folder}"
    )


def _bucket(project: Project) -> Finding:
    stage = open_stage(project.settings.landing, project.root, SystemClock())
    try:
        stage.look("nothing")
    except SnowmeltError as error:
        return _finding("landing", False, error.problem, error.remedy)
    return _finding("landing", True, stage.location)


def _macros(project: Project) -> Finding:
    """Find out whether the project's copy of our dbt package is this version's."""
    differing = outdated_files(project.root)
    found = f"{len(differing)} files are another version's" if differing else "current"
    return _finding(
        "macros", not differing, f"{PACKAGE}: {found}", "Write them: snowmelt upgrade"
    )


def _target_lag(project: Project) -> Finding:
    """Look at the goals of the models, as far as dbt has read them already."""
    recordings = load_recordings(project.root / RECORDINGS)
    graph = recordings.of_project(project_digest(project.root))
    if graph is None:
        return _finding("target lag", True, "not known before the next run")
    try:
        odd = check_goals(graph, project.settings.publish.default_lag)
    except SnowmeltError as error:
        return _finding("target lag", False, str(error), error.remedy)
    found = "; ".join(odd) if odd else "in order"
    return _finding(
        "target lag", not odd, found, "Give a model that readers use a target lag."
    )


def _disk(project: Project) -> Finding:
    free = shutil.disk_usage(project.root).free
    return _finding(
        "disk",
        free >= _DISK_BYTES_MIN,
        f"{free / (1 << 30):.1f} GiB free",
        "Free some space: loads fail, and are undone, when the disk is full.",
    )


def _memory(project: Project) -> Finding:
    """Find out what the engine may use, and whether the machine has it."""
    wanted, there = project.settings.warehouse.memory_bytes, machine_memory()
    return _finding(
        "memory",
        wanted <= there,
        f"{wanted / 1e9:.1f} of {there / 1e9:.1f} GB for the engine",
        "Set warehouse: {memory_limit: …} in snowmelt.yml to what can be had.",
    )


def _tasks(project: Project) -> Finding:
    """Find out whether a task was suspended because it failed too often."""
    graph = TaskGraph(project.settings.tasks)
    with connect_service(project.socket) as client:
        if client is not None:
            told = client.status()["tasks"]["suspended"]
            failing = [each["task"] for each in told if each["by"] == "failures"]
            return _judged(graph, failing)
    try:
        with (
            opened(project, SystemClock(), Events()) as parts,
            parts.warehouse.snapshot() as session,
        ):
            known = standings(session, graph).items()
    except SnowmeltError as error:
        return _finding("tasks", False, error.problem, error.remedy)
    suspended = [name for name, each in known if each.suspended]
    return _judged(
        graph, [name for name in suspended if dict(known)[name].by == "failures"]
    )


def _judged(graph: TaskGraph, failing: list[str]) -> Finding:
    found = f"{len(graph.tasks)} tasks"
    if not failing:
        return _finding("tasks", True, found)
    return _finding(
        "tasks",
        False,
        f"{', '.join(failing)}: suspended, because it failed too often",
        f"See snowmelt tasks history, then: snowmelt tasks resume {failing[0]}",
    )


def _warehouse(project: Project) -> Finding:
    with connect_service(project.socket) as client:
        if client is not None:
            pid = client.status()["service"]["pid"]
            return _finding("warehouse", True, f"owned by the service, pid {pid}")
    try:
        with opened(project, SystemClock(), Events()) as parts:
            with parts.warehouse.snapshot() as session:
                loads = session.value("select count(*) from snowmelt.load_history")
                require_unchanged(kept_files(session), project.external)
            return _finding("warehouse", True, f"opens; {loads} loads on record")
    except SnowmeltError as error:
        return _finding("warehouse", False, error.problem, error.remedy)
