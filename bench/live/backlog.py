"""Files that arrive at once, and how long a running service takes to load them."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from bench.live.shop import Shop
from bench.live.stream import plan_files, write_file
from bench.live.up import Service, asking, pause

LOOK_SECONDS = 0.025
_LOADED = "select count(*) from snowmelt.load_history"


@dataclass(frozen=True)
class Loaded:
    """Some files that were loaded: from the first rename to the last commit."""

    begun: float
    ended: float
    service_cpu_seconds: float

    @property
    def wall_seconds(self) -> float:
        return self.ended - self.begun


class Backlog:
    """Batches of so many files, each of which arrives at once when it is asked for."""

    def __init__(self, service: Service, shop: Shop, files: int, batches: int) -> None:
        self._service = service
        self._shop = shop
        self._files = files
        self._coming = iter(
            [each for each in plan_files(files * batches * 2) if each.version == 1]
        )
        self._ready = shop.root.parent / "ready"
        self._ready.mkdir()

    def prepare(self) -> None:
        """Write the next files, and let the service come to rest."""
        for _ in range(self._files):
            each = next(self._coming)
            write_file(each, self._shop.known, self._ready / each.name)
        self._service.rest()

    def load(self) -> Loaded:
        """Land what was prepared, and wait until the last of it is committed."""
        with asking(self._service) as client:
            before = client.query(_LOADED, 1)["rows"][0][0]
            used, begun = self._service.cpu_seconds, perf_counter()
            for file in sorted(self._ready.iterdir()):
                file.rename(self._shop.landing / file.name)
            while client.query(_LOADED, 1)["rows"][0][0] < before + self._files:
                pause(LOOK_SECONDS)
        return Loaded(begun, perf_counter(), self._service.cpu_seconds - used)
