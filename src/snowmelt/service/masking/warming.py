"""Decides which columns are about persons before anybody asks.

In a large project that takes seconds once, after the project changed: a viewer whose
page it would keep waiting finds it done.
"""

from __future__ import annotations

import logging
import threading

from snowmelt.events import Event, RunFinished
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.parts import Parts

log = logging.getLogger("snowmelt")


class Warming:
    """A thread beside the pages: at their start and after each run it looks again."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="masks", daemon=True)

    def __call__(self, event: Event) -> None:
        """A run ended: what it published may have other columns."""
        if isinstance(event, RunFinished):
            self._due.set()

    def start(self) -> None:
        """Begin, with a look at once."""
        self._due.set()
        self._thread.start()

    def stop(self) -> None:
        """End with what is being looked at."""
        self._stopping = True
        self._due.set()
        self._thread.join()

    def _work(self) -> None:
        while self._due.wait():
            self._due.clear()
            if self._stopping:
                return
            try:
                with self._parts.warehouse.snapshot() as session:
                    personal_of(self._parts, session)
            except Exception:
                log.exception("which columns are about persons could not be decided")
