"""The commands as a user types them: real processes, their output and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shop import SNOWMELT, Shop, make_shop
from snowmelt.bronze.copy import Copier
from snowmelt.cli.init import show_next
from snowmelt.cli.main import COMMANDS, group
from snowmelt.clock import SystemClock
from snowmelt.project.project import load_project
from snowmelt.synth.olist import make_olist

ORDERS_HEADER = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,"
    "order_estimated_delivery_date\n"
)
PAYMENTS_HEADER = (
    "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"
)
REVIEWS_HEADER = (
    "review_id,order_id,review_score,review_comment_title,review_comment_message,"
    "review_creation_date,review_answer_timestamp\n"
)


def order(order_id: str) -> str:
    times = "2018-03-01 10:00:00,,,,2018-03-20 00:00:00"
    return f"{order_id},c-{order_id},delivered,{times}\n"


def payment(order_id: str, value: str) -> str:
    return f"{order_id},1,credit_card,1,{value}\n"


@pytest.fixture
def shop(built_shop: Shop) -> Shop:
    return built_shop


def land_two_orders(shop: Shop) -> None:
    shop.land_bytes(
        "olist_orders_dataset.csv", (ORDERS_HEADER + order("a") + order("b")).encode()
    )
    shop.land_bytes(
        "olist_order_payments_dataset.csv",
        (PAYMENTS_HEADER + payment("a", "10.00") + payment("b", "5.50")).encode(),
    )


def paid(shop: Shop) -> str:
    answer = shop("sql", "select sum(payment_value) from gold.fct_orders", "--json")
    value: str = answer.document["rows"][0][0]
    return value


def test_a_first_day(tmp_path: Path) -> None:
    """init, land, run, status, history, sql; the same files again load nothing."""
    shop = Shop(tmp_path / "my shop")
    made = shop(
        "init", str(shop.root), "--template", "olist", "--no-input", cwd=tmp_path
    )
    assert made.code == 0, made.stderr
    assert made.stdout.count("snowmelt ") >= 2
    again = shop("init", str(shop.root), "--template", "olist", cwd=tmp_path)
    assert again.code == 2
    assert "nothing was written" in again.stderr

    make_olist(tmp_path / "files", orders=50, seed=2)
    assert shop("land", str(tmp_path / "files")).code == 0
    run = shop("run", "--json")
    assert run.code == 0, run.stderr
    assert len(run.document["loads"]) == 9
    assert run.document["run"]["state"] == "SUCCEEDED"

    history = shop("history", "--json").document
    assert history["schema_version"] == 1
    wanted = {
        *("file_name", "status", "row_parsed", "row_count", "error_count"),
        *("first_error_message", "file_size", "last_load_time", "pipe_name"),
        "table_name",
    }
    for load in history["loads"]:
        assert wanted <= set(load)
        assert load["status"] == "Loaded"
        assert load["row_parsed"] == load["row_count"] > 0

    asked = shop(
        "sql", "select count(*) as n, sum(order_value) from gold.fct_orders", "--json"
    )
    assert asked.document["columns"][0] == "n"
    assert asked.document["rows"][0][0] == 50
    assert re.fullmatch(r"\d+\.\d\d", asked.document["rows"][0][1])
    day = shop("sql", "select min(month) from gold.monthly_metrics", "--json").document
    assert re.fullmatch(r"\d{4}-\d\d-01", day["rows"][0][0])

    assert shop("land", str(tmp_path / "files")).code == 0
    second = shop("run", "--json").document
    assert second["loads"] == []
    assert second["run"] is None


@pytest.mark.long
def test_renamed_and_corrected_files(shop: Shop) -> None:
    land_two_orders(shop)
    assert shop("run").code == 0
    assert paid(shop) == "15.50"
    payments = (shop.root / "landing" / "olist_order_payments_dataset.csv").read_bytes()
    shop.land_bytes("olist_order_payments_dataset_copy.csv", payments)
    copied = shop("run", "--json").document
    assert [load["status"] for load in copied["loads"]] == ["Load skipped"]
    assert copied["loads"][0]["duplicate_of"] is not None
    assert (
        "Its bytes are those of load"
        in shop("why", "olist_order_payments_dataset_copy.csv").stdout
    )

    corrected = (PAYMENTS_HEADER + payment("a", "11.00")).encode()
    shop.land_bytes("olist_order_payments_dataset.csv", corrected)
    document = shop("run", "--json").document
    run = document["run"]
    # models that read streams are told of what went: nothing starts from nothing
    assert (run["reason"], run["full_refresh"]) == ("corrections in order_payments", [])
    # the copy still holds b's payment: it is loaded now that its twin is superseded
    assert [load["file_name"] for load in document["loads"]] == [
        "olist_order_payments_dataset_copy.csv",
        "olist_order_payments_dataset.csv",
    ]
    assert paid(shop) == "16.50"
    (shop.root / "landing" / "olist_order_payments_dataset_copy.csv").write_text(
        PAYMENTS_HEADER + payment("b", "6.00")
    )
    assert shop("run").code == 0
    assert paid(shop) == "17.00"


def test_all_that_waits_is_published_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: what came first does not cost a run of its own."""
    prepare = Copier.prepare

    def slowly(*given: Any) -> Any:
        SystemClock().wait(threading.Event(), 0.7)
        return prepare(*given)

    monkeypatch.setattr(Copier, "prepare", slowly)
    settings = shop.root / "snowmelt.yml"
    text = settings.read_text().replace("settle: 2s", "settle: 0s, settle_max: 0s")
    assert "settle_max" in text
    settings.write_text(f"{text}publish: {{wait_max: 0s}}\nload: {{lanes_max: 1}}\n")
    for number in range(3):
        text = ORDERS_HEADER + order(f"o{number}")
        shop.land_bytes(f"olist_orders_dataset_{number}.csv", text.encode())
    land_two_orders(shop)
    with shop.commands() as commands:
        count = "select count(*) from snowmelt.run_history"
        ((before,),) = commands.query(count, None)["rows"]
        document = commands.run(None)
        assert len(document["loads"]) == 5
        assert document["run"]["state"] == "SUCCEEDED"
        assert commands.query(count, None)["rows"] == [[before + 1]]


@pytest.mark.long
def test_rejects_are_shown_and_replayed_after_a_fix(shop: Shop) -> None:
    land_two_orders(shop)
    broken = PAYMENTS_HEADER + payment("a", "10.00") + "b,first,voucher,1,2.50\n"
    shop.land_bytes("olist_order_payments_dataset.csv", broken.encode())
    run = shop("run", "--json")
    assert run.code == 0, "rejected under continue is no failure"
    assert shop("run", "--fail-on", "reject").code == 0, "nothing new was rejected"
    (reject,) = shop("rejects", "--json").document["rejects"]
    assert (reject["file_row"], reject["line"]) == (2, 3)
    assert reject["column_name"] == "payment_sequential"
    assert reject["rejected_record"] == "b,first,voucher,1,2.50"
    assert "'first' is not a valid integer" in reject["error"]
    assert shop("replay", "--json").document["replayed"][0]["loaded"] == 0

    pipe = shop.root / "pipes" / "order_payments.yml"
    text = pipe.read_text()
    assert "null_if" not in text
    pipe.write_text(
        text.replace("{type: csv}", "{type: csv, null_if: ['', first]}").replace(
            "payment_sequential, type: integer, nullable: false",
            "payment_sequential, type: integer",
        )
    )
    assert pipe.read_text().count("first") == 1
    replayed = shop("replay", "--json")
    assert replayed.document["replayed"][0]["loaded"] == 1, replayed.stdout
    assert shop("rejects", "--json").document["rejects"] == []
    rows = shop(
        "sql",
        "select order_id, _file_row from bronze.order_payments order by all",
        "--json",
    ).document["rows"]
    assert rows == [["a", 1], ["b", 2]]


@pytest.mark.long
def test_a_failed_test_leaves_gold_and_its_evidence(shop: Shop) -> None:
    land_two_orders(shop)
    assert shop("run").code == 0
    bad = REVIEWS_HEADER + "r1,a,9,,,2018-04-01 00:00:00,2018-04-02 00:00:00\n"
    shop.land_bytes("olist_order_reviews_dataset.csv", bad.encode())
    shop.land_bytes(
        "olist_order_payments_dataset_2.csv",
        (PAYMENTS_HEADER + "a,2,voucher,1,100.00\n").encode(),
    )
    run = shop("run", "--json")
    assert run.code == 1
    assert run.document["run"]["state"] == "FAILED"
    (failure,) = [
        f for f in run.document["run"]["failures"] if "review_score" in f["node"]
    ]
    assert failure["rows"][0]["review_score"] == 9
    assert paid(shop) == "15.50", "gold is the run before"
    last = shop("status", "--json").document["last_run"]
    assert last["state"] == "FAILED"
    assert any(f["rows"] for f in last["failures"])
    # a failed load of nothing new: the run is tried again and fails again
    assert shop("run").code == 1
    good = REVIEWS_HEADER + "r1,a,5,,,2018-04-01 00:00:00,2018-04-02 00:00:00\n"
    shop.land_bytes("olist_order_reviews_dataset.csv", good.encode())
    assert shop("run").code == 0
    assert paid(shop) == "115.50"


@pytest.mark.long
def test_abort_statement_loads_all_or_nothing(shop: Shop) -> None:
    land_two_orders(shop)
    broken = PAYMENTS_HEADER + payment("a", "10.00") + payment("b", "much")
    shop.land_bytes("olist_order_payments_dataset_2.csv", broken.encode())
    run = shop("run", "--on-error", "abort_statement")
    assert run.code == 1
    assert "olist_order_payments_dataset_2.csv:3: payment_value" in run.stderr
    assert shop("history", "--json").document["loads"] == []
    fixed = broken.replace("much", "1.00")
    shop.land_bytes("olist_order_payments_dataset_2.csv", fixed.encode())
    assert shop("run", "--on-error", "abort_statement").code == 0
    assert len(shop("history", "--json").document["loads"]) == 3


@pytest.mark.long
def test_files_nobody_asked_for_and_files_that_fail(shop: Shop, tmp_path: Path) -> None:
    shop.land_bytes("stock.csv", b"sku\n1\n")
    shop.land_bytes("olist_sellers_dataset.csv", b"id;city\n1;recife\n")
    run = shop("run", "--json")
    assert run.code == 1
    assert run.document["unmatched"] == ["stock.csv"]
    (load,) = run.document["loads"]
    assert load["status"] == "Load failed"
    assert "none of the contract's columns" in load["first_error_message"]
    assert shop("status", "--json").document["unmatched"] == ["stock.csv"]
    assert "No pipe's pattern" in shop("why", "stock.csv").stdout
    assert shop("run").code == 0, "a failed file is not tried again as it is"
    other = tmp_path / "olist_sellers_dataset_2.csv"
    other.write_text(
        "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns,01001,x,SP\n"
    )
    check = shop("check", str(other), "--json")
    assert check.code == 0
    assert check.document["would_be"] == "Loaded"
    assert shop("check", str(tmp_path / "shop" / "landing" / "stock.csv")).code == 2


@pytest.mark.parametrize(
    "query",
    [
        "create table gold.x as select 1",
        "select 1; drop schema gold cascade",
        pytest.param("commit; create table x (i int)", marks=pytest.mark.long),
        pytest.param("copy (select 1) to 'x.csv'", marks=pytest.mark.long),
        pytest.param("attach 'other.db'", marks=pytest.mark.long),
        pytest.param("set threads = 1", marks=pytest.mark.long),
        "selec 1",
        "select * from read_csv('/etc/passwd')",
        pytest.param("select getenv('HOME')", marks=pytest.mark.long),
    ],
)
def test_sql_only_reads_the_warehouse(shop: Shop, query: str) -> None:
    answer = shop("sql", query, "--json")
    assert answer.code == 2, answer.stdout
    assert answer.document["error"]["problem"]
    assert not (shop.root / "x.csv").exists()


def test_usage_and_configuration_have_their_codes(shop: Shop, tmp_path: Path) -> None:
    wrong = shop("statsu")
    assert (wrong.code, "Did you mean 'status'?" in wrong.stderr) == (2, True)
    nowhere = shop("status", "--project-dir", str(tmp_path))
    assert nowhere.code == 3
    assert "snowmelt init" in nowhere.stderr
    settings = shop.root / "snowmelt.yml"
    settings.write_text(settings.read_text() + "landin: x\n")
    off = shop("run", "--json")
    assert off.code == 3
    assert off.document["error"]["where"].startswith("snowmelt.yml:")
    assert "Did you mean 'landing'?" in off.stderr


def test_every_command_has_help_and_json_goes_to_stdout_alone(shop: Shop) -> None:
    for name in COMMANDS:
        told = CliRunner().invoke(group, [name, "--help"], prog_name="snowmelt")
        assert told.exit_code == 0, name
        assert f"Usage: snowmelt {name}" in told.output
    for words in (["validate"], ["doctor"], ["status"], ["rejects"]):
        answer = shop(*words, "--json")
        assert answer.code == 0, answer.stderr
        assert isinstance(json.loads(answer.stdout), dict)


@pytest.mark.long
def test_plain_dbt_builds_dev_and_moves_no_offset(shop: Shop) -> None:
    land_two_orders(shop)
    assert shop("run").code == 0
    before = shop("sql", "select * from snowmelt.run_history", "--json").document
    dbt = Path(SNOWMELT).with_name("dbt")
    done = subprocess.run(
        [dbt, "build", "--quiet"],
        cwd=shop.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    after = shop("sql", "select * from snowmelt.run_history", "--json").document
    assert after == before
    found = shop(
        "sql",
        "select (select count(*) from dev_gold.fct_orders), "
        "(select count(*) from gold.fct_orders)",
        "--json",
    )
    assert found.document["rows"] == [[2, 2]]
    refused = subprocess.run(
        [dbt, "build", "--target", "local"],
        cwd=shop.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0, "the service's target is not for hands"


@contextmanager
def service(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [SNOWMELT, "up"], cwd=shop.root, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 20
        while not shop("status", "--json").document.get("service", {}).get("running"):
            assert time.monotonic() < deadline, "the service did not start"
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "Go on with: snowmelt up" in said


def test_a_service_loads_what_lands_and_answers_the_commands(shop: Shop) -> None:
    with service(shop) as process:
        socket = shop.root / ".snowmelt" / "service.sock"
        assert socket.stat().st_mode & 0o777 == 0o600
        land_two_orders(shop)
        deadline = time.monotonic() + 60
        counted = "select count(*) from gold.fct_orders"
        while shop("sql", counted, "--json").document["rows"] != [[2]]:
            assert time.monotonic() < deadline, "gold did not appear by itself"
        assert shop("run").code == 0
        assert paid(shop) == "15.50"
        status = shop("status", "--json").document
        assert status["service"] == {"running": True, "pid": process.pid}
        assert {p["pipe_name"]: p["row_count"] for p in status["pipes"]}["orders"] == 2
        second = shop("up")
        assert second.code == 4
        assert f"pid {process.pid}" in second.stderr
        bad = shop("sql", "drop table x", "--json")
        assert bad.code == 2, "an error of the service is an error of the command"
    assert not socket.exists()
    assert paid(shop) == "15.50"


def test_a_killed_service_is_no_obstacle(shop: Shop) -> None:
    process = subprocess.Popen(
        [SNOWMELT, "up"], cwd=shop.root, stderr=subprocess.DEVNULL
    )
    socket = shop.root / ".snowmelt" / "service.sock"
    deadline = time.monotonic() + 20
    while not socket.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251 - another process is waited for
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert socket.exists(), "what a killed service leaves behind"
    land_two_orders(shop)
    assert shop("run").code == 0
    assert paid(shop) == "15.50"


def test_a_project_path_that_is_a_pattern_is_refused(tmp_path: Path) -> None:
    odd = make_shop(tmp_path / "shop[1]")
    answer = odd("run")
    assert answer.code == 3
    assert "has a '['" in answer.stderr


def test_a_landing_folder_may_have_any_name(shop: Shop) -> None:
    settings = shop.root / "snowmelt.yml"
    settings.write_text(
        settings.read_text().replace("path: landing", "path: 'in [1]*?'")
    )
    odd = shop.root / "in [1]*?"
    odd.mkdir()
    (odd / "olist_orders_dataset.csv").write_text(ORDERS_HEADER + order("a"))
    os.utime(odd / "olist_orders_dataset.csv", (1, 1))
    loads = shop("run", "--json").document["loads"]
    assert [(load["status"], load["row_count"]) for load in loads] == [("Loaded", 1)]


@pytest.mark.long
def test_a_project_in_a_deep_folder_has_a_socket_too(tmp_path: Path) -> None:
    deep = make_shop(tmp_path / ("long" * 20) / ("deep" * 20) / "shop")
    with service(deep):
        assert deep("status", "--json").document["service"]["running"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop-2", "my_shop_2"), ("2024", "storefront"), ("Été", "ete")],
)
def test_a_project_is_named_after_its_folder(
    tmp_path: Path, folder: str, name: str
) -> None:
    """What a target gets bears this name: two of one template must not share it."""
    shop = Shop(tmp_path)
    made = shop("init", folder, "--template", "storefront")
    assert made.code == 0, made.stderr
    assert load_project(tmp_path / folder).settings.name == name


def test_a_new_project_is_told_how_the_shell_finds_the_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever typed `.venv/bin/snowmelt` has none, or that of elsewhere."""
    own = Path(SNOWMELT).parent
    elsewhere = tmp_path / "snowmelt"
    elsewhere.write_text("#!/bin/sh\n")
    elsewhere.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    show_next()
    assert capsys.readouterr().out == f"Next:\n  . {own / 'activate'}\n"
    monkeypatch.setenv("PATH", f"{own}:{tmp_path}")
    show_next()
    assert capsys.readouterr().out == "Next:\n"
