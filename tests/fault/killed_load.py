"""Loads all that is pending, in a process that kills itself at its n-th step.

Used by the fault tests as `python killed_load.py ROOT N` or `… ROOT N linked`. Steps
are statements of any session, and links that are made: the process dies right before
the N-th of them, or the N-th after a file was linked.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.warehouse.duckdb.warehouse import DuckDBSession


def die_at(step: int, *, linked: bool) -> None:
    """Count every step, or every one once a file is linked; at the n-th, die."""
    done, counts = 0, not linked

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            nonlocal done, counts
            done += counts
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            given = original(*arguments, **named)
            counts = counts or name == "link"
            return given

        setattr(owner, name, counting)

    for name in ("execute", "rows", "value", "table", "insert", "rollback"):
        counted(DuckDBSession, name)
    for name in ("link", "fsync"):
        counted(os, name)


def load_all(root: Path) -> None:
    """Turn the loop until no file waits."""
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts, publishes=False)
        try:
            loop.ask_refresh()
            while True:
                loop.wake.clear()
                loop.turn()
                if loop.is_quiet():
                    break
                loop.wake.wait(0.02)
        finally:
            loop.close()


if __name__ == "__main__":
    die_at(int(sys.argv[2]), linked="linked" in sys.argv[3:])
    load_all(Path(sys.argv[1]))
