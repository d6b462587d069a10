"""What has to be built, and how: a decision from what changed since the last run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """What happened in bronze since the last published run, by table.

    `corrected` tables had a load superseded or rejects replayed. `first` says that
    nothing was ever published.
    """

    loaded: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()
    project_changed: bool = False
    first: bool = False


@dataclass(frozen=True)
class Pass:
    """One dbt build: which nodes, and whether growing models start from nothing.

    `own_tests_only` leaves out tests that also touch nodes of a later pass.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    full_refresh: bool = False
    own_tests_only: bool = False


@dataclass(frozen=True)
class BuildPlan:
    """The passes of one run, in order, and why."""

    passes: tuple[Pass, ...]
    reason: str
    full_refresh: tuple[str, ...] = ()


def plan_build(changes: Changes, *, rebuild: bool = False) -> BuildPlan | None:
    """Choose the passes of the next run, or None when nothing is due.

    An ordinary incremental model cannot see that rows left its source, so all that
    is downstream of a corrected table is built from nothing. What is not downstream
    of one goes first, and nothing in that pass can depend on the second.
    """
    if rebuild:
        return BuildPlan((Pass(full_refresh=True),), "rebuild", ("everything",))
    if changes.first:
        return BuildPlan((Pass(full_refresh=True),), "first run", ("everything",))
    if changes.project_changed:
        return BuildPlan(
            (Pass(full_refresh=True),), "the dbt project changed", ("everything",)
        )
    corrected = _downstream(sorted(changes.corrected))
    loaded = _downstream(sorted(changes.loaded | changes.corrected))
    if not loaded:
        return None
    if not corrected:
        return BuildPlan((Pass(select=loaded),), _say("new rows in", changes.loaded))
    second = Pass(select=corrected, full_refresh=True)
    reason = _say("corrections in", changes.corrected)
    refreshed = tuple(sorted(changes.corrected))
    if loaded == corrected:
        return BuildPlan((second,), reason, refreshed)
    first = Pass(select=loaded, exclude=corrected, own_tests_only=True)
    return BuildPlan((first, second), reason, refreshed)


def _downstream(tables: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"source:bronze.{table}+" for table in tables)


def _say(what: str, tables: frozenset[str]) -> str:
    return f"{what} {', '.join(sorted(tables))}"
