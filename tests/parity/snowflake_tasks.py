"""A double of a graph of tasks by the documented rules: no more than our reading.

Each rule names the page that it is read from, below https://docs.snowflake.com/en/.
Time passes in ticks: one is the time between two scheduled runs of the root. A task
ends at once, unless it is said to wait until it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OK, FAILED, SKIPPED = "SUCCEEDED", "FAILED", "SKIPPED"
AUTO_SUSPENDED = "FAILED_AND_AUTO_SUSPENDED"


@dataclass
class Run:
    """One run of the graph: the newest state of each task, and who waits."""

    attempt: int = 1
    states: dict[str, str] = field(default_factory=dict)
    waits: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        return not self.waits


@dataclass
class Graph:
    """Tasks as `tasks:` says them; `outcomes` are what each run of one comes to."""

    tasks: Mapping[str, Mapping[str, Any]]
    outcomes: Mapping[str, list[str]]
    conditions: dict[str, bool]
    history: dict[str, list[str]] = field(default_factory=dict)
    """TASK_HISTORY: the states of each task's runs, in order."""
    ended: list[str] = field(default_factory=list)
    """COMPLETE_TASK_GRAPHS: the state of each attempt of a graph run."""
    failures: dict[str, int] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    live: list[Run] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.suspended |= {n for n, t in self.tasks.items() if t.get("suspended")}

    @property
    def root(self) -> str:
        return next(
            name
            for name, task in self.tasks.items()
            if "after" not in task and "finalize" not in task
        )

    def tick(self) -> None:
        """A scheduled time has come (user-guide/tasks-graphs, Overlap).

        NO_OVERLAP: the next run is scheduled only after all tasks of the one before
        have ended. ALLOW_CHILD_OVERLAP: only the root is in its way.
        """
        if self.root in self.suspended:
            return
        policy = self.tasks[self.root].get("overlap_policy", "no_overlap")
        busy = [run for run in self.live if not run.is_over]
        if policy == "no_overlap" and busy:
            return
        if policy == "allow_child_overlap" and any(self.root in r.waits for r in busy):
            return
        self.execute(scheduled=True)

    def execute(self, *, scheduled: bool = False) -> None:
        """Run the graph. A root whose WHEN is not met skips this run, and then there is
        no finalizer either (sql-reference/sql/create-task, user-guide/tasks-graphs).
        """
        if scheduled and not self.conditions.get(self.root, True):
            self._note(self.root, SKIPPED)
            return
        run = Run()
        self.live.append(run)
        self._advance(run)

    def finish(self, name: str) -> None:
        """Let a task that waits end well."""
        run = next(each for each in self.live if name in each.waits)
        run.waits.discard(name)
        self._end(run, name, OK)
        self._advance(run)

    def retry(self) -> None:
        """EXECUTE TASK … RETRY LAST: from the last failed tasks on, as a new attempt
        (sql-reference/sql/execute-task).
        """
        self._begin_again(self.live[-1])

    def _advance(self, run: Run) -> None:
        while True:
            ready = next((n for n in self._ordinary if self._is_ready(run, n)), None)
            if ready is None:
                break
            self._start(run, ready)
        if not run.waits:
            self._conclude(run)

    @property
    def _ordinary(self) -> list[str]:
        return [n for n, task in self.tasks.items() if "finalize" not in task]

    def _is_ready(self, run: Run, name: str) -> bool:
        """AFTER waits for all; a suspended predecessor counts as succeeded, but one has
        to be resumed where there are several (user-guide/tasks-graphs, Skip or suspend
        a child task). After a failed or a skipped one a task does not run
        (sql-reference/sql/create-task).
        """
        if name in run.states or name in run.waits:
            return False
        if name == self.root:
            return True
        if name in self.suspended:
            return False
        after = self._after(name)
        resumed = [each for each in after if each not in self.suspended]
        if not resumed and len(after) > 1:
            return False
        reached = [self._reached(run, each) for each in after]
        return all(reached)

    def _reached(self, run: Run, name: str) -> bool:
        if name in self.suspended and name != self.root:
            return all(self._reached(run, each) for each in self._after(name))
        return run.states.get(name) == OK

    def _after(self, name: str) -> list[str]:
        given = self.tasks[name].get("after", [])
        return [given] if isinstance(given, str) else list(given)

    def _start(self, run: Run, name: str) -> None:
        if name != self.root and not self.conditions.get(name, True):
            self._end(run, name, SKIPPED)
            return
        number = self.done.get(name, 0)
        self.done[name] = number + 1
        wanted = self.outcomes.get(name, [])
        outcome = wanted[number] if number < len(wanted) else "ok"
        if outcome == "waits":
            run.waits.add(name)
        else:
            self._end(run, name, OK if outcome == "ok" else FAILED)

    def _end(self, run: Run, name: str, state: str) -> None:
        run.states[name] = state
        self._note(name, state)

    def _note(self, name: str, state: str) -> None:
        self.history.setdefault(name, []).append(state)

    def _conclude(self, run: Run) -> None:
        """All tasks ended, or cannot run: the finalizer runs once nothing else is
        running or queued (user-guide/tasks-graphs, Finalizer task).
        """
        self._finalize(run)
        has_failed = FAILED in run.states.values()
        self.ended.append(FAILED if has_failed else OK)
        limit = int(self.tasks[self.root].get("auto_retry_attempts", 0))
        if has_failed and run.attempt <= limit:
            self._begin_again(run)
        else:
            self._count(run)

    def _finalize(self, run: Run) -> None:
        for name, task in self.tasks.items():
            if "finalize" in task and name not in self.suspended:
                self._start(run, name)

    def _begin_again(self, run: Run) -> None:
        """A graph that failed is retried from the last task that failed
        (TASK_AUTO_RETRY_ATTEMPTS, sql-reference/sql/create-task).
        """
        run.attempt += 1
        kept = {n for n, state in run.states.items() if state != FAILED}
        kept &= {*self._ordinary}
        run.states = {name: run.states[name] for name in kept}
        self._advance(run)

    def _count(self, run: Run) -> None:
        """The root is suspended after the run of any single task of the graph failed so
        many times in a row; skips are not counted (SUSPEND_TASK_AFTER_NUM_FAILURES,
        sql-reference/sql/create-task).
        """
        limit = int(self.tasks[self.root].get("suspend_after_failures", 10))
        for name, state in run.states.items():
            if state == FAILED:
                self.failures[name] = self.failures.get(name, 0) + 1
            elif state == OK:
                self.failures[name] = 0
        if limit and any(count >= limit for count in self.failures.values()):
            self.suspended.add(self.root)
            worst = max(self.failures, key=lambda each: self.failures[each])
            self.history[worst][-1] = AUTO_SUSPENDED
            self.failures = {}
