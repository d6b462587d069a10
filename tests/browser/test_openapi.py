"""The OpenAPI document is true: every answer is one that it names, and never a 5xx."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from seen_project import Served, until

from snowmelt.pipe.history import COLUMNS
from snowmelt.serve.openapi import openapi_document
from snowmelt.serve.records import LOAD
from snowmelt.serve.schemas import ANSWERS
from snowmelt.serve.web_api import ACTS, READS

PLAIN: dict[str, dict[str, Any]] = {
    "why": {"target": "orders_1.csv"},
    "dashboard": {"name": "sales"},
    "board": {"name": "sales"},
    "file": {"load": 1},
    "task_detail": {"task": "report"},
    "deliveries": {"sink": "broken"},
    "table": {"name": "gold.by_region"},
    "profile": {"name": "gold.by_region"},
    "quality_test": {"test": "unique_orders_order_id"},
}
NO_HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much]
NOT_CHECKED = [ignored_auth, positive_data_acceptance]
"""Our headers are those of a session whatever it tries; and of names that fit the
schema there are more than things that have them: then 422 says so."""
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 415, 422, 428, 429, 431]
"""How what does not fit is refused: 431 is said of an address that is too long."""
SLOW = "/api/v1/(run|rebuild|audit|refresh|reload|replay|task_run|task_retry|errands)$"
"""What builds for seconds each time that it is asked."""


def make_schema(*, coverage: bool) -> Any:
    config = schemathesis.Config.from_dict(
        {
            "phases": {"coverage": {"enabled": coverage}},
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        }
    )
    schema = schemathesis.openapi.from_dict(openapi_document(), config=config)
    return schema.exclude(path_regex=SLOW)


short, whole = make_schema(coverage=False), make_schema(coverage=True)


def test_every_verb_has_a_schema_and_a_record_has_every_column() -> None:
    assert set(ANSWERS) == set(READS) | set(ACTS)
    assert set(LOAD["properties"]) == {name for name in COLUMNS if name != "header"}


@pytest.mark.parametrize("verb", sorted(READS))
def test_what_is_read_is_what_the_document_says(
    served: Served, owner: httpx.Client, verb: str
) -> None:
    given = dict(PLAIN.get(verb, {}))
    if verb == "run_detail":
        given = {"run": owner.get("/api/v1/shell").json()["run_id"]}
    if verb == "graph_run":
        with served.socket() as service:
            begun = service.task_run("fetch", None)["graph_run"]
        given = {"group": begun["graph_run_group_id"]}
    if verb == "alert":
        until(lambda: opened(owner), "no alert")
        given = {"alert": opened(owner)[0]["alert_id"]}
    answer = owner.get(f"/api/v1/{verb}", params=given)
    assert answer.status_code == 200, answer.text
    validator = jsonschema_rs.validator_for(ANSWERS[verb])
    found = [str(error) for error in validator.iter_errors(answer.json())]
    assert not found, found[:3]


def opened(owner: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = owner.get("/api/v1/alert_board").json()["open"]
    return found


@pytest.fixture(scope="session")
def session_headers(served: Served) -> dict[str, str]:
    with served.client() as client:
        token = re.search(r'value="([0-9a-f]{64})"', client.get("/").text)
        cookies = dict(client.cookies)
    assert token is not None
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRF-Token": token[1],
    }


def ask(case: Any, served: Served, headers: dict[str, str]) -> None:
    answer = case.call(base_url=served.url, headers=headers)
    case.validate_response(answer, headers=headers, excluded_checks=NOT_CHECKED)


@short.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=4, suppress_health_check=NO_HEALTH)
def test_whatever_is_asked(
    case: Any, served: Served, session_headers: dict[str, str]
) -> None:
    ask(case, served, session_headers)


@pytest.mark.long
@whole.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=100, suppress_health_check=NO_HEALTH)
def test_whatever_is_asked_at_length(
    case: Any, served: Served, session_headers: dict[str, str]
) -> None:
    ask(case, served, session_headers)
