"""Harvesting an account's history: from its rows to the tables here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipped import StillClock, deployed_into, make_project
from snowflake_account import Account
from snowflake_gate import problems
from snowflake_history import EPOCH, RememberingAccount
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.diagnosis.diagnose import diagnose
from snowmelt.deploy.harvest.harvest import harvest
from snowmelt.deploy.harvest.harvested import Harvested
from snowmelt.deploy.harvest.scope import Scope, scope_of
from snowmelt.deploy.harvest.tables import ensure_account_tables
from snowmelt.deploy.harvest.window import COPIES, Mark, Source, Window, next_ask
from snowmelt.deploy.opening import names_of
from snowmelt.project.project import Project
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import DuckDBWarehouse, Limits, open_warehouse

ORDERS, ORDERS_PIPE = "SHOP.BRONZE.ORDERS__ALL", "SHOP.BRONZE.ORDERS_PIPE"
EVENTS, EVENTS_PIPE = "SHOP.BRONZE.EVENTS__ALL", "SHOP.BRONZE.EVENTS_PIPE"
COMMENT = '/* {"app": "dbt", "dbt_version": "1.11.0", "node_id": "model.shop.sales"} */'


class Deployed(dict[str, Any]):
    """The state of an account; it says little of itself, as it is much."""

    def __repr__(self) -> str:
        return "an account"


class Harvest:
    """An account, a file of a target, and one person who reads the one into it."""

    def __init__(self, project: Project, account: RememberingAccount, path: Path):
        self.account = account
        self.scope: Scope = scope_of(project, names_of(project, "prod"))
        self.warehouse: DuckDBWarehouse = open_warehouse(
            path, folders=[], limits=Limits(1, 256 << 20)
        )
        ensure_system_tables(self.warehouse)
        self.clock = StillClock(account)

    def __call__(self, quiet_for: timedelta = timedelta(0)) -> Harvested:
        known = (self.account, self.warehouse, self.scope, self.clock)
        return harvest(*known, quiet_for=quiet_for)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.session() as session:
            return session.rows(query)

    def empty(self) -> None:
        """Forget all that was read."""
        with self.warehouse.session() as session:
            ensure_account_tables(session)
            session.execute("delete from account.meta")
            for schema, table in session.rows(
                "select schema_name, table_name from duckdb_tables() "
                "where schema_name in ('snowmelt', 'account') and table_name <> 'meta'"
            ):
                session.execute(f"delete from {schema}.{table}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def deployed(project: Project) -> dict[str, Any]:
    account = RememberingAccount()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    return Deployed(account.__dict__)


@pytest.fixture(scope="module")
def one(
    project: Project, deployed: dict[str, Any], tmp_path_factory: Any
) -> Iterator[Harvest]:
    account = RememberingAccount()
    path = tmp_path_factory.mktemp("target") / "warehouse.duckdb"
    there = Harvest(project, account, path)
    yield there
    there.warehouse.close()


@pytest.fixture
def there(one: Harvest, deployed: dict[str, Any]) -> Harvest:
    """A deployed account without a past, and an empty file."""
    fresh(one, deployed)
    return one


def fresh(one: Harvest, deployed: dict[str, Any]) -> None:
    past = RememberingAccount().__dict__
    shared = {key: deployed[key] for key in Account().__dict__ if key != "before"}
    one.account.__dict__.update(past | shared | {"statements": [], "stop_after": None})
    one.empty()


def test_a_copy_becomes_a_load_with_the_names_that_it_has_here(there: Harvest) -> None:
    there.account.remember_copy(ORDERS, ORDERS_PIPE, "orders/1.csv")
    there.account.remember_copy(
        *(EVENTS, None, "raw/events-1.json"),
        row_count=9,
        stage_location="s3://shop-landing/",
    )
    assert there().loads == 2
    assert there.rows(
        "select file_name, pipe_name, table_schema_name, table_name, status, "
        "row_count, error_limit, load_seq from snowmelt.load_history order by all"
    ) == [
        ("events-1.json", "events", "bronze", "events", "Loaded", 9, "continue", 1),
        ("orders/1.csv", "orders", "bronze", "orders", "Loaded", 3, "skip_file_10%", 2),
    ]


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("s3://shop-landing/raw/", "orders/1.csv"),
        ("s3://shop-landing/", "raw/orders/1.csv"),
        ("s3://shop-landing/raw/", "raw/orders/1.csv"),
        ("s3://shop-landing/raw/orders/", "1.csv"),
        (None, "raw/orders/1.csv"),
        (None, "s3://shop-landing/raw/orders/1.csv"),
        ("@SHOP.BRONZE.LANDING/", "/raw/orders/1.csv"),
    ],
)
def test_a_file_is_named_below_the_stage_however_it_is_told(
    there: Harvest, location: str | None, told: str
) -> None:
    assert there.scope.file_name(location, told, r"orders/[^/]*\.csv") == "orders/1.csv"


def test_a_load_in_progress_keeps_its_place_when_it_has_ended(there: Harvest) -> None:
    account = there.account
    row = account.remember_copy(ORDERS, ORDERS_PIPE, "orders/1.csv")
    ended_at, row["LAST_LOAD_TIME"] = row["LAST_LOAD_TIME"], None
    row |= {"STATUS": "Load in progress", "ROW_PARSED": None, "ROW_COUNT": 0}
    there()
    account.now += timedelta(days=2)
    account.remember_copy(ORDERS, ORDERS_PIPE, "orders/2.csv")
    there()
    account.now += timedelta(days=2)
    row |= {"STATUS": "Loaded", "ROW_PARSED": 3, "ROW_COUNT": 3}
    row["LAST_LOAD_TIME"] = ended_at + timedelta(hours=1)
    there()
    assert there.rows(
        "select load_seq, file_name, status, row_parsed from snowmelt.load_history "
        "order by load_seq"
    ) == [(1, "orders/1.csv", "Loaded", 3), (2, "orders/2.csv", "Loaded", 3)]


def test_the_newest_version_of_a_name_counts_unless_all_do(there: Harvest) -> None:
    account = there.account
    for table, pipe, name in (
        (ORDERS, ORDERS_PIPE, "orders/1.csv"),
        (EVENTS, EVENTS_PIPE, "events-1.json"),
    ):
        for days in (0, 1):
            at = account.now - timedelta(days=days)
            account.remember_copy(table, pipe, name, at=at)
    there()
    assert there.rows(
        "select pipe_name, superseded_by is null from snowmelt.load_history "
        "order by all"
    ) == [("events", True), ("events", True), ("orders", False), ("orders", True)]


def test_refused_records_come_with_their_raw_text(there: Harvest) -> None:
    account = there.account
    account.remember_copy(
        ORDERS,
        ORDERS_PIPE,
        "orders/1.csv",
        status="Partially loaded",
        row_count=2,
        error_count=1,
        first_error_message="Numeric value 'x' is not recognized",
        first_error_line_number=3,
    )
    error = {
        "ERROR": "Numeric value 'x' is not recognized",
        "FILE": "raw/orders/1.csv",
        "LINE": 3,
        "BYTE_OFFSET": 40,
        "CATEGORY": "conversion",
        "COLUMN_NAME": "ORDERS__ALL[AMOUNT:3]",
        "ROW_NUMBER": 2,
        "ROW_START_LINE": 3,
        "REJECTED_RECORD": "7,a@b,x",
        "PIPE": ORDERS_PIPE,
        "AT": account.now,
    }
    second = error | {"ERROR": "and another", "COLUMN_NAME": None}
    account.told["VALIDATE_PIPE_LOAD"] = [error, second]
    for _ in range(2):
        there()
    [(seq, row, line, record, category, errors)] = there.rows(
        "select load_seq, file_row, line, rejected_record, category, errors "
        "from snowmelt.rejects"
    )
    assert (seq, row, line, bytes(record)) == (1, 2, 3, b"7,a@b,x")
    assert category == "CONVERSION"
    assert len(json.loads(errors)) == 2


def test_of_a_pipe_with_a_select_the_first_error_is_all_there_is(
    there: Harvest,
) -> None:
    there.account.remember_copy(
        EVENTS,
        EVENTS_PIPE,
        "events-1.json",
        status="Partially loaded",
        error_count=5,
        first_error_message="bad id",
        first_error_line_number=9,
    )
    there()
    asked = [s for s in there.account.statements if "VALIDATE_PIPE_LOAD" in s]
    assert not asked
    [(line, error)] = there.rows("select line, error from snowmelt.rejects")
    assert line == 9
    assert error.startswith("bad id (the first of 5; a pipe that copies by a SELECT")


def test_what_the_account_forgot_meanwhile_is_said(there: Harvest) -> None:
    there()
    there.account.now += timedelta(days=20)
    there()
    gaps = there.rows(
        "select source, object, round(date_diff('hour', lost_from, lost_until) / 24) "
        "from account.gaps order by all"
    )
    assert ("COPY_HISTORY", ORDERS, 6.0) in gaps
    assert ("QUERY_HISTORY_BY_WAREHOUSE", "SHOP_WH", 13.0) in gaps
    assert not any(source == "PIPELINE_LOG" for source, *_ in gaps)
    there()
    assert len(there.rows("select * from account.gaps")) == len(gaps)


def test_a_refused_function_stops_no_other_and_names_the_grant(there: Harvest) -> None:
    account = there.account
    account.remember_copy(ORDERS, ORDERS_PIPE, "orders/1.csv")
    account.refused["WAREHOUSE_METERING_HISTORY"] = "Insufficient privileges to operate"
    told = there()
    assert told.loads == 1
    [problem] = told.problems
    assert problem.source == "WAREHOUSE_METERING_HISTORY"
    assert problem.object == "SHOP_WH"
    assert "INFORMATION_SCHEMA.WAREHOUSE_METERING_HISTORY(" in problem.statement
    assert "003001" in problem.problem
    assert problem.remedy == "GRANT MONITOR USAGE ON ACCOUNT TO ROLE ACCOUNTADMIN"
    assert there.rows("select source, remedy from account.problems")
    account.refused.clear()
    there()
    assert not there.rows("select * from account.problems")


def test_more_rows_than_are_told_at_once_are_read_in_halves(there: Harvest) -> None:
    account = there.account
    count = 90
    for number in range(count):
        at = account.now - timedelta(hours=number)
        account.remember_copy(ORDERS, ORDERS_PIPE, f"orders/{number}.csv", at=at)
    small = Source(COPIES.name, COPIES.keeps, COPIES.overlap, 10)
    account.rows_max = 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snowmelt.deploy.harvest.harvest.COPIES", small)
        there()
    found = there.rows(
        "select count(*), count(distinct file_name) from snowmelt.load_history"
    )
    assert found == [(count, count)]


def test_a_task_graph_is_told_with_its_first_error(there: Harvest) -> None:
    account = there.account
    account.remember_task("HOURLY")
    account.remember_task(
        "BUILD",
        at=account.now,
        state="FAILED",
        error_code=100183,
        error_message="dbt failed",
    )
    account.remember_task(
        "HOURLY",
        state="SCHEDULED",
        query_start_time=None,
        at=account.now + timedelta(seconds=0),
        completed_time=None,
        graph_run_group_id=None,
        query_id=None,
    )
    account.remember_task("BUILD", database_name="OTHER", graph_run_group_id="g9")
    for _ in range(2):
        there()
    assert there.rows(
        "select root_name, state, first_error_task_name, first_error_message "
        "from snowmelt.task_graph_runs"
    ) == [("hourly", "FAILED", "build", "100183: dbt failed")]
    assert there.rows(
        "select name, state, kind from snowmelt.task_runs order by all"
    ) == [
        ("build", "FAILED", "dbt"),
        ("hourly", "SCHEDULED", "refresh"),
        ("hourly", "SUCCEEDED", "refresh"),
    ]
    account.tasks_suspended["BUILD"] = "SUSPENDED_DUE_TO_ERRORS_FAILURES"
    account.states["SHOP", "SNOWMELT", "BUILD"] = "suspended"
    there()
    assert there.rows("select name, state, changed_by from snowmelt.task_states") == [
        ("build", "suspended", "failures")
    ]
    account.states["SHOP", "SNOWMELT", "BUILD"] = "started"


def test_a_run_has_the_models_that_its_statements_were_for(there: Harvest) -> None:
    account = there.account
    began = account.now - timedelta(minutes=5)
    account.remember_run(began)
    tag = json.dumps({"app": "snowmelt", "node": "test.shop.unique_sales_id.1a2b"})
    at = began + timedelta(seconds=5)
    account.remember_query("q1", at=at, query_text=f"create table x {COMMENT}")
    account.remember_query("q2", at=at, query_tag=tag, query_type="SELECT")
    account.remember_query("q3", at=began - timedelta(hours=1))
    going_on = account.remember_query("q4", at=at, end_time=EPOCH)
    for _ in range(2):
        there()
    [(run_id, state, reason, models, tests)] = there.rows(
        "select run_id, state, reason, models, tests from snowmelt.run_history"
    )
    assert (state, reason, models, tests) == (
        "SUCCEEDED",
        "build --target prod",
        1,
        1,
    )
    assert there.rows(
        "select run_id, node, resource_type, status, seconds, rows_out "
        "from snowmelt.node_history order by node"
    ) == [
        (run_id, "sales", "model", "success", 4.0, 5),
        (run_id, "unique_sales_id", "test", "pass", 4.0, None),
    ]
    assert there.rows(
        "select query_id, run_id is null from snowmelt.query_history order by all"
    ) == [("q1", False), ("q2", False), ("q3", True)]
    account.now += timedelta(hours=3)
    going_on["END_TIME"] = account.now
    there()
    assert ("q4",) in there.rows("select query_id from snowmelt.query_history")


def test_streams_and_pipes_are_told_as_they_stand(there: Harvest) -> None:
    account = there.account
    account.stream_rows["SHOP.BRONZE.ORDERS__NEWS"] = 2
    account.statuses[ORDERS_PIPE] = {
        "executionState": "STOPPED_STAGE_DROPPED",
        "pendingFileCount": 4,
    }
    for _ in range(2):
        there()
    assert there.rows(
        "select name, has_data, stale from account.streams order by name"
    ) == [
        ("SHOP.BRONZE.EVENTS__NEWS", False, False),
        ("SHOP.BRONZE.ORDERS__NEWS", True, False),
        ("SHOP.SNOWMELT.NEWS_OWED", False, False),
        ("SHOP.SNOWMELT.RETRY_DUE", False, False),
    ]
    assert there.rows(
        "select pipe_name, execution_state from snowmelt.pipe_states"
    ) == [("orders", "STOPPED_STAGE_DROPPED")]
    [(status,)] = there.rows(
        "select status from snowmelt.pipe_statuses where pipe_name = 'orders'"
    )
    assert json.loads(status)["pendingFileCount"] == 4


def test_hours_of_credits_are_corrected_later(there: Harvest) -> None:
    account = there.account
    hour = account.now.replace(minute=0, second=0) - timedelta(hours=2)
    usage = {
        "PIPE_NAME": ORDERS_PIPE,
        "START_TIME": hour,
        "END_TIME": hour + timedelta(hours=1),
        "CREDITS_USED": 0.25,
        "BYTES_INSERTED": 1,
        "FILES_INSERTED": 1,
    }
    metered = {
        "WAREHOUSE_NAME": "SHOP_WH",
        "START_TIME": hour,
        "END_TIME": hour + timedelta(hours=1),
        "CREDITS_USED": 1.1,
        "CREDITS_USED_COMPUTE": 1.0,
        "CREDITS_USED_CLOUD_SERVICES": 0.1,
    }
    account.told["PIPE_USAGE_HISTORY"].append(usage)
    account.told["WAREHOUSE_METERING_HISTORY"].append(metered)
    there()
    usage["CREDITS_USED"], metered["CREDITS_USED"] = 0.5, 1.3
    there()
    assert there.rows("select pipe_name, credits_used from account.pipe_usage") == [
        ("orders", 0.5)
    ]
    assert there.rows("select credits_used from account.metering") == [(1.3,)]


COPY = st.tuples(
    st.integers(0, 5),
    st.integers(0, 60 * 24),
    st.integers(0, 50),
    st.sampled_from(["Loaded", "Partially loaded", "Load failed"]),
)


@settings(max_examples=6, deadline=None)
@given(
    copies=st.lists(COPY, min_size=1, max_size=12),
    reads=st.lists(st.integers(1, 60 * 12), min_size=1, max_size=5),
    stops=st.lists(st.integers(1, 25), max_size=3),
)
def test_history_is_the_same_however_often_it_is_read(
    one: Harvest,
    deployed: dict[str, Any],
    copies: list[tuple[int, int, int, str]],
    reads: list[int],
    stops: list[int],
) -> None:
    """Late rows, repeated reads and stops in between: each copy once, none missing."""
    from snowflake_account import Stopped

    fresh(one, deployed)
    account, start = one.account, one.account.now
    late: list[tuple[int, dict[str, Any]]] = []
    for name, minutes, delay, status in copies:
        row = account.remember_copy(
            ORDERS,
            ORDERS_PIPE,
            f"orders/{name}.csv",
            at=start + timedelta(minutes=minutes),
            status=status,
        )
        late.append((minutes + delay, row))
    for minutes, stop in zip([*reads, 60 * 48], [*stops, *[0] * 9], strict=False):
        account.now = max(account.now, start + timedelta(minutes=minutes))
        passed = (account.now - start) / timedelta(minutes=1)
        account.told["COPY_HISTORY"] = [row for due, row in late if due <= passed]
        account.stop_after = len(account.statements) + stop if stop else None
        with suppress(Stopped):
            one()
        account.stop_after = None
    one()
    keys = {(row["FILE_NAME"], row["PIPE_RECEIVED_TIME"]) for _, row in late}
    found = one.rows("select file_name, pipe_received_time from snowmelt.load_history")
    assert sorted(found) == sorted(keys)
    assert one.rows(
        "select count(*) from (select file_name from snowmelt.load_history "
        "where status <> 'Load failed' and superseded_by is null "
        "group by file_name having count(*) > 1)"
    ) == [(0,)]


@given(
    ago=st.integers(0, 60 * 24 * 40),
    unfinished=st.none() | st.integers(0, 60 * 24 * 40),
)
def test_a_question_leaves_no_stretch_out_unsaid(
    ago: int, unfinished: int | None
) -> None:
    now = EPOCH + timedelta(days=9000)
    mark = Mark(
        now - timedelta(minutes=ago),
        None if unfinished is None else now - timedelta(minutes=unfinished),
    )
    ask = next_ask(COPIES, mark, now)
    assert ask.window.end == now
    assert now - COPIES.keeps < ask.window.start <= now
    if ask.lost is None:
        assert ask.window.start <= mark.through
    else:
        assert ask.lost == Window(mark.through, ask.window.start)


def test_every_question_is_of_the_grammar(there: Harvest) -> None:
    account = there.account
    account.remember_copy(ORDERS, ORDERS_PIPE, "orders/1.csv", error_count=1)
    there()
    list(diagnose(account, there.scope, account.now))
    asked = {re.sub(r"'[^']*'", "'x'", each): each for each in account.statements}
    assert len(asked) > 15
    assert not [found for each in asked.values() for found in problems(each)]


def test_a_warehouse_is_let_sleep_while_nothing_happens(there: Harvest) -> None:
    account = there.account
    quiet = timedelta(minutes=15)

    def asked(*, after: int = 1, quiet: timedelta = quiet) -> list[str]:
        account.now += timedelta(minutes=after)
        account.statements.clear()
        there(quiet)
        return [s for s in account.statements if "INFORMATION_SCHEMA" in s]

    assert asked()
    assert not asked()
    account.statuses[ORDERS_PIPE] = {"lastIngestedTimestamp": "2026-06-01T00:05:00Z"}
    assert not asked(after=8)
    assert asked(), "ten minutes have passed, and something happened"
    assert not asked(after=11)
    account.stream_rows["SHOP.BRONZE.ORDERS__NEWS"] = 1
    assert asked()
    assert asked(after=16), "nothing happened, and it was quiet for so long"
    account.refused["WAREHOUSE_METERING_HISTORY"] = "Insufficient privileges"
    assert asked(quiet=timedelta(0)), "a person asks"
    assert not asked()
    assert there.rows("select source from account.problems") == [
        ("WAREHOUSE_METERING_HISTORY",)
    ]


def test_a_warehouse_is_let_sleep_while_files_arrive(there: Harvest) -> None:
    account = there.account
    start, read = account.now, 0
    for minute in range(0, 60, 3):
        account.now = start + timedelta(minutes=minute)
        account.remember_copy(ORDERS, ORDERS_PIPE, f"orders/{minute}.csv")
        told = {"lastIngestedTimestamp": account.now.isoformat()}
        account.statuses[ORDERS_PIPE] = told
        account.statements.clear()
        there(timedelta(hours=1))
        read += any("COPY_HISTORY" in each for each in account.statements)
    assert read == 5  # of 20 times: at 0, 12, 24, 36 and 48 minutes
    there()
    assert there.rows("select count(*) from snowmelt.load_history") == [(20,)]


def test_runs_are_in_their_order_and_one_that_was_not_published_failed(
    there: Harvest,
) -> None:
    account = there.account
    names = ["f0000000-0000-4000-8000-000000000000", "00000000-aaaa", "80000000-bbbb"]
    for minutes, name in enumerate(names):
        at = account.now - timedelta(minutes=30 - minutes)
        account.remember_run(at, run_id=name)
        refused = {"status": "refused", "error": "gold changed"} if minutes == 2 else {}
        account.remember_run(
            at + timedelta(seconds=50),
            run_id=name,
            step="publish",
            details='["gold.sales"]',
            **refused,
        )
    for _ in range(2):
        there()
    assert there.rows(
        "select state, error from snowmelt.run_history order by run_id"
    ) == [("SUCCEEDED", None), ("SUCCEEDED", None), ("FAILED", "gold changed")]
    assert there.rows(
        "select count(*), count(distinct run_id), max(details) "
        "from snowmelt.pipeline_log "
        "where run_id in (select run_id from snowmelt.run_history)"
    ) == [(6, 3, '{"tables": ["gold.sales"]}')]


def test_hours_are_summed_up_as_if_all_statements_were_read_at_once(
    there: Harvest,
) -> None:
    account = there.account
    node = json.dumps({"node": "model.shop.sales"})
    for number in range(60):
        ended = account.now - timedelta(minutes=7 * number)
        account.remember_query(
            f"q{number}",
            at=ended - timedelta(minutes=number % 90),
            end_time=ended,
            execution_time=number % 90 * 50_000,
            query_tag=node if number % 3 else "",
        )
    late = account.told["QUERY_HISTORY_BY_WAREHOUSE"][::2]
    known = account.told["QUERY_HISTORY_BY_WAREHOUSE"][1::2]
    account.told["QUERY_HISTORY_BY_WAREHOUSE"] = known[:9]
    there()
    account.told["QUERY_HISTORY_BY_WAREHOUSE"] = known + late[20:]
    there()
    account.told["QUERY_HISTORY_BY_WAREHOUSE"] = known + late
    there()
    known_ids = {id_ for (id_,) in there.rows("select query_id from account.queries")}
    read = [e for e in (*known, *late) if e["QUERY_ID"] in known_ids]
    assert there.rows("select sum(seconds), sum(statements) from account.uses") == [
        (
            pytest.approx(sum(each["EXECUTION_TIME"] for each in read) / 1000),
            len(read),
        )
    ]
    assert there.rows(
        "select max(seconds) <= 3600 * 60, count(*) = count(distinct (node, hour)) "
        "from account.uses where node is not null"
    ) == [(True, True)]


def test_a_run_that_history_was_read_during_is_known_once_it_has_ended(
    there: Harvest,
) -> None:
    """Our log there has a run when it has ended; read by its beginning, it is lost."""
    account = there.account
    began = account.now
    account.remember_query("q1", at=began, query_text=f"create table x {COMMENT}")
    for minutes in (20, 89):
        account.now = began + timedelta(minutes=minutes)
        there()
    ended = {"ended_at": began + timedelta(minutes=90)}
    account.remember_run(began, run_id="dbt-1", **ended)
    account.remember_run(began, run_id="dbt-1", step="publish", object="gold", **ended)
    for _ in range(2):
        account.now += timedelta(minutes=20)
        there()
        account.refused["QUERY_HISTORY_BY_WAREHOUSE"] = "Insufficient privileges"
    [(run_id, models)] = there.rows("select run_id, models from snowmelt.run_history")
    assert models == 1
    steps = "select run_id, step from snowmelt.pipeline_log order by all"
    assert there.rows(steps) == [(run_id, "publish"), (run_id, "run")]
    assert there.rows("select run_id from snowmelt.query_history") == [(run_id,)]


def test_how_a_run_was_published_is_its_own_wherever_a_question_begins(
    there: Harvest,
) -> None:
    """The question after next begins between the publication and the run's end."""
    account = there.account
    began = account.now
    ended = began + timedelta(minutes=20)
    for name in ("dbt-1", None):  # an account that runs dbt does not know dbt's name
        account.remember_run(began, run_id=name, ended_at=ended)
        account.remember_run(
            began + timedelta(seconds=5),
            run_id=name or "dbt-2",
            step="publish",
            object="gold",
            status="refused",
            error="gold changed",
            ended_at=ended - timedelta(minutes=2),
        )
        for minutes in (21, 79, 81):
            account.now = began + timedelta(minutes=minutes)
            there()
        runs = "select state, error from snowmelt.run_history"
        assert there.rows(runs) == [("FAILED", "gold changed")]
        assert there.rows(
            "select count(*), count(run_id), count(distinct run_id) "
            "from snowmelt.pipeline_log "
            "where run_id in (select run_id from snowmelt.run_history)"
        ) == [(2, 2, 1)]
        account.log.clear()
        there.empty()


RUN = st.tuples(
    st.integers(1, 300),
    st.integers(1, 200),
    st.booleans(),
    st.sampled_from(["ok", "refused"]),
)


@settings(max_examples=4, deadline=None)
@given(
    runs=st.lists(RUN, min_size=1, max_size=6),
    reads=st.lists(st.integers(1, 60 * 24), min_size=1, max_size=8),
)
def test_runs_are_the_same_however_often_they_are_read(
    one: Harvest,
    deployed: dict[str, Any],
    runs: list[tuple[int, int, bool, str]],
    reads: list[int],
) -> None:
    fresh(one, deployed)
    account, start = one.account, one.account.now
    at = start
    for number, (pause, minutes, is_named, status) in enumerate(runs):
        at += timedelta(minutes=pause)
        ended = at + timedelta(minutes=minutes)
        name = f"dbt-{number}"
        for share in (0.1, 0.5, 0.9):
            account.remember_query(
                f"q{number}-{share}",
                at=at + timedelta(minutes=minutes * share),
                query_text=f"create table x {COMMENT}",
            )
        account.remember_run(
            *(at + timedelta(seconds=2),),
            run_id=name,
            step="publish",
            object="gold",
            status=status,
            ended_at=ended - timedelta(seconds=20),
        )
        account.remember_run(at, run_id=name if is_named else None, ended_at=ended)
        at = ended

    def told() -> list[list[tuple[Any, ...]]]:
        return [
            one.rows(f"select {columns} from snowmelt.{table} order by all")
            for table, columns in (
                ("run_history", "run_id, state, error, models"),
                ("pipeline_log", "run_id, step, started_at, status"),
                ("query_history", "query_id, run_id"),
                ("node_history", "run_id, node, seconds, status"),
            )
        ]

    for minutes in sorted(reads):
        account.now = start + timedelta(minutes=minutes)
        one()
    account.now = at + timedelta(minutes=1)
    one()
    by_and_by = told()
    one.empty()
    one()
    assert by_and_by == told()
    assert {state for _, state, *_ in by_and_by[0]} == {
        {"ok": "SUCCEEDED", "refused": "FAILED"}[status] for *_, status in runs
    }
    assert all(models == 1 for *_, models in by_and_by[0])


def test_steps_of_a_graph_that_takes_hours_are_known(there: Harvest) -> None:
    """They begin hours after it, and may be dated by when it was to begin."""
    account = there.account
    began = account.now
    root = account.remember_task("HOURLY", state="EXECUTING", completed_time=None)
    waiting: dict[str, Any] = {"query_start_time": None, "completed_time": None}
    for minutes in (30, 100):
        account.now = began + timedelta(minutes=minutes)
        there()
    root |= {"STATE": "SUCCEEDED", "COMPLETED_TIME": account.now}
    account.now += timedelta(minutes=1)
    there()
    build = account.remember_task("BUILD", at=began, state="SCHEDULED", **waiting)
    for _ in range(3):
        account.now += timedelta(minutes=50)
        there()  # its warehouse is full
    build |= {"STATE": "FAILED", "COMPLETED_TIME": account.now}
    there()
    assert there.rows("select name, state from snowmelt.task_runs order by all") == [
        ("build", "FAILED"),
        ("hourly", "SUCCEEDED"),
    ]
    [(state,)] = there.rows("select state from snowmelt.task_graph_runs")
    assert state == "FAILED"
