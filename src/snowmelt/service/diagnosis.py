"""Doctor asked from a command line: of a service that runs, else of the project.

The document is the same whoever makes it. Where neither a service nor the warehouse
answers it holds what can be known without them.
"""

from __future__ import annotations

from pathlib import Path

from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Events
from snowmelt.project.project import Project, load_project
from snowmelt.serve.client import connect_service
from snowmelt.serve.commands import Document
from snowmelt.service.checks import project_checks
from snowmelt.service.diagnosing import Diagnosing, diagnosis_document
from snowmelt.service.environment import environment_checks, versions
from snowmelt.service.finding import Level, finding
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened


def diagnose(directory: Path) -> Document:
    """Check the interpreter, the packages, and the project if there is one."""
    try:
        project = load_project(directory)
    except SnowmeltError as error:
        broken = finding("project", False, error.problem, str(error))
        return diagnosis_document([*environment_checks(), broken], SystemClock().now())
    with connect_service(project.socket) as client:
        if client is not None:
            return _with_own_versions(client.doctor(fresh=True))
    return _of_project(project)


def _of_project(project: Project) -> Document:
    clock, checked = SystemClock(), project_checks(project)  # opening makes folders
    try:
        with opened(project, clock, Events(), "snowmelt doctor") as parts:
            loop = Loop(parts)
            try:
                diagnosing = Diagnosing(loop, serving=False, checked=checked)
                return diagnosing.document(fresh=True)
            finally:
                loop.close()
    except SnowmeltError as error:
        findings = [
            *environment_checks(),
            *checked,
            finding("warehouse", False, error.problem, error.remedy),
        ]
        return diagnosis_document(findings, clock.now())


def _with_own_versions(document: Document) -> Document:
    """Say so if this command is of another installation than the service."""
    own = {each["name"]: each["version"] for each in versions()}
    differing = [
        f"{each['name']} {each['version']} (here {own[each['name']]})"
        for each in document["versions"]
        if each["name"] in own and own[each["name"]] != each["version"]
    ]
    if not differing:
        return document
    told = finding(
        "this command",
        Level.WARN,
        f"the service runs with {', '.join(differing)}",
        "Restart the service, or use the snowmelt that it was started with.",
    )
    return {**document, "findings": [*document["findings"], told]}
