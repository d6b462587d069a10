"""What tests of all templates ask a project, and what they do to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shop import Shop
from snowmelt.service.commands import OwnCommands


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
