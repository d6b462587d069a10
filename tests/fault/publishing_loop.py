"""Publishes one run after another until it is killed: for tests that kill it.

Accounts hold amounts whose sum is nothing, and the table of totals says what they come
to, weighed by their number: a reader of half a run sees that they differ.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from published_gold import Gold, opened_gold

ACCOUNTS = 300
SUMS = (
    "select count(*), sum(amount), "
    "sum(amount * id) - (select weighed from {0}.totals), "
    "(select count(*) from {0}.totals) from {0}.accounts"
)
"""What a reader asks: of a whole run it is always (ACCOUNTS, 0, 0, 1)."""


def make_accounts(gold: Gold) -> None:
    """Begin with nothing on every account."""
    gold.sql(
        "create table if not exists gold.accounts as select range as id, "
        f"0::bigint as amount from range({ACCOUNTS})",
        "create table if not exists gold.totals as select 1 as one, "
        "0::bigint as weighed, 0::bigint as run",
    )


def refresh(gold: Gold, chance: random.Random) -> None:
    """Move amounts between accounts, of a few or of all, and publish that."""
    moved = chance.choice([2, 2, 10, ACCOUNTS])
    first = chance.randrange(ACCOUNTS)
    with gold.warehouse.session() as session, session.transaction():
        session.execute(
            "update gold.accounts set amount = amount + case when "
            "(id - $1) % 2 = 0 then $2 else -$2 end "
            "where (id - $1 + $3) % $3 < $4",
            [first, chance.randrange(1, 99), ACCOUNTS, moved],
        )
        session.execute(
            "update gold.totals set run = run + 1, weighed = "
            "(select sum(amount * id) from gold.accounts)"
        )
    gold.publish(
        gold.table("accounts", key=("id",)), gold.table("totals", key=("one",))
    )


def main() -> None:
    """Publish for ever; say each time that it was done."""
    folder, dsn, seed = sys.argv[1:]
    chance = random.Random(seed)
    with opened_gold(Path(folder), dsn) as gold:
        make_accounts(gold)
        while True:
            refresh(gold, chance)
            sys.stdout.write("published\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
