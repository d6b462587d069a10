"""Errands: asked for once, done to their end, told of with what failed and where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import Serving, serving, until
from shop import Shop
from small_project import ORDERS, VISITS, Warm
from snowmelt.airflow.landing import land_files
from snowmelt.serve.client import connect_service


def row(number: int, day: int = 1) -> bytes:
    return f"{ORDERS}n{number},c1,aa,open,2.00,2024-02-{day:02d},\n".encode()


def ask(client: httpx.Client, **wish: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/errands", json=wish)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def ended(client: httpx.Client, errand: int) -> dict[str, Any]:
    def look() -> Any:
        found = client.get(f"/api/v1/errands/{errand}").json()["errand"]
        return found if found["has_ended"] else None

    found: dict[str, Any] = until(look, f"errand {errand} does not end")
    return found


def do(client: httpx.Client, **wish: Any) -> dict[str, Any]:
    return ended(client, ask(client, **wish)["errand"]["errand"])


@pytest.fixture(scope="module")
def service(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    root = tmp_path_factory.mktemp("errands") / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    visits = root / "pipes" / "visits.yml"
    visits.write_text(visits.read_text().replace("continue", "skip_file"))
    with serving(root) as running:
        yield running


@pytest.fixture
def client(service: Serving) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


def test_a_run_loads_builds_and_says_what_came_of_it(
    service: Serving, client: httpx.Client
) -> None:
    since = datetime.now(UTC).isoformat()  # noqa: TID251 - the service's clock, too
    Shop(service.root).land_bytes("orders_first.csv", row(1))
    errand = do(client, what="run", cause="a test", since=since)
    assert errand["state"] == "SUCCEEDED", errand
    assert "orders_first.csv" in errand["answer"]["files"]
    spanned = errand["answer"]["load_seqs"]
    loads = client.get("/api/v1/happenings?kinds=loaded").json()["happenings"]
    (own,) = (each for each in loads if each["file"] == "orders_first.csv")
    assert spanned["first"] <= own["load_seq"] <= spanned["last"]
    # a load's time is that of the turn, which may have begun before the file was there
    before = [e["load_seq"] for e in loads if e["at"] < since and e is not own]
    assert before
    assert spanned["first"] > max(before), "what was loaded before is not its own"
    assert errand["answer"]["run"]["run_id"] == errand["run_id"]
    assert errand["who"] == "for-operator"
    with connect_service(service.root / ".snowmelt" / "service.sock") as socket:
        assert socket is not None
        acted = socket.query("select who, door, action from snowmelt.action_log", 9)
    assert acted["rows"] == [["for-operator", "api", "ask_errand"]]


def test_a_key_is_asked_for_once_whatever_became_of_the_answer(
    client: httpx.Client,
) -> None:
    first = ask(client, what="run", key="once")
    again = [ask(client, what="run", key="once") for _ in range(5)]
    assert first["created"] is True
    assert {each["created"] for each in again} == {False}
    assert {each["errand"]["errand"] for each in again} == {first["errand"]["errand"]}
    refused = client.post("/api/v1/errands", json={"what": "rebuild", "key": "once"})
    assert refused.status_code == 422
    assert "asks for something else" in refused.json()["error"]["problem"]


def test_a_file_that_fails_is_named_with_its_line(
    service: Serving, client: httpx.Client
) -> None:
    since = datetime.now(UTC).isoformat()  # noqa: TID251 - the service's clock, too
    bad = f"{VISITS}1,c1,2\n2,c1,many\n"
    Shop(service.root).land_bytes("visits_broken.csv", bad.encode())
    until(
        lambda: client.get("/api/v1/arrived?pipe=visits").json()["failed"],
        "the service does not look at it by itself",
    )
    assert do(client, what="refresh", pipe="visits")["state"] == "SUCCEEDED"
    errand = do(client, what="refresh", pipe="visits", since=since)
    assert errand["state"] == "FAILED"
    (failed,) = errand["answer"]["failed_loads"]
    assert (failed["file"], failed["line"]) == ("visits_broken.csv", 3)
    assert errand["problem"].startswith("visits_broken.csv:3: pages: ")
    arrived = client.get("/api/v1/arrived?pipe=visits&name=visits_br*.csv").json()
    assert (arrived["loaded"], arrived["failed"]) == (0, 1)
    told = Shop(service.root)("errands", "--state", "failed")
    assert f"errand {errand['errand']}: visits_broken.csv:3: pages: " in told.stderr
    (listed,) = Shop(service.root)("errands", "--limit", "1", "--json").document[
        "errands"
    ]
    assert (listed["errand"], listed["state"]) == (errand["errand"], "FAILED")
    (service.root / "landing" / "visits_broken.csv").unlink()


def test_files_that_come_again_as_they_were_have_arrived(
    service: Serving, client: httpx.Client, tmp_path: Path
) -> None:
    landing = str(service.root / "landing")
    for number in range(2):
        path = tmp_path / f"orders_day_{number}.csv"
        path.write_bytes(row(40 + number))
        os.utime(path, (0, 0))  # a copy keeps the time of what it is a copy of

    def arrived(landed: dict[str, Any]) -> int:
        given = {"pipe": "orders", "since": landed["since"]}
        count: int = client.get("/api/v1/arrived", params=given).json()["loaded"]
        return count

    first = land_files(str(tmp_path), landing)
    assert first["files"] == ["orders_day_0.csv", "orders_day_1.csv"]
    until(lambda: arrived(first) == 2, "they are not loaded")
    before = client.get("/api/v1/happenings?after=now").json()["next"]
    again = land_files(str(tmp_path), landing)
    assert again["since"] > first["since"]
    until(lambda: arrived(again) == 2, "what is known does not count")
    happened = client.get("/api/v1/happenings", params={"after": before}).json()
    assert "loaded" not in [each["kind"] for each in happened["happenings"]]
    # a day that lands nothing waits for what comes after it
    (tmp_path / "empty").mkdir()
    nothing = land_files(str(tmp_path / "empty"), landing)
    assert (nothing["files"], arrived(nothing)) == ([], 0)


def test_a_refresh_of_what_is_paused_fails_and_a_run_tells_of_it(
    service: Serving, client: httpx.Client
) -> None:
    shop = Shop(service.root)
    assert shop("pause", "visits").code == 0
    shop.land_bytes("visits_paused.csv", f"{VISITS}71,c1,2\n".encode())
    try:
        for asked, told in (
            ({"pipe": "visits"}, "pipe visits is paused: its files wait"),
            ({"prefix": "visits_pau"}, "visits_paused.csv: pipe visits is paused"),
        ):
            errand = do(client, what="refresh", **asked)
            assert (errand["state"], errand["answer"]["paused"]) == (
                "FAILED",
                ["visits"],
            )
            assert errand["problem"].startswith(told)
            assert errand["problem"].endswith("Resume it: snowmelt resume visits")
        others = [{"what": "refresh", "prefix": "orders_"}, {"what": "run"}]
        for wish in others:
            errand = do(client, **wish)
            assert errand["state"] == "SUCCEEDED", errand
            assert errand["answer"]["paused"] == ["visits"]
            assert errand["answer"]["settling"] == []
    finally:
        assert shop("resume", "visits").code == 0
    errand = do(client, what="refresh", pipe="visits")
    assert (errand["state"], errand["answer"]["paused"]) == ("SUCCEEDED", [])
    arrived = client.get("/api/v1/arrived?pipe=visits&name=visits_paused.csv").json()
    assert arrived["loaded"] == 1


def test_a_job_tells_of_what_failed_since_it_ran_and_where_it_is_seen(
    service: Serving, client: httpx.Client
) -> None:
    def triggered(job: int, **headers: str) -> tuple[dict[str, Any], dict[str, Any]]:
        runs = "/api/v2/accounts/1"
        path, cause = f"{runs}/jobs/{job}/run/", {"cause": "a test"}
        asked = client.post(path, json=cause, headers=headers).json()["data"]
        ended(client, asked["id"])
        return asked, client.get(f"{runs}/runs/{asked['id']}/").json()["data"]

    jobs = client.get("/api/v2/accounts/1/jobs/").json()["data"]
    refresh = next(each["id"] for each in jobs if each["name"] == "refresh visits")
    assert [triggered(job)[1]["status"] for job in (1, refresh)] == [10, 10]
    bad = f"{VISITS}1,c1,2\n2,c1,several\n"
    Shop(service.root).land_bytes("visits_several.csv", bad.encode())
    until(
        lambda: client.get("/api/v1/arrived?pipe=visits&name=*several*").json()[
            "failed"
        ],
        "the service does not look at it by itself",
    )
    for job in (1, refresh):
        asked, run = triggered(job, **{"x-forwarded-proto": "https"})
        assert run["job_definition_id"] == job
        assert run["status_message"].startswith("visits_several.csv:3: pages: ")
        assert run["status"] == 20
        # a name of ours, and a proxy that says how it is asked
        assert asked["href"].startswith("https://127.0.0.1:")
        # who tries again has not mended it
        assert [triggered(job)[1]["status"] for _ in range(2)] == [20, 20]
    (service.root / "landing" / "visits_several.csv").unlink()
    assert [triggered(job)[1]["status"] for job in (1, refresh)] == [10, 10]
    _, run = triggered(1)
    assert run["href"] == f"{service.url}/errands/{run['id']}"
    seen = client.get(run["href"])
    leads_to = f"/runs/{run['snowmelt_run_id']}" if run["snowmelt_run_id"] else "/runs"
    assert (seen.status_code, seen.headers["location"]) == (307, leads_to)
    assert client.get(leads_to).status_code == 200
    with service.client(service.viewer) as viewer:
        assert viewer.get(run["href"]).headers["location"] == "/runs"


@pytest.mark.long
def test_a_selection_is_dbts_and_says_how_each_of_it_stands(
    client: httpx.Client,
) -> None:
    errand = do(client, what="run", select=["orders+"])
    assert errand["state"] == "SUCCEEDED", errand
    assert "orders" in [each["node"] for each in errand["answer"]["selected"]]
    nothing = do(client, what="run", select=["no_such_model"])
    assert nothing["state"] == "FAILED"
    assert "no_such_model" in nothing["problem"]


def test_what_happened_is_told_once_and_in_order(
    service: Serving, client: httpx.Client
) -> None:
    start = client.get("/api/v1/happenings?after=now").json()
    assert start["happenings"] == []
    for number in range(3):
        Shop(service.root).land_bytes(f"orders_told_{number}.csv", row(10 + number))
        assert do(client, what="run")["state"] == "SUCCEEDED"
    told: list[dict[str, Any]] = []
    position = start["next"]
    while True:
        given = {"after": position, "limit": 1}
        page = client.get("/api/v1/happenings", params=given).json()
        told += page["happenings"]
        position = page["next"]
        if not page["more"]:
            break
    assert {each["table"] for each in told if each["kind"] == "loaded"} == {"orders"}
    files = [each["file"] for each in told if each["kind"] == "loaded"]
    assert files == [f"orders_told_{number}.csv" for number in range(3)]
    assert len({each["id"] for each in told}) == len(told)
    assert [each["kind"] for each in told].count("published") >= 1
    whole = client.get("/api/v1/happenings", params={"after": start["next"]}).json()
    assert [each["id"] for each in whole["happenings"]] == [e["id"] for e in told]
    loads = {"after": start["next"], "kinds": "loaded", "pipe": "orders"}
    only = client.get("/api/v1/happenings", params=loads).json()
    assert [each["file"] for each in only["happenings"]] == files


def test_viewers_see_what_happened_and_ask_for_nothing(service: Serving) -> None:
    with service.client(service.viewer) as viewer:
        told = viewer.get("/api/v1/happenings?kinds=load_failed")
        assert told.status_code == 200
        assert all("problem" not in each for each in told.json()["happenings"])
        assert viewer.post("/api/v1/errands", json={"what": "run"}).status_code == 403
        assert viewer.get("/api/v1/errands/1").status_code == 403
    with service.client("smt_for-operator_wrong") as stranger:
        assert stranger.get("/api/v1/happenings").status_code == 401


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({}, "say what is to be done"),
        ({"what": "dance"}, "say what is to be done"),
        ({"what": "run", "pipe": "orders"}, "'run' takes select, since"),
        ({"what": "refresh", "pipe": "ordres"}, "no such pipe"),
        ({"what": "run", "select": [""]}, "write selectors"),
        ({"what": "run", "since": "yesterday"}, "yesterday"),
        ({"what": "run", "mood": 1}, "there is no such argument"),
        ({"what": "tasks"}, "snowmelt.yml has none"),
        ({"what": "run", "key": "k" * 501}, "more than 500"),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: httpx.Client, wish: dict[str, Any], told: str
) -> None:
    answer = client.post("/api/v1/errands", json=wish)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["error"]["problem"]


@pytest.mark.long
def test_a_rebuild_can_be_cancelled_and_gold_stays(client: httpx.Client) -> None:
    before = client.get("/api/v1/happenings?after=now").json()["next"]
    errand = ask(client, what="rebuild")["errand"]["errand"]
    until(
        lambda: client.get(f"/api/v1/errands/{errand}").json()["errand"]["began_at"],
        "it does not begin",
    )
    answer = client.post(f"/api/v1/errands/{errand}/cancel", json={"reason": "no"})
    assert answer.status_code == 200
    found = ended(client, errand)
    if found["state"] == "SUCCEEDED":
        pytest.skip("it was over before it was cancelled")
    assert found["state"] == "CANCELLED"
    assert found["problem"] == "for-operator cancelled it: no"
    since = client.get("/api/v1/happenings", params={"after": before}).json()
    assert "published" not in [each["kind"] for each in since["happenings"]]
    assert client.post("/api/v1/errands/99999/cancel", json={}).status_code == 404


@pytest.mark.long
@pytest.mark.parametrize("what", ["run", "rebuild"])
def test_a_killed_service_goes_on_with_what_it_was_asked(
    warm: Warm, tmp_path: Path, what: str
) -> None:
    root = tmp_path / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    with serving(root) as first, first.client() as client:
        ask(client, what=what, key="of a try that lost its worker")
        first.kill()
    Shop(root).land_bytes("orders_meanwhile.csv", row(77))
    with serving(root) as second, second.client() as client:
        asked = ask(client, what=what, key="of a try that lost its worker")
        assert asked["created"] is False
        found = ended(client, asked["errand"]["errand"])
        assert found["state"] == "SUCCEEDED", found
        listed = client.get("/api/v1/errands").json()["errands"]
        assert [each["key"] for each in listed] == [found["key"]]


@pytest.mark.long
def test_a_test_that_fails_is_named_with_the_line_that_asks_for_it(
    warm: Warm, tmp_path: Path
) -> None:
    root = tmp_path / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    path = root / "models" / "gold" / "_gold.yml"
    asked = "accepted_values:\n              arguments: {values: [nothing]}"
    wanted = f"      - name: status\n        data_tests:\n          - {asked}\n"
    before = "      - name: customer_id\n        data_tests:\n"
    path.write_text(path.read_text().replace(before, wanted + before, 1))
    line = 1 + path.read_text().splitlines().index("          - accepted_values:")
    with serving(root) as running, running.client() as client:
        errand = do(client, what="run")
    assert errand["state"] == "FAILED"
    assert f"(models/gold/_gold.yml:{line}): Got " in errand["problem"]
    assert "rows" not in errand["answer"]["run"]["failures"][0]
