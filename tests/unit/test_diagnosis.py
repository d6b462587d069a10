"""What SYSTEM$PIPE_STATUS tells, and what a person is told to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipped import make_project
from snowmelt.deploy.diagnosis.check import Asking, Check
from snowmelt.deploy.diagnosis.pipes import check_pipe
from snowmelt.deploy.diagnosis.places import check_clock, check_quota, check_warehouse
from snowmelt.deploy.harvest.scope import Scope, scope_of
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.snowflake.session import AccountError, Row

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PIPE = "SHOP.BRONZE.ORDERS_PIPE"
WELL = {
    "executionState": "RUNNING",
    "pendingFileCount": 0,
    "notificationChannelName": "arn:aws:sqs:eu-central-1:1:sf",
    "lastReceivedMessageTimestamp": "2026-06-01T11:58:00.000Z",
    "lastForwardedMessageTimestamp": "2026-06-01T11:57:00.000Z",
    "lastForwardedFilePath": "orders/1.csv",
}


class Answers:
    """A session that answers by a part of what it is asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def rows(self, statement: str) -> list[Row]:
        for part, answer in self.answers.items():
            if part in statement:
                if isinstance(answer, str):
                    raise AccountError(statement, 3001, answer)
                return list(answer)
        return []


@pytest.fixture(scope="module")
def scope(tmp_path_factory: pytest.TempPathFactory) -> Scope:
    project = make_project(Path(tmp_path_factory.mktemp("shop")))
    return scope_of(project, names_of(project, "prod"))


def looked(
    scope: Scope, look: Callable[[Asking], list[Check]], **answers: Any
) -> list[Check]:
    return look(Asking(Answers(**answers), scope))


def of_pipe(scope: Scope, **status: Any) -> dict[str, Check]:
    told = {k: v for k, v in (WELL | status).items() if v is not None}
    [orders] = [each for each in scope.pipes if each.name == "orders"]
    found = looked(
        scope,
        lambda ask: check_pipe(ask, orders, NOW),
        PIPE_STATUS=[{"status": json.dumps(told)}],
    )
    return {each.name: each for each in found}


def test_a_pipe_that_is_well_passes(scope: Scope) -> None:
    found = of_pipe(scope)
    assert {each.level for each in found.values()} == {"pass"}
    assert found["path"].found == "orders/1.csv 3 minutes ago"
    assert all(each.statement for each in found.values())


@pytest.mark.parametrize(
    ("state", "mends"),
    [
        ("PAUSED", f"ALTER PIPE {PIPE} SET PIPE_EXECUTION_PAUSED = FALSE"),
        ("STOPPED_STAGE_DROPPED", "snowmelt deploy apply"),
        ("STOPPED_FILE_FORMAT_DROPPED", "snowmelt deploy apply"),
        ("STALLED_STAGE_PERMISSION_ERROR", "snowmelt deploy access"),
        ("STALLED_COMPILATION_ERROR", "snowmelt deploy plan"),
        ("STOPPED_CLONED", "snowmelt deploy plan"),
    ],
)
def test_every_state_but_running_fails_with_what_mends_it(
    scope: Scope, state: str, mends: str
) -> None:
    found = of_pipe(scope, executionState=state, error="why")["pipe"]
    assert (found.level, found.found) == ("fail", f"{state}: why")
    assert mends in found.remedy


def test_a_pipe_that_was_paused_too_long_has_to_be_forced(scope: Scope) -> None:
    long_ago = (NOW - timedelta(days=15)).isoformat()
    found = of_pipe(
        scope, executionState="PAUSED", lastReceivedMessageTimestamp=long_ago
    )
    assert "SYSTEM$PIPE_FORCE_RESUME" in found["pipe"].remedy


@pytest.mark.parametrize(
    ("status", "name", "level", "found"),
    [
        ({"notificationChannelName": None}, "notification", "fail", "no queue"),
        ({"channelErrorMessage": "denied"}, "queue", "fail", "denied"),
        (
            {"lastReceivedMessageTimestamp": None},
            "notification",
            "warn",
            "no message has come yet",
        ),
        (
            {"lastForwardedMessageTimestamp": None},
            "path",
            "warn",
            "none was of a file below the pipe's path",
        ),
        (
            {"pendingFileCount": 3, "oldestFileTimestamp": "2026-06-01T10:00:00Z"},
            "pending",
            "warn",
            "3 files wait, the oldest 2 hours ago",
        ),
    ],
)
def test_a_step_that_is_missing_is_the_one_that_is_told(
    scope: Scope, status: dict[str, Any], name: str, level: str, found: str
) -> None:
    check = of_pipe(scope, **status)[name]
    assert check.level == level
    assert found in check.found
    assert check.remedy


def test_of_a_pipe_with_others_older_files_are_no_sign(scope: Scope) -> None:
    old = {"lastForwardedMessageTimestamp": "2026-06-01T08:00:00Z"}
    assert of_pipe(scope, **old)["path"].level == "pass"
    [orders] = [each for each in scope.pipes if each.name == "orders"]
    found = of_pipe(replace(scope, pipes=(orders,)), **old)["path"]
    assert found.level == "warn"
    assert found.found == "messages are newer: orders/1.csv 4 hours ago"


def test_a_warehouse_that_does_not_resume_is_resumed_by_hand(scope: Scope) -> None:
    row = {"name": "SHOP_WH", "state": "SUSPENDED", "auto_resume": "false"}
    [found] = looked(scope, check_warehouse, WAREHOUSES=[row])
    assert found.remedy == "ALTER WAREHOUSE SHOP_WH RESUME IF SUSPENDED"
    [found] = looked(scope, check_warehouse, WAREHOUSES=[row | {"auto_resume": "true"}])
    assert found.level == "pass"


@pytest.mark.parametrize(
    ("used", "level"), [("1", "pass"), ("45", "warn"), ("50", "fail"), ("60", "fail")]
)
def test_a_quota_that_is_used_up_is_told_before_and_after(
    scope: Scope, used: str, level: str
) -> None:
    row = {"name": "SHOP_MONITOR", "credit_quota": "50.00", "used_credits": used}
    [found] = looked(scope, check_quota, MONITORS=[row])
    assert found.level == level


def test_clocks_that_differ_are_told(scope: Scope) -> None:
    answers = {"CURRENT_TIMESTAMP": [{"now": NOW + timedelta(minutes=3)}]}
    [found] = looked(scope, lambda ask: check_clock(ask, NOW), **answers)
    assert (found.level, "180.0 s" in found.found) == ("warn", True)


@pytest.mark.parametrize(
    ("message", "mends"),
    [
        (
            "Insufficient privileges to operate on pipe",
            f"GRANT MONITOR ON PIPE {PIPE} TO ROLE ACCOUNTADMIN",
        ),
        (
            "Warehouse 'SHOP_WH' cannot be resumed because resource monitor "
            "'SHOP_MONITOR' has exceeded its quota; it is suspended",
            "ALTER WAREHOUSE SHOP_WH RESUME IF SUSPENDED",
        ),
        ("Object does not exist or not authorized", "If it is not there: snowmelt"),
        ("too many requests", "Wait a little and ask again"),
    ],
)
def test_what_the_account_refuses_is_a_finding_with_its_way(
    scope: Scope, message: str, mends: str
) -> None:
    [orders] = [each for each in scope.pipes if each.name == "orders"]
    found = looked(scope, lambda ask: check_pipe(ask, orders, NOW), PIPE_STATUS=message)
    assert found[0].level == "fail"
    assert found[0].found.startswith("003001: ")
    assert mends in found[0].remedy
