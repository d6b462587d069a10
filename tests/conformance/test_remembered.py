"""What is kept in memory between batches is what the warehouse would have said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe import history
from snowmelt.pipe.evolved import (
    EffectivePipes,
    Evolution,
    EvolutionMode,
    EvolutionType,
    insert_evolutions,
)
from snowmelt.pipe.held import HeldReason, hold_file, insert_held
from snowmelt.pipe.history import LoadSeqs, insert_loads, next_load_seq

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEAD = b"id,name\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    contract = columns("id integer not null, name varchar")
    pipe: dict[str, Any] = {"name": "t", "pattern": "t_*.csv", "contract": contract}
    with open_shop(tmp_path, [pipe]) as opened:
        yield opened


def seqs(shop: Shop) -> list[int]:
    return [
        seq
        for (seq,) in shop.rows(
            "select load_seq from snowmelt.load_history order by all"
        )
    ]


def settled(shop: Shop, name: str) -> list[tuple[Any, ...]]:
    return shop.rows(
        "select settled, load_seq from snowmelt.staged_files where file_name = $1",
        [name],
    )


def test_a_position_is_asked_for_again_after_a_commit_that_failed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("t_1.csv", HEAD + b"1,a\n")
    shop.load()
    commit, fails = shop.parts.copier.commit, iter([True])

    def fail_once(*given: Any) -> None:
        commit(*given)
        if next(fails, False):
            raise RuntimeError("the commit fails")

    monkeypatch.setattr(shop.parts.copier, "commit", fail_once)
    shop.land("t_2.csv", HEAD + b"2,b\n")
    shop.load()
    assert len(shop.loop.problems) == 1
    shop.land("t_3.csv", HEAD + b"3,c\n")
    shop.load()
    assert seqs(shop) == [1, 2, 3]


def test_positions_go_on_after_what_somebody_else_wrote(shop: Shop) -> None:
    shop.land("t_1.csv", HEAD + b"1,a\n")
    shop.load()
    (record,) = shop.rows("select * from snowmelt.load_history")
    known = LoadSeqs()
    with shop.parts.warehouse.session() as session:
        known.taken(2)
        known.committed()
        assert known.next(session) == 2
        other = dict(zip(history.COLUMNS, record, strict=True)) | {"load_seq": 7}
        insert_loads(session, [history.LoadRecord(**other)])
        assert known.next(session) == 8 == next_load_seq(session)
    shop.land("t_2.csv", HEAD + b"2,b\n")
    shop.load()
    assert seqs(shop) == [1, 7, 8]


def test_what_evolved_is_known_to_the_next_batch(shop: Shop) -> None:
    (pipe,) = shop.parts.project.pipes
    known = EffectivePipes()
    added = Evolution(
        pipe_name="t",
        table_name="t",
        column_name="more",
        column_type="varchar",
        evolution_type=EvolutionType.ADD_COLUMN,
        evolution_mode=EvolutionMode.COPY,
        file_name="t_1.csv",
        triggering_time=NOON,
    )
    with shop.parts.warehouse.session() as session:
        assert known.of(session, pipe) is known.of(session, pipe) is pipe
        insert_evolutions(session, [added])
        evolved = known.of(session, pipe)
        names = [column.name for column in evolved.contract.columns]
        assert names == ["id", "name", "more"]
        assert known.of(session, pipe) is evolved


def test_a_name_that_comes_again_is_settled_once(shop: Shop) -> None:
    for number in range(3):
        shop.land("t_1.csv", HEAD + b"%d,a\n" % number)
        shop.load()
        assert settled(shop, "t_1.csv") == [("Loaded", number + 1)]


def test_a_hold_ends_with_the_load_of_another_version(shop: Shop) -> None:
    """Also where the first attempt at that version fails."""
    path = shop.land("t_1.csv", HEAD + b"1,a\n")
    staged = shop.parts.stage.look("t_1.csv")
    assert staged is not None
    held = hold_file(staged, "t", HeldReason.PERSON, {}, NOON)
    with shop.parts.warehouse.session() as session:
        insert_held(session, [held])
    shop.parts.pending.hold([held])
    shop.load()
    assert seqs(shop) == []
    path.write_bytes(HEAD + b"1,b\n2,c\n")
    shop.loop.look()
    (waiting,) = shop.parts.pending.waiting("t")
    assert not waiting.fresh
    shop.parts.pending.begin([waiting])
    shop.parts.pending.end([waiting], {"t_1.csv"})
    shop.loop.look()
    assert not shop.parts.pending.waiting("t")[0].fresh
    shop.load()
    assert seqs(shop) == [1]
    assert shop.rows("select * from snowmelt.held_files where decided is null") == []


def test_a_listing_leaves_out_only_what_was_dealt_with(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    names = ["a.csv", "b.csv", "sub/c.csv"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    folder = LocalFolder(tmp_path)
    files = {file.name: file for file in folder.refresh()}
    assert sorted(files) == names

    def state(file: StagedFile) -> tuple[int, int, int]:
        return file.size, file.mtime_ns, file.ctime_ns

    known = {name: state(file) for name, file in files.items()}
    assert folder.refresh(lambda _: known) == []
    (tmp_path / "b.csv").write_bytes(b"xy")
    (tmp_path / "d.csv").write_bytes(b"x")
    found = folder.refresh(lambda _: known)
    assert sorted(file.name for file in found) == ["b.csv", "d.csv"]


def test_many_loads_are_written_as_few_are(shop: Shop) -> None:
    """Whatever their texts hold; some columns have one value, others have many."""
    odd = ["a", "it's", 'say "so"', "tab\t", "line\n", "ünïcode", "{}", "", "null"]
    usual: dict[str, Any] = dict.fromkeys(history.COLUMNS)
    usual |= dict.fromkeys(("row_count", "row_parsed", "error_count"), 3)
    usual |= dict.fromkeys(("stage_location", "pipe_name", "table_name"), "it's")
    usual |= dict.fromkeys(("error_limit", "table_schema_name"), "x")
    usual |= dict.fromkeys(("last_load_time", "pipe_received_time", "started_at"), NOON)
    records = [
        history.LoadRecord(
            **usual
            | {
                "file_name": f"f{number}{text}",
                "first_error_message": text or None,
                "file_size": number,
                "load_seq": number,
                "status": history.LoadStatus.LOADED,
                "version_at": NOON.replace(microsecond=number),
                "bytes_read": number or None,
            }
        )
        for number, text in enumerate(odd)
    ]
    with shop.parts.warehouse.session() as session:
        for batch in (records, records[:5], records[5:]):
            insert_loads(session, batch)
        rows = session.rows("select * from snowmelt.load_history")
    assert len(rows) == 2 * len(set(rows)) == 2 * len(odd)
