"""JSON that was loaded here is there: its text in the stage, its value in the table.

The account keeps no text of a value: it has an order of keys of its own, and none of
the white space. So each of both links is broken here, and has to be found broken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moved_project import BUCKET, SMALL, Move, opened_shop
from small_shop import Shop, columns

from moved_account import read_there
from s3_server import S3Server, started_server
from snowflake_gate import problems
from snowmelt.cli.migrate import _show_proof
from snowmelt.deploy.migration.proof import Proof
from snowmelt.errors import SnowmeltError
from snowmelt.service.commands import OwnCommands

EVENTS: dict[str, Any] = {
    "name": "events",
    "pattern": "events/*.json",
    "file_format": {"type": "json"},
    "contract": columns("id bigint, payload json, order json"),
}
TABLE = "SHOP.BRONZE.EVENTS__ALL"
FIRST = """\
{"id": 1, "payload": {"z": [1, 2.50, "\\u2603|~"],  "a": {"y": null, "x": ""}}}
{"id": 2, "payload": null, "order": "null"}
{"id": 3, "payload": [], "order": {"b": 1e300, "a": 12345678901234567890123}}
{"id": 4, "payload": "text", "order": false}
{"id": 5}
"""
SECOND = '{"id": 1, "payload": {"a": 1, "b": {"c": 2}}}\n{"id": 2, "order": {"d": 3}}\n'


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
    with opened_shop(tmp_path_factory.mktemp("json"), server, [EVENTS]) as shop:
        shop.land("events/one.json", FIRST.encode())
        shop.land("events/two.json", SECOND.encode())
        shop.load()
        shop.land("events/two.json", SECOND.replace("2", "7").encode())
        shop.load()
        yield shop


@pytest.fixture
def move(filled: Shop, server: S3Server) -> Iterator[Move]:
    yield Move(filled, server)
    empty_stage(server)


def empty_stage(server: S3Server) -> None:
    for each in server.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        server.s3.delete_object(Bucket=BUCKET, Key=each["Key"])


def values_of(move: Move) -> tuple[list[Any], list[Any]]:
    """What Snowflake would make of each value that counts here, and what is there."""
    wanted = 'id, payload::varchar, "order"::varchar, _file'
    asked = f"select {wanted} from {{}}.events order by 1, 4"
    here = [
        (
            number,
            *(None if each is None else read_there(each)[0] for each in both),
            file,
        )
        for number, *both, file in move.shop.rows(asked.format("bronze"))
    ]
    return here, move.account.ask(asked.format("shop.bronze"))


def test_each_value_is_proven(move: Move) -> None:
    proof = move.move()["events"]
    assert proof.is_alike, proof
    assert proof.values is not None
    assert proof.values.columns == ("payload", "order")
    assert proof.values.both[0] == proof.values.both[1]
    assert proof.values.both[0].rows == 8
    assert proof.values.others is None
    here, there = values_of(move)
    assert here == there
    assert len(here) == 7
    # once for each file that has some, and never again
    asked = [each for each in move.account.statements if "FROM '@" in each]
    copied = [
        each for each in move.account.statements if each.startswith("COPY INTO S")
    ]
    assert len(asked) == sum(TABLE in each for each in copied) > 2
    move.require_moved()
    again = [each for each in move.account.statements if "FROM '@" in each]
    assert again == asked


@pytest.mark.parametrize(
    ("was", "becomes", "where"),
    [
        ('"c":7', '"c":8', ("events/two.json", (("payload", 1),))),
        pytest.param(
            '{"d":3}',
            "null",
            ("events/two.json", (("order", 2),)),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "☃", "☂", ("events/one.json", (("payload", 1),)), marks=pytest.mark.long
        ),
        pytest.param(
            "[]", "{}", ("events/one.json", (("payload", 1),)), marks=pytest.mark.long
        ),
    ],
)
def test_one_value_that_was_copied_wrongly_is_found(
    move: Move,
    capsys: pytest.CaptureFixture[str],
    was: str,
    becomes: str,
    where: tuple[str, tuple[tuple[str, int], ...]],
) -> None:
    """Whether a value is there, which all other digests ask, is the same as before."""
    move.account.transit = lambda text: text.replace(was, becomes)
    proof = move.move()["events"]
    assert proof.shipped[0] == proof.shipped[1]
    assert not proof.is_alike
    assert [(each.file, each.rows) for each in others(proof)] == [where]
    _show_proof(proof)
    told = capsys.readouterr()
    file, [(column, _)] = where
    assert "✗ SHOP.BRONZE.EVENTS__ALL: not alike" in told.out
    assert f"{file}: other JSON there, {column} of" in told.err
    assert f"TRUNCATE TABLE {TABLE}" in told.err
    # shipped anew as that says, it is the same
    move.account.transit = lambda text: text
    move.account.truncate(TABLE)
    move.account.ask(
        f"delete from shop.snowmelt.migrated_files where table_name = '{TABLE}'"
    )
    move.require_moved()


def others(proof: Proof) -> tuple[Any, ...]:
    assert proof.values is not None
    assert proof.values.others is not None
    return proof.values.others


@pytest.mark.long
def test_a_value_that_changed_there_is_found_when_the_stage_is_empty(
    move: Move, server: S3Server
) -> None:
    move.require_moved()
    empty_stage(server)
    move.require_moved()
    move.account.ask(
        """update shop.bronze.events__all set payload = '"other"' where id = 4"""
    )
    proof = move.move()["events"]
    assert not proof.is_alike
    assert {each.file: each.gone for each in others(proof)} == {
        "events/one.json": 5,
        "events/two.json": 4,
    }
    assert "not in the bucket any more" in proof.remedy
    assert json.loads(json.dumps(proof.document))["json"]["alike"] is False


def test_keys_in_another_order_are_no_difference(
    move: Move, server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    move.account.reorders = True
    proof = move.move()["events"]
    assert proof.values is not None
    assert proof.values.both[0] != proof.values.both[1]
    assert proof.is_alike
    assert not proof.remedy
    _show_proof(proof)
    told = capsys.readouterr()
    assert "alike, 7 rows, JSON of payload, order too" in told.out
    assert "written otherwise there" in told.err
    # which is known from then on, and asked of no file
    asked = len(move.account.statements)
    proof = move.move()["events"]
    assert proof.values is not None
    assert proof.values.both[0] == proof.values.both[1]
    assert not any("FROM '@" in each for each in move.account.statements[asked:])
    # nor is what was put twice, since somebody was stopped in between
    for each in server.s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        source = {"Bucket": BUCKET, "Key": each["Key"]}
        server.s3.copy_object(
            Bucket=BUCKET, Key=each["Key"] + "-again", CopySource=source
        )
    move.account.ask(
        """update shop.bronze.events__all set "order" = '{}' where id = 3"""
    )
    proof = move.move()["events"]
    assert [each.rows for each in others(proof)] == [(("order", 1),)]


@pytest.mark.long
def test_of_rows_that_are_not_there_nothing_is_taken_for_equal(move: Move) -> None:
    move.require_moved()
    move.account.ask(f"create temp table gone as from {TABLE} where id = 1")
    move.account.ask(f"delete from {TABLE} where id = 1")
    proof = move.move()["events"]
    assert proof.values is not None
    assert proof.values.others == ()
    assert not proof.values.is_alike
    assert not any("written otherwise" in each for each in proof.lines)
    assert "To ship it anew" in proof.remedy
    move.account.ask(f"insert into {TABLE} from gone")
    move.require_moved()


def test_what_lies_there_otherwise_is_not_copied(move: Move) -> None:
    """A text that changed on its way, a file that has another's rows, none at all."""
    whole = move.account.body
    migration = move.migration()
    plan = migration.plan()
    keys: list[str] = []

    def of_another(key: str) -> bytes:
        keys.append(key)
        return whole(keys[0] if "/events/" in key else key)

    move.account.body = of_another
    keys.append("")
    with pytest.raises(SnowmeltError) as refused:
        for number, each in enumerate(plan):
            if number == 1:
                keys.clear()
            migration.ship([each], lambda *_: None)
    assert "is not what left here" in refused.value.problem
    assert ".snowmelt/migrated/events/" in refused.value.where
    assert "Remove this file" in refused.value.remedy
    [(count,)] = move.account.ask(f"select count(*) from {TABLE}")
    assert count == SMALL.rows_max, "the file before it arrived, this one did not"
    move.account.body = whole
    move.require_moved()


@pytest.mark.long
def test_what_is_said_is_snowflakes_language(move: Move) -> None:
    move.account.transit = lambda text: text.replace("text", "other")
    move.move()
    require_language(move, ("COPY INTO", "CREATE TEMPORARY", "EQUAL_NULL", "TO_JSON"))


def require_language(move: Move, words: tuple[str, ...]) -> None:
    said = [each for each in move.account.statements if any(w in each for w in words)]
    shapes = {re.sub(r"'[^']*'|\d+", "?", each): each for each in said}
    for word in words:
        assert any(word in each for each in shapes.values()), word
    for statement in shapes.values():
        assert not problems(statement), statement


REFUSED = '{"id": 8, "payload": {"a": 1, "a": 2}, "order": {"b": {"c": 1, "c": 1}}}\n'


def test_what_snowflake_does_not_take_is_named_and_can_be_sent_again(
    tmp_path: Path, server: S3Server
) -> None:
    """A key that occurs twice: here the first one counts, there it is an error."""
    forget = {"retention": {"superseded": "0s"}}
    with opened_shop(tmp_path, server, [EVENTS], **forget) as shop:
        move = Move(shop, server)
        shop.land("events/one.json", FIRST.encode())
        shop.load()
        shop.land("events/twice.json", SECOND.encode() + REFUSED.encode())
        shop.load()
        with pytest.raises(SnowmeltError) as refused:
            move.move()
        assert refused.value.where == TABLE
        told = refused.value.problem
        assert (
            'events/twice.json, record 3, payload: duplicate object attribute "a"'
            in told
        )
        assert (
            'events/twice.json, record 3, order: duplicate object attribute "c"' in told
        )
        assert "record 1" not in told
        assert "snowmelt vacuum" in refused.value.remedy
        require_language(move, ("CHECK_JSON",))
        # as it says
        shop.land("events/twice.json", SECOND.encode())
        shop.load()
        OwnCommands(shop.loop, serving=False).vacuum(False)
        move.require_moved()
        here, there = values_of(move)
        assert here == there
        assert len(here) == 7
    empty_stage(server)


NEW = b'{"id": 9, "payload": 1, "order": 2, "added": {"a": 1}, "count": 3}\n'


@pytest.mark.long
def test_json_that_a_contract_has_later_changes_no_digest(
    tmp_path: Path, server: S3Server
) -> None:
    """Files of before have no record of values; nor are any there."""
    without = EVENTS | {"contract": columns("id bigint")}
    with opened_shop(tmp_path, server, [without]) as shop:
        move = Move(shop, server)
        shop.land("events/one.json", FIRST.encode())
        shop.load()
        proof = move.move()["events"]
        assert proof.is_alike
        assert proof.values is None
        account = move.account
    with opened_shop(tmp_path, server, [EVENTS]) as shop:
        move = Move(shop, server)
        move.account = account
        account.deploy(shop.parts.project)
        shop.land("events/two.json", SECOND.encode())
        shop.load()
        empty_stage(server)
        proof = move.move()["events"]
        assert proof.is_alike, proof
        assert proof.values is not None
        assert proof.values.both[0] == proof.values.both[1]
        assert proof.values.both[0].rows == 2
    empty_stage(server)


@pytest.mark.long
def test_a_missing_right_is_told_with_its_statement(move: Move) -> None:
    said = "SQL access control error: Insufficient privileges to operate on schema"
    for beginning, remedy in (
        ("CREATE TEMPORARY", "GRANT CREATE FILE FORMAT ON SCHEMA SHOP.SNOWMELT"),
        (
            "SELECT COUNT(*) AS ROW_COUNT, SUM",
            "GRANT USAGE ON STAGE SHOP.BRONZE.LANDING",
        ),
    ):
        move.account.refuses = {beginning: said}
        with pytest.raises(SnowmeltError) as refused:
            move.move()
        assert refused.value.remedy.startswith(remedy)
    move.account.refuses = {}
    move.require_moved()


@pytest.mark.long
def test_a_column_that_files_bring_later_changes_no_digest(
    tmp_path: Path, server: S3Server
) -> None:
    """Of JSON or of any other type: what was recorded before had no such column."""
    evolving = EVENTS | {"schema_evolution": "add_new_columns"}
    with opened_shop(tmp_path, server, [evolving]) as shop:
        move = Move(shop, server)
        shop.land("events/one.json", FIRST.encode())
        shop.load()
        move.require_moved()
        shop.land("events/new.json", NEW)
        shop.load()
        proof = move.move()["events"]
        assert proof.is_alike, proof
        asked = f"select added::varchar, count::varchar from {TABLE} where id = 9"
        assert move.account.ask(asked) == [('{"a":1}', "3")]
        assert move.account.ask(f"select count(*) from {TABLE}") == [(6,)]
        move.account.ask(f"update {TABLE} set added = '[]' where id = 1")
        assert not move.move()["events"].is_alike
    empty_stage(server)
