"""Asking once: the key of what a task asks for, written down before it is asked.

Airflow is not imported here: what a store is, and how a service is asked, is handed in.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from snowmelt.remote import Document, Question, ServiceError, find_errand

KEY = "snowmelt_key"
NAME_LENGTH_MAX = 400
"""A service takes keys of 500 characters; what makes each one another comes after."""
_SHOWN = 300
ENDED = "its Airflow task was ended"
TOOK_TOO_LONG = "its Airflow task took too long"
NOT_THERE = 404
CHANGED = "another errand is asked for: %s"


class Store(Protocol):
    """What Airflow keeps of a task, whichever try it is."""

    def get(self, key: str) -> Any:
        """Return what is kept, or None."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Keep something."""
        ...

    def delete(self, key: str) -> None:
        """Keep it no longer."""
        ...


@dataclass(frozen=True)
class Asking:
    """Asks for what a task wishes, under a key of its own.

    `say` asks a service, and returns the errand; `warn` tells a person.
    """

    say: Callable[[Document], Document]
    warn: Callable[..., object]

    def once(self, store: Store, name: str, wish: Document) -> Document:
        """Return the errand that a task has, or a new one.

        A new one, too, if the task was changed since: what it asked for then goes on by
        itself. And if the one that it had is cancelled: a try that begins is a wish
        anew, whoever ended the one before.
        """
        key = store.get(KEY)
        found = self._had(wish | {"key": key}) if key else None
        if found is not None:
            return found
        key = f"{name}/{uuid.uuid4()}"
        store.set(KEY, key)
        return self.say(wish | {"key": key})

    def _had(self, wish: Document) -> Document | None:
        try:
            found = self.say(wish)
        except ServiceError as error:
            if error.where != "key":
                raise
            self.warn(CHANGED, error)
            return None
        if found["state"] != "CANCELLED":
            return found
        self.warn(CHANGED, found["problem"])
        return None

    def without_store(self, name: str, number: int, wish: Document) -> Document:
        """Before Airflow 3.3 a key is the task's name; a failed try is tried anew."""
        found = self.say(wish | {"key": name})
        if number > 1 and found["state"] in ("FAILED", "CANCELLED"):
            return self.say(wish | {"key": f"{name}#{number}"})
        return found


def was_given_up(found: Document) -> bool:
    """Did a try of an Airflow task end this errand, and no person?

    It goes on for a moment after that, as when a rebuild is rolled back: the next try
    may be told of it as of one that is under way.
    """
    problem = found["problem"] or ""
    return found["state"] == "CANCELLED" and problem.endswith((ENDED, TOOK_TOO_LONG))


def as_asked(found: Document, key: str | None) -> Document | None:
    """Return an errand if it is the one that was asked for under a key, and no other.

    A warehouse that was restored, or made anew, gives its numbers once more.
    """
    return found if key is None or found["key"] == key else None


async def look(
    ask: Callable[[Question], Awaitable[Document]], errand: int, key: str | None
) -> Document | None:
    """Return how an errand stands; None if the service knows it no longer."""
    try:
        answer = await ask(find_errand(errand))
    except ServiceError as error:
        if error.status == NOT_THERE:
            return None
        raise
    return as_asked(answer["errand"], key)


def name_of(ti: Any) -> str:
    """Return the name of a task of a DAG run, whichever try it is.

    Airflow lets a DAG, a run and a task have 250 characters each. Of a name that is too
    long for a key the beginning is kept, for people, and a digest of all of it.
    """
    name = f"airflow/{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
    if len(name) <= NAME_LENGTH_MAX:
        return name
    return f"{name[:_SHOWN]}…{hashlib.sha256(name.encode()).hexdigest()}"
