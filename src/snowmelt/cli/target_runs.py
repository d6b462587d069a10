"""Runs on a target: `snowmelt run --target`, `snowmelt up --target`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snowmelt.cli import output
from snowmelt.errors import SnowmeltError, UsageError

if TYPE_CHECKING:
    from snowmelt.deploy.naming import Names
    from snowmelt.deploy.running.outcome import Outcome
    from snowmelt.deploy.running.runner import Runner
    from snowmelt.project.project import Project

LOCAL = "local"
target_option = click.option(
    "--target",
    default=LOCAL,
    show_default=True,
    help="A target of snowmelt.yml: dbt builds there.",
)


def run_once(target: str, directory: Path, *, as_json: bool) -> int:
    """Build, test and publish all of a target, and say what came of it."""
    from snowmelt.deploy.running.loop import only_one

    with (
        _opened(target, directory) as (project, names, open_runner),
        only_one(_lock_file(project, names)),
    ):
        outcome = open_runner().run(output.tell)
    if as_json:
        output.show_json({"target": target, "run": outcome.document})
    else:
        show_outcome(outcome)
    return 1 if outcome.problems else 0


def follow(target: str, directory: Path, *, as_json: bool) -> int:
    """Run whenever files were copied there, until a signal comes."""
    from snowmelt.clock import SystemClock
    from snowmelt.deploy.running.loop import Follower, only_one

    def ran(outcome: Outcome) -> None:
        if as_json:
            output.show_json({"target": target, "run": outcome.document})
        else:
            show_outcome(outcome)

    def failed(error: SnowmeltError) -> None:
        output.show_error(error.as_document(), as_json=as_json)

    with _opened(target, directory) as (project, names, open_runner):
        if names.target.runner != "service":
            raise UsageError(
                f"--target {target}",
                "tasks of the account run it",
                "Once by hand: snowmelt run --target "
                f"{target}. Always from here: runner: service in the target, then: "
                f"snowmelt deploy apply --target {target}",
            )
        with only_one(_lock_file(project, names)):
            follower = Follower(open_runner, SystemClock(), ran, failed)
            with _stopping(follower.stop.set):
                output.tell(f"Watching {names.database} on {names.target.account}.")
                follower.follow()
    output.tell(f"Stopped. Go on with: snowmelt up --target {target}")
    return 0


def show_outcome(outcome: Outcome) -> None:
    """Show how a run ended and, if it failed, each problem and what mends it."""
    counts = (
        f"{output.count(outcome.models, 'model')}, {outcome.tests_passed} of "
        f"{output.count(outcome.tests, 'test')} passed"
    )
    counts += f", {outcome.tests_warned} warned" if outcome.tests_warned else ""
    if outcome.problems:
        output.show(f"Not published: {counts}. Gold is as it was.")
        for each in outcome.problems:
            output.tell(f"{each.node}: {each.status}: {each.message}")
            if each.statement:
                output.tell(f"  its statement: {each.statement}")
            if each.remedy:
                output.tell(f"  {each.remedy}")
        if outcome.publication == "refused":
            output.tell(outcome.why)
    elif outcome.publication == "ok":
        what = (
            output.count(len(outcome.tables), "table") if outcome.tables else "no table"
        )
        output.show(f"Published in {outcome.seconds:.1f} s: {what} changed; {counts}.")
    else:
        why = outcome.why or "no schema of this project is published as a whole"
        output.show(f"Built in {outcome.seconds:.1f} s: {counts}.")
        output.tell(f"Not published: {why}")


@contextmanager
def _opened(
    target: str, directory: Path
) -> Iterator[tuple[Project, Names, Callable[[], Runner]]]:
    """Give the project, its names there, and what opens a session anew."""
    from snowmelt.clock import SystemClock
    from snowmelt.deploy.opening import AccountSession, connect, names_of
    from snowmelt.deploy.running.runner import Runner, require_dbt
    from snowmelt.project.project import load_project

    project = load_project(directory)
    names = names_of(project, target)
    sessions: list[AccountSession] = []

    def close() -> None:
        while sessions:
            sessions.pop().close()

    def open_runner() -> Runner:
        close()
        require_dbt()
        sessions.append(connect(project, names, SystemClock()))
        return Runner(project, names, sessions[-1])

    try:
        yield project, names, open_runner
    finally:
        close()


def _lock_file(project: Project, names: Names) -> Path:
    from snowmelt.deploy.running.profile import folder_of

    return folder_of(project.root, names.owner.target) / "run.lock"


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Call this when a signal asks to end; a run that began goes to its end."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.signal(each, lambda *_: stop()) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
