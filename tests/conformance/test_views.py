"""The views and functions under Snowflake's names: their columns, and what they say.

Column names and their order are those of Snowflake's documentation, in lower case;
https://docs.snowflake.com/en/sql-reference has a page for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.landing.stage import Channel
from snowmelt.service.pipe_status import (
    HistoryFacts,
    PendingFacts,
    asks_pipe_status,
    history_facts,
    pending_facts,
    pipe_status_document,
    write_statuses,
)
from snowmelt.warehouse.duckdb.views import (
    PipeEntry,
    StageEntry,
    ensure_views,
    write_catalog,
)

PIPE = {
    "name": "t",
    "pattern": "t*.csv",
    "on_error": "continue",
    "contract": columns("id integer, name varchar, amount double"),
}
HEAD = b"id,name,amount\n"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

SNOWFLAKES = {
    "copy_history": (
        "file_name stage_location last_load_time row_count row_parsed file_size "
        "first_error_message first_error_line_number first_error_character_pos "
        "first_error_column_name error_count error_limit status table_catalog_name "
        "table_schema_name table_name pipe_catalog_name pipe_schema_name pipe_name "
        "pipe_received_time bytes_billed"
    ),
    "pipe_usage_history": (
        "start_time end_time pipe_name credits_used bytes_inserted files_inserted "
        "bytes_billed"
    ),
    "validate_pipe_load('t', '2000-01-01')": (
        "error file line character byte_offset category code sql_state column_name "
        "row_number row_start_line rejected_record"
    ),
    "error_table": "timestamp query_id error_code error_metadata error_data",
    "stages": (
        "stage_catalog stage_schema stage_name stage_url stage_region stage_type "
        "stage_owner comment created last_altered"
    ),
    "pipes": (
        "pipe_catalog pipe_schema pipe_name pipe_owner definition "
        "is_autoingest_enabled notification_channel_name created last_altered comment "
        "pattern"
    ),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [PIPE]) as opened:
        yield opened


@pytest.fixture
def loaded(shop: Shop) -> Shop:
    """Load a whole file, one with two rejects, one that fails, and a new version."""
    shop.land("t_1.csv", HEAD + b"1,a,1.5\n2,b,2.5\n")
    shop.load()
    shop.land("t_2.csv", HEAD + b"3,c,3.5\nx,d\xc3\xa9,y\n5,e,z\n")
    shop.land("t_3.csv", b"no,such,columns\n1,2,3\n")
    shop.load()
    shop.land("t_1.csv", HEAD + b"1,a,9.5\n")
    shop.load()
    return shop


@pytest.mark.parametrize("name", SNOWFLAKES)
def test_snowflakes_columns_come_first_in_snowflakes_order(
    shop: Shop, name: str
) -> None:
    with shop.parts.warehouse.snapshot() as session:
        found = session.table(f"select * from snowmelt.{name}").columns
    wanted = SNOWFLAKES[name].split()
    assert found[: len(wanted)] == wanted


def test_copy_history_has_a_row_for_each_load(loaded: Shop) -> None:
    rows = loaded.rows(
        "select file_name, status, row_parsed, row_count, error_count, bytes_billed, "
        "table_catalog_name, pipe_schema_name, superseded_by is not null "
        "from snowmelt.copy_history order by load_seq"
    )
    assert [row[:6] for row in rows] == [
        ("t_1.csv", "Loaded", 2, 2, 0, 0),
        ("t_2.csv", "Partially loaded", 3, 1, 2, 0),
        ("t_3.csv", "Load failed", 0, 0, 0, 0),
        ("t_1.csv", "Loaded", 1, 1, 0, 0),
    ]
    assert {row[6:8] for row in rows} == {("warehouse", "snowmelt")}
    assert [row[8] for row in rows] == [True, False, False, False]
    assert loaded.rows(
        "select count(*) from snowmelt.copy_history "
        "where first_commit_time is distinct from last_load_time"
    ) == [(0,)]


def test_usage_counts_files_and_bytes_that_were_loaded(loaded: Shop) -> None:
    rows = loaded.rows(
        "select pipe_name, sum(files_inserted), sum(bytes_inserted), "
        "sum(credits_used), sum(bytes_billed), "
        "bool_and(end_time - start_time = interval 1 hour), "
        "bool_and(start_time = date_trunc('hour', start_time)) "
        "from snowmelt.pipe_usage_history group by all"
    )
    sizes = loaded.rows(
        "select sum(file_size) from snowmelt.load_history where row_count > 0"
    )
    assert rows == [("t", 3, sizes[0][0], 0.0, 0, True, True)]


def test_validation_has_a_row_for_each_thing_that_is_wrong(loaded: Shop) -> None:
    asked = (
        "select file, row_number, line, row_start_line, column_name, rejected_record, "
        "category from snowmelt.validate_pipe_load(pipe_name => 't', "
        "start_time => now() - interval 1 hour) order by file, row_number, column_name"
    )
    rows = loaded.rows(asked)
    refused = [row for row in rows if row[0] == "t_2.csv"]
    assert [row[:6] for row in refused] == [
        ("t_2.csv", 2, 3, 3, "amount", "x,dé,y"),
        ("t_2.csv", 2, 3, 3, "id", "x,dé,y"),
        ("t_2.csv", 3, 4, 4, "amount", "5,e,z"),
    ]
    (failed,) = [row for row in rows if row[0] == "t_3.csv"]
    assert (failed[1], failed[6]) == (None, "FILE")
    assert loaded.rows(asked.replace("'t'", "'u'")) == []
    assert loaded.rows(asked.replace("- interval", "+ interval")) == []
    ended = asked.replace("1 hour)", "1 hour, end_time => now() - interval 59 minute)")
    assert loaded.rows(ended) == []


def test_the_error_table_has_each_refused_record(loaded: Shop) -> None:
    rows = loaded.rows(
        "select query_id, error_metadata, error_data, timestamp is not null "
        "from snowmelt.error_table order by load_seq, file_row"
    )
    assert len(rows) == 2
    query_id, metadata, content, stamped = rows[0]
    told = json.loads(metadata)
    assert (query_id, stamped) == ("2", True)
    assert json.loads(content) == {"rejected_record": "x,dé,y"}
    assert told["service"] == "snowpipe"
    assert told["error_message"]
    assert told["details"]["pipe_name"] == "t"
    assert told["details"]["row_number"] == 2
    assert {each["column_name"] for each in told["details"]["errors"]} == {
        "id",
        "amount",
    }


def test_bytes_that_are_no_text_can_be_shown(loaded: Shop) -> None:
    with loaded.parts.warehouse.session() as session:
        session.execute(
            "update snowmelt.rejects set rejected_record = 'a\\xFF'::blob "
            "where file_row = 2"
        )
    shown = loaded.rows(
        "select error_data ->> 'rejected_record' from snowmelt.error_table "
        "where file_row = 2"
    )
    assert shown == [("a\\xFF",)]


def test_views_are_made_again_for_another_product_version(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.parts.warehouse.session() as session:
        session.execute("drop view snowmelt.copy_history")
        ensure_views(session)
        there = "select count(*) from duckdb_views() where view_name = 'copy_history'"
        assert session.value(there) == 0
        monkeypatch.setattr("snowmelt.warehouse.duckdb.views.__version__", "99")
        ensure_views(session)
        assert session.value(there) == 1


ENTRY = PipeEntry(
    name="t",
    table_name="t",
    pattern="t*.csv",
    on_error="skip_file_5%",
    file_format={"type": "csv", "null_if": ["", "it's"], "trim_space": True},
    digest="one",
    comment="Small rows.",
)
STAGE = StageEntry("landing", "/shop/landing")


def test_the_catalog_is_written_when_a_project_is_opened(shop: Shop) -> None:
    assert shop.rows("select pipe_name, stage_url from snowmelt.pipes, snowmelt.stages")


def forget_catalog(shop: Shop) -> None:
    with shop.parts.warehouse.session() as session:
        session.execute("delete from snowmelt.pipes")
        session.execute("delete from snowmelt.stages")


def test_the_catalog_shows_pipes_and_the_stage(shop: Shop) -> None:
    forget_catalog(shop)
    with shop.parts.warehouse.session() as session:
        assert write_catalog(session, [ENTRY], STAGE, NOON)
    assert shop.rows(
        "select pipe_name, definition, pattern, comment, created, last_altered, "
        "file_format ->> '$.type' from snowmelt.pipes"
    ) == [
        (
            "t",
            "copy into bronze.t from @landing file_format = (type = 'csv' "
            "null_if = ('', 'it''s') trim_space = true) on_error = 'skip_file_5%'",
            *("t*.csv", "Small rows.", NOON, NOON, "csv"),
        )
    ]
    assert shop.rows(
        "select stage_name, stage_url, stage_type, created from snowmelt.stages"
    ) == [("landing", "/shop/landing", "Internal Named", NOON)]


def test_the_catalog_remembers_when_a_pipe_was_made_and_altered(shop: Shop) -> None:
    later, last = NOON + timedelta(days=1), NOON + timedelta(days=2)
    other = replace(ENTRY, name="u")
    times = "select pipe_name, created, last_altered from snowmelt.pipes order by all"
    forget_catalog(shop)
    with shop.parts.warehouse.session() as session:
        write_catalog(session, [ENTRY], STAGE, NOON)
        assert not write_catalog(session, [ENTRY], STAGE, later)
        assert write_catalog(session, [ENTRY, other], STAGE, later)
        assert session.rows(times) == [("t", NOON, NOON), ("u", later, later)]
        assert write_catalog(session, [replace(ENTRY, digest="two")], STAGE, last)
        assert session.rows(times) == [("t", NOON, last)]
        bucket = StageEntry("landing", "s3://b/p", is_external=True, region="eu-west-1")
        assert write_catalog(session, [], bucket, last)
        assert session.rows(times) == []
        assert session.rows(
            "select stage_type, created, last_altered from snowmelt.stages"
        ) == [("External Named", NOON, last)]


def test_a_status_has_snowflakes_keys_and_leaves_out_what_is_not_known() -> None:
    quiet = pipe_status_document(HistoryFacts(), PendingFacts(NOON))
    assert quiet == {
        "executionState": "RUNNING",
        "pendingFileCount": 0,
        "pendingAsOfTimestamp": "2026-11-21T12:00:00.000Z",
    }
    channel = Channel("arn:queue", 3, 9, 1, NOON, NOON, "access denied")
    history = HistoryFacts("PAUSED", NOON, "t_0.csv", NOON)
    pending = PendingFacts(NOON, 2, "t_1.csv", NOON, "no table", NOON)
    full = pipe_status_document(history, pending, channel)
    assert set(full) == {
        *("executionState", "oldestPendingFilePath", "oldestFileTimestamp"),
        *("pendingFileCount", "lastPipeErrorTimestamp", "lastIngestedTimestamp"),
        *("lastIngestedFilePath", "notificationChannelName", "error"),
        *("numOutstandingMessagesOnChannel", "lastReceivedMessageTimestamp"),
        "channelErrorMessage",
        *("lastErrorRecordTimestamp", "lastPulledFromChannelTimestamp"),
        "pendingAsOfTimestamp",
    }
    assert full["executionState"] == "PAUSED"
    none_waits = pipe_status_document(history, replace(pending, count=0), channel)
    assert not {key for key in none_waits if key.startswith("oldest")}


def test_a_status_can_be_asked_for_in_sql(loaded: Shop) -> None:
    loaded.land("t_4.csv", HEAD)
    loaded.loop.look()
    states: list[dict[str, Any]] = loaded.parts.pending.states()
    with loaded.parts.warehouse.session() as session:
        session.execute(
            "insert into snowmelt.pipe_states values "
            "('t', 'RUNNING', $1::timestamptz, null), ('t', 'PAUSED', $2, 'a person')",
            [NOON, NOON + timedelta(hours=1)],
        )
        facts = history_facts(session)["t"]
        document = pipe_status_document(facts, pending_facts(states, "t", NOON))
        write_statuses(session, {"t": document}, NOON)
    asked = "select snowmelt.pipe_status('t'), snowmelt.pipe_status('u')"
    assert asks_pipe_status(asked)
    ((answer, absent),) = loaded.rows(asked)
    assert absent is None
    assert json.loads(answer) == document
    assert document["executionState"] == "PAUSED"
    assert document["pendingFileCount"] == 1
    assert document["oldestPendingFilePath"] == "t_4.csv"
    assert document["lastIngestedFilePath"] == "t_1.csv"
    assert "lastErrorRecordTimestamp" in document
