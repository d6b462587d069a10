"""A process that observes a target: its pages, its commands, and its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from observed_account import FILES, observing
from ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]
PAGES = (
    *("/", "/files", "/files/1", "/rejects", "/runs", "/pipes", "/tasks"),
    *("/tasks/build", "/tasks/runs/g1", "/alerts", "/cost", "/cost?days=30"),
    *("/doctor", "/search?q=orders", "/dashboards", "/d/sales?region=north"),
    *("/lineage", "/catalog", "/catalog/gold.fct_sales"),
)


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
            assert browser.get("/quality").status_code == 404
            refused = browser.post("/actions/pause", data={"pipe": "orders"})
            assert refused.status_code == 403
        status = asked(tmp_path, "status")
        assert status["service"] == {"running": True, "pid": process.pid}
        another = str(asked(tmp_path, "link")["link"])
        assert another.startswith(f"http://127.0.0.1:{port}/start?token=")
        before = loads(tmp_path)
        shown = asked(tmp_path, "dashboards", "sales", "--filter", "region=north")
        assert "40.00" in json.dumps(shown["cards"])
        assert len(before) == FILES
        process.send_signal(signal.SIGKILL)
        process.wait()
    with observing(tmp_path, port) as (process, _):
        assert loads(tmp_path) == before
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
