"""What the SQL page lets through, and what it refuses: judged on the engine's tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.question import (
    TABLE_FUNCTIONS,
    Known,
    QuestionError,
    allowed_functions,
    of_engine,
    require_question,
)

KNOWN = Known(frozenset({("gold", "orders"), ("gold", "odd name"), ("main", "plain")}))
PLAIN = Known(KNOWN.tables, "main")
REFUSED_FUNCTIONS = Path(__file__).with_name("refused_functions.txt")

ANSWERED = [
    "select 1",
    "select * from gold.orders",
    "SELECT * FROM Gold.Orders;",
    "from gold.orders",
    "from gold.orders select amount where region = 'r1' limit 3",
    'select * from "gold"."odd name"',
    "select region, sum(amount) filter (amount > 1) from gold.orders group by all",
    "select * from gold.orders as o join gold.orders as p using (region)",
    "with t as (select * from gold.orders) select count(*) from t",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 9) "
    "select * from t",
    "with a as (select 1 as x), b as (select * from a) select * from b",
    "select (with t as (select 1 as x) select x from t)",
    "select * from range(3)",
    "select * from generate_series(1, 3) as g(n)",
    "select unnest([1, 2, 3])",
    "select x from (values (1), (2)) as v(x)",
    "select row_number() over (partition by region order by amount) from gold.orders",
    "select * from gold.orders qualify row_number() over (order by amount) = 1",
    "select * exclude (region) from gold.orders",
    "select columns('a.*') from gold.orders",
    "select [x + 1 for x in [1, 2]]",
    "select list_transform([1, 2], lambda x: x + 1)",
    "select case when amount > 1 then 'a' else 'b' end from gold.orders",
    "select amount::varchar || '!' from gold.orders",
    "select region like 'r%', region ~ 'x' from gold.orders",
    "select date_trunc('month', current_date), extract(year from now())",
    "select * from gold.orders union all select * from gold.orders order by 1 limit 5",
    "select amount from gold.orders where region in (select region from gold.orders)",
    "select {'a': 1}.a, [1, 2][1], map {'k': 1}['k']",
    "select median(amount), quantile_cont(amount, 0.9) from gold.orders",
    "select '-- no comment; drop table x', $$a;b$$",
    "select 1 -- drop table gold.orders",
    "/* a */ select 1",
    "pivot gold.orders on region in ('a', 'b') using sum(amount)",
    "unpivot (select 1 as a, 2 as b) on a, b",
]
REFUSED = [
    "",
    ";",
    "select 1; select 2",
    "select 1; drop table gold.orders",
    "drop table gold.orders",
    "create table x as select 1",
    "insert into gold.orders select * from gold.orders",
    "update gold.orders set amount = 1",
    "delete from gold.orders",
    "merge into gold.orders using gold.orders as o on true when matched then delete",
    "copy (select 1) to '/tmp/x.csv'",
    "copy gold.orders to '/tmp/x.csv'",
    "copy gold.orders from '/etc/passwd'",
    "attach '/tmp/x.db'",
    "detach main",
    "use gold",
    "install httpfs",
    "load httpfs",
    "set memory_limit = '100GB'",
    "reset all",
    "pragma database_list",
    "pragma enable_profiling",
    "call pragma_version()",
    "begin",
    "commit; create table gold.x (i int)",
    "rollback",
    "checkpoint",
    "vacuum",
    "export database '/tmp/x'",
    "explain analyze select 1",
    "explain select 1",
    "prepare p as select 1",
    "execute p",
    "show tables",
    "show all tables",
    "describe gold.orders",
    "summarize gold.orders",
    "select * from (describe gold.orders)",
    "select * from (show all tables)",
    "create macro f() as 1",
    "create secret (type s3)",
    "comment on table gold.orders is 'x'",
    # files
    "select * from '/etc/passwd'",
    'select * from "/etc/passwd"',
    "select * from 'landing/orders.csv'",
    "from 'https://evil.example/x.parquet'",
    "select * from read_csv('/etc/passwd')",
    "select * from read_csv_auto('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_ndjson_objects('/etc/passwd')",
    "select * from read_parquet('x.parquet')",
    "select * from parquet_scan('x.parquet')",
    "select * from parquet_metadata('x.parquet')",
    "select * from parquet_schema('x.parquet')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from glob('/**')",
    "select * from READ_TEXT('/etc/passwd')",
    "select * from \"read_text\"('/etc/passwd')",
    "select * from main.read_text('/etc/passwd')",
    "select * from system.main.read_text('/etc/passwd')",
    "select (select content from read_text('/etc/passwd'))",
    "select 1 where exists (from read_text('/etc/passwd'))",
    "select 1 from gold.orders, lateral read_text('/etc/passwd')",
    "with t as (from read_text('/etc/passwd')) select * from t",
    "select * from gold.orders order by (select content from read_text('/etc/passwd'))",
    "select * from gold.orders limit (select count(*) from glob('/*'))",
    "select 1 union all select content from read_text('/etc/passwd')",
    "values ((select content from read_text('/etc/passwd')))",
    "select sum((select 1 from read_text('/x'))) over () from gold.orders",
    "select list_transform([1], lambda x: (select content from read_text('/x')))",
    "pivot (from read_text('/x')) on content in ('a') using count(*)",
    # the catalog, settings, secrets
    "select * from duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from duckdb_tables()",
    "select * from duckdb_databases()",
    "select * from duckdb_tables",
    "select * from pragma_database_list",
    "select * from pragma_database_list()",
    "select * from pragma_table_info('gold.orders')",
    "select * from information_schema.tables",
    "select * from pg_catalog.pg_tables",
    "select * from pg_tables",
    "select * from sqlite_master",
    "select * from duckdb_logs",
    "select * from which_secret('s3://x', 's3')",
    "select current_setting('temp_directory')",
    "select getenv('HOME')",
    "select 'temp_directory'.current_setting()",
    "select list_transform(['x'], lambda x: current_setting(x))",
    "select [current_setting(x) for x in ['temp_directory']]",
    "select * from gold.orders where current_setting('threads') = 1",
    "select sum(amount) over (order by current_setting('threads')) from gold.orders",
    "select * from range((select current_setting('threads'))::bigint)",
    "select * from unnest((select list(file) from glob('/*')))",
    "select any_value(current_setting('x')) from gold.orders group by all",
    "select columns(c -> getvariable(c) is null) from gold.orders",
    "select * replace (current_setting('threads') as amount) from gold.orders",
    "select * from gold.orders using sample (select 10 from glob('/*'))",
    "select case when true then current_setting('threads') end",
    "select struct_pack(a := current_setting('threads'))",
    "select getvariable('x')",
    "select current_database()",
    "select current_schemas(true)",
    "select version()",
    "select nextval('s')",
    "select write_log('x')",
    "select json_serialize_sql('select 1')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select sleep_ms(100000)",
    "select error('x')",
    # ways around
    "select * from query('select 1')",
    "select * from query_table('gold.orders')",
    "select * from query_table(['gold.orders'])",
    "select * from silver.orders",
    "select * from orders",
    "select * from other.gold.orders",
    "select * from gold.orders at (version => 1)",
    "with duckdb_settings as (select 1) select * from duckdb_settings",
    "with duckdb_settings as (from duckdb_settings) select * from duckdb_settings",
    "with t as (from t) select * from t",
    "with a as (from b), b as (select 1) select * from a",
    "select * from (with plain_cte as (select 1) select 1), plain_cte",
    'with "/etc/passwd" as (select 1) select * from (select 1), "/etc/passwd"',
    'with "x.csv" as (select 1) select * from "x.csv"',
    "select * from test_all_types()",
    "select * from repeat_row(1, num_rows = 3)",
    "select * from seq_scan('gold.orders')",
    "select * from checkpoint()",
    "select * from force_checkpoint()",
    "select * from enable_logging()",
    "select * from duckdb_approx_database_count()",
    "from summary((from gold.orders))",
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("question")
    path = folder / "w.duckdb"
    warehouse = open_warehouse(path, folders=[folder], limits=Limits(1, 1 << 28))
    with warehouse.session() as session:
        session.execute("create schema gold")
        columns = "(region varchar, amount decimal(10, 2))"
        session.execute(f"create table gold.orders {columns}")
        session.execute(f'create table gold."odd name" {columns}')
        session.execute(f"create table plain {columns}")
        yield session
    warehouse.close()


def judge(session: Session, sql: str, known: Known = KNOWN) -> None:
    tree = session.value("select json_serialize_sql($1)", [sql])
    require_question(tree, sql, known)


@pytest.mark.parametrize("sql", ANSWERED)
def test_what_only_reads_is_answered(session: Session, sql: str) -> None:
    judge(session, sql)
    session.rows(sql)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_known_to_be_harmless_is_refused(
    session: Session, sql: str
) -> None:
    with pytest.raises(QuestionError):
        judge(session, sql)


def test_names_without_a_schema_are_those_of_the_default(session: Session) -> None:
    judge(session, "select * from plain", PLAIN)
    with pytest.raises(QuestionError):
        judge(session, "select * from plain")


def test_each_function_of_the_engine_was_looked_at(session: Session) -> None:
    """A function that a new version brings is let through by nobody by accident."""
    there = {
        name.lower()
        for (name,) in session.rows(
            "select distinct function_name from duckdb_functions() "
            "where function_type in ('scalar', 'aggregate', 'macro') and internal"
        )
    }
    refused = set(REFUSED_FUNCTIONS.read_text().split())
    allowed = allowed_functions()
    assert not refused & allowed
    assert not there - allowed - refused, "neither allowed nor refused"
    assert not refused - there, "refused, and there is none"
    tables = {
        name
        for (name,) in session.rows(
            "select distinct function_name from duckdb_functions() "
            "where function_type in ('table', 'table_macro') and internal"
        )
    }
    assert tables >= TABLE_FUNCTIONS


def test_what_is_wrong_is_said_with_its_place_and_what_was_meant(
    session: Session,
) -> None:
    def told(sql: str) -> QuestionError:
        with pytest.raises(QuestionError) as error:
            judge(session, sql)
        return error.value

    near = told("select *\nfrom gold.ordes")
    assert near.remedy == "Did you mean gold.orders?"
    assert near.position == len("select *\nfrom ")
    assert told("select * from orders").remedy == "Did you mean gold.orders?"
    assert "lower" in told("select lowr('x')").remedy
    assert told("select 'ä', nothing_like('x')").position == len("select 'ä', ")
    typed = told("selec * from gold.orders")
    assert "syntax error" in typed.problem.lower()
    assert typed.position == 0


def test_the_engine_s_own_words_give_the_place(session: Session) -> None:
    long = "select " + "1 + " * 80 + "amont from gold.orders"
    for sql in ("select\n  amont\nfrom gold.orders", long):
        judge(session, sql)
        with pytest.raises(Exception, match="amont") as error:
            session.rows(sql)
        told = of_engine(str(error.value), sql)
        assert told.position == sql.index("amont"), told
        assert "LINE" not in told.problem
        assert told.remedy.startswith("Did you mean amount?")
        assert told.problem.startswith("Referenced column")


NAMES = st.sampled_from(["t", "u", "duckdb_settings", "gold", "orders", "pg_tables"])


@settings(max_examples=60)
@given(outer=NAMES, inner=NAMES, asked=st.lists(NAMES, min_size=1, max_size=3))
def test_whatever_names_with_has_only_what_may_be_read_is_read(
    session: Session, outer: str, inner: str, asked: list[str]
) -> None:
    """The engine's own binder says which tables a query reads: none but those."""
    tables = ", ".join(f"{name} as a{place}" for place, name in enumerate(asked))
    sql = (
        f"with {outer} as (select 1 as x) select * from "
        f"(with {inner} as (select 2 as y) select * from {inner}), {tables}"
    )
    try:
        judge(session, sql)
    except QuestionError:
        return
    connection = session._connection  # type: ignore[attr-defined]
    read = connection.get_table_names(sql, qualified=True)
    assert {name.lower() for name in read} <= {"gold.orders"}
