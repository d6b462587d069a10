"""Files that land, on both sides: a pipe with one column of numbers.

What is looked at in the end: `live`, the rows that count; `stored`, all that were ever
loaded; `history`, the status of each load by file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from scenario import NOON, Scenario, duration
from small_shop import Shop, columns, open_shop
from snowpipe import Bucket, Pipe, Table
from task_project import MovedClock

from refreshed import read_refresh, sent_by
from snowmelt.deploy.snowflake.bronze import Surroundings, map_pipe
from snowmelt.deploy.snowflake.catch_up import Refresh, Staged, catch_up
from snowmelt.deploy.snowflake.places import Findings, PipeFile
from snowmelt.deploy.snowflake.refreshing import refresh_code
from snowmelt.deploy.snowflake.stage import Stage
from snowmelt.deploy.snowflake.table import View
from snowmelt.deploy.snowflake.task_place import Place
from snowmelt.errors import SnowmeltError
from snowmelt.pipe.definition import Pipe as Definition
from snowmelt.pipe.pattern import compile_pattern
from snowmelt.service.commands import OwnCommands

FOLDER = "raw/"
PIPE: dict[str, Any] = {
    "name": "t",
    "pattern": "t*.csv",
    "contract": columns("id integer"),
}
PLACE = Place(
    *("SHOP", "SNOWMELT", "bronze", "SHOP_WH", "SHOP", "1.11.11", None, "prod"),
    *(Path(), ("t",), ("t",), ()),
)
Outcome = dict[str, Any]
_ROWS = (
    "create table t__all (id integer, _file varchar, _file_row bigint, "
    "_content_key varchar, _version_at timestamp, _loaded_at timestamptz, "
    "_replayed_from bigint, name varchar)"
)


def content(words: object) -> str:
    """Write a file: numbers, and whatever is none; or lines between `|`."""
    if "|" in str(words):
        return "".join(f"{line}\n" for line in str(words).split("|"))
    return "".join(f"{each}\n" for each in ["id", *str(words).split()])


class There:
    """The deployed pipe on the double; the live rows by the view that is deployed."""

    def __init__(self, pipe: dict[str, Any]) -> None:
        self.now = NOON
        self.pipe = PIPE | pipe
        self.bucket, self.table = Bucket(), Table()
        on_error = str(self.pipe.get("on_error", "skip_file"))
        self.told = Pipe(self.bucket, self.table, self._pattern, self.now, on_error)

    @property
    def _pattern(self) -> str:
        return compile_pattern(self.pipe["pattern"]).pattern

    def land(self, files: dict[str, object]) -> None:
        for path, words in files.items():
            self.bucket.put(path, content(words), self.now)

    def lose(self, files: dict[str, object]) -> None:
        for path, words in files.items():
            self.bucket.put(path, content(words), self.now, told=False)

    def load(self, _: object) -> None:
        for pipe in self.bucket.listening:
            pipe.turn(self.now)

    def refresh(self, _: object) -> None:
        """A task with `refresh:` runs: what it says is its deployed text's."""
        made = {("BRONZE", "T_PIPE"): self.told.made_at}
        for statement in sent_by(refresh_code(PLACE, ("t",)), made, self.now):
            self.told.refresh(self.now, read_refresh(statement)[1])

    def wait(self, text: str) -> None:
        self.now += duration(text)

    def pause(self, _: object) -> None:
        self.told.paused = True

    def resume(self, _: object) -> None:
        self.told.paused = False

    def remove(self, path: str) -> None:
        del self.bucket.objects[path]

    def copy(self, _: object) -> None:
        self.table.copy(self.bucket, self._pattern, "continue", self.now)

    def by_hand(self, _: object) -> None:
        """Somebody makes the pipe anew, and lets it look at the stage."""
        self.make_anew(None)
        self.told.refresh(self.now)

    def make_anew(self, _: object) -> None:
        """Somebody makes the pipe anew, and that is all."""
        self.told.recreate(self._pattern, self.now)

    def repattern(self, pattern: str) -> None:
        """The project changes, and `deploy apply` makes the pipe anew its own way."""
        self.pipe = self.pipe | {"pattern": pattern}
        self.told.recreate(self._pattern, self.now)
        staged = [
            Staged(found.modified_at, path)
            for path, found in self.bucket.objects.items()
        ]
        known = {path for path, status in self.table.history if "failed" not in status}
        for way in catch_up(staged, known, self._pattern, self.now):
            assert isinstance(way, Refresh)
            for file in staged:
                if way.reaches(file):
                    self.told.hear(file.path, self.now)
        self.told.turn(self.now)

    def second_pipe(self, pattern: str) -> None:
        """Another pipe on the same files and the same table."""
        Pipe(self.bucket, self.table, compile_pattern(pattern).pattern, self.now)

    def outcome(self) -> Outcome:
        history: dict[str, list[str]] = {}
        for path, status in self.table.history:
            history.setdefault(path, []).append(status)
        return {
            "live": self._live(),
            "stored": sorted(row.id for row in self.table.rows),
            "history": history,
        }

    def _live(self) -> list[int]:
        """Ask the view that deploy makes, put into DuckDB's dialect."""
        given = {k: v for k, v in self.pipe.items() if k != "file_format"}
        file = PipeFile(Definition.model_validate(given), Path(), "pipes/t.yml")
        stage = Stage("SHOP.BRONZE.LANDING", "s3://shop/raw/", "SHOP_S3")
        around = Surroundings("shop", "bronze", stage, "arn", FOLDER, (), {})
        made = map_pipe(file, around, Findings(Path()))
        [view] = [each for each in made if isinstance(each, View)]
        asked = _as_duckdb(view.query)
        connection = _engine()
        connection.execute("delete from t__all")
        rows = [
            (
                *(row.id, FOLDER + row.file, row.file_row, row.content_key),
                *(row.version_at.replace(tzinfo=None), row.loaded_at, None, None),
            )
            for row in self.table.rows
        ]
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"insert into t__all values ({marks})", rows)
        return sorted(each[0] for each in connection.sql(asked).fetchall())


@cache
def _as_duckdb(query: str) -> str:
    """Put the view's query into DuckDB's dialect, over a table of the test's own."""
    query = query.replace("SHOP.BRONZE.T__ALL", "t__all")
    [asked] = sqlglot.transpile(query, read="snowflake", write="duckdb")
    return asked


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """What asks the view, opened once."""
    connection = duckdb.connect()
    connection.execute(_ROWS)
    return connection


class Here:
    """The pipe of a real project on this machine.

    Most scenarios share a project, each with a pipe and a folder of its own; those that
    change the project have one to themselves.
    """

    def __init__(self, shop: Shop, clock: MovedClock, pipe: str, folder: str) -> None:
        self.shop, self.clock, self.pipe, self._folder = shop, clock, pipe, folder

    def land(self, files: dict[str, object]) -> None:
        for path, words in files.items():
            stamp = self.clock.now().timestamp()
            landed = self.shop.land(self._folder + path, content(words).encode())
            os.utime(landed, (stamp, stamp))

    lose = land  # a listing finds what no notification told

    def load(self, _: object) -> None:
        self.shop.load()

    refresh = copy = load

    def wait(self, text: str) -> None:
        self.clock.later += duration(text)

    def pause(self, _: object) -> None:
        self.verbs.pause(self.pipe, None)

    def resume(self, _: object) -> None:
        self.verbs.resume(self.pipe)

    @property
    def verbs(self) -> OwnCommands:
        return OwnCommands(self.shop.loop, serving=False)

    def remove(self, path: str) -> None:
        (self.shop.root / "landing" / self._folder / path).unlink()

    def outcome(self) -> Outcome:
        history: dict[str, list[str]] = {}
        for path, status in self.shop.rows(
            "select file_name, status from snowmelt.load_history "
            "where pipe_name = $1 order by load_seq",
            [self.pipe],
        ):
            history.setdefault(path.removeprefix(self._folder), []).append(status)
        live, stored = (
            [
                number
                for (number,) in self.shop.rows(f"select id from {name} order by 1")
            ]
            for name in (f"bronze.{self.pipe}", f"bronze.{self.pipe}__all")
        )
        return {"live": live, "stored": stored, "history": history}


class HereAlone(Here):
    """A project of a scenario's own, which it changes and opens again."""

    def __init__(self, scenario: Scenario, root: Path) -> None:
        self.root = root
        self.pipes = [PIPE | scenario.given.get("pipe", {})]
        self._stack = ExitStack()
        self._refused = ""
        clock = MovedClock()
        clock.move(NOON)
        super().__init__(self._opened(clock), clock, "t", "")

    def _opened(self, clock: MovedClock) -> Shop:
        self.close()
        return self._stack.enter_context(open_shop(self.root, self.pipes, clock))

    def close(self) -> None:
        self._stack.close()

    def by_hand(self, _: object) -> None:
        """The pipe's file is written anew: its history is that of its name."""
        self.shop = self._opened(self.clock)
        self.shop.load()

    def make_anew(self, _: object) -> None:
        self.shop = self._opened(self.clock)

    def repattern(self, pattern: str) -> None:
        self.pipes = [self.pipes[0] | {"pattern": pattern}]
        self.shop = self._opened(self.clock)
        self.shop.load()

    def second_pipe(self, pattern: str) -> None:
        second = PIPE | {"name": "u", "pattern": pattern}
        with pytest.raises(SnowmeltError) as told:
            self._stack.enter_context(open_shop(self.root, [*self.pipes, second]))
        self._refused = told.value.problem
        (self.root / "pipes" / "u.yml").unlink()
        self.shop = self._opened(self.clock)

    def outcome(self) -> Outcome:
        refused = {"refused": self._refused} if self._refused else {}
        return super().outcome() | refused


CHANGES_THE_PROJECT = {"by_hand", "make_anew", "repattern", "second_pipe"}


def is_alone(scenario: Scenario) -> bool:
    """Does it need a project of its own?"""
    return any(verb in CHANGES_THE_PROJECT for verb, _ in scenario.steps)


def shared_pipe(scenario: Scenario) -> dict[str, Any]:
    """The pipe of a scenario in the project that many share."""
    given: dict[str, Any] = PIPE | scenario.given.get("pipe", {})
    pattern = f"{scenario.name}/{given['pattern']}"
    return given | {"name": scenario.name, "pattern": pattern}


@contextmanager
def shared_shop(root: Path, scenarios: list[Scenario]) -> Iterator[Shop]:
    """Open the project that many share, at noon."""
    clock = MovedClock()
    clock.move(NOON)
    pipes = [shared_pipe(each) for each in scenarios if not is_alone(each)]
    with open_shop(root, pipes, clock) as shop:
        yield shop


def play(side: There | Here, scenario: Scenario) -> Outcome:
    """Take the steps of a scenario on one side; return what there is then."""
    for verb, argument in scenario.steps:
        do: Callable[[Any], None] = getattr(side, verb)
        do(argument)
    return side.outcome()
