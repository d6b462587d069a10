"""The verbs of a target: answered from what was read of it, or refused with the way.

One mechanism for all of them: whoever answers for the warehouse here answers from the
file of the target, which has the same tables; what an account tells beside its history
is put into the document afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, cast

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Commands, Document
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.questions import find_pipe
from snowmelt.service.targets.absence import unknown_document
from snowmelt.service.targets.costing import cost_document
from snowmelt.service.targets.diagnosing import doctor_document, was_asked
from snowmelt.service.targets.facts import facts_of
from snowmelt.service.targets.gold import GoldThere
from snowmelt.service.targets.no_cost import DAYS
from snowmelt.service.targets.observing import Observing
from snowmelt.service.targets.overlay import OVERLAYS, point_there, shell_of
from snowmelt.service.targets.querying import asks_rows, rows_document
from snowmelt.service.targets.refusing import refusal

ANSWERED = frozenset(
    (
        *("status", "history", "log", "rejects", "reject_groups", "why", "streams"),
        *("tasks", "task_history", "runs", "run_detail", "query", "cost", "doctor"),
        *("alerts", "alert_history", "test_alerts", "mute_alerts"),
        *("health", "shell", "search"),
        *("pipes", "files", "file", "reject_samples"),
        *("task_board", "graph_run", "task_detail"),
        *("alert_board", "alert", "deliveries"),
        *("dashboards", "dashboard", "board", "lineage", "catalog", "table"),
    )
)
"""What the harvest and the project can answer, or the account is asked.

Every other verb is refused."""
DIAGNOSIS_SECONDS = 3600.0
"""How long it is taken to be as it was found, by who does not ask anew: to look wakes
the warehouse, which history does so often, too."""
AWAY_SECONDS = 60.0
"""How long an account is taken not to let itself be asked."""


class TargetCommands:
    """Answers for a target. `own` answers from the file, as for the warehouse here."""

    def __init__(self, own: OwnCommands, observing: Observing) -> None:
        self._own = own
        self._observing = observing
        self._diagnosing = threading.Lock()
        self._diagnosis: tuple[float, Document] | None = None

    def cost(self, days: int | None = None) -> Document:
        """Return what pipes, the warehouse and models took of credits."""
        document = cost_document(self._observing, days or DAYS)
        return document | {"shell": self.shell()}

    def doctor(self, fresh: bool | None = None) -> Document:
        """Look at the account in the order in which things go wrong.

        What was found last will do for a while, unless it is to be `fresh`.
        """
        clock = self._observing.parts.clock
        with self._diagnosing:
            kept = self._diagnosis
            if fresh or kept is None or clock.monotonic() > kept[0]:
                found = doctor_document(self._observing)
                seconds = DIAGNOSIS_SECONDS if was_asked(found) else AWAY_SECONDS
                kept = self._diagnosis = (clock.monotonic() + seconds, found)
            return kept[1]

    def query(self, sql: str, limit: int | None = None) -> Document:
        """Answer one query: of history that is known here, or of the account's rows."""
        gold = self._observing.parts.gold
        if isinstance(gold, GoldThere) and asks_rows(sql):
            return rows_document(gold, sql, limit)
        return self._own.query(sql, limit)

    def why(self, target: str) -> Document:
        """Explain a file or a model; of a file that is not known, what to look at."""
        try:
            return self._own.why(target)
        except UsageError as error:
            return unknown_document(self._observing, target, error)

    def shell(self) -> Document:
        """Return what is beside every page."""
        shell = self._own.shell()
        shell_of(facts_of(self._observing), shell)
        return shell

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._own, verb)
        return self._answering(verb, call) if verb in ANSWERED else self._no(verb, call)

    def _answering(self, verb: str, call: Callable[..., Document]) -> Any:
        @wraps(call)
        def answering(*given: Any, **named: Any) -> Document:
            document = call(*given, **named)
            facts = facts_of(self._observing)
            if "shell" in document:
                shell_of(facts, document["shell"])
            overlay, scope = OVERLAYS.get(verb), self._observing.scope
            if overlay is not None:
                document = overlay(facts, scope, document)
            point_there(document, scope)
            return document

        return answering

    def _no(self, verb: str, call: Callable[..., Document]) -> Any:
        @wraps(call)
        def refusing(*given: Any, **named: Any) -> Document:
            bound = signature(call).bind_partial(*given, **named).arguments
            if bound.get("pipe"):
                find_pipe(self._observing.project, bound["pipe"])
            raise refusal(verb, self._observing.scope, dict(bound))

        return refusing


def target_commands(loop: Loop, observing: Observing, *, serving: bool) -> Commands:
    """Return who answers for a target."""
    own = OwnCommands(loop, serving=serving)
    return cast("Commands", TargetCommands(own, observing))
