"""Files of a template, three times under the same names: most of them, all, and fewer.

So records come, come again, and go; a key that is lost is found again in another file,
or nowhere.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import duckdb

from snowmelt.synth.crm_erp import CUSTOMERS_MIN, make_crm_erp
from snowmelt.synth.olist import make_olist
from snowmelt.synth.realtime import Feed, make_realtime
from snowmelt.synth.retail import Retailer, make_retail
from snowmelt.synth.storefront import make_storefront

SHARES = (0.7, 1.0, 0.4)
RECORDS_MIN = 4
CODEC = ("utf-8", "surrogateescape")  # dirty files have bytes that are no text


def waves(template: str, files: Path) -> list[dict[str, bytes]]:
    """Return what lands, wave by wave: contents by path below the landing folder."""
    _MAKERS[template](files)
    found = [path for path in sorted(files.rglob("*.*")) if path.is_file()]
    return [
        {str(path.relative_to(files)): cut(path, share) for path in found}
        for share in SHARES
    ]


def cut(path: Path, share: float) -> bytes:
    """Return the first records of a file, as many as their share."""
    if path.suffix == ".parquet":
        return _cut_parquet(path, share)
    text = path.read_text(*CODEC)
    if path.suffix == ".json":
        return _cut_json(text, share).encode(*CODEC)
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([header, *rows[: _number(rows, share)]])
    return out.getvalue().encode(*CODEC)


def _cut_json(text: str, share: float) -> str:
    try:
        records = json.loads(text)
    except ValueError:
        lines = text.splitlines(keepends=True)
        return "".join(lines[: _number(lines, share)])
    if not isinstance(records, list):
        return text
    return json.dumps(records[: _number(records, share)])


def _cut_parquet(path: Path, share: float) -> bytes:
    rows = duckdb.sql(f"select * from read_parquet('{path}')")
    part = path.with_name(".part")
    rows.limit(max(round(len(rows) * share), RECORDS_MIN)).write_parquet(str(part))
    return part.read_bytes()


def _number(records: Sequence[object], share: float) -> int:
    return max(round(len(records) * share), RECORDS_MIN)


_MAKERS: dict[str, Callable[[Path], object]] = {
    "crm-erp": lambda files: make_crm_erp(
        files, customers=CUSTOMERS_MIN, seed=5, dirty=0.2, parts=2
    ),
    "realtime": lambda files: make_realtime(
        files, Feed(seconds=Fraction(12), rate=Fraction(8), seed=5, dirty=0.2)
    ),
    "retail": lambda files: make_retail(
        files, Retailer(30, 15, 120, seed=5, dirty=0.3), parts=2
    ),
    "olist": lambda files: make_olist(files, orders=50, seed=5, dirty=0.1, parts=2),
    "storefront": lambda files: make_storefront(files, customers=8, seed=5, dirty=0.3),
}
