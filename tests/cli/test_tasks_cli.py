"""`snowmelt tasks` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from shop import Answer
from snowmelt.cli.main import main
from snowmelt.service.loading import Loading

TASKS: dict[str, Any] = {
    "nightly": {
        "cron": "0 2 * * *",
        "timezone": "America/New_York",
        "shell": "echo $SNOWMELT_CONFIG",
        "suspend_after_failures": 1,
    },
    "left": {"after": "nightly", "shell": "true"},
    "right": {"after": "nightly", "sql": "one.sql", "when": "stream_has_data(orders)"},
    "both": {"after": ["left", "right"], "shell": "test -e good"},
    "tell": {"finalize": "nightly", "shell": "true"},
}
SETTINGS = {"version": 1, "name": "small", "landing": {"settle": "0s"}}
PIPE = """name: orders
pattern: orders*.csv
contract: {columns: [{name: id, type: integer}]}
"""


class Typed:
    """Types words in a project's folder, in this process."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture

    def __call__(self, *words: str) -> Answer:
        with pytest.MonkeyPatch.context() as here, pytest.raises(SystemExit) as ended:
            here.chdir(self.root)
            here.setattr(Loading, "wait_until_quiet", lambda _: None)
            here.setattr("snowmelt.service.loop.Loop._dispatch_run", lambda *_: None)
            self._capture.readouterr()
            main(list(words))
        said, code = self._capture.readouterr(), ended.value.code
        return Answer(code if isinstance(code, int) else 0, said.out, said.err)


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    write(tmp_path, TASKS)
    (tmp_path / "pipes").mkdir()
    (tmp_path / "pipes" / "orders.yml").write_text(PIPE)
    (tmp_path / "dbt_project.yml").write_text("{name: small, version: 1.0.0}")
    (tmp_path / "one.sql").write_text("select 1")
    return Typed(tmp_path, capsys)


def write(root: Path, tasks: dict[str, Any]) -> None:
    text = yaml.safe_dump(SETTINGS | {"tasks": tasks}, sort_keys=False)
    (root / "snowmelt.yml").write_text(text)


def test_a_project_without_tasks_shows_what_the_service_does_by_itself(
    typed: Typed,
) -> None:
    write(typed.root, {})
    said = typed("tasks", "graph")
    words = [line.lstrip("│├└─ ").split()[0] for line in said.stdout.splitlines()]
    assert words == ["load", "silver", "gold", "publish", "finalize"]
    assert "no tasks: this is what a service does by itself" in said.stderr
    assert typed("tasks", "run").code == 2
    document = typed("tasks", "--json").document
    assert (document["is_default"], document["root"]) == (True, "load")


def test_the_graph_is_drawn_with_what_is_suspended(typed: Typed) -> None:
    assert typed("tasks", "suspend", "left", "--reason", "moving").code == 0
    said = typed("tasks", "graph")
    assert said.stdout.splitlines() == [
        "nightly  shell echo $SNOWMELT_CONFIG",
        "├─ left  shell true  [SUSPENDED]",
        "├─ right  sql one.sql  [when stream_has_data(orders)]",
        "│  └─ both  shell test -e good  [after left, right]",
        "└─ tell  shell true  [finalizer]",
    ]
    assert "nightly runs USING CRON 0 2 * * * America/New_York." in said.stderr
    assert "Task left is suspended since" in said.stderr
    assert "(moving). Resume it with: snowmelt tasks resume left" in said.stderr
    assert "Task left is suspended since" in typed("status").stderr
    listed = typed("tasks")
    assert "left      shell   suspended" in listed.stdout
    assert typed("tasks", "resume", "left").stdout == "Task left runs again.\n"
    assert typed("tasks", "resume", "left").stdout == "Task left was not suspended.\n"


def test_a_run_fails_is_told_of_is_mended_and_retried(typed: Typed) -> None:
    write(typed.root, TASKS | {"right": {"after": "nightly", "sql": "one.sql"}})
    said = typed("tasks", "run", "--config", '{"a": 1}')
    assert (said.code, "Graph run FAILED." in said.stdout) == (1, True)
    assert "task both: FAILED in" in said.stderr
    assert "both: it ended with exit code 1" in said.stderr
    assert "snowmelt tasks retry" in said.stderr
    doctor = typed("doctor", "--json").document["findings"]
    (finding,) = (each for each in doctor if each["check"] == "tasks")
    assert not finding["ok"]
    assert finding["remedy"].endswith("snowmelt tasks resume nightly")
    history = typed("tasks", "history", "--state", "failed_and_auto_suspended")
    assert history.stdout.splitlines()[1].split()[0] == "both"
    (typed.root / "good").touch()
    again = typed("tasks", "retry", "--json")
    assert again.code == 0
    states = [(e["name"], e["attempt_number"]) for e in again.document["task_runs"]]
    assert states[-2:] == [("both", 2), ("tell", 2)]
    log = typed("log", "--step", "task", "--object", "nightly", "--json").document
    (step,) = log["steps"]
    assert (step["status"], step["details"]["kind"]) == ("SUCCEEDED", "shell")
    assert typed("tasks", "run", "right").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "nope"), "there is no such task"),
        (("run", "--config", "{"), "no JSON"),
        (("run", "--config", "[1]"), "write a JSON object"),
        (("retry", "nope"), "there is no graph run of this name or id"),
        (("suspend", "nightli"), "Did you mean 'nightly'?"),
        (("history", "--state", "done"), "there is no state 'done'"),
        (("run", "--config", json.dumps({"a": "x" * 70_000})), "65536 is the most"),
    ],
)
def test_words_that_are_off_are_refused(
    typed: Typed, words: tuple[str, ...], told: str
) -> None:
    said = typed("tasks", *words)
    assert said.code == 2
    assert told in said.stderr
