"""How a project is said in Snowflake's words, and what is refused by name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from refreshed import sent_by
from shipped import ORDERS, SETTINGS, TARGET, deployed_into, make_project, states
from snowflake_account import Account
from snowflake_gate import problems
from snowflake_reader import Reader, unescaped
from snowmelt.deploy.address import Address
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import NoSession, names_of, open_deployment
from snowmelt.deploy.resource import Mark, Owner
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.catch_up import Refresh, Staged, catch_up
from snowmelt.deploy.snowflake.kept_history import COPIES
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.deploy.snowflake.task import Task
from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.project import load_project
from snowmelt.project.targets import SnowflakeTarget, resolve_target

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AWS: dict[str, Any] = TARGET["aws"]
TARGETS = yaml.safe_dump({"targets": {"prod": TARGET}})
BY_ITSELF = "version: 1\nname: shop\n" + TARGETS


def statements(root: Path, **changed: str) -> dict[str, str]:
    """The first statement of each resource of a project, by kind and name."""
    project = make_project(root, **changed)
    deployment = deployed_into(project, Account())
    plan = deployment.plan_offline()
    return {
        f"{s.address.kind} {s.address.name}": "\n".join(deployment.script(s))
        for s in plan.steps
    }


def remarks(root: Path, **changed: str) -> list[str]:
    project = make_project(root, **changed)
    found = open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]
    return [f"{each.where}: {each.told}" for each in found.remarks]


# -- the door of names and values


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_a_text_is_read_as_it_was_meant(text: str) -> None:
    assert unescaped(sql.text(text)) == text


@given(st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_one_name_whatever_is_in_it(text: str) -> None:
    reader = Reader(sql.as_kept(text))
    assert reader.name() == (text,)
    assert reader.is_over


def test_words_of_the_language_are_quoted_as_names() -> None:
    assert [sql.name(each) for each in ("order", "orders", "a b", "2nd")] == [
        '"ORDER"',
        "ORDERS",
        '"A B"',
        '"2ND"',
    ]
    with pytest.raises(ValueError, match="no word"):
        sql.value(sql.Word("TRUE; DROP TABLE X"))
    with pytest.raises(ValueError, match="dollar"):
        sql.body("a $$ b")


# -- formats


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("{type: csv}", ["PARSE_HEADER = TRUE", "ESCAPE = NONE", "NULL_IF = ('')"]),
        ("{type: csv, field_delimiter: ';', encoding: latin1}",
         ["FIELD_DELIMITER = ';'", "ENCODING = 'ISO88591'"]),
        ("{type: csv, field_optionally_enclosed_by: \"'\", escape: '\\'}",
         ["FIELD_OPTIONALLY_ENCLOSED_BY = ''''", r"ESCAPE = '\\'"]),
        ("{type: csv, field_optionally_enclosed_by: none, null_if: ['\\N', '']}",
         ["FIELD_OPTIONALLY_ENCLOSED_BY = NONE", r"NULL_IF = ('\\N', '')"]),
        ("{type: csv, parse_header: false, skip_header: 2}", ["SKIP_HEADER = 2"]),
        ("{type: csv, compression: zstd, date_format: DD.MM.YYYY}",
         ["COMPRESSION = ZSTD", "DATE_FORMAT = 'DD.MM.YYYY'"]),
        ("{type: json, strip_null_values: true}",
         ["TYPE = JSON", "STRIP_OUTER_ARRAY = TRUE", "STRIP_NULL_VALUES = TRUE"]),
        (
            "{type: parquet}",
            ["TYPE = PARQUET", "USE_LOGICAL_TYPE = TRUE", "NULL_IF = ()"],
        ),
    ],
)  # fmt: skip
def test_formats_are_said_in_their_options(
    tmp_path: Path, given: str, wanted: list[str]
) -> None:
    pipe = f"{ORDERS}file_format: {given}\n"
    made = statements(tmp_path, **{"pipes/orders.yml": pipe})
    said = made["file_format SHOP.BRONZE.ORDERS_FORMAT"]
    assert [each for each in wanted if f"\n  {each}" not in said] == []


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("file_format.comment", "file_format: {type: csv, comment: '#'}"),
        ("file_format.decimal_separator",
         "file_format: {type: csv, field_delimiter: ';', decimal_separator: ','}"),
        ("file_format.skip_header", "file_format: {type: csv, skip_header: 2}"),
        ("file_format.type", "file_format: {type: auto}"),
        ("file_format.orient", "file_format: {type: json, orient: columns}"),
        ("file_format.encoding", "file_format: {type: json, encoding: utf16}"),
        ("file_format.encoding", "file_format: {type: csv, encoding: ibm437}"),
        ("file_format.compression", "file_format: {type: parquet, compression: gzip}"),
    ],
)  # fmt: skip
def test_what_has_no_mapping_is_refused_with_file_line_and_remedy(
    tmp_path: Path, key: str, given: str
) -> None:
    text = ORDERS
    for each in given.splitlines():
        text = re.sub(rf"^{each.split(':')[0]}:.*\n", "", text, flags=re.MULTILINE)
    text = f"{text}{given}\n"
    line = text.splitlines().index(given.splitlines()[-1]) + 1
    project = make_project(tmp_path, **{"pipes/orders.yml": text})
    with pytest.raises(ConfigError) as told:
        deployed_into(project, Account())
    assert told.value.where == f"pipes/orders.yml:{line}: {key}"
    assert told.value.remedy


def test_a_region_whose_buckets_have_other_names_there_is_refused(
    tmp_path: Path,
) -> None:
    text = (SETTINGS + TARGETS).replace("eu-central-1", "us-gov-west-1")
    project = make_project(tmp_path, **{"snowmelt.yml": text})
    with pytest.raises(ConfigError, match="us-gov-west-1 is S3GOV") as told:
        deployed_into(project, Account())
    assert told.value.where.endswith(": targets.prod.aws")


def test_all_that_is_refused_is_told_at_once(tmp_path: Path) -> None:
    csv = f"{ORDERS}file_format: {{type: csv, comment: '#'}}\n"
    tasks = SETTINGS.replace("refresh: {}", "shell: ls") + TARGETS
    project = make_project(tmp_path, **{"pipes/orders.yml": csv, "snowmelt.yml": tasks})
    with pytest.raises(ConfigError) as told:
        deployed_into(project, Account())
    assert "runs a program on this machine" in str(told.value)
    assert "runner: service" in str(told.value)


# -- bronze


def test_bronze_has_the_contract_and_where_each_row_is_from(tmp_path: Path) -> None:
    made = statements(tmp_path)
    table = made["table SHOP.BRONZE.ORDERS__ALL"]
    for part in (
        "ORDER_ID NUMBER(10,0) NOT NULL,",
        "EMAIL VARCHAR WITH MASKING POLICY SHOP.SNOWMELT.MASK_VARCHAR,",
        "\"ORDER\" TIMESTAMP_NTZ COMMENT 'It''s a word of SQL',",
        "_CONTENT_KEY VARCHAR",
        "CHANGE_TRACKING = TRUE",
    ):
        assert part in table
    pipe = made["pipe SHOP.BRONZE.ORDERS_PIPE"]
    for part in (
        "AUTO_INGEST = TRUE",
        "AWS_SNS_TOPIC = 'arn:aws:sns:eu-central-1:123456789012:shop-landing'",
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
        "_CONTENT_KEY = METADATA$FILE_CONTENT_KEY",
        "_LOADED_AT = METADATA$START_SCAN_TIME",
        "PATTERN = 'orders/[^/]*\\\\.csv'",
        "ON_ERROR = 'SKIP_FILE_10%'",
    ):
        assert part in pipe
    view = made["view SHOP.BRONZE.ORDERS"]
    assert "SUBSTR(A._FILE, 5) AS _FILE" in view  # raw/ is the bucket's, not the file's
    assert "PARTITION BY A._FILE ORDER BY A._VERSION_AT DESC" in view


def test_columns_that_are_found_by_a_path_are_chosen(tmp_path: Path) -> None:
    pipe = statements(tmp_path)["pipe SHOP.BRONZE.EVENTS_PIPE"]
    assert "GET_IGNORE_CASE($1, 'id')::NUMBER(19,0)" in pipe
    assert '$1:"customer"."address"[0]."the city"::VARCHAR' in pipe
    assert "METADATA$FILE_ROW_NUMBER" in pipe
    assert "MATCH_BY_COLUMN_NAME" not in pipe


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("on_same_name_changed: ignore", "ORDER BY A._VERSION_AT, A._CONTENT_KEY"),
        ("mode: snapshot", "DENSE_RANK() OVER (ORDER BY COALESCE(CASE WHEN"),
    ],
)
def test_the_live_view_counts_versions_as_the_pipe_says(
    tmp_path: Path, key: str, rule: str
) -> None:
    made = statements(tmp_path, **{"pipes/orders.yml": f"{ORDERS}{key}\n"})
    assert rule in made["view SHOP.BRONZE.ORDERS"]
    assert "DENSE_RANK" not in made["view SHOP.BRONZE.EVENTS"]  # append: both stay


def test_what_is_otherwise_there_is_remarked_with_its_line(tmp_path: Path) -> None:
    orders = ORDERS.replace("skip_file_10%", "skip_file")
    pipe = f"{orders}schema_evolution: hold\nexpect: every 1h\nexternal: true\n"
    told = remarks(tmp_path, **{"pipes/orders.yml": pipe})
    lines = pipe.splitlines()
    for key in ("schema_evolution", "expect", "external"):
        line = next(i for i, each in enumerate(lines, 1) if each.startswith(key))
        assert any(each.startswith(f"pipes/orders.yml:{line}: {key}") for each in told)


def test_a_moment_with_its_own_offset_is_remarked(tmp_path: Path) -> None:
    line = len(ORDERS.splitlines()) + 1
    pipe = f"{ORDERS}    - {{name: placed, type: timestamptz}}\n"
    told = remarks(tmp_path, **{"pipes/orders.yml": pipe})
    assert [e for e in told if "its own offset" in e and f"orders.yml:{line}:" in e]


# -- who may do what


def test_models_may_make_their_streams_and_nothing_more(tmp_path: Path) -> None:
    made = statements(tmp_path)
    for schema in ("SILVER", "GOLD", "QUARANTINE"):
        assert made[f"grant SHOP_TRANSFORMER ON SCHEMA SHOP.{schema}"] == (
            "GRANT CREATE STREAM, CREATE TABLE, CREATE VIEW, USAGE "
            f"ON SCHEMA SHOP.{schema} TO ROLE SHOP_TRANSFORMER"
        )
    assert not [name for name in made if "DYNAMIC" in name]


@pytest.mark.parametrize(
    ("file", "text", "is_asked"),
    [
        ("models/gold/a.sql", "{{ snowmelt.dynamic_table('1 hour') }} select 1", True),
        ("models/gold/a.sql", "{{ config(materialized='dynamic_table') }}", True),
        ("models/gold/a.yml", "{config: {materialized: dynamic_table}}", True),
        ("models/gold/a.sql", "-- no dynamic_table\n{# dynamic_table #} select", False),
    ],
)
def test_who_has_dynamic_tables_may_make_and_read_them(
    tmp_path: Path, file: str, text: str, is_asked: bool
) -> None:
    """dbt makes them; deploy lets it, and readers read what comes."""
    made = statements(tmp_path, **{file: text})
    makes = made["grant SHOP_TRANSFORMER ON SCHEMA SHOP.GOLD"]
    reads = made.get("grant SHOP_READER ON FUTURE DYNAMIC TABLES IN SHOP.GOLD", "")
    assert ("CREATE DYNAMIC TABLE" in makes) is is_asked
    assert [each.split(" TO ")[0] for each in reads.splitlines()] == (
        [
            "GRANT SELECT ON ALL DYNAMIC TABLES IN SCHEMA SHOP.GOLD",
            "GRANT SELECT ON FUTURE DYNAMIC TABLES IN SCHEMA SHOP.GOLD",
        ]
        if is_asked
        else []
    )
    assert not [
        told for each in (makes, *reads.splitlines()) for told in problems(each)
    ]


# -- tasks


def tasks_of(root: Path, text: str) -> dict[str, Task]:
    given = f"version: 1\nname: shop\ntasks:\n{text}" + TARGETS
    project = make_project(root, **{"snowmelt.yml": given})
    desired = deployed_into(project, Account()).desired
    made = {e.name.rpartition(".")[2]: e for e in desired if isinstance(e, Task)}
    assert made.pop("KEEP_HISTORY").schedule == "720 MINUTE"
    return made


def test_a_graph_keeps_what_its_tasks_say(tmp_path: Path) -> None:
    made = tasks_of(
        tmp_path,
        "  root: {when: stream_has_data(orders) and not stream_has_data(events),"
        " refresh: {pipe: orders}, min_interval: 30s, config: {a: 'x''y'},"
        " overlap_policy: allow_child_overlap, auto_retry_attempts: 2,"
        " suspend_after_failures: 3}\n"
        "  build: {after: root, dbt: [silver, gold], timeout: 90s}\n"
        "  both: {after: [root, build], sql: count.sql, suspended: true}\n"
        "  end: {finalize: root, sql: {file: check.sql, expect: rows}}\n",
    )
    root, build, both, end = (made[name] for name in ("ROOT", "BUILD", "BOTH", "END"))
    assert root.when == (
        "(SYSTEM$STREAM_HAS_DATA('SHOP.BRONZE.ORDERS__NEWS') AND "
        "NOT SYSTEM$STREAM_HAS_DATA('SHOP.BRONZE.EVENTS__NEWS')) OR "
        "SYSTEM$STREAM_HAS_DATA('SHOP.SNOWMELT.RETRY_DUE')"
    )
    assert dict(root.settings) == {
        "OVERLAP_POLICY": "NO_OVERLAP",  # it runs dbt
        "SUSPEND_TASK_AFTER_NUM_FAILURES": 3,
        "TASK_AUTO_RETRY_ATTEMPTS": 2,
        "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS": 30,
        "CONFIG": '{"a": "x\'y"}',
    }
    since = {("BRONZE", "ORDERS_PIPE"): NOW - timedelta(hours=1)}
    assert sent_by(root.code, since, NOW) == [
        "ALTER PIPE SHOP.BRONZE.ORDERS_PIPE REFRESH "
        "MODIFIED_AFTER = '2026-05-31T22:00:00+00:00'"
    ]
    assert build.after == ("SHOP.SNOWMELT.ROOT",)
    assert dict(build.settings) == {"USER_TASK_TIMEOUT_MS": 90_000}
    assert (
        "'build --select silver gold --indirect-selection buildable --target prod'"
        in build.code
    )
    assert set(both.after) == {"SHOP.SNOWMELT.ROOT", "SHOP.SNOWMELT.BUILD"}
    assert "select count(case when total > 0 then 1 end) from gold.sales" in both.code
    assert end.finalize == "SHOP.SNOWMELT.ROOT"
    assert "IF (NOT EXISTS (" in end.code


def test_a_suspended_task_stays_suspended_beside_a_running_graph(
    tmp_path: Path,
) -> None:
    text = "version: 1\nname: shop\ntasks:\n  a: {every: 5m, dbt: x}\n" + (
        "  b: {after: a, dbt: y, suspended: true}\n"
    )
    project = make_project(tmp_path, **{"snowmelt.yml": text + TARGETS})
    account = Account()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    assert {name[2]: state for name, state in account.states.items()} == {
        "A": "started",
        "B": "suspended",
        "KEEP_HISTORY": "started",
    }
    assert deployment.plan().is_empty


@pytest.mark.parametrize(
    ("task", "where"),
    [
        ("{every: 1h, python: 'm:f'}", "snowmelt.yml:4: tasks.a.python"),
        (
            "{every: 1h, webhook: 'https://x.example'}",
            "snowmelt.yml:4: tasks.a.webhook",
        ),
        (
            "{when: stream_has_data(silver.orders), dbt: x}",
            "snowmelt.yml:4: tasks.a.when",
        ),
        ("{every: 1h, sql: odd.sql}", "odd.sql:1"),
        ("{every: 1h, sql: dollars.sql}", "snowmelt.yml:4: tasks.a.sql"),
    ],
)
def test_tasks_that_an_account_cannot_do_are_refused(
    tmp_path: Path, task: str, where: str
) -> None:
    (tmp_path / "odd.sql").write_text("pragma version")
    (tmp_path / "dollars.sql").write_text("select 'a $$ b'")
    (tmp_path / "m.py").write_text("def f(x): ...")
    with pytest.raises(ConfigError) as told:
        tasks_of(tmp_path, f"  a: {task}\n")
    assert told.value.where == where
    (tmp_path / "snowmelt.yml").write_text(
        (tmp_path / "snowmelt.yml")
        .read_text()
        .replace("type: snowflake", "type: snowflake\n    runner: service")
    )
    project = load_project(tmp_path)
    assert open_deployment(project, names_of(project, "prod"), NoSession(), None)  # type: ignore[arg-type]


def test_what_arrives_is_built_by_itself_where_no_graph_does_it(tmp_path: Path) -> None:
    made = tasks_of(tmp_path, "  a: {every: 1h, sql: count.sql}\n")
    assert set(made) == {"PUBLISH_ARRIVALS", "RETRY_BUILD", "A"}
    building, retrying = made["PUBLISH_ARRIVALS"], made["RETRY_BUILD"]
    assert building.when.count("SYSTEM$STREAM_HAS_DATA") == 3
    assert "NEWS_OWED" not in building.when, "it would begin for ever"
    assert dict(building.settings) == {"SUSPEND_TASK_AFTER_NUM_FAILURES": 0}
    assert retrying.when == "SYSTEM$STREAM_HAS_DATA('SHOP.SNOWMELT.NEWS_OWED')"
    assert retrying.schedule == made["A"].schedule == "60 MINUTE"


def test_what_arrives_is_built_as_seldom_as_gold_may_be_stale(tmp_path: Path) -> None:
    lag = "version: 1\nname: shop\npublish: {target_lag: 15 minutes}\n"
    for tasks, expected in (
        ("", {"PUBLISH_ARRIVALS": 900, "RETRY_BUILD": None}),
        (
            "  a: {when: stream_has_data(orders), dbt: gold}\n",
            {"A": 900, "RETRY_BUILD": None},
        ),
        (
            "  a: {when: stream_has_data(orders), min_interval: 20s, dbt: gold}\n",
            {"A": 20, "RETRY_BUILD": None},
        ),
        ("  a: {every: 1h, when: stream_has_data(orders), dbt: gold}\n", {"A": None}),
    ):
        given = lag + (f"tasks:\n{tasks}" if tasks else "") + TARGETS
        project = make_project(tmp_path / str(len(given)), **{"snowmelt.yml": given})
        desired = deployed_into(project, Account()).desired
        told = {
            each.name.rpartition(".")[2]: dict(each.settings).get(
                "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS"
            )
            for each in desired
            if isinstance(each, Task) and not each.name.endswith("KEEP_HISTORY")
        }
        assert told == expected


def test_what_is_owed_is_built_by_the_clock_and_below_a_root(tmp_path: Path) -> None:
    """None of them is triggered by it; what comes before in the graph owes it."""
    owed = " OR SYSTEM$STREAM_HAS_DATA('SHOP.SNOWMELT.NEWS_OWED')"
    build = "{after: a, when: stream_has_data(orders), dbt: gold}"
    for root in ("every: 1h", "when: stream_has_data(events)"):
        made = tasks_of(
            tmp_path / root[:4], f"  a: {{{root}, dbt: silver}}\n  b: {build}\n"
        )
        assert made["B"].when.endswith(owed)
    made = tasks_of(
        tmp_path, "  a: {every: 1h, when: stream_has_data(orders), dbt: gold}\n"
    )
    assert made["A"].when.endswith(owed)


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        (
            "a: {every: 14d, sql: count.sql}",
            "snowmelt.yml:4: tasks.a.every: a schedule there has 11,520 minutes",
        ),
        (
            "retry_build: {every: 1h, sql: count.sql}",
            "snowmelt.yml:4: tasks.retry_build: a task of deploy's own is called",
        ),
        (
            "a: {when: stream_has_data(orders), sql: made.sql}",
            "snowmelt.yml:4: tasks.a.sql: CREATE in made.sql commits what is open",
        ),
    ],
)
def test_tasks_that_would_never_run_or_forget_are_refused(
    tmp_path: Path, tasks: str, told: str
) -> None:
    made = "insert into gold.days select * from gold.sales;\n-- and\n"
    (tmp_path / "made.sql").write_text(f"{made}create table gold.x as select 1 as a")
    with pytest.raises(ConfigError, match=re.escape(told)):
        tasks_of(tmp_path, f"  {tasks}\n")


def test_without_pipes_nothing_is_built_by_itself(tmp_path: Path) -> None:
    """A task without a schedule and a condition can never be resumed."""
    project = make_project(tmp_path, **{"snowmelt.yml": BY_ITSELF})
    for file in (tmp_path / "pipes").glob("*.yml"):
        file.unlink()
    account = Account()
    deployment = deployed_into(load_project(project.root), account)
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty
    assert not account.states


def test_a_stream_that_is_stale_is_made_anew_and_tells_of_all_rows(
    tmp_path: Path,
) -> None:
    account = Account()
    project = make_project(tmp_path, **{"snowmelt.yml": BY_ITSELF})
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    account.things["STREAM", ("SHOP", "BRONZE", "ORDERS__NEWS")].more["stale"] = True
    [step] = deployment.plan().acting
    assert [(e.name, e.before, e.after) for e in step.differences] == [
        ("stale", True, False)
    ]
    before = len(account.statements)
    apply_plan(deployment, deployment.plan())
    said = [e for e in account.statements[before:] if not e.startswith("SHOW")]
    [dropped, made] = [e for e in said if "STREAM" in e[:14]]
    assert dropped == "DROP STREAM IF EXISTS SHOP.BRONZE.ORDERS__NEWS"
    assert "SHOW_INITIAL_ROWS = TRUE" in made
    assert deployment.plan().is_empty


def test_what_streams_have_not_read_is_kept_for_months(tmp_path: Path) -> None:
    made = statements(tmp_path)["database SHOP"]
    assert "MAX_DATA_EXTENSION_TIME_IN_DAYS = 90" in made
    assert not problems(made)


BESIDE = "tasks:\n  a: {when: stream_has_data(orders), sql: count.sql}\n"


def test_a_graph_beside_what_builds_by_itself_has_a_stream_of_its_own(
    tmp_path: Path,
) -> None:
    """It reads it in the transaction of its work: else it would begin for ever."""
    made = statements(tmp_path, **{"snowmelt.yml": BY_ITSELF + BESIDE})
    assert (
        "ON TABLE SHOP.BRONZE.ORDERS__ALL"
        in made["stream SHOP.BRONZE.ORDERS__READ_BY_A"]
    )
    task = made["task SHOP.SNOWMELT.A"]
    assert "WHEN SYSTEM$STREAM_HAS_DATA('SHOP.BRONZE.ORDERS__READ_BY_A')" in task
    body = task[task.index("$$") :]
    order = [
        "BEGIN TRANSACTION",
        "FROM SHOP.BRONZE.ORDERS__READ_BY_A;",
        "count(",
        "COMMIT;",
    ]
    assert [body.index(each) for each in order] == sorted(map(body.index, order))
    assert body.index("ROLLBACK") > body.index("COMMIT")
    assert not problems(task)
    shared = made["task SHOP.SNOWMELT.PUBLISH_ARRIVALS"]
    assert "'SHOP.BRONZE.ORDERS__NEWS'" in shared
    assert not remarks(tmp_path, **{"snowmelt.yml": BY_ITSELF + BESIDE})
    account = Account()
    deployment = deployed_into(load_project(tmp_path), account)
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty


def test_tasks_below_the_root_that_ask_share_and_are_told_so(tmp_path: Path) -> None:
    below = "  b: {after: a, when: stream_has_data(orders), sql: check.sql}\n"
    told = remarks(tmp_path, **{"snowmelt.yml": BY_ITSELF + BESIDE + below})
    assert told == [
        f"snowmelt.yml:{line}: tasks.{name}.when: another task reads the same stream: "
        "rows that it reads first are not told here"
        for line, name in ((18, "a"), (19, "b"))
    ]


@pytest.mark.parametrize(
    "root",
    [
        "{when: stream_has_data(orders), sql: {file: check.sql, expect: empty}}",
        "{when: stream_has_data(orders) or stream_has_data(events), refresh: {}}",
        "{every: 1h, when: not stream_has_data(orders), sql: empty.sql}",
    ],
)
def test_whatever_the_root_does_it_reads_its_streams_first(
    tmp_path: Path, root: str
) -> None:
    changed = {"snowmelt.yml": f"{BY_ITSELF}tasks:\n  a: {root}\n", "empty.sql": ""}
    made = statements(tmp_path, **changed)
    task = made["task SHOP.SNOWMELT.A"]
    for table in re.findall(r"stream_has_data\((\w+)\)", root):
        assert (
            "COUNT(*), CURRENT_TIMESTAMP() FROM "
            f"SHOP.BRONZE.{table.upper()}__READ_BY_A;" in task
        )
    assert "__NEWS" not in task
    assert not problems(task)


def test_steps_side_by_side_come_in_turn_there_and_that_is_told(tmp_path: Path) -> None:
    text = (
        "  a: {every: 1h, refresh: {}}\n  b: {after: a, dbt: silver}\n"
        "  c: {after: a, dbt: other}\n  d: {after: [b, c], dbt: gold}\n"
    )
    made = tasks_of(tmp_path, text)
    assert {name: each.after for name, each in made.items()} == {
        "A": (),
        "B": ("SHOP.SNOWMELT.A",),
        "C": ("SHOP.SNOWMELT.A", "SHOP.SNOWMELT.B"),
        "D": ("SHOP.SNOWMELT.B", "SHOP.SNOWMELT.C"),
    }
    news = {name: re.findall(r"'(\w+)'\)$", each.code) for name, each in made.items()}
    assert news == {"A": [], "B": ["take"], "C": ["take"], "D": ["settle"]}
    given = f"version: 1\nname: shop\ntasks:\n{text}" + TARGETS
    told = remarks(tmp_path, **{"snowmelt.yml": given})
    assert told[1:] == [
        "snowmelt.yml:6: tasks.c.dbt: an account runs a DBT PROJECT once at a time: "
        "there it waits for b, and is left out if that fails"
    ]


# -- history


def test_history_is_kept_before_the_account_forgets_it(tmp_path: Path) -> None:
    made = statements(tmp_path)
    kept = made["table SHOP.SNOWMELT.COPY_HISTORY"]
    columns = [line.split()[0] for line in kept.splitlines() if line.startswith("  ")]
    assert columns == [*COPIES]
    task = made["task SHOP.SNOWMELT.KEEP_HISTORY"]
    for part in (
        "WHERE STATUS <> 'Load in progress'",
        "DATEADD(HOUR, -1, COALESCE(MAX(LAST_LOAD_TIME)",
        "DATEADD(HOUR, -24, COALESCE(MAX(SCHEDULED_TIME)",
        "COPY_HISTORY(TABLE_NAME => 'SHOP.BRONZE.ORDERS__ALL', START_TIME => :copied_s",
        "COPY_HISTORY(TABLE_NAME => 'SHOP.BRONZE.EVENTS__ALL', START_TIME => :copied_s",
        "GREATEST(DATEADD(DAY, -13, CURRENT_TIMESTAMP())",
        "TASK_HISTORY(SCHEDULED_TIME_RANGE_START => :ran_since, RESULT_LIMIT => 10000)",
        "EQUAL_NULL(KEPT.ATTEMPT_NUMBER, NEWS.ATTEMPT_NUMBER)",
        "WHEN NOT MATCHED THEN INSERT (QUERY_ID, NAME,",
    ):
        assert part in task
    assert not problems(task)
    text = BY_ITSELF.replace("type: snowflake", "type: snowflake\n    run_timeout: 30h")
    longer = statements(tmp_path / "longer", **{"snowmelt.yml": text})
    task = longer["task SHOP.SNOWMELT.KEEP_HISTORY"]
    assert "DATEADD(HOUR, -31, COALESCE(MAX(SCHEDULED_TIME)" in task


# -- alerts


def test_rules_become_alerts_where_the_account_can_look_and_tell(
    tmp_path: Path,
) -> None:
    made = statements(tmp_path)
    alert = made["alert SHOP.SNOWMELT.ALERT_FAILED"]
    assert "COPY_HISTORY(TABLE_NAME => 'SHOP.BRONZE.ORDERS__ALL'" in alert
    assert "SYSTEM$SEND_EMAIL('SHOP_OPS', 'ops@example.com'" in alert
    assert "RESUME" in alert
    assert (
        "ALLOWED_RECIPIENTS = ('ops@example.com')"
        in made["notification_integration SHOP_OPS"]
    )
    of_tasks = SETTINGS.replace("{on: failed, every: 15m}", "{on: task_failed}")
    made = statements(tmp_path / "tasks", **{"snowmelt.yml": of_tasks + TARGETS})
    alert = made["alert SHOP.SNOWMELT.ALERT_FAILED"]
    for part in (
        "TASK_HISTORY(SCHEDULED_TIME_RANGE_START => DATEADD(HOUR, -24,",
        "STATE IN ('FAILED', 'FAILED_AND_AUTO_SUSPENDED')",
        "COMPLETED_TIME <= DATEADD(MINUTE, -2, SNOWFLAKE.ALERT.SCHEDULED_TIME())",
    ):
        assert part in alert
    assert not problems(alert.partition("\nALTER")[0])
    text = SETTINGS.replace(
        "    failed: {on: failed, every: 15m}", "    late: {on: late}"
    )
    told = remarks(tmp_path / "other", **{"snowmelt.yml": text + TARGETS})
    assert any("'late' is looked for by the service" in each for each in told)


# -- catching up

PATHS = st.sampled_from(
    [f"{a}{b}" for a in ("a", "a/b", "b") for b in (".csv", ".csv.csv", ".txt")]
)
FILES = st.dictionaries(PATHS, st.integers(0, 14 * 24), max_size=9)


@given(FILES, st.sets(PATHS))
def test_catching_up_reaches_each_missing_file_once_and_no_other(
    files: dict[str, int], known: set[str]
) -> None:
    staged = [Staged(NOW - timedelta(hours=age), path) for path, age in files.items()]
    pattern = r".*\.csv"
    reached: list[str] = []
    for way in catch_up(staged, known, pattern, NOW):
        if isinstance(way, Refresh):
            in_reach = [f for f in staged if f.modified_at > NOW - timedelta(days=7)]
            reached += [
                f.path
                for f in in_reach
                if way.reaches(f) and re.fullmatch(pattern, f.path)
            ]
        else:
            reached += way.paths
    missing = [p for p in files if p not in known and re.fullmatch(pattern, p)]
    assert sorted(set(reached) & known) == []
    assert sorted(reached) == sorted(missing)


def test_a_file_that_failed_is_tried_again_by_a_pipe_that_was_changed() -> None:
    account = Account()
    account.failing = {"bad"}
    first = deployed_into(states()["first"], account)
    apply_plan(first, first.plan())
    account.land("raw/orders/good.csv", "good")
    account.land("raw/orders/bad.csv", "bad")
    account.failing = set()
    changed = deployed_into(states()["pattern"], account)
    apply_plan(changed, changed.plan())
    assert sorted(path for _, path, _ in account.loads) == [
        "raw/orders/bad.csv",
        "raw/orders/good.csv",
    ]


# -- targets


def project_with(root: Path, **changed: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    target = {**TARGET, **changed}
    text = "version: 1\nname: shop\n" + yaml.safe_dump({"targets": {"prod": target}})
    (root / "snowmelt.yml").write_text(text)
    (root / "pipes").mkdir(exist_ok=True)
    return root


def test_a_secret_that_is_written_down_is_refused_and_not_shown(tmp_path: Path) -> None:
    secret = "-----BEGIN-hunter2"
    for key in ("token", "key_path", "key_passphrase"):
        root = project_with(tmp_path, **{"key_path": None, key: secret})
        with pytest.raises(ConfigError) as told:
            load_project(root)
        text = (root / "snowmelt.yml").read_text().splitlines()
        line = next(i for i, each in enumerate(text, 1) if secret in each)
        assert f"snowmelt.yml:{line}: targets.prod" in told.value.where
        assert key in told.value.where
        assert "never written here: write ${NAME}" in str(told.value)
        assert "hunter2" not in str(told.value)


def test_a_target_is_read_when_it_is_used_and_not_before(tmp_path: Path) -> None:
    root = project_with(tmp_path, account="${SHOP_ACCOUNT}")
    project = load_project(root)  # without the variable
    file = root / "snowmelt.yml"
    with pytest.raises(
        ConfigError, match="the environment has no SHOP_ACCOUNT"
    ) as told:
        resolve_target(project.settings.targets, "prod", file, {})
    assert re.match(r"snowmelt.yml:\d+: targets.prod.account", told.value.where)
    with pytest.raises(ConfigError, match="an account such as"):
        resolve_target(project.settings.targets, "prod", file, {"SHOP_ACCOUNT": "a b"})
    found = resolve_target(
        project.settings.targets, "prod", file, {"SHOP_ACCOUNT": "org-x"}
    )
    assert isinstance(found, SnowflakeTarget)
    assert found.account == "org-x"
    with pytest.raises(ConfigError, match="has no SHOP_KEY"):
        found.secret("key_path", {})
    assert found.secret("key_path", {"SHOP_KEY": "/k"}) == "/k"
    assert "/k" not in repr(found)


def test_targets_are_named_and_local_is_this_machine(tmp_path: Path) -> None:
    project = load_project(project_with(tmp_path))
    with pytest.raises(UsageError, match="known: local, prod"):
        names_of(project, "staging")
    with pytest.raises(UsageError, match="there is nothing to deploy"):
        names_of(project, "local")
    bad = "version: 1\nname: shop\n" + yaml.safe_dump({"targets": {"local": TARGET}})
    (tmp_path / "snowmelt.yml").write_text(bad)
    with pytest.raises(ConfigError, match="'local' is this machine"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"warehouse": {"size": "tiny"}}, "there is no such size"),
        ({"warehose": {}}, "Did you mean 'warehouse'?"),
        ({"aws": {**AWS, "account": "12"}}, "an account has 12 digits"),
        ({"aws": {**AWS, "bucket": "No"}}, "a bucket has 3 to 63"),
        ({"token": "${T}"}, "write one of key_path and token"),
        ({"keep_history": "91d"}, "between 0s and 90d"),
        ({"prefix": "a b"}, "a prefix has"),
    ],
)
def test_a_target_that_is_off_is_told_where(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=r"snowmelt\.yml:") as error:
        load_project(project_with(tmp_path, **changed))
    assert told in str(error.value)


def test_projects_share_an_account_and_leave_each_other_alone(tmp_path: Path) -> None:
    account = Account()
    shop = deployed_into(states()["first"], account)
    apply_plan(shop, shop.plan())
    text = SETTINGS.replace("name: shop", "name: bakery") + TARGETS
    other = make_project(tmp_path, **{"snowmelt.yml": text})
    bakery = deployed_into(other, account)
    assert not bakery.plan().stuck
    apply_plan(bakery, bakery.plan())
    assert shop.plan().is_empty
    before = {key for key in account.things if key[1][0].startswith("SHOP")}
    apply_plan(bakery, bakery.plan_destroy())
    assert before <= account.things.keys()
    assert shop.plan().is_empty


def test_names_may_be_words_of_the_language(tmp_path: Path) -> None:
    odd = {"prefix": "select", "database": "table", "parent_role": "order"}
    target = {**TARGET, **odd, "warehouse": {"name": "_from", "credits_per_month": 9}}
    text = SETTINGS + yaml.safe_dump({"targets": {"prod": target}})
    orders = ORDERS.replace("name: orders", "name: group")
    settings = text.replace("stream_has_data(orders)", "stream_has_data(group)")
    changed = {"snowmelt.yml": settings, "pipes/orders.yml": orders}
    project = make_project(tmp_path, **changed)
    account = Account()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty
    assert ("DATABASE", ("TABLE",)) in account.things
    assert ("VIEW", ("TABLE", "BRONZE", "GROUP")) in account.things
    said = [each for each in account.statements if '"' in each]
    kinds = {" ".join(each.split()[:3]): each for each in said if "SHOW" not in each}
    assert len(kinds) > 20
    assert [problems(each) for each in kinds.values() if problems(each)] == []
    apply_plan(
        deployment,
        deployment.plan_destroy(
            frozenset({Address("snowflake", "database", '"TABLE"')})
        ),
    )
    assert not account.things


def test_a_project_that_moves_leaves_what_holds_data_behind(tmp_path: Path) -> None:
    account = Account()
    apply_plan(first := deployed_into(states()["first"], account), first.plan())
    account.land("raw/orders/1.csv", "1")
    target = {**TARGET, "prefix": "store"}
    text = SETTINGS + yaml.safe_dump({"targets": {"prod": target}})
    moved = deployed_into(make_project(tmp_path, **{"snowmelt.yml": text}), account)
    plan = moved.plan()
    told = {(str(s.action), s.address.name) for s in plan.steps}
    assert {("create", "STORE"), ("keep", "SHOP"), ("drop", "SHOP_WH")} <= told
    assert ("keep", "SHOP.BRONZE.ORDERS__ALL") in told
    # the old pipe is gone before the new one is there
    order = [s.address.name for s in plan.acting]
    assert order.index("SHOP.BRONZE.ORDERS_PIPE") < order.index(
        "STORE.BRONZE.ORDERS_PIPE"
    )
    apply_plan(moved, plan)
    assert not moved.plan().acting


def test_names_hold_for_both_clouds() -> None:
    target = SnowflakeTarget.model_validate({**TARGET, "prefix": "Web_Shop"})
    names = Names(Owner("shop", "prod"), target)
    assert (names.database, names.warehouse, names.role("reader")) == (
        "WEB_SHOP",
        "WEB_SHOP_WH",
        "WEB_SHOP_READER",
    )
    assert names.iam_role_arn == "arn:aws:iam::123456789012:role/web-shop-snowflake"
    assert names.topic_arn == "arn:aws:sns:eu-central-1:123456789012:web-shop-landing"
    assert names.location == "s3://shop-landing/raw/"
    again = Names(Owner("shop", "prod"), target)
    assert names.external_id == again.external_id
    assert names.external_id != Names(Owner("shop", "test"), target).external_id


def test_a_mark_is_found_in_any_comment() -> None:
    mark = Mark(Owner("shop", "prod"), "0123456789ab")
    assert Mark.read(f"x {mark}; catching up") == mark
    assert Mark.read("snowmelt shop/prod") is None
    assert Mark.read(None) is None


# -- errors


@pytest.mark.parametrize(
    ("statement", "message", "remedy"),
    [
        ("CREATE WAREHOUSE IF NOT EXISTS W", "Insufficient privileges to operate",
         "GRANT CREATE WAREHOUSE ON ACCOUNT TO ROLE"),
        ("CREATE STORAGE INTEGRATION I TYPE = X", "Insufficient privileges",
         "GRANT CREATE INTEGRATION ON ACCOUNT"),
        ("CREATE PIPE IF NOT EXISTS A.B.P AS COPY", "Insufficient privileges",
         "GRANT CREATE PIPE ON SCHEMA A.B TO ROLE"),
        ("CREATE OR ALTER TASK A.B.T", "Insufficient privileges",
         "GRANT CREATE TASK ON SCHEMA A.B TO ROLE"),
        ("CREATE SCHEMA A.B", "Insufficient privileges",
         "GRANT CREATE SCHEMA ON DATABASE A"),
        ("CREATE RESOURCE MONITOR M", "Insufficient privileges", "Only ACCOUNTADMIN"),
        ("ALTER TABLE A.T SET X = 1", "Insufficient privileges", "GRANT OWNERSHIP ON"),
        ("LIST @A.B.S", "Warehouse 'W' cannot be resumed: suspended by its monitor",
         "ALTER WAREHOUSE <name> RESUME"),
        ("SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('A.B.T')",
         "Cannot execute task, EXECUTE TASK privilege must be granted to owner role",
         "GRANT EXECUTE TASK ON ACCOUNT TO ROLE"),
        ("SELECT 1", "JWT token is invalid", "clock"),
        ("DESC TABLE T", "Object 'T' does not exist or not authorized", "role:"),
        ("SELECT 1", "OAuth access token expired", "Get a new token"),
        ("SELECT 1", "Too many requests", "apply again"),
    ],
)  # fmt: skip
def test_errors_name_the_grant_or_command_that_mends_them(
    statement: str, message: str, remedy: str
) -> None:
    error = AccountError(statement, 3001, f"SQL access control error: {message}")
    assert remedy in error.remedy
    assert error.where.startswith(statement[:20])
    assert "003001" in error.problem
