"""Whether what a dashboard shows is current, by its models and all they are made of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from snowmelt.gold.lag import published_until, waiting_since
from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.lineage import known_graph, lineage_document
from snowmelt.service.pages.shell import failed_files, shell_document
from snowmelt.transform.graph import Graph
from snowmelt.transform.target_lag import Goals, read_goals, say_lag
from snowmelt.warehouse.port import Session

TOLD_MAX = 5
_WORDS = (
    *(("check", "test failed"), ("model", "not built"), ("run", "stale")),
    *(("missing", "file missing"), ("lag", "stale"), ("late", "late")),
    *(("files", "files wait"), ("warns", "test warns")),
)
"""What a badge says, by the kind of reason: what is worse first."""
_ORDER = {kind: place for place, (kind, _) in enumerate(_WORDS)}


class BoardHealth:
    """How models and pipes stand in one snapshot, for any number of dashboards."""

    def __init__(
        self, loop: Loop, session: Session, found: Document | None = None
    ) -> None:
        """`found` is what `lineage_document` made of this snapshot, if it did."""
        found = found or lineage_document(loop, session)
        self.shell = shell_document(loop, session)
        self._loop = loop
        self._now = loop.parts.clock.now()
        self._nodes: dict[str, Document] = {each["id"]: each for each in found["nodes"]}
        self._parents: dict[str, list[str]] = defaultdict(list)
        for parent, child in found["edges"]:
            self._parents[child].append(parent)
        self._waiting = waiting_since(session)
        self._newest = published_until(session)
        self._freshness = {
            str(each["pipe_name"]): each for each in loop.watching.documents()
        }
        self._files = Counter(each["pipe_name"] for each in failed_files(loop, session))
        with loop.lock:
            for held in loop.parts.pending.held.values():
                self._files[held.pipe_name] += 1

    def of(self, models: Iterable[str]) -> Document:
        """Return word and level, why, and of when the data of these models is."""
        own = [f"model:{name}" for name in models]
        above = [self._nodes[each] for each in self._above(own)]
        pipes = [each for each in above if each["id"].startswith("pipe:")]
        newest = [
            self._newest[name]
            for each in pipes
            if (name := each["id"].partition(":")[2]) in self._newest
        ]
        published = self.shell["published_at"]
        reasons = self._reasons(own, above, pipes) if published else []
        reasons.sort(key=lambda each: (each["level"] != "bad", _ORDER[each["kind"]]))
        word, level = "current", "good"
        if not published:
            word, level = "nothing published", ""
        elif reasons:
            word, level = dict(_WORDS)[reasons[0]["kind"]], reasons[0]["level"]
        return {
            "word": word,
            "level": level,
            "reasons": reasons[:TOLD_MAX],
            "left_out": max(len(reasons) - TOLD_MAX, 0),
            "data_as_of": plain(max(newest)) if newest and published else published,
        }

    def of_board(self, models: Iterable[str], problem: str | None) -> Document:
        """Return it of a dashboard, of which the file may be off."""
        found = self.of(models)
        return found | {"word": "broken", "level": "bad"} if problem else found

    def _above(self, own: list[str]) -> list[str]:
        """Return these and all that they are made of, as far as it is known."""
        found: dict[str, None] = {}
        waiting = list(own)
        while waiting:
            each = waiting.pop()
            if each not in found and each in self._nodes:
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
            each["id"]: self._waiting[each["name"]]
            for each in pipes
            if each["name"] in self._waiting
        }
        if waiting and self.shell["last_run_failed"]:
            since = f"{min(waiting.values()):%Y-%m-%d %H:%M} UTC"
            what = f"rows since {since} are not published: the last run failed"
            told.append(_told("bad", "run", "", what))
        else:
            told += self._beyond_goal(own, waiting)
        for each in pipes:
            told += self._of_pipe(each["id"].partition(":")[2])
        return told

    def _of_pipe(self, name: str) -> list[Document]:
        told = []
        state = str(self._freshness.get(name, {}).get("state", ""))
        if state in ("late", "missing"):
            level = "bad" if state == "missing" else "warn"
            what = f"the file of pipe {name} is {state}"
            told.append(_told(level, state, name, what))
        if files := self._files[name]:
            them = "1 file" if files == 1 else f"{files} files"
            what = f"{them} of pipe {name} could not be loaded yet"
            told.append(_told("warn", "files", name, what))
        return told

    def _beyond_goal(
        self, own: list[str], waiting: Mapping[str, datetime]
    ) -> list[Document]:
        """Return which of these models are staler than they may be."""
        graph = known_graph(self._loop)
        if graph is None or not waiting:
            return []
        goals = _goals(graph, self._loop.parts.project.settings.publish.default_lag)
        ids = {each.name: each.id for each in graph.nodes.values() if not each.is_check}
        told = []
        for each in own:
            name = each.partition(":")[2]
            goal = goals.own.get(ids.get(name, ""))
            since = [waiting[a] for a in self._above([each]) if a in waiting]
            if goal and since and self._now - min(since) > goal:
                what = f"{name} is staler than its target lag, {say_lag(goal)}"
                told.append(_told("warn", "lag", name, what))
        return told


def _of_model(node: Document) -> Document | None:
    """Return what is wrong with a model, or with what its tests found."""
    name = node["name"]
    if node["tests_failed"]:
        failed = node["tests_failed"]
        tests = "1 test" if failed == 1 else f"{failed} tests"
        return _told("bad", "check", node["name"], f"{tests} of {name} failed")
    if node["state"] == "bad":
        return _told("bad", "model", node["name"], f"{name} could not be built")
    if node["tests_warned"]:
        warned = node["tests_warned"]
        tests = "1 test of {} warns" if warned == 1 else f"{warned} tests of {{}} warn"
        return _told("warn", "warns", node["name"], tests.format(name))
    return None


def _told(level: str, kind: str, name: str, told: str) -> Document:
    return {"level": level, "kind": kind, "name": name, "told": told}


@lru_cache(maxsize=4)
def _goals(graph: Graph, default: timedelta | None) -> Goals:
    return read_goals(graph, default)


def beside_board(loop: Loop, session: Session, models: frozenset[str]) -> Document:
    """Return what stands beside a dashboard that reads these models."""
    health = BoardHealth(loop, session)
    return {"shell": health.shell, "health": health.of(models)}
