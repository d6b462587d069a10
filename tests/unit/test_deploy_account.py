"""Deploying into an account in memory: what must hold from any state to any other."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipped import EVENTS, STATES, deployed_into, make_project, states
from snowflake_account import Account, Stopped, Thing
from snowmelt.deploy.address import Address
from snowmelt.deploy.applying import StepError, apply_plan
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.planning import Words, changed_elsewhere
from snowmelt.deploy.steps import Action, Plan
from snowmelt.errors import UnreachableError
from snowmelt.project.project import Project

SHORT = settings(max_examples=8)
LONG = settings(max_examples=300)


@pytest.fixture(scope="module")
def projects() -> dict[str, Project]:
    """A project for each of the states."""
    return states()


@pytest.fixture(scope="module")
def shop(projects: dict[str, Project]) -> Project:
    return projects["first"]


def actions(found: Plan) -> set[tuple[str, str]]:
    return {(str(step.action), step.address.name) for step in found.steps}


def apply(deployment: Deployment) -> Plan:
    """Apply what the plan says, and return what is still to do then."""
    apply_plan(deployment, deployment.plan())
    return deployment.plan()


def at(kind: str, name: str) -> Address:
    return Address("snowflake", kind, name)


def shape(account: Account) -> object:
    """All that is there, in a form that can be compared."""
    things = {
        key: (thing.options, {k: v for k, v in thing.more.items() if k != "needs"})
        for key, thing in account.things.items()
    }
    paused = {name: state.paused for name, state in account.pipes.items()}
    return things, account.grants, account.role_grants, account.states, paused


def test_a_second_plan_is_empty_and_says_so(shop: Project) -> None:
    account = Account()
    deployment = deployed_into(shop, account)
    first = deployment.plan()
    assert set(first.counts) == {Action.CREATE}
    assert apply(deployment).is_empty
    changing = len(account.statements)
    assert deployed_into(shop, account).plan().is_empty
    looks = account.statements[changing:]
    assert all(each.startswith(("SHOW", "DESC", "SELECT SYSTEM$")) for each in looks)


@cache
def _account_at(state: str) -> Account:
    account = Account()
    if state != "nothing":
        assert apply(deployed_into(states()[state], account)).is_empty
    return account


def account_at(state: str) -> Account:
    """An account that the project was deployed into, as one of its states."""
    return deepcopy(_account_at(state))


def stop_and_go_on(before: str, after: str, stop_after: int) -> None:
    straight, broken = account_at(before), account_at(before)
    apply(deployed_into(states()[after], straight))
    broken.stop_after = len(broken.statements) + stop_after
    try:
        apply(deployed_into(states()[after], broken))
    except Stopped:
        broken.stop_after = None
        apply(deployed_into(states()[after], broken))
    broken.stop_after = None
    left = deployed_into(states()[after], broken).plan()
    assert not left.acting, actions(left)
    assert shape(broken) == shape(straight)


CHANGES = (
    st.sampled_from(sorted(STATES)),
    st.sampled_from(sorted(STATES)),
    st.integers(0, 130),
)


@SHORT
@given(*CHANGES)
def test_stopped_after_any_statement_the_next_apply_ends_the_same(
    before: str, after: str, stop_after: int
) -> None:
    """From one state of the project to another, over a kill at any statement."""
    stop_and_go_on(before, after, stop_after)


@pytest.mark.long
@LONG
@given(*CHANGES)
def test_stopped_after_any_statement_at_length(
    before: str, after: str, stop_after: int
) -> None:
    stop_and_go_on(before, after, stop_after)


DROPPED = (
    "VIEW",
    "STREAM",
    "PIPE",
    "ALERT",
    "STAGE",
    "FILE FORMAT",
    "ROLE",
    "PROCEDURE",
)


def disturb(account: Account, data: st.DataObject) -> dict[object, object]:
    """Do what people do to an account; return what is somebody else's from now on."""
    theirs: dict[object, object] = {}
    for _ in range(data.draw(st.integers(0, 5))):
        keys = sorted(account.things)
        key = keys[data.draw(st.integers(0, len(keys) - 1))]
        thing = account.things[key]
        what = data.draw(st.sampled_from(["drop", "take", "stop", "grant", "revoke"]))
        if what == "drop" and thing.noun in DROPPED and key not in theirs:
            account._remove(*key)
        elif what == "take" and "COMMENT" in thing.options:
            thing.options["COMMENT"] = "hands off"
            theirs[key] = dict(thing.options)
        elif what == "stop" and thing.noun in ("TASK", "ALERT"):
            account.states[thing.name] = "suspended"
        elif what == "stop" and thing.noun == "PIPE" and key not in theirs:
            account.pipes[thing.name].paused = True
        elif what == "revoke" and account.grants:
            account.grants.discard(sorted(account.grants)[0])
        elif what == "grant" and thing.noun == "SCHEMA":
            account.grants.add(
                ("SHOP_READER", "MODIFY", "SCHEMA", ".".join(thing.name))
            )
    return theirs


def mend(state: str, data: st.DataObject) -> None:
    account = account_at(state)
    theirs = disturb(account, data)
    wanted = "rows" if state == "rows" else "first"
    first = deployed_into(states()[wanted], account)
    apply_plan(first, first.plan())
    left = first.plan()
    assert not left.acting, actions(left)
    assert {s.address.kind for s in left.stuck} or not theirs
    apply_plan(first, first.plan_destroy())
    for key, options in theirs.items():
        assert account.things[key].options == options  # type: ignore[index]
    assert not first.plan_destroy().acting


@SHORT
@given(st.sampled_from(["first", "pattern", "tasks", "rows"]), st.data())
def test_whatever_people_did_one_apply_mends_it_and_leaves_what_is_theirs(
    state: str, data: st.DataObject
) -> None:
    mend(state, data)


@pytest.mark.long
@LONG
@given(st.sampled_from(["first", "pattern", "tasks", "rows", "by itself"]), st.data())
def test_whatever_people_did_is_mended_at_length(
    state: str, data: st.DataObject
) -> None:
    mend(state, data)


def land_while_a_pipe_is_changed(data: st.DataObject) -> None:
    account = Account()
    early = data.draw(st.integers(0, 3))
    for number in range(early):
        path = f"raw/orders/early{number}.csv"
        account.land(path, f"{number}")
        age = timedelta(days=data.draw(st.sampled_from([0, 6, 8, 63, 65, 100])))
        account.files[path].modified_at = account.now - age
    apply(deployed_into(states()["first"], account))
    start = len(account.statements)
    moments = data.draw(st.lists(st.integers(0, 110), max_size=6))
    names = data.draw(st.permutations([f"a.csv{'x' * i}.csv" for i in range(6)]))
    due = [(start + moment, name) for moment, name in zip(moments, names, strict=False)]

    def land(statement: str) -> None:
        now = len(account.statements)
        for moment, name in list(due):
            if moment <= now:
                due.remove((moment, name))
                account.land(f"raw/orders/{name}", name)

    account.before = land
    for stop in data.draw(st.lists(st.integers(0, 70), max_size=2)):
        account.stop_after = len(account.statements) + stop
        with suppress(Stopped):
            apply(deployed_into(states()["pattern"], account))
        account.stop_after = None
    assert apply(deployed_into(states()["pattern"], account)).is_empty
    account.before = lambda statement: None
    for _, name in due:
        account.land(f"raw/orders/{name}", name)
    paths = sorted(path for _, path, _ in account.loads)
    assert paths == sorted(account.files)


@SHORT
@given(st.data())
def test_no_file_is_lost_and_none_comes_twice_when_a_pipe_is_made_anew(
    data: st.DataObject,
) -> None:
    """Files land at any moment of a change that is killed at any other."""
    land_while_a_pipe_is_changed(data)


@pytest.mark.long
@LONG
@given(st.data())
def test_no_file_is_lost_at_length(data: st.DataObject) -> None:
    land_while_a_pipe_is_changed(data)


def test_a_pipe_is_replaced_only_for_what_it_copies(
    projects: dict[str, Project],
) -> None:
    account = Account()
    apply(deployed_into(projects["first"], account))
    changed = deployed_into(projects["pattern"], account).plan()
    assert actions(changed) == {
        ("change", "SHOP.BRONZE.ORDERS_PIPE"),
        ("change", "SHOP.SNOWMELT.SHOP"),  # its sources tell which files they are
    }
    start = len(account.statements)
    apply(deployed_into(projects["pattern"], account))
    said = [e.split("\n")[0] for e in account.statements[start:] if "SHOW" not in e]
    pipe = account.things["PIPE", ("SHOP", "BRONZE", "ORDERS_PIPE")]
    way = [each for each in said if "ORDERS_PIPE" in each and "SELECT" not in each]
    assert [each.split(" SET ")[-1] for each in way] == [
        "PIPE_EXECUTION_PAUSED = TRUE",
        "CREATE OR REPLACE PIPE SHOP.BRONZE.ORDERS_PIPE",
        "PIPE_EXECUTION_PAUSED = TRUE",
        "PIPE_EXECUTION_PAUSED = FALSE",
        f"COMMENT = '{pipe.comment}'",
    ]


def test_pipes_whose_stage_was_dropped_are_made_anew_and_miss_nothing(
    shop: Project,
) -> None:
    account = account_at("first")
    account.land("raw/orders/1.csv", "1")
    account.rows("DROP STAGE IF EXISTS SHOP.BRONZE.LANDING")
    account.land("raw/orders/2.csv", "2")
    deployment = deployed_into(shop, account)
    plan = deployment.plan()
    assert ("create", "SHOP.BRONZE.LANDING") in actions(plan)
    assert ("change", "SHOP.BRONZE.ORDERS_PIPE") in actions(plan)
    apply_plan(deployment, plan)
    assert deployment.plan().is_empty
    paths = [path for _, path, _ in account.loads]
    assert paths == ["raw/orders/1.csv", "raw/orders/2.csv"]


def test_bronze_is_widened_where_it_stands_and_nothing_else(
    projects: dict[str, Project],
) -> None:
    account = Account()
    apply(deployed_into(projects["first"], account))
    account.land("raw/orders/1.csv", "1")
    # somebody added a column; schema evolution may do the same
    table = account.things["TABLE", ("SHOP", "BRONZE", "ORDERS__ALL")]
    extra = {"type": "VARCHAR", "null": True, "policy": "", "comment": ""}
    table.more["columns"]["EVOLVED"] = extra
    assert apply(deployed_into(projects["wider"], account)).is_empty
    columns = table.more["columns"]
    assert (columns["AMOUNT"]["type"], columns["ORDER_ID"]["null"]) == (
        "NUMBER(18,2)",
        True,
    )
    assert {"NOTE", "EVOLVED", "_FILE"} <= columns.keys()
    back = deployed_into(projects["first"], account).plan()
    [narrower] = [s for s in back.steps if s.address.name == "SHOP.BRONZE.ORDERS__ALL"]
    assert narrower.action is Action.BLOCKED
    assert "AMOUNT is NUMBER(18,2) and cannot become NUMBER(12,2)" in narrower.why
    assert "1 row" in narrower.remedy


def test_others_things_are_left_alone_whatever_they_are_called(shop: Project) -> None:
    account = Account()
    strangers: dict[tuple[str, tuple[str, ...]], dict[str, object]] = {
        ("WAREHOUSE", ("SHOP_WH",)): {
            "WAREHOUSE_SIZE": "MEDIUM",
            "AUTO_SUSPEND": 1,
            "AUTO_RESUME": True,
            "COMMENT": "ours, hands off",
        },
        ("ROLE", ("SHOP_READER",)): {"COMMENT": "snowmelt bakery/prod 0123456789ab"},
        ("DATABASE", ("BAKERY",)): {"DATA_RETENTION_TIME_IN_DAYS": 1},
        ("RESOURCE MONITOR", ("SHOP_MONITOR",)): {
            "CREDIT_QUOTA": 1,
            "FREQUENCY": "DAILY",
        },
    }
    for key, options in strangers.items():
        account.things[key] = Thing(*key, dict(options))
    plan = deployed_into(shop, account).plan()
    conflicts = {s.address.name for s in plan.steps if s.action is Action.CONFLICT}
    assert conflicts == {"SHOP_WH", "SHOP_READER", "SHOP_MONITOR"}
    blocked = {s.address.kind for s in plan.steps if s.action is Action.BLOCKED}
    assert {"task", "grant", "role_grant", "alert"} <= blocked
    apply_plan(deployed_into(shop, account), plan)
    apply_plan(
        deployed_into(shop, account), deployed_into(shop, account).plan_destroy()
    )
    for key, options in strangers.items():
        assert account.things[key].options == options


def test_destroy_keeps_bronze_until_it_is_named(shop: Project) -> None:
    account = Account()
    deployment = deployed_into(shop, account)
    apply(deployment)
    account.land("raw/orders/1.csv", "1")
    model = Thing("TABLE", ("SHOP", "GOLD", "SALES"), {}, {"columns": {}})
    account.things["TABLE", model.name] = model
    plan = deployment.plan_destroy()
    kept = {s.address.name: s.why for s in plan.steps if s.action is Action.KEEP}
    assert kept["SHOP.BRONZE.ORDERS__ALL"] == "it is kept: 1 row"
    assert "SALES" in kept["SHOP.GOLD"]
    assert {"SHOP", "SHOP.BRONZE", "SHOP.SNOWMELT"} <= kept.keys()
    apply_plan(deployment, plan)
    left = {key[0] for key in account.things}
    assert left == {"DATABASE", "SCHEMA", "TABLE", "MASKING POLICY"}
    assert not deployment.plan_destroy().acting
    # the rest goes when the database is named, and nothing else does
    account.things["DATABASE", ("OTHER",)] = Thing(
        "DATABASE", ("OTHER",), {"DATA_RETENTION_TIME_IN_DAYS": 1}
    )
    whole = frozenset({at("database", "SHOP")})
    apply_plan(deployment, deployment.plan_destroy(whole))
    assert set(account.things) == {("DATABASE", ("OTHER",))}


def test_destroy_can_be_stopped_anywhere_too(shop: Project) -> None:
    whole = frozenset({at("database", "SHOP")})
    reference = Account()
    apply(deployed_into(shop, reference))
    start = len(reference.statements)
    apply_plan(
        deployed_into(shop, reference),
        deployed_into(shop, reference).plan_destroy(whole),
    )
    for stop_after in range(0, len(reference.statements) - start, 29):
        account = Account()
        deployment = deployed_into(shop, account)
        apply(deployment)
        account.stop_after = len(account.statements) + stop_after
        try:
            apply_plan(deployment, deployment.plan_destroy(whole))
        except Stopped:
            account.stop_after = None
            apply_plan(deployment, deployment.plan_destroy(whole))
        account.stop_after = None
        assert not account.things


def test_drift_says_what_somebody_else_did(shop: Project) -> None:
    account = Account()
    deployment = deployed_into(shop, account)
    apply(deployment)
    account.rows("ALTER WAREHOUSE SHOP_WH SET AUTO_SUSPEND = 3600")
    account.rows("ALTER PIPE SHOP.BRONZE.ORDERS_PIPE SET PIPE_EXECUTION_PAUSED = TRUE")
    account.rows("ALTER TASK SHOP.SNOWMELT.HOURLY SUSPEND")
    account.rows(
        "REVOKE SELECT ON FUTURE VIEWS IN SCHEMA SHOP.GOLD FROM ROLE SHOP_READER"
    )
    account.rows("DROP STREAM IF EXISTS SHOP.BRONZE.ORDERS__NEWS")
    found = {s.address.name: s for s in changed_elsewhere(deployment.plan())}
    assert set(found) == {
        "SHOP_WH",
        "SHOP.BRONZE.ORDERS_PIPE",
        "SHOP.SNOWMELT.HOURLY",
        "SHOP_READER ON FUTURE VIEWS IN SHOP.GOLD",
        "SHOP.BRONZE.ORDERS__NEWS",
    }
    [suspend] = found["SHOP_WH"].differences
    assert (suspend.before, suspend.after) == (3600, 60)
    assert apply(deployment).is_empty


def test_a_missing_privilege_is_told_with_the_grant_that_mends_it(
    shop: Project,
) -> None:
    account = Account()
    account.denied = {"CREATE STORAGE INTEGRATION"}
    deployment = deployed_into(shop, account)
    with pytest.raises(StepError) as told:
        apply(deployment)
    assert "CREATE STORAGE INTEGRATION" in told.value.problem
    assert "Insufficient privileges" in told.value.problem
    assert "GRANT CREATE INTEGRATION ON ACCOUNT TO ROLE" in told.value.remedy
    assert "Apply again" in told.value.remedy
    account.denied = set()
    assert apply(deployment).is_empty


def test_what_may_not_be_looked_at_is_unknown_and_left_alone(shop: Project) -> None:
    account = Account()
    apply(deployed_into(shop, account))
    account.denied = {"SHOW RESOURCE"}
    [unknown] = [s for s in deployed_into(shop, account).plan().steps if s.is_stuck]
    assert (unknown.action, unknown.address.kind) == (
        Action.UNKNOWN,
        "resource_monitor",
    )


def test_what_is_shown_and_may_not_be_read_is_unknown_too(shop: Project) -> None:
    account = account_at("first")
    account.denied = {"DESC TABLE"}
    plan = deployed_into(shop, account).plan()
    unknown = {s.address.name: s for s in plan.steps if s.action is Action.UNKNOWN}
    assert {"SHOP.BRONZE.ORDERS__ALL", "SHOP.SNOWMELT.PIPELINE_LOG"} <= unknown.keys()
    assert "DESC TABLE" in unknown["SHOP.BRONZE.ORDERS__ALL"].why
    assert not plan.acting
    # what may not be read is not dropped with what it is in, either
    before = {key for key in account.things if key[0] == "TABLE"}
    deployment = deployed_into(shop, account)
    for denied in ("DESC TABLE", "SHOW TABLES"):
        account.denied = {denied}
        with suppress(StepError):  # a policy that such a table has is not dropped
            apply_plan(deployment, deployment.plan_destroy())
        assert before <= account.things.keys()
        assert ("SCHEMA", ("SHOP", "BRONZE")) in account.things


def test_what_is_there_unseen_is_not_taken_for_ours(shop: Project) -> None:
    account = Account()
    key = ("STAGE", ("SHOP", "BRONZE", "LANDING"))
    first = deployed_into(shop, account)
    with pytest.raises(StepError):
        account.denied = {"CREATE STAGE"}
        apply(first)
    account.denied = set()
    account.things[key] = Thing(
        *key, {"URL": "s3://theirs/", "STORAGE_INTEGRATION": "X"}
    )
    account.hidden = {key}
    with pytest.raises(StepError, match="it is there, and this role may not see it"):
        apply(first)
    assert account.things[key].options["URL"] == "s3://theirs/"


def test_access_to_the_bucket_is_waited_for_with_a_limit(shop: Project) -> None:
    account = Account()
    account.access = "failure"
    deployment = deployed_into(shop, account)
    with pytest.raises(
        StepError, match="does not reach it: role cannot be assumed"
    ) as told:
        apply(deployment)
    assert told.value.exit_code == UnreachableError.exit_code
    asked = [each for each in account.statements if "VALIDATE_STORAGE" in each]
    assert 5 < len(asked) < 40
    account.access = "success"
    assert apply(deployment).is_empty


def test_an_external_id_that_is_there_is_adopted(shop: Project) -> None:
    account = Account()
    deployment = deployed_into(shop, account)
    apply(deployment)
    integration = account.things["STORAGE INTEGRATION", ("SHOP_S3",)]
    integration.options["STORAGE_AWS_EXTERNAL_ID"] = "theirs"
    assert deployment.plan().is_empty
    outputs = deployment.providers["snowflake"].outputs(
        at("storage_integration", "SHOP_S3")
    )
    assert outputs["external_id"] == "theirs"
    assert outputs["iam_user_arn"].startswith("arn:aws:iam::")
    assert outputs["sns_subscriber_arn"] == outputs["iam_user_arn"]


def test_a_format_of_another_type_is_made_anew_when_it_is_named(
    projects: dict[str, Project], tmp_path: Path
) -> None:
    account = Account()
    apply(deployed_into(projects["first"], account))
    as_csv = EVENTS.replace(
        "{type: json, orient: records}", "{type: csv, parse_header: false}"
    )
    as_csv = as_csv.replace(", path: 'customer.address[0].\"the city\"'", "")
    changed = make_project(
        tmp_path, **{"pipes/events.yml": as_csv.replace(", path: payload", "")}
    )
    plan = deployed_into(changed, account).plan()
    [step] = [s for s in plan.steps if s.address.kind == "file_format"]
    assert step.action is Action.BLOCKED
    words = Words(replace=frozenset({step.address}))
    apply_plan(
        deployed_into(changed, account), deployed_into(changed, account).plan(words)
    )
    assert deployed_into(changed, account).plan().is_empty


def test_a_new_pipe_leaves_alone_what_was_loaded_before_the_project_came(
    shop: Project,
) -> None:
    """With rows or without: a duplicate that was skipped has none in bronze."""
    account = Account()
    account.land("raw/orders/loaded.csv", "1")
    account.land("raw/orders/skipped.csv", "1")
    account.land("raw/orders/new.csv", "2")
    for path in ("loaded", "skipped"):
        account.moved.append(("BRONZE.ORDERS__ALL", f"raw/orders/{path}.csv"))
    account.moved.append(("BRONZE.EVENTS__ALL", "raw/orders/new.csv"))
    deployment = deployed_into(shop, account)
    apply_plan(deployment, deployment.plan())
    assert [path for _, path, _ in account.loads] == ["raw/orders/new.csv"]
