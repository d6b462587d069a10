"""Measuring a scenario: raw, ours, raw, ours, each in a program of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.inputs import MADE, ensure_inputs
from bench.load import Loaded, Spec
from bench.scenarios import Inputs, Scenario

SIDES = ("raw", "ours")
ONE_LOAD_SECONDS_MAX = 1800


class Disagreement(Exception):
    """The two sides did not come to the same, or one of them failed."""


@dataclass(frozen=True)
class Measured:
    """One run of one side.

    `loaded` and the memory are absent for the start of a program: what the kernel
    tells of a program's memory includes that of the program that started it.
    """

    side: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None = None
    loaded: Loaded | None = None


@dataclass(frozen=True)
class Outcome:
    """All runs of a scenario, in the order they were made."""

    scenario: Scenario
    scale: float
    threads: int
    inputs: Inputs | None
    input_bytes: int
    runs: Sequence[Measured]

    def values(self, side: str) -> list[float]:
        """Return a side's measurements in the scenario's unit."""
        of_side = [run for run in self.runs if run.side == side]
        seconds = [float(getattr(run, self.scenario.clock)) for run in of_side]
        if self.scenario.unit == "ms/file":
            assert self.inputs is not None
            return [each * 1000 / self.inputs.files for each in seconds]
        return seconds

    @property
    def ratio(self) -> float:
        """Raw over ours, of the medians: 1 is as fast as raw, 0.5 half as fast."""
        return median(self.values("raw")) / median(self.values("ours"))

    @property
    def pair_ratios(self) -> list[float]:
        pairs = zip(self.values("raw"), self.values("ours"), strict=True)
        return [raw / ours for raw, ours in pairs]

    @property
    def judged(self) -> bool:
        """A target is for the full size."""
        return self.scale == 1

    @property
    def met(self) -> bool:
        return self.scenario.target.met(self._judged_value)

    @property
    def verdict(self) -> str:
        scenario = self.scenario
        unit = "" if scenario.target.of == "ratio" else f" {scenario.unit}"
        said = "met" if self.met else "MISSED"
        if not self.judged:
            said = f"not judged at scale {self.scale:g}"
        return (
            f"{scenario.name}: target {scenario.target.text}{unit}, "
            f"measured {self._judged_value:.3f}{unit}: {said}"
        )

    @property
    def _judged_value(self) -> float:
        if self.scenario.target.of == "ratio":
            return self.ratio
        return median(self.values("ours"))


def measure(
    scenario: Scenario, scale: float, pairs: int, threads: int | None
) -> Outcome:
    """Measure both sides in turn; raises Disagreement unless they agree."""
    threads = threads or os.cpu_count() or 1
    runs: list[Measured] = []
    inputs = scenario.inputs.scaled(scale) if scenario.inputs else None
    folder = ensure_inputs(inputs) if inputs else None
    if folder is None:
        for side in SIDES:  # once unmeasured: compiled modules are written then
            _start(side)
    for number in range(pairs * scenario.rounds_per_pair):
        for side in SIDES:
            run = _start(side) if folder is None else _load(side, folder, threads)
            runs.append(run)
            if scenario.rounds_per_pair == 1:
                _tell(number + 1, run)
    if inputs:
        _require_same(runs, inputs)
    size = sum(path.stat().st_size for path in folder.iterdir()) if folder else 0
    return Outcome(scenario, scale, threads, inputs, size, runs)


def _load(side: str, folder: Path, threads: int) -> Measured:
    place = Path(tempfile.mkdtemp(prefix=f"{side}-", dir=MADE))
    spec = Spec(side, str(folder), str(place), threads)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "bench.load", json.dumps(asdict(spec))],
            stdout=subprocess.PIPE,
            timeout=ONE_LOAD_SECONDS_MAX,
            check=False,
        )
    finally:
        shutil.rmtree(place)
    if ended.returncode:
        raise Disagreement(f"the load of {side} ended with {ended.returncode}")
    loaded = Loaded(**json.loads(ended.stdout))
    return Measured(side, loaded.seconds, loaded.cpu_seconds, loaded.peak_bytes, loaded)


def _start(side: str) -> Measured:
    """Run a program to its end; the kernel tells what it used."""
    snowmelt = Path(sysconfig.get_path("scripts")) / "snowmelt"
    command = {
        "raw": [sys.executable, "-c", "pass"],
        "ours": [str(snowmelt), "--help"],
    }[side]
    begun = perf_counter()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise Disagreement(f"{' '.join(command)} ended with {program.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return Measured(side, perf_counter() - begun, cpu)


def _require_same(runs: Sequence[Measured], inputs: Inputs) -> None:
    """Every run loaded the same rows, refused as many, and left none out."""
    accounts = {
        (run.loaded.rows, run.loaded.rejects, run.loaded.digest, run.loaded.files)
        for run in runs
        if run.loaded
    }
    if len(accounts) != 1:
        told = "; ".join(f"{run.side}: {run.loaded}" for run in runs)
        raise Disagreement(f"the sides did not load the same: {told}")
    rows, rejects, _, files = accounts.pop()
    if (rows + rejects, files) != (inputs.records, inputs.files):
        raise Disagreement(
            f"{rows} rows and {rejects} rejects of {files} files were accounted for; "
            f"{inputs.records} records of {inputs.files} files were made"
        )


def _tell(number: int, run: Measured) -> None:
    print(
        f"  {number} {run.side:<4} {run.seconds:8.2f} s, CPU {run.cpu_seconds:8.2f} s, "
        f"{(run.peak_bytes or 0) / 1e6:6.0f} MB",
        file=sys.stderr,
    )
