"""The same work by dbt: `dbt build` as a program, and in one that stays.

Before each build one new file is loaded into bronze; that is not in its time. No
service runs, and dbt builds into the schemas that the service publishes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench.live.shop import (
    CommandError,
    Shop,
    environment,
    profile_words,
    run_program,
    snowmelt_says,
)
from bench.live.stream import Arriving

BUILDS = 3
QUIET = ("--quiet", "--log-level-file", "none", "--no-send-anonymous-usage-stats")

DBT = (sys.executable, "-c", "from dbt.cli.main import cli; cli()")
_BUILT = ("models", "tests")


@dataclass(frozen=True)
class DbtBuilds:
    """The seconds of each build."""

    cli: Sequence[float]
    warm: Sequence[float]


def measure_dbt(shop: Shop, files: Sequence[tuple[Arriving, Path]]) -> DbtBuilds:
    """Build after each file; of the program that stays the first is not counted."""
    cli = []
    for file in files[:BUILDS]:
        _load_only(shop, *file)
        begun = perf_counter()
        run_program(dbt(shop.root, "build"), shop.root, dbt_environment(shop))
        cli.append(perf_counter() - begun)
    with _staying(shop) as program:
        warm = []
        for file in files[BUILDS : 2 * BUILDS + 1]:
            _load_only(shop, *file)
            warm.append(_ask(program))
    return DbtBuilds(cli, warm[1:])


def dbt(root: Path, verb: str, *more: str) -> list[str]:
    """Return the command line of a dbt command for a project."""
    return [
        *(*DBT, verb, *QUIET),
        *("--project-dir", str(root), *profile_words(root), *more),
    ]


def dbt_environment(shop: Shop) -> dict[str, str]:
    return dict(environment(SNOWMELT_WAREHOUSE=str(shop.warehouse)))


def _load_only(shop: Shop, file: Arriving, path: Path) -> None:
    """Load a file into bronze: run the project while it has no models and tests."""
    aside = shop.root / ".aside"
    aside.mkdir()
    for name in _BUILT:
        (shop.root / name).rename(aside / name)
        (shop.root / name).mkdir()
    try:
        os.utime(path)
        path.replace(shop.landing / file.name)
        loads = snowmelt_says(shop.root, "run")["loads"]
    finally:
        for name in _BUILT:
            shutil.rmtree(shop.root / name)
            (aside / name).rename(shop.root / name)
        aside.rmdir()
    if [load["status"] for load in loads] != ["Loaded"]:
        raise CommandError(f"{file.name} was not loaded for dbt: {loads}")


@contextmanager
def _staying(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    program = subprocess.Popen(
        [sys.executable, "-m", "bench.live.warm_dbt", str(shop.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dbt_environment(shop),
        cwd=shop.root,
    )
    try:
        yield program
    finally:
        program.communicate()


def _ask(program: subprocess.Popen[str]) -> float:
    """Have it build once; return its seconds."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write("build\n")
    program.stdin.flush()
    answer = program.stdout.readline()
    try:
        return float(answer)
    except ValueError:
        raise CommandError(f"dbtRunner failed: {answer}") from None
