"""Believable data of a CRM and an ERP that never agreed on anything, at any size.

Six CSV files: customers, products and sales of the CRM, and what the ERP knows of the
same customers and products. Every value is a function of seed and row, so the same
call writes the same bytes, however many threads work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from snowmelt.synth.making import (
    Report,
    check_directory,
    check_dirty,
    check_number,
    set_variables,
    statement,
)
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

CUSTOMERS_MIN = 20
ORDERS_PER_CUSTOMER = 4
DAYS = 3 * 365


@dataclass(frozen=True)
class _Table:
    """One file of a system, or of its parts: where it is, and how its lines end."""

    name: str
    stem: str
    header: str
    terminator: str = "\n"
    is_parted: bool = False


_TABLES = (
    _Table(
        "cust_info",
        "source_crm/cust_info",
        "cst_id,cst_key,cst_firstname,cst_lastname,cst_marital_status,cst_gndr,"
        "cst_create_date",
    ),
    _Table(
        "prd_info",
        "source_crm/prd_info",
        "prd_id,prd_key,prd_nm,prd_cost,prd_line,prd_start_dt,prd_end_dt",
    ),
    _Table(
        "sales_details",
        "source_crm/sales_details",
        "sls_ord_num,sls_prd_key,sls_cust_id,sls_order_dt,sls_ship_dt,sls_due_dt,"
        "sls_sales,sls_quantity,sls_price",
        is_parted=True,
    ),
    _Table("cust_az12", "source_erp/CUST_AZ12", "CID,BDATE,GEN", "\r\n"),
    _Table("loc_a101", "source_erp/LOC_A101", "CID,CNTRY", "\r\n"),
    _Table(
        "px_cat_g1v2", "source_erp/PX_CAT_G1V2", "ID,CAT,SUBCAT,MAINTENANCE", "\r\n"
    ),
)


def make_crm_erp(
    directory: Path, *, customers: int, seed: int, dirty: float = 0.0, parts: int = 1
) -> Report:
    """Write the six files of a company with `customers` customers into `directory`.

    `parts` splits the sales by day of order. `dirty` is a share of the records: half
    of it or so can be repaired, the rest are older versions, duplicates, and broken
    records and orphans beside the good ones. There is at least one of each kind, in
    the first part where sales are parted.

    The report counts records by what is odd about them; `earlier_product_versions`,
    `products_without_category` and `categories_without_product` count what there is,
    `crlf_files` files.

    Raises UsageError when a number is out of range or a file is there already.
    """
    check_number("customers", customers, CUSTOMERS_MIN, ": one for each kind of dirt")
    check_number("parts", parts, 1)
    check_dirty(dirty)
    files = [
        (_name(table, part, parts), table, part)
        for table in _TABLES
        for part in range(parts if table.is_parted else 1)
    ]
    check_directory(directory, [name for name, _, _ in files])
    counted: Counter[str] = Counter()
    records: dict[str, int] = {}
    with scratch() as connection:
        _make_world(connection, customers=customers, seed=seed, dirty=dirty)
        set_variables(connection, parts=parts)
        for name, table, part in files:
            set_variables(connection, part=part)
            records[name] = _write(connection, directory / name, table, counted)
        counted.update(dict(connection.execute(statement("crm_erp/once")).fetchall()))
    counted["crlf_files"] = sum(table.terminator == "\r\n" for table in _TABLES)
    return Report(records, dict(sorted(counted.items())))


def _name(table: _Table, part: int, parts: int) -> str:
    """Name a file, or a part (from 0) of one."""
    if parts == 1 or not table.is_parted:
        return f"{table.stem}.csv"
    return f"{table.stem}_{part + 1:04d}.csv"


def _make_world(
    connection: Connection, *, customers: int, seed: int, dirty: float
) -> None:
    set_variables(
        connection,
        seed=str(seed),
        dirty=dirty,
        customers=customers,
        products=max(20, customers // 10),
        orders=customers * ORDERS_PER_CUSTOMER,
        days=DAYS,
        part=0,
        parts=1,
    )
    connection.execute(statement("draws"))
    for name in ("chances", "world", *(table.name for table in _TABLES)):
        connection.execute(statement(f"crm_erp/{name}"))


def _write(
    connection: Connection, path: Path, table: _Table, counted: Counter[str]
) -> int:
    """Write one file, count its quirks; return its number of records."""
    set_variables(
        connection, records=f"{table.name}_records", terminator=table.terminator
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = connection.execute(statement("crm_erp/blocks"))
    with path.open("xb") as target:
        target.write((table.header + table.terminator).encode())
        while block := blocks.fetchone():
            target.write(block[0].encode())
    records = 0
    for quirk, is_kind, made in connection.execute(
        statement("crm_erp/counts")
    ).fetchall():
        records += made if is_kind else 0
        if quirk != "good":
            counted[quirk] += made
    return records
