"""The figures of the realtime template, worked out without a database.

Reads the files with the csv module and counts in Decimal. It shares no code and no SQL
with the template: what both say is unlikely to be wrong.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

CENT = Decimal("0.01")
TYPES = {"signup", "profile", "visit", "order", "cancel"}
UNKNOWN = "UNKNOWN"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = (
    *("event_id", "event_at", "event_type", "user_id", "name", "email", "region"),
    *("order_id", "amount"),
)

Record = dict[str, str | None]


@dataclass(frozen=True)
class UserEvent:
    """A row of user_events."""

    event_id: str
    user_id: str
    order_id: str | None
    kind: str
    name: str | None
    email: str | None
    region: str | None
    amount: Decimal | None
    at: datetime

    @property
    def place(self) -> tuple[datetime, str]:
        """Return what puts the events of a user or an order in line."""
        return self.at, self.event_id

    def row(self) -> list[Any]:
        """Return it as a query shows it."""
        amount = None if self.amount is None else str(self.amount)
        return [
            *(self.event_id, self.user_id, self.order_id, self.kind, self.name),
            *(self.email, self.region, amount, told(self.at)),
        ]


@dataclass(frozen=True)
class Order:
    """A row of fact_orders."""

    user_id: str
    region: str
    stands: bool
    ordered_at: datetime
    changed_at: datetime
    amount: Decimal

    @property
    def revenue(self) -> Decimal:
        """Return what it brings."""
        return self.amount if self.stands else Decimal("0.00")


@dataclass
class RealtimeFigures:
    """What silver and gold must say about a folder of files. Money is in EUR.

    `refused` counts records by rule, `rejected` those that the contract refuses,
    `repaired` those that are good only once they are put right, by column.
    """

    events: dict[str, UserEvent] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    by_user: dict[str, list[UserEvent]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def settle(self) -> None:
        """Work out users and orders, once all events are there."""
        self.by_user, self.orders = {}, {}
        in_line = sorted(self.events.values(), key=lambda each: each.place)
        of_order: defaultdict[str, list[UserEvent]] = defaultdict(list)
        for each in in_line:
            self.by_user.setdefault(each.user_id, []).append(each)
            if each.order_id is not None:
                of_order[each.order_id].append(each)
        for order_id, events in of_order.items():
            placed = [each for each in events if each.kind == "order"]
            if not placed:
                continue
            buyer, amount = placed[-1].user_id, placed[-1].amount
            assert amount is not None
            region = last(each.region for each in placed)
            region = region or last(each.region for each in self.by_user[buyer])
            self.orders[order_id] = Order(
                buyer,
                region or UNKNOWN,
                events[-1].kind == "order",
                placed[0].at,
                events[-1].at,
                amount,
            )

    def customers(self) -> list[list[Any]]:
        """Return user, name, email, region, signed up, first seen."""
        return [
            [
                user_id,
                last(each.name for each in events),
                last(each.email for each in events),
                last(each.region for each in events),
                next((told(each.at) for each in events if each.kind == "signup"), None),
                told(events[0].at),
            ]
            for user_id, events in sorted(self.by_user.items())
        ]

    def fact_orders(self) -> list[list[Any]]:
        """Return order, user, region, status, times, amount, revenue."""
        return [
            [
                *(order_id, each.user_id, each.region),
                "placed" if each.stands else "cancelled",
                *(told(each.ordered_at), told(each.changed_at)),
                *(str(each.amount), str(each.revenue)),
            ]
            for order_id, each in sorted(self.orders.items())
        ]

    def by_month(self) -> list[list[Any]]:
        """Return month, revenue, orders, cancelled, average, active, new users."""
        active: defaultdict[date, set[str]] = defaultdict(set)
        new: Counter[date] = Counter()
        for user_id, events in self.by_user.items():
            new[month(events[0].at)] += 1
            for each in events:
                active[month(each.at)].add(user_id)
        found = []
        for start, users in sorted(active.items()):
            orders = [o for o in self.orders.values() if month(o.ordered_at) == start]
            standing = sum(order.stands for order in orders)
            revenue = worth(orders)
            average = (
                (revenue / standing).quantize(CENT, ROUND_HALF_UP) if standing else None
            )
            found.append(
                [
                    *(
                        start.isoformat(),
                        str(revenue),
                        standing,
                        len(orders) - standing,
                    ),
                    None if average is None else str(average),
                    *(len(users), new[start]),
                ]
            )
        return found

    def by_region(self) -> list[list[Any]]:
        """Return region, revenue, orders, cancelled, customers."""
        groups: defaultdict[str, list[Order]] = defaultdict(list)
        for order in self.orders.values():
            groups[order.region].append(order)
        return [
            [
                *(region, str(worth(orders)), sum(each.stands for each in orders)),
                sum(not each.stands for each in orders),
                len({each.user_id for each in orders if each.stands}),
            ]
            for region, orders in sorted(groups.items())
        ]

    def activity(self) -> list[list[Any]]:
        """Return user, events, visits, days, orders, spent, first, last, last order."""
        found = []
        for user_id, events in sorted(self.by_user.items()):
            bought = [
                order
                for order in self.orders.values()
                if order.user_id == user_id and order.stands
            ]
            last_order = max((order.ordered_at for order in bought), default=None)
            found.append(
                [
                    *(user_id, len(events)),
                    sum(each.kind == "visit" for each in events),
                    len({each.at.date() for each in events}),
                    *(len(bought), str(worth(bought))),
                    *(told(events[0].at), told(events[-1].at)),
                    None if last_order is None else told(last_order),
                ]
            )
        return found

    def days(self) -> list[list[Any]]:
        """Return user, day, events, visits."""
        counted: Counter[tuple[str, date]] = Counter()
        visits: Counter[tuple[str, date]] = Counter()
        for each in self.events.values():
            counted[each.user_id, each.at.date()] += 1
            visits[each.user_id, each.at.date()] += each.kind == "visit"
        return [
            [user_id, day.isoformat(), number, visits[user_id, day]]
            for (user_id, day), number in sorted(counted.items())
        ]


def told(moment: datetime) -> str:
    """Write a moment as a query shows it."""
    return moment.replace(tzinfo=None).isoformat()


def month(moment: datetime) -> date:
    """Return the first day of the month of a moment."""
    return moment.date().replace(day=1)


def worth(orders: Iterable[Order]) -> Decimal:
    """Add up what orders bring."""
    return sum((order.revenue for order in orders), Decimal("0.00"))


def last(values: Iterable[str | None]) -> str | None:
    """Return the last value that is one."""
    found = [value for value in values if value is not None]
    return found[-1] if found else None


def figures(landing: Path, now: datetime) -> RealtimeFigures:
    """Work out the figures of the CSV files below a folder, loaded at `now`.

    Of records with the same id the last good one counts, files taken by name, which
    begins with their time.
    """
    found = RealtimeFigures()
    paths = sorted(landing.rglob("*.csv"), key=_version)
    for path in paths:
        for record in read(path.read_text(encoding="utf-8")):
            add(found, record, now)
    found.settle()
    return found


def _version(path: Path) -> tuple[str, str]:
    digits = re.findall(r"\d{4}-?\d{2}-?\d{2}T\d{2}-?\d{2}-?\d{2}", str(path))
    return digits[-1] if digits else "", str(path)


def read(text: str) -> Iterator[Record]:
    """Yield the records of a CSV text; one that is cut off lacks columns."""
    yield from csv.DictReader(text.splitlines(keepends=True), restval="\0")


class _RefusedError(Exception):
    """A record breaks a rule, which is the message."""


def add(found: RealtimeFigures, record: Record, now: datetime) -> None:
    """Take one record in."""
    if "\0" in record.values():
        found.rejected += 1
        return
    try:
        given = record.get("amount")
        amount = Decimal(given) if given else None
    except InvalidOperation:
        found.rejected += 1
        return
    try:
        event, repaired = _event(record, amount, now)
    except _RefusedError as error:
        found.refused[str(error)] += 1
        return
    found.events[event.event_id] = event
    found.repaired.update(repaired)


def _event(
    record: Record, raw_amount: Decimal | None, now: datetime
) -> tuple[UserEvent, list[str]]:
    event_id = _required(record, "event_id")
    user_id = _required(record, "user_id")
    at = _moment(record.get("event_at") or "")
    if at is None:
        raise _RefusedError("not_null_event_at")
    if at > now + timedelta(hours=1):
        raise _RefusedError("event_at_not_in_the_future")
    raw_kind = record.get("event_type") or ""
    kind = "".join(letter for letter in raw_kind.lower() if "a" <= letter <= "z")
    if not kind:
        raise _RefusedError("not_null_event_type")
    if kind not in TYPES:
        raise _RefusedError("event_type_known")
    email = (record.get("email") or "").strip().lower() or None
    if email is not None and not _is_email(email):
        raise _RefusedError("email_format")
    order_id, amount = _order(record, kind, raw_amount)
    name = " ".join((record.get("name") or "").split()) or None
    region = " ".join((record.get("region") or "").split()).upper() or None
    event = UserEvent(
        event_id, user_id, order_id, kind, name, email, region, amount, at
    )
    time = record["event_at"] or ""
    repairs = {
        "name": (record.get("name") or None) != name,
        "email": (record.get("email") or None) != email,
        "region": (record.get("region") or None) != region,
        "event_type": raw_kind != kind,
        "event_at: epoch": time.isdigit(),
        "event_at: offset": "+" in time,
        "amount": kind == "order" and raw_amount != amount,
        "order": kind not in ("order", "cancel") and bool(record.get("order_id")),
    }
    return event, [column for column, is_repaired in repairs.items() if is_repaired]


def _order(
    record: Record, kind: str, raw: Decimal | None
) -> tuple[str | None, Decimal | None]:
    """Return number and amount, where the event is one of an order."""
    if kind not in ("order", "cancel"):
        return None, None
    order_id = (record.get("order_id") or "").strip()
    if not order_id:
        raise _RefusedError("order_has_id")
    if kind == "cancel":
        return order_id, None
    if raw is None:
        raise _RefusedError("order_has_amount")
    amount = raw.quantize(CENT, ROUND_HALF_UP)
    if amount <= 0:
        raise _RefusedError("amount_above_0")
    if amount > 1_000_000:
        raise _RefusedError("amount_up_to_1000000")
    return order_id, amount


def _required(record: Record, name: str) -> str:
    text = (record.get(name) or "").strip()
    if not text:
        raise _RefusedError(f"not_null_{name}")
    return text


def _moment(text: str) -> datetime | None:
    text = text.strip()
    if re.fullmatch(r"\d{12,13}", text):
        return EPOCH + timedelta(milliseconds=int(text))
    if re.fullmatch(r"\d{9,10}", text):
        return EPOCH + timedelta(seconds=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_email(text: str) -> bool:
    local, _, domain = text.partition("@")
    labels = domain.split(".")
    return (
        all(local.split("."))
        and not any(letter.isspace() for letter in text)
        and len(labels) > 1
        and all(label.replace("-", "").isalnum() for label in labels)
    )
