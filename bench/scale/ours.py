"""The product at full size: `snowmelt run` on all files, then hours at a service."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.live.shop import (
    CommandError,
    command,
    environment,
    run_program,
    snowmelt_says,
)
from bench.live.up import asking, pause, running
from bench.scale.programs import Ended, run_to_its_end, warm
from snowmelt.serve.client import ServiceClient

START_SECONDS_MAX = 900.0
REST_SECONDS_MAX = 1800.0
HOUR_SECONDS_MAX = 1800.0
POLL_SECONDS = 0.02

_SECONDS_OF_STATEMENTS = (
    "select split_part(node, '.', 1) as kind, split_part(node, '.', 3) as name, "
    "sum(seconds) from snowmelt.query_history "
    "where run_id = (select max(run_id) from snowmelt.run_history) "
    "and node is not null group by kind, name"
)
_SECONDS_OF_LOADS = (
    "select epoch(max(last_load_time)) - epoch(min(started_at)), sum(row_parsed) "
    "from snowmelt.load_history"
)
_PUBLISHED = (
    "select "
    "(select count(*) from snowmelt.load_history where file_name in ({names}) "
    "and load_seq <= (select coalesce(max(read_through), 0) "
    "from snowmelt.run_history where state = 'SUCCEEDED')), "
    "(select count(*) from snowmelt.run_history where state = 'FAILED')"
)
_WAYS = (
    "select way, count(*) from snowmelt.run_history "
    "where run_id > '{after}' group by way order by way"
)


@dataclass(frozen=True)
class Full:
    """The full run: the program, and what it says of its parts, in seconds.

    Models and tests are the seconds of their statements, of which one runs at a time.
    Two of dbt's threads send them, so the seconds of its nodes (`node_history`) have
    the waiting for the other in them, and come to several times as much.
    """

    ended: Ended
    rows: int
    load_seconds: float
    model_seconds: dict[str, float]
    test_seconds: float
    tests: int

    @property
    def seconds_without_tests(self) -> float:
        return self.ended.seconds - self.test_seconds

    @property
    def rest_seconds(self) -> float:
        """What is neither load nor statement: start, dbt's own work, commit, end."""
        parts = self.load_seconds + sum(self.model_seconds.values()) + self.test_seconds
        return self.ended.seconds - parts


@dataclass(frozen=True)
class Hours:
    """What came hour by hour: seconds and CPU of each, and how it was published."""

    records_each: int
    seconds: Sequence[float]
    cpu_seconds: Sequence[float]
    peak_bytes: float
    runs: dict[str, int]


def make_project(place: Path, files: Path, threads: int, memory: str | None) -> Path:
    """Make a project of the template with all files in its landing folder."""
    root = place / "company"
    words = ("init", root.name, "--template", "retail", "--no-input")
    run_program(command(*words), place, environment())
    limits = {"threads": threads} | ({"memory_limit": memory} if memory else {})
    with (root / "snowmelt.yml").open("a") as settings:
        settings.write(f"warehouse: {json.dumps(limits)}\n")
    landing = root / "landing" / "raw"
    shutil.copytree(files / "raw", landing, copy_function=os.link, dirs_exist_ok=True)
    return root


def warehouse_of(root: Path) -> Path:
    return root / ".snowmelt" / "warehouse.duckdb"


def run_full(root: Path) -> Full:
    """Load all files, build, test and publish, by one command."""
    warm(root / "landing")
    ended = run_to_its_end(command("run", "--json"), root, environment())
    run = json.loads(ended.output)["run"]
    if run is None or run["state"] != "SUCCEEDED":
        raise CommandError(f"the full run did not succeed: {run}")
    nodes = _rows(root, _SECONDS_OF_STATEMENTS)
    ((load_seconds, rows),) = _rows(root, _SECONDS_OF_LOADS)
    tests = [float(seconds) for kind, _, seconds in nodes if kind == "test"]
    models = {name: float(seconds) for kind, name, seconds in nodes if kind == "model"}
    return Full(ended, int(rows), float(load_seconds), models, sum(tests), len(tests))


def _rows(root: Path, query: str) -> list[list[Any]]:
    rows: list[list[Any]] = snowmelt_says(root, "sql", query, "--limit", "1000")["rows"]
    return rows


def run_hours(root: Path, hours: Sequence[Path]) -> Hours:
    """Let the files of one hour after the other arrive at a running service.

    An hour is measured from before its first rename until a published run has read all
    of its files. The next one comes when the service rests.
    """
    ((last_run,),) = _rows(root, "select max(run_id) from snowmelt.run_history")
    ready = root.parent / "ready"
    shutil.copytree(hours[0].parent, ready)
    seconds, cpu_seconds = [], []
    with running(root, START_SECONDS_MAX) as service:
        service.rest(REST_SECONDS_MAX)
        with asking(service) as client:
            for hour in hours:
                service.rest(REST_SECONDS_MAX)
                before = service.cpu_seconds
                seconds.append(_bring(client, ready / hour.name, root / "landing"))
                cpu_seconds.append(service.cpu_seconds - before)
            runs = client.query(_WAYS.format(after=last_run), None)["rows"]
            records = _records(client, hours[-1])
        peak_bytes = service.peak_rss_mb * 1e6
    return Hours(records, seconds, cpu_seconds, peak_bytes, dict(runs))


def _bring(client: ServiceClient, hour: Path, landing: Path) -> float:
    """Rename the files of an hour into place; return when all are published."""
    paths = sorted(path for path in (hour / "raw").rglob("*") if path.is_file())
    names = [str(path.relative_to(hour)) for path in paths]
    listed = ", ".join(f"'{name}'" for name in names)
    query = _PUBLISHED.format(names=listed)
    for path in paths:
        os.utime(path)
    begun = perf_counter()
    for name, path in zip(names, paths, strict=True):
        path.replace(landing / name)
    while True:
        published, failed = client.query(query, None)["rows"][0]
        taken = perf_counter() - begun
        if published == len(names):
            return taken
        if failed or taken > HOUR_SECONDS_MAX:
            told = "a run failed" if failed else f"nothing came in {taken:.0f} s"
            raise CommandError(f"{', '.join(names)} were not published: {told}")
        pause(POLL_SECONDS)


def _records(client: ServiceClient, hour: Path) -> int:
    names = [
        str(path.relative_to(hour))
        for path in (hour / "raw").rglob("*")
        if path.is_file()
    ]
    listed = ", ".join(f"'{name}'" for name in names)
    query = (
        "select sum(row_parsed)::bigint from snowmelt.load_history "
        f"where file_name in ({listed})"
    )
    (records,) = client.query(query, None)["rows"][0]
    return int(records)
