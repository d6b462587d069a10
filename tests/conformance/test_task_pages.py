"""What the pages of tasks say is what is on record: runs, attempts, states, paging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from task_project import World, open_world

from snowmelt.errors import UsageError

TASKS = {
    "root": {"shell": "true", "timeout": "5m"},
    "left": {"after": "root", "shell": "test -e good || { echo no; exit 3; }"},
    "right": {"after": "root", "when": "stream_has_data(orders)", "shell": "true"},
    "last": {"after": "left", "shell": "echo done"},
    "end": {"finalize": "root", "shell": "true"},
}


def board(world: World) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = world.verbs.task_board(None, None, None, 50)[
        "graph_runs"
    ]
    return runs


def test_a_run_is_shown_with_its_attempts_and_where_each_task_stands(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, TASKS) as world:
        found = world.verbs.task_board(None, None, None, 50)
        (condition,) = found["conditions"]
        assert (condition["task"], condition["holds"]) == ("right", False)
        assert found["graph_runs"] == []
        assert world.run()["graph"] == "FAILED"
        (world.root / "good").touch()
        retried = world.verbs.task_retry(None)
        assert [each["state"] for each in retried["attempts"]] == [
            "FAILED",
            "SUCCEEDED",
        ]
        (run,) = board(world)
        assert (run["state"], run["attempts"]) == ("SUCCEEDED", 2)
        assert run["first_error_task_name"] is None, "of the newest attempt"
        tasks = {each["name"]: each for each in run["tasks"]}
        assert list(tasks) == ["root", "left", "right", "last", "end"]
        assert {name: each["attempt_number"] for name, each in tasks.items()} == {
            "root": 1,
            "left": 2,
            "right": 1,
            "last": 2,
            "end": 2,
        }
        assert tasks["right"]["state"] == "SKIPPED"
        detail = world.verbs.graph_run(str(run["graph_run_group_id"]))
        assert [each["attempt_number"] for each in detail["attempts"]] == [1, 2]
        assert detail["attempts"][0]["first_error_task_name"] == "left"
        told = world.verbs.task_detail("left", None, None, 50)
        assert [each["state"] for each in told["task_runs"]] == ["SUCCEEDED", "FAILED"]
        assert told["task"]["last_state"] == "SUCCEEDED"
        assert told["definition"].startswith("left:\n  after: root\n  shell: test -e")
        assert (told["before_it"], told["after_it"]) == (["root"], ["last"])


def test_a_root_that_is_tried_again_stands_as_its_last_attempt_did(
    tmp_path: Path,
) -> None:
    tasks = {
        "root": {"shell": "test -e good"},
        "then": {"after": "root", "shell": "true"},
    }
    with open_world(tmp_path, tasks) as world:
        assert world.run()["graph"] == "FAILED"
        (world.root / "good").touch()
        world.verbs.task_retry(None)
        states = {
            each["name"]: each["last_state"] for each in world.verbs.tasks()["tasks"]
        }
        assert states == {"root": "SUCCEEDED", "then": "SUCCEEDED"}


def test_every_run_is_on_exactly_one_page_whatever_is_filtered(
    tmp_path: Path,
) -> None:
    with open_world(
        tmp_path, TASKS | {"left": {"after": "root", "shell": "true"}}
    ) as world:
        write_runs(world, 57)
        for chosen in ({}, {"state": "failed"}, {"task": "left", "state": "FAILED"}):
            seen: list[str] = []
            before = None
            while True:
                page = world.verbs.task_board(
                    chosen.get("task"), chosen.get("state"), before, 10
                )
                seen += [each["graph_run_group_id"] for each in page["graph_runs"]]
                before = page["next"]
                if before is None:
                    break
            wanted = [f"run-{n:03d}" for n in range(57)]
            if chosen:
                wanted = [name for n, name in enumerate(wanted) if n % 3 == 0]
            assert sorted(seen) == wanted
        runs: list[str] = []
        before = None
        while True:
            told = world.verbs.task_detail("left", None, before, 10)
            runs += [each["task_run_id"] for each in told["task_runs"]]
            before = told["next"]
            if before is None:
                break
        assert sorted(runs) == sorted(f"left-{n:03d}" for n in range(57))


def write_runs(world: World, count: int) -> None:
    """Put runs on record, several at one instant; each third one failed."""
    with world.loop.parts.warehouse.session() as session:
        session.execute(
            "insert into snowmelt.task_graph_runs by name select "
            "format('run-{:03d}', n) as graph_run_group_id, 1 as attempt_number, "
            "'root' as root_name, 1 as graph_version, "
            "case when n % 3 = 0 then 'FAILED' else 'SUCCEEDED' end as state, "
            "'SCHEDULE' as scheduled_from, moment as scheduled_time, "
            "moment as started_at, "
            "moment as ended_at, '{}' as config, 0 as read_through "
            "from (select n, timestamptz '2026-11-01' + (n // 4) * interval 1 hour "
            f"as moment from range({count}) as all_of(n))"
        )
        session.execute(
            "insert into snowmelt.task_runs by name select "
            "format('left-{:03d}', n) as task_run_id, "
            "format('run-{:03d}', n) as graph_run_group_id, 1 as attempt_number, "
            "'left' as name, 'root' as root_name, 'shell' as kind, '' as query_text, "
            "case when n % 3 = 0 then 'FAILED' else 'SUCCEEDED' end as state, "
            "moment as scheduled_time, moment as query_start_time, "
            "moment as completed_time, "
            "1 as graph_version, moment as graph_scheduled_time, "
            "'SCHEDULE' as scheduled_from "
            "from (select n, timestamptz '2026-11-01' + (n // 4) * interval 1 hour "
            f"as moment from range({count}) as all_of(n))"
        )


def test_what_is_not_there_is_said_and_what_is_not_waited_for_needs_a_service(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, TASKS) as world:
        with pytest.raises(UsageError, match="no such graph run"):
            world.verbs.graph_run("nope")
        with pytest.raises(UsageError, match="no such task"):
            world.verbs.task_detail("nope", None, None, 5)
        with pytest.raises(UsageError, match="One of: SCHEDULED"):
            world.verbs.task_board(None, "odd", None, 5)
        with pytest.raises(UsageError, match="no service runs"):
            world.verbs.task_run("root", None, wait=False)
