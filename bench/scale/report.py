"""What was measured at full size, as a table, as targets, and as one object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.live.figures import Target, percentile
from bench.scale.generation import Generation
from bench.scale.inputs import DIRTY, Company
from bench.scale.ours import Full, Hours
from bench.scale.programs import Ended

RATIO_MAX = 1.4
PEAK_BYTES_MAX = 8 * 2**30
HOUR_SHARE_MAX = 2.0
GROWTH_MAX = 1.5
GROWN_TIMES = 10
SYNTH_TIMES_MAX = 2.0


@dataclass(frozen=True)
class Measured:
    """All of it; what was not asked for is None."""

    scale: float
    company: Company
    file_bytes: int
    threads: int
    raw: Sequence[Ended]
    ours: Sequence[Full]
    hours: Hours
    small_scale: float | None
    small_hours: Hours | None
    generation: Generation | None

    @property
    def raw_seconds(self) -> float:
        return median(ended.seconds for ended in self.raw)

    @property
    def ours_seconds(self) -> float:
        return median(full.ended.seconds for full in self.ours)

    @property
    def ours_seconds_without_tests(self) -> float:
        return median(full.seconds_without_tests for full in self.ours)

    @property
    def ratio(self) -> float:
        return self.ours_seconds_without_tests / self.raw_seconds

    @property
    def peak_bytes(self) -> float:
        """The most memory that ours had, in a full run or as a service."""
        runs = max(full.ended.peak_bytes for full in self.ours)
        return max(runs, self.hours.peak_bytes)

    @property
    def hour_share(self) -> float:
        """What an hour takes, in percent of the full run."""
        return 100 * median(self.hours.seconds) / self.ours_seconds

    @property
    def growth(self) -> float | None:
        """What an hour takes here, over the same hour at the small scale."""
        if self.small_hours is None:
            return None
        return median(self.hours.seconds) / median(self.small_hours.seconds)


def targets(measured: Measured) -> list[Target]:
    """Return the targets; they are judged at scale 1, with the usual dirt."""
    is_judged = measured.scale == 1 and measured.company.dirty >= DIRTY
    peak_gib = measured.peak_bytes / 2**30
    found = [
        Target(
            "ours without tests / raw", measured.ratio, RATIO_MAX, "times", is_judged
        ),
        Target("peak of ours", peak_gib, PEAK_BYTES_MAX / 2**30, "GiB", is_judged),
        Target(
            "an hour / the full run",
            measured.hour_share,
            HOUR_SHARE_MAX,
            "%",
            is_judged,
        ),
    ]
    if measured.growth is not None and measured.small_scale is not None:
        grown = measured.scale >= GROWN_TIMES * measured.small_scale
        found.append(
            Target(
                "an hour, large / small",
                measured.growth,
                GROWTH_MAX,
                "times",
                is_judged and grown,
            )
        )
    if measured.generation is not None:
        times = measured.generation.times
        found.append(Target("synth / COPY", times, SYNTH_TIMES_MAX, "times", is_judged))
    return found


def table(measured: Measured, judged: Sequence[Target]) -> list[str]:
    """Return all figures as lines."""
    company = measured.company
    lines = [
        f"retail: {company.customers:,} customers, {company.products:,} products, "
        f"{company.transactions:,} transactions",
        f"{measured.file_bytes / 1e6:,.0f} MB of files with "
        f"{company.dirty:.0%} of dirt; {measured.threads} threads",
        _line("", "seconds", "CPU s", "peak MB"),
        *_sides(measured),
        f"raw is: retail.sql, by hand, without account and tests; "
        f"runs of each, in turn: {len(measured.raw)}",
        "both have the same gold after the full run, and after the hours: "
        "rows, digests of all columns",
        "",
        _line("an hour", "median s", "p95 s", "CPU s", "peak MB", "records"),
    ]
    small = (measured.small_scale, measured.small_hours)
    for scale, hours in (small, (measured.scale, measured.hours)):
        if hours is not None:
            lines.append(_hour(f"at scale {scale:g}", hours))
    lines.append(
        f"an hour takes {measured.hour_share:.2f} % of the full run; "
        f"runs: {_runs(measured.hours)}"
    )
    if measured.generation is not None:
        lines += _generation(measured.generation)
    return [*lines, *(f"retail: {target.text}" for target in judged)]


def _sides(measured: Measured) -> list[str]:
    """Return a line a side, and of the median run of ours a line a part."""
    by_time = sorted(measured.ours, key=lambda full: full.ended.seconds)
    full = by_time[len(by_time) // 2]
    raw = sorted(measured.raw, key=lambda ended: ended.seconds)[len(measured.raw) // 2]
    by_table = json.loads(raw.output)
    raw_bronze = sum(s for name, s in by_table.items() if name.startswith("bronze."))
    of_raw = {name.partition(".")[2]: s for name, s in by_table.items()}
    models = sorted(full.model_seconds.items(), key=lambda each: -each[1])
    return [
        _side("raw", raw),
        _side("ours", full.ended),
        _line("ours, no tests", f"{full.seconds_without_tests:.2f}"),
        "",
        _line("of which", "ours s", "raw s"),
        _line("  load", f"{full.load_seconds:.2f}", f"{raw_bronze:.2f}"),
        *(
            _line(f"  {name}", f"{seconds:.2f}", f"{of_raw.get(name, 0):.2f}")
            for name, seconds in models
        ),
        _line(f"  {full.tests} tests", f"{full.test_seconds:.2f}"),
        _line("  the rest", f"{full.rest_seconds:.2f}"),
    ]


def _side(name: str, ended: Ended) -> str:
    peak = f"{ended.peak_bytes / 1e6:.0f}"
    return _line(name, f"{ended.seconds:.2f}", f"{ended.cpu_seconds:.2f}", peak)


def _hour(name: str, hours: Hours) -> str:
    return _line(
        name,
        f"{median(hours.seconds):.3f}",
        f"{percentile(hours.seconds, 95):.3f}",
        f"{median(hours.cpu_seconds):.3f}",
        f"{hours.peak_bytes / 1e6:.0f}",
        f"{hours.records_each:,}",
    )


def _runs(hours: Hours) -> str:
    return ", ".join(f"{count} by {way}" for way, count in hours.runs.items())


def _generation(made: Generation) -> list[str]:
    return [
        "",
        _line("files", "seconds", "MB"),
        _line("synth", f"{made.synth_seconds:.2f}", f"{made.synth_bytes / 1e6:.0f}"),
        _line("COPY TO", f"{made.copy_seconds:.2f}", f"{made.copy_bytes / 1e6:.0f}"),
    ]


def _line(name: str, *cells: str) -> str:
    return f"{name:<24}" + "".join(f"{cell:>12}" for cell in cells)


def document(measured: Measured) -> dict[str, Any]:
    """Return the figures as one object."""
    hours, made = measured.hours, measured.generation
    return {
        "scale": measured.scale,
        "dirty": measured.company.dirty,
        "raw_s": [round(ended.seconds, 3) for ended in measured.raw],
        "ours_s": [round(full.ended.seconds, 3) for full in measured.ours],
        "tests_s": [round(full.test_seconds, 3) for full in measured.ours],
        "ratio": round(measured.ratio, 4),
        "peak_mb": round(measured.peak_bytes / 1e6, 1),
        "hours_s": [round(seconds, 4) for seconds in hours.seconds],
        "hours_cpu_s": [round(seconds, 4) for seconds in hours.cpu_seconds],
        "hour_share_percent": round(measured.hour_share, 4),
        "runs": hours.runs,
        "small_scale": measured.small_scale,
        "small_hours_s": (
            [round(seconds, 4) for seconds in measured.small_hours.seconds]
            if measured.small_hours
            else None
        ),
        "synth_s": round(made.synth_seconds, 3) if made else None,
        "copy_s": round(made.copy_seconds, 3) if made else None,
    }
