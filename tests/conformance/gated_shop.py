"""A project with one silver model whose row rules, and one pipe, a test chooses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from small_shop import columns

from shop import Shop
from snowmelt.clock import Clock, SystemClock
from snowmelt.events import Event, Events
from snowmelt.project.new import make_project
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened

NAMES = ("id", "status", "amount", "email", "sold_on", "paid", "shipped_on")
PIPE = {
    "name": "orders",
    "pattern": "orders*.csv",
    "on_error": "continue",
    "contract": columns(
        "id varchar, status varchar, amount decimal(10,2), email varchar, "
        "sold_on date, paid boolean, shipped_on date"
    ),
}
MODEL = """
{{ config(materialized='latest_version', unique_key='id') }}
select nullif(id, '') as id, status, amount, email, sold_on, paid, shipped_on,
    _file, _file_row, _load_seq, _version_at
from {{ snowmelt.stream('bronze', 'orders') }}
-- a comment may end it
"""
TOTALS = """
{{ config(materialized='affected_keys', unique_key='status') }}
with {% call snowmelt.affected() %}
    select status from {{ snowmelt.stream(ref('orders')) }}
{% endcall %}
orders as (
    select * from {{ ref('orders') }} where {{ snowmelt.is_affected('status') }}
)
select status, count(*) as orders, sum(amount) as amount
from orders where status is not null group by status
"""


@dataclass
class GatedShop:
    """The project, and what can be asked of it while it is open."""

    shop: Shop
    loop: Loop
    commands: OwnCommands
    told: list[Event]

    def land(self, name: str, *rows: str) -> None:
        """Put a file in; a row that is short is filled up with empty fields."""
        full = [row + "," * (len(NAMES) - 1 - row.count(",")) for row in rows]
        text = "\n".join([",".join(NAMES), *full, ""])
        self.shop.land_bytes(name, text.encode())

    def run(self) -> dict[str, Any]:
        """Load and publish; return the run."""
        run: dict[str, Any] = self.commands.run(None)["run"]
        return run

    def rows(self, sql: str) -> list[Any]:
        return [tuple(row) for row in self.commands.query(sql, None)["rows"]]

    def ids(self) -> str:
        """Return the ids in silver."""
        return " ".join(
            row[0] for row in self.rows("select id from silver.orders order by 1")
        )

    def refused(self) -> list[Any]:
        """Return what is in quarantine."""
        return self.rows(
            "select rule, on_failure, _file, _file_row "
            'from quarantine."silver__orders" order by _file, _file_row'
        )


def write_rules(
    root: Path, rules: object, tests: dict[str, list[Any]] | None = None
) -> None:
    """Write the rules of the model, and tests of its columns."""
    model: dict[str, Any] = {"name": "orders", "config": {"meta": {"rules": rules}}}
    model["columns"] = [
        {"name": name, "data_tests": found} for name, found in (tests or {}).items()
    ]
    (root / "models/silver/_silver.yml").write_text(
        yaml.safe_dump({"models": [model]}, sort_keys=False)
    )


@contextmanager
def gated_shop(
    root: Path,
    rules: object,
    model: str = MODEL,
    *,
    totals: bool = False,
    clock: Clock | None = None,
) -> Iterator[GatedShop]:
    """Make the project, or make it again with other rules, and open it."""
    if not root.exists():
        make_project(root, "blank")
    (root / "pipes/orders.yml").write_text(yaml.safe_dump(PIPE))
    (root / "models/silver/orders.sql").write_text(model)
    if totals:
        (root / "models/gold/totals.sql").write_text(TOTALS)
    write_rules(root, rules)
    events = Events()
    told: list[Event] = []
    events.subscribe(told.append)
    with opened(load_project(root), clock or SystemClock(), events) as parts:
        loop = Loop(parts)
        try:
            yield GatedShop(Shop(root), loop, OwnCommands(loop, serving=False), told)
        finally:
            loop.close()
