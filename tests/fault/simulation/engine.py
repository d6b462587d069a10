"""The driver's connection as an edge: it may stop, fail, or be the last statement."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import duckdb

from simulation.weave import WovenLock
from simulation.world import World
from snowmelt.warehouse.duckdb.warehouse import DuckDBWarehouse, Limits, open_warehouse

_ERRORS: list[Callable[[], duckdb.Error]] = [
    lambda: duckdb.OutOfMemoryException(
        "Out of Memory Error: could not allocate block of size 256.0 KiB"
    ),
    lambda: duckdb.IOException(
        "IO Error: Could not write file: No space left on device"
    ),
]
_SETTINGS = ("set ", "begin transaction read only")
_NUMBERS = re.compile(r"[0-9a-f-]{20,}|\d+-[0-9a-f]+-\d+|/\S+")


class FaultyConnection:
    """A connection whose statements are moments of the simulation."""

    def __init__(self, world: World, real: duckdb.DuckDBPyConnection) -> None:
        self._world = world
        self.real = real

    def cursor(self) -> FaultyConnection:
        return FaultyConnection(self._world, self.real.cursor())

    def execute(
        self, sql: str, parameters: Sequence[object] | None = None
    ) -> duckdb.DuckDBPyConnection:
        name = _name(sql)
        self._world.moment(name)
        if sql != "rollback":
            self._fail_perhaps(sql, name)
        result = self.real.execute(sql, parameters)
        if sql == "commit":
            self._world.moment("committed")
        return result

    def _fail_perhaps(self, sql: str, name: str) -> None:
        world = self._world
        chance = 0.6 if world.shortage else world.chances.statement
        if world.starts_again or not world.chance(chance):
            return
        if sql == "commit":
            self.real.execute("rollback")
        error = world.rng.choice(_ERRORS)()
        world.tell(f"{name} fails: {type(error).__name__}")
        raise error

    def interrupt(self) -> None:
        self.real.interrupt()

    def close(self) -> None:
        self.real.close()


def open_faulty(
    world: World, path: Path, *, folders: Sequence[Path], limits: Limits
) -> DuckDBWarehouse:
    """Open the warehouse, with edges."""
    real = open_warehouse(path, folders=folders, limits=limits)._connection
    faulty = cast("Any", FaultyConnection(world, real))
    warehouse = DuckDBWarehouse(faulty, path)
    warehouse.commit_lock = cast("Any", WovenLock(world.weave))
    return warehouse


def _name(sql: str) -> str:
    """Return the beginning of a statement, without what differs between runs."""
    words = " ".join(sql.split())
    words = re.sub(r"'[^']*'", "'…'", words)
    return _NUMBERS.sub("…", words)[:60]
