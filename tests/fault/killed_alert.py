"""Alerts of a project, looked for and sent, by a process that kills itself.

Used by the fault tests as `python killed_alert.py ROOT WHEN`: `sent` kills it with
SIGKILL when the message has arrived and is not on record yet, `claimed` when it is
about to be sent.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.observe.alerts import delivering
from snowmelt.project.project import load_project
from snowmelt.service.alerting import alert_once
from snowmelt.service.opening import opened


def die(*_: Any) -> None:
    """End as a machine that loses power."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    root, when = Path(sys.argv[1]), sys.argv[2]
    if when == "sent":
        setattr(delivering, "write_outcome", die)  # noqa: B010 - of another type
    elif when == "claimed":
        setattr(delivering, "send_within", die)  # noqa: B010
    with opened(load_project(root), SystemClock(), Events()) as parts:
        alert_once(parts)
