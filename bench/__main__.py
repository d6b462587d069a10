"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.machine import describe_machine
from bench.report import as_document, as_markdown, as_text
from bench.runner import Disagreement, Outcome, measure
from bench.scenarios import SCENARIOS

RESULTS = Path(__file__).parent / "results" / "results.md"


def main() -> int:
    """Measure the chosen scenarios; 1 when a target is missed, 2 when sides differ."""
    chosen = _parse()
    names = chosen.scenario or list(SCENARIOS)
    machine = describe_machine()
    outcomes: list[Outcome] = []
    for name in names:
        print(f"{name}: {SCENARIOS[name].caption}", file=sys.stderr)
        try:
            outcomes.append(
                measure(SCENARIOS[name], chosen.scale, chosen.pairs, chosen.threads)
            )
        except Disagreement as error:
            print(f"{name} FAILED: {error}", file=sys.stderr)
            return 2
    if chosen.json:
        print(json.dumps(as_document(machine, outcomes), indent=2))
    else:
        print(as_text(machine, outcomes))
    if chosen.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(as_markdown(machine, outcomes))
        print(f"written: {RESULTS}", file=sys.stderr)
    missed = [outcome for outcome in outcomes if outcome.judged and not outcome.met]
    for outcome in missed:
        print(f"TARGET MISSED: {outcome.verdict}", file=sys.stderr)
    return 1 if missed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Exit codes: 0 targets met (at scale 1 only are they judged), "
        "1 a target was missed, 2 the two sides did not load the same.",
    )
    parser.add_argument(
        "scenario", nargs="*", help=f"{', '.join(SCENARIOS)}; all without it"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the full size; 0.01 to try"
    )
    parser.add_argument("--pairs", type=int, default=3, help="raw and ours, in turn")
    parser.add_argument("--threads", type=int, help="of both sides; all cores")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    chosen = parser.parse_args()
    for name in chosen.scenario:
        if name not in SCENARIOS:
            parser.error(f"no scenario '{name}': {', '.join(SCENARIOS)}")
    if chosen.scale <= 0 or chosen.pairs < 1:
        parser.error("--scale and --pairs must be positive")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
