"""The figures of freshness: as a table, as verdicts, and as one object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import median

from bench.live.dbt_builds import DbtBuilds
from bench.live.driver import Arrived
from bench.live.figures import Target, percentile
from bench.live.stream import KINDS, RECORDS

_HEADINGS = ("ms", "files", "min", "p50", "p95", "p99", "max")


@dataclass(frozen=True)
class Idle:
    """A service just started on what is published, with nothing to do.

    `polled_share` is the CPU that polling adds to it, `driver_share` the asker's own.
    """

    cpu_share: float
    rss_mb: float
    polled_share: float
    driver_share: float


@dataclass(frozen=True)
class Runs:
    """Runs, those published, their tests, those that were not dbt's."""

    all: int
    published: int
    tests: int
    replayed: int

    def since(self, before: Runs) -> Runs:
        return Runs(
            self.all - before.all,
            self.published - before.published,
            self.tests - before.tests,
            self.replayed - before.replayed,
        )

    @property
    def fallback_share(self) -> float:
        return 1 - self.replayed / self.all if self.all else 0.0


@dataclass
class Fresh:
    """All that was measured."""

    orders: int
    seconds: int
    arrived: Sequence[Arrived]
    audit: tuple[float, float] | None
    runs: Runs
    polls: int
    key_polls: int
    poll_cpu_share: float
    service_cpu_share: float
    peak_rss_mb: float
    loads: dict[str, int]
    problems: list[str]
    idle: Idle = field(default_factory=lambda: Idle(0, 0, 0, 0))
    dbt: DbtBuilds | str | None = None

    @property
    def seen(self) -> list[Arrived]:
        return [each for each in self.arrived if each.visible_at is not None]

    def is_beside_audit(self, each: Arrived) -> bool:
        """Was a file on its way while the audit ran?"""
        if self.audit is None or each.visible_at is None:
            return False
        begun, ended = self.audit
        return each.landed_at < ended and each.visible_at > begun

    @property
    def judged_ms(self) -> list[float]:
        """How long each file took that was not on its way during the audit."""
        return _ms(each for each in self.seen if not self.is_beside_audit(each))

    @property
    def audited_ms(self) -> list[float]:
        return _ms(each for each in self.seen if self.is_beside_audit(each))


def _ms(arrived: Iterable[Arrived]) -> list[float]:
    return [1e3 * each.seconds for each in arrived]


def targets(fresh: Fresh, *, is_judged: bool) -> list[Target]:
    """Return what the figures must keep to, and what they came to."""
    bounds = (
        *((f"p{p}", percentile(fresh.judged_ms, p), b, "ms") for p, b in _BOUNDS),
        ("idle CPU", 100 * fresh.idle.cpu_share, 1, "% of a core"),
        ("RSS after a start", fresh.idle.rss_mb, 250, "MB"),
    )
    return [Target(*bound, is_judged) for bound in bounds]


_BOUNDS = ((50, 250), (95, 500), (99, 1000))


def table(fresh: Fresh, judged: Sequence[Target]) -> list[str]:
    """Return the table and what else there is to say."""
    lines = [
        f"freshness: {len(fresh.arrived)} files of {RECORDS:,} records in "
        f"{fresh.seconds} s into a shop of {fresh.orders:,} orders, "
        "from rename to tested and visible in gold",
        _line(*_HEADINGS),
        _row("all", fresh.judged_ms),
    ]
    quiet = [each for each in fresh.seen if not fresh.is_beside_audit(each)]
    for kind in KINDS:
        own = [e for e in quiet if e.file.kind == kind and not e.file.is_correction]
        lines.append(_row(kind, _ms(own)))
    lines.append(_row("corrections", _ms(e for e in quiet if e.file.is_correction)))
    if fresh.audit:
        lines.append(_row("beside audit", fresh.audited_ms))
    return [*lines, *_notes(fresh), *(f"freshness: {each.text}" for each in judged)]


def _row(name: str, ms: Sequence[float]) -> str:
    if not ms:
        return _line(name, "0", *["-"] * (len(_HEADINGS) - 2))
    values = (min(ms), *(percentile(ms, p) for p in (50, 95, 99)), max(ms))
    return _line(name, str(len(ms)), *(f"{value:.0f}" for value in values))


def _line(name: str, *cells: str) -> str:
    return f"{name:<16}" + "".join(f"{cell:>9}" for cell in cells)


def _notes(fresh: Fresh) -> list[str]:
    runs, idle = fresh.runs, fresh.idle
    loads = ", ".join(f"{count} {status}" for status, count in fresh.loads.items())
    notes = [
        f"runs: {runs.all}, {runs.published} published; {runs.replayed} by replay, "
        f"{runs.all - runs.replayed} by dbt; {runs.tests:,} tests run",
        f"load history: {loads}; "
        + ("gold has all that landed" if not fresh.problems else "GOLD LACKS SOME"),
        f"service: {100 * fresh.service_cpu_share:.0f} % of a core, "
        f"peak {fresh.peak_rss_mb:.0f} MB; after a start {idle.rss_mb:.0f} MB, "
        f"idle {100 * idle.cpu_share:.1f} % of a core",
        f"polls: {fresh.polls:,}, {fresh.key_polls:,} of them for keys; the asker used "
        f"{100 * fresh.poll_cpu_share:.0f} % of a core; they cost "
        f"an idle service {100 * idle.polled_share:.0f} %, "
        f"the asker {100 * idle.driver_share:.0f} %",
    ]
    if fresh.audit:
        notes.append(f"audit: {fresh.audit[1] - fresh.audit[0]:.1f} s")
    else:
        notes.append("audit: not measured, this version has no such verb")
    return [*notes, *_dbt_notes(fresh)]


def _dbt_notes(fresh: Fresh) -> list[str]:
    if fresh.dbt is None:
        return []
    if isinstance(fresh.dbt, str):
        return [f"dbt build was not measured: {fresh.dbt}"]
    p50 = percentile(fresh.judged_ms, 50) / 1e3
    return [
        f"{name} {median(seconds):.2f} s = {median(seconds) / p50:.1f}x our p50 "
        f"(of {len(seconds)}: {', '.join(f'{each:.2f}' for each in seconds)})"
        for name, seconds in (
            ("dbt build CLI", fresh.dbt.cli),
            ("dbtRunner, warm,", fresh.dbt.warm),
        )
    ]


def document(fresh: Fresh) -> str:
    """Return all figures as one JSON object on one line."""
    p50, p95, p99 = (percentile(fresh.judged_ms, p) for p in (50, 95, 99))
    audited = fresh.audited_ms
    dbt = fresh.dbt if isinstance(fresh.dbt, DbtBuilds) else None
    found = {
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "fallback_share": fresh.runs.fallback_share,
        "tests_run": fresh.runs.tests,
        "files": len(fresh.arrived),
        "runs": fresh.runs.all,
        "runs_published": fresh.runs.published,
        "polls": fresh.polls,
        "orders": fresh.orders,
        "seconds": fresh.seconds,
        "max_ms": max(fresh.judged_ms, default=float("nan")),
        "peak_rss_mb": fresh.peak_rss_mb,
        "rss_mb": fresh.idle.rss_mb,
        "idle_cpu_share": fresh.idle.cpu_share,
        "poll_cpu_share": fresh.poll_cpu_share,
        "polled_cpu_share": fresh.idle.polled_share,
        "audit_s": fresh.audit[1] - fresh.audit[0] if fresh.audit else None,
        "audit_files": len(audited),
        "audit_p99_ms": percentile(audited, 99) if audited else None,
        "dbt_cli_s": median(dbt.cli) if dbt else None,
        "dbt_warm_s": median(dbt.warm) if dbt else None,
        "problems": fresh.problems,
    }
    return json.dumps({key: _rounded(value) for key, value in found.items()})


def _rounded(value: object) -> object:
    """Round a figure; null for one of nothing."""
    if not isinstance(value, float):
        return value
    return None if isnan(value) else round(value, 4)
