"""How everything stands: pipes, what waits and why, the last run, the limits."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from snowmelt.bronze.copy import REJECTS_OF_FAILED_MAX
from snowmelt.gold.run_history import published_run
from snowmelt.pipe.pause import paused_pipes
from snowmelt.serve.commands import Document
from snowmelt.service.alert_verbs import alerts_summary
from snowmelt.service.check_results import standing_checks
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    last_run_document,
    pipe_documents,
    pipe_sums,
    plain,
    reconciliation_documents,
)
from snowmelt.service.lagging import lag_document, longest_goal
from snowmelt.service.loop import Loop
from snowmelt.service.noticing import Noticed
from snowmelt.service.pages.lineage import known_graph
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.pages.shell import failed_files
from snowmelt.service.parts import Parts
from snowmelt.service.pipe_status import (
    HistoryFacts,
    history_facts,
    ingested,
    pending_facts,
    pipe_status_document,
    write_statuses,
)
from snowmelt.service.publishing.verbs import known_places, place_document
from snowmelt.service.standing import held_document, pause_document
from snowmelt.service.streaming import stuck_streams
from snowmelt.service.tasks.answers import standing_document
from snowmelt.transform.graph import Graph
from snowmelt.warehouse.port import Session


def status_document(loop: Loop, *, serving: bool) -> Document:
    """Return the status; what lies in the stage was looked at before."""
    parts = loop.parts
    project, pending, channel = parts.project, parts.pending, parts.stage.channel
    with loop.lock:
        waiting = pending.states()
        unmatched = sorted(pending.unmatched)
        held = [held_document(each) for each in pending.held.values()]
    with parts.warehouse.snapshot() as session:
        pipes = pipes_standing(loop, session)
        last_run = last_run_document(session)
        checks = standing_checks(session, known_graph(loop) or Graph((), ()))
        failed = failed_files(loop, session)
        reconciliation = reconciliation_documents(session)
        wait_max = max(project.settings.publish.wait_max, longest_goal(loop))
        stuck = stuck_streams(session, parts.clock.now(), wait_max)
        alerts = alerts_summary(session)
        run_id = published_run(session)
    statuses = pipe_statuses(loop)
    for pipe in pipes:
        pipe["pipe_status"] = statuses[pipe["pipe_name"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "project": project.settings.name,
        "service": {"running": serving, "pid": os.getpid()},
        "landing": project.location,
        "channel": plain(asdict(channel)) if channel else None,
        "problems": [*problems_of(loop), *stuck],
        "warnings": [*noticed_of(parts).told(), *loop.warnings],
        "changed_files": noticed_of(parts).documents(),
        "log": {
            "rows_waiting": parts.pipeline_log.waiting,
            "rows_lost": parts.pipeline_log.lost,
            "problem": parts.pipeline_log.problem,
        },
        "alerts": alerts,
        "publications": [
            place_document(each, run_id) for each in known_places(project)
        ],
        "pipes": pipes,
        "pending": plain(waiting),
        "held": held,
        "unmatched": unmatched,
        "failed": failed,
        "last_run": last_run,
        "checks": checks,
        "reconciliation": reconciliation,
        "lag": lag_document(loop),
        "tasks": standing_document(loop.tasks.tasks, serving=serving),
        "limits": limits_document(loop),
    }


def pipes_standing(loop: Loop, session: Session) -> list[Document]:
    """Return of each pipe what it loaded, what waits for it, and if it is paused."""
    parts = loop.parts
    with loop.lock:
        waiting = parts.pending.states()
        held = Counter(each.pipe_name for each in parts.pending.held.values())
    since: dict[str, list[Any]] = defaultdict(list)
    for each in waiting:
        since[str(each["pipe_name"])].append(each["since"])
    sums = remembered(parts.warehouse, session, pipe_sums)
    paused, now = paused_pipes(session), parts.clock.now()
    pipes = pipe_documents(sums, parts.project.pipes)
    for pipe in pipes:
        name = pipe["pipe_name"]
        pipe["pending"] = len(since[name])
        pipe["oldest_pending"] = plain(min(since[name], default=None))
        pipe["held"] = held[name]
        pipe.update(pause_document(paused.get(name), now))
    return pipes


def noticed_of(parts: Parts) -> Noticed:
    """Return which files of the project are not what the service works with."""
    return parts.noticing.noticed if parts.noticing is not None else Noticed()


def pipe_statuses(loop: Loop) -> dict[str, Document]:
    """Return each pipe's status with the keys of SYSTEM$PIPE_STATUS."""
    parts = loop.parts
    with loop.lock:
        waiting = parts.pending.states()
    with parts.warehouse.snapshot() as session:
        known = history_facts(session, remembered(parts.warehouse, session, ingested))
    now = parts.clock.now()
    return {
        pipe.name: pipe_status_document(
            known.get(pipe.name, HistoryFacts()),
            pending_facts(waiting, pipe.name, now),
            parts.stage.channel,
        )
        for pipe in parts.project.pipes
    }


def note_statuses(loop: Loop) -> None:
    """Write the statuses down, so that a query can ask for them."""
    parts, documents = loop.parts, pipe_statuses(loop)
    with parts.warehouse.session() as session:
        write_statuses(session, documents, parts.clock.now())


def problems_of(loop: Loop) -> list[str]:
    """Return what the loop, its stage and its queue have trouble with."""
    parts = loop.parts
    unreadable = [
        f"{parts.stage.location}/{folder}: this folder cannot be read"
        for folder in parts.stage.unreadable
    ]
    stage = [loop.stage_problem] if loop.stage_problem else []
    channel = parts.stage.channel
    queue = [channel.problem] if channel and channel.problem else []
    return [*stage, *queue, *unreadable, *loop.problems]


def limits_document(loop: Loop) -> Document:
    """Return how much of anything is done at once, waited for, or kept."""
    limits, tasks = loop.parts.project.settings, loop.tasks.tasks
    return {
        "tasks_lanes_max": tasks.graph.root_task.lanes_max if tasks else None,
        "settle_seconds": limits.landing.settle.total_seconds(),
        "settle_max_seconds": limits.landing.settle_max.total_seconds(),
        "refresh_every_seconds": limits.landing.refresh_every.total_seconds(),
        "linger_seconds": limits.load.linger.total_seconds(),
        "batch_files_max": limits.load.batch_files_max,
        "batch_bytes_max": limits.load.batch_bytes_max,
        "lanes_max": limits.load.lanes_max,
        "tries_max": limits.load.tries_max,
        "retry_after_seconds": limits.load.retry_after.total_seconds(),
        "publish_wait_max_seconds": limits.publish.wait_max.total_seconds(),
        "failing_rows_max": limits.publish.failing_rows_max,
        "anomaly_factor": limits.publish.anomaly_factor,
        "anomaly_loads_min": limits.publish.anomaly_loads_min,
        "log_keep_seconds": limits.log.keep.total_seconds(),
        "log_queries_keep_seconds": limits.log.queries_keep.total_seconds(),
        "log_write_every_seconds": limits.log.write_every.total_seconds(),
        "log_waiting_rows_max": limits.log.waiting_rows_max,
        "log_waiting_bytes_max": limits.log.waiting_bytes_max,
        "superseded_keep_seconds": _period(limits.retention.superseded),
        "streams_stale_after_seconds": _period(limits.retention.stale_after),
        "log_history_keep_seconds": limits.log.history_keep.total_seconds(),
        "rejects_of_failed_max": REJECTS_OF_FAILED_MAX,
        "memory_bytes_max": limits.warehouse.memory_bytes,
    }


def _period(kept: timedelta) -> float | None:
    return None if kept == timedelta.max else kept.total_seconds()
