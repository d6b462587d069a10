"""Whatever happens, what is built step by step is what a rebuild makes, row for row.

Random histories of the small project: files in any order, late, repeated, corrected,
emptied, put back, copied; rows refused by contracts and rules, mended and replayed;
runs that fail; processes that end at any statement; caches lost. After each case
silver, gold, quarantine and the accounts of the rules are compared with dbt's own build
from nothing: with what it sends for a rebuild, taken back after the comparison, so that
ten cases stand on one another. Many a tenth is judged by the verb `rebuild` itself.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from small_histories import RARE, History
from small_project import Warm
from snowmelt.transform.build import RECORDINGS

Event = Callable[[History], None]
Mutate = Callable[[list[str]], list[str]]
CASES = 10
CASES_SHORT = 5
HISTORIES = len(RARE)
SHORT, LONG = range(1), range(1, 42)
MET = (
    "run by replay",
    "run by dbt",
    "run failed",
    "run refreshed",
    "new file",
    "correction: changed",
    "correction: emptied",
    "correction: all refused",
    "correction: back",
    "correction: repeat",
    "copy outlives its origin",
    "several loads in one run",
    "rejects",
    "replay",
    "quarantined",
    "crash in a load",
    "crash in a run",
    "crash after commit",
    "restart",
    "recordings lost",
    "rebuild",
)


def live_through(
    history: History, rare: Event | None, *, rebuilds: bool, cases: int = CASES
) -> None:
    """Let cases happen and check after each; a failure tells what happened."""
    certain = [History.replay, History.crash_in_a_run, History.restart]
    costly = [rare, *certain] if rare else []
    places = history.rng.sample(range(cases - 1), len(costly))
    chosen = {case: [event] for case, event in zip(places, costly, strict=True)}
    try:
        for case in range(cases):
            history.steps.append(f"-- case {case}")
            history.happen(*chosen.get(case, ()))
            if case < cases - 1:
                history.check()
        history.check_by_rebuild() if rebuilds else history.check()
    except AssertionError as error:
        told = "\n".join([str(error), *history.steps])
        raise AssertionError(told) from None
    finally:
        history.close()


@pytest.mark.parametrize(
    "number", [*SHORT, *(pytest.param(each, marks=pytest.mark.long) for each in LONG)]
)
def test_incremental_equals_rebuild(tmp_path: Path, warm: Warm, number: int) -> None:
    met: Counter[str] = Counter()
    corrections: list[str] = []
    cases, histories = CASES, HISTORIES
    if number in SHORT:
        cases, histories = CASES_SHORT, HISTORIES // 2
    for part, rare in enumerate(RARE[:histories]):
        seed = number * HISTORIES + part
        history = History(warm.copy(tmp_path / str(seed)), warm, random.Random(seed))
        history.corrections = corrections
        history.steps.append(f"seed {seed}")
        live_through(history, rare, rebuilds=part % 2 == 1, cases=cases)
        met += history.met
        shutil.rmtree(history.shop.root)
    missing = [kind for kind in MET if not met[kind]] if cases == CASES else []
    assert not missing, f"too tame: {missing} were never met in {met}"


def regained_nothing(statements: list[str]) -> list[str]:
    """Let the version that counts again be found nowhere."""
    return [
        f"{each} and false" if "__regained" in each.split(" as", 1)[0] else each
        for each in statements
    ]


def saw_nothing_leave(statements: list[str]) -> list[str]:
    """Leave DELETE out of the stream."""
    return [
        each.replace("superseded_by >", "superseded_by > 9999 +") for each in statements
    ]


def kept_in_quarantine(statements: list[str]) -> list[str]:
    """Leave rows of superseded loads in quarantine."""
    return [each for each in statements if "delete from quarantine" not in each]


def moved_no_offset(statements: list[str]) -> list[str]:
    """Let the stream say the same again."""
    return [each for each in statements if "update snowmelt.stream_offsets" not in each]


def affected_by_what_came(statements: list[str]) -> list[str]:
    """Forget the group that a row was in before."""
    return [
        each.replace(
            "where _change_seq >",
            "where \"METADATA$ACTION\" = 'INSERT' and _change_seq >",
        )
        for each in statements
    ]


def oldest_counts(statements: list[str]) -> list[str]:
    """Turn the order of versions round."""
    return [
        each.replace("_version_at desc", "_version_at asc")
        if "__changed" in each
        else each
        for each in statements
    ]


MUTATIONS: list[tuple[Mutate, str]] = [
    (regained_nothing, "orders"),
    (saw_nothing_leave, "order_movements"),
    (kept_in_quarantine, "orders"),
    (moved_no_offset, "order_log"),
    (affected_by_what_came, "orders_by_month"),
    (affected_by_what_came, "orders_by_state"),
    (oldest_counts, "items"),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("mutate", "model"),
    [
        pytest.param(mutate, model, id=f"{model}-{mutate.__name__}")
        for mutate, model in MUTATIONS
    ],
)
def test_a_statement_that_is_wrong_is_found(
    tmp_path: Path, warm: Warm, mutate: Mutate, model: str
) -> None:
    for seed in range(5):
        shop = warm.copy(tmp_path / str(seed))
        path = shop.root / RECORDINGS
        document = json.loads(path.read_text())
        recording = document["nodes"][f"model.small.{model}"]
        mutated = mutate(recording["statements"])
        assert mutated != recording["statements"], "nothing was mutated"
        recording["statements"] = mutated
        path.write_text(json.dumps(document))
        history = History(shop, warm, random.Random(seed))
        try:
            live_through(history, None, rebuilds=False)
        except AssertionError:
            return
    pytest.fail(f"{mutate.__name__} was not noticed")
