"""A service for many simulated hours: memory, file size and latency stay what they are.

`python -m bench soak --hours 24 --minutes 20`: arrivals and everything that is kept for
a time are faster by the same factor, so a day passes in minutes. A file lands every so
many simulated seconds; names come again with other rows, some records are refused,
some files have a column more, runs fail and are mended, the audit comes by schedule.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.inputs import MADE
from bench.live.figures import Target, add_common_options, show, verdict
from bench.live.shop import CommandError, snowmelt_says
from bench.live.soak_feed import BAD_EVERY, Arriving, arrivals, bad_run
from bench.live.soak_figures import Landed, Sample, judge, quarters, table
from bench.live.up import Service, asking, pause, running
from bench.machine import ROOT, describe_machine
from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.serve.client import ServiceClient

PROJECT = ROOT / "tests" / "projects" / "small"
LEDGERS = ("order_movements", "order_balance")
"""Models that keep a row of every change for ever: left out."""
HOURS, MINUTES, EVERY_SECONDS = 24.0, 20.0, 30.0
SAMPLES = 120
WAIT_SECONDS = 120.0
_KEPT_HOURS = {
    "superseded": 1.0,
    "stale_after": 1.0,
    "keep": 2.0,
    "queries_keep": 1.0,
    "history_keep": 4.0,
}
"""How long things are kept, in simulated hours."""
_FIRST = (0, 1, 2, 3, 4, 5, 19, 120)
"""Files of every kind, with which the project is published before the clock runs."""
_LOADS = """
    select load_seq, file_name, epoch(last_load_time) from snowmelt.load_history
    where load_seq > {after} and replay_of is null order by load_seq
"""
_RUNS = """
    select read_through, epoch(ended_at) from snowmelt.run_history
    where state = 'SUCCEEDED' order by ended_at
"""
_STATES = """
    select coalesce(way, '') || ' ' || state, count(*) from snowmelt.run_history
    group by 1 order by 1
"""


def main(arguments: Sequence[str]) -> int:
    """Soak; 1 when something grows, 2 when the service or a command failed."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="soak-", dir=MADE))
    try:
        lines, judged, document = _soak(chosen, place)
    except (CommandError, SnowmeltError) as error:
        print(f"soak FAILED: {error}", file=sys.stderr)
        return 2
    finally:
        if not chosen.keep:
            shutil.rmtree(place, ignore_errors=True)
    lines += [f"load average after: {os.getloadavg()[0]:.2f}"]
    lines += [f"soak: {each.text}" for each in judged]
    show("soak", machine, lines, chosen)
    print(json.dumps(document), flush=True)
    return verdict("soak", judged)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench soak",
        description="Exit codes: 0 nothing grows, 1 something does, 2 it failed.",
    )
    parser.add_argument("--hours", type=float, default=HOURS, help="simulated")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="that they take")
    parser.add_argument(
        "--every", type=float, default=EVERY_SECONDS, help="simulated, between files"
    )
    parser.add_argument("--no-vacuum", action="store_true", help="keep for ever")
    parser.add_argument("--keep", action="store_true", help="leave the project there")
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    if min(chosen.hours, chosen.minutes, chosen.every) <= 0:
        parser.error("--hours, --minutes and --every must be positive")
    chosen.factor = chosen.hours * 60 / chosen.minutes
    return chosen


def _now() -> float:
    return SystemClock().now().timestamp()


def make_project(root: Path, factor: float, *, vacuums: bool) -> None:
    """Make the project of the soak, in which time passes faster by a factor."""
    shutil.copytree(PROJECT, root)
    for name in LEDGERS:
        (root / "models" / "gold" / f"{name}.sql").unlink()
    (root / "landing").mkdir()
    for name in ("orders",):
        path = root / "pipes" / f"{name}.yml"
        path.write_text(path.read_text() + "schema_evolution: rescue\n")
    kept = {
        name: f"{max(hours * 3600 / factor, 1):.0f}s"
        for name, hours in _KEPT_HOURS.items()
    }
    superseded = kept["superseded"] if vacuums else "forever"
    settings = {
        "version": 1,
        "name": "soak",
        "landing": {"path": "landing", "settle": "0s", "refresh_every": "20s"},
        "warehouse": {"threads": 2, "memory_limit": "1200MB"},
        "publish": {"wait_max": "2s"},
        "audit": {"schedule": "*/5 * * * *"},
        "log": {name: kept[name] for name in ("keep", "queries_keep", "history_keep")},
        "retention": {"superseded": superseded, "stale_after": kept["stale_after"]},
    }
    (root / "snowmelt.yml").write_text(json.dumps(settings))  # JSON is YAML
    snowmelt_says(root, "upgrade")


class Soak:
    """Lets files arrive by the clock, and looks at the service from outside."""

    def __init__(self, service: Service, client: ServiceClient, root: Path) -> None:
        self.service = service
        self.client = client
        self.root = root
        self.samples: list[Sample] = []
        self.landed_at: dict[str, list[float]] = {}
        self.loads: dict[int, tuple[str, float]] = {}
        self.runs: dict[int, float] = {}
        self.number = 0

    def land(self, file: Arriving) -> None:
        """Rename a file into place."""
        self.number += 1
        path = self.root / f"ready-{self.number}.tmp"
        path.write_text(file.content)
        self.landed_at.setdefault(file.name, []).append(_now())
        path.replace(self.root / "landing" / file.name)

    def look(self) -> None:
        """Take a sample, and note what was loaded and published since the last one."""
        after = max(self.loads, default=0)
        for seq, name, at in self._ask(_LOADS.format(after=after)):
            self.loads[int(seq)] = (str(name), float(at))
        for through, at in self._ask(_RUNS):
            self.runs.setdefault(int(through), float(at))
        state = self.root / ".snowmelt" / "warehouse.duckdb"
        log = Path(f"{state}.wal")
        proc = Path(f"/proc/{self.service.pid}")
        self.samples.append(
            Sample(
                _now(),
                int(self.service.rss_mb * 1e6),
                state.stat().st_size,
                log.stat().st_size if log.exists() else 0,
                len(list((proc / "fd").iterdir())),
                len(list((proc / "task").iterdir())),
                len(self.loads),
            )
        )

    def _ask(self, query: str) -> list[Any]:
        rows: list[Any] = self.client.query(query, None)["rows"]
        return rows

    def landed(self) -> list[Landed]:
        """Match loads with the files that landed last before them, and with runs."""
        found = []
        throughs = sorted(self.runs)
        for seq, (name, loaded_at) in self.loads.items():
            before = [at for at in self.landed_at.get(name, ()) if at <= loaded_at]
            if not before:
                continue
            at = before[-1]
            run = next((each for each in throughs if each >= seq), None)
            gold = self.runs[run] - at if run is not None else None
            found.append(Landed(at, loaded_at - at, gold))
        return found


def _make_ready(place: Path, chosen: argparse.Namespace) -> Path:
    """Make the project and publish it once, so that nothing of that is measured."""
    root = place / "soak"
    print("making a project, and letting it rehearse", file=sys.stderr)
    make_project(root, chosen.factor, vacuums=not chosen.no_vacuum)
    for number, file in zip(range(130), arrivals(), strict=False):
        if number in _FIRST:
            (root / "landing" / file.name).write_text(file.content)
    snowmelt_says(root, "run")
    return root


def _soak(
    chosen: argparse.Namespace, place: Path
) -> tuple[list[str], list[Target], dict[str, Any]]:
    root = _make_ready(place, chosen)
    seconds, every = chosen.minutes * 60, chosen.every / chosen.factor
    with running(root, 180.0) as service, asking(service) as client:
        service.rest(300.0)
        soak = Soak(service, client, root)
        begun = perf_counter()
        for due, file in _by_the_clock(every, seconds):
            while perf_counter() - begun < due:
                if perf_counter() - begun > len(soak.samples) * seconds / SAMPLES:
                    soak.look()
                pause(min(max(due - (perf_counter() - begun), 0.0), 0.2))
            soak.land(file)
            if service.has_ended:
                raise CommandError((root / "up.log").read_text()[-2000:])
        soak.look()
        status = client.status()
        states = soak._ask(_STATES)
        vacuum = client.vacuum(dry_run=True)
    after = root / ".snowmelt" / "warehouse.duckdb"
    log_left = Path(f"{after}.wal").exists()
    landed = soak.landed()
    parts = quarters(soak.samples, landed)
    judged = judge(parts)
    kept = [f"{name} {hours:g} h" for name, hours in _KEPT_HOURS.items()]
    lines = [
        f"soak: {chosen.hours:g} simulated hours in {chosen.minutes:g} minutes, a file "
        f"every {chosen.every:g} simulated seconds: {soak.number} files, "
        f"{len(soak.loads)} loads; kept: {', '.join(kept)}",
        *table(parts),
        f"runs kept at the end: {', '.join(f'{n} {s}' for s, n in states)}",
        f"problems at the end: {len(status['problems'])}; "
        f"log left after the stop: {'yes' if log_left else 'none'}",
    ]
    document = {
        "files": soak.number,
        "loads": len(soak.loads),
        "problems": status["problems"],
        "vacuum": vacuum,
        "samples": [vars(each) for each in soak.samples],
    }
    return lines, judged, document


def _by_the_clock(every: float, seconds: float) -> Iterator[tuple[float, Arriving]]:
    """Yield (when, file): after every hundredth two, the first of which fails a run."""
    for number, file in enumerate(arrivals()):
        if number * every > seconds:
            return
        yield number * every, file
        if number % BAD_EVERY == BAD_EVERY - 1:
            for step, each in enumerate(bad_run()):
                yield (number + 0.3 + 3 * step) * every, each
