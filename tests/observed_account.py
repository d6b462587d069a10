"""Observes an account in memory, as a process of its own: `python … ROOT PORT`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from boards_project import account_of, dashboards_project
from gold_account import GoldAccount
from snowmelt.cli import main
from snowmelt.deploy import opening

ORDERS, ORDERS_PIPE = "SHOP.BRONZE.ORDERS__ALL", "SHOP.BRONZE.ORDERS_PIPE"
FILES = 40
_NEVER = threading.Event()


def past(account: GoldAccount) -> None:
    """A day of files, each of an hour that is the same whenever this runs."""
    day = account.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(FILES):
        at = day - timedelta(minutes=10 * number)
        account.remember_copy(ORDERS, ORDERS_PIPE, f"orders/{number}.csv", at=at)
    account.remember_task("HOURLY", at=day)
    hour = day - timedelta(hours=3)
    used = {"START_TIME": hour, "END_TIME": hour + timedelta(hours=1)}
    account.told["WAREHOUSE_METERING_HISTORY"].append(
        used | {"WAREHOUSE_NAME": "SHOP_WH", "CREDITS_USED": 0.5}
    )
    account.told["PIPE_USAGE_HISTORY"].append(
        used
        | {"PIPE_NAME": ORDERS_PIPE, "CREDITS_USED": 0.02, "BYTES_INSERTED": 9}
        | {"FILES_INSERTED": 2}
    )
    tag = '{"app": "snowmelt", "node": "model.shop.sales"}'
    account.remember_query("q1", at=hour + timedelta(minutes=1), query_tag=tag)
    account.publish(day)


@contextmanager
def observing(root: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the process; yield it with the link to its pages."""
    tests = str(Path(__file__).parent)
    paths = [tests, os.environ.get("PYTHONPATH", "")]
    told = root / "told.txt"
    with told.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, __file__, str(root), str(port)],
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


if __name__ == "__main__":
    root, port = Path(sys.argv[1]), sys.argv[2]
    project = dashboards_project(root)
    account = account_of(project)
    past(account)
    opening.connect = lambda *given: account  # type: ignore[assignment]
    where = ("--target", "prod", "--project-dir", str(root))
    main(["observe", "--port", port, "--every", "1s", *where])
