"""What doctor checks of a project's files and of the machine, without a warehouse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.landing.open_stage import open_stage
from snowmelt.project.project import Project
from snowmelt.service.finding import Finding, Level, finding
from snowmelt.service.lagging import check_goals
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.package import PACKAGE, outdated_files
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.memory import machine_memory

_DISK_BYTES_MIN = 1 << 30
_DISK_SHARE_LOW = 0.05


def project_checks(project: Project) -> list[Finding]:
    """Check what can be checked beside the warehouse."""
    checks: tuple[Callable[[Project], Finding], ...]
    checks = (_project, _landing, _macros, _target_lag, _disk, _memory)
    return [check(project) for check in checks]


def _project(project: Project) -> Finding:
    return finding("project", True, f"{len(project.pipes)} pipes")


def _landing(project: Project) -> Finding:
    if not project.lands_locally:
        return _bucket(project)
    folder = project.landing
    if not folder.is_dir():
        return finding(
            "landing", False, f"{folder} is not there", f"Make it: mkdir -p {folder}"
        )
    readable = os.access(folder, os.R_OK | os.X_OK)
    return finding(
        "landing", readable, str(folder), f"Let this user read it: chmod u+rx {folder}"
    )


def _bucket(project: Project) -> Finding:
    stage = open_stage(project.settings.landing, project.root, SystemClock())
    try:
        stage.look("nothing")
    except SnowmeltError as error:
        return finding("landing", False, error.problem, error.remedy)
    return finding("landing", True, stage.location)


def _macros(project: Project) -> Finding:
    """Find out whether the project's copy of our dbt package is this version's."""
    differing = outdated_files(project.root)
    found = f"{len(differing)} files are another version's" if differing else "current"
    return finding(
        "macros", not differing, f"{PACKAGE}: {found}", "Write them: snowmelt upgrade"
    )


def _target_lag(project: Project) -> Finding:
    """Look at the goals of the models, as far as dbt has read them already."""
    recordings = load_recordings(project.root / RECORDINGS)
    graph = recordings.of_project(project_digest(project.root))
    if graph is None:
        return finding("target lag", True, "not known before the next run")
    try:
        odd = check_goals(graph, project.settings.publish.default_lag)
    except SnowmeltError as error:
        return finding("target lag", False, str(error), error.remedy)
    found = "; ".join(odd) if odd else "in order"
    return finding(
        "target lag", not odd, found, "Give a model that readers use a target lag."
    )


def _disk(project: Project) -> Finding:
    folder = project.warehouse_path.parent
    known = shutil.disk_usage(folder if folder.is_dir() else project.root)
    level = Level.PASS
    if known.free < _DISK_SHARE_LOW * known.total:
        level = Level.WARN
    if known.free < _DISK_BYTES_MIN:
        level = Level.FAIL
    return finding(
        "disk",
        level,
        f"{known.free / (1 << 30):.1f} GiB free of {known.total / (1 << 30):.0f}",
        "Free some space: loads fail, and are undone, when the disk is full.",
    )


def _memory(project: Project) -> Finding:
    """Find out what the engine may use, and whether the machine has it."""
    wanted, there = project.settings.warehouse.memory_bytes, machine_memory()
    return finding(
        "memory",
        wanted <= there,
        f"{wanted / 1e9:.1f} of {there / 1e9:.1f} GB for the engine",
        "Set warehouse: {memory_limit: …} in snowmelt.yml to what can be had.",
    )
