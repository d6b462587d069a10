"""Observes an account in memory, as a process of its own: `python … ROOT PORT`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from shipped import deployed_into, make_project
from snowflake_history import RememberingAccount
from snowmelt.cli import main
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.applying import apply_plan

ORDERS, ORDERS_PIPE = "SHOP.BRONZE.ORDERS__ALL", "SHOP.BRONZE.ORDERS_PIPE"
FILES = 40


def past(account: RememberingAccount) -> None:
    """A day of files, each of an hour that is the same whenever this runs."""
    day = account.now.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(FILES):
        at = day - timedelta(minutes=10 * number)
        account.remember_copy(ORDERS, ORDERS_PIPE, f"orders/{number}.csv", at=at)
    account.remember_task("HOURLY", at=day)
    account.remember_run(day)


if __name__ == "__main__":
    root, port = Path(sys.argv[1]), sys.argv[2]
    project = make_project(root)
    account = RememberingAccount()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    account.__dict__["close"] = lambda: None
    account.now = SystemClock().now()
    past(account)
    opening.connect = lambda *given: account  # type: ignore[assignment]
    where = ("--target", "prod", "--project-dir", str(root))
    main(["observe", "--port", port, "--every", "1s", *where])
