"""Files that arrive one at a time."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from snowmelt.clock import SystemClock

PAUSE_SECONDS = 0.02
NEW_FILES = 10


def make_ready(files: Sequence[Path], landing: Path) -> list[Path]:
    """Copy files into `landing` under names that say they are not finished."""
    return [Path(shutil.copy(file, landing / f".{file.name}.part")) for file in files]


def bring_in_turn(ready: Sequence[Path], take: Callable[[str], float]) -> list[float]:
    """Rename files to their own names, each after the one before was taken.

    `take` returns when the file's rows were committed. Returns the seconds that each
    file took from before its rename.
    """
    clock, nobody = SystemClock(), threading.Event()
    seconds = []
    for path in ready:
        name = path.name.removeprefix(".").removesuffix(".part")
        clock.wait(nobody, PAUSE_SECONDS)
        begun = perf_counter()
        path.rename(path.with_name(name))
        seconds.append(take(name) - begun)
    return seconds
