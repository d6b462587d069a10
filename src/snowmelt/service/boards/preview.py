"""Open pages follow the files of dashboards as they are saved.

The files are looked at twice a second, and only while a page is open: an editor may
save in any way it likes, and of a folder on another machine no event tells.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from snowmelt.project.dashboards import dashboard_files
from snowmelt.project.metrics import MetricFiles
from snowmelt.serve.pages.site import Site
from snowmelt.service.parts import Parts

EVERY_SECONDS = 0.4
METRICS_EVERY = 5
"""New files among the models are looked for in each so many rounds."""
TOPIC = frozenset({"dashboards"})
_Stamp = list[tuple[Path, int, int]]


class Preview:
    """Tells open pages that a dashboard was saved."""

    def __init__(self, parts: Parts, site: Site) -> None:
        self._root = parts.project.root
        self._clock = parts.clock
        self._site = site
        self._metrics = MetricFiles(self._root)
        self._metric_files: list[Path] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="preview", daemon=True)

    def start(self) -> None:
        """Look at the files from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        seen, rounds = self._stamp(), 0
        while not self._clock.wait(self._stopping, EVERY_SECONDS):
            if not self._site.broadcast.has_listeners:
                continue
            rounds += 1
            if rounds % METRICS_EVERY == 0:
                self._metric_files = self._metrics.paths()
            now = self._stamp()
            if now != seen:
                self._site.asked.forget()
                self._site.broadcast.tell(TOPIC)
            seen = now

    def _stamp(self) -> _Stamp:
        stamps = []
        for path in (*dashboard_files(self._root), *self._metric_files):
            with suppress(OSError):  # it comes and goes while it is saved
                found = path.stat()
                stamps.append((path, found.st_mtime_ns, found.st_size))
        return stamps
