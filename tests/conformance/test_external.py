"""Bronze without a copy: a view of files has the rows that a table would have.

Files are replaced, moved and deleted in landing, and one is written over in place:
what bronze shows is what was loaded, or nothing can be asked of it.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import test_identity
import yaml
from small_shop import Shop, columns, open_shop

from snowmelt.errors import ConfigError
from snowmelt.gold.vacuum import RetentionConfig
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.project.project import load_project
from snowmelt.service.checking import check_file

PIPE: dict[str, Any] = {
    "name": "t",
    "pattern": "t*",
    "external": True,
    "file_format": {"type": "auto"},
    "contract": columns("id integer not null, amount decimal(18,2), at timestamp"),
}
ALL = "select * exclude (_loaded_at, _version_at) from bronze.t__all order by all"
LIVE = "select id from bronze.t order by id"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [PIPE]) as opened:
        yield opened


def content(*ids: int) -> bytes:
    lines = [f"{each},{each}.50,2024-01-01 00:00:00\n" for each in ids]
    return ("id,amount,at\n" + "".join(lines)).encode()


def live(shop: Shop) -> list[int]:
    return [row[0] for row in shop.rows(LIVE)]


def status(shop: Shop, name: str) -> tuple[str, str | None]:
    newest = shop.history(name)[-1]
    return newest["status"], newest["first_error_message"]


def links(shop: Shop) -> list[Path]:
    return [p for p in shop.parts.project.external.rglob("*") if p.is_file()]


def parquet(folder: Path, sql: str) -> bytes:
    path = folder / "made.parquet"
    duckdb.sql(sql).write_parquet(str(path), row_group_size=2048)
    return path.read_bytes()


def files(folder: Path) -> dict[str, bytes]:
    """Return files of each kind that the engine reads where it lies."""
    row = {"id": 7, "amount": 7.25, "at": "2024-02-03 04:05:06"}
    numbers = (
        "select range::int as id, range / 4 as amount, timestamp '2024-05-06' as at"
    )
    return {
        "t.csv": content(3, 1, 2),
        "t_quoted.csv": b'id;at;amount\n"5";"2024-01-01 10:00";"1.5"\n6;;\n',
        "t.json": b"".join(
            json.dumps(row | {"id": n}).encode() + b"\n" for n in (9, 8)
        ),
        "t.parquet": parquet(folder, f"{numbers} from range(100, 105)"),
        "t_odd [x]*'ü.csv": content(21),
        "t_large.parquet": parquet(folder, f"{numbers} from range(1000, 21000)"),
    }


def test_a_view_has_the_rows_and_ordinals_of_a_table(tmp_path: Path) -> None:
    found = []
    for external in (True, False):
        root = tmp_path / str(external)
        with open_shop(root, [PIPE | {"external": external}]) as shop:
            for name, raw in files(tmp_path).items():
                os.utime(shop.land(name, raw), ns=(10**18, 10**18))
                shop.load()
                assert status(shop, name) == ("Loaded", None), name
            found.append(
                shop.rows(
                    "select * exclude (_loaded_at) from bronze.t__all "
                    "order by _load_seq, _file_row"
                )
            )
            described = shop.rows("describe bronze.t")
        with open_shop(root, [PIPE | {"external": external}]) as shop:
            assert shop.rows("describe bronze.t") == described
    assert found[0] == found[1]
    assert len(found[0]) == 3 + 2 + 2 + 5 + 1 + 20_000


def test_what_was_loaded_stays_whatever_becomes_of_its_name(shop: Shop) -> None:
    first = shop.land("t_1.csv", content(1, 2))
    shop.land("t_2.csv", content(3))
    shop.load()
    shop.land("t_1.csv", content(1, 4))  # a correction is renamed into place
    (shop.parts.project.landing / "t_2.csv").unlink()
    shop.load()
    assert live(shop) == [1, 3, 4]
    ids = "select id, _load_seq from bronze.t__all order by _load_seq, _file_row"
    assert shop.rows(ids) == [(1, 1), (2, 1), (3, 2), (1, 3), (4, 3)]
    first.unlink()
    assert live(shop) == [1, 3, 4]


def test_a_settled_file_is_not_read_again_for_its_link(shop: Shop) -> None:
    shop.land("t.csv", content(1))
    shop.load()
    before = shop.rows("select * from snowmelt.staged_files")
    found = shop.parts.stage.refresh(shop.loop.arrivals._dealt_with)
    assert found == []
    assert shop.rows("select * from snowmelt.staged_files") == before


def test_content_written_over_in_place_is_noticed_and_loaded_anew(shop: Shop) -> None:
    path = shop.land("t_1.csv", content(1))
    shop.land("t_2.csv", content(2))
    shop.load()
    with path.open("ab") as file:
        file.write(content(5).splitlines(keepends=True)[1])
    with (
        shop.parts.warehouse.session() as session,
        pytest.raises(Exception, match=r"t_1\.csv: bronze\.t is a view of it, and it"),
    ):
        require_unchanged(kept_files(session), shop.parts.project.external)
    shop.load()
    assert live(shop) == [1, 2, 5]
    # what load 1 read is nowhere; load history still tells of it
    seqs = "select distinct _load_seq from bronze.t__all order by all"
    assert shop.rows(seqs) == [(2,), (3,)]
    assert [each["superseded_by"] for each in shop.history("t_1.csv")] == [3, None]
    with shop.parts.warehouse.session() as session:
        require_unchanged(kept_files(session), shop.parts.project.external)


def test_a_file_that_is_only_touched_stays_what_it_was(shop: Shop) -> None:
    path = shop.land("t.csv", content(1))
    shop.load()
    os.utime(path)
    shop.load()
    assert live(shop) == [1]
    assert len(shop.history("t.csv")) == 1
    with shop.parts.warehouse.session() as session:
        require_unchanged(kept_files(session), shop.parts.project.external)


@pytest.mark.parametrize("again", [content(1), content(6), content()])
@pytest.mark.parametrize("rule", ["supersede", "append", "ignore"])
def test_lost_rows_are_asked_for_until_their_name_comes_again(
    tmp_path: Path, again: bytes, rule: str
) -> None:
    pipe = PIPE | {"on_same_name_changed": rule}
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        path = shop.land("t.csv", content(1))
        shop.load()
        with path.open("ab") as file:
            file.write(b"9")
        path.unlink()
        shop.land("t_2.csv", content(2))
        shop.load()
        with pytest.raises(Exception, match="what load 1 read is gone"):
            live(shop)
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t.csv", again)
        shop.load()
        assert live(shop) == sorted(
            [2, *(int(n.split(b",")[0]) for n in again.split(b"\n")[1:-1])]
        )


def test_a_file_with_an_error_is_shown_not_at_all(shop: Shop) -> None:
    shop.land("t.csv", content(1) + b"x,1,\n")
    shop.load()
    assert status(shop, "t.csv")[0] == "Load failed"
    assert (live(shop), links(shop)) == ([], [])


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("t.csv.gz", gzip.compress(content(1), mtime=0)),
        ("t.json", b'[{"id": 1, "amount": 1, "at": null}]'),
        ("t.csv", b"id,amount,at\r\n1,2,\n3,4,\r\n"),
        ("t.json", b'{"id": 1, "amount": 1234567890123.45, "at": null}\n'),
    ],
)
def test_what_is_only_read_from_a_copy_fails_and_says_so(
    shop: Shop, name: str, raw: bytes
) -> None:
    shop.land(name, raw)
    shop.load()
    ended, told = status(shop, name)
    assert ended == "Load failed"
    assert told is not None
    assert "it is not read where it lies but from a copy" in told
    assert links(shop) == []
    checked = check_file(shop.parts, shop.parts.project.landing / name, None)
    assert (checked["would_be"], checked["problem"]) == ("Load failed", told)


def test_a_file_that_cannot_be_linked_fails_and_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    shop.land("t.csv", content(1))
    shop.load()
    ended, told = status(shop, "t.csv")
    assert ended == "Load failed"
    assert told is not None
    assert "Landing must be on the project's file system" in told


def test_columns_join_and_widen_as_those_of_a_table_do(tmp_path: Path) -> None:
    found = []
    for external in (True, False):
        root = tmp_path / str(external)
        pipe = PIPE | {"external": external, "schema_evolution": "add_new_columns"}
        with open_shop(root, [pipe]) as shop:
            shop.land("t_1.csv", content(1))
            shop.load()
            shop.land("t_2.csv", b"id,amount,at,more\n2,2,,x\n")
            shop.load()
        pipe["contract"] = columns("id bigint, amount decimal(20,4)")
        pipe["contract"]["columns"].append(
            {"name": "at", "type": "timestamp", "optional": True}
        )
        pipe["contract"]["columns"].append(
            {"name": "new", "type": "varchar", "optional": True}
        )
        with open_shop(root, [pipe]) as shop:
            shop.land("t_3.csv", b"id,amount,new\n3,3,y\n")
            shop.load()
            shown = (
                "select * exclude (_loaded_at, _version_at) from bronze.t order by id"
            )
            described = shop.rows(
                "select column_name, column_type from (describe bronze.t)"
            )
            found.append((described, shop.rows(shown)))
    assert found[0] == found[1]


def test_a_link_of_no_load_is_removed_when_the_project_opens(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        shop.land("t.csv", content(1))
        shop.load()
        (kept,) = links(shop)
        os.link(kept, kept.with_name("left-over"))
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        assert links(shop) == [kept]
        assert live(shop) == [1]


def test_a_project_may_be_moved(tmp_path: Path) -> None:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        shop.land("t.csv", content(1))
        shop.load()
    (tmp_path / "shop").rename(tmp_path / "moved")
    with open_shop(tmp_path / "moved", [PIPE]) as shop:
        assert live(shop) == [1]


@pytest.mark.parametrize("external", [True, False])
def test_a_pipe_with_loads_stays_what_it_is(tmp_path: Path, external: bool) -> None:
    with open_shop(tmp_path / "shop", [PIPE | {"external": external}]) as shop:
        shop.load()  # nothing was loaded yet
    with open_shop(tmp_path / "shop", [PIPE | {"external": not external}]):
        pass
    with open_shop(tmp_path / "shop", [PIPE | {"external": external}]) as shop:
        shop.land("t.csv", content(1))
        shop.load()
    with (
        pytest.raises(
            ConfigError, match=r"pipes/t\.yml: external: bronze\.t is .* now"
        ),
        open_shop(tmp_path / "shop", [PIPE | {"external": not external}]),
    ):
        pass


@pytest.mark.parametrize(
    ("more", "landing", "told"),
    [
        ({"on_error": "continue"}, "landing", "on_error can only be skip_file"),
        ({"on_error": "skip_file_3"}, "landing", "on_error can only be skip_file"),
        ({"after_load": {"archive": ".loaded"}}, "landing", "nothing is done with"),
        ({"file_format": {"type": "csv", "encoding": "latin1"}}, "landing", "encoding"),
        ({"file_format": {"type": "csv", "skip_header": 1}}, "landing", "skip_header"),
        ({"file_format": {"compression": "gzip"}}, "landing", "compression"),
        ({}, "s3://bucket/prefix", "files arrive in a bucket"),
        ({}, "/proc", "is on another file system"),
    ],
)
def test_what_a_view_cannot_give_is_refused_where_it_is_written(
    tmp_path: Path, more: dict[str, Any], landing: str, told: str
) -> None:
    (tmp_path / "pipes").mkdir()
    settings = {"version": 1, "name": "small", "landing": {"path": landing}}
    (tmp_path / "snowmelt.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "dbt_project.yml").write_text("{name: small, profile: snowmelt}")
    if "file_format" in more:
        more["file_format"].setdefault("type", "csv")
    pipe = yaml.safe_dump(PIPE | more, sort_keys=False)
    (tmp_path / "pipes" / "t.yml").write_text(pipe)
    with pytest.raises(ConfigError) as caught:
        load_project(tmp_path)
    assert told in str(caught.value)
    assert caught.value.where.startswith("pipes/t.yml:")
    assert caught.value.where.endswith(": external")


def test_a_bound_of_loads_leaves_other_files_unread(shop: Shop) -> None:
    for number in range(5):
        shop.land(f"t_{number}.csv", content(number))
        shop.load()
    asked = (
        "explain select * from bronze.t where _load_seq > "
        "coalesce(getvariable('snowmelt_offsets')['m bronze.t'], 0)"
    )
    with shop.parts.warehouse.session() as session:
        (whole,) = (plan for _, plan in session.rows(asked))
        session.execute("set variable snowmelt_offsets = map {'m bronze.t': 4}")
        (part,) = (plan for _, plan in session.rows(asked))
    assert (whole.count("Function:"), part.count("Function:")) == (5, 1)


def test_files_that_are_superseded_are_not_opened(shop: Shop) -> None:
    for number in range(4):
        shop.land("t.csv", content(number))
        shop.load()
    plan = "explain select * from bronze.t{}"
    ((_, live_plan),) = shop.rows(plan.format(""))
    ((_, all_plan),) = shop.rows(plan.format("__all"))
    assert (live_plan.count("Function:"), all_plan.count("Function:")) == (1, 4)
    assert live(shop) == [3]


@pytest.mark.parametrize(
    "seed",
    [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 20))],
)
def test_bronze_is_what_lies_in_the_folder(tmp_path: Path, seed: int) -> None:
    """Files are renamed, swapped, touched, corrected, and written over in place."""
    rng = random.Random(seed)
    pipe = test_identity.PIPE | {"external": True, "on_error": "skip_file"}
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        for step in range(30):
            for _ in range(rng.randint(1, 3)):
                test_identity.change(shop, rng)
            there = sorted(shop.parts.project.landing.glob("*.csv"))
            if there and rng.random() < 0.4:
                ids = rng.sample(range(8), rng.randint(1, 2))
                rng.choice(there).write_bytes(test_identity.content(*ids))
            shop.load()
            lying = test_identity.lying(shop)
            assert test_identity.live(shop) == lying, (seed, step)
            with shop.parts.warehouse.session() as session:
                require_unchanged(kept_files(session), shop.parts.project.external)


def test_the_newest_snapshot_is_shown_though_it_was_written_over(
    tmp_path: Path,
) -> None:
    with open_shop(tmp_path / "shop", [PIPE | {"mode": "snapshot"}]) as shop:
        for day in (1, 2, 3):
            path = shop.land(f"t_2024-01-0{day}.csv", content(day))
            shop.load()
        assert live(shop) == [3]
        path.write_bytes(content(3, 4))
        shop.load()
        assert live(shop) == [3, 4]
        seqs = "select distinct _load_seq from bronze.t__all order by all"
        assert shop.rows(seqs) == [(1,), (2,), (4,)]


def test_a_link_that_was_deleted_is_missed_until_its_file_comes_again(
    tmp_path: Path,
) -> None:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        for number in (1, 2):
            shop.land("t.csv", content(number))
            shop.load()
        for path in links(shop):
            path.unlink()
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        with pytest.raises(Exception, match="what load 2 read is gone"):
            live(shop)
        shop.land("t.csv", content(2))
        shop.load()
        assert live(shop) == [2]
        seqs = "select distinct _load_seq from bronze.t__all"
        assert shop.rows(seqs) == [(3,)]


# The vacuum.


def vacuum_all(shop: Shop) -> int:
    """Let go of all that is superseded; return how many rows."""
    vacuum = shop.parts.vacuum
    vacuum.config = RetentionConfig.model_validate({"superseded": 0})
    rows = 0
    while (done := vacuum.step()).rows or done.more:
        rows += done.rows
    return rows


def test_a_file_that_nobody_counts_leaves_with_its_link(shop: Shop) -> None:
    for ids in ((1, 2), (1, 3), (4,)):
        shop.land("t.csv", content(*ids))
        shop.load()
    shop.land("t_2.csv", content(5))
    shop.load()
    assert len(links(shop)) == 4
    assert vacuum_all(shop) == 4
    assert live(shop) == [4, 5]
    seqs = "select distinct _load_seq from bronze.t__all order by all"
    assert shop.rows(seqs) == [(3,), (4,)]
    assert len(links(shop)) == 2
    told = shop.rows("select load_seq from snowmelt.external_files order by load_seq")
    assert told == [(3,), (4,)]
    with shop.parts.warehouse.session() as session:
        require_unchanged(kept_files(session), shop.parts.project.external)
    assert [each["superseded_by"] for each in shop.history("t.csv")] == [2, 3, None]
    shop.land("t.csv", content(1, 2))  # known content comes again as another version
    shop.load()
    assert live(shop) == [1, 2, 5]


def test_who_asks_now_still_reads_what_the_vacuum_lets_go(shop: Shop) -> None:
    shop.land("t.csv", content(1))
    shop.load()
    shop.land("t.csv", content(2))
    shop.load()
    vacuum = shop.parts.vacuum
    vacuum.config = RetentionConfig.model_validate({"superseded": 0})
    with shop.parts.warehouse.snapshot() as session:
        ids = "select id from bronze.t__all order by id"
        assert session.rows(ids) == [(1,), (2,)]
        assert vacuum.step().rows == 1
        assert session.rows(ids) == [(1,), (2,)], "its link is there still"
    assert shop.rows(ids) == [(2,)]
    vacuum.step()
    assert len(links(shop)) == 1


def test_a_link_that_a_dying_vacuum_left_goes_when_the_project_opens(
    tmp_path: Path,
) -> None:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        for number in (1, 2):
            shop.land("t.csv", content(number))
            shop.load()
        vacuum = shop.parts.vacuum
        vacuum.config = RetentionConfig.model_validate({"superseded": 0})
        assert vacuum.step().rows == 1
        vacuum._unlinked.clear()  # it has committed, and dies before it unlinks
        assert len(links(shop)) == 2
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        assert len(links(shop)) == 1
        assert live(shop) == [2]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, 6))]
)
def test_the_vacuum_changes_nothing_that_lies_in_the_folder(
    tmp_path: Path, seed: int
) -> None:
    """Files come and go in every way, and what is superseded leaves at any moment."""
    rng = random.Random(seed)
    pipe = test_identity.PIPE | {"external": True, "on_error": "skip_file"}
    let_go = 0
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        for step in range(20):
            for _ in range(rng.randint(1, 3)):
                test_identity.change(shop, rng)
            shop.load()
            if rng.random() < 0.5:
                let_go += vacuum_all(shop)
            assert test_identity.live(shop) == test_identity.lying(shop), (seed, step)
            with shop.parts.warehouse.session() as session:
                require_unchanged(kept_files(session), shop.parts.project.external)
        let_go += vacuum_all(shop)
        kept = "select count(*) from snowmelt.external_files where gone_by is null"
        assert shop.rows(kept) == [(len(links(shop)),)]
    assert let_go > 3
