"""What publishing one batch costs when bronze is small, and when it is large.

`python -m bench batch-growth --large 10000000`: an append-only model with tests; a
batch of 10,000 rows arrives, and is measured from its rename until it can be read.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import duckdb

from bench.inputs import MADE
from bench.live.driver import LAST_RUN
from bench.live.figures import Target, add_common_options, show, verdict
from bench.live.shop import (
    CommandError,
    command,
    environment,
    run_program,
    snowmelt_says,
)
from bench.live.up import Service, asking, pause, running
from bench.machine import describe_machine
from snowmelt.errors import SnowmeltError
from snowmelt.serve.client import ServiceClient

BATCH_ROWS = 10_000
JUDGED_SMALL, JUDGED_LARGE = 1_000_000, 10_000_000
RATIO_MAX = 1.2
SECONDS_MAX = 300.0
POLL_SECONDS = 0.005
REST_SECONDS = 0.5

_EVENTS = """
copy (
    select
        i as event_id,
        timestamp '2024-01-01' + to_seconds(i) as happened_at,
        ['view', 'add', 'buy', 'return'][1 + i % 4] as kind,
        i * 2654435761 % 800 as store_no,
        cast(i * 7919 % 100000 as decimal(18, 2)) / 100 as amount
    from range({first}, {last}) as numbers (i)
) to '{path}' (header)
"""
_PIPE = """
name: events
pattern: events_*.csv
file_format: {type: csv}
contract:
  columns:
    - {name: event_id, type: bigint, nullable: false}
    - {name: happened_at, type: timestamp, nullable: false}
    - {name: kind, type: varchar, nullable: false}
    - {name: store_no, type: integer}
    - {name: amount, type: "decimal(18,2)", nullable: false}
"""
_MODEL = """
{{ config(materialized='incremental', incremental_strategy='append') }}

select event_id, happened_at, kind, store_no, amount, _load_seq
from {{ source('bronze', 'events') }}
{% if is_incremental() %}
where _load_seq > (select coalesce(max(_load_seq), 0) from {{ this }})
{% endif %}
"""
_TESTS = """
models:
  - name: events
    columns:
      - {name: event_id, data_tests: [unique, not_null]}
      - name: kind
        data_tests:
          - accepted_values:
              arguments: {values: [view, add, buy, return]}
      - {name: amount, data_tests: [not_null]}
"""


@dataclass(frozen=True)
class Grown:
    """Each batch's seconds and CPU, with so many rows there before."""

    rows: int
    seconds: Sequence[float]
    cpu_seconds: Sequence[float]
    peak_rss_mb: float


def main(arguments: Sequence[str]) -> int:
    """Measure both sizes; 1 when the cost grows too much, 2 when it fails."""
    chosen = _parse(arguments)
    machine = describe_machine()
    try:
        small, large = (_measure(r, chosen) for r in (chosen.small, chosen.large))
    except (CommandError, SnowmeltError) as error:
        print(f"batch-growth FAILED: {error}", file=sys.stderr)
        return 2
    sizes = (chosen.small, chosen.large)
    ratio = median(large.seconds) / median(small.seconds)
    is_judged = sizes[0] >= JUDGED_SMALL and sizes[1] >= JUDGED_LARGE
    targets = [Target("large / small", ratio, RATIO_MAX, "times", is_judged)]
    lines = [
        f"batch-growth: {BATCH_ROWS:,} rows more in an append-only model with tests, "
        "from rename to visible",
        f"{'rows before':<16}" + "".join(f"{each:>12}" for each in _HEADINGS),
        *(_row(each) for each in (small, large)),
        *(f"batch-growth: {target.text}" for target in targets),
    ]
    show("batch-growth", machine, lines, chosen)
    code = verdict("batch-growth", targets)
    print(json.dumps(_document(small, large, ratio)))
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench batch-growth",
        description=f"Judged from {JUDGED_SMALL:,} and {JUDGED_LARGE:,} rows on.",
    )
    parser.add_argument("--small", type=int, default=100_000, help="rows before")
    parser.add_argument("--large", type=int, default=1_000_000, help="rows before")
    parser.add_argument("--batches", type=int, default=5, help="batches at each size")
    add_common_options(parser)
    return parser.parse_args(arguments)


_HEADINGS = ("min s", "median s", "max s", "CPU s", "peak MB")


def _row(grown: Grown) -> str:
    seconds = grown.seconds
    figures = (min(seconds), median(seconds), max(seconds), median(grown.cpu_seconds))
    cells = [*(f"{figure:.3f}" for figure in figures), f"{grown.peak_rss_mb:.0f}"]
    return f"{grown.rows:<16,}" + "".join(f"{cell:>12}" for cell in cells)


def _document(small: Grown, large: Grown, ratio: float) -> dict[str, object]:
    return {
        "ratio": round(ratio, 4),
        "small_rows": small.rows,
        "large_rows": large.rows,
        "small_s": round(median(small.seconds), 4),
        "large_s": round(median(large.seconds), 4),
        "small_cpu_s": round(median(small.cpu_seconds), 4),
        "large_cpu_s": round(median(large.cpu_seconds), 4),
        "peak_rss_mb": round(large.peak_rss_mb, 1),
    }


def _measure(rows: int, chosen: argparse.Namespace) -> Grown:
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="batch-growth-", dir=MADE))
    try:
        root = _make_project(place, rows)
        with running(root) as service:
            service.rest()
            return _bring_batches(service, root, rows, chosen.batches)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _make_project(place: Path, rows: int) -> Path:
    """Make a project of one pipe and one model, with so many rows published."""
    root = place / "project"
    words = ("init", root.name, "--template", "blank", "--no-input")
    run_program(command(*words), place, environment())
    (root / "pipes" / "events.yml").write_text(_PIPE)
    (root / "models" / "gold" / "events.sql").write_text(_MODEL)
    (root / "models" / "gold" / "events.yml").write_text(_TESTS)
    _write_events(0, rows, root / "landing" / "events_0.csv")
    snowmelt_says(root, "run")
    (root / "landing" / "events_0.csv").unlink()
    return root


def _write_events(first: int, last: int, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(_EVENTS.format(first=first, last=last, path=path))


def _bring_batches(service: Service, root: Path, rows: int, batches: int) -> Grown:
    """Bring batches one by one, each after the one before is there."""
    seconds, cpu_seconds = [], []
    with asking(service) as client:
        for number in range(1, batches + 1):
            ready = root.parent / "batch.tmp"
            first = rows + (number - 1) * BATCH_ROWS
            _write_events(first, first + BATCH_ROWS, ready)
            pause(REST_SECONDS)
            before, cpu_before = _last_run(client), service.cpu_seconds
            os.utime(ready)
            begun = perf_counter()
            ready.replace(root / "landing" / f"events_{number}.csv")
            _wait_for_run(client, before)
            seconds.append(perf_counter() - begun)
            cpu_seconds.append(service.cpu_seconds - cpu_before)
            query = "select count(*) from gold.events"
            (found,) = client.query(query, None)["rows"][0]
            if found != first + BATCH_ROWS:
                raise CommandError(f"gold has {found:,} rows after batch {number}")
    return Grown(rows, seconds, cpu_seconds, service.peak_rss_mb)


def _last_run(client: ServiceClient) -> object:
    row: object = client.query(LAST_RUN, None)["rows"][0]
    return row


def _wait_for_run(client: ServiceClient, before: object) -> None:
    begun = perf_counter()
    while _last_run(client) == before:
        if perf_counter() - begun > SECONDS_MAX:
            raise CommandError("a batch was not published in time")
        pause(POLL_SECONDS)
