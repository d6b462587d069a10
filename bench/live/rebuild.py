"""Silver and gold anew from bronze, beside the same SQL run by hand.

`python -m bench rebuild --orders 100000`: ours is the service's rebuild, asked for by
its door; raw is what dbt compiles for a full refresh, models and tests, in one
transaction of a plain DuckDB connection on a copy of the same warehouse.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import duckdb

from bench.inputs import MADE
from bench.live.dbt_builds import dbt, dbt_environment
from bench.live.figures import Target, add_common_options, show, verdict
from bench.live.shop import CommandError, Shop, copy_shop, run_program
from bench.live.up import asking, running
from bench.machine import describe_machine
from snowmelt.errors import SnowmeltError

ORDERS = 100_000
RATIO_MAX = 1.5


@dataclass(frozen=True)
class Node:
    """A model to build, or a test to count the failing rows of."""

    relation: str | None
    sql: str


@dataclass(frozen=True)
class Rebuilt:
    """Seconds of each rebuild, and {table: (rows, digest)} of what was built."""

    seconds: Sequence[float]
    digests: dict[str, tuple[int, str]]


def main(arguments: Sequence[str]) -> int:
    """Measure both; 1 when ours takes too long, 2 when they built different rows."""
    chosen = _parse(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="rebuild-", dir=MADE))
    try:
        shop = copy_shop(chosen.orders, place)
        nodes = _compile(shop)
        raw = _rebuild_by_hand(shop, nodes, chosen.times)
        ours = _rebuild_by_service(shop, nodes, chosen.times)
        _require_same(raw, ours)
    except (CommandError, SnowmeltError) as error:
        print(f"rebuild FAILED: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(place, ignore_errors=True)
    ratio = median(ours.seconds) / median(raw.seconds)
    is_judged = chosen.orders >= ORDERS
    targets = [Target("ours / raw", ratio, RATIO_MAX, "times", is_judged)]
    lines = _table(chosen.orders, nodes, raw, ours)
    lines += [f"rebuild: {target.text}" for target in targets]
    show("rebuild", machine, lines, chosen)
    code = verdict("rebuild", targets)
    print(
        json.dumps(
            {
                "ratio": round(ratio, 4),
                "orders": chosen.orders,
                "ours_s": round(median(ours.seconds), 4),
                "raw_s": round(median(raw.seconds), 4),
            }
        )
    )
    return code


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench rebuild", description=f"Judged from {ORDERS:,} orders on."
    )
    parser.add_argument("--orders", type=int, default=ORDERS, help="loaded before")
    parser.add_argument("--times", type=int, default=3, help="rebuilds of each")
    add_common_options(parser)
    return parser.parse_args(arguments)


def _table(
    orders: int, nodes: Sequence[Node], raw: Rebuilt, ours: Rebuilt
) -> list[str]:
    models = sum(node.relation is not None for node in nodes)
    rows = sum(count for count, _ in ours.digests.values())
    lines = [
        f"rebuild: {models} models and {len(nodes) - models} tests "
        f"from {orders:,} orders",
        f"{'':<10}" + "".join(f"{each:>12}" for each in ("min s", "median s", "max s")),
    ]
    for name, rebuilt in (("raw", raw), ("ours", ours)):
        s = rebuilt.seconds
        cells = (min(s), median(s), max(s))
        lines.append(f"{name:<10}" + "".join(f"{cell:>12.3f}" for cell in cells))
    ratio = median(ours.seconds) / median(raw.seconds)
    return [
        *lines,
        "raw is: the SQL that dbt compiles, in one transaction, tests counted",
        f"both built {rows:,} rows with the same digests; ours takes {ratio:.2f}x",
    ]


def _compile(shop: Shop) -> list[Node]:
    """Return what dbt compiles for a full refresh, in an order that can be run."""
    words = dbt(shop.root, "compile", "--full-refresh")
    run_program(words, shop.root, dbt_environment(shop))
    manifest = json.loads((shop.root / "target" / "manifest.json").read_text())
    found: dict[str, Any] = {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "test")
    }
    needs = {
        key: [each for each in node["depends_on"]["nodes"] if each in found]
        for key, node in found.items()
    }
    return [
        Node(
            node["relation_name"] if node["resource_type"] == "model" else None,
            node["compiled_code"],
        )
        for key in TopologicalSorter(needs).static_order()
        for node in [found[key]]
    ]


def _rebuild_by_hand(shop: Shop, nodes: Sequence[Node], times: int) -> Rebuilt:
    """Run the statements on a copy of the warehouse, a new one each time."""
    own = shop.root.parent / "by_hand"
    seconds = []
    for _ in range(times):
        own.mkdir()
        copy = Path(shutil.copy(shop.warehouse, own / shop.warehouse.name))
        with duckdb.connect(str(copy)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            begun = perf_counter()
            connection.execute("begin")
            for node in nodes:
                _run(connection, node)
            connection.execute("commit")
            seconds.append(perf_counter() - begun)
            digests = _digests(connection, nodes)
        shutil.rmtree(own)
    return Rebuilt(seconds, digests)


def _run(connection: duckdb.DuckDBPyConnection, node: Node) -> None:
    if node.relation is None:
        connection.execute(f"select count(*) from ({node.sql})").fetchall()
    else:
        connection.execute(f"create or replace table {node.relation} as {node.sql}")


def _rebuild_by_service(shop: Shop, nodes: Sequence[Node], times: int) -> Rebuilt:
    """Have a running service rebuild; what it built is read when it has ended."""
    seconds = []
    with running(shop.root) as service:
        service.rest()
        with asking(service) as client:
            for _ in range(times):
                begun = perf_counter()
                run = client.rebuild()["run"]
                seconds.append(perf_counter() - begun)
                if run is None or run["state"] != "SUCCEEDED":
                    raise CommandError(f"a rebuild did not succeed: {run}")
    with duckdb.connect(str(shop.warehouse), read_only=True) as connection:
        return Rebuilt(seconds, _digests(connection, nodes))


def _digests(
    connection: duckdb.DuckDBPyConnection, nodes: Sequence[Node]
) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each model and a digest of all their values."""
    digests = {}
    for node in nodes:
        if node.relation is not None:
            (row,) = connection.execute(
                "select count(*), coalesce(sum(hash(built)::hugeint), 0)::varchar "
                f"from {node.relation} as built"
            ).fetchall()
            digests[node.relation] = row
    return digests


def _require_same(raw: Rebuilt, ours: Rebuilt) -> None:
    differing = [
        name for name, digest in raw.digests.items() if ours.digests[name] != digest
    ]
    if differing:
        raise CommandError(f"what was built differs in {', '.join(differing)}")
