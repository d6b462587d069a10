"""What is still to be said to a queue: deletions, extensions, burials.

It holds each message once, so that a queue that answers slowly makes it wait, not
grow.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from snowmelt.landing.s3_event import Receipt

BATCH = 10


@dataclass(frozen=True)
class Letter:
    """A request to the queue. A `buried` body goes to the dead-letter queue first."""

    operation: str
    entries: list[dict[str, Any]]
    buried: str | None = None


class Outbox:
    """Decisions that wait to be sent, deletions first. Safe to use in threads."""

    def __init__(self, visibility_seconds: int) -> None:
        self._visibility_seconds = visibility_seconds
        self._changed = threading.Condition()
        self._over: dict[str, Receipt] = {}
        self._held: dict[str, Receipt] = {}
        self._buried: list[tuple[Receipt, str]] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._over) + len(self._buried)

    def add(self, over: Iterable[Receipt], held: Iterable[Receipt] = ()) -> None:
        """Delete some messages, and hold others for longer."""
        with self._changed:
            for each in held:
                self._held[each.message_id] = each
            for each in over:
                self._held.pop(each.message_id, None)
                self._over[each.message_id] = each
            self._changed.notify()

    def bury(self, receipt: Receipt, body: str) -> None:
        """Send a message to the dead-letter queue, then delete it."""
        with self._changed:
            self._buried.append((receipt, body))
            self._changed.notify()

    def open(self) -> None:
        """Let `next` wait again."""
        with self._changed:
            self._closed = False

    def close(self) -> None:
        """Let `next` return None once everything but extensions is sent."""
        with self._changed:
            self._closed = True
            self._held.clear()
            self._changed.notify_all()

    def next(self) -> Letter | None:
        """Wait for the next request; None when it is closed and empty."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._over or self._held or self._buried
            )
            if self._buried:
                receipt, body = self._buried.pop(0)
                return Letter("delete_message_batch", _entries([receipt]), body)
            if self._over:
                return Letter("delete_message_batch", _entries(_taken(self._over)))
            if self._held:
                held = _entries(_taken(self._held))
                for entry in held:
                    entry["VisibilityTimeout"] = self._visibility_seconds
                return Letter("change_message_visibility_batch", held)
            return None


def _taken(waiting: dict[str, Receipt]) -> list[Receipt]:
    """Take the first messages out."""
    first = list(islice(waiting, BATCH))
    return [waiting.pop(message_id) for message_id in first]


def _entries(receipts: list[Receipt]) -> list[dict[str, Any]]:
    return [
        {"Id": str(number), "ReceiptHandle": each.handle}
        for number, each in enumerate(receipts)
    ]
