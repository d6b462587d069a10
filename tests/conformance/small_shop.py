"""A project with pipes and no models: files land, are copied, and are looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from snowmelt.clock import Clock, SystemClock
from snowmelt.events import Events
from snowmelt.pipe.definition import Pipe
from snowmelt.project.project import load_project
from snowmelt.service.after_loading import AfterLoading
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Row

SECONDS_MAX = 60
NOT_OF_THE_FILE = "_file, _load_seq, _version_at, _loaded_at, _replayed_from"
SETTINGS: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "landing": {"settle": "0s", "refresh_every": "1h"},
    "warehouse": {"threads": 2},
}
DBT_PROJECT = "name: small\nversion: 1.0.0\nconfig-version: 2\nprofile: snowmelt\n"


@dataclass(frozen=True)
class Refused:
    """A reject as it stands in the warehouse."""

    file_row: int
    line: int
    byte_offset: int
    column_name: str | None
    raw: bytes
    errors: tuple[dict[str, Any], ...]


@dataclass
class Shop:
    """An open project whose copies can be looked at."""

    root: Path
    parts: Parts
    loop: Loop

    def land(self, name: str | bytes, content: bytes) -> Path:
        """Rename a file into place."""
        decoded = (
            name if isinstance(name, str) else name.decode(errors="surrogateescape")
        )
        target = self.parts.project.landing / decoded
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.parent / ".landing.tmp"
        hidden.write_bytes(content)
        hidden.rename(target)
        return target

    def load(self) -> None:
        """List the folder and turn the loop until no file waits."""
        self.loop.ask_refresh()

        def is_quiet() -> bool:
            self.loop.turn()
            return self.loop.is_quiet()

        self.wait_until(is_quiet)

    def carry_out(self, after: AfterLoading) -> None:
        """Do what is due after loads, all of it; nothing may be in its way."""

        def is_idle() -> bool:
            assert after.turn() == []
            return after.idle

        after.ask()
        self.wait_until(is_idle)

    def wait_until(self, ask: Callable[[], bool]) -> None:
        """Ask now and whenever a lane ends; fail after SECONDS_MAX."""
        latest = time.monotonic() + SECONDS_MAX
        while not ask():
            assert time.monotonic() < latest, f"never: {self.parts.pending.states()}"
            self.loop.wake.wait(0.02)
            self.loop.wake.clear()

    def rows(self, sql: str, parameters: list[object] | None = None) -> list[Row]:
        """Ask the warehouse."""
        with self.parts.warehouse.snapshot() as session:
            return session.rows(sql, parameters or [])

    def history(self, file_name: str) -> list[dict[str, Any]]:
        """Return a file's load records, oldest first."""
        with self.parts.warehouse.snapshot() as session:
            found = session.table(
                "select * from snowmelt.load_history where file_name = $1 "
                "order by load_seq",
                [file_name],
            )
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def rejects(self, load_seq: int) -> list[Refused]:
        """Return the rejects of one load, in file order."""
        return [
            Refused(row, line, offset, column, bytes(raw), tuple(json.loads(errors)))
            for row, line, offset, column, raw, errors in self.rows(
                "select file_row, line, byte_offset, column_name, rejected_record, "
                "errors from snowmelt.rejects where load_seq = $1 order by file_row",
                [load_seq],
            )
        ]

    def bronze(self, pipe: str, file_name: str) -> dict[int, tuple[Any, ...]]:
        """Return {_file_row: values} of a file's rows, live or not."""
        with self.parts.warehouse.snapshot() as session:
            rows = session.rows(
                f"select * exclude ({NOT_OF_THE_FILE}) "
                f'from bronze."{pipe}__all" where _file = $1',
                [file_name],
            )
            columns = session.rows(
                f"select * exclude ({NOT_OF_THE_FILE}) "
                f'from bronze."{pipe}__all" where false',
            )
        assert columns == []
        found = {row[-1]: row[:-1] for row in rows}
        assert len(found) == len(rows), "two rows have one ordinal"
        return found


def columns(text: str) -> dict[str, Any]:
    """Write a contract briefly: `id integer not null, name varchar optional`."""
    found = []
    for part in text.split(", "):
        name, kind, *rest = part.split(" ", 2)
        words = " ".join(rest)
        found.append(
            {
                "name": name,
                "type": kind,
                "nullable": "not null" not in words,
                "optional": "optional" in words,
            }
        )
    return {"columns": found}


@contextmanager
def open_shop(
    root: Path,
    pipes: list[dict[str, Any]],
    clock: Clock | None = None,
    landing: dict[str, Any] | None = None,
    alerts: dict[str, Any] | None = None,
    targets: dict[str, Any] | None = None,
    **others: Any,
) -> Iterator[Shop]:
    """Make a project with these pipes, or make it again, and open it.

    `others` are other settings.
    """
    (root / "pipes").mkdir(parents=True, exist_ok=True)
    settings = SETTINGS | ({"landing": landing} if landing else {})
    settings |= {"alerts": alerts} if alerts else {}
    settings |= {"targets": targets} if targets else {}
    settings |= others
    (root / "snowmelt.yml").write_text(yaml.safe_dump(settings))
    (root / "dbt_project.yml").write_text(DBT_PROJECT)
    for pipe in pipes:
        Pipe.model_validate(pipe)
        path = root / "pipes" / f"{pipe['name']}.yml"
        path.write_text(yaml.safe_dump(pipe, allow_unicode=True))
    with opened(load_project(root), clock or SystemClock(), Events()) as parts:
        loop = Loop(parts, publishes=False)
        try:
            yield Shop(root, parts, loop)
        finally:
            loop.close()
