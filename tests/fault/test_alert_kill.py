"""A process that is killed around the sending of a message: told, and never lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from alert_watch import to_hook
from small_shop import open_shop

from alert_receivers import served_hook
from snowmelt.service.alerting import alert_once

KILLED = Path(__file__).with_name("killed_alert.py")
RULE = {"sql": "select 'a' as cause from snowmelt.wrong"}


def alert(root: Path, when: str) -> int:
    """Look and send in a process that is killed at some point of it."""
    done = subprocess.run(
        [sys.executable, str(KILLED), str(root), when],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode


def test_a_message_is_told_at_least_once_and_under_one_id(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    with served_hook() as hook:
        alerts = to_hook(hook, rules={"it": RULE})
        with (
            open_shop(root, [], alerts=alerts) as shop,
            shop.parts.warehouse.session() as session,
        ):
            session.execute("create table snowmelt.wrong as select 1")
        assert alert(root, "claimed") == -signal.SIGKILL
        assert hook.posted == []
        assert alert(root, "sent") == -signal.SIGKILL
        assert hook.kinds == ["opened"]
        with open_shop(root, [], alerts=alerts) as shop:
            alert_once(shop.parts)
        assert hook.kinds == ["opened", "opened"], "at least once"
        assert len({each.headers["Idempotency-Key"] for each in hook.posted}) == 1
        with open_shop(root, [], alerts=alerts) as shop:
            alert_once(shop.parts)
        assert len(hook.posted) == 2, "once it is on record it is not sent again"
