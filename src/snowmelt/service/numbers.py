"""How things stand in numbers, for who watches the service."""

from __future__ import annotations

from collections import Counter

from snowmelt.observe.alerts.records import deliveries_by_sink, open_by_rule
from snowmelt.observe.metrics import Standing
from snowmelt.service.loop import Loop
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.pipe_status import history_facts, ingested


def standing(loop: Loop) -> Standing:
    """Return what waits, and how long ago each pipe's newest rows were loaded."""
    parts = loop.parts
    with loop.lock:
        waiting = Counter(str(each["pipe_name"]) for each in parts.pending.states())
    with parts.warehouse.snapshot() as session:
        known = history_facts(session, remembered(parts.warehouse, session, ingested))
        alerts, deliveries = open_by_rule(session), deliveries_by_sink(session)
    now = parts.clock.now()
    return Standing(
        pending_files={pipe.name: waiting[pipe.name] for pipe in parts.project.pipes},
        lag_seconds={
            name: (now - facts.last_ingested_at).total_seconds()
            for name, facts in known.items()
            if facts.last_ingested_at is not None
        },
        log_rows_lost=parts.pipeline_log.lost,
        alerts_open=dict.fromkeys(parts.project.settings.alerts.rules, 0) | alerts,
        deliveries=deliveries,
    )
