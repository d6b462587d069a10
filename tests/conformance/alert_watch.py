"""A shop whose alerts are looked for and delivered, by a clock that tests move."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from small_shop import Shop, open_shop

from alert_receivers import Hook
from snowmelt.service.alerting import Alerting

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECONDS_MAX = 30


class HandedClock:
    """Time that goes on when a test says so, and a little at each look."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._seconds = 1000.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        self.advance(0.000_01)
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        return wake.wait(min(seconds, 0.02))

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds
            self._now += timedelta(seconds=seconds)


@dataclass
class Watch:
    """An open shop, its alerts and its clock."""

    shop: Shop
    alerting: Alerting
    clock: HandedClock

    def settle(self) -> None:
        """Let what is due be looked for and sent."""
        latest = time.monotonic() + SECONDS_MAX
        self.alerting.turn()
        while not self.alerting.idle:
            assert time.monotonic() < latest, "alerts never come to rest"
            self.shop.loop.wake.wait(0.005)
            self.shop.loop.wake.clear()
            self.alerting.turn()

    def later(self, seconds: float = 61) -> None:
        """Let time go on, have the loop see it, and look."""
        self.clock.advance(seconds)
        self.shop.loop.turn()
        self.settle()

    def alerts(self, rule: str | None = None) -> list[dict[str, Any]]:
        """Return what is on record, oldest first."""
        with self.shop.parts.warehouse.snapshot() as session:
            found = session.table(
                "select * from snowmelt.alerts where ($1 is null or rule = $1) "
                "order by opened_at, alert_id",
                [rule],
            )
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def deliveries(self) -> list[tuple[str, str, str, int]]:
        """Return sink, kind, state and tries of every message, in order."""
        return [
            (sink, kind, state, tries)
            for sink, kind, state, tries in self.shop.rows(
                "select sink, kind, state, tries from snowmelt.alert_deliveries "
                "order by delivery_id"
            )
        ]

    def write(self, sql: str, *parameters: object) -> None:
        """Put on record what another part of the product would."""
        with self.shop.parts.warehouse.session() as session:
            session.execute(sql, list(parameters))


@contextmanager
def watched(
    root: Path,
    pipes: list[dict[str, Any]],
    alerts: dict[str, Any],
    clock: HandedClock | None = None,
) -> Iterator[Watch]:
    """Open a shop with these alerts; again after a restart with the same clock."""
    clock = clock or HandedClock()
    with open_shop(root, pipes, clock, alerts=alerts) as shop:
        alerting = Alerting(shop.parts, shop.loop.wake.set)
        shop.parts.events.subscribe(alerting)
        try:
            yield Watch(shop, alerting, clock)
        finally:
            alerting.close()


def to_hook(hook: Hook, **rest: Any) -> dict[str, Any]:
    """Return `alerts:` with one sink, and whatever else."""
    return {"sinks": {"ops": {"webhook": {"url": hook.url}}}, **rest}
