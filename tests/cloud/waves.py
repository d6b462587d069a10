"""Files of a template, three times under the same names: most of them, all, and fewer.

So records come, come again, and go; a key that is lost is found again in another file,
or nowhere.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import duckdb

from snowmelt.synth.crm_erp import make_crm_erp
from snowmelt.synth.olist import make_olist
from snowmelt.synth.realtime import Feed, make_realtime
from snowmelt.synth.retail import Retailer, make_retail
from snowmelt.synth.storefront import make_storefront

SHARES = (0.7, 1.0, 0.4)


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
        rows = duckdb.sql("from read_parquet($path)", params={"path": str(path)})
        few = rows.limit(max(round(len(rows) * share), 4))
        out = path.with_suffix(f".{share}")
        few.write_parquet(str(out))
        return out.read_bytes()
    text = path.read_text("utf-8", "surrogateescape")
    if path.suffix == ".json":
        try:
            records = json.loads(text)
        except ValueError:
            lines = text.splitlines(keepends=True)
            return "".join(lines[: max(round(len(lines) * share), 4)]).encode("utf-8", "surrogateescape")
        if not isinstance(records, list):
            return text.encode()
        return json.dumps(records[: max(round(len(records) * share), 4)]).encode()
    header, *rows_ = csv.reader(io.StringIO(text, newline=""))
    out_ = io.StringIO()
    writer = csv.writer(out_, lineterminator="\n")
    writer.writerows([header, *rows_[: max(round(len(rows_) * share), 4)]])
    return out_.getvalue().encode("utf-8", "surrogateescape")


_MAKERS: dict[str, Callable[[Path], object]] = {
    "olist": lambda files: make_olist(files, orders=50, seed=5, dirty=0.1, parts=2),
    "crm-erp": lambda files: make_crm_erp(files, customers=20, seed=5, dirty=0.3),
    "storefront": lambda files: make_storefront(
        files, customers=8, seed=5, dirty=0.3
    ),
    "retail": lambda files: make_retail(
        files, Retailer(12, 8, 60, seed=5, dirty=0.3, days=12)
    ),
    "realtime": lambda files: make_realtime(
        files,
        Feed(seconds=Fraction(80), rate=Fraction(1), pace=Fraction(86400), dirty=0.3, seed=5),
    ),
}
