"""`snowmelt run`, in a process that kills itself at its n-th statement.

Used by the fault tests as `python killed.py N snowmelt-words…`: the warehouse's own
session counts what it is asked, and at the N-th statement the process gets SIGKILL, as
from a machine that loses power between any two steps.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from snowmelt.cli import main
from snowmelt.warehouse.duckdb.warehouse import DuckDBSession


def die_at(statement: int) -> None:
    """Count every statement of every session; at the n-th, die."""
    asked = 0

    def counted(name: str) -> None:
        original = getattr(DuckDBSession, name)

        def counting(self: DuckDBSession, *arguments: Any, **named: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *arguments, **named)

        setattr(DuckDBSession, name, counting)

    for name in ("execute", "rows", "value", "table", "insert"):
        counted(name)


if __name__ == "__main__":
    die_at(int(sys.argv[1]))
    main(sys.argv[2:])
