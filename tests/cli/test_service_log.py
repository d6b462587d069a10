"""What a running service says of itself: lines of JSON, numbers, and its log."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shop import SNOWMELT
from snowmelt.cli.main import main
from snowmelt.serve.socket_path import reachable

WAIT_SECONDS = 60
FILES = {
    "snowmelt.yml": {"version": 1, "name": "small", "landing": {"settle": "0s"}},
    "dbt_project.yml": {"name": "small", "version": "1.0.0", "profile": "snowmelt"},
    "pipes/orders.yml": {
        "name": "orders",
        "pattern": "orders*.csv",
        "on_error": "continue",
        "contract": {"columns": [{"name": "id", "type": "integer"}]},
    },
}
MODEL = "select count(*) as orders from {{ source('bronze', 'orders') }}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "totals.sql").write_text(MODEL)
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "orders_1.csv").write_text("id\n1\n2\nx\n")
    return tmp_path


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.05)


def numbers(root: Path) -> str:
    """Ask for the numbers through the socket; empty while nobody answers."""
    socket = root / ".snowmelt" / "service.sock"
    if not socket.exists():
        return ""
    with reachable(socket) as path:
        transport = httpx.HTTPTransport(uds=path)
        with httpx.Client(transport=transport, base_url="http://snowmelt") as client:
            try:
                answer = client.get("/metrics", timeout=10)
            except httpx.TransportError:
                return ""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


@pytest.mark.long
def test_a_service_tells_what_it_does_to_machines(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = root / "said.txt"
    with said.open("w") as stderr:
        service = subprocess.Popen(
            [SNOWMELT, "up", "--log-format", "json"], cwd=root, stderr=stderr
        )
        try:
            run = 'snowmelt_runs_total{state="SUCCEEDED",way="dbt"} 1.0'
            until(lambda: run in numbers(root), "nothing was published")
            told = numbers(root).splitlines()
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(["log", "--project-dir", str(root), "--json"])
            assert ended.value.code == 0
            steps = json.loads(capsys.readouterr().out)["steps"]
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=60) == 0
    for line in (
        'snowmelt_files_settled_total{pipe="orders",status="Partially loaded"} 1.0',
        'snowmelt_rows_loaded_total{pipe="orders"} 2.0',
        'snowmelt_rows_rejected_total{pipe="orders"} 1.0',
        'snowmelt_copy_seconds_count{pipe="orders"} 1.0',
        'snowmelt_pending_files{pipe="orders"} 0.0',
        "snowmelt_run_seconds_count 1.0",
        "snowmelt_log_rows_lost_total 0.0",
    ):
        assert line in told, line
    assert not any("orders_1.csv" in line for line in told), "labels name no files"

    run_ids = {each["run_id"] for each in steps if each["step"] == "run"}
    made = [each["step"] for each in steps]
    assert made == ["publish", "model", "run", "copy", "listing"]
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    names = [line["event"] for line in lines]
    assert (names[0], names[-1]) == ("watching", "stopped")
    by_name: dict[str, dict[str, Any]] = dict(zip(names, lines, strict=True))
    assert by_name["file_settled"]["pipe"] == "orders"
    assert by_name["file_settled"]["row_count"] == 2
    assert {by_name["run_finished"]["run_id"]} == run_ids
    assert by_name["run_finished"]["level"] == "info"


def test_what_keeps_a_service_from_starting_is_a_line_of_json_too(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "snowmelt.yml").write_text("version: 1\nnom: small\n")
    with pytest.raises(SystemExit) as ended:
        main(["up", "--log-format", "json", "--json", "--project-dir", str(root)])
    assert ended.value.code == 3
    told = capsys.readouterr()
    (line,) = [json.loads(each) for each in told.err.splitlines()]
    assert line["error"]["where"].startswith("snowmelt.yml:2")
    assert json.loads(told.out)["error"] == line["error"]
