"""Whatever arrives, in whatever order: the storefront built step by step is a rebuild.

A history is drawn from a seed: the records of a dirty set cut into parts, sales written
in any of the three shapes, landed in random order, some again under other names and
dates, some corrected under their own name (so that a load is superseded), some as
other versions that come late. Runs happen in between, by replay where dbt was asked
before. At the end silver, gold and quarantine must equal what `rebuild` makes of the
same bronze.
"""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asking import Arrival, ask, live_through
from storefront_oracle import read_json
from storefront_shop import TABLES, audited, quarantined

from forms import with_long
from shop import Shop
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.storefront import make_storefront

CUSTOMERS = 8
SEEDS = with_long(range(40), 0)

Record = dict[str, Any]
Made = dict[str, list[Record]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every record of a dirty set, by table."""
    files = tmp_path_factory.mktemp("made")
    make_storefront(files, customers=CUSTOMERS, seed=5, dirty=0.3)
    records: Made = {}
    for path in sorted((files / "raw").rglob("*.*")):
        text = path.read_text()
        records.setdefault(path.parent.name, []).extend(
            csv.DictReader(io.StringIO(text))
            if path.suffix == ".csv"
            else read_json(text)
        )
    return records


def write(table: str, records: list[Record], shape: str) -> bytes:
    """Return the bytes of a file."""
    if table != "sales":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return text.getvalue().encode()
    if shape == "lines":
        return "".join(json.dumps(each) + "\n" for each in records).encode()
    if shape == "array":
        return json.dumps(records, indent=1).encode()
    columns = {
        name: {
            str(label): _in_milliseconds(each[name])
            if name == "sale_date"
            else each[name]
            for label, each in enumerate(records)
        }
        for name in records[0]
    }
    return json.dumps(columns).encode()


def _in_milliseconds(day: str | int) -> int:
    if isinstance(day, int):
        return day
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def alter(table: str, record: Record, rng: random.Random) -> Record:
    """Return another version of a record; it may be worse, or better."""
    changes: dict[str, list[Any]] = {
        "customers": [
            {"country": rng.choice(["de", "FR", "", "JP"])},
            {"name": rng.choice(["ada", "Bo B"])},
            {"email": rng.choice(["no address", "a@example.org", ""])},
        ],
        "products": [
            {"price": rng.choice(["0", "5.005", "20000", "7"])},
            {"category": rng.choice(["toys", "HOME", "Weapons"])},
        ],
        "sales": [
            {"quantity": rng.choice([0, 1, 7, 2.5])},
            {"customer_id": rng.randint(1, CUSTOMERS + 2)},
            {"product_id": rng.randint(1, 12)},
        ],
    }
    changed: Record = record | rng.choice(changes[table])
    return changed


def draw(made: Made, rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of one history."""
    arrivals = []
    for table, everything in made.items():
        records = rng.sample(everything, k=len(everything))
        suffix = "json" if table == "sales" else "csv"
        parts = rng.randint(2, 4)
        for part in range(parts):
            chosen = records[part::parts]
            versions = [chosen]
            if rng.random() < 0.5:  # corrected: fewer rows, other values, same name
                kept = [each for each in chosen if rng.random() < 0.7] or chosen[:1]
                versions.append([alter(table, each, rng) for each in kept])
            if rng.random() < 0.3:  # and back to the first
                versions.append(chosen)
            # the date in the name is the version: parts of one table overlap in keys
            stem = f"raw/{table}/{table}_2024-05-{rng.randint(1, 28):02d}_{part}"
            shape = rng.choice(["lines", "array", "columns"])
            bodies = [write(table, rows, shape) for rows in versions]
            arrivals += [Arrival(f"{stem}.{suffix}", each) for each in bodies]
            late = [alter(table, each, rng) for each in rng.sample(records, k=3)]
            stem = f"raw/{table}/{table}_2024-06-{rng.randint(1, 28):02d}_{part}"
            arrivals.append(Arrival(f"{stem}.{suffix}", write(table, late, "lines")))
            if rng.random() < 0.5:  # a snapshot again, under another date
                stem = f"raw/{table}/{table}_2024-06-{rng.randint(1, 28):02d}_again"
                arrivals.append(Arrival(f"{stem}{part}.{suffix}", bodies[0]))
            if rng.random() < 0.3:  # or under its own name
                arrivals.append(arrivals[-1])
    rng.shuffle(arrivals)
    yield from arrivals


def orphans(commands: OwnCommands) -> dict[str, int]:
    sql = "select count(*) from silver.orphan_sales"
    return {"orphans": ask(commands, sql)[0][0]}


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_equals_rebuild(
    tmp_path: Path, warm_storefront: Path, made: Made, seed: int
) -> None:
    shutil.copytree(warm_storefront, tmp_path / "shop", symlinks=True)
    rng = random.Random(seed)
    met = live_through(
        Shop(tmp_path / "shop"),
        draw(made, rng),
        rng,
        tables=TABLES,
        filled=("gold.sales_by_country", "gold.top_products"),
        quarantined=quarantined,
        seen=orphans,
        at_the_end=audited,
    )
    assert met["superseded"], f"seed {seed} superseded nothing: {met}"
    assert met["replay"], f"seed {seed} replayed nothing: {met}"
    assert met["orphans"], f"seed {seed} had no orphans: {met}"
