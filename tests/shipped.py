"""Projects with a target, to be deployed into an account in memory."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import yaml

from snowflake_account import Account
from snowmelt.clock import Clock
from snowmelt.deploy.address import Address
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import NoSession, names_of, open_deployment
from snowmelt.deploy.snowflake.provider import SnowflakeProvider
from snowmelt.project.project import Project, load_project

TARGET: dict[str, Any] = {
    "type": "snowflake",
    "account": "myorg-shop",
    "user": "DEPLOYER",
    "key_path": "${SHOP_KEY}",
    "warehouse": {"size": "small", "credits_per_month": 50},
    "aws": {
        "account": "123456789012",
        "region": "eu-central-1",
        "bucket": "shop-landing",
        "prefix": "raw",
    },
}
ORDERS = """name: orders
pattern: orders/*.csv
on_error: skip_file_10%
contract:
  columns:
    - {name: order_id, type: integer, nullable: false}
    - {name: email, type: varchar, meta: {pii: true}}
    - {name: amount, type: "decimal(12,2)"}
    - {name: order, type: timestamp, description: "It's a word of SQL"}
"""
EVENTS = """name: events
pattern: "events-*.json"
on_error: continue
on_same_name_changed: append
file_format: {type: json, orient: records}
contract:
  columns:
    - {name: id, type: bigint, nullable: false}
    - {name: city, type: varchar, path: 'customer.address[0]."the city"'}
    - {name: payload, type: json, path: payload}
"""
SETTINGS = """version: 1
name: shop
tasks:
  hourly: {cron: "0 * * * *", timezone: Europe/Berlin, refresh: {}, config: {a: 1}}
  build: {after: hourly, when: stream_has_data(orders), dbt: build_all, timeout: 10m}
  check: {after: build, sql: {file: check.sql, expect: empty}}
  count: {after: build, sql: count.sql}
  done: {finalize: hourly, dbt: {test: gold}}
alerts:
  sinks:
    ops: {email: {host: mail, from: a@example.com, to: [ops@example.com]}}
  rules:
    failed: {on: failed, every: 15m}
    stale: {sql: "select 1 as cause from gold.sales having count(*) = 0"}
"""


def make_project(root: Path, **changed: str) -> Project:
    """A project with two pipes, a graph, alerts and a column that tells of people."""
    files = {
        "snowmelt.yml": SETTINGS + yaml.safe_dump({"targets": {"prod": TARGET}}),
        "pipes/orders.yml": ORDERS,
        "pipes/events.yml": EVENTS,
        "dbt_project.yml": "name: shop\nprofile: snowmelt\n",
        "models/gold/sales.sql": "select 1 as total",
        "check.sql": "select * from gold.sales where total < 0",
        "count.sql": "-- how many\n"
        "select count(case when total > 0 then 1 end) from gold.sales",
    }
    for name, text in (files | changed).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_project(root)


@dataclass
class StillClock:
    """A clock that waiting moves."""

    account: Account
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now(self):  # type: ignore[no-untyped-def]
        return self.account.now

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, wake: object, seconds: float) -> bool:
        self.seconds += seconds
        self.waits.append(seconds)
        return False


def deployed_into(project: Project, account: Account) -> Deployment:
    """The Snowflake side of the project's deployment, over an account in memory."""
    names, whole = wanted(project.root)
    provider = SnowflakeProvider(account, names, StillClock(account))
    side = tuple(e for e in whole.desired if e.address.provider == provider.name)
    return replace(whole, desired=side, providers={"snowflake": provider})


@cache
def wanted(root: Path) -> tuple[Names, Deployment]:
    """What a project wants, which is the same whatever there is."""
    project = load_project(root)
    names = names_of(project, "prod")
    clock: Clock = StillClock(Account())
    return names, open_deployment(project, names, NoSession(), clock)


WIDER = ORDERS.replace("decimal(12,2)", "decimal(18,2)").replace(
    "order_id, type: integer, nullable: false", "order_id, type: integer"
)
PLAIN = "    - {name: note, type: varchar}\n"
BESIDE = """version: 1
name: shop
tasks:
  told: {when: stream_has_data(orders), sql: count.sql}
"""
BY_CITY = {"by_city": {"sees": {"SALES_DE": ["Berlin", "Ulm"], "SALES_FR": ["Nice"]}}}
BY_EMAIL = {"by_email": {"sees": {"SUPPORT": ["it's@example.com"]}}}
SEEN = EVENTS.replace('"the city"\'}', '"the city"\', meta: {row_access: by_city}}')
OTHER_TASKS = SETTINGS.replace("0 * * * *", "30 5 * * *").replace(
    "  count: {after: build, sql: count.sql}\n", ""
)
STATES: dict[str, dict[str, str]] = {
    "nothing": {},
    "first": {"pipes/orders.yml": ORDERS},
    "wider": {"pipes/orders.yml": WIDER.replace(", meta: {pii: true}", "") + PLAIN},
    "pattern": {"pipes/orders.yml": ORDERS.replace("orders/*.csv", "orders/**/*.csv")},
    "tasks": {"snowmelt.yml": OTHER_TASKS},
    "rows": {"pipes/events.yml": SEEN},
    "models": {"models/gold/sales.sql": "select 2 as total"},
    "beside": {"snowmelt.yml": BESIDE},
    "by itself": {"snowmelt.yml": "version: 1\nname: shop\n"},
}


@cache
def states() -> dict[str, Project]:
    """A project for each of the states."""
    made = {}
    for name, changed in STATES.items():
        target = TARGET | ({"row_access": BY_CITY} if name == "rows" else {})
        targets = yaml.safe_dump({"targets": {"prod": target}})
        changed = {"snowmelt.yml": SETTINGS} | changed
        given = {k: v + targets if "snowmelt" in k else v for k, v in changed.items()}
        made[name] = make_project(Path(mkdtemp(prefix="shipped-")), **given)
    for project in made.values():
        atexit.register(rmtree, project.root)
    return made


@cache
def account_history() -> tuple[str, ...]:
    """All that is said to an account, over every state, drift, and its end."""
    account = Account()
    account.land("raw/orders/0.csv", "0")
    account.now += timedelta(days=9)
    for name in (*STATES, "first"):
        if name != "nothing":
            deployment = deployed_into(states()[name], account)
            for number in range(2):
                account.land(f"raw/orders/{name}{number}.csv", name)
            apply_plan(deployment, deployment.plan())
            account.now += timedelta(days=9)
    for each in (
        "WAREHOUSE SHOP_WH SET AUTO_SUSPEND = 1",
        "TASK SHOP.SNOWMELT.HOURLY SUSPEND",
    ):
        account.rows(f"ALTER {each}")
    account.rows("ALTER STAGE SHOP.BRONZE.LANDING SET URL = 's3://shop-landing/raw/x/'")
    account.rows(
        "REVOKE SELECT ON FUTURE VIEWS IN SCHEMA SHOP.GOLD FROM ROLE SHOP_READER"
    )
    apply_plan(deployment, deployment.plan())
    everything = frozenset({Address("snowflake", "database", "SHOP")})
    apply_plan(deployment, deployment.plan_destroy(everything))
    assert not account.things
    return tuple(account.statements)
