"""The figures of the storefront template, worked out without a database.

Reads the files with the csv and json modules and counts in Decimal. It shares no code
and no SQL with the template: what both say is unlikely to be wrong.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

CENT = Decimal("0.01")
CATEGORIES = {"Books", "Clothing", "Electronics", "Home", "Toys"}
UNKNOWN = "UNKNOWN"

Record = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """A row of customers_clean."""

    name: str | None
    country: str | None
    email: str


@dataclass(frozen=True)
class Product:
    """A row of products_clean."""

    name: str | None
    category: str
    price: Decimal


@dataclass(frozen=True)
class Sale:
    """A row of sales_clean."""

    customer_id: str
    product_id: str
    quantity: int
    sale_date: date


@dataclass
class StorefrontFigures:
    """What silver and gold must say about a folder of files. Money is in EUR.

    `orphans` has what each lacks. `refused` counts records by table and rule,
    `repaired` those that are good only once they are put right, by table and column.
    """

    customers: dict[str, Customer]
    products: dict[str, Product]
    sales: dict[str, Sale]
    amounts: dict[str, Decimal] = field(default_factory=dict)
    orphans: dict[str, str] = field(default_factory=dict)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    repaired: Counter[tuple[str, str]] = field(default_factory=Counter)

    def by_country(self) -> list[list[Any]]:
        """Return country, total_sales, number_of_sales, number_of_customers."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for sale_id in self.amounts:
            customer = self.customers[self.sales[sale_id].customer_id]
            groups[customer.country or UNKNOWN].append(sale_id)
        return [
            [
                country,
                str(self._worth(sold)),
                len(sold),
                len({self.sales[each].customer_id for each in sold}),
            ]
            for country, sold in sorted(groups.items())
        ]

    def top_products(self) -> list[list[Any]]:
        """Return rank, id, category, rank in it, worth, sales, pieces, buyers."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for sale_id in self.amounts:
            groups[self.sales[sale_id].product_id].append(sale_id)
        worth = {product: self._worth(sold) for product, sold in groups.items()}
        kind = {product: self.products[product].category for product in groups}
        return [
            [
                1 + sum(other > worth[product] for other in worth.values()),
                product,
                kind[product],
                1
                + sum(
                    worth[other] > worth[product]
                    for other in groups
                    if kind[other] == kind[product]
                ),
                str(worth[product]),
                len(groups[product]),
                sum(self.sales[each].quantity for each in groups[product]),
                len({self.sales[each].customer_id for each in groups[product]}),
            ]
            for product in sorted(groups, key=lambda each: (-worth[each], each))
        ]

    def activity(self) -> list[list[Any]]:
        """Return customer, sales, pieces, products, spent, first and last day."""
        found = []
        for customer_id in sorted(self.customers):
            bought = [
                each
                for each in self.amounts
                if self.sales[each].customer_id == customer_id
            ]
            days = [self.sales[each].sale_date for each in bought]
            found.append(
                [
                    customer_id,
                    len(bought),
                    sum(self.sales[each].quantity for each in bought),
                    len({self.sales[each].product_id for each in bought}),
                    str(self._worth(bought)),
                    min(days).isoformat() if days else None,
                    max(days).isoformat() if days else None,
                ]
            )
        return found

    def _worth(self, sales: list[str]) -> Decimal:
        return sum((self.amounts[each] for each in sales), Decimal("0.00"))


def figures(landing: Path) -> StorefrontFigures:
    """Work out the figures of the files below landing/raw.

    Of records with the same id the last good one counts, files taken by the date in
    their name, then by name.
    """
    found = StorefrontFigures({}, {}, {})
    for record in _records(landing, "customers"):
        _keep(found, "customers", found.customers, record, _customer)
    for record in _records(landing, "products"):
        _keep(found, "products", found.products, record, _product)
    for record in _records(landing, "sales"):
        _keep(found, "sales", found.sales, record, _sale)
    for sale_id, sale in found.sales.items():
        lacks = [
            name
            for name, known in (
                ("customer", sale.customer_id in found.customers),
                ("product", sale.product_id in found.products),
            )
            if not known
        ]
        if lacks:
            found.orphans[sale_id] = " and ".join(lacks)
        else:
            price = found.products[sale.product_id].price
            found.amounts[sale_id] = sale.quantity * price
    return found


class _RefusedError(Exception):
    """A record breaks a rule, which is the message."""


def _keep(
    found: StorefrontFigures,
    table: str,
    rows: dict[str, Any],
    record: Record,
    read: Callable[[Record], tuple[str, Any, list[str]]],
) -> None:
    try:
        key, row, repaired = read(record)
    except _RefusedError as error:
        found.refused[table, str(error)] += 1
        return
    rows[key] = row
    found.repaired.update((table, column) for column in repaired)


def _records(landing: Path, table: str) -> Iterator[Record]:
    paths = [path for path in (landing / "raw" / table).rglob("*") if path.is_file()]

    def version(path: Path) -> tuple[str, str]:
        day = re.findall(r"\d{4}-\d{2}-\d{2}", path.name)[-1]
        return day, path.name

    for path in sorted(paths, key=version):
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as lines:
                yield from csv.DictReader(lines)
        else:
            yield from read_json(path.read_text())


def read_json(text: str) -> list[Record]:
    """Return the records of a JSON text in any of the three shapes."""

    def load(each: str) -> Any:
        return json.loads(each, parse_float=Decimal)

    try:
        whole = load(text)
    except json.JSONDecodeError:
        return [load(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, list):
        return whole
    if not isinstance(next(iter(whole.values())), dict):
        return [whole]
    labels = dict.fromkeys(label for values in whole.values() for label in values)
    return [
        {name: values[label] for name, values in whole.items() if label in values}
        for label in labels
    ]


def _required(record: Record, name: str) -> str:
    value = record.get(name)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    text = "" if value is None else str(value).strip()
    if not text:
        raise _RefusedError(f"not_null_{name}")
    return text


def title(text: str | None) -> str | None:
    """Write each word with a capital: anne-marie o'NEIL is Anne-Marie O'Neil."""
    made, begins = "", True
    for letter in " ".join((text or "").split()):
        made += letter.upper() if begins else letter.lower()
        begins = not letter.isalnum()
    return made or None


def _customer(record: Record) -> tuple[str, Customer, list[str]]:
    key = _required(record, "customer_id")
    email = _required(record, "email").lower()
    if not _is_email(email):
        raise _RefusedError("email_format")
    raw_name, raw_country = record["name"] or "", record["country"] or ""
    name, country = title(raw_name), raw_country.strip().upper() or None
    repaired = []
    if raw_name != raw_name.strip():
        repaired.append("name: padded")
    if raw_name.strip() != (name or ""):
        repaired.append("name: case")
    if raw_country != (country or ""):
        repaired.append("country")
    if record["email"] != email:
        repaired.append("email")
    return key, Customer(name, country, email), repaired


def _is_email(text: str) -> bool:
    local, at, domain = text.partition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and all(local.split("."))
        and not any(letter.isspace() for letter in text)
        and len(labels) > 1
        and all(label.replace("-", "").isalnum() for label in labels)
        and not any(label[0] == "-" or label[-1] == "-" for label in labels)
    )


def _product(record: Record) -> tuple[str, Product, list[str]]:
    key = _required(record, "product_id")
    raw = Decimal(_required(record, "price"))
    price = raw.quantize(CENT, ROUND_HALF_UP)
    if price <= 0:
        raise _RefusedError("price_above_0")
    if price > 10000:
        raise _RefusedError("price_up_to_10000")
    _required(record, "category")
    category = title(record["category"])
    if category not in CATEGORIES:
        raise _RefusedError("category_known")
    repaired = ["price"] if raw != price else []
    if record["category"] != category:
        repaired.append("category")
    name = " ".join((record["name"] or "").split()) or None
    return key, Product(name, category, price), repaired


def _sale(record: Record) -> tuple[str, Sale, list[str]]:
    key = _required(record, "sale_id")
    customer_id = _required(record, "customer_id")
    product_id = _required(record, "product_id")
    quantity = Decimal(_required(record, "quantity"))
    if not 1 <= quantity <= 100:
        raise _RefusedError("quantity_1_to_100")
    if quantity != quantity.to_integral_value():
        raise _RefusedError("quantity_whole")
    _required(record, "sale_date")
    try:
        sold_on = _day(record["sale_date"])
    except ValueError:
        raise _RefusedError("not_null_sale_date") from None
    return key, Sale(customer_id, product_id, int(quantity), sold_on), []


def _day(value: Any) -> date:
    if isinstance(value, str):
        told = datetime.fromisoformat(value)
        return told.astimezone(UTC).date() if told.tzinfo else told.date()
    return datetime.fromtimestamp(int(value) / 1000, UTC).date()
