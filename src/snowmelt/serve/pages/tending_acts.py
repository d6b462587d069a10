"""Buttons of tasks, alerts and doctor: what each sends, and what it says then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.wording import plural, seconds

Words = dict[str, str]
OPTIONS = {"duration": "for"}
"""Arguments that the command line calls otherwise."""


@dataclass(frozen=True)
class Act:
    """One verb: its command, what a form may send, and what it says afterwards.

    `bare` is the word that stands without an option. `more` is what a button means
    beside what its form says. `fine` tells a verb that ended from one that succeeded.
    """

    command: str
    names: tuple[str, ...]
    bare: str | None
    say: Callable[[Words, Document], str]
    needs: tuple[str, ...] = ()
    more: tuple[tuple[str, Any], ...] = ()
    fine: Callable[[Document], bool] = lambda _: True

    def read(self, words: Words) -> dict[str, Any]:
        """Return the verb's arguments. Raises UsageError for what is missing."""
        for name in self.needs:
            if name not in words:
                raise UsageError(self.command, f"it needs a {name}")
        return {name: words.get(name) for name in self.names} | dict(self.more)


def _begun(words: Words, document: Document) -> str:
    run = document["graph_run"]
    again = f", attempt {run['attempt_number']}" if run["attempt_number"] > 1 else ""
    return f"The graph run of {run['root_task_name']} has begun{again}."


def _put(words: Words, document: Document) -> str:
    name, is_suspended = document["task"], document["state"] == "suspended"
    if not document["changed"]:
        return f"Task {name} was {document['state']} already."
    if not is_suspended:
        return f"Task {name} runs again."
    rest = (
        "no graph run begins by itself" if document["is_root"] else "it is passed over"
    )
    return f"Task {name} is suspended: {rest} until it is resumed."


def _tested(words: Words, document: Document) -> str:
    told = [
        f"{each['sink']}: sent in {seconds(each['seconds'])}"
        if each["sent"]
        else f"{each['sink']}: {each['error']}"
        for each in document["sinks"]
    ]
    return "; ".join(told)


def _muted(words: Words, document: Document) -> str:
    until = document["muted_until"]
    if until is None:
        return f"{document['target']} is not muted any more."
    when = until[:16].replace("T", " ")
    return f"Nobody hears of {document['target']} until {when} UTC."


def _diagnosed(words: Words, document: Document) -> str:
    bad = sum(each["level"] == "fail" for each in document["findings"])
    checks = plural(len(document["findings"]), "check")
    return f"{checks}: {bad} failed." if bad else f"{checks}, none failed."


_NO_WAIT = (("wait", False),)
TENDING: dict[str, Act] = {
    "task_run": Act(
        "snowmelt tasks run",
        ("name",),
        "name",
        _begun,
        more=(("config", None), *_NO_WAIT),
    ),
    "task_retry": Act(
        "snowmelt tasks retry", ("target",), "target", _begun, more=_NO_WAIT
    ),
    "task_suspend": Act(
        "snowmelt tasks suspend", ("name", "reason"), "name", _put, needs=("name",)
    ),
    "task_resume": Act(
        "snowmelt tasks resume", ("name",), "name", _put, needs=("name",)
    ),
    "test_alerts": Act(
        "snowmelt alerts test",
        ("sink",),
        "sink",
        _tested,
        fine=lambda document: all(each["sent"] for each in document["sinks"]),
    ),
    "mute_alerts": Act(
        "snowmelt alerts mute",
        ("target", "duration"),
        "target",
        _muted,
        needs=("target", "duration"),
    ),
    "doctor": Act("snowmelt doctor", (), None, _diagnosed, more=(("fresh", True),)),
}


def was_fine(verb: str, document: Document) -> bool:
    """Did a verb that ended do what it was asked for?"""
    return TENDING[verb].fine(document) if verb in TENDING else True
