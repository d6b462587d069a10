"""The company beside another loader: dlt into DuckDB, then `dbt build`.

`python -m bench retail-peers`: the same files, and the same models with their tests.
Ours is `snowmelt run`, then a service to which hours come; theirs are two programs in
turn, each time, as a scheduler would start them. dbt builds the template's target
`dev`, where it keeps neither quarantine nor logs of changes and makes each table anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.inputs import MADE
from bench.live.dbt_builds import DBT, QUIET
from bench.live.figures import Target, add_common_options, show, verdict
from bench.live.shop import CommandError, command, environment, run_program
from bench.machine import describe_machine
from bench.peers.environment import NotInstalledError, ensure_environment
from bench.scale.gold import ask_gold, require_same
from bench.scale.inputs import DIRTY, Company, company_of, ensure_hours, ensure_set
from bench.scale.ours import (
    Full,
    Hours,
    make_project,
    run_full,
    run_hours,
    warehouse_of,
)
from bench.scale.programs import Ended, run_to_its_end, warm
from snowmelt.errors import SnowmeltError

SCALE = 0.1
COMPRESSION = "gzip"
"""The one that dlt reads of CSV files."""

LOAD_SHARE_MAX, FULL_SHARE_MAX, HOUR_SHARE_MAX = 1 / 2, 1 / 1.5, 1 / 10


@dataclass(frozen=True)
class Built:
    """One round of theirs: dlt's program, what it says of its load, dbt's program."""

    dlt: Ended
    load_seconds: float
    dbt: Ended

    @property
    def seconds(self) -> float:
        return self.dlt.seconds + self.dbt.seconds


@dataclass(frozen=True)
class Beside:
    """Both, in full and hour by hour."""

    full: Full
    hours: Hours
    their_full: Built
    their_hours: Sequence[Built]


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when a target is missed, 2 when both came to other figures."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="retail-peers-", dir=MADE))
    company = company_of(chosen.scale, DIRTY, COMPRESSION)
    try:
        beside = _measure(company, chosen, place)
    except (CommandError, NotInstalledError, SnowmeltError) as error:
        print(f"retail-peers FAILED: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(place, ignore_errors=True)
    judged = targets(beside, is_judged=chosen.scale >= SCALE)
    show("retail-peers", machine, table(beside, company, judged), chosen)
    code = verdict("retail-peers", judged)
    figures = {each.what: round(each.value, 4) for each in judged}
    print(json.dumps({"scale": chosen.scale, **figures}), flush=True)
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench retail-peers", description=f"Judged from {SCALE} on."
    )
    add = parser.add_argument
    add("--scale", type=float, default=SCALE, help="1: 5,000,000 customers")
    add("--increments", type=int, default=3, help="hours")
    add("--threads", type=int, default=os.cpu_count() or 1, help="of ours; all cores")
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    if chosen.scale <= 0 or min(chosen.increments, chosen.threads) < 1:
        parser.error("--scale and numbers must be positive")
    return chosen


def _measure(company: Company, chosen: argparse.Namespace, place: Path) -> Beside:
    files = ensure_set(company)
    hours = ensure_hours(company, chosen.increments, 1)
    theirs = _make_theirs(place / "theirs")
    print("retail-peers: dlt and dbt", file=sys.stderr, flush=True)
    their_full = _build(theirs, files)
    gold = ask_gold(theirs / "warehouse.duckdb", "dev_gold")
    print("retail-peers: ours", file=sys.stderr, flush=True)
    root = make_project(place, files, chosen.threads, None)
    full = run_full(root)
    require_same("after the full run", gold, ask_gold(warehouse_of(root)))
    print(f"retail-peers: {len(hours)} hours of each", file=sys.stderr, flush=True)
    their_hours = [_build(theirs, hour) for hour in hours]
    ours_hours = run_hours(root, hours)
    gold = ask_gold(theirs / "warehouse.duckdb", "dev_gold")
    require_same("after the hours", gold, ask_gold(warehouse_of(root)))
    return Beside(full, ours_hours, their_full, their_hours)


def _make_theirs(place: Path) -> Path:
    """Make a project of the template for dbt alone, and a place for dlt's state."""
    place.mkdir()
    words = ("init", "models", "--template", "retail", "--no-input")
    run_program(command(*words), place, environment())
    return place


def _build(place: Path, files: Path) -> Built:
    """Load the files by dlt, then build and test all models by dbt."""
    warm(files)
    database = place / "warehouse.duckdb"
    given = environment(SNOWMELT_WAREHOUSE=str(database))
    words = ("-m", "bench.peers.dlt_retail", str(database), str(files), str(place))
    loaded = run_to_its_end([str(ensure_environment()), *words], place, given)
    root = place / "models"
    folders = ("--project-dir", str(root), "--profiles-dir", str(root))
    built = run_to_its_end([*DBT, "build", *QUIET, *folders], root, given)
    return Built(loaded, json.loads(loaded.output)["seconds"], built)


def targets(beside: Beside, *, is_judged: bool) -> list[Target]:
    """Return the targets: what ours may take of what theirs takes."""
    full, theirs = beside.full, beside.their_full
    hour = median(beside.hours.seconds) / median(b.seconds for b in beside.their_hours)
    shares = (
        ("load", full.load_seconds / theirs.load_seconds, LOAD_SHARE_MAX),
        ("full run", full.ended.seconds / theirs.seconds, FULL_SHARE_MAX),
        ("an hour", hour, HOUR_SHARE_MAX),
    )
    return [
        Target(f"{what}, ours / theirs", share, bound, "times", is_judged)
        for what, share, bound in shares
    ]


def table(beside: Beside, company: Company, judged: Sequence[Target]) -> list[str]:
    """Return all figures as lines."""
    full, theirs = beside.full, beside.their_full
    peaks = (theirs.dlt.peak_bytes, theirs.dbt.peak_bytes)
    hour = median(each.seconds for each in beside.their_hours)
    cells = ("load s", "full run s", "an hour s", "peak MB")
    return [
        f"retail-peers: {company.customers:,} customers, "
        f"{company.products:,} products, {company.transactions:,} transactions; "
        f"hours: {len(beside.their_hours)}",
        _line("", cells),
        _line(
            "dlt, dbt", _cells(theirs.load_seconds, theirs.seconds, hour, max(peaks))
        ),
        _line(
            "ours",
            _cells(
                full.load_seconds,
                full.ended.seconds,
                median(beside.hours.seconds),
                max(full.ended.peak_bytes, beside.hours.peak_bytes),
            ),
        ),
        f"of theirs: dlt {theirs.dlt.seconds:.2f} s, dbt {theirs.dbt.seconds:.2f} s",
        "both have the same gold after the full run, and after the hours",
        *(f"retail-peers: {target.text}" for target in judged),
    ]


def _cells(load: float, full: float, hour: float, peak: float) -> Sequence[str]:
    return (f"{load:.2f}", f"{full:.2f}", f"{hour:.3f}", f"{peak / 1e6:.0f}")


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<12}" + "".join(f"{cell:>12}" for cell in cells)
