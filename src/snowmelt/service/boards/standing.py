"""Whether what a dashboard shows is current, by its models and all they are made of.

Decided from what is known of one snapshot; nothing here asks a clock or the warehouse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.transform.target_lag import say_lag

TOLD_MAX = 5
WORDS = (
    *(("run", "stale"), ("check", "test failed"), ("model", "not built")),
    *(("missing", "file missing"), ("lag", "stale"), ("late", "late")),
    *(("files", "files wait"), ("warns", "test warns")),
)
"""What a badge says, by the kind of reason: first what shows in the figures.

A test that fails is of a run that is not published: what is seen passed.
"""
_ORDER = {kind: place for place, (kind, _) in enumerate(WORDS)}


@dataclass
class Standing:
    """How models and pipes stand, for any number of dashboards.

    `nodes` and `edges` are the lineage's. `waiting`: since when a table of bronze has
    rows that readers do not see; `newest`: when the newest that they see came, by pipe.
    `freshness` and `files`: how a pipe's expected file is, and how many of its files
    are not loaded. `goals`: how stale a model may be.
    """

    nodes: Sequence[Document]
    edges: Sequence[Sequence[str]]
    now: datetime
    published_at: datetime | None = None
    last_run_failed: bool = False
    waiting: Mapping[str, datetime] = field(default_factory=dict)
    newest: Mapping[str, datetime] = field(default_factory=dict)
    freshness: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    goals: Mapping[str, timedelta] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id: dict[str, Document] = {each["id"]: each for each in self.nodes}
        self._parents: dict[str, list[str]] = defaultdict(list)
        for parent, child in self.edges:
            self._parents[child].append(parent)

    def of_board(self, models: Iterable[str], problem: str | None) -> Document:
        """Return it of a dashboard, of which the file may be off."""
        found = self.of(models)
        return found | {"word": "broken", "level": "bad"} if problem else found

    def of(self, models: Iterable[str]) -> Document:
        """Return word and level, why, and of when the data of these models is."""
        own = [f"model:{name}" for name in models]
        above = [self._by_id[each] for each in self._above(own)]
        pipes = [each for each in above if each["id"].startswith("pipe:")]
        reasons = self._reasons(own, above, pipes) if self.published_at else []
        reasons.sort(key=lambda each: (each["level"] != "bad", _ORDER[each["kind"]]))
        word, level = "current", "good"
        if not self.published_at:
            word, level = "nothing published", ""
        elif reasons:
            word, level = dict(WORDS)[reasons[0]["kind"]], reasons[0]["level"]
        return {
            "word": word,
            "level": level,
            "reasons": reasons[:TOLD_MAX],
            "left_out": max(len(reasons) - TOLD_MAX, 0),
            "data_as_of": plain(self._newest_of(pipes)),
        }

    def _newest_of(self, pipes: list[Document]) -> datetime | None:
        """Return when the newest rows came that readers see: those of any pipe."""
        names = [_name(each["id"]) for each in pipes]
        newest = [self.newest[name] for name in names if name in self.newest]
        return max(newest, default=self.published_at) if self.published_at else None

    def _above(self, own: list[str]) -> list[str]:
        """Return these and all that they are made of, as far as it is known."""
        found: dict[str, None] = {}
        waiting = list(own)
        while waiting:
            each = waiting.pop()
            if each not in found and each in self._by_id:
                found[each] = None
                waiting += self._parents[each]
        return list(found)

    def _reasons(
        self, own: list[str], above: list[Document], pipes: list[Document]
    ) -> list[Document]:
        told = [
            reason
            for each in above
            if each["id"].startswith("model:") and (reason := _of_model(each))
        ]
        waiting = {
            each["id"]: self.waiting[each["name"]]
            for each in pipes
            if each["name"] in self.waiting
        }
        if waiting and self.last_run_failed:
            since = f"{min(waiting.values()):%Y-%m-%d %H:%M} UTC"
            what = f"rows since {since} are not published: the last run failed"
            told.append(_told("bad", "run", "", what))
        elif waiting:
            told += self._beyond_goal(own, waiting)
        for each in pipes:
            told += self._of_pipe(_name(each["id"]))
        return told

    def _of_pipe(self, name: str) -> list[Document]:
        told = []
        state = self.freshness.get(name, "")
        if state in ("late", "missing"):
            level = "bad" if state == "missing" else "warn"
            what = f"the file of pipe {name} is {state}"
            told.append(_told(level, state, name, what))
        if files := self.files.get(name, 0):
            them = "1 file" if files == 1 else f"{files} files"
            what = f"{them} of pipe {name} could not be loaded yet"
            told.append(_told("warn", "files", name, what))
        return told

    def _beyond_goal(
        self, own: list[str], waiting: Mapping[str, datetime]
    ) -> list[Document]:
        """Return which of these models are staler than they may be."""
        told = []
        for each in own:
            name = _name(each)
            goal = self.goals.get(name)
            since = [waiting[a] for a in self._above([each]) if a in waiting]
            if goal and since and self.now - min(since) > goal:
                what = f"{name} is staler than its target lag, {say_lag(goal)}"
                told.append(_told("warn", "lag", name, what))
        return told


def _name(node: str) -> str:
    return node.partition(":")[2]


def _of_model(node: Document) -> Document | None:
    """Return what is wrong with a model, or with what its tests found."""
    name = node["name"]
    if failed := node["tests_failed"]:
        tests = "1 test" if failed == 1 else f"{failed} tests"
        return _told("bad", "check", name, f"{tests} of {name} failed")
    if node["state"] == "bad":
        return _told("bad", "model", name, f"{name} could not be built")
    if warned := node["tests_warned"]:
        tests = "1 test of {} warns" if warned == 1 else f"{warned} tests of {{}} warn"
        return _told("warn", "warns", name, tests.format(name))
    return None


def _told(level: str, kind: str, name: str, told: str) -> Document:
    return {"level": level, "kind": kind, "name": name, "told": told}
