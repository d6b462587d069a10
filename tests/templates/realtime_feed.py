"""What tests of the realtime template share: feeds, comparing figures."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial
from typing import Any

from asking import ask, equals_a_rebuild, quarantine_of, refused_in
from realtime_oracle import RealtimeFigures

from snowmelt.service.commands import OwnCommands
from snowmelt.synth.realtime import Feed

TABLES = 7

audited = partial(equals_a_rebuild, tables=TABLES + 1)
quarantined = partial(quarantine_of, models=["user_events"])

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Before any load of a test, and after every event that is not of the future."""

HEADER = "event_id,event_at,event_type,user_id,name,email,region,order_id,amount\n"


def feed(seconds: int, **options: Any) -> Feed:
    """Return a feed in which a day passes each second."""
    given: dict[str, Any] = {"rate": Fraction(4), "pace": Fraction(86400)} | options
    return Feed(seconds=Fraction(seconds), **given)


def refused(commands: OwnCommands) -> Counter[str]:
    """Count the rows in quarantine by rule."""
    found = refused_in(commands, models=["user_events"]).items()
    return Counter({rule: count for (_, rule), count in found})


def compare(commands: OwnCommands, expected: RealtimeFigures) -> None:
    """Assert that silver, quarantine and gold say what the oracle says."""
    asked = {
        "select event_id, user_id, order_id, event_type, name, email, region, amount, "
        "event_at from silver.user_events order by event_id": [
            each.row() for _, each in sorted(expected.events.items())
        ],
        "select user_id, name, email, region, signed_up_at, first_seen_at "
        "from gold.dim_customer order by user_id": expected.customers(),
        "select order_id, user_id, region, status, ordered_at, changed_at, amount, "
        "revenue from gold.fact_orders order by order_id": expected.fact_orders(),
        "select month, total_revenue, orders, cancelled_orders, average_order_value, "
        "monthly_active_users, new_users from gold.monthly_metrics "
        "order by month": expected.by_month(),
        "select region, total_revenue, orders, cancelled_orders, customers "
        "from gold.orders_by_region order by region": expected.by_region(),
        "select user_id, events, visits, active_days, orders, total_spent, "
        "first_seen_at, last_seen_at, last_order_at from gold.user_activity "
        "order by user_id": expected.activity(),
        "select user_id, day, events, visits from gold.user_days "
        "order by user_id, day": expected.days(),
    }
    for sql, rows in asked.items():
        assert ask(commands, sql) == rows, sql
    assert refused(commands) == expected.refused
