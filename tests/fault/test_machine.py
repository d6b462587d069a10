"""A machine that is not as it should be: it is said, and gone on with by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.clock import SystemClock

HERE = Path(__file__).parent
PIPES = [
    {"name": "t", "pattern": "*.csv", "contract": columns("id integer, name varchar")}
]


def on_a_disk(act: str, root: Path) -> dict[str, Any]:
    """Run a part of on_a_disk.py in a mount namespace of its own."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare on this machine")
    tried = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*tried, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no mount namespaces")
    search = [str(HERE), str(HERE.parent), str(HERE.parent / "conformance")]
    search += filter(None, [os.environ.get("PYTHONPATH")])
    ended = subprocess.run(
        [*tried, sys.executable, str(HERE / "on_a_disk.py"), act, str(root)],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(search)},
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    seen: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return seen


@pytest.mark.long
def test_a_full_disk_is_said_and_the_load_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    seen = on_a_disk("full", tmp_path / "shop")
    assert not seen["loaded_while_full"]
    assert seen["rows_while_full"] == 0
    assert "space" in seen["told"] or "memory" in seen["told"], seen["told"]
    assert seen["small"]
    assert seen["loaded_after"]
    assert seen["rows"] == 400_000


def test_a_disk_that_is_full_at_a_commit_is_said_with_what_helps(
    tmp_path: Path,
) -> None:
    """Each time it is asked after, and in one line: nobody needs a traceback for it."""
    seen = on_a_disk("commit", tmp_path / "shop")
    assert len(seen["errors"]) >= 2, seen
    for error in seen["errors"]:
        assert error["problem"] == "there is no space left on its disk"
        assert ".snowmelt" in error["where"]
        assert error["remedy"].startswith("Free space there")
    lines = seen["said"].splitlines()
    assert len(lines) == 2, "no traceback"
    assert "Free space there" in lines[0]
    assert lines[1].endswith("there is no space left on its disk"), "it is said once"


def test_a_disk_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    seen = on_a_disk("read_only", tmp_path / "shop")
    assert seen["kind"] in ("ConfigError", "UnreachableError")
    assert "Read-only" in seen["problem"]
    assert ".snowmelt" in seen["where"]


def test_a_folder_that_vanishes_is_said_and_found_again(tmp_path: Path) -> None:
    landing = {"settle": "0s", "refresh_every": "100ms"}
    with open_shop(tmp_path / "shop", PIPES, landing=landing) as shop:
        folder = shop.parts.project.landing
        shop.load()
        folder.rename(folder.with_name("away"))
        turn(shop, lambda: shop.loop.stage_problem is not None)
        assert "cannot be listed" in (shop.loop.stage_problem or "")
        folder.with_name("away").rename(folder)
        shop.land("a.csv", b"id,name\n1,a\n")
        turn(shop, lambda: shop.rows("select count(*) from bronze.t") == [(1,)])
        assert shop.loop.stage_problem is None


class JumpingClock(SystemClock):
    """The machine's clock, put forward or back."""

    def __init__(self) -> None:
        self.jump = timedelta()

    def now(self) -> datetime:
        return super().now() + self.jump


@pytest.mark.parametrize("days", [-400, -1, 1, 400])
def test_a_clock_that_jumps_stops_nothing(tmp_path: Path, days: int) -> None:
    clock = JumpingClock()
    landing = {"settle": "300ms", "refresh_every": "200ms"}
    with open_shop(tmp_path / "shop", PIPES, clock, landing) as shop:
        shop.land("a.csv", b"id,name\n1,a\n")
        shop.loop.turn()
        clock.jump = timedelta(days=days)
        turn(shop, lambda: shop.rows("select count(*) from bronze.t") == [(1,)])
        shop.land("b.csv", b"id,name\n2,b\n")
        turn(shop, lambda: shop.rows("select count(*) from bronze.t") == [(2,)])


def turn(shop: Shop, is_so: Any) -> None:
    """Turn the loop as the service does, for ten seconds at most."""
    give_up_at = shop.parts.clock.monotonic() + 10
    while not is_so():
        assert shop.parts.clock.monotonic() < give_up_at
        shop.loop.turn()
        shop.loop.wake.wait(0.05)
        shop.loop.wake.clear()
