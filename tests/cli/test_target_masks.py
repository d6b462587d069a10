"""What is about persons is masked on dashboards of a target as it is on those here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from boards_project import ALL, COLUMNS, ROWS, account_of, dashboards_project
from read_by_dbt import ReadByDbt
from snowmelt.clock import SystemClock
from snowmelt.errors import UsageError
from snowmelt.serve.cells import MASK
from target_looking import Looking, looking_at, rows_of

PERSONS = """title: Persons
filters:
  - {name: who, type: select, column: "{{ ref('fct_sales') }}.email"}
  - {name: region, type: select, column: "{{ ref('fct_sales') }}.region"}
rows:
  - - table: Each
      sql: |
        select sale_id, email, upper(email) as loud, count(email) as mails, bonus
        from {{ ref('fct_sales') }}
        where {{ filter('who') }} and {{ filter('region') }}
        group by all
        order by sale_id
    - table: As they are
      sql: "select * from {{ ref('fct_sales') }} where {{ filter('region') }}"
    - kpi: Longest
      value: most
      sql: "select max(email) as most from {{ ref('fct_sales') }}"
"""


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looking]:
    root = tmp_path_factory.mktemp("persons")
    project = dashboards_project(
        root, **{"dashboards/persons.yml": PERSONS, "dashboards/all.yml": ALL}
    )
    account = account_of(project, SystemClock().now() - timedelta(hours=1))
    with looking_at(project, account, ReadByDbt()) as looking:
        yield looking


def test_viewers_see_masks_where_operators_see_persons(looking: Looking) -> None:
    shown = looking.viewer.board(name="persons", filters=None)
    plain = looking.operator.board(name="persons", filters=None)
    assert "a@x.org" not in str(shown)
    assert "a@x.org" in str(plain)
    assert shown["cards"][0]["masked"] == ["bonus", "email", "loud"]
    for one, other in zip(rows_of(shown, 0), rows_of(plain, 0), strict=True):
        assert (one["sale_id"], one["mails"]) == (other["sale_id"], other["mails"])
        assert one["email"] == (None if other["email"] is None else MASK)
    assert {each["email"] for each in rows_of(shown, 1)} == {MASK, None}
    assert rows_of(shown, 1)[0]["region"] == "north"
    assert rows_of(shown, 2) == [{"most": MASK}]


def test_nobody_looks_for_a_person_by_a_filter(looking: Looking) -> None:
    shown = looking.viewer.board(name="persons", filters=None)
    by_name = {each["name"]: each for each in shown["filters"]}
    assert by_name["who"]["options"] == []
    assert by_name["region"]["options"]
    assert looking.viewer.board(name="persons", filters="region=north")
    with pytest.raises(UsageError, match="about persons"):
        looking.viewer.board(name="persons", filters="who=a%40x.org")


def test_an_error_of_the_account_tells_viewers_no_value(looking: Looking) -> None:
    looking.account.refuses["'south'"] = (
        100038,
        "Numeric value 'a@x.org' is not recognized",
    )
    shown = looking.viewer.board(name="persons", filters="region=south")
    plain = looking.operator.board(name="persons", filters="region=south")
    looking.account.refuses.clear()
    assert "a@x.org" in str(plain["cards"][0]["problem"])
    assert "a@x.org" not in str(shown)


def test_a_column_that_is_new_there_is_masked_until_it_is_known(
    looking: Looking,
) -> None:
    """A run there renamed a column: the mask is where its values are, at once."""
    renamed = COLUMNS.replace("EMAIL", "CONTACT")
    looking.account.make("GOLD.FCT_SALES", renamed, ROWS)
    looking.account.publish(SystemClock().now() - timedelta(minutes=5))
    looking.operator.board(name="sales", filters="region=north")  # it is seen now
    shown = looking.viewer.board(name="all", filters=None)
    assert "a@x.org" not in str(shown)
    assert rows_of(shown, 0)[0]["contact"] == MASK
    assert rows_of(shown, 0)[0]["sale_id"] == 1
