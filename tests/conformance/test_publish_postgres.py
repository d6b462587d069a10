"""Gold in Postgres is gold, whatever changed, and whatever was there before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published_gold import Gold, opened_gold

from postgres_server import database, postgres
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.serve.publish import postgres as connecting
from snowmelt.serve.publish.described import Relation
from snowmelt.serve.publish.postgres import publishing
from snowmelt.serve.publish.target import Target

__all__ = ["database", "postgres"]


@pytest.fixture
def gold(tmp_path: Path, database: str) -> Iterator[Gold]:
    with opened_gold(tmp_path, database) as gold:
        yield gold


def test_every_type_and_every_odd_value_arrives_as_it_is(gold: Gold) -> None:
    gold.sql(
        "create table gold.odd (id integer, t varchar, d decimal(18, 3), h hugeint, "
        "u ubigint, f double, b boolean, dt date, ts timestamp, tz timestamptz, "
        "tm time, iv interval, uu uuid, bl blob, js json, li integer[], "
        "st struct(a integer, b varchar), e enum('x', 'y'))",
        "insert into gold.odd values "
        "(1, E'tab\\tline\\nback\\\\slash\\r\"quote''', -12.345, "
        "170141183460469231731687303715884105727, 18446744073709551615, 'nan', true, "
        "'2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56+02', "
        "'01:02:03', "
        "interval '3 days 04:05:06', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "
        "'\\x00\\xFF\\x5C'::blob, '{\"a\": \"\\\\n\"}', [1, null, 3], "
        "{'a': 1, 'b': E'x\\ty'}, 'y'), "
        "(2, '\\N', 0, 0, 0, '-infinity', false, null, null, null, null, null, null, "
        "''::blob, null, [], null, null), "
        "(3, '', null, null, null, null, null, 'infinity', null, 'infinity', "
        "null, null, null, null, null, null, null, null), "
        "(4, '\\.', null, null, null, 1e300, null, null, null, null, null, null, null, "
        "null, null, null, null, null), "
        "(5, 'nul' || chr(0) || 'after', null, null, null, null, null, null, null, "
        "null, null, null, null, null, null, null, null, null)",
    )
    gold.publish(gold.table("odd", key=("id",)))
    rows = gold.there(
        "select id, t, d, h, u, f, b, nullif(dt, 'infinity'), ts, "
        "nullif(tz, 'infinity'), tm, iv, uu, bl, js, li, st, e "
        "from gold.odd order by id"
    )
    one = rows[0]
    assert one[1] == "tab\tline\nback\\slash\r\"quote'"
    assert one[2:5] == (Decimal("-12.345"), 2**127 - 1, 2**64 - 1)
    assert one[5] != one[5]
    assert one[7].isoformat() == "2024-02-29"
    assert one[9] == datetime(2024, 2, 29, 10, 34, 56, tzinfo=UTC)
    assert one[13] == b"\x00\xff\\"
    assert one[14] == {"a": "\\n"}
    assert one[15:] == ([1, None, 3], {"a": 1, "b": "x\ty"}, "y")
    assert [row[1] for row in rows[1:]] == ["\\N", "", "\\.", "nulafter"]
    assert rows[1][5] == float("-inf")
    assert rows[1][13] == b""
    assert gold.there("select dt = 'infinity' from gold.odd where id = 3") == [(True,)]


def test_only_what_changed_is_sent_and_what_did_not_is_left(gold: Gold) -> None:
    gold.sql("create table gold.t as select range as id, 'v' as v from range(1000)")
    first = gold.publish(gold.table("t", key=("id",)))
    assert first["t"].way == "whole"
    ids = gold.there("select id, xmin::text from gold.t")
    assert gold.publish(gold.table("t", key=("id",)))["t"].way == "unchanged"
    gold.sql(
        "update gold.t set v = 'w' where id < 10",
        "delete from gold.t where id >= 990",
        "insert into gold.t select range + 5000, 'new' from range(20)",
    )
    sent = gold.publish(gold.table("t", key=("id",)))["t"]
    assert (sent.way, sent.rows) == ("changed rows", 10 + 20 + 10 + 10)
    assert gold.there("select * from gold.t order by id") == gold.here(
        "select * from gold.t order by id"
    )
    untouched = set(ids) & set(gold.there("select id, xmin::text from gold.t"))
    assert len(untouched) == 980


def test_a_table_without_a_key_is_sent_whole(gold: Gold) -> None:
    gold.sql("create table gold.t as select 1 as a from range(3)")
    assert gold.publish(gold.table("t", key=("a",)))["t"].way == "whole"
    assert gold.publish(gold.table("t", key=("a",)))["t"].way == "unchanged"
    gold.sql("insert into gold.t values (1)")
    assert gold.publish(gold.table("t", key=("a",)))["t"].way == "whole"
    assert gold.there("select count(*) from gold.t") == [(4,)]


def test_keys_references_and_comments_are_there_and_follow(gold: Gold) -> None:
    gold.sql(
        "create table gold.parents as select range as id, range + 100 as code "
        "from range(5)",
        "create table gold.children as select range as id, range % 5 as parent_id, "
        "range % 5 + 100 as code from range(20)",
    )
    gold.relations = [
        Relation("children", "parent_id", "parents", "id"),
        Relation("children", "code", "parents", "code"),
    ]
    told = {"id": 'The number\'s "own" meaning'}
    parents = gold.table("parents", key=("id",), description="Parents", told=told)
    children = gold.table("children", key=("id",))
    gold.publish(parents, children)

    def constraints() -> list[str]:
        return [
            text
            for (text,) in gold.there(
                "select pg_get_constraintdef(oid) from pg_constraint "
                "where connamespace = 'gold'::regnamespace and contype in "
                "('p', 'f', 'u') and conrelid <> 'gold.snowmelt_published'::regclass"
            )
        ]

    made = sorted(constraints())
    assert len(made) == 5
    assert sum(text.startswith("FOREIGN KEY") for text in made) == 2
    assert "UNIQUE (code)" in made
    comment = "select col_description('gold.parents'::regclass, 1)"
    assert gold.there(comment) == [(told["id"],)]
    # parents and children change together, whichever is sent first
    gold.sql(
        "delete from gold.parents where id = 0",
        "delete from gold.children where parent_id = 0",
        "insert into gold.parents values (9, 109)",
        "insert into gold.children values (99, 9, 109)",
    )
    sent = gold.publish(parents, children)
    assert {each.way for each in sent.values()} == {"changed rows"}
    assert sorted(constraints()) == made
    # a reference that does not hold any more is gone, and comes again
    gold.sql("insert into gold.children values (100, 77, 109)")
    kept, gold.relations = gold.relations, gold.relations[1:]
    gold.publish(parents, children)
    assert len(constraints()) == 4
    gold.sql("delete from gold.children where id = 100")
    gold.relations = kept
    gold.publish(parents, replace(children, description="Now told"))
    assert sorted(constraints()) == made
    assert gold.there("select obj_description('gold.children'::regclass)") == [
        ("Now told",)
    ]


def test_columns_come_go_and_change_their_type(gold: Gold) -> None:
    gold.sql("create table gold.t as select range as id, 'a' as v from range(10)")
    gold.publish(gold.table("t", key=("id",)))
    gold.sql(
        "create or replace table gold.t as select range::integer as id, 1.5 as v, "
        "range * 2 as more from range(12)"
    )
    assert gold.publish(gold.table("t", key=("id",)))["t"].way == "whole"
    assert gold.there("select id, v, more from gold.t order by id") == gold.here(
        "select id, v, more from gold.t order by id"
    )
    gold.sql("alter table gold.t drop column v")
    gold.publish(gold.table("t", key=("id",)))
    there = "select attname from pg_attribute where attrelid = 'gold.t'::regclass "
    there += "and attnum > 0 and not attisdropped"
    assert {name for (name,) in gold.there(there)} == {"id", "more"}
    keys = "select count(*) from pg_index where indrelid = 'gold.t'::regclass"
    assert gold.there(keys + " and indisprimary") == [(1,)]


def test_tables_that_gold_has_no_more_are_dropped_unless_somebody_s_view_reads_them(
    gold: Gold,
) -> None:
    gold.sql(
        "create table gold.a as select 1 as x", "create table gold.b as select 2 y"
    )
    gold.publish(gold.table("a"), gold.table("b"))
    with psycopg.connect(gold.dsn) as connection:
        connection.execute("create view public.mine as select * from gold.a")
    sent = gold.publish(gold.table("b"))
    assert sent["a"].way.startswith("left")
    with psycopg.connect(gold.dsn) as connection:
        connection.execute("drop view public.mine")
    assert gold.publish(gold.table("b"))["a"].way == "removed"
    assert gold.there("select to_regclass('gold.a')") == [(None,)]


def test_a_table_that_is_somebody_else_s_is_left_alone(gold: Gold) -> None:
    with psycopg.connect(gold.dsn) as connection:
        connection.execute("create schema gold")
        connection.execute("create table gold.t (mine text)")
        connection.execute("insert into gold.t values ('precious')")
    gold.sql("create table gold.t as select 1 as x")
    with pytest.raises(ConfigError, match="not published by us"):
        gold.publish(gold.table("t"))
    assert gold.there("select mine from gold.t") == [("precious",)]


def test_rows_that_somebody_changed_there_are_mended(gold: Gold) -> None:
    gold.sql("create table gold.t as select range as id, 'v' as v from range(100)")
    gold.publish(gold.table("t", key=("id",)))
    with psycopg.connect(gold.dsn) as connection:
        connection.execute("delete from gold.t where id = 5")
    gold.sql("update gold.t set v = 'w' where id = 5")
    assert gold.publish(gold.table("t", key=("id",)))["t"].way == "whole"
    assert gold.there("select count(*) from gold.t") == [(100,)]


def test_what_is_known_of_before_is_a_cache(gold: Gold) -> None:
    """Without it, or with another one's, the whole is sent; never something else."""
    gold.sql("create table gold.t as select range as id, 'v' as v from range(100)")
    gold.publish(gold.table("t", key=("id",)))
    for file in gold.desk.kept.glob("*.parquet"):
        file.unlink()
    gold.sql("update gold.t set v = 'w' where id = 5")
    assert gold.publish(gold.table("t", key=("id",)))["t"].way == "whole"
    assert len(list(gold.desk.kept.glob("*.parquet"))) == 1


def test_two_never_publish_at_a_time_and_what_is_away_is_told(
    gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "LOCK_SECONDS_MAX", 0.2)
    gold.sql("create table gold.t as select 1 as x")
    other = publishing(Target(gold.dsn), SystemClock(), threading.Event())
    with other, pytest.raises(UnreachableError, match="somebody else"):
        gold.publish(gold.table("t"))
    assert gold.publish(gold.table("t"))["t"].way == "whole", "it is free at once"
    password = gold.dsn.split(":")[2].split("@")[0]
    gold.dsn = replace_port(gold.dsn)
    with pytest.raises(UnreachableError, match="refused") as error:
        gold.publish(gold.table("t"))
    assert password not in str(error.value)


def replace_port(dsn: str) -> str:
    head, _, tail = dsn.rpartition(":")
    return f"{head}:1/{tail.partition('/')[2]}"


def test_a_reader_of_old_columns_is_waited_for_and_never_stopped(gold: Gold) -> None:
    gold.sql("create table gold.t as select 1 as x")
    gold.publish(gold.table("t"))
    gold.sql("alter table gold.t add column y integer")
    with psycopg.connect(gold.dsn) as reader:
        assert reader.execute("select * from gold.t").fetchall() == [(1,)]
        publishing_now = threading.Thread(target=lambda: gold.publish(gold.table("t")))
        publishing_now.start()
        publishing_now.join(1.5)
        assert publishing_now.is_alive(), "it waits"
        assert reader.execute("select * from gold.t").fetchall() == [(1,)]
        reader.commit()
        publishing_now.join(20)
        assert not publishing_now.is_alive()
    assert gold.there("select x, y from gold.t") == [(1, None)]


ROWS = st.dictionaries(
    st.integers(0, 12),
    st.tuples(st.text("a\\\t\n'\"\0é", max_size=4), st.integers(0, 3) | st.none()),
    max_size=12,
)


@settings(
    max_examples=3,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(states=st.lists(ROWS, min_size=2, max_size=4), data=st.data())
def test_whatever_follows_whatever_the_target_is_what_gold_is(
    gold: Gold, states: list[dict[int, tuple[str, int | None]]], data: st.DataObject
) -> None:
    gold.sql("create or replace table gold.h (id integer, t varchar, n integer)")
    for rows in states:
        gold.sql("delete from gold.h")
        with gold.warehouse.session() as session:
            for key, (text, number) in rows.items():
                session.execute(
                    "insert into gold.h values ($1, $2, $3)", [key, text, number]
                )
        if data.draw(st.booleans()):
            for file in gold.desk.kept.glob("*.parquet"):
                file.unlink()
        gold.publish(gold.table("h", key=("id",)))
        wanted = [
            (key, text.replace("\0", ""), number)
            for key, (text, number) in sorted(rows.items())
        ]
        assert gold.there("select id, t, n from gold.h order by id") == wanted
