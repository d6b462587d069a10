"""One row traced from gold to its lines, in a large bronze: `python -m bench trace`.

Bronze is made of Parquet files of transactions, and silver and gold of it by the retail
template. Then rows at random are traced, one at a time, as a service answers them,
after dbt has compiled the models once. Lines are looked up in no file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from bench.inputs import MADE
from bench.machine import describe_machine
from bench.report import place_figures
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.new import make_project
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened

TARGET_MS = 300
QUESTIONS = {
    "a transaction": ("gold.fct_transactions", ("transaction_id",)),
    "a row of silver": ("silver.transactions", ("transaction_id",)),
    "sums of a day": ("gold.daily_sales", ("sale_date", "product_id", "customer_id")),
}
FILE_ROWS = 1_000_000
_ROWS = """
    copy (
        select 't' || (i * 7919 % {rows}) as transaction_id,
            'c' || (hash(i) % ({rows} // 20)) as customer_id,
            'p' || (hash(i + 1) % 2000) as product_id,
            strftime(timestamp '2023-01-01' + to_seconds(i // 5), '%Y-%m-%d %H:%M:%S')
                as transaction_date,
            (1 + hash(i) % 5)::bigint as quantity,
            (1 + hash(i) % 9000) / 100.0 as total_amount,
            'card' as payment_method, 'store' as store_type
        from range({first}, {last}) as numbers(i)
    ) to '{path}' (format parquet)
"""


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when the target is missed."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="trace-", dir=chosen.place or MADE))
    try:
        figures = _measure(chosen, place)
    finally:
        if not chosen.keep:
            shutil.rmtree(place, ignore_errors=True)
    text = _text(chosen.rows, figures)
    print(f"{machine.text}\n\n{text}")
    if chosen.write:
        place_figures("trace", machine, text)
    slowest = max(statistics.median(each) for each in figures.values())
    print(json.dumps({"rows": chosen.rows, "ms": figures}), flush=True)
    return 0 if slowest <= TARGET_MS else 1


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench trace")
    add = parser.add_argument
    add("--rows", type=int, default=10_000_000, help="transactions in bronze")
    add("--traces", type=int, default=20, help="rows of each kind")
    add("--place", type=Path, help="a folder with room, for the warehouse")
    add("--keep", action="store_true", help="leave the project where it is")
    add("--write", action="store_true", help="put the figures on the page")
    return parser.parse_args(arguments)


def _measure(chosen: argparse.Namespace, place: Path) -> dict[str, list[float]]:
    root = place / "shop"
    make_project(root, "retail")
    _write_files(root, chosen.rows)
    with _commands(root) as commands:
        print("loading and building", file=sys.stderr)
        run = commands.run(None)["run"]
        assert run["state"] == "SUCCEEDED", run
    shutil.rmtree(root / "landing")  # a file that is gone is not read for lines
    with _commands(root) as commands:
        return _trace(commands, chosen.traces)


def _trace(commands: OwnCommands, traces: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {}
    lots = random.Random(1)
    for told, (model, keys) in QUESTIONS.items():
        listed = ", ".join(f"{key}::varchar" for key in keys)
        sample = (
            f"select {listed} from {model} using sample {traces} rows (reservoir, 1)"
        )
        rows = commands.query(sample, None)["rows"]
        lots.shuffle(rows)
        words = [
            [f"{key}={value}" for key, value in zip(keys, row, strict=True)]
            for row in rows
        ]
        commands.trace(model, words[0], 20)  # compiles, and plans
        figures[told] = []
        for each in words:
            began = time.perf_counter()
            answer = commands.trace(model, each, 20)
            figures[told].append(round((time.perf_counter() - began) * 1000, 1))
            assert answer["exact"], answer["coarse"]
    return figures


def _write_files(root: Path, rows: int) -> None:
    folder = root / "landing" / "raw" / "transactions"
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        path = (
            folder
            / f"transactions_{2023 + number // 12}-{number % 12 + 1:02d}-01.parquet"
        )
        last = min(first + FILE_ROWS, rows)
        connection.execute(
            _ROWS.format(rows=rows, first=first, last=last, path=str(path))
        )
        os.utime(path, (1_700_000_000, 1_700_000_000))


@contextmanager
def _commands(root: Path) -> Iterator[OwnCommands]:
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts)
        try:
            yield OwnCommands(loop, serving=False)
        finally:
            loop.close()


def _text(rows: int, figures: dict[str, list[float]]) -> str:
    lines = [f"trace: one row, {rows:,} rows in bronze; milliseconds"]
    lines.append(f"{'':<18}{'min':>10}{'median':>10}{'max':>10}{'traces':>10}")
    for told, found in figures.items():
        median = statistics.median(found)
        lines.append(
            f"{told:<18}{min(found):>10.1f}{median:>10.1f}{max(found):>10.1f}"
            f"{len(found):>10}"
        )
    met = max(statistics.median(each) for each in figures.values()) <= TARGET_MS
    lines.append(f"target: medians <= {TARGET_MS} ms: {'met' if met else 'MISSED'}")
    return "\n".join(lines)
