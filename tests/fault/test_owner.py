"""A service that starts while another process owns the warehouse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shop import SNOWMELT
from snowmelt.clock import SystemClock
from snowmelt.errors import InUseError, UnreachableError
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened_patiently
from snowmelt.service.owning import Owner, Patience
from snowmelt.service.supervisor import Supervisor

OURS = """
import sys
from pathlib import Path
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened
with opened(load_project(Path(sys.argv[1])), SystemClock(), Events(), sys.argv[2]):
    print("owned", flush=True)
    sys.stdin.read()
"""
FOREIGN = """
import sys, duckdb
with duckdb.connect(sys.argv[1] + "/.snowmelt/warehouse.duckdb"):
    print("owned", flush=True)
    sys.stdin.read()
"""


class FastClock(SystemClock):
    """Half a minute passes in each wait; `on_wait` hears how many there were."""

    def __init__(self, on_wait: Callable[[int], None] = lambda _: None) -> None:
        self.waits = 0
        self._on_wait = on_wait

    def monotonic(self) -> float:
        return self.waits * 30.0

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.waits += 1
        self._on_wait(self.waits)
        return wake.wait(0.01)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "snowmelt.yml").write_text("version: 1\nname: small\n")
    (tmp_path / "dbt_project.yml").write_text(
        "name: small\nversion: 1.0.0\nprofile: snowmelt\n"
    )
    (tmp_path / ".snowmelt").mkdir()
    return tmp_path


@contextmanager
def owner(script: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run a process that owns the warehouse until it is let go, or the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield process
    finally:
        process.communicate(timeout=30)


def test_a_command_that_works_is_waited_for_and_named(root: Path) -> None:
    """Minutes, not ten seconds: a first build on a slow machine takes that long."""
    told: list[Owner] = []
    heard: list[Owner] = []
    with owner(OURS, root, "snowmelt run") as running:

        def end_it(waits: int) -> None:
            if waits == 20:
                running.communicate(timeout=30)

        clock = FastClock(end_it)
        project = load_project(root)
        patience = Patience(project, clock, told.append, heard.append)
        with opened_patiently(project, clock, Events(), patience):
            word = (root / ".snowmelt" / "owner.json").read_text()
    assert clock.waits >= 20
    assert told == [Owner(running.pid, "snowmelt run")]
    assert heard == told * clock.waits
    assert '"snowmelt up"' in word
    assert not (root / ".snowmelt" / "owner.json").exists()


def test_a_second_service_and_a_stranger_are_not_waited_for_for_ever(
    root: Path,
) -> None:
    def open_it() -> None:
        project, clock = load_project(root), FastClock()
        patience = Patience(project, clock, heard.append, heard.append)
        with opened_patiently(project, clock, Events(), patience):
            pytest.fail("two processes own one file")

    heard: list[Owner] = []
    serving = owner(OURS, root, "snowmelt up")
    with serving as first, pytest.raises(UnreachableError) as refused:
        open_it()
    assert refused.value.problem == f"a service runs already (pid {first.pid})"

    # What a process that was killed left says nothing of whoever has the file now.
    (root / ".snowmelt" / "owner.json").write_text(
        '{"pid": 1, "command": "snowmelt run"}'
    )
    with owner(FOREIGN, root) as stranger, pytest.raises(InUseError) as in_use:
        open_it()
    assert in_use.value.pid == stranger.pid
    assert "python" in in_use.value.problem
    assert heard == []


def test_up_beside_a_run_says_whom_it_waits_for_and_then_serves(root: Path) -> None:
    with owner(OURS, root, "snowmelt run") as running:
        service = subprocess.Popen(
            [SNOWMELT, "up"], cwd=root, stderr=subprocess.PIPE, text=True
        )
        try:
            assert service.stderr is not None
            said = [service.stderr.readline(), service.stderr.readline()]
            running.communicate(timeout=30)
            said.append(service.stderr.readline())
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=60)
        finally:
            service.kill()
            service.wait(30)
    assert said[1] == f"Waiting for snowmelt run (pid {running.pid}) to end.\n"
    assert said[2].startswith(("Pages: ", "No pages: "))
    assert service.returncode == 0


def test_a_supervisor_is_told_that_the_start_waits() -> None:
    """Otherwise it would take a start that waits for one that hangs, and kill it."""
    address = f"/tmp/snowmelt-{os.getpid()}.waits"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(address)
        try:
            supervisor = Supervisor({"NOTIFY_SOCKET": address})
            supervisor.waiting(Owner(7, "snowmelt run"))
            told = notified.recv(4096).decode().splitlines()
        finally:
            Path(address).unlink()
    assert told == [
        "EXTEND_TIMEOUT_USEC=30000000",
        "STATUS=waiting for snowmelt run (pid 7) to end",
    ]
