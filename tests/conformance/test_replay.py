"""Refused records come back once, with their origin, and only if they still count."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dying import Killed, dies_at
from small_shop import Shop, columns, open_shop

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.reject_file import read_edits
from snowmelt.bronze.rejects import RejectFilter
from snowmelt.bronze.replay import Replayed, Replayer
from snowmelt.errors import UsageError
from snowmelt.service.commands import OwnCommands

ALL = RejectFilter()
BROKEN = b"id,day\n1,2024-01-01\nx,2024-01-02\n3,soon\nx,later\n5,2024-01-05\n"


def pipe(null_if: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "pattern": "t*.csv",
        "on_error": "continue",
        "contract": columns("id integer, day date"),
        "file_format": {"type": "csv", "null_if": ["", *null_if]},
        **options,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "shop"


def replayer(shop: Shop) -> Replayer:
    parts = shop.parts
    return Replayer(parts.warehouse, parts.clock, parts.project.spool)


def replay(
    shop: Shop, chosen: RejectFilter = ALL, edits: Path | None = None
) -> list[Replayed]:
    given = read_edits(edits) if edits else None
    return replayer(shop).replay(shop.parts.project.pipes[0], chosen, given)


def verbs(shop: Shop) -> OwnCommands:
    return OwnCommands(shop.loop, serving=False)


def live(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows(
        "select _file, _file_row, id, day::varchar, _replayed_from from bronze.t "
        "order by _file, _file_row"
    )


def open_rows(shop: Shop) -> list[int]:
    return [
        each["file_row"] for each in verbs(shop).rejects(None, None, 100)["rejects"]
    ]


def test_what_passes_is_loaded_once_with_its_origin(root: Path) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_2024-02-29.csv", BROKEN)
        shop.load()
        assert [each.loaded for each in replay(shop)] == [0], "nothing was mended"
        assert open_rows(shop) == [2, 3, 4]
    with open_shop(root, [pipe(("x",))]) as shop:
        (done,) = replay(shop)
        assert (done.tried, done.loaded, done.origin) == (3, 1, 1)
        name = "t_2024-02-29.csv"
        assert live(shop) == [
            (name, 1, 1, "2024-01-01", None),
            (name, 2, None, "2024-01-02", 1),
            (name, 5, 5, "2024-01-05", None),
        ]
        versions = shop.rows("select distinct _version_at from bronze.t")
        assert len(versions) == 1, "a replayed record is as old as its file"
        assert open_rows(shop) == [3, 4]
        assert [each.loaded for each in replay(shop)] == [0]
        load = shop.history(name)[-1]
        assert (load["replay_of"], load["row_parsed"]) == (1, 3)
        assert load["row_parsed"] == load["row_count"] + load["error_count"]
        at = "select replayed_by, replayed_at is not null from snowmelt.rejects"
        assert shop.rows(f"{at} where file_row = 2") == [(load["load_seq"], True)]
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        assert [each.loaded for each in replay(shop)] == [2]
        assert [row[1] for row in live(shop)] == [1, 2, 3, 4, 5]
        assert replay(shop) == []


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        ({"reason": "'X' is not"}, [2, 4]),
        ({"reason": "'soon'"}, [3]),
        ({"reason": "'…' is not a valid date"}, [3]),
        ({"category": "cast"}, [2, 3, 4]),
        ({"category": "MISSING COLUMNS"}, []),
        ({"since": "2020-01-01"}, [2, 3, 4]),
        ({"until": "2020-01-01"}, []),
        ({"file": "t_other.csv"}, []),
        ({"file": "t_1.csv", "pipe": "t"}, [2, 3, 4]),
    ],
)
def test_a_replay_takes_what_was_chosen(
    root: Path, chosen: dict[str, str], rows: list[int]
) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
        errors = shop.rows("select file_row, error from snowmelt.rejects order by 1")
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        asked = verbs(shop)._replaying._filter(**chosen)
        replay(shop, asked)
        assert sorted({2, 3, 4} - set(open_rows(shop))) == rows, errors


def test_rejects_are_grouped_by_what_is_wrong(root: Path) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
        shop.land("t_2.csv", b"id,day\n7,2024-01-01\n8,never\ny,2024-01-01\n")
        shop.load()
        document = verbs(shop).reject_groups(None, None)
        found = {
            (each["column_name"], each["count"], each["first"], each["newest"])
            for each in document["groups"]
        }
        assert found == {
            ("id", 3, "t_1.csv:3", "t_2.csv:4"),
            ("day", 2, "t_1.csv:4", "t_2.csv:3"),
        }
        assert document["count"] == 5
        assert all("'…'" in each["reason"] for each in document["groups"])
        (only,) = verbs(shop).reject_groups("t", "t_2.csv")["groups"][:1]
        assert only["count"] == 1


def read_export(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_edit(path: Path, records: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return path


def test_an_export_is_corrected_by_hand_and_given_back(
    root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rejects.csv"
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
        document = verbs(shop).export_rejects(str(path), "csv", None, None)
        assert document["count"] == 3
        with pytest.raises(UsageError, match="exists already"):
            verbs(shop).export_rejects(str(path), "csv", None, None)
        records = read_export(path)
        assert [each["rejected_record"] for each in records] == [
            "x,2024-01-02",
            "3,soon",
            "x,later",
        ]
        assert records[0]["file_row"] == "2"
        assert "'x' is not" in records[0]["error"]
        records[0]["rejected_record"] = "2,2024-01-02"
        records[1]["rejected_record"] = "3,never"
        edited = write_edit(tmp_path / "edited.csv", records[:2])
        (done,) = replay(shop, ALL, edited)
        assert (done.tried, done.loaded) == (2, 1)
        assert live(shop)[1] == ("t_1.csv", 2, 2, "2024-01-02", 1)
        assert open_rows(shop) == [3, 4], "as they were, also the one left out"
        raw = shop.rows(
            "select rejected_record from snowmelt.rejects order by file_row"
        )
        assert bytes(raw[1][0]) == b"3,soon", "the evidence is the file's own"
        assert [each.loaded for each in replay(shop, ALL, edited)] == [0]
        assert len(live(shop)) == 3


def test_any_record_survives_the_way_out_and_back(root: Path, tmp_path: Path) -> None:
    odd = [
        b'"x\r\n,""y""",2024-01-01',
        "x é ; ',2024-01-02".encode(),
        b"x\t\xff\xfe,2024-01-03",
        b"x,2024-01-04,too,many",
        b"x",
    ]
    body = b"id,day\n1,2024-01-01\n" + b"\n".join(odd) + b"\n"
    for file_format in ("csv", "ndjson"):
        path = tmp_path / f"rejects.{file_format}"
        with open_shop(root, [pipe()]) as shop:
            shop.land("t_1.csv", body)
            shop.load()
            kept: dict[int, bytes] = dict(
                shop.rows("select file_row, rejected_record from snowmelt.rejects")
            )
            assert verbs(shop).export_rejects(str(path), file_format, None, None)[
                "count"
            ] == len(odd)
        ((_, back),) = read_edits(path).items()
        assert back == {row: bytes(raw) for row, raw in kept.items()}
        assert list(back.values()) == odd


@pytest.mark.parametrize(
    "text",
    [
        '2,"2024-01-02',
        "2,2024-01-02\n9,2024-01-09",
        "2,2024-01-02\n",
        "",
        '"2,2024-01-02\n3,2024-01-03"x,',
    ],
)
def test_a_text_that_is_no_one_record_harms_no_other(
    root: Path, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "rejects.csv"
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
        verbs(shop).export_rejects(str(path), "csv", None, None)
        records = read_export(path)
        for record, mended in zip(
            records, (text, "3,2024-01-03", "4,2024-01-04"), strict=True
        ):
            record["rejected_record"] = mended
        (done,) = replay(shop, ALL, write_edit(tmp_path / "edited.csv", records))
        assert (done.tried, done.loaded) == (3, 2)
        assert [row[1:3] for row in live(shop)] == [(1, 1), (3, 3), (4, 4), (5, 5)]
        assert open_rows(shop) == [2]


def test_a_file_that_is_no_export_is_refused(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "edit"
    row = {"load_seq": 1, "file_row": 2, "rejected_record": "1,2024-01-01"}
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
        for text, said in (
            ("id,day\n1,2024-01-01\n", r"edit:2.*no load_seq"),
            (json.dumps(row) + "\n{", r"edit:2.*not JSON"),
            (json.dumps(row) + "\n" + json.dumps(row), r"edit:2.*twice"),
            (json.dumps(row | {"load_seq": 99}), "load 99 has refused nothing"),
            (json.dumps(row | {"encoding": "base64"}), r"edit:1"),
        ):
            path.write_text(text)
            with pytest.raises(UsageError, match=said):
                verbs(shop).replay(str(path))
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(UsageError, match="UTF-8"):
            verbs(shop).replay(str(path))
        with pytest.raises(UsageError, match="cannot be read"):
            verbs(shop).replay(str(tmp_path / "nothing"))
        assert len(live(shop)) == 2


def between(monkeypatch: pytest.MonkeyPatch, what: Any, times: int = 1) -> None:
    """Do something after a replay has read its records and before it commits."""
    original = Replayer._read
    left = [times]

    @contextmanager
    def reading(self: Replayer, *given: Any) -> Iterator[FileRead]:
        with original(self, *given) as read:
            if left[0]:
                left[0] -= 1
                what()
            yield read

    monkeypatch.setattr(Replayer, "_read", reading)


def test_records_of_a_superseded_load_do_not_come_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:

        def correct() -> None:
            shop.land("t_1.csv", b"id,day\n9,2024-01-09\n")
            shop.load()

        between(monkeypatch, correct)
        (done,) = replay(shop)
        assert (done.loaded, "meanwhile" in str(done.problem)) == (0, True)
        assert [row[2] for row in live(shop)] == [9]
        assert replay(shop) == []


def test_a_correction_supersedes_what_was_replayed(root: Path) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        replay(shop)
        assert len(live(shop)) == 5
        shop.land("t_1.csv", b"id,day\n9,2024-01-09\n")
        shop.load()
        assert [row[2] for row in live(shop)] == [9]


def test_two_replays_at_once_load_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        barrier = threading.Barrier(2, timeout=30)
        between(monkeypatch, barrier.wait, times=2)
        results: list[Replayed] = []
        threads = [
            threading.Thread(target=lambda: results.extend(replay(shop)))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(each.loaded for each in results) == [0, 3]
        assert [row[1] for row in live(shop)] == [1, 2, 3, 4, 5]


def test_a_replay_that_dies_loses_and_doubles_nothing(root: Path) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.land("t_2.csv", BROKEN.replace(b"5,", b"6,"))
        shop.load()
    deaths = 0
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        for statement in range(1, 200):
            try:
                with dies_at(statement):
                    replay(shop)
            except Killed:
                deaths += 1
            else:
                break
            replayed = shop.rows(
                "select file_name, file_row from snowmelt.rejects "
                "where replayed_by is not null order by all"
            )
            there = shop.rows(
                "select _file, _file_row from bronze.t "
                "where _replayed_from is not null order by all"
            )
            assert there == replayed, f"died at statement {statement}"
            records = "select count(*) from snowmelt.load_history"
            loads = shop.rows(f"{records} where replay_of is not null")
            assert loads == [(len({file for file, _ in replayed}),)]
        replay(shop)
        assert deaths > 10
        assert [row[:2] for row in live(shop)] == [
            (file, row) for file in ("t_1.csv", "t_2.csv") for row in range(1, 6)
        ]


def test_a_table_of_an_older_version_gains_the_column(root: Path) -> None:
    with open_shop(root, [pipe()]) as shop:
        shop.land("t_1.csv", BROKEN)
        shop.load()
    with open_shop(root, [pipe(("x",))]) as shop:
        replay(shop)
        with shop.parts.warehouse.session() as session:
            session.execute("drop view bronze.t")
            session.execute("alter table bronze.t__all drop column _replayed_from")
    with open_shop(root, [pipe(("x", "soon", "later"))]) as shop:
        assert [row[4] for row in live(shop)] == [None, 1, None]
        replay(shop)
        assert [row[4] for row in live(shop)] == [None, 1, 1, 1, None]
