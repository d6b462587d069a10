"""Broken and odd files: every record has an account, and nothing is lost silently."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from broken_inputs import BLANK_LINES, LINE_ENDS, RECORDS
from format_inputs import FORMAT_CASES
from input_case import HEAD, USUAL, A, Case
from odd_inputs import EMPTY, FORMATS, GRADES, HEADERS, NOT_TEXT
from small_shop import Shop, columns, open_shop

from snowmelt.bronze.csv import CsvReader
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.batch import Pending

CASES = [
    *RECORDS,
    *BLANK_LINES,
    *LINE_ENDS,
    *HEADERS,
    *NOT_TEXT,
    *FORMATS,
    *EMPTY,
    *GRADES,
    *FORMAT_CASES,
]
NAMES = [
    "o[1].csv",
    "o1.csv",
    "o*.csv",
    "o?.csv",
    "[!a].csv",
    "two words.csv",
    "it's.csv",
    'say "x".csv',
    "back\\slash.csv",
    "back\\*.csv",
    "semi;colon--.csv",
    "'); drop table x; --.csv",
    "naïve-\N{SNOWFLAKE}-🧊.csv",
    "100%.csv",
    "%41.csv",
    "line\nend.csv",
    "{a,b}.csv",
    "~home.csv",
    "day=5/x.csv",
    "a/b/c.csv",
    "plain.csv.gz",
    "plain.csv.zst",
    "no_ending",
]


def _pipe(name: str, case: Case | None = None) -> dict[str, object]:
    return {
        "name": name,
        "pattern": f"{name}/**/*",
        "on_error": case.on_error if case else "continue",
        "file_format": case.file_format if case else {},
        "limits": case.limits if case else {},
        "contract": columns(case.contract if case else USUAL),
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project with a pipe for every case, all of them loaded."""
    pipes = [_pipe(case.name, case) for case in CASES]
    others = [_pipe(name) for name in ("names", "batch", "moved", "denied", "links")]
    root = tmp_path_factory.mktemp("broken") / "shop"
    with open_shop(root, [*pipes, *others]) as shop:
        for case in CASES:
            shop.land(f"{case.name}/file.csv", case.content)
        shop.load()
        yield shop


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_loads_as_promised(shop: Shop, case: Case) -> None:
    file_name = f"{case.name}/file.csv"
    (load,) = shop.history(file_name)
    message = load["first_error_message"]
    counts = (load["row_parsed"], load["row_count"], load["error_count"])
    assert (load["status"], counts) == (case.status, case.counts), message
    assert (case.says or "") in (message or "")
    assert (message is None) == (case.status == "Loaded")

    rejects = shop.rejects(load["load_seq"])
    assert tuple(
        (each.file_row, each.line, each.column_name, each.raw) for each in rejects
    ) == tuple(case.rejects)
    content = case.content if case.plain is None else case.plain
    for each in rejects:
        at = each.byte_offset
        assert content[at : at + len(each.raw)] == each.raw
    if case.rejects:
        assert load["first_error_line_number"] == case.rejects[0][1]
        assert load["first_error_column_name"] == case.rejects[0][2]

    rows = shop.bronze(case.name, file_name)
    shown = {
        ordinal: tuple(
            value if isinstance(value, int | float | None) else str(value)
            for value in values
        )
        for ordinal, values in rows.items()
    }
    assert shown == case.rows


def test_every_error_of_a_record_is_kept(shop: Shop) -> None:
    (load,) = shop.history("several_errors_in_one_record/file.csv")
    (reject,) = shop.rejects(load["load_seq"])
    assert [error["column_name"] for error in reject.errors] == ["id", "amount"]

    (load,) = shop.history("required_empty_among_rejects/file.csv")
    both = shop.rejects(load["load_seq"])[3]
    assert [error["column_name"] for error in both.errors] == ["id", "name"]


def test_each_name_loads_exactly_that_file(shop: Shop) -> None:
    for number, name in enumerate(NAMES, start=1):
        shop.land(f"names/{name}", HEAD + f"{number},{number},{number}\n".encode())
    shop.load()
    for number, name in enumerate(NAMES, start=1):
        (load,) = shop.history(f"names/{name}")
        assert load["status"] == "Loaded", load["first_error_message"]
        rows = shop.bronze("names", f"names/{name}")
        assert rows == {1: (number, str(number), float(number))}


def test_rejects_of_odd_names_are_found_in_the_right_file(shop: Shop) -> None:
    for number, name in enumerate(NAMES, start=1):
        shop.land(f"names/bad {name}", HEAD + f"1,a,1\nx{number},b,2\n".encode())
    shop.load()
    for number, name in enumerate(NAMES, start=1):
        (load,) = shop.history(f"names/bad {name}")
        (reject,) = shop.rejects(load["load_seq"])
        assert (reject.file_row, reject.raw) == (2, f"x{number},b,2".encode())


def test_one_broken_file_does_not_touch_the_others_of_its_batch(shop: Shop) -> None:
    files = {f"batch/good-{n}.csv": HEAD + f"{n},a,1\n".encode() for n in range(20)}
    broken = {f"batch/{case.name}.csv": case for case in CASES if _fits_batch(case)}
    for name, content in files.items():
        shop.land(name, content)
    for name, case in broken.items():
        # A line that differs by file: the same bytes twice would be a duplicate.
        shop.land(name, case.content)
    shop.load()
    for number, name in enumerate(files):
        assert shop.bronze("batch", name) == {1: (number, "a", 1.0)}
    for name, case in broken.items():
        (load,) = shop.history(name)
        counts = (load["row_parsed"], load["row_count"], load["error_count"])
        if load["status"] != "Load skipped":
            assert (load["status"], counts) == (case.status, case.counts), name


def _fits_batch(case: Case) -> bool:
    usual = case.contract == USUAL and not (case.file_format or case.limits)
    return usual and case.on_error == "continue" and len(case.content) < 100_000


def test_a_name_that_is_not_utf8_is_unmatched_and_stops_nothing(shop: Shop) -> None:
    odd = shop.land(b"names/odd-\xff.csv", HEAD + b"1,a,1\n")
    shop.land("names/beside.csv", HEAD + b"1,beside,1\n")
    assert isinstance(shop.parts.stage, LocalFolder)
    shop.parts.stage.hint(str(odd), "finished")
    shop.load()
    assert "names/odd-\\xff.csv" in shop.parts.pending.unmatched
    assert shop.bronze("names", "names/beside.csv") == {1: (1, "beside", 1.0)}
    odd.unlink()
    shop.load()
    assert "names/odd-\\xff.csv" not in shop.parts.pending.unmatched


def test_a_link_is_not_followed(shop: Shop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_bytes(HEAD + b"1,secret,1\n")
    folder = shop.land("links/real.csv", HEAD + b"1,a,1\n").parent
    (folder / "link.csv").symlink_to(secret)
    (folder / "folder").symlink_to(tmp_path)
    shop.load()
    assert set(shop.bronze("links", "links/real.csv")) == {1}
    assert shop.rows('select distinct _file from bronze."links__all"') == [
        ("links/real.csv",)
    ]


def _pending(shop: Shop, name: str) -> Pending:
    found = shop.parts.stage.look(name)
    assert found is not None
    return Pending(found, "moved", shop.parts.clock.now())


@pytest.mark.parametrize("how", ["gone", "rewritten", "replaced", "a link", "cut"])
@pytest.mark.parametrize("when", ["before it is read", "before the engine reads"])
def test_a_file_that_changes_is_offered_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str, when: str
) -> None:
    name = f"moved/{how}-{when}.csv"
    path = shop.land(name, HEAD + f"1,{how} {when},1\nx,b,2\n".encode())
    other = f"moved/beside-{how}-{when}.csv"
    shop.land(other, HEAD + f"2,{how} {when},2\nx,b,2\n".encode())
    batch = [_pending(shop, name), _pending(shop, other)]
    pipe = next(each for each in shop.parts.project.pipes if each.name == "moved")

    def change() -> None:
        if how == "rewritten":
            path.write_bytes(HEAD + b"9,longer than before,9\n" * 9)
        elif how == "cut":
            os.truncate(path, 20)
        else:
            path.unlink()
        if how == "replaced":
            path.write_bytes(HEAD + b"8,h,8\n")
        if how == "a link":
            (tmp_path / "elsewhere.csv").write_bytes(HEAD + b"7,g,7\n")
            path.symlink_to(tmp_path / "elsewhere.csv")

    if when == "before it is read":
        change()
    else:
        original = CsvReader._read_group

        def late(self: CsvReader, *args: object) -> None:
            change()
            original(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(CsvReader, "_read_group", late)
    prepared = shop.parts.copier.copy(pipe, batch)
    assert set(prepared.again) == {name}
    assert shop.history(name) == []
    assert shop.bronze("moved", name) == {}
    assert set(shop.bronze("moved", other)) == {1}
    assert shop.parts.attempts.interrupted() == {}


def test_a_file_that_vanishes_before_its_rejects_are_looked_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.land("moved/late.csv", HEAD + b"1,late,1\nx,b,2\n")
    pipe = next(each for each in shop.parts.project.pipes if each.name == "moved")
    batch = [_pending(shop, "moved/late.csv")]
    original = CsvReader._reports

    def late(self: CsvReader, *args: object) -> object:
        path.unlink()
        return original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(CsvReader, "_reports", late)
    prepared = shop.parts.copier.copy(pipe, batch)
    assert set(prepared.again) == {"moved/late.csv"}
    assert shop.history("moved/late.csv") == []


def test_a_file_that_may_not_be_read_fails_and_is_not_offered_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.land("denied/file.csv", HEAD + b"1,a,1\n")
    real_open = os.open

    def refuse(target: Path | str, flags: int) -> int:
        if Path(target) == path:
            raise PermissionError(13, "Permission denied")
        return real_open(target, flags)

    monkeypatch.setattr("snowmelt.landing.opened.os.open", refuse)
    shop.load()
    (load,) = shop.history("denied/file.csv")
    assert load["status"] == "Load failed"
    assert "cannot be read: Permission denied" in load["first_error_message"]

    monkeypatch.undo()
    os.utime(path)
    shop.load()
    assert shop.history("denied/file.csv")[-1]["status"] == "Loaded"
    assert shop.bronze("denied", "denied/file.csv") == {1: A}


def test_a_sub_folder_that_goes_away_does_not_stop_the_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "here.csv").write_bytes(HEAD)
    real = os.scandir

    def scan(folder: Path) -> object:
        if folder.name == "gone":
            raise FileNotFoundError(2, "No such file or directory")
        return real(folder)

    monkeypatch.setattr("snowmelt.landing.folder.os.scandir", scan)
    assert [file.name for file in LocalFolder(tmp_path).refresh()] == ["here.csv"]
