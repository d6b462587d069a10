"""Tasks of all kinds, run by a loop on a warehouse: what is started, what is kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from task_project import NOON, MovedClock, open_world

from snowmelt.errors import UsageError
from snowmelt.events import TaskFinished, TaskStarted

HISTORY = (
    "QUERY_ID, NAME, DATABASE_NAME, SCHEMA_NAME, QUERY_TEXT, CONDITION_TEXT, STATE, "
    "ERROR_CODE, ERROR_MESSAGE, SCHEDULED_TIME, QUERY_START_TIME, NEXT_SCHEDULED_TIME, "
    "COMPLETED_TIME, ROOT_TASK_ID, GRAPH_VERSION, RUN_ID, RETURN_VALUE, "
    "SCHEDULED_FROM, ATTEMPT_NUMBER, CONFIG, QUERY_HASH, QUERY_HASH_VERSION, "
    "QUERY_PARAMETERIZED_HASH, QUERY_PARAMETERIZED_HASH_VERSION, GRAPH_RUN_GROUP_ID, "
    "BACKFILL_INFO, SPCS_JOB_ID"
)


def shell(command: str, *after: str, **keys: Any) -> dict[str, Any]:
    return {"shell": command} | ({"after": list(after)} if after else {}) | keys


def gone(pid: int) -> bool:
    """Has a process ended? One that nobody waited for yet has, too."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def until_gone(pid: int) -> None:
    latest = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < latest, f"process {pid} lives on"
        threading.Event().wait(0.05)


def test_values_go_from_task_to_task_and_the_finalizer_sees_how_all_ended(
    tmp_path: Path,
) -> None:
    files = {
        "read.sql": "set variable x = 1; select getvariable('task_config') ->> 'env' "
        "|| (getvariable('task_return_values') ->> 'first')",
        "flow/calc.py": "def go(told):\n"
        "    assert told.scheduled_time.tzinfo\n"
        "    return {'rows': told.return_values['sql']}\n",
    }
    tasks = {
        "first": shell("echo hi; echo 'snowmelt-return: 42'", config={"env": "test"}),
        "sql": {"after": "first", "sql": "read.sql"},
        "calc": {"after": "sql", "python": "flow.calc:go"},
        "file": shell('printf "$SNOWMELT_TASK" > "$SNOWMELT_RETURN_FILE"', "calc"),
        "end": {"finalize": "first", "shell": 'cat "$SNOWMELT_CONTEXT"'},
    }
    with open_world(tmp_path, tasks, files) as world:
        states = world.run({"env": "prod"})
        assert set(states.values()) == {"SUCCEEDED"}
        assert world.row("sql")["return_value"] == "prod42"
        returned = json.loads(world.row("calc")["return_value"])
        assert returned["rows"] == "prod42"
        assert world.row("file")["return_value"] == "file"
        ((output,),) = world.rows(
            "select output from snowmelt.task_runs where name = 'end'"
        )
        told = json.loads(output)
        assert told["states"] == dict.fromkeys(
            ["first", "sql", "calc", "file"], "SUCCEEDED"
        ) | {"end": "EXECUTING"}
        assert told["config"] == {"env": "prod"}
        assert json.loads(world.row("end")["config"]) == {"env": "prod"}
        begun = [each.name for each in world.told(TaskStarted)]
        assert begun == ["first", "sql", "calc", "file", "end"]
        ended = world.told(TaskFinished)
        assert [each.state for each in ended] == ["SUCCEEDED"] * 5


def test_a_child_waits_for_all_its_parents_and_they_run_side_by_side(
    tmp_path: Path,
) -> None:
    meet = "while [ ! -e {} ]; do sleep 0.02; done; touch {}"
    tasks = {
        "root": shell("true"),
        "a": shell("touch a; " + meet.format("b", "a2"), "root"),
        "b": shell("touch b; " + meet.format("a", "b2"), "root"),
        "c": shell("test -e a2 && test -e b2", "a", "b"),
    }
    with open_world(tmp_path, tasks) as world:
        assert world.run()["c"] == "SUCCEEDED"
        c, a, b = (world.row(name) for name in "cab")
        assert c["query_start_time"] >= max(a["completed_time"], b["completed_time"])


def test_no_more_tasks_run_side_by_side_than_may(tmp_path: Path) -> None:
    tasks: dict[str, Any] = {"root": shell("true", lanes_max=2)}
    tasks |= {f"t{n}": shell("sleep 0.05", "root") for n in range(6)}
    with open_world(tmp_path, tasks) as world:
        assert world.run()["graph"] == "SUCCEEDED"
        spans = world.rows(
            "select query_start_time, completed_time from snowmelt.task_history"
        )
        at_once = max(
            sum(start <= begun < end for start, end in spans) for begun, _ in spans
        )
        assert at_once == 2
        assert world.verbs.tasks()["limits"]["lanes_max"] == 2
        assert world.verbs.status()["limits"]["tasks_lanes_max"] == 2


def test_a_failed_parent_keeps_its_children_from_running_and_the_finalizer_runs(
    tmp_path: Path,
) -> None:
    tasks = {
        "root": shell("true"),
        "bad": shell("echo no disk left; exit 3", "root"),
        "child": shell("touch child", "bad"),
        "grandchild": shell("touch grandchild", "child"),
        "other": shell("true", "root"),
        "end": {"finalize": "root", "shell": "touch end"},
    }
    with open_world(tmp_path, tasks) as world:
        document = world.verbs.task_run(None, None)
        assert document["graph_run"]["state"] == "FAILED"
        assert document["graph_run"]["first_error_task_name"] == "bad"
        names = {each["name"] for each in document["task_runs"]}
        assert names == {"root", "bad", "other", "end"}, "what did not run has no row"
        assert world.row("bad")["error_message"] == (
            "it ended with exit code 3: no disk left"
        )
        assert sorted(p.name for p in tmp_path.iterdir() if p.name in tasks) == ["end"]


def test_a_suspended_task_counts_as_succeeded(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true"),
        "off": shell("touch off", "root", suspended=True),
        "below": shell("touch below", "off"),
        "end": {"finalize": "root", "shell": "touch end"},
    }
    with open_world(tmp_path, tasks) as world:
        world.verbs.task_suspend("end", "not today")
        assert world.run() == {
            "root": "SUCCEEDED",
            "below": "SUCCEEDED",
            "graph": "SUCCEEDED",
        }
        told = {each["name"]: each for each in world.verbs.tasks()["tasks"]}
        assert told["off"]["suspended_by"] == "snowmelt.yml"
        assert (told["end"]["state"], told["end"]["reason"]) == (
            "suspended",
            "not today",
        )
        assert world.verbs.task_resume("off")["changed"]
        assert not world.verbs.task_resume("off")["changed"]
        assert world.run()["off"] == "SUCCEEDED"
    with open_world(tmp_path, tasks) as world:  # a person's word outlives the process
        assert "end" not in world.run()


def test_a_condition_that_is_false_skips_its_task_and_what_comes_after(
    tmp_path: Path,
) -> None:
    when = "stream_has_data(orders)"
    tasks = {
        "root": shell("true", every="1h", when=when),
        "child": shell("true", "root", when=f"not {when}"),
        "below": shell("true", "child"),
        "end": {"finalize": "root", "shell": "true"},
    }
    clock = MovedClock()
    clock.move(NOON)
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()
        clock.move(NOON + timedelta(hours=1))
        world.turn_until(lambda: bool(world.told()))
        skipped = world.row("root")
        assert (skipped["state"], skipped["condition_text"]) == ("SKIPPED", when)
        assert skipped["error_message"] == "the condition of WHEN is false"
        assert {each.name for each in world.told()} == {"root"}, "and no finalizer"
        world.land("orders_1.csv", [1])
        world.loop.ask_refresh()
        world.turn_until(lambda: world.loop.has_loaded(None))
        clock.move(NOON + timedelta(hours=2))
        world.turn_until(lambda: "end" in {each.name for each in world.told()})
        states = {each.name: each.state for each in world.told()}
        assert states == {"root": "SUCCEEDED", "child": "SKIPPED", "end": "SUCCEEDED"}
        assert world.rows("select state from snowmelt.complete_task_graphs") == [
            ("SUCCEEDED",)
        ]


def test_task_history_has_exactly_snowflakes_columns(tmp_path: Path) -> None:
    with open_world(tmp_path, {"root": shell("true", every="1h")}) as world:
        world.serve()
        world.turn_until(lambda: bool(world.rows("from snowmelt.task_history")))
        (scheduled,) = world.rows(
            "select state, scheduled_from, query_start_time, scheduled_time > now() "
            "from snowmelt.task_history"
        )
        assert scheduled == ("SCHEDULED", "SCHEDULE", None, True)
        world.run()
        columns = world.rows("select column_name from (describe snowmelt.task_history)")
        assert [name.upper() for (name,) in columns] == HISTORY.split(", ")
        (row,) = world.rows(
            "select * from snowmelt.task_history where state = 'SUCCEEDED'"
        )
        told = dict(zip([name for (name,) in columns], row, strict=True))
        assert told["scheduled_from"] == "EXECUTE_TASK"
        assert (
            told["scheduled_time"] <= told["query_start_time"] <= told["completed_time"]
        )
        assert (told["attempt_number"], told["graph_version"]) == (1, 1)
        assert told["next_scheduled_time"] > told["completed_time"]


def test_a_program_that_hangs_is_killed_with_its_children_and_others_go_on(
    tmp_path: Path,
) -> None:
    hang = "trap '' TERM; sleep 300 & echo $! > child; echo deep; wait; sleep 300"
    tasks = {
        "root": shell("true"),
        "hangs": shell(hang, "root", timeout="600ms"),
        "other": shell("sleep 0.1", "root"),
        "after_other": shell("true", "other"),
    }
    with open_world(tmp_path, tasks) as world:
        states = world.run()
        assert states == {
            "root": "SUCCEEDED",
            "hangs": "FAILED",
            "other": "SUCCEEDED",
            "after_other": "SUCCEEDED",
            "graph": "FAILED",
        }
        row = world.row("hangs")
        assert row["error_message"] == (
            "the task reached its timeout of 0.6 s and was cancelled. It had said: deep"
        )
        after = world.row("after_other")
        assert after["completed_time"] < row["completed_time"], "nothing waited for it"
        until_gone(int((tmp_path / "child").read_text()))


def test_a_query_and_a_function_that_take_too_long_are_broken_off(
    tmp_path: Path,
) -> None:
    files = {
        "long.sql": "create table gold.half (i int); "
        "select count(*) from range(100000000) a, range(100000000) b",
        "slow.py": "import time\ndef go(told):\n    time.sleep(300)\n",
    }
    tasks = {
        "root": shell("true"),
        "sql": {"after": "root", "sql": "long.sql", "timeout": "300ms"},
        "python": {"after": "root", "python": "slow:go", "timeout": "300ms"},
    }
    with open_world(tmp_path, tasks, files) as world:
        begun = time.monotonic()
        states = world.run()
        assert (states["sql"], states["python"]) == ("FAILED", "FAILED")
        assert time.monotonic() - begun < 60
        for name in ("sql", "python"):
            assert "its timeout of 0.3 s" in world.row(name)["error_message"]
        there = world.rows("select 1 from duckdb_tables() where table_name = 'half'")
        assert not there, "a file of SQL is carried out as a whole or not at all"


def test_a_timeout_of_the_root_is_one_of_the_whole_graph(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true", timeout="2s"),
        "a": shell("true", "root"),
        "b": shell("sleep 60", "a"),
        "own": shell("sleep 2.2", "root", timeout="1m"),
    }
    with open_world(tmp_path, tasks) as world:
        states = world.run()
        assert (states["b"], states["own"]) == ("FAILED", "SUCCEEDED")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {"sql": "broken.sql"},
            "Catalog Error: Table with name nothing does not exist!",
        ),
        ({"sql": "ends.sql"}, "begin, commit and rollback are not for a file"),
        (
            {"sql": {"file": "rows.sql", "expect": "empty"}},
            'returned: {"i": 0}; {"i": 1}',
        ),
        ({"sql": {"file": "none.sql", "expect": "rows"}}, "must return a row"),
        ({"python": "flow:fails"}, "ValueError: not today"),
        ({"python": "flow:missing"}, "has no attribute 'missing'"),
        ({"shell": ["/no/such/program"]}, "/no/such/program: No such file"),
        ({"shell": "kill -9 $$"}, "it was ended by SIGKILL"),
        (
            {"shell": 'head -c 10001 /dev/zero | tr "\\0" x > "$SNOWMELT_RETURN_FILE"'},
            "the return value has 10001 bytes, and 10000 is the most",
        ),
        ({"webhook": {"url": "http://127.0.0.1:9/s3cret"}}, "127.0.0.1: ConnectError"),
        (
            {"webhook": {"url": "http://x.invalid", "body": {"a": "{{ nope }}"}}},
            "body: 'nope' is undefined",
        ),
    ],
)
def test_a_failure_says_why(tmp_path: Path, body: dict[str, Any], told: str) -> None:
    files = {
        "broken.sql": "select * from nothing",
        "ends.sql": "insert into gold.made values ('x'); commit",
        "rows.sql": "select i from range(2) t(i)",
        "none.sql": "select 1 where false",
        "flow.py": "def fails(told):\n    raise ValueError('not today')\n",
    }
    with open_world(tmp_path, {"root": body}, files) as world:
        assert world.run()["root"] == "FAILED"
        message = world.row("root")["error_message"]
        assert told in message
        assert "s3cret" not in message
        assert "s3cret" not in world.row("root")["query_text"]
        assert world.visible() == []


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Take what is posted; answer 500 to a path that ends in `down`."""
    posted: list[dict[str, Any]] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append({"key": self.headers.get("X-Key"), **json.loads(body)})
            self.send_response(500 if self.path.endswith("down") else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_posts_values_of_the_graph_run(tmp_path: Path) -> None:
    with listening() as (address, posted):
        hook = {
            "url": f"{address}/ok",
            "headers": {"X-Key": "k"},
            "body": {
                "text": "{{ config.who }} {{ states.root }} {{ return_values.root }}"
            },
        }
        tasks = {
            "root": shell("echo 'snowmelt-return: 7'", config={"who": "ada"}),
            "hook": {"after": "root", "webhook": hook},
            "down": {"after": "root", "webhook": f"{address}/down"},
        }
        with open_world(tmp_path, tasks) as world:
            states = world.run()
            assert (states["hook"], states["down"]) == ("SUCCEEDED", "FAILED")
            assert {"key": "k", "text": "ada SUCCEEDED 7"} in posted
            assert world.row("down")["error_message"].endswith("answered 500")
            (told,) = (each for each in posted if "task" in each)
            assert (told["task"], told["states"]["root"]) == ("down", "SUCCEEDED")


def test_a_refresh_waits_until_files_are_loaded(tmp_path: Path) -> None:
    with open_world(tmp_path, {"root": {"refresh": {}}}) as world:
        for number in range(5):
            world.land(f"orders_{number}.csv", [number])
        world.land("orders_bad.csv", [])
        (tmp_path / "landing" / "orders_bad.csv").write_text("id\nx\n")
        assert world.run()["root"] == "SUCCEEDED"
        counts = json.loads(world.row("root")["return_value"])
        assert counts == {"files": 6, "rows": 5, "failed": 1}


def test_runs_do_not_overlap_unless_they_may(tmp_path: Path) -> None:
    tasks = {"root": shell("true", every="1m"), "slow": shell("sleep 30", "root")}
    clock = MovedClock()
    clock.move(NOON)
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()

        def started() -> list[Any]:
            return world.told(TaskStarted)

        clock.move(NOON + timedelta(minutes=1))
        world.turn_until(lambda: len(started()) == 2)
        for minute in (2, 3):  # both are held up by the same run
            clock.move(NOON + timedelta(minutes=minute))
            world.loop.turn()
        skipped = world.rows(
            "select scheduled_time, error_message from snowmelt.task_history "
            "where state = 'SKIPPED'"
        )
        assert skipped == [
            (
                NOON + timedelta(minutes=2),
                "the run before is still under way (overlap_policy: no_overlap)",
            )
        ]
        with pytest.raises(UsageError, match="still under way"):
            world.verbs.task_run(None, None)
        assert len(started()) == 2
    tasks["root"]["overlap_policy"] = "allow_child_overlap"
    clock.move(NOON + timedelta(hours=1))
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.tasks.forget_unfinished()
        world.serve()
        for minute in (61, 62):
            clock.move(NOON + timedelta(minutes=minute))
            world.turn_until(
                lambda minute=minute: len(world.told(TaskStarted)) == 2 * (minute - 60)  # type: ignore[misc]
            )
        assert len(world.tasks.runner.runs) == 2


def test_after_failures_in_a_row_the_root_is_suspended_until_it_is_resumed(
    tmp_path: Path,
) -> None:
    tasks = {
        "root": shell("test -e good", every="1m", suspend_after_failures=3),
        "child": shell("true", "root"),
    }
    clock = MovedClock()
    clock.move(NOON)
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()

        def minute(number: int) -> None:
            clock.move(NOON + timedelta(minutes=number))
            count = len(world.told(TaskStarted))
            world.turn_until(lambda: len(world.told(TaskStarted)) > count)
            world.turn_to_rest()

        minute(1)
        minute(2)
        (tmp_path / "good").touch()
        minute(3)  # a success ends the row
        (tmp_path / "good").unlink()
        minute(4)
        minute(5)
        assert not world.tasks.standings["root"].suspended
        minute(6)
        standing = world.tasks.standings["root"]
        assert (standing.suspended, standing.by) == (True, "failures")
        assert world.row("root")["state"] == "FAILED_AND_AUTO_SUSPENDED"
        clock.move(NOON + timedelta(minutes=9))
        world.loop.turn()
        assert not world.loop.tasks.busy
        status = world.verbs.status()["tasks"]
        assert (
            status["suspended"][0]["reason"]
            == "3 graph runs failed one after the other"
        )
        assert not world.rows("from snowmelt.task_history where state = 'SCHEDULED'")
        world.verbs.task_resume("root")
        minute(10)
        minute(11)
        assert not world.tasks.standings["root"].suspended, "counted from there on"


def test_a_graph_that_failed_is_tried_again_of_itself_from_where_it_failed(
    tmp_path: Path,
) -> None:
    count = "echo x >> {0}; test $(wc -l < {0}) -ge {1}"
    tasks = {
        "root": shell("echo x >> root", auto_retry_attempts=2),
        "fine": shell("echo x >> fine; echo 'snowmelt-return: f'", "root"),
        "flaky": shell(count.format("flaky", 3), "root"),
        "below": shell("echo x >> below", "flaky", "fine"),
        "end": {"finalize": "root", "shell": "echo x >> end"},
    }
    with open_world(tmp_path, tasks) as world:
        document = world.verbs.task_run(None, None)
        assert document["graph_run"]["state"] == "SUCCEEDED"
        assert document["graph_run"]["attempt_number"] == 3
        lines = {
            name: len((tmp_path / name).read_text().splitlines())
            for name in ("root", "fine", "flaky", "below", "end")
        }
        assert lines == {"root": 1, "fine": 1, "flaky": 3, "below": 1, "end": 3}
        rows = world.rows(
            "select attempt_number, scheduled_from, state, "
            "count(distinct graph_run_group_id) over () "
            "from snowmelt.task_history where name = 'flaky' order by 1"
        )
        assert rows == [
            (1, "EXECUTE_TASK", "FAILED", 1),
            (2, "AUTOMATIC RETRY", "FAILED", 1),
            (3, "AUTOMATIC RETRY", "SUCCEEDED", 1),
        ]


def test_a_person_retries_what_failed_and_only_that(tmp_path: Path) -> None:
    tasks = {
        "root": shell("echo x >> root"),
        "bad": shell("test -e mended", "root"),
        "below": shell("true", "bad"),
    }
    with open_world(tmp_path, tasks) as world:
        with pytest.raises(UsageError, match="no graph run of this name"):
            world.verbs.task_retry(None)
        assert world.run()["graph"] == "FAILED"
        (tmp_path / "mended").touch()
        document = world.verbs.task_retry(None)
        assert document["graph_run"]["state"] == "SUCCEEDED"
        again = [each for each in document["task_runs"] if each["attempt_number"] == 2]
        assert [(each["name"], each["scheduled_from"]) for each in again] == [
            ("bad", "MANUAL RETRY"),
            ("below", "MANUAL RETRY"),
        ]
        assert (tmp_path / "root").read_text() == "x\n"
        with pytest.raises(UsageError, match="there is nothing to retry"):
            world.verbs.task_retry("root")
        (tmp_path / "mended").unlink()
        failed = world.verbs.task_run(None, None)["graph_run"]["graph_run_group_id"]
        world.clock.later += timedelta(days=15)
        with pytest.raises(UsageError, match="more than 14 days ago"):
            world.verbs.task_retry(failed)
        world.clock.later -= timedelta(days=15)
    tasks["below"]["shell"] = "date"
    with (
        open_world(tmp_path, tasks) as world,
        pytest.raises(UsageError, match="it ran with version 1 of the tasks"),
    ):
        world.verbs.task_retry(failed)


def test_one_task_runs_alone_when_it_is_asked_for_by_name(tmp_path: Path) -> None:
    tasks = {"root": shell("touch root"), "only": shell("touch only", "root")}
    with open_world(tmp_path, tasks) as world:
        document = world.verbs.task_run("only", None)
        assert states_of_names(document) == ["only"]
        assert not (tmp_path / "root").exists()
        with pytest.raises(UsageError, match="Did you mean 'only'"):
            world.verbs.task_run("onyl", None)


def states_of_names(document: dict[str, Any]) -> list[str]:
    return [each["name"] for each in document["task_runs"]]


def test_a_run_keeps_its_version_when_the_file_changes(tmp_path: Path) -> None:
    """A graph run that a stop cut off goes on with the tasks that it began with."""
    tasks = {
        "root": shell("true", every="1h", auto_retry_attempts=1),
        "child": shell("test -e go || sleep 30; touch old", "root"),
    }
    clock = MovedClock()
    clock.move(NOON)
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()
        clock.move(NOON + timedelta(hours=1))
        world.turn_until(lambda: len(world.told(TaskStarted)) == 2)
    (tmp_path / "go").touch()
    tasks["child"]["shell"] = "touch new"
    with open_world(tmp_path, tasks, clock=clock) as world:
        cut = world.row("child")
        assert (cut["state"], cut["error_message"]) == (
            "CANCELLED",
            "cancelled: stopped",
        )
        world.serve()
        world.turn_to_rest()
        again = world.row("child")
        assert (again["state"], again["graph_version"]) == ("SUCCEEDED", 1)
        assert (tmp_path / "old").exists()
        assert not (tmp_path / "new").exists()
        clock.move(NOON + timedelta(hours=2))
        world.turn_until(lambda: (tmp_path / "new").exists())
        world.turn_to_rest()
        assert world.row("child")["graph_version"] == 2


def test_of_times_that_passed_while_nothing_ran_the_last_is_made_up_for_and_told(
    tmp_path: Path,
) -> None:
    tasks = {"root": shell("true", cron="0 * * * *")}
    clock = MovedClock()
    clock.move(NOON)
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()
        world.loop.turn()
    clock.move(NOON + timedelta(hours=5, minutes=20))
    with open_world(tmp_path, tasks, clock=clock) as world:
        world.serve()
        world.turn_until(lambda: bool(world.told()))
        world.turn_to_rest()
        runs = world.rows(
            "select scheduled_time from snowmelt.task_history where state = 'SUCCEEDED'"
        )
        assert runs == [(NOON + timedelta(hours=5),)]
        told = "task root: 5 scheduled times passed up to 2026-11-21 17:00:00 UTC"
        assert any(each.startswith(told) for each in world.loop.problems)
        (following,) = world.rows(
            "select scheduled_time from snowmelt.task_history where state = 'SCHEDULED'"
        )
        assert following == (NOON + timedelta(hours=6),)


def test_data_triggers_a_run_at_once_one_at_a_time(tmp_path: Path) -> None:
    tasks = {
        "root": shell("true", when="stream_has_data(orders)"),
        "child": shell("sleep 0.3", "root"),
    }
    with open_world(tmp_path, tasks) as world:
        world.serve()
        world.loop.turn()
        assert not world.loop.tasks.busy, "nothing is unread"
        world.land("orders_1.csv", [1])
        world.loop.ask_refresh()
        world.turn_until(lambda: bool(world.told(TaskStarted)))
        world.land("orders_2.csv", [2])
        world.loop.ask_refresh()
        world.turn_until(lambda: len(world.told(TaskFinished)) == 4)
        world.turn_to_rest()
        origins = world.rows(
            "select scheduled_from, count(*) from snowmelt.task_graph_runs group by 1"
        )
        assert origins == [("TRIGGER", 2)]
        first, second = world.rows(
            "select started_at, ended_at from snowmelt.task_graph_runs order by 1"
        )
        assert first[1] <= second[0]
        world.loop.tasks.rows_arrived()
        world.loop.turn()
        assert not world.loop.tasks.busy, "all is read"


def test_what_a_triggered_run_left_unread_does_not_make_it_run_without_end(
    tmp_path: Path,
) -> None:
    tasks = {"root": shell("false", when="stream_has_data(orders)")}
    with open_world(tmp_path, tasks) as world:
        world.serve()
        world.land("orders_1.csv", [1])
        world.loop.ask_refresh()
        world.turn_until(lambda: bool(world.told(TaskFinished)))
        for _ in range(5):
            world.loop.turn()
        assert len(world.told(TaskStarted)) == 1
        assert world.loop.seconds_to_next() > 1
        world.clock.later += timedelta(seconds=31)
        world.turn_until(lambda: len(world.told(TaskFinished)) == 2)


def test_the_environment_of_a_program_tells_its_task(tmp_path: Path) -> None:
    names = ("TASK", "CONFIG", "RUN_ID", "ATTEMPT", "SCHEDULED_TIME", "PROJECT")
    command = "; ".join(f"echo {name}=$SNOWMELT_{name}" for name in names)
    with open_world(tmp_path, {"root": shell(command, config={"a": 1})}) as world:
        document = world.verbs.task_run(None, None)
        (run,) = document["task_runs"]
        told = dict(line.split("=", 1) for line in run["output"].splitlines())
        assert told["TASK"] == "root"
        assert json.loads(told["CONFIG"]) == {"a": 1}
        assert told["RUN_ID"] == run["graph_run_group_id"]
        assert told["PROJECT"] == str(tmp_path)
        assert list((tmp_path / ".snowmelt" / "tasks").iterdir()) == []
