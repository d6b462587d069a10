"""A project with a target and dashboards, and the account that has its gold."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from gold_account import GoldAccount
from shipped import deployed_into, make_project
from snowmelt.clock import SystemClock
from snowmelt.deploy.applying import apply_plan
from snowmelt.project.project import Project

SALES = """title: Sales
description: What was sold.
filters:
  - {name: period, type: date_range, column: "{{ ref('fct_sales') }}.sold_on"}
  - {name: region, type: multi, column: "{{ ref('fct_sales') }}.region"}
rows:
  - - {metric: revenue}
    - {metric: average, compare: previous_year}
  - - chart: bar
      title: Revenue by region
      x: region
      y: revenue
      sql: |
        select
            region,
            {{ metric('revenue') }} as revenue,
            count(*) filter (amount > 20) as large,
            sum(pieces) / count(*) as pieces
        from {{ ref('fct_sales') }}
        where {{ filter('period', 'sold_on') }}
            and {{ filter('region', 'region') }}
        group by region
        order by revenue desc, region
    - table: The dearest
      sql: |
        select sale_id, email, sold_on, least(amount, bonus) as amount
        from {{ ref('fct_sales') }}
        where {{ filter('period', 'sold_on') }} and {{ filter('region', 'region') }}
        order by amount desc, sale_id
        limit 3
"""
NOT_PORTABLE = """title: Odd
rows:
  - - table: In pieces
      sql: |
        select
            amount // 2 as half
        from {{ ref('fct_sales') }}
    - {metric: revenue}
"""
ALL = """title: All
rows:
  - - table: As they are
      sql: "select * from {{ ref('fct_sales') }} order by sale_id"
"""
MODELS = """models:
  - name: fct_sales
    config:
      meta:
        metrics:
          revenue: {sql: sum(amount), time: sold_on, label: Revenue}
          average: {sql: "round(avg(pieces), 2)", time: sold_on, label: Pieces}
"""
COLUMNS = (
    "SALE_ID BIGINT, EMAIL VARCHAR, REGION VARCHAR, SOLD_ON DATE, "
    "AMOUNT DECIMAL(12,2), PIECES BIGINT, BONUS DECIMAL(12,2)"
)
BRONZE = 'ORDER_ID BIGINT, EMAIL VARCHAR, AMOUNT DECIMAL(12,2), "ORDER" TIMESTAMP'
ROWS = [
    (1, "a@x.org", "north", date(2024, 1, 5), 10, 1, None),
    (2, "b@x.org", "north", date(2024, 2, 5), 30, 2, 5),
    (3, "c@x.org", "it's \\ a'trap", date(2024, 2, 9), 25, 4, None),
    (4, None, None, date(2023, 2, 5), None, 7, 3),
    (5, "a@x.org", "south", date(2024, 3, 1), 21, 1, 99),
]


DBT_PROJECT = """name: shop
version: 1.0.0
profile: snowmelt
models:
  shop:
    +materialized: table
    silver: {+schema: silver}
    gold: {+schema: gold}
"""
MACRO = """{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
"""
FCT_SALES = """select order_id as sale_id, email, 'north' as region,
    cast("order" as date) as sold_on, amount, 1 as pieces, length(email) as bonus
from {{ source('bronze', 'orders') }}
"""


def dashboards_project(root: Path, **changed: str) -> Project:
    """Make it, as a clone has it: nothing was ever built of it here."""
    return make_project(
        root,
        **{
            "dbt_project.yml": DBT_PROJECT,
            "macros/generate_schema_name.sql": MACRO,
            "dashboards/sales.yml": SALES,
            "dashboards/odd.yml": NOT_PORTABLE,
            "models/gold/_gold.yml": MODELS,
            "models/gold/fct_sales.sql": FCT_SALES,
        }
        | changed,
    )


def account_of(project: Project, published: datetime | None = None) -> GoldAccount:
    """Return its account, deployed, with gold that was published."""
    account = GoldAccount()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    account.now = SystemClock().now()
    account.make("GOLD.FCT_SALES", COLUMNS, ROWS)
    account.make("BRONZE.ORDERS", BRONZE, [])
    account.make("BRONZE.ORDERS__ALL", BRONZE, [])
    if published is not None:
        account.publish(published)
    return account
