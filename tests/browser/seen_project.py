"""A project to look at: two pipes, four models, two dashboards, things gone wrong.

Names, cells and titles are what an attacker would choose.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from shop import SNOWMELT
from snowmelt.serve.client import ServiceClient, connect_service

WAIT_SECONDS = 90
EVIL = "<img src=x onerror=alert(1)>"
EVIL_FILE = "orders_<img src=x onerror=alert(1)>.csv"
TOKEN = "a-token-for-programs"
DBT = {
    "name": "seen",
    "version": "1.0.0",
    "profile": "snowmelt",
    "model-paths": ["models"],
    "macro-paths": ["macros"],
    "models": {
        "seen": {
            "+materialized": "table",
            "silver": {"+schema": "silver"},
            "gold": {"+schema": "gold"},
        }
    },
}
COLUMNS = [
    {"name": "order_id", "type": "integer"},
    {"name": "region", "type": "varchar"},
    {"name": "amount", "type": "decimal(12,2)"},
    {"name": "ordered_on", "type": "date"},
]
YAML: dict[str, Any] = {
    "snowmelt.yml": {
        "version": 1,
        "name": "seen",
        "landing": {"settle": "0s"},
        "serve": {"port": 0, "token": TOKEN},
        "warehouse": {"threads": 1},
    },
    "dbt_project.yml": DBT,
    "pipes/orders.yml": {
        "name": "orders",
        "pattern": "orders*.csv",
        "on_error": "continue",
        "contract": {"columns": COLUMNS},
    },
    "pipes/visits.yml": {
        "name": "visits",
        "pattern": "visits*.csv",
        "contract": {"columns": [{"name": "visit_id", "type": "integer"}]},
    },
    "models/schema.yml": {
        "version": 2,
        "models": [
            {
                "name": "orders",
                "columns": [{"name": "order_id", "data_tests": ["unique", "not_null"]}],
            }
        ],
    },
    "dashboards/sales.yml": {
        "title": f"Sales {EVIL}",
        "rows": [
            [
                {
                    "kpi": "Revenue",
                    "value": "revenue",
                    "span": 4,
                    "sql": "select sum(amount) as revenue from {{ ref('by_region') }}",
                },
                {
                    "kpi": "Orders",
                    "value": "orders",
                    "span": 4,
                    "sql": "select sum(orders) as orders from {{ ref('by_region') }}",
                },
            ],
            [
                {
                    "chart": "bar",
                    "title": "Revenue by region",
                    "x": "region",
                    "y": "amount",
                    "span": 6,
                    "sql": "select * from {{ ref('by_region') }} order by region",
                },
                {
                    "chart": "area",
                    "title": "Revenue by day",
                    "x": "ordered_on",
                    "y": "amount",
                    "span": 6,
                    "sql": "select * from {{ ref('by_day') }} order by ordered_on",
                },
            ],
            [
                {
                    "table": "Regions",
                    "sql": "select region, amount, orders, '=1+1' as \"<b>note</b>\" "
                    "from {{ ref('by_region') }} order by region",
                }
            ],
        ],
    },
}
TEXTS = {
    "macros/generate_schema_name.sql": "{% macro generate_schema_name(name, node) -%}"
    "{{ name or target.schema }}{%- endmacro %}",
    "models/silver/orders.sql": "select * from {{ source('bronze', 'orders') }}",
    "models/gold/by_region.sql": "select region, sum(amount) as amount, "
    "count(*) as orders from {{ ref('orders') }} group by region",
    "models/gold/by_day.sql": "select ordered_on, sum(amount) as amount, "
    'count(*) as "<b>orders</b>" '
    "from {{ ref('orders') }} group by ordered_on",
}


def make_seen(root: Path) -> None:
    """Make the project; files lie in its landing folder."""
    for name, content in YAML.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, allow_unicode=True))
    for name, text in TEXTS.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    landing = root / "landing"
    landing.mkdir()
    head = "order_id,region,amount,ordered_on\n"
    lines = [f"{n},r{n % 4},{n}.50,2026-0{1 + n % 9}-01\n" for n in range(1, 60)]
    (landing / "orders_1.csv").write_text(head + "".join(lines))
    evil = f"100,{EVIL},1.00,2026-01-02\n101,{EVIL},{EVIL},2026-01-02\n"
    (landing / EVIL_FILE).write_text(head + evil)


@dataclass
class Served:
    """A service of the project, and how it is reached."""

    root: Path
    url: str
    process: subprocess.Popen[str]

    @contextmanager
    def socket(self) -> Iterator[ServiceClient]:
        """Ask as a command does."""
        with connect_service(self.root / ".snowmelt" / "service.sock") as service:
            assert service is not None
            yield service

    def link(self) -> str:
        """Ask for a start link."""
        with self.socket() as service:
            return str(service.start_link()["link"])

    @contextmanager
    def client(self, *, signed_in: bool = True) -> Iterator[httpx.Client]:
        """Return a browser without a screen."""
        with httpx.Client(base_url=self.url, timeout=60) as client:
            if signed_in:
                assert client.get(self.link()).status_code == 200
            yield client

    def land(self, name: str, text: str) -> None:
        """Put a file in, whole."""
        hidden = self.root / "landing" / ".arriving.tmp"
        hidden.write_text(text)
        hidden.replace(self.root / "landing" / name)


def until(found: Callable[[], Any], what: str) -> None:
    """Wait for something that a service brings about."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.05)


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    """Run the service until the block ends; gold is published before it begins."""
    said = root / "said.txt"
    with said.open("w") as stderr:
        process = subprocess.Popen([SNOWMELT, "up"], cwd=root, stderr=stderr, text=True)
        try:
            until(lambda: "Pages: " in said.read_text(), "no pages")
            first = next(
                line for line in said.read_text().splitlines() if "Pages: " in line
            )
            url = first.split("Pages: ")[1].split("/start")[0]
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
            ) as client:
                until(
                    lambda: client.get("/api/v1/shell").json()["run_id"],
                    "nothing was published",
                )
            yield Served(root, url, process)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
