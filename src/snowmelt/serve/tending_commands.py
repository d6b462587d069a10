"""What pages ask about tasks, alerts, columns and the machine."""

from __future__ import annotations

from typing import Any, Protocol

Document = dict[str, Any]


class TendingCommands(Protocol):
    """Questions about what has to be tended, each answered from one snapshot."""

    def task_board(
        self, task: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        """The graph, streams, and runs of the graph before one, newest first."""
        ...

    def graph_run(self, group: str) -> Document:
        """One run of the graph: its attempts, and what each task came to."""
        ...

    def task_detail(
        self, task: str, state: str | None, before: str | None, limit: int
    ) -> Document:
        """One task: what it does, how it stands, its runs before one."""
        ...

    def alert_board(
        self, rule: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        """What is open on record, rules, sinks, and alerts before one."""
        ...

    def alert(self, alert: str) -> Document:
        """One alert: what shows it, and every message about it."""
        ...

    def deliveries(
        self, sink: str, state: str | None, before: int | None, limit: int
    ) -> Document:
        """Messages through one sink before one, newest first."""
        ...

    def drift_board(self, pipe: str | None, limit: int) -> Document:
        """Files whose columns differ, and what each pipe does about it."""
        ...

    def doctor(self, fresh: bool | None = None) -> Document:
        """Is this machine, and this project, fit to run?

        As it was found a while ago; `fresh`: look now.
        """
        ...
