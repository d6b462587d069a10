"""Measuring a scenario: its sides in turn, each time in a program of its own."""

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

from bench.inputs import MADE, ensure_inputs
from bench.machine import ROOT
from bench.measured import Account, Spec
from bench.peers.environment import NotInstalledError, ensure_environment
from bench.scenarios import Bound, Inputs, Scenario, Side

ONE_RUN_SECONDS_MAX = 1800


class DisagreementError(Exception):
    """The sides did not come to the same, or one of them failed."""


class NotMeasuredError(Exception):
    """This machine lacks what the scenario needs."""


@dataclass(frozen=True)
class Run:
    """One run of one side: the seconds it measured, one or many.

    Account and memory are absent for the start of a program: what the kernel tells of
    a program's memory includes that of the program that started it.
    """

    side: str
    seconds: Sequence[float]
    cpu_seconds: float
    peak_bytes: int | None = None
    account: Account | None = None


@dataclass(frozen=True)
class Verdict:
    """A bound, what was measured, and whether it was kept; None: not judged."""

    bound: Bound
    value: float
    is_met: bool | None


@dataclass(frozen=True)
class Outcome:
    """All runs of a scenario, in the order they were made."""

    scenario: Scenario
    scale: float
    threads: int
    input_bytes: dict[str, int]
    runs: Sequence[Run]

    def values(self, side: str) -> list[float]:
        """Return all measurements of a side, in the scenario's unit."""
        return [each for run in self.runs_of(side) for each in self.in_unit(run)]

    def in_unit(self, run: Run) -> list[float]:
        """Return the measurements of one run, in the scenario's unit."""
        factor = 1.0 if self.scenario.unit == "s" else 1000.0
        if self.scenario.unit == "ms/file":
            assert run.account is not None
            factor /= run.account.files
        return [each * factor for each in run.seconds]

    def runs_of(self, side: str) -> list[Run]:
        return [run for run in self.runs if run.side == side]

    def figure(self, name: str, side: str) -> float:
        """Return a figure of a side over all its runs."""
        if name == "peak MB":
            return max(run.peak_bytes or 0 for run in self.runs_of(side)) / 1e6
        values = sorted(self.values(side))
        if name == "p95":
            return values[max(-(-len(values) * 95 // 100) - 1, 0)]
        return median(values)

    @property
    def pair_ratios(self) -> dict[str, list[float]]:
        """Return {other side: its time over ours, pair by pair}."""
        *others, ours = (side.name for side in self.scenario.sides)
        own = [median(self.in_unit(run)) for run in self.runs_of(ours)]
        return {
            other: [
                median(self.in_unit(run)) / each
                for run, each in zip(self.runs_of(other), own, strict=True)
            ]
            for other in others
        }

    @property
    def verdicts(self) -> list[Verdict]:
        """A bound is for the full size: at another scale it is not judged."""
        verdicts = []
        for bound in self.scenario.bounds:
            value = self.figure(bound.figure, bound.of)
            if bound.over:
                value /= self.figure(bound.figure, bound.over)
            is_met = bound.is_met(value) if self.scale == 1 else None
            verdicts.append(Verdict(bound, value, is_met))
        return verdicts


def measure(
    scenario: Scenario, scale: float, pairs: int, threads: int | None
) -> Outcome:
    """Measure all sides in turn.

    Raises DisagreementError unless they agree, NotMeasuredError where it cannot be.
    """
    free = shutil.disk_usage(ROOT).free
    if free < scenario.disk_bytes * scale:
        raise NotMeasuredError(
            f"{scenario.disk_bytes * scale / 1e9:.0f} GB of disk are wanted, "
            f"{free / 1e9:.0f} GB are free"
        )
    given = {side.name: scenario.inputs_of(side, scale) for side in scenario.sides}
    folders = {
        inputs: ensure_inputs(inputs) for inputs in given.values() if inputs is not None
    }
    sizes = {
        name: sum(path.stat().st_size for path in folders[inputs].iterdir())
        for name, inputs in given.items()
        if inputs is not None
    }
    threads = threads or os.cpu_count() or 1
    runs: list[Run] = []
    try:
        for number in range(min(pairs, scenario.pairs_max) * scenario.rounds_per_pair):
            for side in scenario.sides:
                inputs = given[side.name]
                if inputs is None:
                    runs.append(_start(side, number))
                else:
                    spec = _spec(side, inputs, folders[inputs], threads, scale)
                    runs.append(_run(side, spec))
                    _tell(number + 1, runs[-1])
    finally:
        for inputs, folder in folders.items():
            if not inputs.is_kept:
                shutil.rmtree(folder)
    _require_same(runs, given)
    return Outcome(scenario, scale, threads, sizes, runs)


def _spec(side: Side, inputs: Inputs, folder: Path, threads: int, scale: float) -> Spec:
    known = round(side.history_rows * scale)
    return Spec(side.work, str(folder), "", threads, inputs.format, known, side.reader)


def _run(side: Side, spec: Spec) -> Run:
    """Run a side's program in a new folder, and take what it measured."""
    python = sys.executable
    if side.program.startswith("bench.peers"):
        try:
            python = str(ensure_environment())
        except NotInstalledError as error:
            raise NotMeasuredError(f"it cannot be installed here: {error}") from None
    place = tempfile.mkdtemp(prefix=f"{side.program}-", dir=MADE)
    given = json.dumps(asdict(spec) | {"place": place})
    try:
        ended = subprocess.run(
            [python, "-m", side.program, given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            timeout=ONE_RUN_SECONDS_MAX,
            check=False,
        )
    finally:
        shutil.rmtree(place)
    if ended.returncode:
        raise DisagreementError(f"the run of {side.name} ended with {ended.returncode}")
    told = json.loads(ended.stdout)
    account = Account(**told["account"])
    return Run(
        side.name, told["seconds"], told["cpu_seconds"], told["peak_bytes"], account
    )


def _start(side: Side, number: int) -> Run:
    """Run a program to its end; the kernel tells what it used.

    Before the first time it is run unmeasured: compiled modules are written then.
    """
    places = {
        "python": sys.executable,
        "snowmelt": str(Path(sysconfig.get_path("scripts")) / "snowmelt"),
    }
    command = [places[side.starts[0]], *side.starts[1:]]
    if number == 0:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise DisagreementError(f"{' '.join(command)} ended: {program.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return Run(side.name, [cpu], cpu)


def _require_same(runs: Sequence[Run], given: dict[str, Inputs | None]) -> None:
    """Runs with the same inputs loaded the same rows, and left none out."""
    accounts: dict[Inputs, set[Account]] = {}
    for run in runs:
        inputs = given[run.side]
        if inputs is not None and run.account is not None:
            accounts.setdefault(inputs, set()).add(run.account)
    for inputs, found in accounts.items():
        if len(found) != 1:
            told = "; ".join(f"{run.side}: {run.account}" for run in runs)
            raise DisagreementError(f"the sides did not load the same: {told}")
        (account,) = found
        told_of = account.rows + account.rejects
        if (told_of, account.files) != (inputs.records, inputs.files):
            raise DisagreementError(
                f"{account.rows} rows and {account.rejects} rejects of "
                f"{account.files} files were accounted for; {inputs.records} records "
                f"of {inputs.files} files were made"
            )


def _tell(number: int, run: Run) -> None:
    print(
        f"  {number} {run.side:<10} {median(run.seconds):8.3f} s, "
        f"CPU {run.cpu_seconds:8.2f} s, {(run.peak_bytes or 0) / 1e6:6.0f} MB",
        file=sys.stderr,
    )
