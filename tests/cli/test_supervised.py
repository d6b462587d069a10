"""The service under a supervisor, as the unit starts it; and what packaging/ says."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import httpx
import pytest
import yaml

from ports import free_port
from shop import SNOWMELT

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "packaging" / "snowmelt@.service"
CONTAINERFILE = REPOSITORY / "packaging" / "Containerfile"
HOW_TO = REPOSITORY / "docs" / "how-to" / "run-as-a-service.md"
READY_SECONDS_MAX = 60
ROWS = 200_000
FILES = {
    "snowmelt.yml": {"version": 1, "name": "small", "landing": {"settle": "0s"}},
    "dbt_project.yml": {"name": "small", "version": "1.0.0", "profile": "snowmelt"},
    "pipes/orders.yml": {
        "name": "orders",
        "pattern": "orders*.csv",
        "contract": {"columns": [{"name": "id", "type": "integer"}]},
    },
}


def unit() -> configparser.RawConfigParser:
    parsed = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(UNIT)
    return parsed


def seconds(text: str) -> int:
    number, name = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * (60 if name == "min" else 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    (tmp_path / "landing").mkdir()
    return tmp_path


class Supervisor:
    """Starts what the unit starts, and hears what it is told."""

    def __init__(self, root: Path, notified: socket.socket) -> None:
        self.root, self._notified = root, notified
        self.port = free_port()
        words = shlex.split(unit()["Service"]["ExecStart"])
        words = [each.replace("/srv/snowmelt/%i", str(root)) for each in words]
        assert words[0] == "/opt/snowmelt/bin/snowmelt"
        environ = os.environ | {
            "NOTIFY_SOCKET": notified.getsockname(),
            "WATCHDOG_USEC": "1000000",
        }
        self.service = subprocess.Popen(
            [SNOWMELT, *words[1:], "--metrics-port", str(self.port)],
            cwd=root,
            env=environ,
            stderr=subprocess.DEVNULL,
        )

    def hear(self, wanted: str) -> None:
        self._notified.settimeout(READY_SECONDS_MAX)
        while wanted not in self._notified.recv(4096).decode().splitlines():
            pass

    def numbers(self) -> str:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10)
        assert answer.status_code == 200
        return answer.text


@contextmanager
def supervised(root: Path) -> Iterator[Supervisor]:
    address = f"/tmp/snowmelt-{os.getpid()}-{root.name[-20:]}.notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(address)
        supervisor = Supervisor(root, notified)
        try:
            yield supervisor
        finally:
            if supervisor.service.poll() is None:
                supervisor.service.kill()
                supervisor.service.wait()
            Path(address).unlink()


def land(root: Path, number: int) -> None:
    rows = "\n".join(str(number * ROWS + each) for each in range(ROWS))
    hidden = root / "landing" / ".tmp"
    hidden.write_text(f"id\n{rows}\n")
    hidden.rename(root / "landing" / f"orders_{number}.csv")


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def loaded(root: Path) -> tuple[int, int, int]:
    """Return rows, distinct rows, and rows by load history."""
    with duckdb.connect(str(root / ".snowmelt" / "warehouse.duckdb")) as warehouse:
        found = warehouse.execute(
            "select count(*), count(distinct id), (select coalesce(sum(row_count), 0)"
            "::bigint from snowmelt.load_history) from bronze.orders__all"
        ).fetchone()
    assert found is not None
    return found


def test_the_unit_starts_watches_restarts_and_stops_a_service(root: Path) -> None:
    with supervised(root) as first:
        first.hear("READY=1")
        first.hear("WATCHDOG=1")
        assert "snowmelt_pending_files" in first.numbers()
        land(root, 1)
        wait_until_tried(root, 1)
        first.service.kill()
        assert first.service.wait() == -signal.SIGKILL

    with supervised(root) as second:
        second.hear("READY=1")
        land(root, 2)
        wait_until_tried(root, 2)
        second.service.send_signal(getattr(signal, unit()["Service"]["KillSignal"]))
        second.hear("STOPPING=1")
        stop_seconds = seconds(unit()["Service"]["TimeoutStopSec"])
        assert second.service.wait(stop_seconds) == 0
    rows, distinct, told = loaded(root)
    assert rows == distinct == told, "a transaction was finished or not begun"
    assert rows == 2 * ROWS, "what was under way was finished, what was killed again"


def wait_until_tried(root: Path, number: int) -> None:
    latest = time.monotonic() + READY_SECONDS_MAX
    while f"orders_{number}.csv" not in read(root / ".snowmelt" / "attempts.log"):
        assert time.monotonic() < latest, "it was never tried"
        threading.Event().wait(0.01)


def test_a_port_that_is_taken_is_told(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [SNOWMELT, "up", "--metrics-port", port],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 4
    assert f"127.0.0.1:{port}: the numbers cannot be served there" in done.stderr
    assert "snowmelt up --metrics-port PORT" in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_takes_the_unit_and_finds_it_safe(tmp_path: Path) -> None:
    installed = tmp_path / "snowmelt@shop.service"
    text = UNIT.read_text().replace("/opt/snowmelt/bin/snowmelt", SNOWMELT)
    installed.write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed)],
        capture_output=True,
        text=True,
        check=False,
    )
    of_ours = [line for line in verified.stderr.splitlines() if "snowmelt@" in line]
    assert of_ours == []
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(installed)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", judged.stdout)
    assert found, judged.stdout + judged.stderr
    assert float(found[1]) <= 2.0


def test_the_unit_gives_a_project_what_it_needs_and_no_more() -> None:
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ReadWritePaths"] == service["WorkingDirectory"]
    assert service["Restart"] == "on-failure"
    assert seconds(service["TimeoutStopSec"]) >= 60
    assert seconds(service["WatchdogSec"]) >= 60, "a round may list a large bucket"
    assert service["RestartPreventExitStatus"] == "2 3"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", CONTAINERFILE.read_text())
    lines = [each for each in text.splitlines() if each and not each.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_is_made_of_what_is_there() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    found = instructions()
    stages = [rest.split(" AS ") for word, rest in found if word == "FROM"]
    names = [stage[1] for stage in stages if len(stage) == 2]
    for rest in (rest for word, rest in found if word == "COPY"):
        words = rest.split()
        if words[0].startswith("--from="):
            assert words[0].partition("=")[2] in names
            continue
        for source in words[:-1]:
            made = source == "dist/" and "--wheel-dir dist" in HOW_TO.read_text()
            assert made or (REPOSITORY / source).exists(), source
    versions = re.findall(r"snowmelt\[all\]==([\d.]+)", CONTAINERFILE.read_text())
    versions += re.findall(r'image\.version="([\d.]+)"', CONTAINERFILE.read_text())
    assert versions == [project["version"]] * 2
    (python,) = {stage[0].rpartition(":")[2].split("-")[0] for stage in stages}
    assert f">={python}" == project["requires-python"]


def test_the_container_runs_as_nobody_special_and_tells_its_health() -> None:
    found = dict(instructions())
    uid, _, gid = found["USER"].partition(":")
    assert int(uid) == int(gid) > 1000
    assert found["VOLUME"] == found["WORKDIR"] == "/project"
    assert found["STOPSIGNAL"] == unit()["Service"]["KillSignal"]
    commands = re.findall(r'\["snowmelt", "(\w+)"', CONTAINERFILE.read_text())
    assert commands == ["status", "up"]
    order = [word for word, _ in instructions()]
    assert order.index("USER") > max(
        place for place, word in enumerate(order) if word in ("RUN", "COPY")
    )
