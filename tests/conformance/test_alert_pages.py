"""What the pages of alerts say is what is on record, and nothing is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_shop import open_shop

from snowmelt.errors import UsageError
from snowmelt.service.commands import OwnCommands

COUNT = 43
PIPE = {
    "name": "orders",
    "pattern": "orders*.csv",
    "contract": {"columns": [{"name": "id", "type": "integer"}]},
}
ALERTS: dict[str, Any] = {
    "sinks": {"ops": {"shell": "true"}},
    "rules": {
        "rejected": {"on": "rejected"},
        "slow": {"sql": "select error('it was asked') as cause"},
    },
    "quiet_hours": {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"},
}
_ALERTS = """
    insert into snowmelt.alerts by name
    select
        format('alert-{:03d}', n) as alert_id, 'rejected' as rule,
        'orders_' || n || '.csv' as cause, 'warning' as severity,
        timestamptz '2026-11-01' + (n // 4) * interval 1 hour as opened_at,
        if(n % 5 = 0, null, timestamptz '2026-11-20') as resolved_at,
        timestamptz '2026-11-20' as last_seen_at, 1 as seen, 'told' as message,
        '{"pipe": "orders", "command": null, "evidence": []}' as details
    from range(43) as numbers(n)
"""
_DELIVERIES = """
    insert into snowmelt.alert_deliveries by name
    select
        n as delivery_id, format('alert-{:03d}', n) as alert_id, 'ops' as sink,
        'opened' as kind, if(n % 3 = 0, 'due', 'sent') as state,
        if(n % 3 = 0, 2, 1) as tries, opened_at as created_at,
        opened_at + interval 1 hour as next_try_at,
        if(n % 3 = 0, 'no route', null) as error
    from (select *, right(alert_id, 3)::integer as n from snowmelt.alerts)
"""


def test_every_alert_and_message_is_on_exactly_one_page(tmp_path: Path) -> None:
    with open_shop(tmp_path, [PIPE], alerts=ALERTS) as shop:
        with shop.parts.warehouse.session() as session:
            session.execute(_ALERTS)
            session.execute(_DELIVERIES)
        asked = OwnCommands(shop.loop, serving=True)
        for state, wanted in (
            (None, range(COUNT)),
            ("open", range(0, COUNT, 5)),
            ("resolved", [n for n in range(COUNT) if n % 5]),
        ):
            seen, before = [], None
            while True:
                board = asked.alert_board("rejected", state, before, 7)
                seen += [each["alert_id"] for each in board["alerts"]]
                before = board["next"]
                if before is None:
                    break
            assert sorted(seen) == [f"alert-{n:03d}" for n in wanted], state
            assert seen == sorted(seen, reverse=True), "newest first"
        numbers: list[int] = []
        place = None
        while True:
            told = asked.deliveries("ops", "due", place, 4)
            numbers += [each["delivery_id"] for each in told["deliveries"]]
            place = told["next"]
            if place is None:
                break
        assert numbers == [n for n in reversed(range(COUNT)) if n % 3 == 0]
        board = asked.alert_board(None, None, None, 5)
        assert board["open_count"] == len(board["open"]) == 9
        assert board["quiet_hours"] == (
            "from 22:00 to 07:00 (Europe/Berlin), except critical"
        )
        rules = {each["rule"]: each for each in board["rules"]}
        assert (rules["rejected"]["open"], rules["slow"]["open"]) == (9, 0)
        assert rules["slow"]["problem"] is None, "a page does not ask a rule"
        (sink,) = board["sinks"]
        assert (sink["due"], sink["error"]) == (15, "no route")
        assert sink["next_try_at"] == "2026-11-01T01:00:00+00:00"
        assert asked.shell()["open_alerts"] == 9
        one = asked.alert("alert-000")
        assert one["alert"]["deliveries"][0]["error"] == "no route"


def test_what_is_no_alert_sink_or_state_is_said(tmp_path: Path) -> None:
    with open_shop(tmp_path, [PIPE], alerts=ALERTS) as shop:
        asked = OwnCommands(shop.loop, serving=True)
        with pytest.raises(UsageError, match="no such alert"):
            asked.alert("nope")
        with pytest.raises(UsageError, match="Known: ops"):
            asked.deliveries("nope", None, None, 5)
        with pytest.raises(UsageError, match="One of: open, resolved"):
            asked.alert_board(None, "odd", None, 5)
        with pytest.raises(UsageError, match="One of: due, sent"):
            asked.deliveries("ops", "odd", None, 5)
