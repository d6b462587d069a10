"""What pages cost with a million files of history, beside the same with few.

Milliseconds of this process on all cores: they are the same on a machine that is busy.
`first`: after a load, when sums are made anew.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.live.tending import add_tasks, asked_tending, fill_tending
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.new import make_project
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened

LIMIT_MS = 150
_HISTORY = """
    insert into snowmelt.load_history
    select
        'day=' || (n // 2000) || '/orders_' || n || '.csv',
        '/landing/',
        now() - to_seconds((({files} - n) * 30)::bigint),
        case when n % 997 = 0 then 0 else 100 - (n % 50 = 0)::int end,
        100,
        12000 + n % 500,
        case when n % 997 = 0 then 'the header lacks a column' end,
        null, null, null,
        case when n % 997 = 0 then 0 else (n % 50 = 0)::int end,
        'continue',
        case
            when n % 997 = 0 then 'Load failed'
            when n % 50 = 0 then 'Partially loaded'
            else 'Loaded'
        end,
        'bronze',
        ['orders', 'customers', 'products', 'sellers'][1 + n % 4],
        ['orders', 'customers', 'products', 'sellers'][1 + n % 4],
        now() - to_seconds((({files} - n) * 30)::bigint),
        n,
        sha256(n::varchar),
        now() - to_seconds((({files} - n) * 30)::bigint),
        case when n % 997 = 0 then n + 1 end,
        null, null, null,
        now() - to_seconds((({files} - n) * 30 + 1)::bigint),
        null, null, null
    from range(1, {files} + 1) as numbers(n)
"""
_REJECTS = """
    insert into snowmelt.rejects
    select
        load_seq, pipe_name, file_name, 7, 8, 400, 'order_id', 'CAST',
        '''x' || load_seq || ''' is not a valid integer',
        '[{{"column_name": "order_id", "category": "CAST", "error": "no"}}]',
        'x,1,2'::blob, null, last_load_time, null, null
    from snowmelt.load_history where error_count > 0
"""
_RUNS = """
    insert into snowmelt.run_history
    select
        printf('01931f00-%04x-7000-8000-%012x', n % 65536, n), 'SUCCEEDED',
        'new rows in orders', now() - to_minutes(({runs} - n)::bigint),
        now() - to_minutes(({runs} - n)::bigint), n, '', 'x', 30, 60, null, 'replay',
        null
    from range(1, {runs} + 1) as numbers(n)
"""
_NODES = """
    insert into snowmelt.node_history
    select run_id, 'model_' || m, if(m < 30, 'model', 'test'), 'pass', 0.01, 0, null,
        'replayed', null, null
    from snowmelt.run_history, range(90) as models(m)
"""


def fill(root: Path, files: int) -> None:
    """Make a project whose warehouse knows so many files."""
    make_project(root, "olist")
    (root / "landing").mkdir(exist_ok=True)
    add_tasks(root)
    with (
        opened(load_project(root), SystemClock(), Events()) as parts,
        parts.warehouse.session() as session,
    ):
        session.execute(_HISTORY.format(files=files))
        session.execute(_REJECTS.format())
        session.execute(_RUNS.format(runs=max(files // 100, 10)))
        session.execute(_NODES)
        fill_tending(session, files)
        session.execute("checkpoint")


def measure(root: Path, files: int, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of CPU of each page's questions."""
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts)
        commands = OwnCommands(loop, serving=True)
        last = commands.runs(None, 1)["runs"][0]["run_id"]
        asked: dict[str, Callable[[], Any]] = {
            "health": commands.health,
            "files": lambda: commands.files(None, None, None, None, 50),
            "files, middle": lambda: commands.files(None, None, None, files // 2, 50),
            "files, by name": lambda: commands.files(None, None, "_77777", None, 50),
            "files, failed": lambda: commands.files(
                None, "Load failed", None, None, 50
            ),
            "file": lambda: commands.file(files // 50 * 50),
            "rejects": lambda: commands.reject_groups(None, None),
            "reject samples": lambda: commands.reject_samples(
                "orders", "CAST", None, None, 50
            ),
            "runs": lambda: commands.runs(None, 50),
            "run": lambda: commands.run_detail(last),
            "pipes": commands.pipes,
            "status, the command": commands.status,
            "shell": commands.shell,
            "dashboards": commands.dashboards,
            "lineage": lambda: commands.lineage(None, None),
            "catalog": commands.catalog,
            "quality": lambda: commands.quality(None, None),
            "search": lambda: commands.search("order"),
            **asked_tending(commands),
        }
        found = {}
        for name, ask in asked.items():
            times = []
            for _ in range(rounds):
                began = time.process_time()
                ask()
                times.append(1000 * (time.process_time() - began))
            found[name] = statistics.median(times)
            found[f"{name}, first"] = times[0]
        loop.close()
        return found


def main(arguments: list[str]) -> int:
    """Fill, measure, print; return 1 when a page took longer than it may."""
    parser = argparse.ArgumentParser(prog="bench pages", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(arguments)
    results = {}
    for files in (1000, given.files):
        folder = Path(tempfile.mkdtemp(prefix="snowmelt-pages-"))
        try:
            fill(folder / "shop", files)
            results[files] = measure(folder / "shop", files, given.rounds)
        finally:
            shutil.rmtree(folder)
    few, many = results.values()
    print(f"| page | 1,000 files | {given.files:,} files |\n|---|---|---|")
    for name, value in many.items():
        print(f"| {name} | {few[name]:.0f} ms | {value:.0f} ms |")
    return int(max(many.values()) > LIMIT_MS)
