"""An account in memory through which files really go: into a table, a stream, gold.

Its bucket tells it of files. What COPY, streams and triggered tasks do to the rows of
the canary's small tables is what the documents say of them, and no more.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shipped import StillClock
from snowflake_account import Name, PipeState, Stopped, Thing, named
from snowflake_history import RememberingAccount
from snowflake_reader import Reader
from snowmelt.deploy.snowflake.session import Row

_COUNTS = re.compile(r"SELECT COUNT\(\*\) AS N, COUNT\(DISTINCT ID\) AS IDS FROM (\S+)")
_PUBLISHES = re.compile(r"INSERT INTO (\S+) SELECT ID, NOTE FROM (\S+)")


class LiveAccount(RememberingAccount):
    """What goes wrong can be chosen: that no file is told of, that names come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[Name, list[dict[str, Any]]] = {}
        self.offsets: dict[Name, int] = {}
        self.is_deaf = False
        self.doubles_names = False
        self.task_fails = False
        self.hides_rejects = False

    def _made(self, thing: Thing, *, is_new: bool) -> None:
        super()._made(thing, is_new=is_new)
        if thing.noun == "STREAM":
            self.offsets[thing.name] = len(self.data.get(thing.more["table"], []))

    def land(self, path: str, content: str) -> None:
        if self.is_deaf:
            return
        super().land(path, content)

    def _ingest(self, pipe: Thing, state: PipeState, path: str) -> None:
        if path in state.history and not self.doubles_names:
            return
        state.history.add(path)
        table, full = pipe.more["copy"]["table"], ".".join(pipe.name)
        good: list[tuple[int, dict[str, str]]] = []
        bad: list[tuple[int, dict[str, str]]] = []
        lines = list(csv.DictReader(io.StringIO(self.files[path].content)))
        for number, record in enumerate(lines, start=1):
            is_good = str(record["id"]).isdigit()
            (good if is_good else bad).append((number, record))
        rows = self.data.setdefault(table, [])
        rows += [{"ID": record["id"], "NOTE": record["note"]} for _, record in good]
        self.remember_copy(
            *(".".join(table), full, path.removeprefix("raw/")),
            row_parsed=len(lines),
            row_count=len(good),
            error_count=len(bad),
            status="Partially loaded" if bad else "Loaded",
        )
        self.told["VALIDATE_PIPE_LOAD"] += [
            {
                "ERROR": "Numeric value 'not-a-number' is not recognized",
                "FILE": path,
                "LINE": number + 1,
                "ROW_NUMBER": number,
                "REJECTED_RECORD": ",".join(record.values()),
                "PIPE": full,
                "AT": self.now,
            }
            for number, record in bad
            if not self.hides_rejects
        ]

    def _unread(self, stream: Name) -> list[dict[str, Any]]:
        table = self.things["STREAM", stream].more["table"]
        return self.data.get(table, [])[self.offsets[stream] :]

    def _select(self, reader: Reader) -> list[Row]:
        match = _COUNTS.fullmatch(reader.statement)
        if match is None:
            return super()._select(reader)
        name = named(match[1])
        rows = self._unread(name) if name in self.offsets else self.data.get(name, [])
        return [{"n": len(rows), "ids": len({row["ID"] for row in rows})}]

    def _alter_task(self, thing: Thing, reader: Reader) -> bool:
        resumed = reader.peek() == "RESUME"
        done = super()._alter_task(thing, reader)
        if resumed and "CANARY" in thing.name[1]:
            self._run(thing)
        return done

    def _run(self, task: Thing) -> None:
        given = {"at": self.now, "schema_name": task.name[1]}
        given |= {"scheduled_from": "TRIGGER", "graph_run_group_id": "live"}
        if self.task_fails:
            self.remember_task("PUBLISH", state="FAILED", error_message="no", **given)
            return
        match = _PUBLISHES.match(task.more["definition"])
        assert match is not None
        gold, stream = named(match[1]), named(match[2])
        self.data.setdefault(gold, []).extend(self._unread(stream))
        table = self.things["STREAM", stream].more["table"]
        self.offsets[stream] = len(self.data.get(table, []))
        self.remember_task("PUBLISH", **given)

    def _drop(self, reader: Reader) -> list[Row]:
        answer = super()._drop(reader)
        assert reader.is_over or reader.accept("CASCADE")
        return answer

    def _row_of_schema(self, thing: Thing) -> dict[str, Any]:
        if "DATA_RETENTION_TIME_IN_DAYS" in thing.options:
            return super()._row_of_schema(thing)
        return {"retention_time": "1"}


@dataclass
class TellingBucket:
    """A bucket that tells the account of what is put into it."""

    account: LiveAccount
    objects: dict[str, bytes] = field(default_factory=dict)
    stop_at: int | None = None
    calls: int = 0

    def _call(self) -> None:
        self.calls += 1
        if self.stop_at is not None and self.calls > self.stop_at:
            raise Stopped

    def put(self, key: str, content: bytes) -> None:
        self._call()
        self.objects[key] = content
        self.account.land(key, content.decode())

    def keys(self, prefix: str) -> list[str]:
        self._call()
        return [key for key in self.objects if key.startswith(prefix)]

    def delete(self, key: str) -> None:
        self._call()
        self.objects.pop(key, None)


class MovingClock(StillClock):
    """A clock whose waiting moves the account's, too."""

    def wait(self, wake: object, seconds: float) -> bool:
        self.account.now += timedelta(seconds=seconds)
        return super().wait(wake, seconds)


def canaries(account: LiveAccount) -> list[Thing]:
    """What of canaries is in an account."""
    return [
        thing
        for (_, name), thing in account.things.items()
        if any(part.startswith("SNOWMELT_CANARY") for part in name)
    ]
