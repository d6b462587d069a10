"""What was loaded here is there, once, whatever was killed when.

A project with a pipe of every kind is loaded here, corrected, reloaded and replayed;
its rows go through a bucket (moto) into an account (DuckDB behind Snowflake's words).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from moved_project import BUCKET, HEAD, PIPES, SMALL, Move, fill, opened_shop
from small_shop import Shop
from starlette.testclient import TestClient

from moved_account import Killed
from s3_server import S3Server, started_server
from snowflake_gate import problems
from snowmelt.aws import Aws
from snowmelt.cli import main
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.aws.calls import LiveCalls
from snowmelt.deploy.migration.migration import Manner
from snowmelt.deploy.migration.opening import open_migration
from snowmelt.deploy.migration.reports import last_move, one_at_a_time
from snowmelt.deploy.migration.shelf import Shelf
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError, UsageError
from snowmelt.project.project import load_project
from snowmelt.serve.api import make_app
from snowmelt.serve.client import ServiceClient
from snowmelt.service.commands import OwnCommands

PIPE_TABLES = [f"SHOP.BRONZE.{each['name'].upper()}__ALL" for each in PIPES]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        running.s3.create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, server: S3Server
) -> Iterator[Shop]:
    """A project that was loaded into; tests only look at it."""
    with opened_shop(tmp_path_factory.mktemp("filled"), server) as shop:
        fill(shop)
        yield shop


@pytest.fixture
def move(filled: Shop, server: S3Server) -> Move:
    return Move(filled, server)


def test_rows_that_count_are_the_same_there(move: Move) -> None:
    move.account.repeats = True
    proofs = move.move()
    assert all(each.is_alike for each in proofs.values()), proofs
    assert sum(each.live[0].rows for each in proofs.values() if each.live) == 7
    move.require_same()
    # the version that was superseded went along
    [kept] = move.account.ask("select note from shop.bronze.orders__all where id = 4")
    assert kept == ("gone",)
    history = move.account.ask(
        "select file_name, status from shop.snowmelt.migrated_loads order by load_seq"
    )
    assert ("raw/orders/a copy.csv", "Load skipped") in history


@pytest.mark.long  # the grammar is slow at floats that are taken apart
def test_what_is_said_is_snowflakes_language(move: Move) -> None:
    move.move()
    shapes = {
        re.sub(r"'[^']*'|\d+", "?", each): each for each in move.account.statements
    }
    for statement in shapes.values():
        assert not problems(statement), statement


@pytest.mark.long
def test_what_comes_later_is_added(tmp_path: Path, server: S3Server) -> None:
    with opened_shop(tmp_path, server) as shop:
        fill(shop)
        move = Move(shop, server)
        move.require_moved()
        asked = len(move.account.statements)
        move.require_moved()
        assert not any("COPY" in each for each in move.account.statements[asked:])
        shop.land("orders/b.csv", HEAD + b"3,third,,,,,,,\n")
        shop.land("orders/c.csv", HEAD + b"5,,,,,,,,\n")
        shop.load()
        move.require_moved()
        move.require_same()


@pytest.mark.parametrize(
    ("step", "copies_commit"),
    [
        (7, False),
        pytest.param(1, False, marks=pytest.mark.long),
        pytest.param(1, True, marks=pytest.mark.long),
    ],
)
def test_killed_wherever_it_ends_the_same(
    move: Move, step: int, copies_commit: bool
) -> None:
    """Killed before a statement, or before its answer; each time a little later.

    Even were a COPY no part of the transaction that it is in.
    """
    move.account.copies_commit = copies_commit
    account, killed, done = move.account, 0, False
    while not done:
        account.kills_after = killed % 2 == 1
        account.kill_at = len(account.statements) + killed * step
        killed += 1
        try:
            done = all(each.is_alike for each in move.move().values())
        except Killed:
            assert killed < 200, "it does not get on"
    assert killed > 5
    account.kill_at = None
    move.require_same()
    move.require_moved()
    assert not list(move.shop.parts.project.spool.glob("moving-*"))


@pytest.mark.long
def test_a_row_that_changed_there_is_found_and_its_file_named(move: Move) -> None:
    move.move()
    move.account.ask("update shop.bronze.orders__all set share = 0.2 where id = 1")
    proofs = move.move()
    orders = proofs.pop("orders")
    assert not orders.is_alike
    assert orders.differing == ("orders/a.csv",)
    assert "migrate again" in orders.remedy
    assert all(each.is_alike for each in proofs.values())


@pytest.mark.long
def test_files_that_arrived_there_alone_are_no_difference(move: Move) -> None:
    move.move()
    move.account.ask(
        "insert into shop.bronze.orders__all (id, _file, _file_row, _content_key) "
        "values (9, 'raw/orders/new.csv', 1, 'e1')"
    )
    orders = move.move()["orders"]
    assert orders.is_alike
    assert orders.only_there == 1


def test_rows_that_a_pipe_copied_there_are_not_shipped_over(move: Move) -> None:
    move.account.ask(
        "insert into shop.bronze.prices__all (id, price, _file, _file_row, "
        "_content_key, _version_at) "
        "values (1, 2.75, 'raw/prices/2.csv', 1, 'e1', '2030-01-01')"
    )
    with pytest.raises(SnowmeltError) as refused:
        move.move()
    assert "1 file that this machine loaded: prices/2.csv" in refused.value.problem
    assert "--keep-copied" in refused.value.remedy
    move.require_moved(Manner(2, keeps_copied=True))
    move.require_same()


@pytest.mark.long
def test_a_file_that_was_sent_again_there_is_named_and_no_error(move: Move) -> None:
    move.require_moved()
    move.account.ask(
        "insert into shop.bronze.orders__all (id, _file, _file_row, _content_key, "
        "_version_at) values (9, 'raw/orders/b.csv', 1, 'e1', '2099-01-01')"
    )
    orders = move.move()["orders"]
    assert orders.differing == ("orders/b.csv",)
    assert "sent again there" in orders.remedy


def test_a_column_of_another_type_there_is_refused(move: Move) -> None:
    table = "SHOP.BRONZE.ORDERS__ALL"
    known = dict(move.account.tables[table])
    move.account.tables[table] = list((known | {"ID": "VARCHAR"}).items())
    with pytest.raises(ConfigError) as refused:
        move.migration().plan()
    assert f"{table}: id is VARCHAR there, and NUMBER(10,0)" in refused.value.problem
    assert "deploy apply" in refused.value.remedy


@pytest.mark.long
def test_a_missing_right_is_told_with_its_statement(move: Move) -> None:
    said = "SQL access control error: Insufficient privileges to operate on table"
    move.account.refuses["COPY INTO SHOP.BRONZE.ORDERS__ALL"] = said
    with pytest.raises(SnowmeltError) as refused:
        move.move()
    assert refused.value.where.startswith("COPY INTO SHOP.BRONZE.ORDERS__ALL")
    assert "GRANT" in refused.value.remedy
    move.account.refuses.clear()
    move.require_moved()
    move.require_same()


@pytest.mark.long
def test_a_table_that_was_emptied_by_hand_is_told(move: Move) -> None:
    move.move()
    move.account.ask("delete from shop.snowmelt.migrated_files")
    move.account.ask("delete from shop.bronze.orders__all")
    with pytest.raises(SnowmeltError) as refused:
        move.move()
    assert "0 files processed" in refused.value.problem
    table = refused.value.where.partition(":")[0]
    assert f"TRUNCATE TABLE {table}" in refused.value.remedy
    for each in ("SHOP.SNOWMELT.MIGRATED_LOADS", *PIPE_TABLES):
        move.account.truncate(each)
    move.require_moved()
    move.require_same()


def test_a_pipe_that_would_load_what_is_shipped_is_refused(
    tmp_path: Path, move: Move
) -> None:
    root = move.shop.root
    pipe = PIPES[0] | {"name": "all", "pattern": "**/*"}
    other = tmp_path / "other"
    (other / "pipes").mkdir(parents=True)
    (other / "snowmelt.yml").write_text((root / "snowmelt.yml").read_text())
    (other / "pipes/all.yml").write_text(yaml.safe_dump(pipe))
    migration = move.migration()
    with pytest.raises(ConfigError) as refused:
        open_migration(
            load_project(other),
            move.account_names,
            move.account,
            migration.local,
            SystemClock(),
        )
    assert "pipes/all.yml" in refused.value.where
    assert "would load what is shipped" in refused.value.problem


def test_a_service_that_runs_answers_the_same(move: Move) -> None:
    """Positions, digests and names go over its socket, as large as they are."""
    commands = OwnCommands(move.shop.loop, serving=False)
    app = make_app(commands, lambda: ("", b""), dict)
    with TestClient(app) as http:
        project = move.shop.parts.project
        migration = open_migration(
            project,
            move.account_names,
            move.account,
            ServiceClient(cast("Any", http)),
            SystemClock(),
            SMALL,
        )
        plan = migration.plan()
        migration.ship(plan, lambda *_: None)
        assert all(each.is_alike for each in migration.prove(plan))
    move.require_same()


@pytest.mark.long
def test_a_bucket_that_cannot_be_reached_leaves_nothing_behind(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise UnreachableError("s3://moved", "no answer")

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "names", lambda *_: {})
        patch.setattr(Shelf, "put", fails)
        with pytest.raises(UnreachableError, match="no answer"):
            move.move()
    assert not list(move.shop.parts.project.spool.glob("moving-*"))
    move.require_moved()


def test_the_command_plans_ships_proves_and_reports(
    tmp_path: Path,
    server: S3Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened_shop(tmp_path, server) as shop:
        fill(shop)
        move = Move(shop, server)
    monkeypatch.setattr(opening, "connect", lambda *_: move.account)

    def says(*words: str) -> tuple[int, dict[str, Any], str]:
        with pytest.raises(SystemExit) as ended:
            main(["migrate", *words, "--project-dir", str(tmp_path), "--json"])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(out), err

    code, plan, _ = says("--dry-run")
    assert (code, plan["alike"], plan["proofs"]) == (0, None, [])
    assert [each["rows_to_ship"] for each in plan["tables"]] == [8, 2, 6, 1]
    assert plan["tables"][1]["source_bytes"] > 0
    assert not any("COPY" in each for each in move.account.statements)
    code, done, told = says()
    assert (code, done["alike"]) == (0, True)
    report = Path(told.rpartition("Report: ")[2].strip())
    assert json.loads(report.read_text()) == done
    assert report.resolve().parent == tmp_path / ".snowmelt/migrations"
    assert last_move(load_project(tmp_path), "prod") == done["last_load"]
    move.account.ask("update shop.bronze.orders__all set note = 'x' where id = 3")
    code, again, _ = says()
    assert (code, again["alike"]) == (1, False)


@pytest.mark.long
def test_files_that_wait_here_are_told_of(
    tmp_path: Path,
    server: S3Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened_shop(tmp_path, server) as shop:
        move = Move(shop, server)
        shop.land("orders/a.csv", HEAD)
    monkeypatch.setattr(opening, "connect", lambda *_: move.account)
    with pytest.raises(SystemExit):
        main(["migrate", "--dry-run", "--project-dir", str(tmp_path)])
    assert "1 file waits here, and is not shipped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("NoSuchBucket", "snowmelt deploy apply"),
        ("AccessDenied", "Grant s3:ListBucket on moved: `snowmelt deploy rights --for"),
    ],
)
def test_a_bucket_that_refuses_is_told(code: str, told: str) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            def refuses(**_: Any) -> None:
                raise ClientError({"Error": {"Code": code, "Message": "no"}}, name)

            return refuses

    calls = LiveCalls(lambda: Aws(SystemClock(), region="eu-central-1"), SystemClock())
    calls._clients["s3"] = Refusing()
    with pytest.raises(SnowmeltError) as refused:
        Shelf(calls, "moved", "raw/").names("orders")
    assert told in refused.value.remedy


def test_two_do_not_move_at_once(filled: Shop) -> None:
    project = filled.parts.project
    with (
        one_at_a_time(project, "prod"),
        pytest.raises(UsageError, match="another process moves"),
        one_at_a_time(project, "prod"),
    ):
        raise AssertionError("both went on")
    with one_at_a_time(project, "prod"), one_at_a_time(project, "test"):
        pass
