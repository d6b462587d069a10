"""The figures of the retail template, worked out without a database.

Reads the files with the csv, json and gzip modules and with Arrow, and counts in
Decimal. It shares no code and no SQL with the template: what both say is unlikely to be
wrong.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet

CENT = Decimal("0.01")
TYPES = {
    **dict.fromkeys(("R", "REG", "REGULAR"), "Regular"),
    **dict.fromkeys(("P", "PREM", "PREMIUM"), "Premium"),
}
GENDERS = {
    **dict.fromkeys(("M", "MALE"), "Male"),
    **dict.fromkeys(("F", "FEMALE"), "Female"),
}

Record = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """A row of silver.customers."""

    name: str | None
    email: str
    country: str | None
    customer_type: str
    customer_type_given: str | None
    gender: str
    age: int | None
    registration_date: date | None
    total_purchases: Decimal | None


@dataclass(frozen=True)
class Product:
    """A row of silver.products."""

    name: str | None
    category: str | None
    brand: str | None
    is_active: bool | None
    price: Decimal | None
    stock_quantity: int | None
    rating: Decimal | None


@dataclass(frozen=True)
class Transaction:
    """A row of silver.transactions."""

    customer_id: str
    product_id: str
    payment_method: str
    store_type: str
    transaction_at: datetime
    quantity: int | None
    total_amount: Decimal


@dataclass
class RetailFigures:
    """What silver and gold must say about a folder of files. Money is in EUR.

    `refused` counts records by table and rule; `repaired` those that count once they
    are put right, by the name that the maker of data has for it.
    """

    customers: dict[str, Customer] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    repairs: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def repaired(self) -> Counter[str]:
        """Count the repairs of all rows that count."""
        return Counter(each for made in self.repairs.values() for each in made)

    def not_known(self, table: str) -> set[str]:
        """Return the ids that transactions name and `table` has not."""
        if table == "customers":
            named = {each.customer_id for each in self.transactions.values()}
            return named - self.customers.keys()
        named = {each.product_id for each in self.transactions.values()}
        return named - self.products.keys()

    def analysis(self) -> list[list[Any]]:
        """Return daily_sales_analysis: keys, attributes, sums, averages."""
        groups: defaultdict[tuple[str, str, str], list[Transaction]] = defaultdict(list)
        for each in self.transactions.values():
            day = each.transaction_at.date().isoformat()
            groups[day, each.product_id, each.customer_id].append(each)
        found = []
        for (day, product_id, customer_id), sold in sorted(groups.items()):
            product = self.products.get(product_id)
            customer = self.customers.get(customer_id)
            quantity, sales = _sums(sold)
            found.append(
                [
                    *(day, product_id, customer_id),
                    product.name if product else None,
                    (product and product.category) or "Unknown",
                    customer.name if customer else None,
                    customer.customer_type if customer else "Unknown",
                    *(quantity, str(sales), len(sold)),
                    str(half_up(sales / quantity)) if quantity > 0 else None,
                    str(half_up(sales / len(sold))),
                ]
            )
        return found

    def by_day(self) -> list[list[Any]]:
        """Return sales_by_day."""
        groups: defaultdict[tuple[str, str], list[Transaction]] = defaultdict(list)
        for each in self.transactions.values():
            day = each.transaction_at.date().isoformat()
            groups[day, each.store_type].append(each)
        found = []
        for (day, store_type), sold in sorted(groups.items()):
            quantity, sales = _sums(sold)
            customers = {each.customer_id for each in sold if each.customer_id}
            found.append(
                [
                    *(day, store_type, quantity, str(sales), len(sold)),
                    len(customers),
                    str(half_up(sales / len(sold))),
                ]
            )
        return found


def half_up(value: Decimal) -> Decimal:
    """Round to cents."""
    return value.quantize(CENT, ROUND_HALF_UP)


def _sums(sold: list[Transaction]) -> tuple[int, Decimal]:
    quantity = sum(each.quantity or 0 for each in sold)
    return quantity, sum((each.total_amount for each in sold), Decimal("0.00"))


def figures(landing: Path) -> RetailFigures:
    """Work out the figures of the files below landing/raw.

    Of records with the same id the last good one counts, files taken by the date and
    hour in their name, then by name.
    """
    found = RetailFigures()
    for record in records(landing, "customers"):
        _keep(found, "customers", found.customers, record, _customer)
    for record in records(landing, "products"):
        _keep(found, "products", found.products, record, _product)
    for record in records(landing, "transactions"):
        _keep(found, "transactions", found.transactions, record, _transaction)
    return found


class _RefusedError(Exception):
    """A record breaks a rule, which is the message."""


def _keep(
    found: RetailFigures,
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
    found.repairs[table, key] = repaired


def records(landing: Path, table: str) -> Iterator[Record]:
    """Yield every record of a table's files, the file that counts least first."""
    paths = [path for path in (landing / "raw" / table).rglob("*") if path.is_file()]

    def version(path: Path) -> tuple[str, str]:
        stamp = re.findall(r"\d{4}-\d{2}-\d{2}(?:T\d{4})?", path.name)[-1]
        return stamp.ljust(15, "0").replace("T", "0"), path.name

    for path in sorted(paths, key=version):
        yield from read_file(path)


def read_file(path: Path) -> list[Record]:
    """Return the records of a file, told by its name."""
    if path.suffix == ".parquet":
        found: list[Record] = pyarrow.parquet.read_table(path).to_pylist()
        return found
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    text = content.decode("utf-8-sig")
    if ".csv" in path.name:
        return list(csv.DictReader(text.splitlines()))
    array: list[Record] = json.loads(text, parse_float=Decimal)
    return array


def _text(value: Any) -> str | None:
    return " ".join(str(value).split()) or None if value is not None else None


def _id(value: Any) -> str | None:
    text = _text(value)
    return re.sub(r"^(\d+)\.0+$", r"\1", text) if text else None


def _money(value: Any) -> Decimal | None:
    text = _text(value)
    if text is None:
        return None
    four = Decimal(text).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return half_up(four)


def _whole(value: Any) -> int | None:
    text = _text(value)
    if text is None or not re.fullmatch(r"[+-]?\d{1,9}(\.0*)?", text):
        return None
    return int(Decimal(text))


def _not_below_0(value: Any) -> Any:
    return None if value is None else max(value, 0 * value)


def _moment(value: Any) -> datetime | None:
    text = _text(value)
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told.astimezone(UTC).replace(tzinfo=None) if told.tzinfo else told


def _customer(record: Record) -> tuple[str, Customer, list[str]]:
    key = _id(record["customer_id"])
    if key is None:
        raise _RefusedError("not_null_customer_id")
    email = (_text(record["email"]) or "").lower()
    if not email:
        raise _RefusedError("not_null_email")
    if not re.fullmatch(r"[^@\s]+@[a-z0-9-]+(\.[a-z0-9-]+)+", email):
        raise _RefusedError("email_format")
    given, age = record["customer_type"] or None, _whole(record["age"])
    purchases = _money(record["total_purchases"])
    registered = _moment(record["registration_date"])
    row = Customer(
        _text(record["name"]),
        email,
        _text(record["country"]),
        TYPES.get((given or "").strip().upper(), "Unknown"),
        given,
        GENDERS.get((record["gender"] or "").strip().upper(), "Other"),
        age if age is not None and 18 <= age <= 120 else None,
        registered.date() if registered else None,
        _not_below_0(purchases),
    )
    repairs = {
        "unknown_types": row.customer_type == "Unknown",
        "types_respelled": row.customer_type not in ("Unknown", given),
        "other_genders": row.gender == "Other",
        "ages_out_of_range": age is not None and row.age is None,
        "ages_as_floats": "." in (record["age"] or ""),
        "negative_purchases": purchases is not None and purchases < 0,
        "padded_names": record["name"] != (row.name or ""),
        "mixed_case_emails": record["email"] != email,
    }
    return key, row, [name for name, is_made in repairs.items() if is_made]


def _product(record: Record) -> tuple[str, Product, list[str]]:
    key = _id(record["product_id"])
    if key is None:
        raise _RefusedError("not_null_product_id")
    price, stock = record["price"], _whole(record["stock_quantity"])
    rating = record["rating"]
    rating = None if rating is None else Decimal(str(rating))
    is_odd = rating is not None and not 0 <= rating <= 5
    active = _text(record["is_active"])
    row = Product(
        _text(record["name"]),
        _text(record["category"]),
        _text(record["brand"]),
        None if active is None else active.lower() in ("true", "t", "yes", "y", "1"),
        None if price is None else _not_below_0(half_up(Decimal(str(price)))),
        _not_below_0(stock),
        Decimal(0) if is_odd else rating,
    )
    repairs = {
        "negative_prices": price is not None and Decimal(str(price)) < 0,
        "negative_stocks": stock is not None and stock < 0,
        "stocks_as_text": isinstance(record["stock_quantity"], str),
        "ratings_out_of_range": is_odd,
    }
    return key, row, [name for name, is_made in repairs.items() if is_made]


def _transaction(record: Record) -> tuple[str, Transaction, list[str]]:
    key = _id(record["transaction_id"])
    if key is None:
        raise _RefusedError("not_null_transaction_id")
    amount = _money(record["total_amount"])
    if amount is None:
        raise _RefusedError("not_null_total_amount")
    if amount <= 0:
        raise _RefusedError("amount_above_0")
    moment = _moment(record["transaction_date"])
    if moment is None:
        raise _RefusedError("not_null_transaction_at")
    if not 1990 <= moment.year < 2100:
        raise _RefusedError("date_plausible")
    if abs(record["quantity"] or 0) > 1_000_000:
        raise _RefusedError("quantity_plausible")
    row = Transaction(
        _id(record["customer_id"]) or "",
        _id(record["product_id"]) or "",
        (_text(record["payment_method"]) or "unknown").lower(),
        (_text(record["store_type"]) or "unknown").lower(),
        moment,
        record["quantity"],
        amount,
    )
    has_zone = str(record["transaction_date"]).endswith("Z")
    return key, row, ["dates_with_zone"] if has_zone else []
