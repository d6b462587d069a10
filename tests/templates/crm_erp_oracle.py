"""What the crm-erp template must say about a folder of files, worked out without it.

Reads the files with the csv module and counts in Decimal. It shares no code and no SQL
with the template: what both say is unlikely to be wrong.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

CENT = Decimal("0.01")
NA = "n/a"
STEMS = {
    "crm_customers": "cust_info",
    "crm_products": "prd_info",
    "crm_sales": "sales_details",
    "erp_customers": "cust_az12",
    "erp_locations": "loc_a101",
    "erp_categories": "px_cat_g1v2",
}
LINES = {"M": "Mountain", "R": "Road", "S": "Other Sales", "T": "Touring"}
COUNTRIES = {
    "DE": "Germany",
    "GERMANY": "Germany",
    "US": "United States",
    "USA": "United States",
    "UNITED STATES": "United States",
}

Record = dict[str, str]
Row = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """Which record counts: where it stands among those of its key."""

    business: date
    file: datetime
    name: str
    place: int


@dataclass
class CrmErpFigures:
    """Silver by table and key, gold by table, and what became of the records.

    `refused` counts records by table and rule, `rejected` those with text in a number,
    `deduplicated` those that another one stands for, `repaired` what is put right, by
    what is odd about it.
    """

    silver: dict[str, dict[Any, Row]] = field(default_factory=dict)
    gold: dict[str, list[list[Any]]] = field(default_factory=dict)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: int = 0
    deduplicated: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)


class RefusedError(Exception):
    """A record breaks a rule, which is the message."""


class RejectedError(Exception):
    """A record has text where a number belongs."""


def figures(landing: Path) -> CrmErpFigures:
    """Work out the figures of the files below a folder."""
    found = CrmErpFigures()
    for table, read in READERS.items():
        best: dict[Any, tuple[Version, Row]] = {}
        for place, record in _records(landing, STEMS[table]):
            try:
                key, row = read(record, place.file.date())
            except RefusedError as error:
                found.refused[table, str(error)] += 1
                continue
            except RejectedError:
                found.rejected += 1
                continue
            _count_ids(found.repaired, table, record)
            business = row.get("create_date") if table == "crm_customers" else None
            order = Version(business or date.min, place.file, place.name, place.place)
            if key in best:
                found.deduplicated[table] += 1
            if key not in best or _newer(order, best[key][0]):
                best[key] = (order, row)
        found.silver[table] = {key: row for key, (_, row) in best.items()}
        for row in found.silver[table].values():
            found.repaired.update(row["odd"])
    _make_gold(found)
    return found


def _newer(one: Version, other: Version) -> bool:
    return (one.business, one.file, one.name, one.place) > (
        *(other.business, other.file, other.name, other.place),
    )


def _records(landing: Path, stem: str) -> Iterator[tuple[Version, Record]]:
    for path in landing.rglob("*.csv"):
        if not path.name.lower().startswith(stem):
            continue
        days = re.findall(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)", str(path))
        version = (
            datetime.fromisoformat(days[-1]).replace(tzinfo=UTC)
            if days
            else datetime.fromtimestamp(path.stat().st_mtime, UTC)
        )
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for place, record in enumerate(csv.DictReader(lines), 1):
                yield (
                    Version(date.min, version, path.name, place),
                    {name.lower(): value or "" for name, value in record.items()},
                )


# One record at a time.


def _line(text: str) -> str | None:
    return " ".join(text.split()) or None


def _code(text: str) -> str | None:
    return " ".join(text.split()).upper() or None


def _id(text: str) -> str | None:
    return re.sub(r"^(\d+)\.0+$", r"\1", text.strip()) or None


def _customer_number(text: str) -> str | None:
    return (_code(text) or "").replace("-", "").removeprefix("NAS") or None


def _day(text: str) -> date | None:
    text = text.strip()
    if re.fullmatch(r"[12]\d{7}(\.0*)?", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    elif not re.fullmatch(r"[12]\d{3}-\d\d-\d\d([T ]\d\d:.*)?", text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _number(text: str) -> Decimal | None:
    if not text.strip():
        return None
    try:
        return Decimal(text.strip())
    except ArithmeticError:
        raise RejectedError from None


def _required(value: Any, name: str) -> Any:
    if value is None:
        raise RefusedError(f"not_null_{name}")
    return value


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def _gender(text: str) -> str:
    return {"M": "Male", "MALE": "Male", "F": "Female", "FEMALE": "Female"}.get(
        _code(text) or "", NA
    )


def _odd(**quirks: bool) -> list[str]:
    return [name for name, is_odd in quirks.items() if is_odd]


def _is_padded(text: str) -> bool:
    return bool(text.strip()) and text != text.strip()


def _customer(record: Record, _today: date) -> tuple[Any, Row]:
    key = _required(_id(record["cst_id"]), "customer_id")
    status = record["cst_marital_status"]
    first, last = record["cst_firstname"], record["cst_lastname"]
    gender = record["cst_gndr"]
    return key, {
        "customer_number": _customer_number(record["cst_key"]),
        "first_name": _line(first),
        "last_name": _line(last),
        "marital_status": {
            "S": "Single",
            "SINGLE": "Single",
            "M": "Married",
            "MARRIED": "Married",
        }.get(_code(status) or "", NA),
        "gender": _gender(gender),
        "create_date": _day(record["cst_create_date"]),
        "odd": _odd(
            padded_first_names=_is_padded(first),
            padded_last_names=_is_padded(last),
            missing_marital_statuses=not status.strip(),
            odd_marital_statuses=bool(status.strip()) and status not in ("S", "M"),
            odd_crm_genders=_gender(gender) != NA and gender not in ("M", "F"),
        ),
    }


def _product(record: Record, _today: date) -> tuple[Any, Row]:
    key = _required(_id(record["prd_id"]), "product_id")
    code = _code(record["prd_key"]) or ""
    number = _required(code[6:] or None, "product_number")
    cost = _number(record["prd_cost"])
    start, end = _day(record["prd_start_dt"]), _day(record["prd_end_dt"])
    line = record["prd_line"]
    return key, {
        "product_code": code,
        "product_number": number,
        "category_id": code[:5].replace("-", "_"),
        "product_name": _line(record["prd_nm"]),
        "product_line": LINES.get(_code(line) or "", _line(line) or NA),
        "cost": None if cost is None or cost < 0 else _cents(cost),
        "start_date": start,
        "odd": _odd(
            ends_before_start=bool(start and end and end < start),
            padded_product_lines=_is_padded(line),
            missing_product_lines=not line.strip(),
            padded_product_names=_is_padded(record["prd_nm"]),
            missing_costs=cost is None,
            negative_costs=cost is not None and cost < 0,
        ),
    }


def _sale(record: Record, _today: date) -> tuple[Any, Row]:
    sent, quantity, price = (
        _number(record[f"sls_{name}"]) for name in ("sales", "quantity", "price")
    )
    order = _required(_code(record["sls_ord_num"]), "order_number")
    number = _required(_code(record["sls_prd_key"]), "product_number")
    customer = _required(_id(record["sls_cust_id"]), "customer_id")
    pieces = _required(quantity, "quantity")
    if not 1 <= pieces <= 1_000_000:
        raise RefusedError("quantity_1_to_1000000")
    if pieces != int(pieces):
        raise RefusedError("quantity_whole")
    usable = sent if sent and sent > 0 else None
    by_price = _cents(pieces * abs(price)) if price else None
    amount = by_price if by_price is not None else (_cents(usable) if usable else None)
    if amount is None:
        raise RefusedError("amount_or_price")
    if not CENT <= amount <= 1_000_000_000:
        raise RefusedError("amount_above_0")
    if price is not None and price > 0:
        unit = _cents(price)
    elif usable:
        unit = _cents(_cents(usable) / pieces)
    else:
        unit = _cents(abs(price or Decimal(0)))
    if unit < CENT:
        raise RefusedError("price_above_0")
    day, wrong = record["sls_order_dt"], Decimal(0) if sent is None else sent
    return (order, number), {
        "customer_id": customer,
        "order_date": _day(day),
        "ship_date": _day(record["sls_ship_dt"]),
        "due_date": _day(record["sls_due_dt"]),
        "sales_amount": amount,
        "quantity": int(pieces),
        "price": unit,
        "odd": _odd(
            order_dates_0=day == "0",
            order_dates_of_wrong_length=day != "0" and len(day) != 8,
            impossible_order_dates=len(day) == 8 and _day(day) is None,
            ship_dates_0=record["sls_ship_dt"] == "0",
            due_dates_0=record["sls_due_dt"] == "0",
            empty_prices=price is None,
            zero_prices=price == 0,
            negative_prices=price is not None and price < 0,
            empty_sales=sent is None,
            sales_not_above_0=sent is not None and sent <= 0,
            wrong_sales=wrong > 0 and by_price is not None and wrong != by_price,
        ),
    }


def _erp_customer(record: Record, today: date) -> tuple[Any, Row]:
    key = _required(_customer_number(record["cid"]), "customer_number")
    born, gender = _day(record["bdate"]), record["gen"]
    is_future = born is not None and born > today
    return key, {
        "birth_date": None if is_future else born,
        "gender": _gender(gender),
        "odd": _odd(
            future_birth_dates=is_future,
            missing_birth_dates=not record["bdate"].strip(),
            odd_erp_genders=_gender(gender) != NA and gender not in ("Male", "Female"),
        ),
    }


def _location(record: Record, _today: date) -> tuple[Any, Row]:
    key = _required(_customer_number(record["cid"]), "customer_number")
    raw = record["cntry"]
    return key, {
        "country": COUNTRIES.get(_code(raw) or "", _line(raw) or NA),
        "odd": _odd(
            countries_as_de=raw == "DE",
            countries_as_us=raw == "US",
            countries_as_usa=raw == "USA",
            empty_countries=not raw,
            blank_countries=bool(raw) and not raw.strip(),
            padded_countries=_is_padded(raw),
        ),
    }


def _category(record: Record, _today: date) -> tuple[Any, Row]:
    key = _required(_code(record["id"]), "category_id").replace("-", "_")
    names = ("category", "cat"), ("subcategory", "subcat")
    return key, {
        **{name: _line(record[column]) for name, column in names},
        "maintenance": _line(record["maintenance"]),
        "odd": _odd(padded_categories=_is_padded(record["subcat"])),
    }


READERS: dict[str, Callable[[Record, date], tuple[Any, Row]]] = {
    "crm_customers": _customer,
    "crm_products": _product,
    "crm_sales": _sale,
    "erp_customers": _erp_customer,
    "erp_locations": _location,
    "erp_categories": _category,
}


def _count_ids(repaired: Counter[str], table: str, record: Record) -> None:
    if table == "erp_customers":
        repaired["leading_nas"] += record["cid"].startswith("NAS")
    if table == "erp_locations":
        repaired["dashes_in_ids"] += "-" in record["cid"]


# Gold, from silver.


def key_of(*parts: Any) -> str:
    """Return the surrogate key of business keys."""
    text = "|".join(str(part) for part in parts if part is not None)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _rows(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return rows as a query's answer has them, in the order of the first columns."""
    return sorted(([_text(value) for value in row] for row in rows), key=str)


def _make_gold(found: CrmErpFigures) -> None:
    customers = _customers(found)
    versions = _versions(found)
    current = _current(versions)
    facts = _facts(found, versions, current)
    found.gold |= {
        "dim_customers": _rows(customers.values()),
        "dim_products_history": _rows(
            [each[name] for name in HISTORY] for each in versions
        ),
        "dim_products": _rows(
            [each[name] for name in PRODUCTS] for each in current.values()
        ),
        "fact_sales": _rows([fact[name] for name in FACT] for fact in facts),
    }
    _make_reports(found, facts, customers, current)


HISTORY = (
    *("product_version_key", "product_key", "product_number", "product_code"),
    *("product_id", "category_id", "product_name", "category", "subcategory"),
    *("maintenance", "product_line", "cost", "start_date", "end_date", "is_current"),
)
PRODUCTS = (
    *("product_key", "product_number", "product_version_key", "product_code"),
    *("product_id", "category_id", "product_name", "category", "subcategory"),
    *("maintenance", "product_line", "cost", "start_date"),
)
FACT = (
    *("order_number", "product_key", "customer_key", "product_version_key"),
    *("product_number", "customer_id", "order_date", "ship_date", "due_date"),
    *("sales_amount", "quantity", "price"),
)


def _customers(found: CrmErpFigures) -> dict[str, list[Any]]:
    made = {}
    for key, row in found.silver["crm_customers"].items():
        number = row["customer_number"]
        erp = found.silver["erp_customers"].get(number, {})
        place = found.silver["erp_locations"].get(number, {})
        gender = row["gender"]
        if gender == NA:
            gender = erp.get("gender", NA)
            found.repaired["genders_only_in_erp"] += gender != NA
            found.repaired["genders_nowhere"] += gender == NA
        made[key] = [
            *(key_of(key), key, number, row["first_name"], row["last_name"]),
            *(place.get("country", NA), row["marital_status"], gender),
            *(erp.get("birth_date"), row["create_date"]),
        ]
    return made


def _versions(found: CrmErpFigures) -> list[Row]:
    by_code: defaultdict[str, dict[date | None, Row]] = defaultdict(dict)
    ids = sorted(
        found.silver["crm_products"],
        key=lambda each: (each.lstrip("-").isdigit(), int(each), each),
    )
    for key in ids:  # the highest id of a day is put in last
        row = found.silver["crm_products"][key]
        by_code[row["product_code"]][row["start_date"]] = {**row, "product_id": key}
    made = []
    for code, versions in by_code.items():
        starts = sorted(versions, key=lambda day: day or date.min)
        for start, following in zip(starts, [*starts[1:], None], strict=True):
            row = versions[start]
            category = found.silver["erp_categories"].get(row["category_id"], {})
            made.append(
                {
                    **row,
                    "product_version_key": key_of(code, start),
                    "product_key": key_of(row["product_number"]),
                    "category": category.get("category") or NA,
                    "subcategory": category.get("subcategory") or NA,
                    "maintenance": category.get("maintenance") or NA,
                    "end_date": following - timedelta(days=1) if following else None,
                    "is_current": following is None,
                }
            )
    return made


def _latest_first(version: Row) -> tuple[int, str]:
    return -(version["start_date"] or date.min).toordinal(), version["product_code"]


def _current(versions: list[Row]) -> dict[str, Row]:
    made: dict[str, Row] = {}
    for version in sorted(versions, key=_latest_first):
        if version["is_current"]:
            made.setdefault(version["product_number"], version)
    return made


def _facts(
    found: CrmErpFigures, versions: list[Row], current: dict[str, Row]
) -> list[Row]:
    by_number: defaultdict[str, list[Row]] = defaultdict(list)
    for version in sorted(versions, key=_latest_first):
        by_number[version["product_number"]].append(version)
    made = []
    for (order, number), row in found.silver["crm_sales"].items():
        day = row["order_date"]
        started = [
            each
            for each in by_number[number]
            if day is None or each["start_date"] is None or each["start_date"] <= day
        ]
        first = sorted(
            by_number[number],
            key=lambda each: (each["start_date"] or date.min, each["product_code"]),
        )
        version = (started or first or [{}])[0]
        if day is None and number in current:
            assert version is current[number]
        made.append(
            {
                **row,
                "order_number": order,
                "product_number": number,
                "product_key": key_of(number),
                "customer_key": key_of(row["customer_id"]),
                "product_version_key": version.get("product_version_key"),
                "cost": version.get("cost"),
            }
        )
    return made


def _total(facts: list[Row], name: str = "sales_amount") -> Decimal:
    return sum((fact[name] for fact in facts), Decimal("0.00"))


def _distinct(facts: list[Row], name: str) -> int:
    return len({fact[name] for fact in facts})


def _pieces(facts: list[Row]) -> int:
    return sum(fact["quantity"] for fact in facts)


def _span(facts: list[Row]) -> list[date | None]:
    days = [fact["order_date"] for fact in facts if fact["order_date"]]
    return [min(days), max(days)] if days else [None, None]


def _grouped(facts: list[Row], name: str) -> dict[Any, list[Row]]:
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for fact in facts:
        groups[fact[name]].append(fact)
    return groups


def _make_reports(
    found: CrmErpFigures,
    facts: list[Row],
    customers: dict[str, list[Any]],
    current: dict[str, Row],
) -> None:
    months = _grouped(
        [
            {**fact, "month": fact["order_date"].replace(day=1)}
            for fact in facts
            if fact["order_date"]
        ],
        "month",
    )
    found.gold["sales_trends"] = _rows(
        [
            *(month, _total(sold), _distinct(sold, "order_number")),
            *(_distinct(sold, "customer_id"), _pieces(sold)),
        ]
        for month, sold in months.items()
    )
    _make_customer_reports(found, facts, customers)
    _make_product_reports(found, facts, current)


def _make_customer_reports(
    found: CrmErpFigures, facts: list[Row], customers: dict[str, list[Any]]
) -> None:
    bought = _grouped(facts, "customer_id")
    report, lifetime = [], []
    segments: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for key in {*customers, *bought}:
        sold, known = bought.get(key, []), customers.get(key)
        first, last = _span(sold)
        revenue, orders = _total(sold), _distinct(sold, "order_number")
        name = NA
        if known:
            name = " ".join(each for each in known[3:5] if each) or NA
        average = _cents(revenue / orders) if orders else None
        report.append(
            [
                *(key_of(key), key, known[2] if known else None, name),
                *((known[5], known[7]) if known else (NA, NA)),
                *(known is not None, orders, _distinct(sold, "product_number")),
                *(_pieces(sold), revenue, average, first, last),
            ]
        )
        if not sold:
            continue
        between = (
            12 * (last.year - first.year) + last.month - first.month
            if first and last
            else 0
        )
        segment = "New"
        if between >= 12:
            segment = "VIP" if revenue > 5000 else "Regular"
        row = [
            *(key_of(key), key, name, segment, orders, _pieces(sold), revenue),
            *(average, _cents(revenue / (between + 1)), first, last, between),
        ]
        lifetime.append(row)
        segments[segment].append(row)
    found.gold["customer_sales_report"] = _rows(report)
    found.gold["customer_lifetime_value"] = _rows(lifetime)
    found.gold["customer_segments"] = _rows(
        [
            *(segment, len(rows), sum(row[4] for row in rows)),
            sum((row[6] for row in rows), Decimal("0.00")),
            _cents(sum((row[6] for row in rows), Decimal("0.00")) / len(rows)),
        ]
        for segment, rows in segments.items()
    )


def _make_product_reports(
    found: CrmErpFigures, facts: list[Row], current: dict[str, Row]
) -> None:
    performance, profits = [], []
    for number, sold in _grouped(facts, "product_number").items():
        known = current.get(number)
        about = known or {}
        revenue = _total(sold)
        performance.append(
            [
                *(key_of(number), number),
                *(
                    (about.get(name) or NA)
                    for name in (
                        *("product_name", "category", "subcategory", "product_line"),
                    )
                ),
                *(known is not None, _distinct(sold, "order_number")),
                *(_distinct(sold, "customer_id"), _pieces(sold), revenue),
                *(_cents(revenue / _pieces(sold)), *_span(sold)),
            ]
        )
        costed = [fact for fact in sold if fact["cost"] is not None]
        unknown = revenue - _total(costed)
        cost = sum((each["cost"] * each["quantity"] for each in costed), Decimal(0))
        profit = _total(costed) - cost
        profits.append(
            [
                *(key_of(number), number, about.get("product_name") or NA),
                *(about.get("category") or NA, _pieces(sold), revenue, unknown),
                *((cost, profit) if costed else (None, None)),
                _cents(100 * profit / _total(costed)) if costed else None,
            ]
        )
    found.gold["product_performance"] = _rows(performance)
    found.gold["profit_analysis"] = _rows(profits)
