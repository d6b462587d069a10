"""What no target can be asked is named by file and line before one is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.deploy.portable.checking import unportable
from snowmelt.errors import ConfigError
from snowmelt.service.targets.unaskable import unaskable

BOARD = """title: Sales
filters:
  - {name: region, type: multi, column: "{{ ref('sales') }}.region"}
rows:
  - - table: In their order
      sql: |
        select
            region,
            row_number() over (partition by region) as place,
            count(distinct buyer) over (order by sold_at) as buyers
        from {{ ref('sales') }}
    - table: Fine
      sql: |
        select listagg(region, ', ') filter (where amount > 1) as regions
        from {{ ref('sales') }}
        where buyer in (
            select buyer from {{ ref('sales') }} where {{ filter('region') }}
        )
  - - table: Meant
      sql: |
        select
            time_bucket(interval '1 week', sold_at) as week,  -- snowmelt: not portable
            count(*) as sales
        from {{ ref('sales') }}
        group by all
    - table: Told by its words
      sql: |
        select unnest([1, 2]) as one
        from {{ ref('sales') }}
    - {table: In a file, sql: dashboards/moving.sql}
  - - {metric: newest}
    - {metric: revenue, where: "sold_at at time zone 'UTC' > sold_at"}
    - {metric: revenue}
"""
MOVING = """select
    sold_at,
    sum(amount) over (
        order by sold_at rows 6 preceding exclude current row
    ) as before
from {{ ref('sales') }}
"""
MODELS = """models:
  - name: sales
    config:
      meta:
        metrics:
          revenue: {sql: sum(amount), time: sold_at}
          newest: {sql: "max_by(region, sold_at, 3)"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "dbt_project.yml": "name: shop\nmodel-paths: [models]\n",
        "models/sales.yml": MODELS,
        "dashboards/sales.yml": BOARD,
        "dashboards/moving.sql": MOVING,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_cards_and_metrics_are_named_where_they_stand(root: Path) -> None:
    told = {(each.file, each.line, each.found): each.why for each in unaskable(root)}
    assert list(told) == [
        ("models/sales.yml", 7, "newest"),
        ("dashboards/sales.yml", 9, "In their order"),
        ("dashboards/sales.yml", 10, "In their order"),
        ("dashboards/moving.sql", 3, "In a file"),
        ("dashboards/sales.yml", 32, "revenue"),
    ]
    assert "needs an ORDER BY" in told["dashboards/sales.yml", 9, "In their order"]
    assert "EXCLUDE" in told["dashboards/moving.sql", 3, "In a file"]
    assert "with a zone and without one" in told["dashboards/sales.yml", 32, "revenue"]
    by_words = [each.line for each in unportable(root) if each.found == "unnest"]
    assert by_words == [28]


def test_a_card_that_is_off_is_told_by_its_place(root: Path) -> None:
    board = BOARD.replace("{metric: revenue}", "{metric: revenues}")
    (root / "dashboards/sales.yml").write_text(board)
    with pytest.raises(ConfigError, match="Did you mean 'revenue'") as error:
        unaskable(root)
    assert error.value.where == "dashboards/sales.yml:33: revenues"
