"""A short soak: what a service has in memory and on disk does not grow with time.

`python -m bench soak` is the long form, with a service, models, runs and audits.
"""

from __future__ import annotations

import gc
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from bench.live.soak_figures import Sample, judge, quarters
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.gold.vacuum import RetentionConfig
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.service.vacuuming import LOG_BYTES_IDLE, Vacuuming

ROUNDS, NAMES, ROWS = 24, 3, 10_000
PROJECT = {
    "snowmelt.yml": {"version": 1, "name": "soak", "landing": {"settle": "0s"}},
    "dbt_project.yml": {"name": "soak", "version": "1.0.0", "profile": "snowmelt"},
    "pipes/t.yml": {
        "name": "t",
        "pattern": "t*.csv",
        "on_error": "continue",
        "contract": {
            "columns": [
                {"name": "id", "type": "integer"},
                {"name": "told", "type": "varchar"},
            ]
        },
    },
}


class Soaked:
    """A project without models, owned by this process."""

    def __init__(self, root: Path, loop: Loop) -> None:
        self.loop = loop
        self.landing = root / "landing"
        self.warehouse = root / ".snowmelt" / "warehouse.duckdb"
        self.commands = OwnCommands(loop, serving=False)
        self.files = 0

    def load(self, name: str, rows: int) -> None:
        """Land a file with other content than ever before, and load it."""
        self.files += 1
        told = "".join(
            f"{i},{sha256(b'%d %d' % (i, self.files)).hexdigest()}\n"
            for i in range(rows)
        )
        path = self.landing / f".{name}"
        path.write_text(f"id,told\n{told}")
        path.rename(self.landing / name)

    def run(self) -> None:
        self.commands.run(None)

    def sample(self, at: float) -> Sample:
        log = Path(f"{self.warehouse}.wal")
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return Sample(
            at,
            pages * os.sysconf("SC_PAGE_SIZE"),
            self.warehouse.stat().st_size,
            log.stat().st_size if log.exists() else 0,
            len(list(Path("/proc/self/fd").iterdir())),
            threading.active_count(),
            self.files,
        )


@contextmanager
def soaking(root: Path) -> Iterator[Soaked]:
    for name, content in PROJECT.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts, publishes=False)
        try:
            yield Soaked(root, loop)
        finally:
            loop.close()


def soak(root: Path, superseded: object) -> list[str]:
    """Correct the same few files again and again; return the targets missed."""
    samples = []
    with soaking(root) as soaked:
        vacuum = soaked.loop.parts.vacuum
        vacuum.config = RetentionConfig.model_validate({"superseded": superseded})
        for number in range(ROUNDS):
            soaked.load(f"t{number % NAMES}.csv", ROWS)
            soaked.run()
            soaked.commands.vacuum()
            samples.append(soaked.sample(float(number)))
    targets = judge(quarters(samples, []))
    return [target.what for target in targets if target.is_missed]


def test_corrections_do_not_let_anything_grow(tmp_path: Path) -> None:
    assert soak(tmp_path, 0) == []


@pytest.mark.long
def test_without_vacuum_the_file_grows(tmp_path: Path) -> None:
    assert soak(tmp_path, "forever") == [
        "file and log without load history, last quarter / second"
    ]


@pytest.mark.long
def test_objects_in_memory_are_not_those_of_files(tmp_path: Path) -> None:
    """Neither files that were loaded nor files that are gone stay in memory."""
    counts = []
    with soaking(tmp_path) as soaked:
        for _ in range(4):
            for _ in range(250):
                soaked.load(f"t_{soaked.files}.csv", 1)
            soaked.run()
            for path in soaked.landing.iterdir():
                path.unlink()
            soaked.run()
            log = soaked.loop.parts.pipeline_log
            while log.waiting:
                log.write()
            gc.collect()
            counts.append(len(gc.get_objects()))
    steps = [after - before for before, after in pairwise(counts[1:])]
    assert min(steps) < 125, f"{counts}: of 250 files each time"


def test_an_idle_service_takes_its_log_in(tmp_path: Path) -> None:
    clock = SystemClock()
    with soaking(tmp_path) as soaked:
        vacuuming = Vacuuming(soaked.loop.parts.vacuum, clock.now())
        warehouse = soaked.loop.parts.warehouse
        while warehouse.log_bytes() < LOG_BYTES_IDLE:
            soaked.load("t1.csv", 20_000)
            soaked.run()
        assert vacuuming.choose(clock.now()) is None, "others may be about to write"
        work, give_up_at = None, clock.monotonic() + 20
        while work is None and clock.monotonic() < give_up_at:
            clock.wait(threading.Event(), 0.3)
            work = vacuuming.choose(clock.now())
        assert work is not None
        work()
        assert warehouse.log_bytes() == 0


def test_a_slice_is_followed_by_a_checkpoint(tmp_path: Path) -> None:
    """Only then the space can be used again."""
    clock = SystemClock()
    with soaking(tmp_path) as soaked:
        vacuum = soaked.loop.parts.vacuum
        vacuum.config = RetentionConfig.model_validate({"superseded": 0})
        for _ in range(2):
            soaked.load("t1.csv", 10)
            soaked.run()
        vacuuming = Vacuuming(vacuum, clock.now())
        vacuuming._look_at = clock.now()
        done = []
        while (work := vacuuming.choose(clock.now())) is not None:
            work()
            done.append(getattr(work, "__name__", ""))
        assert done == ["_step", "_checkpoint"]
        assert vacuuming.overdue(clock.now()) is None


@pytest.mark.parametrize(("kept", "seconds"), [("30d", 3600), ("1h", 36), (0, 10)])
def test_how_often_the_vacuum_looks(tmp_path: Path, kept: object, seconds: int) -> None:
    with soaking(tmp_path) as soaked:
        vacuum = soaked.loop.parts.vacuum
        vacuum.config = RetentionConfig.model_validate({"superseded": kept})
        vacuuming = Vacuuming(vacuum, SystemClock().now())
        assert vacuuming.every.total_seconds() == seconds
