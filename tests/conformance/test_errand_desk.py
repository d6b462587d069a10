"""The desk in this process: what it takes and refuses, and what it reads back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from small_project import OpenSmall, Warm, open_small
from snowmelt.errors import UnreachableError, UsageError
from snowmelt.service.errands.desk import Desk
from snowmelt.service.errands.failing import problem_of
from snowmelt.service.errands.happenings import happenings_document
from snowmelt.service.errands.since import loads_of, unmended
from snowmelt.warehouse.port import Session

DAY = datetime(2100, 3, 1, tzinfo=UTC)
Load = tuple[str, str, int]
"""A load of a history that is made up: the file, how it ended, its rows."""


def wish(what: str = "run", **more: Any) -> dict[str, Any]:
    return {"what": what, "asked": {}, "key": None, "cause": None} | more


@pytest.fixture(scope="module")
def small(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSmall]:
    root = tmp_path_factory.mktemp("desk") / "shop"
    with open_small(warm.copy(root)) as commands:
        yield commands


LOADED, FAILED = "Loaded", "Load failed"
MADE_UP = """
    insert into snowmelt.load_history by name
    select one.* replace (
        made.file as file_name, made.status as status, made.rows as row_count,
        made.seq as load_seq, made.loaded_at as last_load_time,
        made.errors as error_count, made.errors as first_error_line_number
    )
    from (select * from snowmelt.load_history limit 1) as one, (
        select unnest($1::json::struct(
            file varchar, status varchar, rows bigint, errors bigint, seq bigint,
            loaded_at timestamptz
        )[], recursive := true)
    ) as made
"""


@contextmanager
def history(small: OpenSmall, loads: Sequence[Load]) -> Iterator[Session]:
    """Have a service that loaded so by itself, one load a second from DAY on."""
    with small.warehouse.session() as session, session.rolled_back():
        last = session.value("select max(load_seq) from snowmelt.load_history")
        made = [
            {
                "file": file,
                "status": status,
                "rows": rows,
                "errors": int(status == FAILED),
                "seq": last + 1 + number,
                "loaded_at": (DAY + timedelta(seconds=number)).isoformat(),
            }
            for number, (file, status, rows) in enumerate(loads)
        ]
        session.execute(MADE_UP, [made])
        yield session


@pytest.mark.parametrize("told_by", ["the loop", "the desk"])
def test_a_service_that_stops_takes_nothing_new_and_puts_none_on_record(
    small: OpenSmall, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    desk = Desk(small.loop)
    if told_by == "the loop":
        monkeypatch.setattr(small.loop, "stopping", True)
    else:
        desk.stop()
    with pytest.raises(UnreachableError, match="it is stopping"):
        desk.ask(wish(key=f"while it stops, says {told_by}"), "somebody")
    assert desk.listed([], None, None, 9)["errands"] == []
    desk.stop()


def test_of_thousands_of_loads_all_are_counted_and_none_that_failed_is_hidden(
    small: OpenSmall,
) -> None:
    loads: list[Load] = [("orders_old.csv", FAILED, 0)]
    loads += [("orders_bad.csv", FAILED, 0), ("orders_mended.csv", FAILED, 0)]
    loads += [(f"orders_{number}.csv", LOADED, 2) for number in range(1500)]
    loads += [("orders_mended.csv", LOADED, 5), ("visits_0.csv", FAILED, 0)]
    with history(small, loads) as session:
        since = DAY + timedelta(seconds=1)
        found = loads_of(session, since, None, "orders_")
        assert [each["file"] for each in found.failed] == ["orders_bad.csv"]
        assert (found.count, found.failed_count) == (1502, 1)
        assert (found.row_count, found.error_count) == (3005, 1)
        assert found.files[:2] == ["orders_mended.csv", "orders_1499.csv"]
        assert len(found.files) == 100
        nothing = loads_of(session, DAY + timedelta(days=1), None, None)
        assert (nothing.count, nothing.row_count, nothing.files) == (0, 0, [])
        broken = [(f"orders_bad_{number}.csv", FAILED, 0) for number in range(30)]
    with history(small, broken) as session:
        found = loads_of(session, DAY, None, "orders_bad_")
    told = problem_of(found.failed, [], None, found.failed_count)
    assert told.startswith("orders_bad_29.csv:1: ")
    assert told.endswith(" (and 29 more)")


def test_what_failed_before_counts_until_it_is_loaded_or_gone(small: OpenSmall) -> None:
    loads: list[Load] = [
        ("orders_warm_0.csv", FAILED, 0),
        ("orders_warm_1.csv", FAILED, 0),
        ("orders_gone.csv", FAILED, 0),
        ("orders_warm_1.csv", LOADED, 1),
        ("orders_warm_2.csv", FAILED, 0),
    ]
    stage = small.loop.parts.stage
    times = (DAY, DAY + timedelta(seconds=4))
    with history(small, loads) as session:
        before = unmended(session, stage, times, None, None)
        since = loads_of(session, times[1], None, None).and_failed(before)
        assert not unmended(session, stage, times, None, "orders_warm_1")
    files = [each["file"] for each in since.failed]
    assert files == ["orders_warm_2.csv", "orders_warm_0.csv"]
    assert (since.count, since.failed_count) == (1, 2)


def told(session: Session, after: str, limit: int = 9) -> tuple[list[str], str]:
    """Return the files that were loaded after a position, and the next one."""
    page = happenings_document(session, after, ["loaded"], None, limit)
    assert all("mark" not in each for each in page["happenings"])
    return [each["file"] for each in page["happenings"]], page["next"]


@pytest.mark.parametrize("again", [1, 3, 5], ids=["behind", "level", "ahead"])
def test_a_position_in_a_history_that_was_restored_over_is_refused(
    small: OpenSmall, again: int
) -> None:
    lost: list[Load] = [(f"orders_lost_{number}.csv", LOADED, 1) for number in range(3)]
    anew: list[Load] = [
        (f"orders_new_{number}.csv", LOADED, 1) for number in range(again)
    ]
    with history(small, []) as session:
        _, kept = told(session, "now")
    with history(small, lost) as session:
        files, first = told(session, kept, 1)
        assert files == ["orders_lost_0.csv"]
        files, last = told(session, first)
        assert files == ["orders_lost_1.csv", "orders_lost_2.csv"]
        assert told(session, last) == ([], last) == told(session, "now")
    with history(small, anew) as session:
        for gone in (first, last):
            with pytest.raises(UsageError, match="restored, or made anew") as refused:
                told(session, gone)
            assert "`now`" in refused.value.remedy
        files, _ = told(session, kept)
        assert files == [file for file, *_ in anew]


def test_a_position_of_the_version_before_marks_is_good_until_it_is_ahead(
    small: OpenSmall,
) -> None:
    with history(small, [("orders_a.csv", LOADED, 1)]) as session:
        _, now = told(session, "now")
        number, _, rest = now.partition("-")
        run_id = rest.partition(".")[2]
        assert told(session, f"{number}.{run_id}") == ([], now)
        with pytest.raises(UsageError, match="restored, or made anew"):
            told(session, f"{int(number) + 1}.{run_id}")
