"""SQL of tasks and alerts: what both engines take alike is sent, the rest refused."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlglot
import yaml

import snowmelt.project
from shipped import SETTINGS, TARGET, make_project
from snowflake_gate import problems
from snowmelt.deploy.opening import NoSession, names_of, open_deployment
from snowmelt.deploy.portable.statements import read_statements
from snowmelt.deploy.snowflake.code import Alert
from snowmelt.deploy.snowflake.table import Table, View
from snowmelt.deploy.snowflake.task import Task
from snowmelt.deploy.snowflake.task_sql import OF_TABLES, OF_VIEWS
from snowmelt.errors import ConfigError
from snowmelt.project.project import Project

TEMPLATES = Path(snowmelt.project.__file__).parent / "templates"
TARGETS = yaml.safe_dump({"targets": {"prod": TARGET}})


def told_of(sql: str) -> dict[str, str]:
    return {each.found.lower(): each.why for each in read_statements(sql).findings}


def refused(project: Project) -> str:
    with pytest.raises(ConfigError) as told:
        open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    return str(told.value)


@pytest.mark.parametrize(
    ("sql", "found", "told"),
    [
        ("select now()", "now", "current_timestamp"),
        ("select age(a, b) from t", "age", "datediff('day', a, b)"),
        ("select regexp_matches(a, 'x') from t", "regexp_matches", "like"),
        ("select a / b from t", "/", "nullif(…, 0)"),
        ("select a % b from t", "%", "nullif(…, 0)"),
        ("select a / 0 from t", "/", "nullif(…, 0)"),
        ("select a // 2 from t", "//", "trunc("),
        ("select try_cast(1 as date)", "try_cast", "a::varchar"),
        ("select getvariable('task_config')", "getvariable", "session"),
        ("select frobnicate(1)", "frobnicate", "not known"),
        ("select concat_ws('-', a, b) from t", "concat_ws", "no macro is called"),
        ("select a from t order by a desc limit 1", "desc", "desc nulls last"),
        ("select count(*) filter (a > 1) from t", "filter", "case when"),
        ("copy t to 'x.csv'", "copy", "no statement"),
        ("create macro m(a) as a + 1", "create", "no statement"),
        ("drop macro m", "drop", "no statement"),
        ("select a from t using sample 3", "sample", "otherwise there"),
        ("delete from gold.t returning a", "returning", "not known"),
        ("insert or ignore into gold.t values (1)", "alternative", "MERGE"),
        ("insert into gold.t values (1) on conflict do nothing", "conflict", "MERGE"),
    ],
)
def test_what_is_not_the_same_on_both_is_found(sql: str, found: str, told: str) -> None:
    duckdb.extract_statements(sql)  # it is SQL here
    assert told in told_of(f"select 1;\n{sql}")[found]
    assert {e.line for e in read_statements(f"select 1;\n{sql}").findings} == {2}


@pytest.mark.parametrize(
    "sql",
    [
        "select sum(a) / nullif(count(b), 0), a / 100.0, a % 7 from t",
        "select try_cast(a as timestamptz), cast(b as varchar) from t",
        "with x (a, b) as (select 1, 2) select a from x order by a desc nulls last",
        "insert into gold.t (a, b) select 1, 2",
        "delete from gold.t as x where x.a in (1, 2); update gold.t set a = 1",
        "create or replace table gold.u as select rank() over (order by a) from t",
        "select max(_loaded_at) from bronze.t where _loaded_at > current_timestamp "
        "- interval '1 hour'",
        "select * exclude (a) from t; create temp table x as select 1",
        "select percentile_cont(0.5) within group (order by a::double) from t",
        "select now() -- snowmelt: not portable",
        "",
        "-- nothing",
    ],
)
def test_what_is_the_same_on_both_is_let_through(sql: str) -> None:
    assert not told_of(sql)


def test_statements_are_what_was_written_without_comments() -> None:
    found = read_statements(
        "-- first\nselect 'a;-- b' as \"X\" /* c */ ;\n\n"
        "select 1 -- one\n  + 2;\n-- the end"
    )
    assert found.texts == ("select 'a;-- b' as \"X\"", "select 1\n+ 2")
    assert found.asks


def test_a_plan_names_file_and_line_of_each(tmp_path: Path) -> None:
    sql = (
        "-- a comment\n"
        "select now(),\n"
        "  (select count(*) from snowmelt.load_history),\n"
        "  (select count(*) from bronze.nosuch)\n"
        "from main.t, other.bronze.orders, bronze.orders, bronze.orders__all,\n"
        "  snowmelt.pipeline_log, silver.anything\n"
    )
    told = refused(make_project(tmp_path, **{"count.sql": sql}))
    for part in (
        "count.sql:2: now: now is not known there: current_timestamp",
        "count.sql:3: snowmelt.load_history: it is not there",
        "select max(_loaded_at) from bronze.",
        "count.sql:4: bronze.nosuch: no pipe makes it there",
        "count.sql:5: main.t: it is this engine's own",
        "count.sql:5: other.bronze.orders: the database has another name there",
    ):
        assert part in told
    assert told.count("count.sql:") == 5


def test_columns_of_loads_are_those_that_bronze_has_there(tmp_path: Path) -> None:
    project = make_project(tmp_path, **{"count.sql": "select 1"})
    made = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    table = next(e for e in made.desired if e.address.name == "SHOP.BRONZE.ORDERS__ALL")
    view = next(e for e in made.desired if e.address.name == "SHOP.BRONZE.ORDERS")
    assert isinstance(table, Table)
    assert isinstance(view, View)
    there = {e.name.lower() for e in table.columns if e.name.startswith("_")}
    shown = re.findall(
        r"(?m)^  .*?\b(?<!\w)(_\w+),?$", view.query.partition("\nFROM")[0]
    )
    assert {each.lower() for each in shown} == OF_VIEWS
    assert there == OF_TABLES
    sql = (
        "select max(_load_seq), max(_loaded_at) from bronze.orders;\n"
        "select _content_key, (select max(_loaded_at) from silver.x where _any = 1)\n"
        "from bronze.orders__all where order_id = 1;\n"
        "select max(_load_seq) from bronze.orders__all;\n"
        "select _rescued\nfrom bronze.orders"
    )
    told = refused(make_project(tmp_path, **{"count.sql": sql}))
    assert "count.sql:4: bronze.orders__all: it has no _load_seq there, but" in told
    assert "count.sql:6: bronze.orders: it has no _rescued there, but" in told
    assert told.count("count.sql:") == 2


def test_tasks_of_a_service_are_nobodys_there(tmp_path: Path) -> None:
    target = yaml.safe_dump({"targets": {"prod": {**TARGET, "runner": "service"}}})
    files = {"snowmelt.yml": SETTINGS + target, "count.sql": "select now()"}
    project = make_project(tmp_path, **files)
    assert open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]


RULE = """version: 1
name: shop
alerts:
  sinks:
    ops: {email: {host: mail, from: a@example.com, to: [ops@example.com]}}
    hook: {webhook: {url: "https://x.example"}}
  rules:
    stale:
      to: [%s]
      sql: |
        select 1 as cause
        from %s
"""


def test_a_rules_query_is_refused_as_a_task_is(tmp_path: Path) -> None:
    text = RULE % ("ops", "snowmelt.rejects where now() is null") + TARGETS
    told = refused(make_project(tmp_path, **{"snowmelt.yml": text}))
    where = "snowmelt.yml:10: alerts.rules.stale.sql: line 2 of it: "
    assert f"{where}now: now is not known there" in told
    assert f"{where}snowmelt.rejects: it is not there" in told


def test_a_rule_that_no_mail_tells_is_remarked_and_not_made(tmp_path: Path) -> None:
    text = RULE % ("hook", "snowmelt.rejects") + TARGETS
    project = make_project(tmp_path, **{"snowmelt.yml": text})
    made = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    assert not [e for e in made.desired if isinstance(e, Alert)]
    assert "nobody looks there" in " ".join(each.told for each in made.remarks)


DBT = """name: shop
models:
  shop:
    +schema: silver
    marts: {+schema: gold}
"""


def test_a_rules_models_are_named_as_dbt_will(tmp_path: Path) -> None:
    query = (
        "{{ ref('eu_sales') }} join {{ ref( \"raw\" ) }} using (a) "
        "join {{ ref('own') }} using (a)"
    )
    files = {
        "snowmelt.yml": RULE % ("ops", query) + TARGETS,
        "dbt_project.yml": DBT,
        "models/marts/eu/eu_sales.sql": "select 1 as a",
        "models/raw.sql": "select 1 as a",
        "models/marts/own.sql": "{{ config(schema='other') }} select 1 as a",
    }
    project = make_project(tmp_path, **files)
    made = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    [alert] = [e for e in made.desired if isinstance(e, Alert)]
    assert (
        "from gold.eu_sales join silver.raw using (a) join other.own using (a)"
        in alert.condition
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{{ ref('gone') }}", "there is no model gone"),
        ("{{ ref('lost') }}", "where the model lost will be is not told"),
        ("gold.t where {{ var('x') }}", "{{ var('x') }} is not put in there"),
        ("gold.t; select 2", "it is not one query"),
        ("gold.t where (", "line 2 of it: it cannot be read as SQL"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_refused(
    tmp_path: Path, query: str, told: str
) -> None:
    files = {
        "snowmelt.yml": RULE % ("ops", query) + TARGETS,
        "models/lost.sql": "select 1 as a",
    }
    found = refused(make_project(tmp_path, **files))
    assert found.startswith("snowmelt.yml:10: alerts.rules.stale.sql: ")
    assert told in found


@pytest.mark.parametrize("never", [None, datetime(1970, 1, 1, tzinfo=UTC)])
def test_each_failure_is_told_once_and_none_is_lost(
    tmp_path: Path, never: datetime | None
) -> None:
    """Whatever the times of loads, of evaluations, and of those that failed."""
    project = make_project(tmp_path)
    made = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    [alert] = [e for e in made.desired if isinstance(e, Alert) and "FAILED" in e.name]
    asked = re.findall(r"STATUS = 'Load failed' AND (.*)", alert.condition)
    assert len(asked) == 2  # of each table
    assert len(set(asked)) == 1
    begin = datetime(2026, 11, 28, 12, tzinfo=UTC)
    chance = random.Random(7)
    loads = [begin + timedelta(seconds=chance.randrange(40_000)) for _ in range(200)]
    loads += [begin + timedelta(minutes=15 * number) for number in range(20)]
    known = {"CURRENT_TIMESTAMP()": "cast('2026-11-28 12:00:00+00' as timestamptz)"}
    told: list[datetime] = []
    last = never
    with duckdb.connect() as engine:
        engine.execute("create table t (last_load_time timestamptz)")
        engine.executemany("insert into t values (?)", [[each] for each in loads])
        for number in range(60):
            now = begin + timedelta(minutes=15 * number)
            shown = {"SCHEDULED_TIME": now, "LAST_SUCCESSFUL_SCHEDULED_TIME": last}
            where = asked[0]
            for name, at in shown.items():
                moment = f"'{at.isoformat()}'" if at else "null"
                value = f"cast({moment} as timestamptz)"
                where = where.replace(f"SNOWFLAKE.ALERT.{name}()", value)
            for name, value in known.items():
                where = where.replace(name, value)
            [here] = sqlglot.transpile(
                f"select last_load_time from t where {where}", "snowflake", "duckdb"
            )
            found = [each for (each,) in engine.sql(here).fetchall()]
            if chance.random() < 0.8:  # else the evaluation failed: nobody was told
                told += found
                last = now
    assert sorted(told) == sorted(loads)


def test_what_is_let_through_is_sent_letter_by_letter(tmp_path: Path) -> None:
    sql = "select try_cast(note as date) as day from gold.sales -- as it is"
    text = RULE % ("ops", "gold.sales where total / nullif(pieces, 0) > 1")
    tasks = "tasks:\n  count: {every: 1h, sql: count.sql}\n"
    files = {"count.sql": sql, "snowmelt.yml": text + tasks + TARGETS}
    project = make_project(tmp_path, **files)
    made = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    code = next(
        e.code for e in made.desired if isinstance(e, Task) and "COUNT" in e.name
    )
    assert "FROM (select try_cast(note as date) as day from gold.sales)" in code
    [alert] = [e for e in made.desired if isinstance(e, Alert)]
    assert "total / nullif(pieces, 0) > 1" in alert.condition
    assert not problems(f"SELECT 1 WHERE EXISTS ({alert.condition})")


ROWS = """
create schema bronze; create schema silver; create schema gold;
create table bronze.users as select * from (values
    (strftime(now() - interval 2 hour, '%Y-%m-%dT%H:%M:%SZ'), now(), 2),
    (strftime(now(), '%Y-%m-%dT%H:%M:%SZ'), now(), 2),
    ('1714557600', now(), 2), ('soon', now(), 2), (null, now(), 2),
    ('2020-01-01T00:00:00Z', now() - interval 2 hour, 1)
) as t (event_at, _loaded_at, _load_seq);
create table bronze.transactions__all as select * from (values
    ('a', 1.5, now()), (null, 2, now()), ('c', null, now()),
    ('d', 4, now() - interval 3 hour), ('e', 4, now() - interval 3 hour)
) as t (transaction_id, total_amount, _loaded_at);
create table bronze.customers__all as select now() as _loaded_at from range(3);
create table bronze.products__all as select now() - interval 2 hour as _loaded_at;
create table silver.sales_clean as select 1 as a from range(10);
create table silver.orphan_sales as
    select unnest(['product', 'customer', 'customer and product']) as lacks;
create table gold.sales_by_country as
    select 3 as number_of_sales, 1.50::decimal(18, 2) as total_sales;
"""


ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "realtime/tasks/arrived.sql": [(5,)],
    "realtime/tasks/late.sql": [(1,)],
    "retail/tasks/check.sql": [(3, 2)],
    "retail/tasks/report.sql": [("customers 3, products 0, transactions 3",)],
    "storefront/tasks/gate.sql": [(2, 1)],
    "storefront/tasks/report.sql": [("3 sales, 1.50",)],
}


@pytest.mark.parametrize("file", ANSWERS)
def test_tasks_of_templates_answer_alike_as_either_engine_reads_them(
    file: str,
) -> None:
    """As Snowflake reads it is what sqlglot makes of its words."""
    [text] = read_statements((TEMPLATES / file).read_text()).texts
    answer = ANSWERS[file]
    [there] = sqlglot.transpile(text, read="snowflake", write="duckdb")
    with duckdb.connect() as engine:
        engine.execute(f"set timezone = 'UTC'; {ROWS}")
        assert engine.sql(text).fetchall() == answer
        assert engine.sql(there).fetchall() == answer
        engine.execute("delete from silver.orphan_sales where lacks <> 'product'")
        engine.execute("update bronze.transactions__all set total_amount = 1")
        if "gate" in file or "check" in file:  # a gate is passed by no row
            assert engine.sql(text).fetchall() == []


def test_every_task_of_a_template_is_among_them() -> None:
    found = {str(e.relative_to(TEMPLATES)) for e in TEMPLATES.glob("*/tasks/*.sql")}
    assert ANSWERS.keys() == found
