"""Loads and runs are told to real receivers, which never cost a load or a run."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from small_shop import Shop, columns, open_shop
from task_project import open_world

from receiver import Receiver, receiving, told
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError
from snowmelt.events import Events
from snowmelt.observe.export import exporting
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="extra: otel")
pytest.importorskip("openlineage.client", reason="extra: lineage")

ORDERS = {
    "name": "orders",
    "pattern": "orders*.csv",
    "on_error": "continue",
    "contract": columns("id integer, amount integer"),
}
MODELS = {
    "models/orders.sql": "{{ config(materialized='table') }} "
    "select id, amount from {{ source('bronze', 'orders') }}",
    "models/totals.sql": "select sum(amount) as total from {{ ref('orders') }}",
    "models/models.yml": """
version: 2
models:
  - name: orders
    columns: [{name: amount, data_type: integer, data_tests: [not_null]}]
""",
}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OPENLINEAGE_URL", found.url)
        yield found


def make(stack: ExitStack, root: Path) -> Shop:
    shop = stack.enter_context(open_shop(root, [ORDERS]))
    for name, text in MODELS.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return shop


def land(shop: Shop, name: str, *rows: str) -> None:
    shop.land(name, "\n".join(["id,amount", *rows, ""]).encode())


@pytest.fixture
def told_shop(tmp_path: Path, receiver: Receiver) -> Shop:
    """A shop that loaded three files, published, and failed to publish a fourth."""
    with ExitStack() as stack:
        shop = make(stack, tmp_path / "shop")
        land(shop, "orders_1.csv", "1,10", "2,x")
        land(shop, "orders_2.csv", "3,30")
        land(shop, "orders_3.csv", 'a,b,c"')
        shop.load()
        shop.loop.publishes = True
        shop.load()
        land(shop, "orders_4.csv", "4,")
        shop.load()
    return shop


def test_traces_and_lineage_say_what_the_histories_say(
    told_shop: Shop, receiver: Receiver
) -> None:
    with (
        opened(load_project(told_shop.root), SystemClock(), Events()) as parts,
        parts.warehouse.snapshot() as session,
    ):
        runs = session.rows(
            "select run_id, state, started_at, ended_at, error "
            "from snowmelt.run_history order by started_at"
        )
        loads = session.rows(
            "select file_name, status, row_count, error_count, file_size, "
            "load_seq from snowmelt.load_history order by load_seq"
        )
        queries = session.rows(
            "select run_id, count(*) from snowmelt.query_history "
            "group by run_id order by run_id"
        )
    require_traces(receiver, runs, loads, dict(queries))
    require_lineage(receiver, told_shop, runs, loads)


def require_traces(
    receiver: Receiver, runs: list[Any], loads: list[Any], queries: dict[str, int]
) -> None:
    assert receiver.resource["service.name"] == "snowmelt"
    assert receiver.resource["snowmelt.project"] == "small"
    spans = {span.span_id: span for span in receiver.spans}
    assert len(spans) == len(receiver.spans)
    of_loads = [span for span in spans.values() if span.name == "load orders"]
    files = [event for span in of_loads for event in span.events]
    found = sorted(
        tuple(
            told(event)[name]
            for name in (
                "file.path",
                "snowmelt.load.status",
                "snowmelt.load.rows",
                "snowmelt.load.rejected",
                "file.size",
                "snowmelt.load.seq",
            )
        )
        for event in files
    )
    assert found == sorted(loads)
    for span in of_loads:
        assert not span.parent_span_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert told(span)["snowmelt.pipe"] == "orders"

    of_runs = [span for span in spans.values() if span.name == "run"]
    assert [told(span)["snowmelt.run.id"] for span in of_runs] == [r[0] for r in runs]
    for span, (run_id, state, started_at, ended_at, error) in zip(
        of_runs, runs, strict=True
    ):
        assert told(span)["snowmelt.run.state"] == state
        assert _us(span.start_time_unix_nano) == started_at
        assert _us(span.end_time_unix_nano) >= ended_at
        assert (span.status.code, span.status.message) == (
            (2, error) if error else (0, "")
        )
        below = [s for s in spans.values() if s.trace_id == span.trace_id]
        statements = [s for s in below if "db.system.name" in told(s)]
        assert len(statements) == queries[run_id]
        assert {told(s)["db.namespace"] for s in statements} == {"warehouse"}
        for each in below:
            parent = spans.get(each.parent_span_id)
            if each is span:
                assert parent is None
                continue
            assert parent is not None
            assert each.start_time_unix_nano >= span.start_time_unix_nano
            if each in statements and parent is not span:
                assert parent.start_time_unix_nano <= each.start_time_unix_nano
                assert parent.end_time_unix_nano >= each.end_time_unix_nano
        names = {s.name for s in below}
        assert {"model orders", "test not_null_orders_amount", "CREATE"} <= names
    read = [[link.span_id for link in span.links] for span in of_runs]
    assert {spans[each].name for each in read[0]} == {"load orders"}
    in_order = sorted(of_loads, key=lambda each: each.start_time_unix_nano)
    assert set(read[0]) == {each.span_id for each in in_order[:-1]}
    assert read[1] == [in_order[-1].span_id]
    failed = next(
        s
        for s in spans.values()
        if s.name == "test not_null_orders_amount" and s.status.code == 2
    )
    assert told(failed)["snowmelt.node.failures"] == 1


def require_lineage(
    receiver: Receiver, shop: Shop, runs: list[Any], loads: list[Any]
) -> None:
    events = receiver.events
    for event in events:
        require_valid(event)
    by_run: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    for of_run in by_run.values():
        states = [event["eventType"] for event in of_run]
        assert states[0] == "START"
        assert len(states) == 2
        assert states[1] in ("COMPLETE", "FAIL", "ABORT")
        assert of_run[0]["eventTime"] <= of_run[1]["eventTime"]
        assert of_run[0]["job"]["name"] == of_run[1]["job"]["name"]

    ended = [event for event in events if event["eventType"] != "START"]
    copies = [e for e in ended if e["job"]["name"] == "small.load.orders"]
    files = {
        each["name"]: each["inputFacets"]["snowmelt_settled"]
        for copy in copies
        for each in copy["inputs"]
    }
    landing = f"{(shop.root / 'landing').resolve()}/"
    assert sorted(
        (name, facet["status"], facet["rowsLoaded"], facet["recordsRejected"])
        for name, facet in files.items()
    ) == sorted((landing + load[0], *load[1:4]) for load in loads)
    assert {each["namespace"] for copy in copies for each in copy["inputs"]} == {"file"}
    bronze = [copy["outputs"][0] for copy in copies]
    assert {each["name"] for each in bronze} == {"warehouse.bronze.orders"}
    assert bronze[0]["facets"]["schema"]["fields"] == [
        {"name": "id", "type": "integer", "fields": []},
        {"name": "amount", "type": "integer", "fields": []},
    ]
    rows = [each["outputFacets"]["outputStatistics"]["rowCount"] for each in bronze]
    assert sum(rows) == sum(load[2] for load in loads)

    of_runs = {run[0]: by_run[run[0]][-1] for run in runs}
    assert [e["eventType"] for e in of_runs.values()] == ["COMPLETE", "FAIL"]
    error = of_runs[runs[1][0]]["run"]["facets"]["errorMessage"]["message"]
    assert error == runs[1][4]
    made = [e for e in ended if e["job"]["name"] == "small.orders"]
    for event, run in zip(made, runs, strict=True):
        assert event["run"]["facets"]["parent"]["run"]["runId"] == run[0]
        assert [each["name"] for each in event["inputs"]] == ["warehouse.bronze.orders"]
        (output,) = event["outputs"]
        assert output["name"] == "warehouse.main.orders"
        assert output["facets"]["schema"]["fields"][0]["name"] == "amount"
    (totals,) = [e for e in ended if e["job"]["name"] == "small.totals"][:1]
    assert [each["name"] for each in totals["inputs"]] == ["warehouse.main.orders"]
    tested = [e for e in ended if e["job"]["name"] == "small.test.main.orders"]
    assert [e["eventType"] for e in tested] == ["COMPLETE", "FAIL"]
    asserted = [
        e["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]
        for e in tested
    ]
    assert [each["success"] for each in asserted] == [True, False]
    assert {(each["assertion"], each["column"]) for each in asserted} == {
        ("not_null", "amount")
    }


def require_valid(event: dict[str, Any]) -> None:
    """Hold an event against what https://openlineage.io/spec/2-0-2 requires."""
    assert event["schemaURL"].startswith("https://openlineage.io/spec/")
    assert re.match(r"^https?://", event["producer"])
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    UUID(event["run"]["runId"])
    places = [event["job"], *event["inputs"], *event["outputs"]]
    assert all(each["namespace"] and each["name"] for each in places)
    facets = [event["run"].get("facets", {})]
    for each in places:
        kinds = ("facets", "inputFacets", "outputFacets")
        facets += [each.get(kind) or {} for kind in kinds]
    for each in facets:
        for name, facet in each.items():
            assert facet["_producer"], name
            assert facet["_schemaURL"].startswith("https://openlineage.io/"), name


def test_tasks_are_spans_below_their_graphs_root(
    tmp_path: Path, receiver: Receiver
) -> None:
    tasks = {
        "root": {"shell": "true"},
        "model": {"after": "root", "dbt": {"select": "model"}},
        "broken": {"after": "model", "shell": "echo no >&2; exit 3"},
        "tidy": {"finalize": "root", "shell": "true"},
    }
    with open_world(tmp_path, tasks) as world:
        group_id = world.verbs.task_run(None, None)["graph_run"]["graph_run_group_id"]
        row = world.row("broken")
    spans = {span.name: span for span in receiver.spans if span.name.startswith("task")}
    assert set(spans) == {"task root", "task model", "task broken", "task tidy"}
    root = spans.pop("task root")
    assert not root.parent_span_id
    for span in spans.values():
        assert span.parent_span_id == root.span_id
        assert span.trace_id == root.trace_id
        assert told(span)["snowmelt.task.graph_run_group_id"] == group_id
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    broken = spans["task broken"]
    assert (broken.status.code, broken.status.message) == (2, row["error_message"])
    assert _us(broken.start_time_unix_nano) == row["query_start_time"]
    assert told(spans["task model"])["snowmelt.task.state"] == "SUCCEEDED"
    assert spans["task tidy"].status.code == 0


@pytest.mark.parametrize("gone", [pytest.param("slow", marks=pytest.mark.long), "down"])
def test_a_receiver_that_is_away_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    with receiving() as receiver, ExitStack() as stack:
        url = receiver.url
        receiver.open.clear()
        if gone == "down":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        shop = make(stack, tmp_path / "shop")
        monkeypatch.setattr(logging.getLogger("snowmelt"), "propagate", False)
        for number in range(3):
            land(shop, f"orders_{number}.csv", f"{number},1")
            began = time.monotonic()
            shop.load()
            assert time.monotonic() - began < 15, "a load waited for a receiver"
        assert shop.rows("select count(*) from bronze.orders") == [(3,)]
        began = time.monotonic()
        stack.close()
        within = shop.parts.project.settings.observe.close_seconds
        assert time.monotonic() - began < within + 15, "closing waited for it"


def test_settings_that_need_an_extra_say_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_shop(tmp_path / "shop", [ORDERS]):
        pass
    settings = tmp_path / "shop" / "snowmelt.yml"
    written = settings.read_text()
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    for key, extra in (("otel", "otel"), ("openlineage", "lineage")):
        settings.write_text(f"{written}observe: {{{key}: {{}}}}\n")
        project = load_project(tmp_path / "shop")
        with (
            pytest.raises(ConfigError) as refused,
            opened(project, SystemClock(), Events()),
        ):
            raise AssertionError("it was opened")
        assert refused.value.where == f"snowmelt.yml: observe.{key}"
        assert refused.value.remedy == f"pip install 'snowmelt[{extra}]'"


def _us(nanoseconds: int) -> datetime:
    from datetime import UTC, timedelta

    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + timedelta(microseconds=nanoseconds // 1000)
