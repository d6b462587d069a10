"""Causes in places that gold is published to: one that is behind because it fails."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from snowmelt.observe.alerts.around import Around
from snowmelt.observe.alerts.cause import Cause
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session

_FAILING_AFTER = timedelta(minutes=5)


def find_failing_places(
    _: Session, rule: Rule, around: Around, __: frozenset[str]
) -> list[Cause]:
    """Return a cause for each place of snowmelt.yml that fails for too long.

    Places that somebody published to by hand, once, are theirs to look after.
    """
    longest = rule.longer_than or _FAILING_AFTER
    records = sorted(around.folder.glob("published/*/record.json"))
    found = []
    for path in records:
        record = _read(path.read_text())
        since = record.get("failing_since")
        if not since or str(record["name"]).startswith("by_hand_"):
            continue
        failing_since = datetime.fromisoformat(since)
        if around.now - failing_since > longest:
            found.append(_cause(record, failing_since))
    return found


def _read(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}


def _cause(record: dict[str, Any], since: datetime) -> Cause:
    name = record["name"]
    return Cause(
        key=name,
        summary=f"gold is not published to {name}: {record['problem']}",
        since=since,
        command=f"snowmelt publish now {name}",
        ended=f"gold is published to {name} again",
    )
