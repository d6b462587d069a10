"""Figures, what they must keep to, and where they are put."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.machine import Machine
from bench.report import PAGE, place_figures


@dataclass(frozen=True)
class Target:
    """What a figure must not exceed, and what it came to; not judged: no verdict."""

    what: str
    value: float
    bound: float
    unit: str
    is_judged: bool

    @property
    def is_missed(self) -> bool:
        return self.is_judged and self.value > self.bound

    @property
    def text(self) -> str:
        said = "MISSED" if self.value > self.bound else "met"
        said = said if self.is_judged else "not judged at this size"
        return (
            f"target {self.what} <= {self.bound:g} {self.unit}, "
            f"measured {self.value:.4g} {self.unit}: {said}"
        )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the least value that so many percent do not exceed; nan of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add what all scenarios of this kind can be told."""
    parser.add_argument("--json", action="store_true", help="the table to stderr")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")


def show(
    name: str, machine: Machine, lines: Sequence[str], chosen: argparse.Namespace
) -> None:
    """Print a table and, if so wished, put it into its place on the page."""
    text = "\n".join(lines)
    out = sys.stderr if chosen.json else sys.stdout
    print(f"{machine.text}\n\n{text}", file=out, flush=True)
    if chosen.write and place_figures(name, machine, text):
        print(f"written to {PAGE}: {name}", file=sys.stderr)


def verdict(name: str, targets: Sequence[Target]) -> int:
    """Tell of the targets that were missed; return the exit code, 1 if any was."""
    missed = [target for target in targets if target.is_missed]
    for target in missed:
        print(f"TARGET MISSED: {name}: {target.text}", file=sys.stderr)
    return 1 if missed else 0
