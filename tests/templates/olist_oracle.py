"""The figures of the olist template, worked out without a database.

Reads the published CSV files with the csv module and counts in Decimal. It shares no
code and no SQL with the template: what both say is unlikely to be wrong.
"""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import median
from typing import Any

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
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
class SellerFigures:
    """One seller with a sale: a row of seller_performance."""

    orders: int
    item_count: int
    price_value: Decimal
    freight_value: Decimal
    delivered_orders: int
    late_orders: int
    reviewed_orders: int
    average_review_score: Decimal | None


@dataclass(frozen=True)
class ZipFigures:
    """One zip prefix: a row of dim_zip_prefixes."""

    city: str
    state: str
    latitude: Decimal
    longitude: Decimal
    point_count: int
    state_count: int


@dataclass(frozen=True)
class RfmFigures:
    """One person with an order: a row of rfm_segments."""

    recency_days: int
    scores: tuple[int, int, int]
    segment: str


@dataclass(frozen=True)
class OlistFigures:
    """What gold must say about a folder of published files. Money is in BRL.

    `delivered` counts orders with a time of delivery, `late` those of them delivered on
    a day after the promised one. `reviewed` counts orders with a review,
    `review_score_sum` adds up the latest answer of each. `days_late` has the orders of
    `late`, in days after the promised one.
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
    sellers: dict[str, SellerFigures]
    days_late: dict[str, int]
    zip_prefixes: dict[str, ZipFigures]

    @property
    def repeat_customers(self) -> dict[str, CustomerFigures]:
        """People with two orders or more: the rows of repeat_customers."""
        return {who: row for who, row in self.activity.items() if row.orders > 1}

    @property
    def rfm(self) -> dict[str, RfmFigures]:
        """Everybody's place among all: the rows of rfm_segments."""
        people = self.activity
        newest = max(row.last_order_at.date() for row in people.values())
        recency = _fifths(
            {who: row.last_order_at.date() for who, row in people.items()}
        )
        frequency = _fifths({who: row.orders for who, row in people.items()})
        monetary = _fifths({who: row.order_value for who, row in people.items()})
        found = {}
        for who, row in people.items():
            scores = (recency[who], frequency[who], monetary[who])
            days = (newest - row.last_order_at.date()).days
            found[who] = RfmFigures(days, scores, _segment(*scores))
        return found

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
    days_late: int | None
    review_score: int | None

    @property
    def is_late(self) -> bool | None:
        return None if self.days_late is None else self.days_late > 0

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
    scores = [order.review_score for order in orders if order.review_score is not None]
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
        sellers=_sellers(orders, list(items.values())),
        days_late={
            each.order_id: each.days_late or 0 for each in orders if each.is_late
        },
        zip_prefixes=_zip_prefixes(directory),
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
    scores = _scores(directory)
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
            days_late=_days_late(row),
            review_score=scores.get(order_id),
        )


def _sums(rows: dict[tuple[str, ...], Row], column: str) -> defaultdict[str, Decimal]:
    """Add up a column by order."""
    sums: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows.values():
        sums[row["order_id"]] += Decimal(row[column]).quantize(CENT, ROUND_HALF_UP)
    return sums


def _days_late(row: Row) -> int | None:
    delivered = row["order_delivered_customer_date"]
    estimated = row["order_estimated_delivery_date"]
    if not delivered or not estimated:
        return None
    delivered_on = datetime.fromisoformat(delivered).date()
    return (delivered_on - datetime.fromisoformat(estimated).date()).days


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


def _sellers(orders: list[_Order], items: list[Row]) -> dict[str, SellerFigures]:
    order_of = {order.order_id: order for order in orders}
    sold: defaultdict[str, list[Row]] = defaultdict(list)
    for row in items:
        sold[row["seller_id"]].append(row)
    found = {}
    for seller, rows in sold.items():
        ids = {row["order_id"] for row in rows}
        known = [order_of[each] for each in ids if each in order_of]
        scores = [each.review_score for each in known if each.review_score is not None]
        found[seller] = SellerFigures(
            orders=len(ids),
            item_count=len(rows),
            price_value=sum((Decimal(row["price"]) for row in rows), ZERO),
            freight_value=sum((Decimal(row["freight_value"]) for row in rows), ZERO),
            delivered_orders=sum(each.is_late is not None for each in known),
            late_orders=sum(bool(each.is_late) for each in known),
            reviewed_orders=len(scores),
            average_review_score=(Decimal(sum(scores)) / len(scores)).quantize(
                CENT, ROUND_HALF_UP
            )
            if scores
            else None,
        )
    return found


def _zip_prefixes(directory: Path) -> dict[str, ZipFigures]:
    """Find one place of each prefix: the middle of its points, the name of most."""
    points: dict[tuple[str, Decimal, Decimal], tuple[str, str]] = {}
    for row in _rows(directory, "olist_geolocation_dataset"):
        latitude, longitude = (
            Decimal(row[f"geolocation_{name}"]).quantize(MICRO, ROUND_HALF_UP)
            for name in ("lat", "lng")
        )
        place = (row["geolocation_city"].lower(), row["geolocation_state"].upper())
        prefix = row["geolocation_zip_code_prefix"].zfill(5)
        points[prefix, latitude, longitude] = place
    of_prefix: defaultdict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    places: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for (prefix, latitude, longitude), place in points.items():
        of_prefix[prefix].append((latitude, longitude))
        places[prefix][place] += 1
    found = {}
    for prefix, measured in of_prefix.items():
        named = places[prefix]
        city, state = min(named, key=lambda place: (-named[place], place))
        found[prefix] = ZipFigures(
            city=city,
            state=state,
            latitude=median(latitude for latitude, _ in measured),
            longitude=median(longitude for _, longitude in measured),
            point_count=len(measured),
            state_count=len({state for _, state in named}),
        )
    return found


def _fifths(values: dict[str, Any]) -> dict[str, int]:
    """Score each by how many have less: 1 to 5, equals alike."""
    in_order = sorted(values.values())
    return {
        who: 1 + 5 * bisect_left(in_order, value) // len(in_order)
        for who, value in values.items()
    }


def _segment(recency: int, frequency: int, monetary: int) -> str:
    if frequency >= 4:
        if recency >= 4:
            return "champions"
        return "loyal" if recency == 3 else "at risk"
    if monetary == 5 and recency >= 3:
        return "big spenders"
    if recency >= 4:
        return "recent"
    return "fading" if recency == 3 else "lost"
