"""What tests of all templates ask a project, and what they do to it."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shop import Shop, contents
from snowmelt.service.commands import OwnCommands


@dataclass(frozen=True)
class Arrival:
    """Bytes that land under a name."""

    name: str
    content: bytes


def live_through(
    shop: Shop,
    arrivals: Iterable[Arrival],
    rng: random.Random,
    *,
    tables: int,
    filled: Collection[str] | None = None,
    quarantined: Callable[[OwnCommands], dict[str, list[str]]],
    seen: Callable[[OwnCommands], dict[str, int]] = lambda _: {},
    at_the_end: Callable[[OwnCommands], object] = lambda _: None,
) -> Counter[str]:
    """Let files land and runs happen; compare all with a rebuild.

    Tables that are `filled`, all without it, must have rows in the end. Returns how
    often each kind of thing was met, and what was `seen` after each run.
    """
    met: Counter[str] = Counter()
    with shop.commands() as commands:
        for arrival in arrivals:
            shop.land_bytes(arrival.name, arrival.content)
            if rng.random() < 0.3 and _ran(commands):
                met[way(commands)] += 1
                met.update(seen(commands))
        _ran(commands)
        met.update(seen(commands))
        at_the_end(commands)
        incremental = {**contents(commands, count=tables), **quarantined(commands)}
        rebuilt = commands.rebuild()["run"]
        assert rebuilt["state"] == "SUCCEEDED", rebuilt
        after = {**contents(commands, count=tables), **quarantined(commands)}
        for table, rows in incremental.items():
            assert rows == after[table], f"{table} differs from a rebuild"
            may_be_empty = filled is not None and table not in filled
            assert rows or may_be_empty, f"{table} is empty, which proves nothing"
        for status, is_superseded, number in ask(
            commands,
            "select status, superseded_by is not null, count(*) "
            "from snowmelt.load_history group by all",
        ):
            met[status] += number
            met["superseded"] += number if is_superseded else 0
    return met


def _ran(commands: OwnCommands) -> bool:
    """Load and publish what is pending; say if there was anything to publish."""
    run = commands.run(None)["run"]
    assert run is None or run["state"] == "SUCCEEDED", run
    return run is not None


def land_folder(shop: Shop, files: Path, pattern: str = "*") -> None:
    """Land the files below a folder under their paths in it, by name."""
    for path in sorted(files.rglob(pattern)):
        if path.is_file():
            shop.land(path, str(path.relative_to(files)))


def ask(commands: OwnCommands, sql: str) -> list[list[Any]]:
    """Return the rows of a query."""
    rows: list[list[Any]] = commands.query(sql, None)["rows"]
    return rows


def published(commands: OwnCommands) -> dict[str, Any]:
    """Load and publish what is pending; return the run."""
    run: dict[str, Any] = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    return run


def way(commands: OwnCommands) -> str:
    """Return which way the last run took: dbt or replay."""
    sql = "select way from snowmelt.run_history order by started_at desc limit 1"
    return str(ask(commands, sql)[0][0])


def equals_a_rebuild(commands: OwnCommands, *, tables: int) -> None:
    """Assert that dbt makes the same from nothing, quarantine and all."""
    audit = commands.audit()["audit"]
    assert audit["state"] == "SUCCEEDED", audit
    assert audit["tables_compared"] == tables, audit


def refused_in(
    commands: OwnCommands, *, models: Iterable[str]
) -> Counter[tuple[str, str]]:
    """Count the rows in quarantine by silver model and rule."""
    found: Counter[tuple[str, str]] = Counter()
    for model in models:
        sql = f"select rule, count(*) from quarantine.silver__{model} group by rule"
        found.update({(model, rule): count for rule, count in ask(commands, sql)})
    return found


def quarantine_of(
    commands: OwnCommands, *, models: Iterable[str]
) -> dict[str, list[str]]:
    """Return the quarantine's rows of each silver model, as sorted text."""
    return {
        f"quarantine of {model}": sorted(
            json.dumps(row)
            for row in ask(commands, f"select * from quarantine.silver__{model}")
        )
        for model in models
    }
