"""Five million customers on a laptop: the template `retail` from files to gold.

`python -m bench retail`: ours is `snowmelt run` on all files, and then a service to
which 24 hours of a thousandth come; raw is the same load and models in SQL written by
hand (`retail.sql`). What is compared are whole programs, from their start to their end,
not works inside of one; hence it is neither among the scenarios nor in `bench.live`,
whose service it uses for the hours alone.
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

from bench.inputs import MADE
from bench.live.figures import add_common_options, show, verdict
from bench.live.shop import CommandError, environment
from bench.machine import ROOT, describe_machine
from bench.scale.generation import Generation, bytes_below, measure_generation
from bench.scale.gold import Relation, ask_gold, require_same
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
from bench.scale.report import Measured, document, table, targets
from snowmelt.errors import SnowmeltError
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION

DISK_BYTES = 40e9
"""At scale 1: files, both databases, what is spilled, and copies of the files."""


@dataclass(frozen=True)
class Sides:
    """Both sides at one size: every run of either, and the hours of ours."""

    raw: Sequence[Ended]
    ours: Sequence[Full]
    hours: Hours


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when a target is missed, 2 when the sides came to other figures."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    free = shutil.disk_usage(ROOT).free
    if free < DISK_BYTES * chosen.scale:
        wanted = DISK_BYTES * chosen.scale / 1e9
        print(f"retail: {wanted:.0f} GB of disk are wanted", file=sys.stderr)
        return 2
    place = Path(tempfile.mkdtemp(prefix="retail-run-", dir=MADE))
    try:
        measured = _measure(chosen, place)
    except (CommandError, SnowmeltError) as error:
        print(f"retail FAILED: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(place, ignore_errors=True)
    judged = targets(measured)
    show("retail", machine, table(measured, judged), chosen)
    code = verdict("retail", judged)
    print(json.dumps(document(measured)), flush=True)
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench retail",
        description="The last line of stdout is one JSON object. Targets are judged "
        "at scale 1 with the usual dirt. Exit codes: 0 met, 1 missed, 2 other figures "
        "on both sides.",
    )
    add = parser.add_argument
    add("--scale", type=float, default=1.0, help="1: 5,000,000 customers")
    add("--small-scale", type=float, help="hours of the same size at this one too")
    add("--increments", type=int, default=24, help="hours")
    add("--dirty", type=float, default=DIRTY, help="share of dirt in the files")
    add("--pairs", type=int, default=1, help="full runs of both sides, in turn")
    add("--threads", type=int, default=os.cpu_count() or 1, help="of both; all cores")
    add("--memory-limit", help="of ours, such as 6GB; without it what a project has")
    add("--no-generation", action="store_true", help="leave out the making of files")
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    if chosen.scale <= 0 or min(chosen.increments, chosen.pairs, chosen.threads) < 1:
        parser.error("--scale and numbers must be positive")
    if chosen.small_scale is not None and not 0 < chosen.small_scale < chosen.scale:
        parser.error("--small-scale must be between 0 and --scale")
    return chosen


def _measure(chosen: argparse.Namespace, place: Path) -> Measured:
    company = company_of(chosen.scale, chosen.dirty)
    files = ensure_set(company)
    generation = _generate(chosen, company, files, place)
    small_hours = None
    if chosen.small_scale is not None:
        small = company_of(chosen.small_scale, chosen.dirty)
        each = max(round(chosen.scale / chosen.small_scale), 1)
        small_hours = _sides(chosen, small, each, place / "small").hours
    sides = _sides(chosen, company, 1, place / "large")
    return Measured(
        scale=chosen.scale,
        company=company,
        file_bytes=bytes_below(files),
        threads=chosen.threads,
        raw=sides.raw,
        ours=sides.ours,
        hours=sides.hours,
        small_scale=chosen.small_scale,
        small_hours=small_hours,
        generation=generation,
    )


def _generate(
    chosen: argparse.Namespace, company: Company, files: Path, place: Path
) -> Generation | None:
    if chosen.no_generation:
        return None
    _tell("the files are made, and copied by the engine")
    return measure_generation(company, files, place, chosen.threads)


def _sides(
    chosen: argparse.Namespace, company: Company, each: int, place: Path
) -> Sides:
    """Run both sides in turn, then the hours; each time gold must be the same."""
    files = ensure_set(company)
    hours = ensure_hours(company, chosen.increments, each)
    place.mkdir()
    raw, ours = [], []
    for number in range(1, chosen.pairs + 1):
        _tell(f"{company.transactions:,} transactions, run {number} of raw")
        ended, gold = _run_raw(chosen, files, place)
        raw.append(ended)
        _tell(f"{company.transactions:,} transactions, run {number} of ours")
        shutil.rmtree(place / "company", ignore_errors=True)
        root = make_project(place, files, chosen.threads, chosen.memory_limit)
        ours.append(run_full(root))
        require_same("after the full run", gold, ask_gold(warehouse_of(root)))
    _tell(f"{company.transactions:,} transactions, {len(hours)} hours")
    hourly = run_hours(root, hours)
    _, gold = _run_raw(chosen, root / "landing", place)
    require_same("after the hours", gold, ask_gold(warehouse_of(root)))
    shutil.rmtree(place)
    return Sides(raw, ours, hourly)


def _run_raw(
    chosen: argparse.Namespace, files: Path, place: Path
) -> tuple[Ended, dict[str, Relation]]:
    """Run the SQL written by hand in a new database, and read what it came to."""
    warm(files)
    own = place / "raw"
    own.mkdir()
    database = own / "raw.duckdb"
    words = (str(database), str(files), str(chosen.threads), STORAGE_VERSION)
    ended = run_to_its_end(
        [sys.executable, "-m", "bench.scale.raw", *words], own, environment()
    )
    gold = ask_gold(database)
    shutil.rmtree(own)
    return ended, gold


def _tell(text: str) -> None:
    print(f"retail: {text}", file=sys.stderr, flush=True)
