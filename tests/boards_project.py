"""A project with a target and dashboards, and the account that has its gold."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

from gold_account import GoldAccount
from shipped import deployed_into, make_project
from snowmelt.clock import SystemClock
from snowmelt.deploy.applying import apply_plan
from snowmelt.project.project import Project
from snowmelt.trace.models import CACHE as TRACES
from snowmelt.trace.models import Models
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import Recordings, load_recordings

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


def dashboards_project(root: Path, **changed: str) -> Project:
    """Make it; what the last build knew of its models stands beside it."""
    project = make_project(
        root,
        **{
            "dashboards/sales.yml": SALES,
            "dashboards/odd.yml": NOT_PORTABLE,
            "models/gold/_gold.yml": MODELS,
        }
        | changed,
    )
    node = Node(
        id="model.shop.fct_sales",
        name="fct_sales",
        fqn="shop.gold.fct_sales",
        resource_type="model",
        parents=("source.shop.bronze.orders",),
        materialized="table",
        relation='"warehouse"."gold"."fct_sales"',
        key="gold.fct_sales",
        unique_key=("sale_id",),
        path="models/gold/fct_sales.sql",
    )
    source = Source(node.parents[0], "source:bronze.orders", "bronze", "orders")
    recordings = Recordings(root / RECORDINGS, "digest", "shape")
    recordings.graph = Graph([node], [source])
    recordings.save()
    return project


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


MADE_OF = """
    select order_id as sale_id, email, 'north' as region, "order"::date as sold_on,
        amount, 1 as pieces, length(email) as bonus
    from "warehouse"."bronze"."orders"
"""


def know_models(project: Project) -> None:
    """Let it be known what its models are made of, as dbt compiled them once."""
    graph = load_recordings(project.root / RECORDINGS).graph
    assert graph is not None
    (node,) = graph.nodes.values()
    bronze = frozenset(pipe.full_table_name.lower() for pipe in project.pipes)
    path, digest = project.root / TRACES, project_digest(project.root)
    Models(path, digest, graph, {node.id: MADE_OF}, {}, bronze).save()
    entry = {
        "unique_id": node.id,
        "name": node.name,
        "resource_type": "model",
        "schema": "gold",
        "original_file_path": node.path,
        "columns": {},
    }
    manifest = project.root / SERVICE_FOLDER / "target" / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"nodes": {node.id: entry}, "sources": {}}))
