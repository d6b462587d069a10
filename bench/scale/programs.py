"""A program run to its end, and what it used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from time import perf_counter

from bench.live.shop import CommandError

SECONDS_MAX = 2 * 3600.0


@dataclass(frozen=True)
class Ended:
    """What a program used, from its start until it had ended, and what it printed.

    The kernel tells; programs that it started and waited for are in it. Its figure of
    memory is never less than what the program has that started it, which is why nothing
    large is done in that one.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def run_to_its_end(words: Sequence[str], root: Path, given: Mapping[str, str]) -> Ended:
    """Run a program in a folder; CommandError, with what it told, if it fails."""
    with tempfile.TemporaryFile("w+", dir=root) as told:
        begun = perf_counter()
        program = subprocess.Popen(
            words, cwd=root, env=given, stdout=subprocess.PIPE, stderr=told, text=True
        )
        assert program.stdout is not None
        too_long = Timer(SECONDS_MAX, program.kill)
        too_long.start()
        try:
            output = program.stdout.read()
            _, status, used = os.wait4(program.pid, 0)
        finally:
            too_long.cancel()
        seconds = perf_counter() - begun
        program.stdout.close()
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode != 0:
            told.seek(0)
            said = f"{output[-2000:]}{told.read()[-2000:]}".strip()
            raise CommandError(f"{' '.join(words[-4:])} failed: {said}")
    cpu_seconds = used.ru_utime + used.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024
    return Ended(seconds, cpu_seconds, used.ru_maxrss * unit, output)


def warm(folder: Path) -> None:
    """Bring all files below into the page cache, and let writes reach the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as opened_file:
                while opened_file.read(1 << 22):
                    pass
    os.sync()
