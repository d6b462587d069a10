"""What a measured program is told, and what it tells: nothing of ours is imported."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter


@dataclass(frozen=True)
class Spec:
    """Which work on which folder of files, in which place of its own."""

    work: str
    folder: str
    place: str
    threads: int
    format: str
    history_rows: int
    reader: str


@dataclass(frozen=True)
class Account:
    """What was loaded, counted and digested afterwards."""

    files: int
    rows: int
    rejects: int
    digest: str


@dataclass(frozen=True)
class Ran:
    """What a program measured: seconds, one or many. Memory is the peak up to then."""

    seconds: list[float]
    cpu_seconds: float
    peak_bytes: int
    account: Account


Work = Callable[[Spec], Ran]


def run_as_told(works: Mapping[str, Work]) -> None:
    """Do the work that the program's argument names and print what came of it."""
    spec = Spec(**json.loads(sys.argv[1]))
    ran = works[spec.work](spec)
    print(json.dumps(asdict(ran)))


def paths_of(spec: Spec) -> list[Path]:
    return sorted(Path(spec.folder).iterdir())


def warm(folder: Path) -> None:
    """Bring the files into the page cache, and let earlier writes reach the disk."""
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as opened_file:
            while opened_file.read(1 << 22):
                pass
    os.sync()


@dataclass
class Meter:
    """Seconds as they are measured, and the CPU and memory of the whole block."""

    seconds: list[float]
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    def __enter__(self) -> Meter:
        self._before, self._begun = getrusage(RUSAGE_SELF), perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        wall, after = perf_counter() - self._begun, getrusage(RUSAGE_SELF)
        user = after.ru_utime - self._before.ru_utime
        system = after.ru_stime - self._before.ru_stime
        self.cpu_seconds = user + system
        self.peak_bytes = after.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if not self.seconds:
            self.seconds.append(wall)

    def ran(self, account: Account) -> Ran:
        return Ran(self.seconds, self.cpu_seconds, self.peak_bytes, account)
