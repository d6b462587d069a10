"""Looking for what every rule looks for; a rule that cannot be asked says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from snowmelt.observe.alerts.around import Around, Find, Show
from snowmelt.observe.alerts.cause import Cause
from snowmelt.observe.alerts.of_expectations import find_late, find_missing, show_late
from snowmelt.observe.alerts.of_loads import (
    find_anomaly,
    find_failed,
    find_held,
    find_rejected,
    show_rejected,
)
from snowmelt.observe.alerts.of_machine import find_disk_low
from snowmelt.observe.alerts.of_places import find_failing_places
from snowmelt.observe.alerts.of_queries import find_by_query
from snowmelt.observe.alerts.of_runs import (
    find_failed_audit,
    find_failed_run,
    find_spilled,
    find_stuck,
    show_failed_run,
)
from snowmelt.observe.alerts.of_tasks import find_failed_task, find_suspended
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")


@dataclass(frozen=True)
class _Kind:
    """How a kind of rule is looked for, and what shows its causes."""

    finds: tuple[Find, ...]
    show: Show | None = None


_KINDS = {
    "late": _Kind((find_late,), show_late),
    "missing_file": _Kind((find_missing,), show_late),
    "failed": _Kind((find_failed, find_failed_run), show_failed_run),
    "rejected": _Kind((find_rejected,), show_rejected),
    "held": _Kind((find_held,)),
    "offset_stuck": _Kind((find_stuck,)),
    "audit_failed": _Kind((find_failed_audit,)),
    "task_suspended": _Kind((find_suspended,)),
    "task_failed": _Kind((find_failed_task,)),
    "anomaly": _Kind((find_anomaly,)),
    "disk_low": _Kind((find_disk_low,)),
    "spilled": _Kind((find_spilled,)),
    "publish_failing": _Kind((find_failing_places,)),
}
_BY_QUERY = _Kind((find_by_query,))


@dataclass(frozen=True)
class Looked:
    """What a rule found. `causes` is None when it could not be found out: `problem`."""

    rule: str
    causes: tuple[Cause, ...] | None
    problem: str | None = None


def look_for(
    warehouse: Warehouse,
    named: tuple[str, Rule],
    around: Around,
    open_keys: frozenset[str],
    limit: timedelta,
) -> Looked:
    """Look for the causes of one rule in a snapshot, for no longer than the limit."""
    name, rule = named
    try:
        with warehouse.snapshot() as session, _interrupted(session, limit):
            causes = [
                cause
                for find in _kind(rule).finds
                for cause in find(session, rule, around, open_keys)
            ]
    except Exception as error:
        told = str(error).strip().splitlines()
        log.debug("alert rule %s could not be asked", name, exc_info=True)
        return Looked(name, None, told[0] if told else type(error).__name__)
    return Looked(name, tuple(causes))


def with_evidence(
    warehouse: Warehouse, rule: Rule, cause: Cause, limit: timedelta
) -> Cause:
    """Return a cause with what shows it, if there is more than it has."""
    show = _kind(rule).show
    if show is None or cause.about is None:
        return cause
    try:
        with warehouse.snapshot() as session, _interrupted(session, limit):
            found = tuple(show(session, cause))
    except Exception:  # an alert without evidence is better than none
        log.warning("the evidence of an alert could not be read", exc_info=True)
        return cause
    return replace(cause, evidence=found or cause.evidence)


def _kind(rule: Rule) -> _Kind:
    return _KINDS[rule.on] if rule.on is not None else _BY_QUERY


@contextmanager
def _interrupted(session: Session, limit: timedelta) -> Iterator[None]:
    timer = threading.Timer(limit.total_seconds(), session.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
