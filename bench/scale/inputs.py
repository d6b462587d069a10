"""The company's files: the set, and the hours that come after it; made once and kept.

`python -m bench.scale.inputs COMPANY HOURS EACH` makes hours: in each as many records
as EACH hours of the generator's have together. A set of a tenth of the size has hours
of a tenth; ten of them in one file are as large as an hour of the whole set, so that
both sizes can be given the same work.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

import snowmelt
from bench.inputs import MADE
from bench.live.shop import command, environment, run_program
from bench.machine import ROOT
from snowmelt.synth.retail import Retailer, make_increment

CUSTOMERS, PRODUCTS, TRANSACTIONS = 5_000_000, 100_000, 50_000_000
TABLES = ("customers", "products", "transactions")
SEED, DIRTY, COMPRESSION = 1, 0.02, "zstd"

_MERGES = {
    "customers": (
        "read_csv({files}, all_varchar = true, header = true)",
        "format csv, header",
    ),
    "products": (
        "read_json({files}, format = 'array', columns = {{"
        + ", ".join(
            f"{name}: 'json'"
            for name in (
                *("product_id", "name", "category", "brand", "price"),
                *("stock_quantity", "rating", "is_active"),
            )
        )
        + "}})",
        "format json, array",
    ),
    "transactions": (
        "read_parquet({files})",
        "format parquet",
    ),
}


@dataclass(frozen=True)
class Company:
    """How large a company is, how dirty, and how its files are compressed."""

    customers: int
    products: int
    transactions: int
    dirty: float = DIRTY
    compression: str = COMPRESSION

    @property
    def retailer(self) -> Retailer:
        return Retailer(
            self.customers,
            self.products,
            self.transactions,
            SEED,
            self.dirty,
            compression=self.compression,
        )

    @property
    def folder(self) -> Path:
        """Its place; the name changes with the generator."""
        size = f"{self.customers}-{self.products}-{self.transactions}"
        kind = f"{self.dirty:g}-{self.compression}"
        return MADE / f"retail-{size}-{kind}-{_digest()}"

    def hours(self, each: int) -> Path:
        """The place of its hours."""
        return self.folder / f"hours-of-{each}"


def company_of(scale: float, dirty: float, compression: str = COMPRESSION) -> Company:
    """Return the company of this size, which is 1 for five million customers."""
    sizes = (CUSTOMERS, PRODUCTS, TRANSACTIONS)
    customers, products, transactions = (max(round(size * scale), 1) for size in sizes)
    return Company(customers, products, transactions, dirty, compression)


def synth_words(company: Company, folder: str) -> list[str]:
    """Return the command that makes the set of a company in a folder."""
    sizes = {name: getattr(company, name) for name in TABLES}
    given = {**sizes, "seed": SEED, "dirty": company.dirty}
    given["compression"] = company.compression
    options = [
        word for name, each in given.items() for word in (f"--{name}", str(each))
    ]
    return command("synth", "retail", folder, *options, "--json")


def ensure_set(company: Company) -> Path:
    """Make the set unless it is there, and return the folder that has `raw`."""
    folder = company.folder / "set"
    if not folder.is_dir():
        print(f"making {folder}", file=sys.stderr)
        making = folder.with_name("set.making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        run_program(synth_words(company, str(making)), making, environment())
        making.rename(folder)
    return folder


def ensure_hours(company: Company, hours: int, each: int) -> list[Path]:
    """Make hours unless they are there; return the folders that have `raw`."""
    folder = company.hours(each)
    if not (folder / _name(hours)).is_dir():
        print(f"making {folder}", file=sys.stderr)
        words = (json.dumps(asdict(company)), str(hours), str(each))
        run_program(
            [sys.executable, "-m", "bench.scale.inputs", *words], ROOT, environment()
        )
    return [folder / _name(hour) for hour in range(1, hours + 1)]


def make_hours(company: Company, hours: int, each: int, folder: Path) -> None:
    """Make the hours that are not there."""
    for hour in range(1, hours + 1):
        made = folder / _name(hour)
        if made.is_dir():
            continue
        making = folder / f"{_name(hour)}.making"
        shutil.rmtree(making, ignore_errors=True)
        increments = range((hour - 1) * each + 1, hour * each + 1)
        for increment in increments:
            part = making / "parts" / _name(increment)
            make_increment(part, company.retailer, increment=increment)
        _merge(sorted((making / "parts").iterdir()), making, company.compression)
        shutil.rmtree(making / "parts")
        making.rename(made)


def _merge(parts: list[Path], into: Path, compression: str) -> None:
    """Write one file a table of several, under the name of the last of them."""
    for table in TABLES:
        files = [next((part / "raw" / table).iterdir()) for part in parts]
        merged = into / "raw" / table / files[-1].name
        merged.parent.mkdir(parents=True)
        if len(files) == 1:
            files[0].rename(merged)
            continue
        source, form = _MERGES[table]
        read = source.format(files=[str(file) for file in files])
        with duckdb.connect() as connection:
            connection.execute(
                f"copy (from {read}) to '{merged}' ({form}, compression {compression})"
            )


def _name(hour: int) -> str:
    return f"{hour:04d}"


def _digest() -> str:
    synth = Path(snowmelt.__file__).parent / "synth"
    sources = [synth / "retail.py", synth / "sql" / "draws.sql"]
    sources += sorted((synth / "sql" / "retail").iterdir())
    digest = hashlib.sha256(str(SEED).encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


if __name__ == "__main__":
    given, count, together = sys.argv[1:]
    own = Company(**json.loads(given))
    make_hours(own, int(count), int(together), own.hours(int(together)))
