"""The files that arrive: new orders, their items and their payments, in turn.

Every value is a function of the number of the order and the version of the file, so
that any answer tells which version of a file it was made from. A correction comes
under the name of an earlier file, with the next version of all its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Literal

from bench.live.shop import Known

Kind = Literal["orders", "order_items", "order_payments"]

KINDS: tuple[Kind, ...] = ("orders", "order_items", "order_payments")
RECORDS = 1000
CORRECTION_EVERY = 20
CORRECTED_BEFORE = 10

_SALT = "arriving"
_FIRST = datetime(2018, 10, 15)  # noqa: DTZ001 - the files say no time zone
_SECONDS_BETWEEN = 7
_PROMISED_DAYS = 20
_FREIGHT_CENTS = 1500
_HEADERS = {
    "orders": "order_id,customer_id,order_status,order_purchase_timestamp,"
    "order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,"
    "order_estimated_delivery_date",
    "order_items": "order_id,order_item_id,product_id,seller_id,shipping_limit_date,"
    "price,freight_value",
    "order_payments": "order_id,payment_sequential,payment_type,payment_installments,"
    "payment_value",
}
# What gold has of an order, in a whole number from which the version can be told.
_SHOWN = {
    "orders": "date_diff('day', cast(purchased_at as date), estimated_on)",
    "order_items": "cast(price * 100 as bigint)",
    "order_payments": "cast(payment_value * 100 as bigint)",
}
_TABLES = {
    "orders": "gold.fct_orders",
    "order_items": "gold.fct_order_items",
    "order_payments": "gold.fct_orders",
}


@dataclass(frozen=True)
class Arriving:
    """A file to come: the orders from `first_order` on, in one version."""

    number: int
    kind: Kind
    first_order: int
    version: int

    @property
    def name(self) -> str:
        block = self.first_order // RECORDS
        return f"olist_{self.kind}_dataset_new_{block:05d}.csv"

    @property
    def is_correction(self) -> bool:
        return self.version > 1

    @property
    def marker(self) -> str:
        """The key of its first record: a file is loaded whole or not at all."""
        return order_id(self.first_order)


def plan_files(count: int) -> list[Arriving]:
    """Return which files come, in their order."""
    files: list[Arriving] = []
    new = 0
    for number in range(count):
        if number % CORRECTION_EVERY == CORRECTION_EVERY - 1:
            before = files[number - CORRECTED_BEFORE]
            files.append(Arriving(number, before.kind, before.first_order, 2))
            continue
        first_order = new // len(KINDS) * RECORDS
        files.append(Arriving(number, KINDS[new % len(KINDS)], first_order, 1))
        new += 1
    return files


def order_id(order: int) -> str:
    """Return the key of a new order: 32 digits, as all have."""
    return md5(f"{_SALT}{order}".encode(), usedforsecurity=False).hexdigest()


def write_file(file: Arriving, known: Known, path: Path) -> None:
    """Write the records of a file that arrives later."""
    orders = range(file.first_order, file.first_order + RECORDS)
    lines = [_HEADERS[file.kind]]
    lines += [_record(file, order, known) for order in orders]
    path.write_text("\n".join([*lines, ""]))


def _record(file: Arriving, order: int, known: Known) -> str:
    bought = _FIRST + timedelta(seconds=order * _SECONDS_BETWEEN)
    if file.kind == "orders":
        customer = known.customers[order % len(known.customers)]
        later = [bought + timedelta(hours=hours) for hours in (1, 30, 120)]
        promised = bought.date() + timedelta(days=shown(file, order))
        times = f"{bought},{later[0]},{later[1]},{later[2]},{promised} 00:00:00"
        return f"{order_id(order)},{customer},delivered,{times}"
    if file.kind == "order_items":
        product = known.products[order % len(known.products)]
        seller = known.sellers[order % len(known.sellers)]
        money = f"{shown(file, order) / 100:.2f},{_FREIGHT_CENTS / 100:.2f}"
        limit = bought + timedelta(days=4)
        return f"{order_id(order)},1,{product},{seller},{limit},{money}"
    return f"{order_id(order)},1,credit_card,1,{shown(file, order) / 100:.2f}"


def shown(file: Arriving, order: int) -> int:
    """Return the value that gold shows of an order once this file is in it."""
    if file.kind == "orders":
        return _PROMISED_DAYS + file.version
    price = 2000 + order * 7919 % 48_000 + 100 * file.version
    return price if file.kind == "order_items" else price + _FREIGHT_CENTS


def version_shown(file: Arriving, value: int) -> int:
    """Return which version of its file a marker's value is of; below 1: of none."""
    zeroth = shown(replace(file, version=0), file.first_order)
    return (value - zeroth) // (1 if file.kind == "orders" else 100)


def markers_query(files: Iterable[Arriving]) -> str:
    """Return a query for what gold shows of these files: kind, key, value."""
    keys: dict[str, set[str]] = {}
    for file in files:
        keys.setdefault(file.kind, set()).add(file.marker)
    return " union all ".join(
        f"select '{kind}', order_id, {_SHOWN[kind]} from {_TABLES[kind]} "
        f"where order_id in ({', '.join(repr(key) for key in sorted(wanted))})"
        for kind, wanted in keys.items()
    )


def totals_query(kind: Kind, orders: int) -> str:
    """Return a query for the number and the sum of all that gold shows of a kind."""
    return (
        f"select count(*), coalesce(sum({_SHOWN[kind]}), 0)::bigint "
        f"from {_TABLES[kind]} where order_id in "
        f"(select md5('{_SALT}' || i) from range({orders}) as numbers (i))"
        + (" and payment_value > 0" if kind == "order_payments" else "")
    )


def expected_totals(files: Sequence[Arriving], kind: Kind) -> tuple[int, int]:
    """Return what that query must answer when the newest version of each is there."""
    newest = {file.name: file for file in files if file.kind == kind}
    values = [
        shown(file, order)
        for file in newest.values()
        for order in range(file.first_order, file.first_order + RECORDS)
    ]
    return len(values), sum(values)
