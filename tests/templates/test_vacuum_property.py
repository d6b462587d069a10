"""The vacuum changes nothing that anybody asks: the same history with and without it.

Two projects live through the same history. In one of them all that is superseded is
let go at once, at random moments, in slices down to a single row. After each case both
must say the same: of loads, streams, refused records, silver, gold and quarantine, of
the accounts of runs, and of what a rebuild and an audit make.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

import small_histories
from forms import with_long
from small_histories import History
from small_project import Warm
from snowmelt.warehouse.port import Session

CASES = 6
SEEDS = with_long(range(30), 0)
MET = ("vacuumed", "correction below a blind model", "replay", "rejects vacuumed")
_OWN = ("_load_seq", "_version_at", "_loaded_at", "_replayed_from")
"""What depends on the moment at which a file was loaded, in which lane."""
_TABLES = (
    "select table_schema || '.' || table_name from information_schema.tables "
    "where table_schema in ('silver', 'gold', 'quarantine') "
    "or (table_schema = 'bronze' and not ends_with(table_name, '__all')) order by 1"
)
_ASKED = {
    "copy_history": "select history.file_name, history.status, history.row_count, "
    "history.row_parsed, history.error_count, history.content_sha256, "
    "later.file_name, later.content_sha256, origin.file_name, refused.file_name "
    "from snowmelt.copy_history as history "
    "left join snowmelt.copy_history as later "
    "on later.load_seq = history.superseded_by "
    "left join snowmelt.copy_history as origin "
    "on origin.load_seq = history.duplicate_of "
    "left join snowmelt.copy_history as refused "
    "on refused.load_seq = history.replay_of",
    "pipe_usage": "select pipe_name, sum(files_inserted), sum(bytes_inserted) "
    "from snowmelt.pipe_usage_history group by all",
    "streams": "select name, table_name, stale from snowmelt.streams",
    "accounts": "select model, bronze_rows, silver_rows, quarantined_rows, "
    "dropped_rows, superseded_rows, deduplicated_rows from snowmelt.reconciliation "
    "qualify row_number() over (partition by model order by run_id desc) = 1",
    "staged": "select file_name, settled from snowmelt.staged_files",
}


def answers(history: History) -> Mapping[str, Sequence[str]]:
    """Return what a project says that has lived through a history."""
    commands = history.commands
    found: dict[str, Sequence[str]] = {}
    with commands.warehouse.snapshot() as session:
        for (name,) in session.rows(_TABLES):
            columns = [row[0] for row in session.rows(f"describe {name}")]
            kept = ", ".join(f'"{each}"' for each in columns if each not in _OWN)
            found[name] = _sorted(session, f"select {kept} from {name}")
        for name, query in _ASKED.items():
            found[name] = _sorted(session, query)
    for document in (
        commands.reject_groups(None, None),
        commands.quarantine_groups(None, None),
        {"waits": [_waiting(each) for each in commands.streams()["streams"]]},
    ):
        told = list(document)[-1]
        told = list(document)[-1]
        found |= {f"{name} of {told}": [repr(v)] for name, v in document.items()}
    return found


def _waiting(stream: Mapping[str, object]) -> list[object]:
    names = ("consumer", "source", "rows_inserted", "rows_deleted", "has_data", "stale")
    return [stream[name] for name in names]


def _sorted(session: Session, query: str) -> list[str]:
    return sorted(map(repr, session.rows(query)))


def live_through(with_vacuum: History, without: History) -> None:
    """Let the same happen to both, and compare what they say."""
    certain = [History.replay, History.correct_blindly, History.replay]
    for case in range(CASES):
        first = certain[case : case + 1]
        for history in (with_vacuum, without):
            history.happen(*first)
        found, wanted = answers(with_vacuum), answers(without)
        assert found.keys() == wanted.keys()
        for name, rows in wanted.items():
            assert found[name] == rows, _told(f"case {case}: {name}", found[name], rows)
        with_vacuum.check()
    with_vacuum.check_by_rebuild()
    audit = with_vacuum.commands.audit()["audit"]
    assert audit["state"] == "SUCCEEDED", audit


def _told(where: str, found: Sequence[str], wanted: Sequence[str]) -> str:
    only = [f"only vacuumed: {row}" for row in found if row not in wanted]
    only += [f"only without: {row}" for row in wanted if row not in found]
    return "\n".join([where, *only[:10]])


def make(root: Path, warm: Warm, seed: int) -> tuple[History, History]:
    """Return two projects with the same future; the first one is vacuumed."""
    pair = [
        History(warm.copy(root / name), warm, random.Random(seed))
        for name in ("with", "without")
    ]
    pair[0].vacuums = random.Random(seed)
    return pair[0], pair[1]


def lived(root: Path, warm: Warm, seed: int) -> Counter[str]:
    with_vacuum, without = make(root, warm, seed)
    try:
        live_through(with_vacuum, without)
    except AssertionError as error:
        steps = [*with_vacuum.steps, "-- the other one", *without.steps]
        told = "\n".join([f"seed {seed}", str(error), *steps])
        raise AssertionError(told) from None
    finally:
        with_vacuum.close()
        without.close()
    return with_vacuum.met


@pytest.mark.parametrize("seed", SEEDS)
def test_vacuum_changes_nothing(
    tmp_path: Path, warm: Warm, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("small_histories.EVENTS", _peaceful())
    met = lived(tmp_path, warm, seed)
    missing = [kind for kind in MET if not met[kind]]
    assert not missing, f"too tame: {missing} were never met in {met}"


def _peaceful() -> list[tuple[Callable[[History], None], float]]:
    """Leave out what does not happen to both alike: processes that die."""
    return [each for each in small_histories.EVENTS if "crash" not in each[0].__name__]
