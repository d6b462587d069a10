"""Marks that were followed once, kept beside the warehouse.

By what they were followed through, so that a service that is started again need not do
it again; and by the state of the project, for tables are those of the published run
while the project's files may say something else already.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("snowmelt")
STATES_MAX = 8
Marks = dict[str, set[str]]


class KeptMarks:
    """A file of marks; like recordings it is a cache."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Any] = {"digest": "", "marks": {}, "states": {}}
        try:
            read = json.loads(path.read_text())
            self._kept = {name: read[name] for name in self._kept}
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def find(self, digest: str) -> Marks | None:
        """Return what came of following marks through just this."""
        if self._kept["digest"] != digest:
            return None
        return _as_sets(self._kept["marks"])

    def keep(self, digest: str, state: str, marks: Mapping[str, set[str]]) -> None:
        """Remember marks, of one state of the project."""
        shown = {key: sorted(names) for key, names in marks.items()}
        states = {**self._kept["states"]}
        states.pop(state, None)
        states[state] = shown
        while len(states) > STATES_MAX:
            del states[next(iter(states))]
        self._kept = {"digest": digest, "marks": shown, "states": states}
        written = self._path.with_name(f".{self._path.name}")
        try:
            written.write_text(json.dumps(self._kept))
            written.replace(self._path)
        except OSError as error:
            log.warning("which columns are about persons could not be kept: %s", error)

    def with_published(self, marks: Marks, state: str, published: str | None) -> Marks:
        """Return marks, and those of the tables that readers see.

        What was just edited is not built yet: until it is, both hold.
        """
        older = self._kept["states"].get(published or "", {})
        if published == state or not older:
            return marks
        return _joined(marks, _as_sets(older))

    def with_all(self, marks: Marks) -> Marks:
        """Return marks, and those of every state that is known: it may be of any."""
        for each in self._kept["states"].values():
            marks = _joined(marks, _as_sets(each))
        return marks


def _joined(marks: Marks, others: Marks) -> Marks:
    joined = {key: set(names) for key, names in marks.items()}
    for key, names in others.items():
        joined.setdefault(key, set()).update(names)
    return joined


def _as_sets(marks: Mapping[str, Any]) -> Marks:
    return {key: set(names) for key, names in marks.items()}
