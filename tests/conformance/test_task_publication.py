"""Models of a graph run share one publication: visible whole, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from task_project import World, open_world

GATE = {"gate.sql": "select * from gold.made where name = 'bad'"}
FILES = GATE | {"note.sql": "insert into gold.made values ('note')"}


def gated(**gold: Any) -> dict[str, Any]:
    return {
        "root": {"shell": "true"},
        "silver": {"after": "root", "dbt": "silver"},
        "gate": {"after": "silver", "sql": {"file": "gate.sql", "expect": "empty"}},
        "gold": {"after": "gate", "dbt": "gold"} | gold,
        "report": {"after": "gold", "shell": "echo x >> report"},
        "end": {"finalize": "root", "shell": "echo x >> end"},
    }


def newest(world: World) -> dict[str, tuple[str, str | None]]:
    rows = world.rows(
        "select name, state, error_message from snowmelt.task_runs "
        "where graph_run_group_id = (select max(graph_run_group_id) "
        "from snowmelt.task_runs where state <> 'SCHEDULED') order by attempt_number"
    )
    return {name: (state, error) for name, state, error in rows}


def test_all_models_become_visible_at_once_and_the_report_sees_them(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, gated(), FILES) as world:
        states = world.run()
        assert set(states.values()) == {"SUCCEEDED"}
        assert world.visible() == ["gold", "silver"]
        runs = world.rows(
            "select distinct run_id from snowmelt.task_runs where run_id is not null"
        )
        published = world.rows("select run_id, state from snowmelt.run_history")
        assert published == [(runs[0][0], "SUCCEEDED")]
        silver, gold, report = (world.row(n) for n in ("silver", "gold", "report"))
        assert silver["completed_time"] == gold["completed_time"]
        assert report["query_start_time"] >= gold["completed_time"]


def test_a_gate_stops_before_gold_and_readers_keep_the_run_before(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path, gated(), FILES) as world:
        world.run()
        bad = gated() | {"silver": {"after": "root", "dbt": ["silver", "bad"]}}
    with open_world(tmp_path, bad, FILES) as world:
        states = world.run()
        assert states == {
            "root": "SUCCEEDED",
            "silver": "CANCELLED",
            "gate": "FAILED",
            "end": "SUCCEEDED",
            "graph": "FAILED",
        }
        told = newest(world)
        assert (
            told["gate"][1]
            == 'gate.sql must return no row, and returned: {"name": "bad"}'
        )
        assert told["silver"][1] == (
            "rolled back, because task gate failed: nothing of this graph run was "
            "published"
        )
        assert world.visible() == ["gold", "silver"], "the run before"
        ((error,),) = world.rows(
            "select error from snowmelt.run_history where state = 'FAILED'"
        )
        assert error.startswith("task gate failed: gate.sql must return no row")
        (tmp_path / "gate.sql").write_text("select 1 where false")
        document = world.verbs.task_retry(None)
        again = [e["name"] for e in document["task_runs"] if e["attempt_number"] == 2]
        assert again == ["silver", "gate", "gold", "report", "end"]
        assert document["graph_run"]["state"] == "SUCCEEDED"
        assert "bad" in world.visible()


def test_a_model_that_fails_takes_what_was_built_with_it(tmp_path: Path) -> None:
    tasks = gated(dbt="broken_gold")
    with open_world(tmp_path, tasks, FILES) as world:
        states = world.run()
        assert (states["silver"], states["gate"]) == ("CANCELLED", "CANCELLED")
        assert states["gold"] == "FAILED"
        assert "model broken" in str(newest(world)["gold"][1])
        assert world.visible() == []
        assert not (tmp_path / "report").exists()


def test_a_publication_that_is_refused_fails_its_last_task(tmp_path: Path) -> None:
    with open_world(tmp_path, gated(dbt="odd"), FILES) as world:
        states = world.run()
        assert (states["silver"], states["gold"]) == ("CANCELLED", "FAILED")
        assert newest(world)["gold"][1] == (
            "the publication was refused: test odd: 1 row"
        )
        assert world.visible() == []


def test_a_model_that_takes_too_long_is_broken_off_and_rolled_back(
    tmp_path: Path,
) -> None:
    sql = "select count(*) from range(100000000) a, range(100000000) b"
    tasks = gated()
    tasks["gate"] |= {"timeout": "300ms"}
    with open_world(tmp_path, tasks, {"gate.sql": sql}) as world:
        states = world.run()
        assert (states["silver"], states["gate"]) == ("CANCELLED", "FAILED")
        assert "its timeout of 0.3 s" in str(newest(world)["gate"][1])
        assert world.visible() == []


def test_what_fails_elsewhere_before_the_commit_keeps_gold_from_being_published(
    tmp_path: Path,
) -> None:
    tasks = gated()
    tasks["notify"] = {"after": "silver", "shell": "exit 1"}
    tasks["gold"]["after"] = ["gate", "notify"]
    with open_world(tmp_path, tasks, FILES) as world:
        states = world.run()
        assert (states["silver"], states["notify"]) == ("CANCELLED", "FAILED")
        assert "gold" not in states
        assert world.visible() == []


def test_a_task_that_nothing_waits_for_sees_what_is_published(tmp_path: Path) -> None:
    """Also when it comes after silver alone: it waits for the commit."""
    tasks = gated() | {"note": {"after": "silver", "sql": "note.sql"}}
    with open_world(tmp_path, tasks, FILES) as world:
        world.run()
        note, gold = world.row("note"), world.row("gold")
        assert note["query_start_time"] >= gold["completed_time"]
        assert world.visible() == ["gold", "note", "silver"]
    tasks["gold"]["after"] = ["gate", "note"]  # now gold waits for it: it goes inside
    with open_world(tmp_path, tasks, FILES) as world:
        assert world.run()["graph"] == "SUCCEEDED"
        ((run_id,),) = world.rows(
            "select run_id from snowmelt.task_runs where name = 'note' "
            "order by query_start_time desc limit 1"
        )
        assert run_id is not None


def test_when_nothing_is_due_models_succeed_and_say_so(tmp_path: Path) -> None:
    with open_world(tmp_path, gated(), FILES) as world:
        world.stages.nothing_due = True
        assert world.run()["graph"] == "SUCCEEDED"
        assert world.row("gold")["return_value"] == "nothing is due"
        assert world.visible() == []


def test_a_stop_rolls_back_and_the_run_goes_on_where_a_service_starts(
    tmp_path: Path,
) -> None:
    tasks = gated()
    tasks["root"] |= {"every": "1h", "auto_retry_attempts": 1}
    tasks["wait"] = {"after": "silver", "shell": "test -e go || sleep 60"}
    tasks["gold"]["after"] = ["gate", "wait"]
    with open_world(tmp_path, tasks, FILES) as world:
        world.serve()
        world.clock.later += world.tasks.calendar.next_due - world.clock.now()  # type: ignore[operator]
        world.turn_until(lambda: "gate" in world.tasks.runner.runs[0].attempt.built)
    (tmp_path / "go").touch()
    with open_world(tmp_path, tasks, FILES) as world:
        assert world.visible() == []
        states = {name: state for name, (state, _) in newest(world).items()}
        assert states["silver"] == "CANCELLED"
        world.serve()
        world.turn_to_rest()
        assert world.visible() == ["gold", "silver"]
        rows = world.rows(
            "select distinct attempt_number, scheduled_from from snowmelt.task_runs "
            "where name = 'gold' and state = 'SUCCEEDED'"
        )
        assert rows == [(2, "AUTOMATIC RETRY")]


@pytest.mark.parametrize("committed", [False, True])
def test_what_a_dead_process_left_is_closed_as_its_publication_ended(
    tmp_path: Path, committed: bool
) -> None:
    """Between the commit of a publication and the rows that tell of it, too."""
    with open_world(tmp_path, gated(), FILES) as world:
        world.run()
        with world.loop.parts.warehouse.session() as session:
            session.execute(
                "update snowmelt.task_runs set state = 'EXECUTING', "
                "completed_time = null where name in ('silver', 'gold')"
            )
            if not committed:
                session.execute(
                    "update snowmelt.run_history set state = 'EXECUTING', "
                    "ended_at = null"
                )
    with open_world(tmp_path, gated(), FILES) as world:
        told = newest(world)
        if committed:
            assert told["gold"] == ("SUCCEEDED", None)
            assert world.row("gold")["completed_time"] is not None
        else:
            state, error = told["gold"]
            assert state == "FAILED"
            assert str(error).startswith("the process ended before the task did; noth")
