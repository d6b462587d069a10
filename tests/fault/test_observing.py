"""A process that observes a target: its pages, its commands, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from observed_account import FILES

from ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]
_NEVER = threading.Event()
SCRIPT = Path(__file__).with_name("observed_account.py")
PAGES = (
    *("/", "/files", "/files/1", "/rejects", "/runs", "/pipes", "/tasks"),
    *("/tasks/build", "/tasks/runs/g1", "/alerts", "/cost", "/cost?days=30"),
    *("/doctor", "/search?q=orders"),
)


@contextmanager
def observing(root: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the process; yield it with the link to its pages."""
    tests = Path(__file__).parents[1]
    paths = [str(tests), os.environ.get("PYTHONPATH", "")]
    told = root / "told.txt"
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, SCRIPT, str(root), str(port)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stderr=stderr,
        )
    try:
        while not (link := re.search(r"Pages: (\S+)", told.read_text())):
            assert process.poll() is None, told.read_text()
            _NEVER.wait(0.1)
        yield process, link[1]
    finally:
        process.kill()
        process.wait()


def asked(root: Path, *words: str) -> dict[str, object]:
    snowmelt = Path(sys.executable).with_name("snowmelt")
    where = ("--target", "prod", "--json", "--project-dir", str(root))
    ended = subprocess.run(
        [snowmelt, *words, *where], capture_output=True, text=True, check=True
    )
    document: dict[str, object] = json.loads(ended.stdout)
    return document


def loads(root: Path) -> list[tuple[int, str]]:
    found = asked(root, "history")["loads"]
    assert isinstance(found, list)
    return [(each["load_seq"], each["file_name"]) for each in found]


def test_pages_and_commands_are_those_of_the_target_and_survive_a_kill(
    tmp_path: Path,
) -> None:
    port = free_port()
    with observing(tmp_path, port) as (process, link):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
            assert browser.get(link, follow_redirects=True).status_code == 200
            for path in PAGES:
                page = browser.get(path, follow_redirects=True)
                assert page.status_code == 200, path
                assert "shop on prod" in page.text, path
                assert 'action="/actions/' not in page.text, path
            assert browser.get("/catalog").status_code == 404
            refused = browser.post("/actions/pause", data={"pipe": "orders"})
            assert refused.status_code == 403
        status = asked(tmp_path, "status")
        assert status["service"] == {"running": True, "pid": process.pid}
        before = loads(tmp_path)
        assert len(before) == FILES
        process.send_signal(signal.SIGKILL)
        process.wait()
    with observing(tmp_path, port) as (process, _):
        assert loads(tmp_path) == before
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
