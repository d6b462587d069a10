"""Figures as a table, as sections of the page of benchmarks, and as one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.machine import ROOT, Machine
from bench.runner import Outcome, Verdict

PAGE = ROOT / "docs" / "benchmarks.md"
HEADINGS = ("", "min", "median", "p95", "max", "unit", "CPU s", "peak MB")


def as_text(outcome: Outcome) -> str:
    """Return a table for a terminal."""
    sides = [side.name for side in outcome.scenario.sides]
    rows = [HEADINGS, *(_row(outcome, side) for side in sides)]
    table = [
        f"{row[0]:<10}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows
    ]
    caption = f"{outcome.scenario.name}: {outcome.scenario.caption}"
    return "\n".join([caption, *table, *_notes(outcome)])


def write_page(machine: Machine, outcomes: Sequence[Outcome]) -> list[str]:
    """Put figures into their places on the page; return the names of those placed."""
    return [
        outcome.scenario.name
        for outcome in outcomes
        if place_figures(outcome.scenario.name, machine, as_text(outcome))
    ]


def place_figures(name: str, machine: Machine, figures: str, page: Path = PAGE) -> bool:
    """Put a scenario's figures between `<!-- NAME -->` and `<!-- end -->`, if there."""
    begin, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, begun, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        return False
    placed = f"```\n{machine.text}\n\n{figures}\n```\n"
    page.write_text("".join([before, begun, placed, ended, after]))
    return True


def as_document(machine: Machine, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return all figures, every run with them."""
    return {
        "schema_version": 2,
        "machine": asdict(machine),
        "scenarios": [_as_document(outcome) for outcome in outcomes],
    }


def _as_document(outcome: Outcome) -> dict[str, Any]:
    sides = [side.name for side in outcome.scenario.sides]
    return {
        "name": outcome.scenario.name,
        "scale": outcome.scale,
        "threads": outcome.threads,
        "unit": outcome.scenario.unit,
        "input_bytes": outcome.input_bytes,
        "medians": {side: outcome.figure("median", side) for side in sides},
        "pair_ratios": outcome.pair_ratios,
        "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
        "runs": [asdict(run) for run in outcome.runs],
    }


def _row(outcome: Outcome, side: str) -> tuple[str, ...]:
    values = outcome.values(side)
    runs = outcome.runs_of(side)
    peak = outcome.figure("peak MB", side)
    cpu = sorted(run.cpu_seconds for run in runs)[len(runs) // 2]
    return (
        side,
        f"{min(values):.3f}",
        f"{outcome.figure('median', side):.3f}",
        f"{outcome.figure('p95', side):.3f}",
        f"{max(values):.3f}",
        outcome.scenario.unit,
        f"{cpu:.2f}",
        f"{peak:.0f}" if peak else "-",
    )


def _notes(outcome: Outcome) -> list[str]:
    notes = [f"raw is: {outcome.scenario.raw_is}; {outcome.threads} threads"]
    ours = outcome.scenario.sides[-1].name
    account = outcome.runs_of(ours)[0].account
    if account and account.digest:
        notes.append(
            f"all loaded {account.rows:,} rows and refused {account.rejects:,} "
            f"records of {account.files:,} files, {outcome.input_bytes[ours]:,} bytes; "
            f"digest {account.digest}"
        )
    for other, ratios in outcome.pair_ratios.items():
        ratio = outcome.figure("median", other) / outcome.figure("median", ours)
        shown = ", ".join(f"{ratio:.2f}" for ratio in ratios[:10])
        more = ", ..." if len(ratios) > 10 else ""
        notes.append(
            f"ratio {other}/{ours} of the medians {ratio:.3f}; "
            f"of {len(ratios)} pairs: {shown}{more}"
        )
    return [*notes, *(verdict_text(outcome, each) for each in outcome.verdicts)]


def verdict_text(outcome: Outcome, verdict: Verdict) -> str:
    """Say what was wanted, what was measured, and whether that is enough."""
    bound = verdict.bound
    what = bound.of if bound.figure == "median" else f"{bound.figure} of {bound.of}"
    unit = "" if bound.figure == "peak MB" else f" {outcome.scenario.unit}"
    if bound.over:
        what, unit = f"{what} / {bound.over}", ""
    said = {
        True: "met",
        False: "MISSED",
        None: f"not judged at scale {outcome.scale:g}",
    }[verdict.is_met]
    return (
        f"{outcome.scenario.name}: target {what} {bound.kept} {bound.bound:g}{unit}, "
        f"measured {verdict.value:.3f}{unit}: {said}"
    )
