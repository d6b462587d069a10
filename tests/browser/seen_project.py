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
from seen_operations import ALERTS, FILES, PIPE, STRICT, TASKS, VENDORS
from seen_operations import EVIL as EVIL

from shop import SNOWMELT
from snowmelt.serve.client import ServiceClient, connect_service
from snowmelt.transform.package import write_package

WAIT_SECONDS = 90
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
        "serve": {"port": 0, "token": TOKEN, "sql": "viewers", "sql_timeout": "2s"},
        "warehouse": {"threads": 1},
        "tasks": TASKS,
        "alerts": ALERTS,
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
    "pipes/vendors.yml": PIPE,
    "packages.yml": {"packages": [{"local": "packages/snowmelt"}]},
    "models/schema.yml": {
        "version": 2,
        "models": [
            STRICT,
            {
                "name": "orders",
                "config": {
                    "meta": {
                        "metrics": {
                            "revenue": {
                                "sql": "coalesce(sum(amount), 0)",
                                "format": "$0,0.00",
                                "time": "ordered_on",
                                "good": "up",
                            }
                        }
                    }
                },
                "columns": [{"name": "order_id", "data_tests": ["unique", "not_null"]}],
            },
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
FILTERED = (
    "where {{ filter('region', 'region') }} and {{ filter('period', 'ordered_on') }}"
)
OF_ORDERS = "from {{ ref('orders') }}"
YAML["dashboards/regions.yml"] = {
    "title": "Regions",
    "description": f"What was sold where {EVIL}",
    "filters": [
        {"name": "region", "type": "multi", "column": "{{ ref('orders') }}.region"},
        {
            "name": "period",
            "type": "date_range",
            "column": "{{ ref('orders') }}.ordered_on",
        },
        {
            "name": "part",
            "type": "text",
            "column": "{{ ref('orders') }}.region",
            "label": "Part of a region",
        },
    ],
    "rows": [
        [
            {"metric": "revenue", "compare": "previous_period", "span": 4},
            {
                "kpi": "Orders",
                "value": "orders",
                "span": 4,
                "sql": f"select count(*) as orders {OF_ORDERS} {FILTERED} "
                "and {{ filter('part') }}",
            },
            {
                "kpi": "All orders",
                "value": "orders",
                "span": 4,
                "sql": f"select count(*) as orders {OF_ORDERS}",
            },
        ],
        [
            {
                "chart": "bar",
                "title": "Revenue by region and month",
                "x": "month",
                "y": "revenue",
                "series": "region",
                "stacked": True,
                "format": "$0.0a",
                "span": 6,
                "sql": "select date_trunc('month', ordered_on)::date as month, region, "
                f"{{{{ metric('revenue') }}}} as revenue {OF_ORDERS} {FILTERED} "
                "group by all order by all",
            },
            {
                "chart": "map",
                "map": "any",
                "title": "Revenue of regions",
                "x": "region",
                "y": "revenue",
                "format": "$0.0a",
                "span": 6,
                "drill": "/d/regions?region={region}",
                "sql": f"select region, sum(amount) as revenue {OF_ORDERS} {FILTERED} "
                "group by region order by revenue desc, region",
            },
        ],
        [
            {
                "chart": "heatmap",
                "title": "Orders by month",
                "x": "month",
                "y": "region",
                "value": "orders",
                "span": 8,
                "sql": "select region, month(ordered_on) as month, count(*) as orders "
                f"{OF_ORDERS} {FILTERED} group by all order by month, region",
            },
            {
                "chart": "funnel",
                "title": "How large",
                "x": "step",
                "y": "orders",
                "span": 4,
                "sql": "select unnest(['all', 'above 20', 'above 40']) as step, "
                "unnest([count(*), count(*) filter (amount > 20), "
                f"count(*) filter (amount > 40)]) as orders {OF_ORDERS} {FILTERED}",
            },
        ],
        [
            {
                "table": "Regions",
                "drill": "/d/regions?region={region}",
                "formats": {"revenue": "$0,0.00"},
                "sql": f"select region, sum(amount) as revenue {OF_ORDERS} {FILTERED} "
                "group by region order by region",
            }
        ],
    ],
}
TEXTS = {
    "models/silver/vendors.sql": VENDORS,
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
    write_package(root)
    for name, text in FILES.items():
        (landing / name).write_text(text)
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
