"""Health: one verdict, what needs a person first, then how everything stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from shlex import quote
from typing import Any

from snowmelt.pipe.held import HeldReason
from snowmelt.pipe.pause import paused_pipes
from snowmelt.serve.commands import Document
from snowmelt.service.check_results import BAD, finding_of, standing_checks
from snowmelt.service.documents import (
    HISTORY_COLUMNS,
    SCHEMA_VERSION,
    as_documents,
    last_run_document,
    plain,
    reconciliation_documents,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.attention import alerts_attention, tasks_attention
from snowmelt.service.pages.lineage import known_graph, lineage_document
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.pages.shell import failed_files, shell_document
from snowmelt.service.standing import explain_held
from snowmelt.service.status import noticed_of
from snowmelt.transform.graph import Graph
from snowmelt.warehouse.port import Session

RECENT = 8
NAMED = 5
"""How many things of one kind are named one by one."""
_DAY = timedelta(days=1)


def health_document(loop: Loop) -> Document:
    """Return how everything stands, failures first."""
    parts, now = loop.parts, loop.parts.clock.now()
    with parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        last_run = last_run_document(session)
        checks = standing_checks(session, known_graph(loop) or Graph((), ()))
        accounts = reconciliation_documents(session)
        attention = [
            *_of_service(loop),
            *_of_run(last_run),
            *attention_of_checks(checks, last_run),
            *_of_files(failed_files(loop, session)),
            *_of_pipes(loop, session),
            *_of_held(loop),
            *_of_rejects(shell["open_rejects"]),
            *_of_quarantine(accounts),
            *tasks_attention(loop, session),
            *alerts_attention(loop, session),
        ]
        attention.sort(key=lambda each: each["level"] != "bad")
        return {
            "schema_version": SCHEMA_VERSION,
            "shell": shell,
            "verdict": verdict_of(attention, last_run),
            "attention": attention,
            "freshness": _freshness(loop, session, now),
            "day": _day(session, now),
            "tests": _tests(session, last_run),
            "last_run": last_run,
            "recent": _recent(session),
            "waterfall": waterfall(
                remembered(parts.warehouse, session, _totals), accounts
            ),
            "lineage": lineage_document(loop, session),
        }


def _told(level: str, kind: str, name: str, told: str, command: str) -> Document:
    return {
        "level": level,
        "kind": kind,
        "name": name,
        "told": told,
        "command": command,
    }


def _of_service(loop: Loop) -> list[Document]:
    problem = loop.stage_problem
    told = [_told("bad", "service", "", problem, "snowmelt doctor")] if problem else []
    if loop.parts.pipeline_log.problem:
        told.append(
            _told(
                "warn",
                "service",
                "",
                f"The log cannot be written: {loop.parts.pipeline_log.problem}",
                "snowmelt status",
            )
        )
    noticed = noticed_of(loop.parts)
    level, command = "warn", "snowmelt up"
    if noticed.problem is not None:
        level, command = "bad", "snowmelt validate"
    told += [_told(level, "config", "", each, command) for each in noticed.told()]
    return told


def _of_run(run: Document | None) -> list[Document]:
    if run is None or run["state"] != "FAILED":
        return []
    failed = [each["node"] for each in run["failures"] if each["status"] != "warn"]
    what = ", ".join(failed[:3]) or str(run["error"])
    told = f"The last run was not published: {what}. Readers see the run before it."
    return [_told("bad", "run", run["run_id"], told, "snowmelt status")]


def attention_of_checks(checks: list[Document], run: Document | None) -> list[Document]:
    """Tell of checks that do not pass, but not again of what the last run failed by."""
    failed = run is not None and run["state"] == "FAILED"
    found = [
        each
        for each in checks
        if not (failed and run and each["run_id"] == run["run_id"])
        or each["status"] == "warn"
    ]
    told = []
    for each in found[:NAMED]:
        level, verb = ("bad", "fails") if each["status"] in BAD else ("warn", "warns")
        what = f"{each['node']} {verb}: {finding_of(each)}"
        told.append(_told(level, "check", each["node"], what, "snowmelt status"))
    if len(found) > NAMED:
        more = f"{len(found) - NAMED} more checks do not pass"
        told.append(_told("warn", "checks", "", more, "snowmelt status"))
    return told


def _of_files(failed: list[Document]) -> list[Document]:
    told = [
        _told(
            "bad",
            "file",
            str(each["load_seq"]),
            f"{each['file_name']} failed: {each['first_error_message']}",
            f"snowmelt why {quote(each['file_name'])}",
        )
        for each in failed[:NAMED]
    ]
    if len(failed) > NAMED:
        more = f"{len(failed) - NAMED} more files failed"
        told.append(
            _told("bad", "files", "", more, "snowmelt history --status 'Load failed'")
        )
    return told


def _of_pipes(loop: Loop, session: Session) -> list[Document]:
    told = []
    for each in loop.watching.documents():
        name, state = str(each["pipe_name"]), str(each["state"])
        if state in ("late", "missing"):
            level = "bad" if state == "missing" else "warn"
            due = f"{each['due_at']:%Y-%m-%d %H:%M} UTC"
            what = f"The file of pipe {name} is {state}: it was due at {due}"
            told.append(_told(level, "pipe", name, what, "snowmelt status"))
    for name, pause in paused_pipes(session).items():
        why = f" ({pause.reason})" if pause.reason else ""
        what = f"Pipe {name} is paused since {pause.since:%Y-%m-%d %H:%M} UTC{why}"
        told.append(_told("warn", "pipe", name, what, f"snowmelt resume {name}"))
    return told


def _of_held(loop: Loop) -> list[Document]:
    with loop.lock:
        held = list(loop.parts.pending.held.values())
        unmatched = sorted(loop.parts.pending.unmatched)
    told = []
    for each in held[:NAMED]:
        way = "release"
        if each.reason is HeldReason.DRIFT:
            way = "drift approve"
        name = each.file_name
        what = f"{name}: {explain_held(each)}"
        told.append(_told("warn", "held", name, what, f"snowmelt {way} {quote(name)}"))
    if len(held) > NAMED:
        more = f"{len(held) - NAMED} more files are held"
        told.append(_told("warn", "held", "", more, "snowmelt status"))
    if unmatched:
        files = "file has" if len(unmatched) == 1 else "files have"
        what = f"{len(unmatched)} {files} a name that no pipe takes: {unmatched[0]}"
        why = f"snowmelt why {quote(unmatched[0])}"
        told.append(_told("warn", "unmatched", unmatched[0], what, why))
    return told


def _of_rejects(count: int) -> list[Document]:
    if not count:
        return []
    one = count == 1
    records = "1 record was" if one else f"{count:,} records were"
    what = f"{records} refused, and {'waits' if one else 'wait'} for a fix and a replay"
    return [_told("warn", "rejects", "", what, "snowmelt rejects --group")]


def _of_quarantine(accounts: list[Document]) -> list[Document]:
    count = sum(each["quarantined_open"] for each in accounts)
    if not count:
        return []
    rows = "1 row is" if count == 1 else f"{count:,} rows are"
    what = f"{rows} in quarantine: rules of silver refused them"
    return [_told("warn", "quarantine", "", what, "snowmelt quarantine --group")]


def verdict_of(attention: list[Document], run: Document | None) -> Document:
    """Return one sentence about all that needs a person."""
    bad = sum(each["level"] == "bad" for each in attention)
    if not attention:
        sentence = "Everything is as it should be."
        if run is None:
            sentence = "Nothing is published yet: drop a file into the landing folder."
        return {"level": "good", "sentence": sentence}
    count = bad or len(attention)
    needs = "1 thing needs" if count == 1 else f"{count} things need"
    rest = len(attention) - bad
    more = f", and {rest} more can wait" if bad and rest else ""
    level = "bad" if bad else "warn"
    return {"level": level, "sentence": f"{needs} attention{more}."}


def _freshness(loop: Loop, session: Session, now: datetime) -> Document:
    """Return when rows were loaded last, and what is expected of whom."""
    newest = remembered(loop.parts.warehouse, session, _newest)
    expected = [plain(each) for each in loop.watching.documents()]
    worst = "pass"
    states = {str(each["state"]) for each in expected}
    if "late" in states:
        worst = "warn"
    if "missing" in states:
        worst = "error"
    return {
        "newest_at": plain(newest),
        "lag_seconds": (now - newest).total_seconds() if newest else None,
        "state": worst,
        "expected": expected,
        "due_next": min((str(each["due_at"]) for each in expected), default=None),
    }


def _newest(session: Session) -> datetime | None:
    """Return when rows were loaded last."""
    newest: datetime | None = session.value(
        "select max(last_load_time) from snowmelt.load_history where row_count > 0"
    )
    return newest


def _day(session: Session, now: datetime) -> Document:
    """Return what the last 24 hours brought."""
    names = ("files", "loaded", "partial", "failed", "skipped", "rows", "rejected")
    (row,) = session.rows(
        """
        select
            count(*),
            count(*) filter (status = 'Loaded'),
            count(*) filter (status = 'Partially loaded'),
            count(*) filter (status = 'Load failed'),
            count(*) filter (status = 'Load skipped'),
            coalesce(sum(row_count), 0)::bigint,
            coalesce(sum(error_count) filter (status <> 'Load failed'), 0)::bigint
        from snowmelt.load_history
        where last_load_time >= $1 and replay_of is null
        """,
        [now - _DAY],
    )
    return dict(zip(names, row, strict=True))


def _tests(session: Session, run: Document | None) -> Document:
    names = ("total", "passed", "warned", "failed")
    if run is None:
        return dict.fromkeys(names, 0)
    (row,) = session.rows(
        """
        select
            count(*),
            count(*) filter (status = 'pass'),
            count(*) filter (status = 'warn'),
            count(*) filter (status in ('fail', 'error', 'runtime error'))
        from snowmelt.node_history
        where run_id = $1 and resource_type in ('test', 'reconciliation', 'rule')
        """,
        [run["run_id"]],
    )
    return dict(zip(names, row, strict=True))


def _recent(session: Session) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
        "where load_seq > (select coalesce(max(load_seq), 0) - 1000 "
        f"from snowmelt.load_history) order by load_seq desc limit {RECENT}"
    )
    return as_documents(HISTORY_COLUMNS, rows)


def _totals(session: Session) -> tuple[int, int, int, int]:
    """Return records read and refused, rows replayed and loaded, of all files."""
    (row,) = session.rows(
        """
        select
            coalesce(sum(row_parsed) filter (replay_of is null), 0)::bigint,
            coalesce(sum(error_count) filter (replay_of is null), 0)::bigint,
            coalesce(sum(row_count) filter (replay_of is not null), 0)::bigint,
            coalesce(sum(row_count), 0)::bigint
        from snowmelt.load_history
        where status in ('Loaded', 'Partially loaded')
        """
    )
    parsed, rejected, replayed, loaded = row
    return parsed, rejected, replayed, loaded


def waterfall(totals: tuple[int, int, int, int], accounts: list[Document]) -> Document:
    """Return where the records of all files are, from file to silver.

    Bronze of models that keep no account is not in it.
    """
    parsed, rejected, replayed, bronze = totals
    summed: dict[str, Any] = {
        name: sum(each[name] for each in accounts)
        for name in (
            *("bronze_rows", "superseded_rows", "quarantined_rows"),
            *("dropped_rows", "deduplicated_rows", "silver_rows"),
        )
    }
    return {
        "parsed_records": parsed,
        "rejected_records": rejected,
        "replayed_rows": replayed,
        "loaded_rows": bronze,
        **summed,
        "models": len(accounts),
    }
