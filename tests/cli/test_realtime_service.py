"""A real service, and a generator that streams files into its landing folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shop import SNOWMELT
from snowmelt.cli.synth import command
from snowmelt.serve.client import connect_service

WAIT_SECONDS = 120


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.05)


@contextmanager
def running(*words: str, cwd: Path, stdout: Path) -> Iterator[None]:
    """Run a command beside the test, and end it as Ctrl-C would: it ends well."""
    with stdout.open("w") as said:
        process = subprocess.Popen([SNOWMELT, *words], cwd=cwd, stdout=said)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            ended = process.wait(timeout=WAIT_SECONDS)
    assert ended == 0


def asked(root: Path, sql: str) -> list[Any]:
    """Ask the service; nothing while it does not answer yet."""
    with connect_service(root / ".snowmelt" / "service.sock") as service:
        if service is None:
            return []
        (row,) = service.query(sql, None)["rows"]
        return list(row)


@pytest.mark.long
def test_what_is_streamed_in_is_in_gold_when_the_stream_ends(
    tmp_path: Path, warm_realtime: Path
) -> None:
    root = tmp_path / "feed"
    shutil.copytree(warm_realtime, root, symlinks=True)
    figures = "select coalesce(sum(events), 0)::int, count(*) from gold.user_activity"
    feed = ("synth", "realtime", "landing", "--rate", "40/s", "--every", "500ms")
    told = tmp_path / "told.json"
    with running("up", cwd=root, stdout=tmp_path / "said.txt"):
        until(lambda: bool(asked(root, figures)), "the service did not come up")
        with running(*feed, "--json", cwd=root, stdout=told):
            # gold follows while files still come
            until(lambda: asked(root, figures)[0] > 40, "nothing came to gold")
        report = json.loads(told.read_text())
        written = sum(report["files"].values())
        assert written > 40
        until(lambda: asked(root, figures)[0] == written, "gold lacks events")
        loads = "select count(*) filter (status = 'Loaded') from snowmelt.load_history"
        assert asked(root, loads) == [len(report["files"])]
        ended = "select list(distinct state) from snowmelt.run_history"
        assert asked(root, ended) == [["SUCCEEDED"]]
    on_disk = sorted(path.name for path in (root / "landing").iterdir())
    assert on_disk == sorted(report["files"]), "a hidden file was left"


def test_a_stream_ends_by_itself_and_tells_what_it_wrote(tmp_path: Path) -> None:
    words = ["realtime", str(tmp_path), "--rate", "60/min", "--every", "100ms"]
    done = CliRunner().invoke(command, [*words, "--for", "300ms", "--rate", "20/s"])
    assert done.exit_code == 0, done.output
    assert "users_20240501T000000_3.csv: 2 records" in done.stderr
    assert done.stdout.startswith("3 files, 6 records\n\nQUIRK")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--at-once"], "--at-once needs --for"),
        (["--rate", "fast"], "such as 20/s or 5/min"),
        (["--rate", "0/s"], "such as 20/s or 5/min"),
        (["--for", "5"], "such as 500ms, 3s, 5m or 1h"),
        (["--start", "soon"], "a time as ISO 8601"),
    ],
)
def test_options_that_say_nothing_are_refused(
    tmp_path: Path, words: list[str], told: str
) -> None:
    done = CliRunner().invoke(command, ["realtime", str(tmp_path / "new"), *words])
    assert done.exit_code == 2
    assert told in " ".join(done.output.split())
    assert not (tmp_path / "new").exists()


def test_a_stream_may_begin_now_or_at_any_time(tmp_path: Path) -> None:
    words = ["--for", "3s", "--at-once", "--rate", "1/s", "--start"]
    for number, start in enumerate(["now", "2025-02-28T23:59:59+01:00"]):
        directory = tmp_path / f"{number}"
        done = CliRunner().invoke(command, ["realtime", str(directory), *words, start])
        assert done.exit_code == 0, done.output
    (name,) = [path.name for path in (tmp_path / "1").iterdir()]
    assert name == "users_20250228T230002_1.csv"
    assert "2025-02-28T22:59:59" in (tmp_path / "1" / name).read_text()
