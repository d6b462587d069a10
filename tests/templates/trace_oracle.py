"""Which lines of which files make a row of the olist template, worked out by hand.

Reads the files line by line, follows quotes itself, and puts rows together in plain
dictionaries. It shares no code and no SQL with the template, and none with traces.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Origin = tuple[str, int]
"""A file's name, and the physical line that a record begins in."""
KEYS = {
    "olist_orders_dataset": ("order_id",),
    "olist_customers_dataset": ("customer_id",),
    "olist_order_items_dataset": ("order_id", "order_item_id"),
    "olist_order_payments_dataset": ("order_id", "payment_sequential"),
    "olist_order_reviews_dataset": ("review_id", "order_id"),
    "olist_products_dataset": ("product_id",),
    "product_category_name_translation": ("product_category_name",),
}
NEWEST_BY = {"olist_order_reviews_dataset": "review_answer_timestamp"}


@dataclass(frozen=True)
class Record:
    """The version of a record that counts, and where it stands."""

    values: dict[str, str]
    origin: Origin


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a file with the lines they begin in, the header first."""
    begun, held = 0, ""
    for number, line in enumerate(path.read_text("utf-8").split("\n"), start=1):
        begun = begun or number
        held += line + "\n"
        if held.count('"') % 2 == 0:
            if held.strip():
                (fields,) = csv.reader([held.rstrip("\n").replace("\n", "\0")])
                yield begun, fields
            begun, held = 0, ""


def counting(landing: Path, stem: str) -> dict[tuple[str, ...], Record]:
    """Return the records that count, by key: of several versions the newest."""
    found: dict[tuple[str, ...], tuple[tuple[str, int, int], Record]] = {}
    contents = set()
    paths = sorted(
        landing.glob(f"{stem}*.csv"), key=lambda path: path.stat().st_mtime_ns
    )
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).digest()
        if content in contents:
            continue
        contents.add(content)
        (_, header), *rows = records(path)
        for line, fields in rows:
            if len(fields) != len(header):
                continue
            values = {
                name.strip("\ufeff"): field.strip()
                for name, field in zip(header, fields, strict=True)
            }
            version = (
                values.get(NEWEST_BY.get(stem, ""), ""),
                path.stat().st_mtime_ns,
                line,
            )
            key = tuple(values[name] for name in KEYS[stem])
            if key not in found or found[key][0] < version:
                found[key] = version, Record(values, (path.name, line))
    return {key: record for key, (_, record) in found.items()}


class Origins:
    """The lines that make rows of gold."""

    def __init__(self, landing: Path) -> None:
        self.orders = counting(landing, "olist_orders_dataset")
        self.customers = counting(landing, "olist_customers_dataset")
        self.items = counting(landing, "olist_order_items_dataset")
        self.products = counting(landing, "olist_products_dataset")
        self.translation = counting(landing, "product_category_name_translation")
        self.by_order: dict[str, set[Origin]] = defaultdict(set)
        for stem in ("order_items", "order_payments", "order_reviews"):
            found = counting(landing, f"olist_{stem}_dataset")
            for record in found.values():
                self.by_order[record.values["order_id"]].add(record.origin)

    def _customer(self, order: Record) -> Record | None:
        return self.customers.get((order.values["customer_id"],))

    def fct_orders(self) -> dict[tuple[str, ...], set[Origin]]:
        found: dict[tuple[str, ...], set[Origin]] = {}
        for (order_id,), order in self.orders.items():
            customer = self._customer(order)
            found[order_id,] = (
                {order.origin}
                | self.by_order[order_id]
                | ({customer.origin} if customer else set())
            )
        return found

    def orders_by_state(self) -> dict[tuple[str, ...], set[Origin]]:
        found: dict[tuple[str, ...], set[Origin]] = defaultdict(set)
        made = self.fct_orders()
        for (order_id,), order in self.orders.items():
            customer = self._customer(order)
            state = customer.values["customer_state"].upper() if customer else "unknown"
            month = order.values["order_purchase_timestamp"][:7] + "-01"
            found[month, state] |= made[order_id,]
        return found

    def fct_order_items(self) -> dict[tuple[str, ...], set[Origin]]:
        found = {}
        for key, item in self.items.items():
            lines = {item.origin}
            order = self.orders.get((key[0],))
            customer = self._customer(order) if order else None
            lines |= {each.origin for each in (order, customer) if each}
            found[key] = lines
        return found

    def category_sales(self) -> dict[tuple[str, ...], set[Origin]]:
        found: dict[tuple[str, ...], set[Origin]] = defaultdict(set)
        made = self.fct_order_items()
        for key, item in self.items.items():
            lines, category = set(made[key]), "unknown"
            product = self.products.get((item.values["product_id"],))
            if product is not None:
                lines.add(product.origin)
                name = product.values["product_category_name"].lower()
                english = self.translation.get((name,))
                category = name or category
                if english is not None:
                    lines.add(english.origin)
                    category = english.values["product_category_name_english"]
            found[category,] |= lines
        return found
