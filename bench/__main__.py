"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

from bench.machine import describe_machine
from bench.report import PAGE, as_document, as_text, verdict_text, write_page
from bench.runner import DisagreementError, NotMeasuredError, Outcome, measure
from bench.scenarios import GROUPS, SCENARIOS

# With options of their own: on a project that a service owns, or at full size.
LIVE = {
    "freshness": "bench.live.freshness",
    "batch-growth": "bench.live.batch_growth",
    "pages": "bench.live.pages",
    "rebuild": "bench.live.rebuild",
    "soak": "bench.live.soak",
    "trace": "bench.live.trace",
    "tasks": "bench.live.tasks",
    "viewers": "bench.live.viewers",
    "requests": "bench.live.requests",
    "retail": "bench.scale.retail",
    "retail-peers": "bench.scale.peers",
}


def main() -> int:
    """Measure what the command line names; return the exit code."""
    if sys.argv[1:2] and sys.argv[1] in LIVE:
        code: int = import_module(LIVE[sys.argv[1]]).main(sys.argv[2:])
        return code
    return _compare()


def _compare() -> int:
    """Measure the chosen scenarios; 1 when a target is missed, 2 when sides differ."""
    chosen = _parse()
    machine = describe_machine()
    if not chosen.json:
        print(machine.text)
    measured = [_measure(name, chosen) for name in chosen.names]
    outcomes = [outcome for outcome in measured if isinstance(outcome, Outcome)]
    if chosen.json:
        print(json.dumps(as_document(machine, outcomes), indent=2))
    if chosen.write:
        placed = write_page(machine, outcomes)
        print(f"written to {PAGE}: {', '.join(placed)}", file=sys.stderr)
    missed = [
        verdict_text(outcome, verdict)
        for outcome in outcomes
        for verdict in outcome.verdicts
        if verdict.is_met is False
    ]
    for text in missed:
        print(f"TARGET MISSED: {text}", file=sys.stderr)
    if any(isinstance(outcome, DisagreementError) for outcome in measured):
        return 2
    return 1 if missed else 0


def _measure(
    name: str, chosen: argparse.Namespace
) -> Outcome | DisagreementError | NotMeasuredError:
    """Measure one scenario and print it; what stops it does not stop the others."""
    print(f"{name}: {SCENARIOS[name].caption}", file=sys.stderr)
    try:
        outcome = measure(SCENARIOS[name], chosen.scale, chosen.pairs, chosen.threads)
    except DisagreementError as error:
        print(f"{name} FAILED: {error}", file=sys.stderr)
        return error
    except NotMeasuredError as error:
        print(f"{name}: not measured: {error}", file=sys.stderr)
        return error
    if not chosen.json:
        print(f"\n{as_text(outcome)}", flush=True)
    return outcome


def _parse() -> argparse.Namespace:
    by_default = [name for name, each in SCENARIOS.items() if not each.runs_alone]
    alone = [name for name, each in SCENARIOS.items() if each.runs_alone]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Exit codes: 0 targets met (at scale 1 only are they judged), "
        "1 a target was missed, 2 the sides did not load the same.",
    )
    parser.add_argument(
        "scenario",
        nargs="*",
        help=f"{', '.join(by_default)}: all of them without it; "
        f"{', '.join([*alone, *GROUPS])}: only when named; by itself and with "
        f"options of its own: {', '.join(LIVE)}",
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the full size; 0.01 to try"
    )
    parser.add_argument("--pairs", type=int, default=3, help="all sides, in turn")
    parser.add_argument("--threads", type=int, help="of all sides; all cores")
    parser.add_argument("--huge", action="store_true", help="the scenario huge too")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    chosen = parser.parse_args()
    named = [*chosen.scenario, *(["huge"] if chosen.huge else [])]
    chosen.names = [
        each for name in named or by_default for each in GROUPS.get(name, (name,))
    ]
    for name in chosen.names:
        if name not in SCENARIOS:
            parser.error(f"no scenario '{name}': {', '.join([*SCENARIOS, *GROUPS])}")
    if chosen.scale <= 0 or chosen.pairs < 1:
        parser.error("--scale and --pairs must be positive")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
