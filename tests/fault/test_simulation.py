"""Seeded histories: the real service in a world where anything fails at any moment.

Loop, lanes' work, pending files, copier, intake, history, queue listener and DuckDB
are the real ones. Drawn from the seed are the edges: the clock (it jumps, the wall
clock back too), the stage (a bucket in memory or a real folder: unreachable, a listing
that misses files, chunks that break off), the notifications (lost, repeated, late, in
any order), the driver (out of memory or disk at a statement), users at their files at
any moment, the verbs, and crashes between any two steps, after which only what is on
disk goes on. The lanes' threads stand still at every edge and go on when the seed says
so, so that one seed is one history. In the end the faults cease, and what is in the
warehouse must be what lies in the stage: see `simulation/invariants.py`.

That these tests can fail is a test as well: each of `simulation/mutations.py` breaks
the real code in one place (load history outside the rows' transaction, files settled
or messages acknowledged before the commit, attempts left open, ...), and some seed
must notice.

To repeat one seed and read its history:
`SNOWMELT_SEED=123 pytest tests/fault/test_simulation.py`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulation import mutations
from simulation.driver import Site, made_site, simulate
from simulation.mutations import MUTATIONS

IN_ONE_TEST = 25
SEEDS = 25
SEEDS_LONG = 10_500
# Mutations that take dozens of histories to show themselves, and how many any may take.
RARE = (
    mutations.settled_before_commit,
    mutations.commits_beside_one_another,
    mutations.overtaken_forgotten,
    mutations.changes_unnoticed,
    mutations.log_left_to_the_engine,
)
HISTORIES = 500


def parts() -> list[object]:
    """Return the first seed of each test; all of them, or the one asked for."""
    asked = os.environ.get("SNOWMELT_SEED")
    if asked is not None:
        return [range(int(asked), int(asked) + 1)]
    found: list[object] = []
    for first in range(0, SEEDS_LONG, IN_ONE_TEST):
        marks = [pytest.mark.long] if first >= SEEDS else []
        seeds = range(first, first + IN_ONE_TEST)
        found.append(pytest.param(seeds, marks=marks, id=f"from-{first}"))
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with made_site() as made:
        yield made


@pytest.mark.parametrize("seeds", parts())
def test_what_lies_in_the_stage_is_in_bronze_once(site: Site, seeds: range) -> None:
    for seed in seeds:
        result = simulate(site, seed)
        assert not result.violations, str(result)
        if "SNOWMELT_SEED" in os.environ:
            print(result)  # noqa: T201 - somebody asked for this history


def digest_of(site: Site, seed: int) -> str:
    """Return a fingerprint of one history and of what it came to."""
    result = simulate(site, seed)
    told = "\n".join([*result.told, *map(repr, result.rows)])
    return hashlib.sha256(told.encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_a_seed_is_one_history(site: Site, hash_seed: str) -> None:
    seeds = range(4)
    code = (
        "from test_simulation import digest_of, made_site\n"
        f"with made_site() as site:\n"
        f"    print(*(digest_of(site, seed) for seed in {seeds!r}))"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [digest_of(site, seed) for seed in seeds]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(
            each,
            id=each.__name__,
            marks=[pytest.mark.long] if each in RARE else [],
        )
        for each in MUTATIONS
    ],
)
def test_a_broken_service_is_found(site: Site, mutation: mutations.Mutate) -> None:
    with mutation():
        for seed in range(HISTORIES):
            if simulate(site, seed).violations:
                return
    pytest.fail(f"{mutation.__name__} was not noticed")
