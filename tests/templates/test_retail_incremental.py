"""Whatever arrives, in whatever order: the retail template step by step is a rebuild.

A history is drawn from a seed: the records of a dirty set and its increments cut into
parts, landed in random order, some again under other names and dates, some corrected
under their own name (so that a load is superseded) and back, some as other versions
that come late, customers and products before and after what names them. Runs happen in
between, by replay where dbt was asked before. At the end silver, gold and quarantine
must equal what `rebuild` makes of the same bronze.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from asking import Arrival, ask, live_through
from retail_company import RELATIONS, audited, quarantined
from retail_oracle import read_file

from forms import with_long
from shop import Shop
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.retail import Retailer, make_increment, make_retail

RETAILER = Retailer(12, 8, 60, seed=5, dirty=0.3, days=12)
SEEDS = with_long(range(40), 0)
SUFFIX = {"customers": "csv", "products": "json", "transactions": "parquet"}

Record = dict[str, Any]
Made = dict[str, list[Record]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every record of a dirty set and two increments, by table."""
    files = tmp_path_factory.mktemp("made")
    make_retail(files, RETAILER)
    for number in (1, 2):
        make_increment(files, RETAILER, increment=number)
    records: Made = {}
    for path in sorted((files / "raw").rglob("*.*")):
        records.setdefault(path.parent.name, []).extend(read_file(path))
    return records


def write(table: str, records: list[Record]) -> bytes:
    """Return the bytes of a file."""
    if table == "customers":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue().encode()
    if table == "products":
        return json.dumps(
            records,
            default=lambda each: float(each) if isinstance(each, Decimal) else 0,
        ).encode()
    target = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), target)
    return target.getvalue()


def alter(table: str, record: Record, rng: random.Random) -> Record:
    """Return another version of a record; it may be worse, or better."""
    customer, product = rng.randint(1, 20), rng.randint(1, 12)
    changes: dict[str, list[Record]] = {
        "customers": [
            {"customer_type": rng.choice(["R", "PREM", "", "VIP"])},
            {"name": rng.choice(["Ada", " Bo  B"])},
            {"email": rng.choice(["no address", "a@example.org", ""])},
            {"age": rng.choice(["7", "44", "x"])},
            {"customer_id": f"C{100000000 + customer}"},
        ],
        "products": [
            {"price": rng.choice([0, -5, 7.125])},
            {"category": rng.choice(["Toys", "Home", None])},
            {"stock_quantity": rng.choice(["9", -9, 3])},
            {"product_id": f"P{1000000 + product}"},
        ],
        "transactions": [
            {"quantity": rng.choice([0, 1, 7, None])},
            {"total_amount": rng.choice([0.0, 3.5, 99.99])},
            {"customer_id": rng.choice([f"C{100000000 + customer}", None, "CU1"])},
            {"product_id": rng.choice([f"P{1000000 + product}", "PU1"])},
            {"transaction_date": rng.choice(["2024-01-03", "2024-01-09", "never"])},
            {"store_type": rng.choice(["store", "Online", None])},
        ],
    }
    changed: Record = record | rng.choice(changes[table])
    return changed


def draw(made: Made, rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of one history."""
    arrivals = []
    for table, everything in made.items():
        records = rng.sample(everything, k=len(everything))
        suffix, parts = SUFFIX[table], rng.randint(2, 4)
        for part in range(parts):
            chosen = records[part::parts]
            versions = [chosen]
            if rng.random() < 0.6:  # corrected: fewer rows, other values, same name
                kept = [each for each in chosen if rng.random() < 0.7] or chosen[:1]
                versions.append([alter(table, each, rng) for each in kept])
            if rng.random() < 0.3:  # and back to the first
                versions.append(chosen)
            # the date in the name is the version: parts of one table overlap in keys
            stem = f"raw/{table}/{table}_2024-05-{rng.randint(1, 28):02d}_p{part}"
            bodies = [write(table, rows) for rows in versions]
            arrivals += [Arrival(f"{stem}.{suffix}", each) for each in bodies]
            late = [alter(table, each, rng) for each in rng.sample(records, k=3)]
            stem = f"raw/{table}/{table}_2024-06-{rng.randint(1, 28):02d}_p{part}"
            arrivals.append(Arrival(f"{stem}.{suffix}", write(table, late)))
            if rng.random() < 0.5:  # the same bytes under another name and date
                stem = f"raw/{table}/{table}_2024-06-{rng.randint(1, 28):02d}_again"
                arrivals.append(Arrival(f"{stem}{part}.{suffix}", bodies[0]))
            if rng.random() < 0.3:  # or under its own name
                arrivals.append(arrivals[-1])
    rng.shuffle(arrivals)
    yield from arrivals


def not_known(commands: OwnCommands) -> dict[str, int]:
    sql = "select count(*) from gold.dim_customers where not is_known"
    return {"not known": ask(commands, sql)[0][0]}


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_equals_rebuild(
    tmp_path: Path, warm_retail: Path, made: Made, seed: int
) -> None:
    shutil.copytree(warm_retail, tmp_path / "shop", symlinks=True)
    rng = random.Random(seed)
    met = live_through(
        Shop(tmp_path / "shop"),
        draw(made, rng),
        rng,
        tables=RELATIONS,
        filled=("gold.daily_sales_analysis", "gold.sales_by_day"),
        quarantined=quarantined,
        seen=not_known,
        at_the_end=audited,
    )
    assert met["superseded"], f"seed {seed} superseded nothing: {met}"
    assert met["replay"], f"seed {seed} replayed nothing: {met}"
    assert met["not known"], f"seed {seed} knew everybody: {met}"
