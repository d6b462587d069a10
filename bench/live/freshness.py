"""From a file's landing until its rows are tested and can be read in gold.

`python -m bench freshness --seconds N --json`
"""

from __future__ import annotations

import argparse
import inspect
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Any

from bench.inputs import MADE
from bench.live.dbt_builds import BUILDS, DbtBuilds, measure_dbt
from bench.live.driver import Watch, bring_by_the_clock, poll_until
from bench.live.figures import add_common_options, show, verdict
from bench.live.freshness_report import Fresh, Idle, Runs, document, table, targets
from bench.live.shop import CommandError, Shop, copy_shop
from bench.live.stream import (
    KINDS,
    Arriving,
    expected_totals,
    plan_files,
    totals_query,
    write_file,
)
from bench.live.up import Service, asking, running
from bench.machine import describe_machine
from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.serve.client import ServiceClient
from snowmelt.serve.commands import Commands

ORDERS = 100_000
SECONDS = 300
EVERY_SECONDS = 0.5
IDLE_SECONDS = 10.0
POLLED_SECONDS = 5.0

_RUNS = """
select
    count(*),
    count(*) filter (where state = 'SUCCEEDED'),
    coalesce(sum(tests), 0)::bigint,
    {by_replay}
from snowmelt.run_history
"""


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when a target is missed, 2 when gold lacks what landed."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="freshness-", dir=MADE))
    try:
        fresh = _measure(chosen, place)
    except (CommandError, SnowmeltError) as error:
        print(f"freshness FAILED: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(place, ignore_errors=True)
    is_judged = (chosen.orders, chosen.seconds) == (ORDERS, SECONDS)
    judged = targets(fresh, is_judged=is_judged)
    show("freshness", machine, table(fresh, judged), chosen)
    for problem in fresh.problems:
        print(f"freshness FAILED: {problem}", file=sys.stderr)
    code = verdict("freshness", judged)
    print(document(fresh), flush=True)
    return 2 if fresh.problems else code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench freshness",
        description="The last line of stdout is one JSON object. Targets are judged "
        "at the default size. Exit codes: 0 met, 1 missed, 2 gold lacks what landed.",
    )
    parser.add_argument("--seconds", type=int, default=SECONDS, help="files arrive")
    parser.add_argument("--orders", type=int, default=ORDERS, help="loaded before")
    parser.add_argument("--poll-ms", type=float, default=5.0, help="between polls")
    parser.add_argument(
        "--wait", type=float, default=120.0, help="seconds, for the last files"
    )
    parser.add_argument(
        "--no-dbt", action="store_true", help="leave out the same work by dbt"
    )
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    if chosen.seconds < 1 or chosen.orders < 1 or chosen.poll_ms <= 0:
        parser.error("--seconds, --orders and --poll-ms must be positive")
    return chosen


def _measure(chosen: argparse.Namespace, place: Path) -> Fresh:
    shop = copy_shop(chosen.orders, place)
    count = max(round(chosen.seconds / EVERY_SECONDS), 1)
    files = _make_ready(plan_files(count), shop, place / "ready")
    with running(shop.root) as service:
        service.rest()
        rss_mb = service.rss_mb
        idle_share = service.cpu_share(IDLE_SECONDS)
        with asking(service) as client:
            watch = Watch(client, shop.warehouse)
            idle = _poll_an_idle_one(service, watch, chosen, idle_share, rss_mb)
            fresh = _stream(service, watch, files, shop, chosen)
            fresh.idle = idle
    if not chosen.no_dbt:
        fresh.dbt = _measure_dbt(chosen.orders, place)
    return fresh


def _make_ready(
    files: Sequence[Arriving], shop: Shop, ready: Path
) -> list[tuple[Arriving, Path]]:
    """Write all files beside the landing folder, on its file system."""
    ready.mkdir()
    written = []
    for file in files:
        path = ready / f"{file.number:06d}.tmp"
        write_file(file, shop.known, path)
        written.append((file, path))
    return written


def _poll_an_idle_one(
    service: Service,
    watch: Watch,
    chosen: argparse.Namespace,
    idle_share: float,
    rss_mb: float,
) -> Idle:
    """Measure what polling costs a service that has nothing else to do."""
    before, begun = service.cpu_seconds, perf_counter()
    poll_until(
        watch, chosen.poll_ms / 1e3, lambda: perf_counter() - begun > POLLED_SECONDS
    )
    seconds = perf_counter() - begun
    share = (service.cpu_seconds - before) / seconds
    driver_share = watch.cpu_seconds / seconds
    watch.polls, watch.cpu_seconds = 0, 0.0
    return Idle(idle_share, rss_mb, max(share - idle_share, 0.0), driver_share)


def _audit_amid(
    service: Service, seconds: float, stopping: Event
) -> tuple[float, float] | None:
    """Audit once after so many seconds; return from when to when it took.

    None when the product has no such verb, or was stopped before.
    """
    if not hasattr(Commands, "audit") or SystemClock().wait(stopping, seconds):
        return None
    with asking(service) as client:
        verb = getattr(client, "audit")  # noqa: B009 - not every version has it
        needed = inspect.signature(verb).parameters.values()
        begun = perf_counter()
        verb(**{each.name: None for each in needed if each.default is each.empty})
        return begun, perf_counter()


def _stream(
    service: Service,
    watch: Watch,
    files: Sequence[tuple[Arriving, Path]],
    shop: Shop,
    chosen: argparse.Namespace,
) -> Fresh:
    """Let all files arrive, wait for them, and count what came of it."""
    before = _read_runs(watch.client)
    cpu_before, begun, stopping = service.cpu_seconds, perf_counter(), Event()
    with ThreadPoolExecutor(2) as threads:
        bringing = threads.submit(
            bring_by_the_clock, files, shop.landing, watch, EVERY_SECONDS, stopping
        )
        audit = threads.submit(_audit_amid, service, chosen.seconds / 2, stopping)

        def is_done() -> bool:
            if service.has_ended:
                raise CommandError("the service ended")
            is_late = perf_counter() - begun > chosen.seconds + chosen.wait
            return is_late or (bringing.done() and not watch.outstanding)

        try:
            poll_until(
                watch, chosen.poll_ms / 1e3, is_done, lambda: not watch.outstanding
            )
        finally:
            stopping.set()
        bringing.result()
        seconds = perf_counter() - begun
        audited = audit.result()
    return Fresh(
        orders=chosen.orders,
        seconds=chosen.seconds,
        arrived=watch.arrived,
        audit=audited,
        runs=_read_runs(watch.client).since(before),
        polls=watch.polls,
        key_polls=watch.key_polls,
        poll_cpu_share=watch.cpu_seconds / seconds,
        service_cpu_share=(service.cpu_seconds - cpu_before) / seconds,
        peak_rss_mb=service.peak_rss_mb,
        loads=_read_loads(watch.client),
        problems=_find_problems(watch),
    )


def _read_runs(client: ServiceClient) -> Runs:
    """Count the runs that ended so far. Without a way on record all are dbt's."""
    has_way = client.query(
        "select count(*) from information_schema.columns where "
        "table_schema = 'snowmelt' and table_name = 'run_history' "
        "and column_name = 'way'",
        None,
    )["rows"][0][0]
    by_replay = "count(*) filter (where way = 'replay')" if has_way else "0"
    query = _RUNS.replace("{by_replay}", by_replay)
    (row,) = client.query(query, None)["rows"]
    return Runs(*(int(value) for value in row))


def _read_loads(client: ServiceClient) -> dict[str, int]:
    """Count what load history tells of the files that arrived, by status."""
    rows: list[list[Any]] = client.query(
        "select status, count(*) from snowmelt.load_history "
        "where file_name like '%_dataset_new_%' group by all order by 1",
        None,
    )["rows"]
    return {status: int(count) for status, count in rows}


def _find_problems(watch: Watch) -> list[str]:
    """Compare all that landed with all that gold shows of it."""
    problems = []
    missing = [each.file.name for each in watch.outstanding]
    if missing:
        problems.append(
            f"not visible in time: {len(missing)} files, {missing[0]} first"
        )
    files = [each.file for each in watch.arrived]
    orders = 1 + max(file.first_order for file in files) + 1_000
    for kind in KINDS:
        (row,) = watch.client.query(totals_query(kind, orders), None)["rows"]
        found, expected = tuple(map(int, row)), expected_totals(files, kind)
        if found != expected:
            problems.append(f"gold shows {found} of {kind}, {expected} landed")
    return problems


def _measure_dbt(orders: int, place: Path) -> DbtBuilds | str:
    """Measure dbt on a copy of the shop, a new file a build; or say why it cannot."""
    own = place / "dbt"
    own.mkdir()
    shop = copy_shop(orders, own)
    files = _make_ready(plan_files(2 * BUILDS + 1), shop, own / "ready")
    try:
        return measure_dbt(shop, files)
    except CommandError as error:
        return str(error)
