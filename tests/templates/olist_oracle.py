"""The figures of the olist template, worked out without a database.

Reads the published CSV files with the csv module and counts in Decimal. It shares no
code and no SQL with the template: what both say is unlikely to be wrong.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
UNKNOWN = "unknown"

Row = dict[str, str]


@dataclass(frozen=True)
class MonthFigures:
    """One month of purchase: a row of monthly_metrics."""

    orders: int
    order_value: Decimal
    payment_value: Decimal
    average_order_value: Decimal
    active_customers: int
    new_customers: int


@dataclass(frozen=True)
class CategoryFigures:
    """One product category: a row of category_sales."""

    item_count: int
    orders: int
    price_value: Decimal


@dataclass(frozen=True)
class StateFigures:
    """One month and customer state: a row of orders_by_state."""

    orders: int
    order_value: Decimal


@dataclass(frozen=True)
class CustomerFigures:
    """One person with an order: a row of customer_activity."""

    orders: int
    order_value: Decimal
    first_order_at: datetime
    last_order_at: datetime
    days_between: int


@dataclass(frozen=True)
class OlistFigures:
    """What gold must say about a folder of published files. Money is in BRL.

    `delivered` counts orders with a time of delivery, `late` those of them delivered on
    a day after the promised one. `reviewed` counts orders with a review,
    `review_score_sum` adds up the latest answer of each.
    """

    orders: int
    order_items: int
    customers: int
    price_value: Decimal
    freight_value: Decimal
    payment_value: Decimal
    delivered: int
    late: int
    reviewed: int
    review_score_sum: int
    months: dict[date, MonthFigures]
    categories: dict[str, CategoryFigures]
    states: dict[tuple[date, str], StateFigures]
    activity: dict[str, CustomerFigures]

    @property
    def order_value(self) -> Decimal:
        """Prices and freight of all orders."""
        return self.price_value + self.freight_value

    @property
    def late_share(self) -> Decimal | None:
        """Late among delivered orders, or None when none is delivered."""
        return Decimal(self.late) / self.delivered if self.delivered else None

    @property
    def review_score_mean(self) -> Decimal | None:
        """Mean score of the latest answers, or None without a review."""
        return Decimal(self.review_score_sum) / self.reviewed if self.reviewed else None


@dataclass(frozen=True)
class _Order:
    """One order with everything that was found out about it."""

    order_id: str
    purchased_at: datetime
    person: str | None
    state: str
    price_value: Decimal
    freight_value: Decimal
    payment_value: Decimal
    is_late: bool | None

    @property
    def order_value(self) -> Decimal:
        return self.price_value + self.freight_value

    @property
    def month(self) -> date:
        return self.purchased_at.date().replace(day=1)


def figures(directory: Path) -> OlistFigures:
    """Work out the figures of the published files in a folder.

    A file that is absent counts as empty, and one that comes in parts as one. Of rows
    with the same key the last one counts, files taken by name; of the reviews of one
    order, the latest answer.
    """
    items = _keyed(directory, "olist_order_items_dataset", "order_id", "order_item_id")
    orders = list(_orders(directory, items))
    known = {order.order_id for order in orders}
    scores = [
        score for order_id, score in _scores(directory).items() if order_id in known
    ]
    people = _keyed(directory, "olist_customers_dataset", "customer_id").values()
    delivered = [order for order in orders if order.is_late is not None]
    return OlistFigures(
        orders=len(orders),
        order_items=len(items),
        customers=len({row["customer_unique_id"] for row in people}),
        price_value=sum((order.price_value for order in orders), ZERO),
        freight_value=sum((order.freight_value for order in orders), ZERO),
        payment_value=sum((order.payment_value for order in orders), ZERO),
        delivered=len(delivered),
        late=sum(1 for order in delivered if order.is_late),
        reviewed=len(scores),
        review_score_sum=sum(scores),
        months=_months(orders),
        categories=_categories(directory, list(items.values())),
        states=_states(orders),
        activity=_activity(orders),
    )


def _rows(directory: Path, stem: str) -> Iterator[Row]:
    """Yield the rows of one published table, blanks stripped."""
    for path in sorted(directory.glob(f"{stem}*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                yield {name: value.strip() for name, value in row.items()}


def _keyed(directory: Path, stem: str, *key: str) -> dict[tuple[str, ...], Row]:
    """Read one published table; of rows with the same key, the last one counts."""
    return {tuple(row[name] for name in key): row for row in _rows(directory, stem)}


def _orders(directory: Path, items: dict[tuple[str, ...], Row]) -> Iterator[_Order]:
    """Put each order together with its customer, items and payments."""
    customers = _keyed(directory, "olist_customers_dataset", "customer_id")
    payments = _keyed(
        directory, "olist_order_payments_dataset", "order_id", "payment_sequential"
    )
    prices = _sums(items, "price")
    freights = _sums(items, "freight_value")
    paid = _sums(payments, "payment_value")
    for row in _keyed(directory, "olist_orders_dataset", "order_id").values():
        order_id = row["order_id"]
        customer = customers.get((row["customer_id"],))
        yield _Order(
            order_id=order_id,
            purchased_at=datetime.fromisoformat(row["order_purchase_timestamp"]),
            person=customer["customer_unique_id"] if customer else None,
            state=(customer["customer_state"] or UNKNOWN) if customer else UNKNOWN,
            price_value=prices[order_id],
            freight_value=freights[order_id],
            payment_value=paid[order_id],
            is_late=_is_late(row),
        )


def _sums(rows: dict[tuple[str, ...], Row], column: str) -> defaultdict[str, Decimal]:
    """Add up a column by order."""
    sums: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows.values():
        sums[row["order_id"]] += Decimal(row[column]).quantize(CENT, ROUND_HALF_UP)
    return sums


def _is_late(row: Row) -> bool | None:
    delivered = row["order_delivered_customer_date"]
    estimated = row["order_estimated_delivery_date"]
    if not delivered or not estimated:
        return None
    delivered_on = datetime.fromisoformat(delivered).date()
    return delivered_on > datetime.fromisoformat(estimated).date()


def _scores(directory: Path) -> dict[str, int]:
    """Find the score of the latest answer of each order with a review."""
    reviews = _keyed(directory, "olist_order_reviews_dataset", "review_id", "order_id")
    latest: dict[str, tuple[str, int]] = {}
    for row in reviews.values():
        answer = (row["review_answer_timestamp"], int(row["review_score"]))
        before = latest.get(row["order_id"])
        if before is None or before[0] <= answer[0]:
            latest[row["order_id"]] = answer
    return {order_id: score for order_id, (_, score) in latest.items()}


def _months(orders: list[_Order]) -> dict[date, MonthFigures]:
    of_month: defaultdict[date, list[_Order]] = defaultdict(list)
    first_month: dict[str, date] = {}
    for order in sorted(orders, key=lambda order: order.purchased_at):
        of_month[order.month].append(order)
        if order.person is not None:
            first_month.setdefault(order.person, order.month)
    newcomers = list(first_month.values())
    return {
        month: MonthFigures(
            orders=len(group),
            order_value=_value(group),
            payment_value=sum((order.payment_value for order in group), ZERO),
            average_order_value=(_value(group) / len(group)).quantize(
                CENT, ROUND_HALF_UP
            ),
            active_customers=len({order.person for order in group} - {None}),
            new_customers=newcomers.count(month),
        )
        for month, group in of_month.items()
    }


def _categories(directory: Path, items: list[Row]) -> dict[str, CategoryFigures]:
    english = {
        row["product_category_name"]: row["product_category_name_english"]
        for row in _rows(directory, "product_category_name_translation")
    }
    portuguese = {
        row["product_id"]: row["product_category_name"]
        for row in _rows(directory, "olist_products_dataset")
    }
    sold: defaultdict[str, list[Row]] = defaultdict(list)
    for row in items:
        name = portuguese.get(row["product_id"], "")
        sold[english.get(name, name) or UNKNOWN].append(row)
    return {
        category: CategoryFigures(
            item_count=len(rows),
            orders=len({row["order_id"] for row in rows}),
            price_value=sum((Decimal(row["price"]) for row in rows), ZERO),
        )
        for category, rows in sold.items()
    }


def _states(orders: list[_Order]) -> dict[tuple[date, str], StateFigures]:
    groups: defaultdict[tuple[date, str], list[_Order]] = defaultdict(list)
    for order in orders:
        groups[order.month, order.state].append(order)
    return {
        key: StateFigures(orders=len(group), order_value=_value(group))
        for key, group in groups.items()
    }


def _activity(orders: list[_Order]) -> dict[str, CustomerFigures]:
    groups: defaultdict[str, list[_Order]] = defaultdict(list)
    for order in orders:
        if order.person is not None:
            groups[order.person].append(order)
    return {person: _activity_of(group) for person, group in groups.items()}


def _activity_of(orders: list[_Order]) -> CustomerFigures:
    first = min(order.purchased_at for order in orders)
    last = max(order.purchased_at for order in orders)
    return CustomerFigures(
        orders=len(orders),
        order_value=_value(orders),
        first_order_at=first,
        last_order_at=last,
        days_between=(last.date() - first.date()).days,
    )


def _value(orders: list[_Order]) -> Decimal:
    return sum((order.order_value for order in orders), ZERO)
