"""Batches that wait until all of their files are there, and files that are expected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, open_shop

from snowmelt.events import BatchIncomplete, Event, FreshnessChanged

COLUMNS = {"columns": [{"name": "id", "type": "integer"}]}


def pipe(name: str, **rest: Any) -> dict[str, Any]:
    pattern = rest.pop("pattern", f"{name}/**/*.csv")
    return {"name": name, "pattern": pattern, "contract": COLUMNS, **rest}


PIPES = [
    pipe("marked", wait_for={"marker": "_SUCCESS"}),
    pipe("listed", wait_for={"manifest": "listed/**/*.json"}),
    pipe("daily", wait_for={"files": 3, "per": r"(\d{4}-\d{2}-\d{2})"}),
    pipe("overdue", wait_for={"marker": "_SUCCESS", "deadline": "1ms"}),
    pipe("expected", expect="every 1h"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", PIPES) as shop:
        yield shop


def ids(shop: Shop, table: str) -> list[int]:
    return [row[0] for row in shop.rows(f"select id from bronze.{table} order by id")]


def test_files_wait_for_the_marker_of_their_folder(shop: Shop) -> None:
    shop.land("marked/one/a.csv", b"id\n1\n")
    shop.land("marked/one/b.csv", b"id\n2\n")
    shop.land("marked/two/c.csv", b"id\n3\n")
    shop.land("marked/two/_SUCCESS", b"")
    shop.load()
    assert ids(shop, "marked") == [3]
    (waiting,) = shop.loop.gathering.incomplete()
    assert waiting["batch"] == "marked/one"
    assert waiting["files"] == 2
    assert waiting["missing"] == "marked/one/_SUCCESS"

    shop.land("marked/one/_SUCCESS", b"")
    shop.loop.gathering.forget_looks()
    shop.load()
    assert ids(shop, "marked") == [1, 2, 3]
    assert shop.loop.gathering.incomplete() == []


@pytest.mark.parametrize(
    "manifest",
    [
        b"a.csv\nb.csv\n",
        json.dumps(["a.csv", "b.csv"]).encode(),
        json.dumps({"files": [{"name": "a.csv"}, {"path": "b.csv"}]}).encode(),
        json.dumps(
            {"entries": [{"url": "s3://x/y/a.csv"}, {"url": "s3://x/y/b.csv"}]}
        ).encode(),
    ],
    ids=["lines", "list", "files", "entries"],
)
def test_files_wait_for_all_that_a_manifest_lists(shop: Shop, manifest: bytes) -> None:
    shop.land("listed/a.csv", b"id\n1\n")
    shop.land("listed/batch.json", manifest)
    shop.land("listed/other.csv", b"id\n9\n")
    shop.load()
    assert ids(shop, "listed") == []
    missing = {each["missing"] for each in shop.loop.gathering.incomplete()}
    assert missing == {"listed/b.csv", "a manifest that lists"}
    assert not shop.parts.pending.unmatched

    shop.land("listed/b.csv", b"id\n2\n")
    shop.load()
    assert ids(shop, "listed") == [1, 2]


def test_a_manifest_counts_files_that_were_loaded_before(shop: Shop) -> None:
    shop.land("listed/first.json", b"a.csv\n")
    shop.land("listed/a.csv", b"id\n1\n")
    shop.load()
    shop.land("listed/second.json", b"a.csv\nb.csv\n")
    shop.land("listed/b.csv", b"id\n2\n")
    shop.load()
    assert ids(shop, "listed") == [1, 2]


def test_files_wait_until_there_are_as_many_of_their_key(shop: Shop) -> None:
    for number, day in enumerate(["01", "01", "02", "01", "02"]):
        shop.land(f"daily/2026-11-{day}_{number}.csv", f"id\n{number}\n".encode())
    shop.load()
    assert ids(shop, "daily") == [0, 1, 3]
    (waiting,) = shop.loop.gathering.incomplete()
    assert (waiting["batch"], waiting["missing"]) == ("2026-11-02", "1 of 3 files")


def test_an_overdue_batch_is_told_once_and_goes_when_it_is_whole(shop: Shop) -> None:
    told: list[Event] = []
    shop.parts.events.subscribe(told.append)
    shop.land("overdue/a.csv", b"id\n1\n")
    for _ in range(3):
        shop.load()
    assert [each for each in told if isinstance(each, BatchIncomplete)] == [
        BatchIncomplete("overdue", "overdue", "overdue/_SUCCESS")
    ]
    recorded = "select pipe_name, event, state from snowmelt.pipe_events"
    assert shop.rows(f"{recorded} where event = 'batch'") == [
        ("overdue", "batch", "late")
    ]
    shop.land("overdue/_SUCCESS", b"")
    shop.loop.gathering.forget_looks()
    shop.load()
    assert ids(shop, "overdue") == [1]


def test_a_pipe_goes_from_fresh_to_late_missing_and_recovered(shop: Shop) -> None:
    told: list[Event] = []
    shop.parts.events.subscribe(told.append)
    watching, start = shop.loop.watching, shop.parts.clock.now()
    for minutes in (0, 59, 61, 90, 119, 121, 200):
        watching.check(start + timedelta(minutes=minutes))
    late, missing = [each for each in told if isinstance(each, FreshnessChanged)]
    assert (late.state, missing.state) == ("late", "missing")
    shop.land("expected/a.csv", b"id\n1\n")
    shop.load()
    states = "select state from snowmelt.pipe_events where pipe_name = 'expected' "
    assert shop.rows(f"{states} order by happened_at, due_at") != []
    assert {state for (state,) in shop.rows(states)} == {
        "fresh",
        "late",
        "missing",
        "recovered",
    }
    assert watching.documents()[0]["state"] == "recovered"


def test_what_was_late_is_still_late_after_a_restart(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", PIPES) as shop:
        later = shop.parts.clock.now() + timedelta(minutes=70)
        shop.loop.watching.check(later)
    with open_shop(tmp_path / "shop", PIPES) as shop:
        assert shop.loop.watching.documents()[0]["state"] == "late"
