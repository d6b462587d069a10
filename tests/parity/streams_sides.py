"""Streams, on both sides: files bring rows, and readers read what is new.

Here two models of the small project read one table of bronze: `a` writes down what its
stream says, `b` keeps every record. One run reads for both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from scenario import NOON, Scenario, duration
from snowflake_streams import Change, Stream, Table
from task_project import MovedClock

from small_project import ORDERS, OpenSmall, Warm
from snowmelt.errors import SnowmeltError
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened

Files = dict[str, list[int]]
CONSUMER = {"a": "gold.order_movements", "b": "silver.order_log"}


class _Looked:
    """What readers got, and what was seen on the way; what is empty is left out."""

    def __init__(self) -> None:
        self.reads: dict[str, list[Any]] = {}
        self.looks: list[list[int]] = []
        self.had_data: list[bool] = []
        self.refused: list[str] = []

    def note(self, reader: str, found: list[Change]) -> None:
        told = [list(change) for change in sorted(found)]
        self.reads.setdefault(reader, []).append(told)

    def outcome(self, *, stale: bool) -> dict[str, Any]:
        told = {
            "reads": self.reads,
            "looks": self.looks,
            "has_data": self.had_data,
            "refused": self.refused,
            "stale": stale,
        }
        return {key: value for key, value in told.items() if value}


class There:
    """A table and its streams on the double.

    `kind: append_only` is a stream on the rows of all loads, as models read bronze
    there; `standard` one on a table in which a correction replaces rows.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.now = NOON
        self.table = Table()
        self.files: Files = {}
        self.replaces = scenario.given.get("kind", "append_only") == "standard"
        shared = self._stream()
        alone = scenario.given.get("one_stream", False)
        self.streams = {"a": shared, "b": shared if alone else self._stream()}
        self.looked = _Looked()

    def _stream(self) -> Stream:
        return Stream(self.table, self.now, append_only=not self.replaces)

    def add(self, files: Files) -> None:
        for name, rows in files.items():
            self.files[name] = rows
            self.table.insert(rows)

    def correct(self, files: Files) -> None:
        for name, rows in files.items():
            if self.replaces:
                self.table.delete(self.files[name])
            self.files[name] = rows
            self.table.insert(rows)

    def truncate(self, _: object) -> None:
        self.table.truncate()

    def read(self, reader: str) -> None:
        self.looked.note(reader, self.streams[reader].read(self.now))

    def read_rolled_back(self, reader: str) -> None:
        found = self.streams[reader].read(self.now, commits=False)
        self.looked.note(reader, found)

    def fail_after(self, reader: str) -> None:
        """A run builds model by model: this one is built, the other one fails."""
        for each in self.streams:
            found = self.streams[each].read(self.now, commits=each == reader)
            self.looked.note(each, found)

    def look(self, reader: str) -> None:
        found = [action for action, _ in self.streams[reader].look()]
        self.looked.looks.append([found.count("INSERT"), found.count("DELETE")])

    def has_data(self, reader: str) -> None:
        self.looked.had_data.append(self.streams[reader].has_data(self.now))

    def wait(self, text: str) -> None:
        self.now += duration(text)

    def outcome(self) -> dict[str, Any]:
        return self.looked.outcome(stale=self.streams["a"].is_stale(self.now))


class Here:
    """The small project on this machine."""

    def __init__(self, root: Path, commands: OpenSmall, clock: MovedClock) -> None:
        self.root, self.commands, self.clock = root, commands, clock
        self.looked = _Looked()
        self.seen = {name: set(self._read_by(name)) for name in CONSUMER}

    def add(self, files: Files) -> None:
        for name, rows in files.items():
            lines = "".join(f"{n},c1,aa,open,1.00,2024-01-01,\n" for n in rows)
            self._land(f"orders_{name}.csv", ORDERS + lines)
        self._load()

    correct = add

    def _land(self, name: str, text: str) -> None:
        hidden = self.root / "landing" / ".new.tmp"
        hidden.write_text(text)
        hidden.rename(self.root / "landing" / name)

    def _load(self) -> None:
        """Load what came, and publish nothing."""
        self.commands.loop.publishes = False
        self.commands.run(None)
        self.commands.loop.publishes = True

    def truncate(self, _: object) -> None:
        try:
            self.commands.query("truncate bronze.orders__all", None)
        except SnowmeltError as error:
            self.looked.refused.append(error.problem)

    def read(self, reader: str) -> None:
        run = self.commands.run(None)["run"]
        assert run is None or run["state"] == "SUCCEEDED", run
        self._note(reader)

    def read_rolled_back(self, reader: str) -> None:
        self._fail()
        self._note(reader)

    def fail_after(self, reader: str) -> None:
        del reader
        self._fail()
        for each in CONSUMER:
            self._note(each)

    def _fail(self) -> None:
        """Let a test of gold fail, and mend what it failed for."""
        item = {"order_id": "w0", "line": 9, "sku": "a1", "quantity": 1}
        self._land("items_odd.json", json.dumps(item | {"price": -5}))
        run = self.commands.run(None)["run"]
        assert run["state"] == "FAILED", run
        self._land("items_odd.json", json.dumps(item | {"price": 5}))
        self._load()

    def look(self, reader: str) -> None:
        stream = self._stream(reader)
        self.looked.looks.append([stream["rows_inserted"], stream["rows_deleted"]])

    def has_data(self, reader: str) -> None:
        self.looked.had_data.append(self._stream(reader)["has_data"])

    def wait(self, text: str) -> None:
        self.clock.later += duration(text)
        self.commands.vacuum()

    def outcome(self) -> dict[str, Any]:
        return self.looked.outcome(stale=self._stream("a")["stale"])

    def _stream(self, reader: str) -> dict[str, Any]:
        [found] = (
            each
            for each in self.commands.streams()["streams"]
            if (each["consumer"], each["source"]) == (CONSUMER[reader], "bronze.orders")
        )
        return dict(found)

    def _note(self, reader: str) -> None:
        now = self._read_by(reader)
        new = [each for each in now if each not in self.seen[reader]]
        self.seen[reader] |= set(new)
        found = [("INSERT" if n > 0 else "DELETE", int(key)) for _, key, n in new]
        self.looked.note(reader, found)

    def _read_by(self, reader: str) -> list[tuple[int, str, int]]:
        """What a model made of what its stream told, each row once."""
        if reader == "a":
            sql = "select rowid, order_id, records from gold.order_movements order by 1"
        else:
            sql = (
                "select _load_seq * 1000 + _file_row, order_id, 1 from silver.order_log"
            )
        return [(at, key, n) for at, key, n in self.commands.rows(sql)]


@contextmanager
def here(warm: Warm, root: Path) -> Iterator[Here]:
    """Open a copy of the small project that was built."""
    clock = MovedClock()
    clock.later = timedelta()
    shop = warm.copy(root)
    with opened(load_project(shop.root), clock, Events()) as parts:
        loop = Loop(parts)
        try:
            yield Here(shop.root, OpenSmall(loop), clock)
        finally:
            loop.close()


def play(side: There | Here, scenario: Scenario) -> dict[str, Any]:
    """Take the steps of a scenario on one side; return what was seen."""
    for verb, argument in scenario.steps:
        do: Callable[[Any], None] = getattr(side, verb)
        do(argument)
    return side.outcome()
