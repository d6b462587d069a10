"""Gold as Parquet files: a version is whole or not there, and stays for its readers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from published_gold import Gold, opened_gold

from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.serve.publish import parquet
from snowmelt.serve.publish.described import GoldTable
from snowmelt.serve.publish.parquet import (
    BucketShelf,
    FolderShelf,
    Keeping,
    Shelf,
    forget_old,
    publish_parquet,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def gold(tmp_path: Path) -> Iterator[Gold]:
    folder = tmp_path / "own"
    folder.mkdir()
    with opened_gold(folder, "") as gold:
        gold.sql(
            "create table gold.a as select range as id, range % 3 as part "
            "from range(1000)",
            "create table gold.b as select 1 as n, 0::bigint as total",
        )
        yield gold


def publish(gold: Gold, shelf: Shelf, run: int, *tables: GoldTable) -> dict[str, str]:
    named = tables or (gold.table("a", key=("id",)), gold.table("b"))
    now = NOW + timedelta(hours=run)
    with gold.warehouse.snapshot() as session:
        spool = gold.desk.spool
        told = publish_parquet(session, named, shelf, spool, (f"run-{run:04}", now))
    return {each["table"]: each["way"] for each in told}


def count(pattern: Path | str) -> int:
    row = duckdb.sql(f"select count(*) from read_parquet('{pattern}')").fetchone()
    assert row is not None
    return int(row[0])


def test_a_version_is_all_of_a_run_and_what_did_not_change_is_the_same_file(
    gold: Gold, tmp_path: Path
) -> None:
    shelf = FolderShelf(tmp_path / "lake")
    assert set(publish(gold, shelf, 1).values()) == {"whole"}
    current = tmp_path / "lake" / "current"
    began = current.resolve()
    gold.sql("update gold.b set total = 7")
    assert publish(gold, shelf, 2) == {"gold.a": "unchanged", "gold.b": "whole"}
    assert count(current / "gold.a" / "**" / "*.parquet") == 1000
    one, two = (
        tmp_path / "lake" / "versions" / name / "gold.a" / "rows.parquet"
        for name in ("run-0001", "run-0002")
    )
    assert one.samefile(two)
    totals = f"select total from '{began}/gold.b/*.parquet'"
    assert duckdb.sql(totals).fetchall() == [(0,)], "a reader stays with its version"
    manifest = json.loads((tmp_path / "lake" / "manifest.json").read_text())
    assert manifest["run_id"] == "run-0002"
    for table in manifest["tables"]:
        files = [str(tmp_path / "lake" / each["path"]) for each in table["files"]]
        assert sum(map(count, files)) == table["rows"]
    assert publish(gold, shelf, 2) == {"gold.a": "unchanged", "gold.b": "unchanged"}
    gold.sql("update gold.b set total = 8")
    publish(gold, shelf, 2)
    assert current.resolve().name == "run-0002-2", "no version ever changes"


def test_partitions_are_those_that_the_model_says(gold: Gold, tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "lake")
    table = replace(gold.table("a"), partition_by=("part",))
    publish(gold, shelf, 1, table)
    folder = tmp_path / "lake" / "current" / "gold.a"
    assert {path.name for path in folder.iterdir()} == {"part=0", "part=1", "part=2"}
    assert count(folder / "part=1" / "*.parquet") == 333


def test_old_versions_stay_for_a_while_and_so_many(gold: Gold, tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "lake")
    for run in range(1, 7):
        gold.sql(f"update gold.b set total = {run}")
        publish(gold, shelf, run)
        now = NOW + timedelta(hours=run)
        forget_old(shelf, Keeping(2, timedelta(hours=2, minutes=30)), now)
    left = sorted(p.name for p in (tmp_path / "lake" / "versions").iterdir())
    assert left == ["run-0004", "run-0005", "run-0006"]
    assert count(tmp_path / "lake" / "current" / "gold.a" / "*.parquet") == 1000


def test_somebody_s_folder_is_left_alone(gold: Gold, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"precious\.txt"):
        publish(gold, FolderShelf(folder), 1)
    (folder / "precious.txt").rename(folder / "manifest.json")
    with pytest.raises(ConfigError, match="no manifest of ours"):
        publish(gold, FolderShelf(folder), 1)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("step", ["put", "point", "replace"])
def test_whoever_is_stopped_in_between_readers_have_the_run_before(
    gold: Gold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    shelf = FolderShelf(tmp_path / "lake")
    publish(gold, shelf, 1)
    gold.sql("update gold.b set total = 7", "delete from gold.a where id > 10")

    def stop(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if step == "put":
            patched.setattr(parquet, "_flush", stop)
        elif step == "point":
            patched.setattr(FolderShelf, "point", stop)
        else:
            patched.setattr(Path, "symlink_to", stop)
        with pytest.raises((OSError, UnreachableError), match="No space"):
            publish(gold, shelf, 2)
    current = (tmp_path / "lake" / "current").resolve()
    totals = f"select total from '{current}/gold.b/*.parquet'"
    before = duckdb.sql(totals).fetchall()[0][0]
    assert (before, count(f"{current}/gold.a/*.parquet")) == (0, 1000)
    publish(gold, shelf, 2)
    assert count(tmp_path / "lake" / "current" / "gold.a" / "*.parquet") == 11
    forget_old(shelf, Keeping(2, timedelta(0)), NOW)
    hidden = (tmp_path / "lake" / "versions").glob(".*")
    assert step != "put" or not list(hidden)


def test_readers_beside_publications_see_whole_versions(
    gold: Gold, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shelf = FolderShelf(lake)
    gold.sql("update gold.b set total = (select sum(id) from gold.a)")
    publish(gold, shelf, 1)
    end = threading.Event()
    problems: list[str] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        with duckdb.connect() as connection:
            while not end.is_set():
                version = (lake / "current").resolve()
                row = connection.execute(
                    f"select (select sum(id) from '{version}/gold.a/*.parquet') - "
                    f"(select total from '{version}/gold.b/*.parquet')"
                ).fetchone()
                reads += 1
                if row != (0,):
                    problems.append(str(row))

    thread = threading.Thread(target=read)
    thread.start()
    for run in range(2, 12):
        gold.sql(
            f"delete from gold.a where id % 50 = {run}",
            "update gold.b set total = (select sum(id) from gold.a)",
        )
        publish(gold, shelf, run)
        forget_old(shelf, Keeping(5, timedelta(0)), NOW + timedelta(hours=run))
    end.set()
    thread.join()
    assert not problems
    assert reads > 5


class Bucket:
    """An S3 client that keeps objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_object(self, **given: str) -> dict[str, Any]:
        if given["Key"] not in self.objects:
            raise FileNotFoundError(given["Key"])
        content = self.objects[given["Key"]]
        return {"Body": type("B", (), {"read": lambda self: content})()}

    def put_object(self, **given: Any) -> None:
        self.objects[given["Key"]] = given["Body"]

    def upload_file(self, path: str, **given: str) -> None:
        self.objects[given["Key"]] = Path(path).read_bytes()

    def delete_object(self, **given: str) -> None:
        del self.objects[given["Key"]]


def test_in_a_bucket_the_manifest_is_put_last_and_no_named_object_goes(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Bucket()
    shelf = BucketShelf(client, "lake", "gold/")
    monkeypatch.setattr(
        BucketShelf,
        "_names",
        lambda self: (
            name.removeprefix("gold/")
            for name in list(client.objects)
            if name.startswith("gold/versions/")
        ),
    )
    for run in range(1, 5):
        gold.sql(f"update gold.b set total = {run}")
        publish(gold, shelf, run)
        assert list(client.objects)[-1].endswith("manifest.json")
        forget_old(shelf, Keeping(2, timedelta(0)), NOW + timedelta(hours=run))
    manifest = json.loads(client.objects["gold/manifest.json"])
    assert manifest["run_id"] == "run-0004"
    for table in manifest["tables"]:
        for file in table["files"]:
            assert len(client.objects["gold/" + file["path"]]) == file["bytes"]
    versions = {name.split("/")[2] for name in client.objects if "versions" in name}
    assert versions == {"run-0001", "run-0003", "run-0004"}, "gold.a is of the first"
    assert "gold/versions/run-0001/gold.b/rows.parquet" not in client.objects
    for run in range(5, 8):
        gold.sql("delete from gold.a where id = (select max(id) from gold.a)")
        publish(gold, shelf, run)
        forget_old(shelf, Keeping(2, timedelta(0)), NOW + timedelta(hours=run))
    versions = {name.split("/")[2] for name in client.objects if "versions" in name}
    assert versions == {"run-0004", "run-0006", "run-0007"}, "gold.b is of the fourth"
