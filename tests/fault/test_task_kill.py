"""A service that is killed while a task runs: what it leaves, and how it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shop import SNOWMELT
from snowmelt.project.project import load_project
from snowmelt.serve.client import ServiceClient, connect_service

WAIT_SECONDS = 60
# a task that builds models keeps the service from publishing by itself: here it is off
TASKS: dict[str, Any] = {
    "root": {"shell": "echo x >> root", "auto_retry_attempts": 1},
    "long": {
        "after": "root",
        "shell": "echo $$ > pid.new; mv pid.new pid; test -e go || sleep 300; "
        "echo x >> long",
    },
    "below": {"after": "long", "shell": "echo x >> below"},
    "models": {"after": "root", "dbt": "none", "suspended": True},
    "end": {"finalize": "root", "shell": "echo x >> end"},
}
FILES = {
    "snowmelt.yml": {"version": 1, "name": "small", "tasks": TASKS},
    "dbt_project.yml": {"name": "small", "version": "1.0.0", "profile": "snowmelt"},
}


def until(found: Callable[[], Any], what: str) -> Any:
    latest = time.monotonic() + WAIT_SECONDS
    while not (answer := found()):
        assert time.monotonic() < latest, what
        threading.Event().wait(0.05)
    return answer


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def ask(root: Path, call: Callable[[ServiceClient], Any]) -> Any:
    with connect_service(load_project(root).socket) as client:
        return None if client is None else call(client)


def rows(root: Path, sql: str) -> list[list[Any]]:
    found: list[list[Any]] = ask(root, lambda client: client.query(sql, None))["rows"]
    return found


def test_a_task_whose_service_was_killed_is_closed_stopped_and_tried_again(
    tmp_path: Path,
) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
    (tmp_path / "landing").mkdir()
    started = [SNOWMELT, "up"]
    service = subprocess.Popen(started, cwd=tmp_path, stderr=subprocess.DEVNULL)
    until(lambda: ask(tmp_path, lambda client: client.tasks()), "it does not answer")
    asker = subprocess.Popen(
        [SNOWMELT, "tasks", "run"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    until(lambda: (tmp_path / "pid").exists(), "no task")
    pid = int((tmp_path / "pid").read_text())
    service.kill()
    service.wait()
    assert asker.wait(timeout=30) == 4, "who asked is told that the service ended"
    assert is_alive(pid), "the program outlives its service"
    (tmp_path / "go").touch()
    service = subprocess.Popen(started, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        until(lambda: (tmp_path / "below").exists(), "it does not go on")
        until(
            lambda: rows(
                tmp_path,
                "from snowmelt.task_graph_runs where state = 'SUCCEEDED'",
            ),
            "it does not end",
        )
        assert not is_alive(pid), "what was left over was ended before its retry"
        told = rows(
            tmp_path,
            "select attempt_number, name, state, scheduled_from, error_message "
            "from snowmelt.task_history order by attempt_number, query_start_time",
        )
        closed = "the process ended before the task did"
        assert told == [
            [1, "root", "SUCCEEDED", "EXECUTE_TASK", None],
            [1, "long", "FAILED", "EXECUTE_TASK", closed],
            [1, "end", "SUCCEEDED", "EXECUTE_TASK", None],
            [2, "long", "SUCCEEDED", "AUTOMATIC RETRY", None],
            [2, "below", "SUCCEEDED", "AUTOMATIC RETRY", None],
            [2, "end", "SUCCEEDED", "AUTOMATIC RETRY", None],
        ]
        written = {
            name: (tmp_path / name).read_text().count("x")
            for name in ("root", "long", "below", "end")
        }
        assert written == {"root": 1, "long": 1, "below": 1, "end": 2}
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=60) == 0
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.long
def test_a_service_that_is_stopped_stops_its_tasks_in_time(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(yaml.safe_dump(content, sort_keys=False))
    (tmp_path / "landing").mkdir()
    service = subprocess.Popen([SNOWMELT, "up"], cwd=tmp_path, stderr=subprocess.PIPE)
    until(lambda: ask(tmp_path, lambda client: client.tasks()), "it does not answer")
    asker = subprocess.Popen(
        [SNOWMELT, "tasks", "run"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    until(lambda: (tmp_path / "pid").exists(), "no task")
    pid = int((tmp_path / "pid").read_text())
    service.terminate()
    assert service.wait(timeout=30) == 0
    assert asker.wait(timeout=30) == 4
    assert service.stderr is not None
    assert b"task long: CANCELLED" in service.stderr.read()
    service.stderr.close()
    assert not is_alive(pid)
