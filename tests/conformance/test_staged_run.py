"""A run in stages is one run: the same rows, tests and records, or nothing at all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shop import Shop
from small_histories import History, item
from small_project import (
    ORDERS,
    VISITS,
    OpenSmall,
    Warm,
    differences,
    make_small,
    open_small,
    rebuilt,
    tables_of,
)
from snowmelt.errors import ConfigError, RunError, UsageError
from snowmelt.gold.staged_run import StagedRun
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.project_digest import project_digest

CASES = 6
SELECTIONS = ("silver", "gold", "+fct_orders", "orders_by_month order_balance")
RECORDED = {
    "nodes": "select node, resource_type, status, failures, form, message "
    "from snowmelt.node_history where run_id = ?",
    "run": "select state, reason, read_through, full_refresh, models, tests, way, "
    "fallback_reason, error from snowmelt.run_history where run_id = ?",
    "accounts": "select * exclude (run_id) from snowmelt.reconciliation "
    "where run_id = ?",
    "evidence": "select test, ordinal, failing_row from snowmelt.test_failures "
    "where run_id = ?",
    "offsets": "select consumer, source, position from snowmelt.stream_offsets "
    "where ? is not null",
    "logs": "select * from snowmelt.change_logs where ? is not null",
    "steps": "select step, object, status, rows_out, error from snowmelt.pipeline_log "
    "where run_id = ?",
    "statements": "select node, query_text, rows_produced, status "
    "from snowmelt.query_history where run_id = ? and node is not null",
}


@pytest.fixture(scope="module")
def warm_stages(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Warm:
    """A warm project in which dbt was asked what some selections name."""
    root = tmp_path_factory.mktemp("stages") / "shop"
    shop = warm.copy(root)
    with (root / "snowmelt.yml").open("a") as settings:
        settings.write("load: {lanes_max: 1}\n")  # loads have the same order in twins
    with open_small(shop) as commands:
        publication, digest = commands.loop.parts.publication, project_digest(root)
        named = {
            selection: publication.selected(digest, selection.split())
            for selection in SELECTIONS
        }
        with pytest.raises(ConfigError, match="selection 'no_such_model'"):
            publication.selected(digest, ["silver", "no_such_model"])
        with pytest.raises(ConfigError, match="selection 'colour:blue'"):
            publication.selected(digest, ["colour:blue"])
    assert "model.small.orders" in named["silver"]
    assert "model.small.fct_orders" not in named["silver"]
    assert "model.small.items" in named["+fct_orders"]
    assert len(named["orders_by_month order_balance"]) == 2
    return Warm(root, warm.rebuild)


def stage(commands: OpenSmall, reason: str = "") -> StagedRun:
    parts = commands.loop.parts
    run = parts.publication.stage(project_digest(parts.project.root), reason)
    assert run is not None
    return run


def load(commands: OpenSmall) -> None:
    """Load what landed, and publish nothing."""
    commands.loop.publishes = False
    assert not commands.run(None)["problems"]
    commands.loop.publishes = True


def in_stages(commands: OpenSmall, rng: random.Random) -> str | None:
    """Publish in stages drawn by lot; return the run, if one was due."""
    parts = commands.loop.parts
    run = parts.publication.stage(project_digest(parts.project.root), "")
    if run is None:
        return None
    try:
        for selection in rng.sample(SELECTIONS, rng.randint(0, len(SELECTIONS))):
            run.build(selection.split())
    except RunError:
        assert not run.is_open
    return run.commit().run_id


def at_once(commands: OpenSmall) -> str | None:
    parts = commands.loop.parts
    run = parts.publication.publish(project_digest(parts.project.root))
    return run.run_id if run else None


def records(commands: OpenSmall, run_id: str) -> dict[str, list[str]]:
    """Return all that is recorded and told of a run, but for times."""
    commands.loop.parts.pipeline_log.write()
    with commands.warehouse.snapshot() as session:
        return {
            name: sorted(map(repr, session.rows(sql, [run_id])))
            for name, sql in RECORDED.items()
        }


class TwoShops(Shop):
    """What lands in the first lands in both."""

    def __init__(self, root: Path, other: Shop) -> None:
        super().__init__(root)
        self.other = other

    def land_bytes(self, name: str, content: bytes) -> None:
        super().land_bytes(name, content)
        self.other.land_bytes(name, content)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, 20))]
)
def test_stages_publish_what_one_run_publishes(
    tmp_path: Path, warm_stages: Warm, seed: int
) -> None:
    other = warm_stages.copy(tmp_path / "other")
    shop = TwoShops(warm_stages.copy(tmp_path / "shop").root, other)
    history = History(shop, warm_stages, random.Random(seed))
    states = set()
    with open_small(other) as commands:
        history.commands.loop.publishes = commands.loop.publishes = False
        for case in range(CASES):
            history.steps.append(f"-- case {case}")
            for event in history.rng.choices(
                [History.new_file, History.correction], k=history.rng.randint(1, 4)
            ):
                event(history)
                for each in (history.commands, commands):
                    load(each)  # one by one: else their order is a matter of chance
            if case % 3 > 0:
                price = -9999 if case % 3 == 1 else 5
                line = item("w0", 3, "a1", 1, price)
                shop.land_bytes("items_bad.json", line.encode())
                for each in (history.commands, commands):
                    load(each)
            told = "\n".join(history.steps)
            staged, whole = in_stages(history.commands, history.rng), at_once(commands)
            assert (staged is None) == (whole is None)
            if staged is None or whole is None:
                continue
            made, wanted = records(history.commands, staged), records(commands, whole)
            states.add(made["run"][0].split(",")[0])
            if "SUCCEEDED" in made["run"][0]:
                assert made == wanted, told
            else:  # the tests of stages to come were not run
                assert "'FAILED'" in wanted["run"][0], told
                assert made["evidence"] and made["offsets"] == wanted["offsets"], told
            with (
                history.commands.warehouse.session() as ours,
                commands.warehouse.session() as theirs,
            ):
                found = differences(tables_of(ours), tables_of(theirs))
                assert not found, "\n".join([told, *found[:20]])
        history.check()
    history.close()
    assert len(states) == 2, "runs that failed, and runs that did not"


@pytest.fixture
def shop(tmp_path: Path, warm_stages: Warm) -> Shop:
    return warm_stages.copy(tmp_path / "shop")


@contextmanager
def loaded(shop: Shop, **files: str) -> Iterator[OpenSmall]:
    """Open a project with an order, or these files, that is loaded and no more."""
    files = files or {"orders_new.csv": f"{ORDERS}n1,c1,aa,open,7,2024-03-01,\n"}
    for name, text in files.items():
        shop.land_bytes(name, text.encode())
    with open_small(shop) as commands:
        load(commands)
        yield commands


def order_count(commands: OpenSmall, order: str = "n1") -> int:
    sql = f"select count(*) from gold.fct_orders where order_id = '{order}'"
    return int(commands.rows(sql)[0][0])


def run_row(commands: OpenSmall, run: StagedRun) -> tuple[Any, ...]:
    sql = f"select state, error from snowmelt.run_history where run_id = '{run.run_id}'"
    return commands.rows(sql)[0]


def test_what_reads_more_than_its_stage_waits_or_comes_first(shop: Shop) -> None:
    with loaded(shop) as commands, stage(commands, "graph nightly") as run:
        made = [node.node for node in run.build(["gold"])]
        assert made.index("orders") < made.index("fct_orders"), "what gold reads is due"
        assert "unique_orders_order_id" in made
        assert run.build(["silver"]) == [], "all of it is built already"
        result = run.commit()
        assert result.state == "SUCCEEDED"
        assert result.reason.startswith("graph nightly: new rows in ")
        assert order_count(commands) == 1


def test_a_test_of_two_stages_waits_for_the_second(shop: Shop) -> None:
    both = "relationships_fct_orders_customer_id__customer_id__ref_customers_"
    with loaded(shop) as commands, stage(commands) as run:
        silver = {node.node for node in run.build(["silver"])}
        assert "orders" in silver and both not in silver
        assert both in {node.node for node in run.build(["gold"])}
        assert run.commit().state == "SUCCEEDED"


def test_loads_go_on_beside_an_open_run_and_are_news_for_the_next(shop: Shop) -> None:
    with loaded(shop) as commands:
        before = commands.rows("select count(*) from gold.fct_orders")
        with stage(commands) as run:
            run.build(["silver"])
            shop.land_bytes("orders_more.csv", f"{ORDERS}n2,c1,aa,open,7,,\n".encode())
            load(commands)
            known = "select count(*) from bronze.orders where order_id in ('n1', 'n2')"
            assert commands.rows(known) == [(2,)], "the load is committed"
            assert run.session.rows(known) == [(1,)], "and not part of the run"
            assert commands.rows("select count(*) from gold.fct_orders") == before
            built = "select count(*) from silver.orders where order_id = 'n1'"
            assert commands.rows(built) == [(0,)], "readers see the run before"
            assert run.session.rows(built) == [(1,)]
            assert run.commit().state == "SUCCEEDED"
        assert (order_count(commands, "n1"), order_count(commands, "n2")) == (1, 0)
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        assert order_count(commands, "n2") == 1


def test_a_gate_looks_at_whole_tables(shop: Shop) -> None:
    with loaded(shop) as commands:
        with commands.warehouse.session() as session:
            # no test of changed rows would ever find it
            session.execute(
                "update gold.fct_orders set item_value = -1 where order_id = 'w1'"
            )
        with stage(commands) as run:
            assert not any(node.failed for node in run.build(["gold"]))
            with pytest.raises(RunError, match="snowmelt_at_least_fct_orders"):
                run.test(["gold"])
            assert not run.is_open
            assert run.commit().state == "FAILED", "it has ended already"
        assert order_count(commands) == 0
        evidence = commands.rows("select failing_row from snowmelt.test_failures")
        assert [json.loads(row)["item_value"] for (row,) in evidence] == ["-1.00"]
        with commands.warehouse.session() as session:
            session.execute(
                "update gold.fct_orders set item_value = 1.5 where order_id = 'w1'"
            )
        with stage(commands) as run:
            first = {node.node: node.form for node in run.build(["silver"])}
            second = {node.node: node.form for node in run.test(["silver"])}
            assert first["unique_orders_order_id"] == "delta"
            assert second["unique_orders_order_id"] == "replayed"
            result = run.commit()
        tests = [node.node for node in result.nodes if node.resource_type == "test"]
        assert len(tests) == len(set(tests)), "of a test one result counts, the whole"
        assert result.state == "SUCCEEDED"


def test_a_run_that_is_left_is_rolled_back_and_the_next_one_begins(shop: Shop) -> None:
    with loaded(shop) as commands:
        with pytest.raises(ZeroDivisionError), stage(commands) as run:
            run.build(["silver"])
            1 / 0  # noqa: B018
        assert run_row(commands, run) == ("FAILED", "division by zero")
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        assert order_count(commands) == 1


def test_a_run_is_abandoned_in_the_middle_of_a_statement(shop: Shop) -> None:
    with loaded(shop) as commands:
        run = stage(commands)
        run.build(["silver"])
        broken: list[Exception] = []
        begun = threading.Event()
        building = run._building
        assert building is not None

        def endless() -> None:
            def never(_: object) -> None:
                begun.set()
                run._raw.value(
                    "select count(*) from range(1e7::int) a, range(1e7::int)"
                )

            try:
                run._carry_out(never)
            except Exception as error:  # noqa: BLE001 - whatever it is
                broken.append(error)

        worker = threading.Thread(target=endless)
        worker.start()
        assert begun.wait(10)
        result = run.abandon("it took longer than 5 minutes")
        worker.join(10)
        assert not worker.is_alive() and len(broken) == 1
        assert result.state == "FAILED"
        assert run_row(commands, run) == ("FAILED", "it took longer than 5 minutes")
        assert order_count(commands) == 0
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"


def test_sql_on_the_session_is_part_of_the_run_and_cannot_end_it(shop: Shop) -> None:
    with loaded(shop) as commands:
        with stage(commands) as run:
            run.build(["gold"])
            for sql in ("commit", "/* now */ ROLLBACK", "select 1; commit"):
                with pytest.raises(UsageError, match="transaction"):
                    run.session.execute(sql)
            with pytest.raises(Exception, match="no_such_table"):
                run.session.rows("from no_such_table")
            run.session.execute("create table gold.of_a_task as select 7 as n")
            assert commands.rows(
                "select count(*) from information_schema.tables "
                "where table_name = 'of_a_task'"
            ) == [(0,)]
            assert run.commit().state == "SUCCEEDED"
        assert commands.rows("from gold.of_a_task") == [(7,)]
        commands.loop.parts.pipeline_log.write()
        told = commands.rows(
            "select count(*) from snowmelt.query_history "
            f"where run_id = '{run.run_id}' "
            "and query_text like 'create table gold.of_a_task%'"
        )
        assert told == [(1,)]


def test_a_statement_that_gives_up_the_transaction_fails_the_run(shop: Shop) -> None:
    with loaded(shop) as commands:
        run = stage(commands)
        run.build(["silver"])
        with pytest.raises(Exception, match="Conversion"):
            run.session.rows("select cast(order_id as integer) from silver.orders")
        with pytest.raises(RunError, match="Conversion"):
            run.build(["gold"])
        assert run.commit().state == "FAILED"
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"


def spoil(shop: Shop, model: str) -> None:
    """Let what is recorded of a model fail."""
    path = shop.root / RECORDINGS
    document = json.loads(path.read_text())
    statements = document["nodes"][f"model.small.{model}"]["statements"]
    statements[-1:] = ["select no_such_function()"]
    path.write_text(json.dumps(document))


def test_a_recording_that_breaks_is_made_good_by_dbt_with_all_before(
    shop: Shop,
) -> None:
    spoil(shop, "orders_by_month")
    with loaded(shop) as commands:
        with stage(commands) as run:
            assert {node.form for node in run.build(["silver"])} <= {
                "replayed",
                "delta",
            }
            made = run.build(["gold"])
            assert {node.form for node in made} == {"dbt"}
            assert "fct_orders" in {node.node for node in made}
            assert "orders" not in {node.node for node in made}, "of the stage before"
            result = run.commit()
        assert (result.state, result.built.way) == ("SUCCEEDED", "dbt")
        assert order_count(commands) == 1


def test_dbt_is_not_asked_again_behind_the_back_of_what_a_task_wrote(
    shop: Shop,
) -> None:
    spoil(shop, "orders_by_month")
    with loaded(shop) as commands:
        with stage(commands) as run:
            run.build(["silver"])
            run.session.execute("create table gold.of_a_task as select 7 as n")
            with pytest.raises(RunError, match="tasks had written already"):
                run.build(["gold"])
        assert order_count(commands) == 0
        assert not json.loads((shop.root / RECORDINGS).read_text())["nodes"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shop import Shop
from small_project import open_small
from snowmelt.transform.project_digest import project_digest
root = Path(sys.argv[1])
with open_small(Shop(root)) as commands:
    run = commands.loop.parts.publication.stage(project_digest(root), "graph nightly")
    run.build(["silver"])
    run.session.execute("create table gold.of_a_task as select 7 as n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_between_stages_publishes_nothing(shop: Shop) -> None:
    with loaded(shop) as commands, commands.warehouse.session() as session:
        before = tables_of(session)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(shop.root), str(Path(__file__).parents[1])],
        capture_output=True,
        timeout=120,
        check=False,
        env=os.environ,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with open_small(shop) as commands:
        with commands.warehouse.session() as session:
            assert differences(tables_of(session), before) == []
        (state, error, reason) = commands.rows(
            "select state, error, reason from snowmelt.run_history "
            "order by started_at desc limit 1"
        )[0]
        assert state == "FAILED"
        assert reason.startswith("graph nightly: new rows in ")
        assert "the process ended before the run did" in error
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        assert order_count(commands) == 1


@pytest.mark.long
def test_by_dbt_stages_refresh_what_is_blind_to_corrections(
    shop: Shop, warm: Warm
) -> None:
    shop.land_bytes("visits_warm_1.csv", f"{VISITS}9,c1,12\n".encode())
    with loaded(shop, **{"orders_n.csv": f"{ORDERS}n1,c1,aa,open,7,,\n"}) as commands:
        with stage(commands) as run:
            silver = {node.node for node in run.build(["silver"])}
            assert {"orders", "visits"} <= silver and "visit_sizes" not in silver
            result = run.commit()
        assert (result.state, result.built.way) == ("SUCCEEDED", "dbt")
        assert result.full_refresh == ("visit_sizes",)
        results = json.loads((shop.root / "target" / "run_results.json").read_text())
        named = {each["unique_id"] for each in results["results"]}
        assert {"model.small.orders", "model.small.visit_sizes"} <= named
        with commands.warehouse.session() as session:
            found = differences(tables_of(session), rebuilt(session, warm.rebuild))
        assert not found, "\n".join(found[:20])


@pytest.mark.long
def test_a_first_build_in_stages(tmp_path: Path, warm: Warm) -> None:
    shop = make_small(tmp_path / "shop")
    with loaded(shop) as commands:
        with stage(commands) as run:
            silver = {node.node for node in run.build(["silver"])}
            assert "orders" in silver and "fct_orders" not in silver
            assert run.test(["silver"])
            assert run.commit().state == "SUCCEEDED"
        with commands.warehouse.session() as session:
            found = differences(tables_of(session), rebuilt(session, warm.rebuild))
        assert not found, "\n".join(found[:20])
        with stage_after(shop, commands) as run:
            run.build(["silver"])
            assert run.commit().built.way == "dbt"


@contextmanager
def stage_after(shop: Shop, commands: OpenSmall) -> Iterator[StagedRun]:
    shop.land_bytes("orders_next.csv", f"{ORDERS}n2,c1,aa,open,7,,\n".encode())
    load(commands)
    with stage(commands) as run:
        yield run
