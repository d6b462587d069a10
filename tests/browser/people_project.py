"""A project about persons: a storefront whose customers are marked, with secrets.

Names, addresses and numbers of customers are secrets that stand nowhere else; some are
in records that are refused, rows that rules refuse, rows that fail tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from seen_project import TOKEN, Served, until

from snowmelt.project.new import make_project

PII = {"meta": {"pii": True}}
SECRETS = {
    "email": "qxanna@zwhidden.example",
    "name": "Qxname",
    "phone": "49815550",
    "email of a refused row": "qxnoatsign",
    "email in a refused record": "qxrefused@zwhidden.example",
    "email behind a comma": "qxshifted@zwhidden.example",
    "email in a broken quote": "qxquoted@zwhidden.example",
    "phone that is none": "qxphone",
    "email that ends a run": "qxending@zwhidden.example",
    "rescued": "qxrescued",
}
"""Each is in no column that may be seen, and no other text has it."""
DOMAIN = "zwhidden"
"""A part of what is said to be no secret: `email_domain` is `pii: false`."""
CUSTOMERS: dict[str, Any] = {
    "name": "customers",
    "pattern": "raw/customers/**/*.csv",
    "on_error": "continue",
    "schema_evolution": "rescue",
    "file_format": {"type": "csv"},
    "contract": {
        "columns": [
            {"name": "customer_id", "type": "varchar"},
            {"name": "name", "type": "varchar"} | PII,
            {"name": "country", "type": "varchar"},
            {"name": "email", "type": "varchar"} | PII,
            {"name": "phone", "type": "bigint"} | PII,
            {"name": "joined", "type": "date"},
        ]
    },
}
DOMAINS = {
    "models": [
        {
            "name": "domains",
            "description": "Grain: one row per customer.",
            "config": {"meta": {"owner": "Ada"}},
            "columns": [
                {"name": "email_domain", "config": {"meta": {"pii": False}}},
                {
                    "name": "loud_name",
                    "description": "The name, in upper case.",
                    "data_tests": [
                        {
                            "accepted_values": {
                                "arguments": {"values": ["NOBODY"]},
                                "config": {"severity": "warn"},
                            }
                        }
                    ],
                },
            ],
        }
    ]
}
DOMAINS_SQL = """
select
    customer_id,
    upper(name) as loud_name,
    split_part(email, '@', 2) as email_domain,
    length(email) as letters,
    country
from {{ ref('customers_clean') }}
"""
BREAKING_SQL = """
select customer_id, case when country = 'XX' then cast(email as integer) end as broken
from {{ ref('customers_clean') }}
"""
NO_SALE_SQL = """
{{ config(severity='warn') }}
select * from {{ ref('client_activity') }} where number_of_sales = 0
"""
PEOPLE = {
    "title": "People",
    "rows": [
        [
            {
                "kpi": "Newest name",
                "value": "name",
                "span": 6,
                "sql": "select max(name) as name from {{ ref('client_activity') }}",
            },
            {
                "kpi": "Addresses",
                "value": "addresses",
                "span": 6,
                "sql": "select count(distinct email) as addresses "
                "from {{ ref('client_activity') }}",
            },
        ],
        [
            {
                "table": "Customers",
                "sql": "select customer_id, name || ' <' || email || '>' as who, "
                "country from {{ ref('client_activity') }} order by customer_id",
            }
        ],
    ],
}
HEAD = "customer_id,name,country,email,phone,joined,note\n"


def customer(number: int, **given: str) -> str:
    """Return one record; every secret is a number's own."""
    fields = {
        "customer_id": f"C{number:03}",
        "name": f"{SECRETS['name']}{'abcdefghijklmnop'[number % 16]}",
        "country": "de",
        "email": SECRETS["email"],
        "phone": f"{SECRETS['phone']}{number:03}",
        "joined": "2026-01-02",
        "note": SECRETS["rescued"],
    } | given
    return ",".join(fields.values()) + "\n"


def make_people(root: Path) -> None:
    """Make the project; files lie in its landing folder."""
    make_project(root, "storefront")
    _leave_out(root)
    settings = yaml.safe_load((root / "snowmelt.yml").read_text())
    settings.pop("tasks")
    settings |= {
        "landing": {"path": "landing", "settle": "0s"},
        "serve": {"port": 0, "token": TOKEN},
        "warehouse": {"threads": 1},
    }
    texts = {
        "snowmelt.yml": yaml.safe_dump(settings),
        "pipes/customers.yml": yaml.safe_dump(CUSTOMERS),
        "models/gold/_domains.yml": yaml.safe_dump(DOMAINS),
        "models/gold/domains.sql": "{{ config(materialized='table') }}" + DOMAINS_SQL,
        "models/gold/breaking.sql": "{{ config(materialized='table') }}" + BREAKING_SQL,
        "tests/customers_without_a_sale.sql": NO_SALE_SQL,
        "dashboards/people.yml": yaml.safe_dump(PEOPLE),
        "landing/raw/customers/2026/customers.csv": HEAD
        + "".join(customer(n) for n in range(1, 13))
        + customer(20, email=SECRETS["email of a refused row"])
        + customer(21, email=SECRETS["email in a refused record"], joined="soon")
        + customer(22, phone=SECRETS["phone that is none"])
        + customer(23, email=f"x,{SECRETS['email behind a comma']}")
        + customer(24, email=f'a"{SECRETS["email in a broken quote"]}'),
        "landing/raw/products/2026/products.csv": "product_id,name,category,price\n"
        "P1,Lamp,home,10.00\nP2,Desk,home,-1\n",
        "landing/raw/sales/2026/sales.json": "\n".join(
            json.dumps(
                {
                    "sale_id": f"S{n}",
                    "customer_id": f"C{1 + n % 6:03}",
                    "product_id": "P1",
                    "quantity": n,
                    "sale_date": "2026-02-03",
                }
            )
            for n in range(1, 9)
        ),
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _leave_out(root: Path) -> None:
    """Leave out what is about nobody: it would only take its time."""
    for name in ("top_products", "product_sales", "sales_by_country"):
        (root / f"models/gold/{name}.sql").unlink()
    (root / "dashboards/sales.yml").unlink()
    path = root / "models/gold/_gold.yml"
    told = yaml.safe_load(path.read_text())
    kept = [each for each in told["models"] if each["name"] == "client_activity"]
    path.write_text(yaml.safe_dump({"models": kept}))


def break_a_run(served: Served) -> None:
    """Have a run fail over a value that nobody is to see."""
    secret = SECRETS["email that ends a run"]
    served.land(
        "raw/customers/2026/late.csv",
        HEAD + customer(30, country="xx", email=secret),
    )
    with served.client() as owner:
        until(
            lambda: owner.get("/api/v1/shell").json()["last_run_failed"],
            "no run failed",
        )
