"""Rows that only some may see: the policies, and the tables that they are on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipped import BY_CITY, EVENTS, SEEN, SETTINGS, TARGET, deployed_into, make_project
from snowflake_account import Account, Thing
from snowmelt.deploy.address import Address
from snowmelt.deploy.applying import StepError, apply_plan
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.steps import Action
from snowmelt.errors import ConfigError

TABLE = ("SHOP", "BRONZE", "EVENTS__ALL")
POLICY = ("SHOP", "SNOWMELT", "BY_CITY")
SOME = {"by_city": {"sees": {"SALES_DE": ["Berlin"]}}}
OTHER = {"by_town": BY_CITY["by_city"]}


def deployment(
    root: Path, account: Account, rules: Mapping[str, Any], events: str = SEEN
) -> Deployment:
    targets = yaml.safe_dump({"targets": {"prod": TARGET | {"row_access": rules}}})
    changed = {"snowmelt.yml": SETTINGS + targets, "pipes/events.yml": events}
    return deployed_into(make_project(root, **changed), account)


def done(made: Deployment) -> list[str]:
    """Apply it, see that nothing is left, and return what of policies was said."""
    account = made.providers["snowflake"].session  # type: ignore[attr-defined]
    start = len(account.statements)
    apply_plan(made, made.plan())
    said = account.statements[start:]
    assert made.plan().is_empty
    return [
        each
        for each in said
        if "ROW ACCESS" in each and not each.startswith(("SHOW", "DESC"))
    ]


def test_a_policy_is_made_and_put_on_its_table(tmp_path: Path) -> None:
    account = Account()
    made, on = done(deployment(tmp_path, account, BY_CITY))
    assert made == (
        "CREATE ROW ACCESS POLICY IF NOT EXISTS SHOP.SNOWMELT.BY_CITY AS "
        "(VAL VARCHAR)\n  RETURNS BOOLEAN ->\n"
        "  IS_ROLE_IN_SESSION('SHOP_LOADER') OR IS_ROLE_IN_SESSION('SHOP_TRANSFORMER') "
        "OR IS_ROLE_IN_SESSION('ACCOUNTADMIN') "
        "OR (IS_ROLE_IN_SESSION('SALES_DE') AND VAL::VARCHAR IN ('Berlin', 'Ulm')) "
        "OR (IS_ROLE_IN_SESSION('SALES_FR') AND VAL::VARCHAR IN ('Nice'))\n"
        f"  COMMENT = '{account.things['ROW ACCESS POLICY', POLICY].comment}'"
    )
    assert on == (
        "ALTER TABLE SHOP.BRONZE.EVENTS__ALL ADD ROW ACCESS POLICY "
        "SHOP.SNOWMELT.BY_CITY ON (CITY)"
    )


def test_it_is_changed_where_it_stands(tmp_path: Path) -> None:
    account = Account()
    done(deployment(tmp_path / "1", account, BY_CITY))
    body, comment = done(deployment(tmp_path / "2", account, SOME))
    assert body.startswith("ALTER ROW ACCESS POLICY SHOP.SNOWMELT.BY_CITY SET BODY ->")
    assert comment.startswith("ALTER ROW ACCESS POLICY SHOP.SNOWMELT.BY_CITY SET COMM")


def test_a_table_changes_its_policy_in_one_statement(tmp_path: Path) -> None:
    """At no moment may everybody see everything."""
    account = Account()
    done(deployment(tmp_path / "1", account, BY_CITY))
    events = SEEN.replace("by_city", "by_town")
    said = done(deployment(tmp_path / "2", account, OTHER, events))
    assert said[1:] == [
        "ALTER TABLE SHOP.BRONZE.EVENTS__ALL DROP ROW ACCESS POLICY "
        "SHOP.SNOWMELT.BY_CITY, ADD ROW ACCESS POLICY SHOP.SNOWMELT.BY_TOWN ON (CITY)",
        "DROP ROW ACCESS POLICY SHOP.SNOWMELT.BY_CITY",
    ]


def test_who_takes_it_out_opens_the_table(tmp_path: Path) -> None:
    account = Account()
    done(deployment(tmp_path / "1", account, BY_CITY))
    said = done(deployment(tmp_path / "2", account, {}, EVENTS))
    assert said == [
        "ALTER TABLE IF EXISTS SHOP.BRONZE.EVENTS__ALL DROP ROW ACCESS POLICY "
        "SHOP.SNOWMELT.BY_CITY",
        "DROP ROW ACCESS POLICY SHOP.SNOWMELT.BY_CITY",
    ]


def test_what_somebody_opened_is_drift_and_closed_again(tmp_path: Path) -> None:
    account = Account()
    made = deployment(tmp_path, account, BY_CITY)
    done(made)
    account.things["TABLE", TABLE].more["row_access"] = None
    [step] = made.plan().steps
    assert (step.action, step.address.kind) == (Action.CREATE, "row_access")
    done(made)
    assert account.things["TABLE", TABLE].more["row_access"] == (POLICY, "CITY")


def test_destroy_leaves_no_table_open(tmp_path: Path) -> None:
    account = Account()
    made = deployment(tmp_path, account, BY_CITY)
    done(made)
    plan = made.plan_destroy()
    kept = {s.address.kind for s in plan.steps if s.action is Action.KEEP}
    assert {"row_access", "row_access_policy", "table"} <= kept
    apply_plan(made, plan)
    assert account.things["TABLE", TABLE].more["row_access"] == (POLICY, "CITY")
    whole = frozenset({Address("snowflake", "database", "SHOP")})
    apply_plan(made, made.plan_destroy(whole))
    assert not account.things


def test_a_policy_that_a_model_has_stays(tmp_path: Path) -> None:
    """dbt puts it on models; deploy neither takes it off nor drops it from under."""
    account = Account()
    done(deployment(tmp_path / "1", account, BY_CITY))
    model = Thing("TABLE", ("SHOP", "GOLD", "SALES"), {}, {"columns": {"CITY": {}}})
    model.more["row_access"] = (POLICY, "CITY")
    account.things["TABLE", model.name] = model
    assert deployment(tmp_path / "1", account, BY_CITY).plan().is_empty
    plan = deployment(tmp_path / "2", account, {}, EVENTS).plan()
    [kept] = [s for s in plan.steps if s.action is Action.KEEP]
    assert kept.why == "it is kept: it is on SHOP.GOLD.SALES"
    apply_plan(deployment(tmp_path / "2", account, {}, EVENTS), plan)
    assert model.more["row_access"] == (POLICY, "CITY")


def test_a_policy_of_somebody_else_is_not_taken_off(tmp_path: Path) -> None:
    account = Account()
    done(deployment(tmp_path / "1", account, {}, EVENTS))
    theirs = ("SHOP", "SNOWMELT", "THEIRS")
    account.things["ROW ACCESS POLICY", theirs] = Thing(
        "ROW ACCESS POLICY", theirs, {}, {"type": "VARCHAR", "body": "TRUE"}
    )
    account.things["TABLE", TABLE].more["row_access"] = (theirs, "CITY")
    made = deployment(tmp_path / "2", account, BY_CITY)
    with pytest.raises(StepError, match="already has a ROW_ACCESS_POLICY") as told:
        apply_plan(made, made.plan())
    assert "DROP ROW ACCESS POLICY" in told.value.remedy
    assert account.things["TABLE", TABLE].more["row_access"] == (theirs, "CITY")


@pytest.mark.parametrize(
    ("rules", "meta", "told"),
    [
        (BY_CITY, "by_town", "the target has no 'by_town' below row_access:"),
        ({}, "by_city", "the target has no 'by_city' below row_access: (known: none)"),
        ({"by_city": {"type": "date", "sees": {"A": ["2026-01-01"]}}}, "by_city",
         "city is VARCHAR, and 'by_city' is for DATE"),
    ],
)  # fmt: skip
def test_what_a_target_does_not_say_is_refused_with_its_line(
    tmp_path: Path, rules: dict[str, Any], meta: str, told: str
) -> None:
    events = SEEN.replace("by_city", meta)
    with pytest.raises(ConfigError) as refused:
        deployment(tmp_path, Account(), rules, events)
    line = next(i for i, each in enumerate(events.splitlines(), 1) if "row_acc" in each)
    where = f"pipes/events.yml:{line}: contract.columns.1.meta.row_access"
    assert refused.value.where == where
    assert told in refused.value.problem


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"sees": {}}, "sees"),
        ({"sees": {"A": []}}, "a role that sees no value is left out: A"),
        ({"sees": {"A": ["SE", False]}}, "write it in quotes, 'NO'"),
        ({"type": "text", "sees": {"A": ["x"]}}, "unknown type 'text'"),
        ({"sees": {"A'; DROP": ["x"]}}, "sees"),
    ],
)
def test_a_rule_that_is_none_is_refused(
    tmp_path: Path, rule: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match="row_access") as refused:
        deployment(tmp_path, Account(), {"by_city": rule})
    assert told in str(refused.value)
