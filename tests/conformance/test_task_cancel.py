"""A graph run that is under way is cancelled: what is stopped, kept, and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from task_project import World, open_world
from test_tasks import shell, until_gone

from snowmelt.errors import UsageError
from snowmelt.transform.tasks.attempt import Attempt, Publishing, TaskState, Verdict
from snowmelt.transform.tasks.graph import TaskGraph

SLEEPS = 'echo $$ > "$SNOWMELT_TASK.pid"; exec sleep 300'
LONG = "select count(*) from range(100000000) a, range(100000000) b"


def at_work(world: World, *names: str) -> bool:
    """Are these tasks at work, and nothing else?"""
    return {n for run in world.tasks.runner.runs for n in run.at_work} == set(names)


def begin(world: World, *names: str) -> str:
    """Begin a graph run; return its id once these tasks are at work."""
    group_id = world.tasks.execute(world.tasks.graph.root, None)
    world.turn_until(lambda: at_work(world, *names))
    return group_id


def states(world: World, group_id: str) -> dict[str, Any]:
    rows = world.rows(
        "select name, state from snowmelt.task_runs where graph_run_group_id = $1 "
        "order by attempt_number",
        [group_id],
    )
    (graph,) = world.rows(
        "select list(state order by attempt_number) from snowmelt.task_graph_runs "
        "where graph_run_group_id = $1",
        [group_id],
    )
    return dict(rows) | {"graph": graph[0]}


def until_written(world: World, *names: str) -> list[int]:
    """Return the process ids of programs once all have told theirs."""
    paths = [world.root / f"{name}.pid" for name in names]
    world.turn_until(lambda: all(p.exists() and p.read_text() for p in paths))
    return [int(path.read_text()) for path in paths]


def test_what_is_at_work_ends_and_nothing_else_begins(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true", auto_retry_attempts=2, suspend_after_failures=1),
        "a": shell(SLEEPS, "root"),
        "b": shell(SLEEPS, "root"),
        "after": shell("true", "a"),
        "tidy": {"finalize": "root", "shell": "true"},
    }
    with open_world(tmp_path, tasks) as world:
        group_id = begin(world, "a", "b")
        pids = until_written(world, "a", "b")
        document = world.verbs.task_cancel(None, "the files are wrong")
        (told,) = document["cancelled"]
        assert (told["graph_run_group_id"], told["tasks"]) == (group_id, ["a", "b"])
        world.verbs.task_cancel(None, "who says it again is not heard")
        world.turn_to_rest()
        for pid in pids:
            until_gone(pid)
        assert states(world, group_id) == {
            "root": "SUCCEEDED",
            "a": "CANCELLED",
            "b": "CANCELLED",
            "tidy": "SUCCEEDED",
            "graph": ["CANCELLED"],  # it is not tried again of itself
        }
        told = "cancelled by a person: the files are wrong"
        assert world.row("a")["error_message"] == told
        assert not world.tasks.standings["root"].suspended, "it is no failure"
        (run,) = world.rows(
            "select cause, first_error_message from snowmelt.task_graph_runs"
        )
        assert run == ("cancelled", told)
        with pytest.raises(UsageError, match="none is under way"):
            world.verbs.task_cancel(None, None)


def test_a_person_may_retry_what_was_cancelled(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true"),
        "a": shell(f"test -e go || {{ {SLEEPS}; }}", "root"),
        "b": shell("true", "a"),
    }
    with open_world(tmp_path, tasks) as world:
        group_id = begin(world, "a")
        world.verbs.task_cancel(group_id, None)
        world.turn_to_rest()
        assert states(world, group_id)["graph"] == ["CANCELLED"]
        (tmp_path / "go").touch()
        document = world.verbs.task_retry(None)
        assert document["graph_run"]["state"] == "SUCCEEDED"
        assert states(world, group_id) == {
            "root": "SUCCEEDED",
            "a": "SUCCEEDED",
            "b": "SUCCEEDED",
            "graph": ["CANCELLED", "SUCCEEDED"],
        }


def test_what_was_built_is_rolled_back(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true"),
        "model": {"after": "root", "dbt": {"select": "model"}},
        "look": {"after": "model", "sql": "long.sql"},
        "gold": {"after": "look", "dbt": {"select": "gold"}},
    }
    with open_world(tmp_path, tasks, {"long.sql": LONG}) as world:
        group_id = begin(world, "look")
        world.verbs.task_cancel("root", None)
        world.turn_to_rest()
        assert states(world, group_id) == {
            "root": "SUCCEEDED",
            "model": "CANCELLED",
            "look": "CANCELLED",
            "graph": ["CANCELLED"],
        }
        assert world.visible() == []
        ended = "select state from snowmelt.run_history"
        world.turn_until(lambda: world.rows(ended) == [("FAILED",)])


def test_what_waits_to_be_published_is_rolled_back(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true"),
        "model": {"after": "root", "dbt": {"select": "model"}},
        "slow": shell(SLEEPS, "root"),
        "gold": {"after": ["model", "slow"], "dbt": {"select": "gold"}},
    }
    with open_world(tmp_path, tasks) as world:
        group_id = begin(world, "slow")
        world.turn_until(lambda: bool(world.tasks.runner.runs[0].attempt.built))
        world.verbs.task_cancel(None, "not today")
        world.turn_to_rest()
        found = states(world, group_id)
        assert (found["model"], found["slow"]) == ("CANCELLED", "CANCELLED")
        assert "gold" not in found
        assert world.visible() == []
        reason = world.rows("select error from snowmelt.run_history")
        assert "not today" in reason[0][0]


@pytest.mark.parametrize("killed", [False, True])
def test_a_process_that_takes_over_goes_on_with_cancelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    tasks = {
        "root": shell("true", auto_retry_attempts=1, suspend_after_failures=1),
        "a": shell(SLEEPS, "root"),
        "after": shell("true", "a"),
    }
    with open_world(tmp_path, tasks) as world:
        group_id = begin(world, "a")
        world.verbs.task_cancel(None, None)  # and ends before anything came of it
        if killed:
            monkeypatch.setattr(world.tasks.runner, "collect", lambda _: None)
    with open_world(tmp_path, tasks) as world:
        (row,) = world.rows("select cause, ended_at from snowmelt.task_graph_runs")
        assert row == ("cancelled", None)
        world.serve()
        world.turn_to_rest()
        found = states(world, group_id)
        assert found["graph"] == ["CANCELLED"], "and it is not tried again"
        assert found["a"] == ("FAILED" if killed else "CANCELLED")
        assert "after" not in found
        assert not world.tasks.standings["root"].suspended


def test_of_many_runs_one_is_cancelled_by_its_id(tmp_path: Path) -> None:
    tasks = {"root": shell(SLEEPS, overlap_policy="allow_all_overlap")}
    with open_world(tmp_path, tasks) as world:
        first = begin(world, "root")
        second = world.tasks.execute("root", None)
        world.turn_until(lambda: world.tasks.runner.at_work == 2)
        with pytest.raises(UsageError, match="no such graph run is under way"):
            world.verbs.task_cancel("nothing", None)
        world.verbs.task_cancel(second, None)
        world.turn_until(lambda: world.tasks.runner.at_work == 1)
        assert states(world, second)["graph"] == ["CANCELLED"]
        assert states(world, first)["graph"] == ["EXECUTING"]
        world.verbs.task_cancel("root", None)
        world.turn_to_rest()
        assert states(world, first)["graph"] == ["CANCELLED"]


def test_one_that_was_through_has_succeeded(tmp_path: Path) -> None:
    """Cancelled while it is committed: it is published, and so it is called."""
    with open_world(tmp_path, {"root": shell("true")}) as world:
        graph: TaskGraph = world.tasks.graph
    done = {"root": TaskState.SUCCEEDED}
    through = Attempt(graph, done, cancelled=True)
    assert through.state is TaskState.SUCCEEDED
    assert Attempt(graph, {}, cancelled=True).state is TaskState.CANCELLED
    settling = through.advance(frozenset(), 1, Publishing.SETTLING)
    assert settling.verdict is None
    lost = Attempt(graph, {}, cancelled=True).advance(frozenset(), 1, Publishing.OPEN)
    assert lost.verdict is Verdict.ROLL_BACK
