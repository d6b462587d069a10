"""Errands without a service: tokens, dbt Cloud's steps, where a test is written."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.errors import UsageError
from snowmelt.remote import Remote
from snowmelt.serve.dbt_cloud.shapes import offers_of, run_document, wish_of
from snowmelt.serve.errands import (
    ASKED,
    FITTING,
    TEXT_LENGTH_MAX,
    WHATS,
    read_wish,
)
from snowmelt.serve.tokens import Tokens
from snowmelt.serve.users import Role
from snowmelt.service.errands import failing
from snowmelt.transform.graph import Graph, Node

RUN, REBUILD = offers_of(["orders"], has_tasks=False)[:2]
SCHEMA = """version: 2
models:
  - name: other
    columns:
      - name: order_id
        data_tests: [unique]
  - name: orders
    data_tests:
      - shop.no_gaps:
          by: day
    columns:
      - name: order_id
        data_tests:
          - not_null
          - unique
      - name: status
        tests:
          - accepted_values:
              arguments: {values: [open, done]}
"""


def asks(*steps: str) -> tuple[str, dict[str, Any]]:
    wish = wish_of(RUN, {"cause": "a test", "steps_override": list(steps)})
    job = wish["asked"].pop("job")
    assert job == RUN.id
    return wish["what"], wish["asked"]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (["dbt build"], ("run", {})),
        (["dbt seed", "dbt run", "dbt test"], ("run", {})),
        (
            ["dbt run -s orders+ tag:daily"],
            ("run", {"select": ["orders+", "tag:daily"]}),
        ),
        (["dbt run --select=a", "dbt test -m b"], ("run", {"select": ["a", "b"]})),
        (["dbt run -s a", "dbt test"], ("run", {})),
        (["dbt build --full-refresh"], ("rebuild", {})),
    ],
)
def test_steps_of_dbt_are_a_run_or_a_rebuild(
    steps: list[str], wanted: tuple[str, dict[str, Any]]
) -> None:
    assert asks(*steps) == wanted


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "required"),
        ({"cause": ""}, "required"),
        ({"steps_override": []}, "list of dbt commands"),
        ({"steps_override": "dbt build"}, "list of dbt commands"),
        ({"steps_override": ["dbt debug"]}, "no step here"),
        ({"steps_override": ["rm -rf /"]}, "no step here"),
        ({"steps_override": ["dbt run 'a"]}, "no step here"),
        ({"steps_override": ["dbt run --vars x"]}, "no option here"),
        ({"steps_override": ["dbt run orders"]}, "not understood"),
        ({"steps_override": ["dbt run -s a --full-refresh"]}, "on its own"),
        ({"schema_override": "dev"}, "cannot be overridden"),
        ({"git_branch": "main"}, "cannot be overridden"),
    ],
)
def test_what_cannot_be_done_as_asked_is_refused(
    given: dict[str, Any], told: str
) -> None:
    cause = {} if told == "required" else {"cause": "a test"}
    with pytest.raises(UsageError, match=told):
        wish_of(RUN, cause | given)
    with pytest.raises(UsageError, match="takes no steps"):
        wish_of(REBUILD, {"cause": "a test", "steps_override": ["dbt build"]})


def test_an_offer_keeps_its_number_whatever_comes_and_goes() -> None:
    few = {each.name: each.id for each in offers_of(["orders"], has_tasks=False)}
    many = {
        each.name: each.id for each in offers_of(["a", "orders", "z"], has_tasks=True)
    }
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many)


@pytest.mark.parametrize("name", ["run", "rebuild", "refresh orders"])
def test_what_was_triggered_is_a_run_of_that_job_whatever_its_steps(name: str) -> None:
    jobs = offers_of(["orders"], has_tasks=True)
    job = next(each for each in jobs if each.name == name)
    given: dict[str, Any] = {"cause": "a test"}
    if name == "run":
        given["steps_override"] = ["dbt build --full-refresh"]
    wish = wish_of(job, given, {"since": "2026-11-28T13:00:00+00:00"})
    fitting = [each.name for each in jobs if each.fits(wish)]
    assert fitting == [name]
    assert ("since" in wish["asked"]) is (name == "refresh orders")
    # what was asked for otherwise, or before jobs were kept, is as it looks
    by_hand = {"what": wish["what"], "asked": {"pipe": wish["asked"].get("pipe")}}
    looks = [each.name for each in jobs if each.fits(by_hand)]
    assert looks == ["rebuild" if name == "run" else name]


@given(
    what=st.sampled_from(WHATS),
    state=st.sampled_from(["QUEUED", "EXECUTING", "SUCCEEDED", "FAILED", "CANCELLED"]),
    began=st.booleans(),
)
def test_a_run_is_exactly_one_of_what_dbt_cloud_knows(
    what: str, state: str, began: bool
) -> None:
    at = "2026-11-28T13:00:00+00:00"
    has_ended = state in ("SUCCEEDED", "FAILED", "CANCELLED")
    errand = {
        "errand": 7,
        "what": what,
        "asked": {"pipe": "orders"} if what == "refresh" else {},
        "state": state,
        "has_ended": has_ended,
        "run_id": None,
        "cause": "x",
        "problem": None,
        "asked_at": at,
        "began_at": at if began or has_ended else None,
        "ended_at": at if has_ended else None,
    }
    jobs = offers_of(["orders"], has_tasks=True)
    run = run_document(errand, jobs, "http://here")
    words = ("in_progress", "is_success", "is_error", "is_cancelled")
    assert sum(run[word] for word in words) == 1
    assert run["is_complete"] is has_ended
    assert run["job"]["id"] == run["job_definition_id"]


WORDS = st.sampled_from([*WHATS, "", "orders", "\0", "x" * 2000])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*WHATS, "dance"]),
    st.dictionaries(st.sampled_from(sorted({*ASKED, "key", "mood"})), WORDS),
)
def test_a_wish_makes_sense_or_is_refused(what: str, more: dict[str, str]) -> None:
    try:
        wish = read_wish({"what": what, **more})
    except UsageError:
        return
    assert "mood" not in more
    assert all(len(each) <= TEXT_LENGTH_MAX for each in more.values())
    assert wish["what"] in WHATS
    assert set(wish["asked"]) <= set(FITTING[wish["what"]])


def test_a_token_is_good_until_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / ".snowmelt" / "tokens.json"
    tokens, others = Tokens(path), Tokens(path)
    text = tokens.add("airflow", Role.OPERATOR, "2026-01-01T00:00:00+00:00")
    assert text not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = others.identify(text)
    assert found is not None
    assert (found.name, found.role, found.way) == ("airflow", Role.OPERATOR, "token")
    for wrong in (
        text[:-1],
        text + "x",
        f"x{text}",
        "smt_airflow_",
        "smt",
        "",
        "ä_ö_ü",
    ):
        assert others.identify(wrong) is None
    with pytest.raises(UsageError, match="there is a token"):
        others.add("airflow", Role.VIEWER, "2026-01-01T00:00:00+00:00")
    with pytest.raises(UsageError, match="no name"):
        tokens.add("a_b", Role.VIEWER, "2026-01-01T00:00:00+00:00")
    tokens.remove("airflow")
    assert others.identify(text) is None


def test_a_failed_test_is_told_with_the_line_that_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema.yml").write_text(SCHEMA)
    model = Node("model.orders", "orders", "shop.orders", "model", ())
    asked: list[tuple[str, str | None, str | None]] = [
        ("unique", "order_id", None),
        ("accepted_values", "status", None),
        ("no_gaps", None, "shop"),
        ("relationships", "order_id", None),
    ]
    nodes = [
        Node(
            f"test.{kind}",
            kind,
            f"shop.{kind}",
            "test",
            (model.id,),
            path="schema.yml",
            test={
                "kind": kind,
                "of": model.id,
                "namespace": namespace,
                "arguments": {"column_name": column} if column else {},
            },
        )
        for kind, column, namespace in asked
    ]
    graph = Graph([model, *nodes], [])
    monkeypatch.setattr(failing, "project_digest", lambda root: "")
    publication = SimpleNamespace(known_graph=lambda digest: graph)
    parts: Any = SimpleNamespace(
        publication=publication, project=SimpleNamespace(root=tmp_path)
    )
    failures = [
        {"node": kind, "resource_type": "test", "status": "fail", "message": "Got 3"}
        for kind, _, _ in asked
    ]
    found = failing.failed_nodes(parts, failures)
    assert [each["line"] for each in found] == [15, 18, 9, None]
    told = failing.problem_of([], found, None)
    assert told == "test unique (schema.yml:15): Got 3 (and 3 more)"


def test_a_service_that_is_away_is_waited_for_so_long_and_no_longer() -> None:
    remote = Remote("http://nowhere", "a-token", patience=20.0)
    waits = list(remote._waits())
    assert sum(waits) == 20.0
    assert waits[-1] == 0.0
    assert waits[:-1] == sorted(waits[:-1]) or waits[-2] < waits[-3]
    assert "a-token" not in repr(remote)
