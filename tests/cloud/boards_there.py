"""Every dashboard of a project, asked of an account: the figures that it has here."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

from shipping import Shipped

from snowmelt.deploy.portable.writing import Value, query_there
from snowmelt.deploy.snowflake import sql
from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import dashboard_names
from snowmelt.service.commands import OwnCommands
from snowmelt.service.documents import plain
from snowmelt.service.targets.questioning import as_here
from snowmelt.trace.carried import tables_in

ROWS_MAX = 10_001
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def compare_boards(shipped: Shipped, commands: OwnCommands) -> tuple[int, list[str]]:
    """Require that each card shows the same; return how many, and those not asked."""
    compared, refused = 0, []
    for name in dashboard_names(shipped.root):
        for card in commands.dashboard(name, None)["cards"]:
            try:
                rows = _asked(shipped, card)
            except ConfigError:
                refused.append(f"{name}: {card['card'].get('table')}")
                continue
            expected = json.loads(json.dumps(card["rows"], default=str))
            assert _rounded(rows) == _rounded(expected), (name, card["sql"])
            compared += 1
    return compared, refused


def _asked(shipped: Shipped, card: dict[str, Any]) -> list[list[Any]]:
    names = {
        key: sql.path(shipped.database, *key.split(".", 1))
        for key in tables_in(card["sql"])
        if not key.startswith("snowmelt.")
    }
    values = [_value(each) for each in card["parameters"]]
    statement = query_there(card["sql"], values, names, ROWS_MAX)
    rows = shipped.account.rows(statement)
    made = [
        [plain(as_here(v, kind)) for v, kind in zip(row, card["types"], strict=True)]
        for row in rows
    ]
    told: list[list[Any]] = json.loads(json.dumps(made, default=str))
    return told


def _value(told: Any) -> Value:
    if isinstance(told, list):
        return tuple(told)
    is_day = _DAY.fullmatch(str(told)) is not None
    return date.fromisoformat(told) if is_day else str(told)


def _rounded(rows: list[list[Any]]) -> list[list[Any]]:
    """Sums of floats in another order differ in their last digits."""
    return [
        [round(value, 6) if isinstance(value, float) else value for value in row]
        for row in rows
    ]
