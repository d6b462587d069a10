"""Whatever arrives, in whatever order: crm-erp built step by step is a rebuild.

A history is drawn from a seed: the records of a dirty set cut into parts, landed in
random order under names of many kinds, some again under other names and dates, some
corrected under their own name (so that a load is superseded), some as other versions
that come late. Runs happen in between, by replay where dbt was asked before. At the end
silver, gold and quarantine must equal what `rebuild` makes of the same bronze.
"""

from __future__ import annotations

import csv
import io
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import Arrival, ask, live_through
from crm_erp_company import TABLES, quarantined

from forms import with_long
from shop import Shop
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.crm_erp import make_crm_erp

CUSTOMERS, LINES = 20, 70
SEEDS = with_long(range(40), 0)

Record = dict[str, str]
Made = dict[str, list[Record]]

ODD: dict[str, tuple[str, ...]] = {
    "cst_gndr": ("", "Male", " f "),
    "cst_create_date": ("2024-02-30", "20241231", ""),
    "cst_key": ("NAS-AW00011001", ""),
    "prd_key": ("ZZ-XX-NEW-1", "TO-HA"),
    "prd_cost": ("", "-3", "7.005"),
    "prd_start_dt": ("2011-06-01", "0", "2012-06-01"),
    "prd_nm": ("Renamed",),
    "sls_cust_id": ("99", "", "11003.0"),
    "sls_order_dt": ("0", "20130231", "20120229", "2011-07-09"),
    "sls_sales": ("", "0", "-4", "12345.67"),
    "sls_quantity": ("0", "2.5", "3", "", "two"),
    "sls_price": ("", "0", "-9.99", "3.333", "1e3"),
    "BDATE": ("2099-01-01", "", "1970-01-01"),
    "GEN": ("", "M", "female "),
    "CNTRY": ("  ", "DE", "usa", "France"),
    "CID": ("NASAW00011004", "AW-00011005", ""),
    "SUBCAT": ("", "Other"),
    "MAINTENANCE": ("No", "Yes"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The records of a dirty set, by file; of the sales as many as are enough."""
    files = tmp_path_factory.mktemp("made")
    make_crm_erp(files, customers=CUSTOMERS, seed=5, dirty=0.3)
    found = {
        path.stem: list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
        for path in sorted(files.rglob("*.csv"))
    }
    sales = found["sales_details"]
    unknown = [row for row in sales if row["sls_prd_key"].startswith("XX-")]
    assert unknown
    found["sales_details"] = [*unknown, *random.Random(5).sample(sales, LINES)]
    return found


def write(records: list[Record], rng: random.Random) -> bytes:
    """Return the bytes of a file: columns in any order, either end of a line."""
    columns = rng.sample(list(records[0]), k=len(records[0]))
    text = io.StringIO()
    end = rng.choice(["\n", "\r\n"])
    writer = csv.DictWriter(text, columns, lineterminator=end)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def alter(record: Record, others: list[Record], rng: random.Random) -> Record:
    """Return another version of a record, with another value in one column."""
    column = rng.choice(list(record))
    values = [*(each[column] for each in rng.sample(others, k=3)), *ODD.get(column, ())]
    return {**record, column: rng.choice(values)}


def name_of(stem: str, number: int, rng: random.Random) -> str:
    """Return a name that a file of this kind may have."""
    folder = rng.choice(["", "source_crm/", "source_erp/old/", "2024-05-04/"])
    day = f"2024-05-{rng.randint(1, 28):02d}"
    dated = rng.choice([f"_{day}", f"-{day.replace('-', '')}", f" ({day})", ""])
    return f"{folder}{rng.choice([stem, stem.upper()])}{dated}_{number}.csv"


def draw(made: Made, rng: random.Random) -> Iterator[Arrival]:
    """Yield the arrivals of one history."""
    arrivals = []
    for stem, everything in made.items():
        records = rng.sample(everything, k=len(everything))
        parts = rng.randint(1, 3)
        for part in range(parts):
            chosen = records[part::parts]
            first = write(chosen, rng)
            bodies = [first]
            if rng.random() < 0.6:  # corrected: fewer rows, other values, same name
                kept = [each for each in chosen if rng.random() < 0.8] or chosen[:1]
                bodies.append(write([alter(each, records, rng) for each in kept], rng))
            if rng.random() < 0.3:  # and back to the first
                bodies.append(first)
            name = name_of(stem, part, rng)
            arrivals += [Arrival(name, each) for each in bodies]
            few = rng.sample(records, k=min(6, len(records)))
            late = write([alter(each, records, rng) for each in few], rng)
            arrivals.append(Arrival(name_of(stem, 10 + part, rng), late))
            if rng.random() < 0.4:  # the same bytes under another name and date
                arrivals.append(Arrival(name_of(stem, 20 + part, rng), bodies[0]))
            if rng.random() < 0.3:  # or under their own name
                arrivals.append(arrivals[-1])
    rng.shuffle(arrivals)
    yield from arrivals


def orphans(commands: OwnCommands) -> dict[str, int]:
    count = "count(*) filter (product_version_key is null)"
    return {"orphans": ask(commands, f"select {count} from gold.fact_sales")[0][0]}


@pytest.mark.parametrize("seed", SEEDS)
def test_incremental_equals_rebuild(
    tmp_path: Path, warm_crm_erp: Path, made: Made, seed: int
) -> None:
    shutil.copytree(warm_crm_erp, tmp_path / "shop", symlinks=True)
    rng = random.Random(seed)
    met = live_through(
        Shop(tmp_path / "shop"),
        draw(made, rng),
        rng,
        tables=TABLES,
        filled=("gold.sales_trends", "gold.profit_analysis"),
        quarantined=quarantined,
        seen=orphans,
    )
    assert met["superseded"], f"seed {seed} superseded nothing: {met}"
    assert met["replay"], f"seed {seed} replayed nothing: {met}"
    assert met["orphans"], f"seed {seed} had no orphans: {met}"
