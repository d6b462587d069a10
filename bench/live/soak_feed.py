"""What arrives in a soak: new files and corrections, copies, refused records, drift.

Names come again in turn, so that the rows that count stay as many while files go on to
arrive. Everything is a function of the file's number.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

ORDERS, ITEMS, VISITS = 300, 150, 10
"""How many names of each kind there are; a file of a name that was corrects it."""
RECORDS = 40
DRIFT_EVERY, COPY_EVERY, VISIT_EVERY, CUSTOMERS_EVERY = 40, 25, 120, 20
BAD_EVERY = 100
_KINDS = ("orders", "orders", "items")


@dataclass(frozen=True)
class Arriving:
    """A file to come."""

    name: str
    content: str


def arrivals() -> Iterator[Arriving]:
    """Yield files without an end."""
    number = 0
    last = Arriving("", "")
    while True:
        number += 1
        made = _make(number, last)
        if made.name.startswith("orders"):
            last = made
        yield made


def _make(number: int, last: Arriving) -> Arriving:
    rng = random.Random(number)
    if number % CUSTOMERS_EVERY == 0:
        return _customers(number, rng)
    if number % VISIT_EVERY == 1:
        rows = "".join(f"{i},c{i % 50},{rng.randint(1, 20)}\n" for i in range(RECORDS))
        name = f"visits_{number // VISIT_EVERY % VISITS}.csv"
        return Arriving(name, f"visit_id,customer_id,pages\n{rows}")
    if number % COPY_EVERY == 2 and last.name:
        return Arriving(f"orders_copy_{number % 10}.csv", last.content)
    if _KINDS[number % len(_KINDS)] == "items":
        return _items(number, rng)
    return _orders(number, rng)


def _orders(number: int, rng: random.Random) -> Arriving:
    """Write orders: one record in a hundred is refused, and some files have a column.

    Every so often one has a status that fails the run; the file comes again without it
    at once, as everything under its name does later.
    """
    place = number % ORDERS
    more = number % DRIFT_EVERY == 3
    head = "order_id,customer_id,ship_state,status,amount,ordered_on,updated_at"
    rows = []
    for row in range(RECORDS):
        status = rng.choice(("open", "paid", "sent"))
        amount = "broken" if rng.random() < 0.01 else f"{rng.randint(1, 99_000) / 100}"
        day = f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        rows.append(
            f"o{place}x{row},c{rng.randint(1, 50)},{rng.choice('abcd') * 2},{status},"
            f"{amount},{day},{day} 10:00:00{',x' if more else ''}\n"
        )
    title = f"{head}{',note' if more else ''}\n"
    return Arriving(f"orders_{place}.csv", title + "".join(rows))


def _items(number: int, rng: random.Random) -> Arriving:
    place = number % ITEMS
    rows = (
        {
            "order_id": f"o{rng.randint(1, ORDERS)}x{rng.randint(0, RECORDS - 1)}",
            "line": line,
            "sku": f"{rng.choice('abcdef')}{rng.randint(1, 9)}",
            "quantity": rng.choice((1, 2, 3)),
            "price": rng.randint(1, 9_000) / 100,
        }
        for line in range(place * RECORDS, (place + 1) * RECORDS)
    )
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return Arriving(f"items_{place}.json", text)


def _customers(number: int, rng: random.Random) -> Arriving:
    """Write the newest snapshot of all customers; the one before is superseded."""
    step = number // CUSTOMERS_EVERY
    day = f"{2024 + step // 336}-{step // 28 % 12 + 1:02d}-{step % 28 + 1:02d}"
    rows = "".join(
        f"c{i},{rng.choice('abcd') * 2},{rng.randint(1, 9)}\n" for i in range(1, 51)
    )
    return Arriving(f"customers_{day}.csv", f"customer_id,state,score\n{rows}")


def bad_run() -> tuple[Arriving, Arriving]:
    """Return a file with which a run fails, and the one that corrects it."""
    head = "order_id,customer_id,ship_state,status,amount,ordered_on,updated_at\n"
    row = "obad,c1,aa,{},5,2024-01-01,\n"
    name = "orders_bad.csv"
    return (
        Arriving(name, head + row.format("forbidden")),
        Arriving(name, head + row.format("paid")),
    )
