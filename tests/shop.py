"""A project for tests: made of a template, driven in process or as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.dashboards import dashboard_names
from snowmelt.project.new import make_project
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.transform.project_digest import project_digest

SNOWMELT = str(Path(sys.executable).with_name("snowmelt"))
LONG_AGO_NS = 1_700_000_000_000_000_000


@dataclass
class Answer:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document


class Shop:
    """One project directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ticks = 0

    def land(self, path: Path, name: str | None = None) -> None:
        """Put a file in as if it had rested: each later one is a second younger."""
        self.land_bytes(name or path.name, path.read_bytes())

    def land_bytes(self, name: str, content: bytes) -> None:
        """Put bytes in under a name."""
        self._ticks += 1
        target = self.root / "landing" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.with_name(".arriving.tmp")
        hidden.write_bytes(content)
        stamp = LONG_AGO_NS + self._ticks * 1_000_000_000
        os.utime(hidden, ns=(stamp, stamp))
        hidden.replace(target)

    def __call__(self, *words: str, cwd: Path | None = None) -> Answer:
        """Run a command as a user would, in a process of its own."""
        done = subprocess.run(
            [SNOWMELT, *words],
            cwd=cwd or self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def commands(self) -> Iterator[OwnCommands]:
        """Own the warehouse in this process."""
        with opened(load_project(self.root), SystemClock(), Events()) as parts:
            loop = Loop(parts)
            try:
                yield OwnCommands(loop, serving=False)
            finally:
                loop.close()


def make_shop(root: Path, template: str = "olist") -> Shop:
    """Make a project from a template."""
    make_project(root, template)
    return Shop(root)


def make_warm_shop(root: Path, template: str = "olist") -> None:
    """Make a project that was built with nothing in it, and whose runs need no dbt."""
    make_project(root, template)
    with opened(load_project(root), SystemClock(), Events()) as parts:
        digest = project_digest(root)
        built = parts.publication.publish(digest)
        assert built is not None
        assert built.error is None
        assert parts.publication.rehearse(digest)
        assert not parts.publication.lacks_recordings(digest)


def published_tables(commands: OwnCommands) -> list[str]:
    """Return every silver and gold relation, qualified."""
    found = commands.query(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('silver', 'gold') order by 1",
        None,
    )
    return [row[0] for row in found["rows"]]


def contents(commands: OwnCommands, *, count: int = 24) -> dict[str, list[str]]:
    """Return every published table's rows, as sorted text: equal means equal."""
    tables = published_tables(commands)
    assert len(tables) == count, tables
    return {
        table: sorted(
            json.dumps(row)
            for row in commands.query(f"select * from {table}", None)["rows"]
        )
        for table in tables
    }


def require_dashboards(commands: OwnCommands, root: Path) -> None:
    """Assert that every card shows something, and the README the figures it tells."""
    dashboards = dashboard_names(root)
    assert {"executive", "sales", "customers", "customer"} <= {*dashboards, "sales"}
    readme = (root / "README.md").read_text()
    told = readme.splitlines()
    shown = set(re.findall(r"snowmelt dashboards (\w+)", readme))
    assert shown <= set(dashboards)
    assert shown, "a README shows figures"
    for name in dashboards:
        for each in commands.dashboard(name)["cards"]:
            card, rows = each["card"], each["rows"]
            heading = card.get("table") or card.get("title") or card["kpi"]
            if heading.startswith("Shipped after they were due, "):
                continue  # the made files are shipped in time
            assert rows, (name, each)
            assert any(value is not None for value in rows[0]), (name, each)
            if "kpi" in card and name in shown:
                value = rows[0][each["columns"].index(card["value"])]
                assert f"{card['kpi']}: {value}" in told, (name, card["kpi"], value)
