"""An attempt at a graph run, against a reference that knows nothing of time.

The reference says by recursion which task ends how. The attempt is driven through any
order in which tasks may end, with any room, and has to come to the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.transform.tasks.attempt import (
    BROKEN,
    Attempt,
    Publishing,
    TaskState,
    Verdict,
)
from snowmelt.transform.tasks.config import TaskConfig
from snowmelt.transform.tasks.graph import TaskGraph

SUCCEEDED, FAILED = TaskState.SUCCEEDED, TaskState.FAILED
SKIPPED, CANCELLED = TaskState.SKIPPED, TaskState.CANCELLED
EXECUTING = TaskState.EXECUTING


@dataclass(frozen=True)
class Case:
    """A graph, and what is to happen in it."""

    graph: TaskGraph
    fails: frozenset[str]
    unmet: frozenset[str]
    suspended: frozenset[str]
    room: int


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[str, ...] = ("shell",)) -> Case:
    names = [f"t{n}" for n in range(draw(st.integers(1, 9)))]
    bodies: dict[str, dict[str, Any]] = {
        "shell": {"shell": "x"},
        "dbt": {"dbt": "x"},
        "sql": {"sql": "x.sql"},
    }
    bodies["gate"] = {"sql": {"file": "x.sql", "expect": "empty"}}
    tasks = {"root": TaskConfig(shell="x")}
    for place, name in enumerate(names):
        parents = draw(
            st.sets(st.sampled_from(["root", *names[:place]]), min_size=1, max_size=3)
        )
        body = bodies[draw(st.sampled_from(kinds))]
        tasks[name] = TaskConfig(after=sorted(parents), **body)
    if draw(st.booleans()):
        tasks["end"] = TaskConfig(finalize="root", shell="x")
    some = st.frozensets(st.sampled_from(sorted(tasks)), max_size=3)
    return Case(
        TaskGraph(tasks),
        draw(some),
        draw(some) - {"end"},
        draw(some) - {"root"},
        draw(st.integers(1, 4)),
    )


def reference(case: Case) -> dict[str, TaskState]:
    """Say how every task that has a row ends, of a graph that builds no models."""
    states: dict[str, TaskState] = {}

    def passes(name: str) -> bool:
        before = case.graph.tasks[name].after
        if not all(passes(parent) for parent in before):
            return False
        if name in case.suspended:
            return True
        if name in case.unmet:
            states[name] = SKIPPED
        else:
            states[name] = FAILED if name in case.fails else SUCCEEDED
        return states[name] is SUCCEEDED

    for name in case.graph.order:
        passes(name)
    ends = "end" in case.graph.tasks and "end" not in case.suspended
    if ends and states["root"] is not SKIPPED:
        states["end"] = FAILED if "end" in case.fails else SUCCEEDED
    return states


@dataclass
class Driver:
    """Carries out what an attempt decides, and lets tasks end in a drawn order."""

    case: Case
    draw: st.DataObject
    attempt: Attempt
    publishing: Publishing = Publishing.FREE
    log: list[str] = field(default_factory=list)
    committed: bool = False

    def run(self) -> None:
        for _ in range(200):
            steps = self.attempt.advance(
                self.case.unmet, self.case.room - self.busy, self.publishing
            )
            for name in steps.skip:
                self.set(name, SKIPPED)
            for name in steps.start:
                assert name not in self.attempt.states, "no task runs twice"
                self.set(name, EXECUTING)
                self.log.append(f"start {name}")
            entering = self.attempt.inside | steps.inside
            self.attempt = replace(self.attempt, inside=entering)
            assert self.busy <= self.case.room
            assert len(self.at_work & self.attempt.inside) <= 1
            for name in steps.cancel:
                self.end(name, CANCELLED)
            if steps.verdict is not None:
                self.settle(steps.verdict)
            elif steps.ended:
                assert not self.at_work
                assert not self.attempt.built
                return
            elif self.at_work and not steps.skip:
                self.end_one()
            else:
                assert steps.skip or steps.cancel, f"it hangs: {self.log}"
        raise AssertionError(f"it never ends: {self.log}")

    @property
    def at_work(self) -> frozenset[str]:
        executing = {n for n, s in self.attempt.states.items() if s is EXECUTING}
        return frozenset(executing - self.attempt.built)

    @property
    def busy(self) -> int:
        return len(self.at_work)

    def set(self, name: str, state: TaskState) -> None:
        states = {**self.attempt.states, name: state}
        self.attempt = replace(self.attempt, states=states)

    def end(self, name: str, state: TaskState) -> None:
        inside, built = self.attempt.inside - {name}, self.attempt.built - {name}
        self.attempt = replace(self.attempt, inside=inside, built=built)
        self.set(name, state)
        self.log.append(f"{name} {state}")

    def end_one(self) -> None:
        name = self.draw.draw(st.sampled_from(sorted(self.at_work)))
        if name in self.case.fails:
            self.end(name, FAILED)
            opens = self.case.graph.tasks[name].dbt is not None
            if opens and self.publishing is Publishing.OPEN:
                self.roll_back()
        elif name in self.attempt.inside:
            self.publishing = Publishing.OPEN
            self.attempt = replace(self.attempt, built=self.attempt.built | {name})
            self.log.append(f"built {name}")
        else:
            self.end(name, SUCCEEDED)

    def settle(self, verdict: Verdict) -> None:
        assert not self.at_work & self.attempt.inside
        if verdict is Verdict.ROLL_BACK:
            assert self.attempt.broken
            self.roll_back()
            return
        assert not self.attempt.broken, "nothing is published of what is broken"
        self.committed = True
        self.log.append("commit")
        for name in sorted(self.attempt.built):
            self.end(name, SUCCEEDED)
        self.publishing = Publishing.FREE

    def roll_back(self) -> None:
        for name in sorted(self.attempt.built):
            self.end(name, CANCELLED)
        self.log.append("rolled back")
        self.publishing = Publishing.FREE


def drive(case: Case, draw: st.DataObject, states: Mapping[str, TaskState]) -> Driver:
    attempt = Attempt(case.graph, dict(states), suspended=case.suspended)
    driver = Driver(case, draw, attempt)
    driver.run()
    return driver


@settings(max_examples=50)
@given(cases(), st.data())
def test_tasks_end_as_the_reference_says_in_any_order(
    case: Case, draw: st.DataObject
) -> None:
    driver = drive(case, draw, {})
    wanted = reference(case)
    assert driver.attempt.states == wanted
    states = set(wanted.values())
    if wanted["root"] is SKIPPED:
        assert driver.attempt.state is SKIPPED
    else:
        assert driver.attempt.state is (FAILED if FAILED in states else SUCCEEDED)
    if "end" in wanted:
        assert [each for each in driver.log if each.startswith("start")][-1] == (
            "start end"
        ), "the finalizer begins when all else has ended"


@settings(max_examples=50)
@given(cases(), st.data())
def test_a_retry_runs_what_failed_and_what_comes_after_it_and_nothing_else(
    case: Case, draw: st.DataObject
) -> None:
    first = drive(case, draw, {}).attempt
    mended = replace(case, fails=frozenset())
    again = drive(mended, draw, first.to_retry())
    whole = reference(mended)
    assert again.attempt.states == whole, "in the end all is as if nothing had failed"
    failed = {name for name, state in first.states.items() if state in BROKEN}
    ran = {each.split()[1] for each in again.log if each.startswith("start ")}
    assert ran <= failed | case.graph.below(failed) | {"end"}
    assert failed <= ran


def members(case: Case) -> Iterator[str]:
    return (name for name in case.graph.members if name in case.graph.order)


@settings(max_examples=90)
@given(cases(kinds=("shell", "dbt", "dbt", "gate", "sql")), st.data())
def test_a_publication_is_whole_and_what_follows_it_sees_it(
    case: Case, draw: st.DataObject
) -> None:
    driver = drive(case, draw, {})
    log, attempt = driver.log, driver.attempt
    assert log.count("commit") <= 1
    if "commit" in log:
        before = log[: log.index("commit")]
        assert not [each for each in before if each.endswith((FAILED, CANCELLED))]
        after = log[log.index("commit") :]
        started = {each.split()[1] for each in after if each.startswith("start ")}
        assert not started & set(case.graph.members), "no member begins after it"
    # what comes after a model, and no member waits for, begins once it is visible
    for name in case.graph.order:
        if f"start {name}" in log and name not in case.graph.before_publication:
            here = log.index(f"start {name}")
            built = {each.split()[1] for each in log[:here] if each.startswith("built")}
            if name in case.graph.below(built):
                assert "commit" in log[:here], f"{name} saw what was not published"
    # a failure before the commit leaves nothing of it
    if "rolled back" in log:
        assert "commit" not in log
        assert not any(
            attempt.states.get(name) is SUCCEEDED
            for name in case.graph.order
            if case.graph.tasks[name].dbt is not None and f"built {name}" in log
        )


@settings(max_examples=50)
@given(cases(kinds=("shell", "dbt", "gate")), st.data())
def test_what_was_rolled_back_runs_again(case: Case, draw: st.DataObject) -> None:
    first = drive(case, draw, {})
    mended = replace(case, fails=frozenset())
    again = drive(mended, draw, first.attempt.to_retry())
    undisturbed = drive(mended, draw, {})
    assert again.attempt.states == undisturbed.attempt.states
    if "rolled back" in first.log:
        built = {each.split()[1] for each in first.log if each.startswith("built ")}
        ran = {each.split()[1] for each in again.log if each.startswith("start ")}
        assert built <= ran


def graph(**tasks: dict[str, Any]) -> TaskGraph:
    return TaskGraph({name: TaskConfig(**task) for name, task in tasks.items()})


GATED = graph(
    load={"refresh": {}},
    silver={"after": "load", "dbt": "silver"},
    gate={"after": "silver", "sql": {"file": "g.sql", "expect": "empty"}},
    gold={"after": "gate", "dbt": "gold"},
    report={"after": "gold", "shell": "x"},
)
BUILT = {"load": SUCCEEDED, "silver": EXECUTING}


def test_a_gate_works_inside_the_publication_and_gold_waits_for_it() -> None:
    inside, built = frozenset({"silver"}), frozenset({"silver"})
    attempt = Attempt(GATED, BUILT, built=built, inside=inside)
    steps = attempt.advance(frozenset(), 4, Publishing.OPEN)
    assert (steps.start, steps.inside) == (("gate",), frozenset({"gate"}))
    failed = replace(attempt, states={**BUILT, "gate": FAILED})
    assert failed.advance(frozenset(), 4, Publishing.OPEN).verdict is Verdict.ROLL_BACK


def test_models_of_another_run_wait_until_the_publication_is_free() -> None:
    attempt = Attempt(GATED, {"load": SUCCEEDED})
    waiting = attempt.advance(frozenset(), 4, Publishing.TAKEN)
    assert (waiting.start, waiting.ended) == ((), False)
    assert attempt.advance(frozenset(), 4, Publishing.FREE).start == ("silver",)


def test_after_a_failure_elsewhere_no_model_is_begun() -> None:
    both = graph(
        load={"shell": "x"},
        notify={"after": "load", "shell": "x"},
        silver={"after": "load", "dbt": "silver"},
    )
    attempt = Attempt(both, {"load": SUCCEEDED, "notify": FAILED})
    assert attempt.advance(frozenset(), 4, Publishing.FREE).ended


def test_a_suspended_root_runs_when_it_is_asked_to() -> None:
    attempt = Attempt(GATED, suspended=frozenset({"load", "silver"}))
    assert attempt.ready == ("load",)
    passed_over = replace(attempt, states={"load": SUCCEEDED})
    assert passed_over.ready == ("gate",)
