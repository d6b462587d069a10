"""Figures as a table, as a page, and as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.machine import Machine
from bench.runner import SIDES, Outcome

HEADINGS = ("", "min", "median", "max", "unit", "CPU s", "peak MB")


def as_text(machine: Machine, outcomes: Sequence[Outcome]) -> str:
    """Return tables for a terminal."""
    parts = [machine.text]
    for outcome in outcomes:
        rows = [HEADINGS, *(_row(outcome, side) for side in SIDES)]
        table = [
            f"{row[0]:<6}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows
        ]
        parts.append("\n".join([_caption(outcome), *table, *_notes(outcome)]))
    return "\n\n".join(parts)


def as_markdown(machine: Machine, outcomes: Sequence[Outcome]) -> str:
    """Return a page of results."""
    parts = ["# Results", f"Measured by `python -m bench`. {machine.text}."]
    for outcome in outcomes:
        rows = [HEADINGS, ("---",) * len(HEADINGS)]
        rows += [_row(outcome, side) for side in SIDES]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        notes = "\n".join(f"- {note}" for note in _notes(outcome))
        parts += [f"## {_caption(outcome)}", table, notes]
    return "\n\n".join(parts) + "\n"


def as_document(machine: Machine, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return all figures, every run with them."""
    return {
        "schema_version": 1,
        "machine": asdict(machine),
        "scenarios": [
            {
                "name": outcome.scenario.name,
                "scale": outcome.scale,
                "threads": outcome.threads,
                "unit": outcome.scenario.unit,
                "inputs": asdict(outcome.inputs) if outcome.inputs else None,
                "input_bytes": outcome.input_bytes,
                "medians": {side: median(outcome.values(side)) for side in SIDES},
                "ratio": outcome.ratio,
                "pair_ratios": outcome.pair_ratios,
                "target": asdict(outcome.scenario.target),
                "judged": outcome.judged,
                "met": outcome.met,
                "runs": [asdict(run) for run in outcome.runs],
            }
            for outcome in outcomes
        ],
    }


def _caption(outcome: Outcome) -> str:
    return f"{outcome.scenario.name}: {outcome.scenario.caption}"


def _row(outcome: Outcome, side: str) -> tuple[str, ...]:
    values = outcome.values(side)
    runs = [run for run in outcome.runs if run.side == side]
    peak = max(run.peak_bytes or 0 for run in runs)
    return (
        side,
        f"{min(values):.3f}",
        f"{median(values):.3f}",
        f"{max(values):.3f}",
        outcome.scenario.unit,
        f"{median(run.cpu_seconds for run in runs):.2f}",
        f"{peak / 1e6:.0f}" if peak else "-",
    )


def _notes(outcome: Outcome) -> list[str]:
    notes = [f"raw is: {outcome.scenario.raw_is}; {outcome.threads} threads"]
    loaded = outcome.runs[0].loaded
    if loaded:
        notes.append(
            f"both loaded {loaded.rows:,} rows and refused {loaded.rejects:,} records "
            f"of {loaded.files:,} files, {outcome.input_bytes:,} bytes; digest "
            f"{loaded.digest}"
        )
    ratios = outcome.pair_ratios
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios[:10])
    pairs = f"of {len(ratios)} pairs: {shown}{', ...' if len(ratios) > 10 else ''}"
    return [
        *notes,
        f"ratio raw/ours of the medians {outcome.ratio:.3f}; {pairs}",
        outcome.verdict,
    ]
