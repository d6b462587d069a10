"""Refresh tasks: the stage is listed, and what is new is loaded."""

from __future__ import annotations

import json
import threading
from typing import Protocol

from snowmelt.clock import Clock
from snowmelt.service.tasks.work import Done, Order, Stop, TaskError
from snowmelt.transform.tasks.unread import position
from snowmelt.warehouse.port import Warehouse

_LOOK_SECONDS = 0.02


class Loads(Protocol):
    """What loads files: the loop."""

    def ask_refresh(self) -> None:
        """List the stage in the next turn."""
        ...

    def has_loaded(self, pipe: str | None) -> bool:
        """Is the stage listed, and nothing of a pipe, or of any, left to load?"""
        ...

    @property
    def stage_problem(self) -> str | None:
        """Return why the stage cannot be reached, if it cannot."""
        ...


class Refreshing:
    """Waits until the loop has loaded what it finds."""

    def __init__(self, loads: Loads, warehouse: Warehouse, clock: Clock) -> None:
        self._loads = loads
        self._warehouse = warehouse
        self._clock = clock

    def refresh(self, order: Order, stop: Stop) -> Done:
        """List, load, wait; return how many files and rows came."""
        assert order.task.refresh is not None
        pipe, never = order.task.refresh.pipe, threading.Event()
        with self._warehouse.session() as session:
            before = position(session)
        self._loads.ask_refresh()
        while not self._loads.has_loaded(pipe):
            if stop.asked.is_set():
                raise TaskError("files were still being loaded")
            self._clock.wait(never, _LOOK_SECONDS)
        if problem := self._loads.stage_problem:
            raise TaskError(problem)
        with self._warehouse.session() as session:
            ((files, rows, failed),) = session.rows(
                "select count(*), coalesce(sum(row_count), 0)::bigint, "
                "count(*) filter (status = 'Load failed') from snowmelt.load_history "
                "where load_seq > $1 and ($2 is null or pipe_name = $2)",
                [before, pipe],
            )
        counts = {"files": files, "rows": rows, "failed": failed}
        return Done(return_value=json.dumps(counts))
