"""The files that are loaded, made once by DuckDB into bench/.data.

Run as a program, with the numbers of `Inputs` and the format, it makes them: the
memory that takes is not the measuring program's then.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from bench.scenarios import Inputs

MADE = Path(__file__).parent / ".data"

COLUMNS = {
    "order_id": "varchar",
    "customer_no": "bigint",
    "status": "varchar",
    "placed_at": "timestamp",
    "amount": "decimal(12,2)",
    "tax": "decimal(12,2)",
    "note": "varchar",
    "quantity": "integer",
    "store_no": "integer",
    "coupon": "varchar",
}

# The order of rows does not matter to it, their number and every value do.
_TYPED = ", ".join(f"{name}::{kind}" for name, kind in COLUMNS.items())
DIGEST = f"coalesce(sum(hash({_TYPED})::hugeint), 0)::varchar"

# One record a row. A broken one has a word for a number, an impossible date, too few
# fields or too many.
FIELDS = """
with

numbered as (

    select
        i,
        (i * 2654435761) % 4294967296 as h,
        $every > 0 and i % greatest($every, 1) = $every // 2 as is_broken,
        i // greatest($every, 1) % 5 as kind
    from range($first::bigint, $last::bigint) as numbers (i)

),

fields as (

    select
        i,
        case when is_broken then kind else -1 end as kind,
        md5(i::varchar) as order_id,
        1000000 + h % 9000000 as customer_no,
        ['new', 'paid', 'sent', 'returned', 'lost'][1 + h % 5] as status,
        strftime(
            timestamp '2024-01-01' + to_seconds(h % 31536000), '%Y-%m-%d %H:%M:%S'
        ) as placed_at,
        (h % 100000) // 100 || '.' || lpad((h % 100)::varchar, 2, '0') as amount,
        (h % 9000) // 100 || '.' || lpad((h % 90)::varchar, 2, '0') as tax,
        case h % 3
            when 0 then 'gate "' || h % 97 || '", ring'
            when 1 then 'call, then wait'
            else 'the "blue" door, ' || h % 41
        end as note,
        1 + h % 12 as quantity,
        100 + h % 800 as store_no,
        case when h % 4 = 0 then 'C' || h % 1000 else '' end as coupon
    from numbered

)
"""

LINES = """
select
    concat(
        order_id, ',', customer_no, ',', status, ',',
        case when kind = 1 then '2024-13-45 25:00:00' else placed_at end, ',',
        case when kind = 2 then 'twelve' else amount end, ',',
        tax, ',"', replace(note, '"', '""'), '",',
        case when kind = 0 then 'some' else quantity::varchar end,
        case when kind = 3 then '' else ',' || store_no || ',' || coupon end,
        case when kind = 4 then ',one more' else '' end
    ) as line
from fields
"""

JSON = """
select
    order_id, customer_no, status, placed_at, amount::decimal(12,2) as amount,
    tax::decimal(12,2) as tax, note, quantity, store_no, nullif(coupon, '') as coupon
from fields
"""

PARQUET = f"""
select {", ".join(f"nullif({c}, '')::{t} as {c}" for c, t in COLUMNS.items())}
from (select columns(*)::varchar from fields)
"""


def folder_of(inputs: Inputs) -> Path:
    """Return the folder of these files; its name changes with what is in them."""
    text = "".join([FIELDS, LINES, JSON, PARQUET])
    version = hashlib.sha256(text.encode()).hexdigest()[:8]
    size = f"{inputs.files}x{inputs.records_each}"
    return MADE / f"{inputs.format}-{size}-{inputs.broken_every}-{version}"


def ensure_inputs(inputs: Inputs) -> Path:
    """Make the files unless they are there, and return their folder."""
    folder = folder_of(inputs)
    if not folder.is_dir():
        print(f"making {folder}", file=sys.stderr)
        numbers = (inputs.files, inputs.records_each, inputs.broken_every)
        words = [*map(str, numbers), inputs.format]
        subprocess.run([sys.executable, "-m", "bench.inputs", *words], check=True)
    return folder


def make(inputs: Inputs, folder: Path) -> None:
    """Write the files under a name of their own, then put them in place."""
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    with duckdb.connect() as connection:
        if inputs.files == 1:
            _write_one(connection, inputs, making / f"orders_1.{inputs.format}")
        else:
            _write_many(connection, inputs, making)
    making.rename(folder)


def _fields(inputs: Inputs) -> str:
    fields = FIELDS
    numbers = {"first": 0, "last": inputs.records, "every": inputs.broken_every}
    for name, number in numbers.items():
        fields = fields.replace(f"${name}", str(number))
    return fields


def _write_one(
    connection: duckdb.DuckDBPyConnection, inputs: Inputs, path: Path
) -> None:
    fields = _fields(inputs)
    header = ",".join(COLUMNS)
    query, options = {
        "csv": (
            f"select '{header}' as line union all ({fields} {LINES})",
            r"format csv, header false, quote '', escape '', delimiter '\x01'",
        ),
        "json": (fields + JSON, "format json"),
        "parquet": (fields + PARQUET, "format parquet"),
    }[inputs.format]
    connection.execute(f"copy ({query}) to '{path}' ({options})")


def _write_many(
    connection: duckdb.DuckDBPyConnection, inputs: Inputs, folder: Path
) -> None:
    header = ",".join(COLUMNS)
    each = inputs.records_each
    lines = [
        line
        for (line,) in connection.execute(
            f"{_fields(inputs)} {LINES} order by i"
        ).fetchall()
    ]
    for number in range(inputs.files):
        own = lines[number * each : (number + 1) * each]
        text = "\n".join([header, *own, ""]) if each else ""
        (folder / f"orders_{number:06d}.csv").write_text(text)


if __name__ == "__main__":
    files, records_each, broken_every = (int(number) for number in sys.argv[1:4])
    made = Inputs(files, records_each, broken_every, sys.argv[4])  # type: ignore[arg-type]
    make(made, folder_of(made))
