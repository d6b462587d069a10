"""Doctor of a target: its account is asked, now, in the vendor's order."""

from __future__ import annotations

from datetime import datetime

from snowmelt.deploy.diagnosis.check import Check
from snowmelt.deploy.diagnosis.diagnose import diagnose
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake.session import Session
from snowmelt.errors import SnowmeltError
from snowmelt.serve.commands import Document
from snowmelt.service.diagnosing import diagnosis_document
from snowmelt.service.finding import Finding, Level, finding
from snowmelt.service.targets.observing import Observing


def doctor_document(observing: Observing) -> Document:
    """Return what is found; also where the account cannot be signed in to."""
    now = observing.parts.clock.now()
    try:
        return diagnosed(observing.account(), observing.scope, now)
    except SnowmeltError as error:
        observing.close()
        return unreachable(observing.scope, error, now)


def was_asked(document: Document) -> bool:
    """Did the account answer at all?"""
    first = document["findings"][0]
    return (first["check"], first["level"]) != ("account", Level.FAIL)


def diagnosed(account: Session, scope: Scope, now: datetime) -> Document:
    """Ask everything. Raises UnreachableError when the account does not answer."""
    findings = [as_finding(each) for each in diagnose(account, scope, now)]
    return diagnosis_document(findings, now) | _target(scope)


def unreachable(scope: Scope, error: SnowmeltError, now: datetime) -> Document:
    """Return that nothing could be asked, and why."""
    told = finding("account", False, error.problem, error.remedy)
    findings = [told | {"object": error.where, "statement": ""}]
    return diagnosis_document(findings, now) | _target(scope)


def _target(scope: Scope) -> Document:
    names = scope.names
    return {"target": {"name": names.owner.target, "account": names.target.account}}


def as_finding(check: Check) -> Finding:
    """Return a check as a finding, with what it was about and how it was asked."""
    return finding(check.name, Level(check.level), check.found, check.remedy) | {
        "object": check.object,
        "statement": check.statement,
    }
