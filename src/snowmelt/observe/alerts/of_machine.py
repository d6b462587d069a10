"""Causes in the machine: a disk that runs full."""

from __future__ import annotations

import shutil

from snowmelt.observe.alerts.around import Around
from snowmelt.observe.alerts.cause import Cause
from snowmelt.observe.alerts.rules import Rule, read_amount
from snowmelt.warehouse.port import Session

_LESS_THAN = "5%"


def find_disk_low(
    _: Session, rule: Rule, around: Around, __: frozenset[str]
) -> list[Cause]:
    """Return a cause if the warehouse's disk has less room than it should."""
    usage = shutil.disk_usage(around.folder)
    limit, unit = read_amount(rule.less_than or _LESS_THAN)
    share = usage.free * 100 / usage.total if usage.total else 0.0
    if (share if unit == "%" else usage.free) >= limit:
        return []
    return [
        Cause(
            key=str(around.folder),
            summary=f"the disk of {around.folder} has {usage.free / 1e9:.1f} GB free "
            f"({share:.1f}%)",
            command=f"df -h {around.folder}",
            ended=f"the disk of {around.folder} has room again: it was at {share:.1f}%",
        )
    ]
