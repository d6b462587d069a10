"""Dagster's side without Dagster: keys of assets, what is asked for, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.clock import SystemClock
from snowmelt.dagster.asking import Asked, ask_and_wait, key_of, step_of
from snowmelt.dagster.manifest import Key, Made, read_manifest
from snowmelt.dagster.watching import (
    ERRANDS_LOOKED_AT,
    EVENTS_MAX,
    SECONDS_MAX,
    STEP_PATIENCE,
    Happened,
    Watched,
    look,
)
from snowmelt.remote import Document, Question, Remote, ServiceError

VISITS, ORDERS = ("bronze", "visits"), ("bronze", "orders")
DAILY, TOTALS = ("gold", "daily"), ("gold", "totals")
MADE = [
    Made(VISITS, "visits", "bronze", "", (), "visits", is_source=True),
    Made(ORDERS, "orders", "bronze", "", (), "orders", is_source=True),
    Made(DAILY, "daily", "gold", "", (VISITS,), selector="daily"),
    Made(TOTALS, "totals", "gold", "", (ORDERS,), selector="totals"),
]
TABLES = {"visits_feed": "visits", "orders": "orders"}
"""The tables that pipes load, by the pipes' names."""
MODELS = ("daily", "totals")
ALL = frozenset((VISITS, ORDERS, DAILY, TOTALS))


@dataclass
class Step:
    """A step of a Dagster run: what it asked for, and what it told of by now."""

    name: str
    chosen: frozenset[Key]
    errand: Document
    told: frozenset[Key] | None = None


@dataclass
class World:
    """A service, a Dagster and a clock; each thing that happens takes a second."""

    seconds: float = 0.0
    happenings: list[Document] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    told: list[Happened] = field(default_factory=list)
    page: int = 3
    seconds_a_page: float = 0.0
    pages: int = 0
    cursor: str = ""

    def __post_init__(self) -> None:
        self.tick()

    # A clock.

    def now(self) -> datetime:
        return datetime(2024, 5, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, wake: object, seconds: float) -> bool:
        raise AssertionError(f"nobody waits here, as for {seconds} of {wake}")

    # What happens.

    def load(self, pipe: str, file: str = "day.csv") -> int:
        load_seq: int = 1 + sum(each["kind"] == "loaded" for each in self.happenings)
        named = {"pipe": pipe, "table": TABLES[pipe], "file": file}
        counts = {"status": "Loaded", "row_count": 2, "error_count": 0}
        self._happen(kind="loaded", load_seq=load_seq, **named, **counts)
        return load_seq

    def publish(self, *models: str) -> str:
        run = f"run-{len(self.happenings)}"
        self._happen(kind="published", run_id=run, built=models or MODELS)
        return run

    def _happen(self, **what: Any) -> None:
        self.seconds += 1
        position = str(len(self.happenings) + 1)
        at = self.now().isoformat()
        self.happenings.append({"at": at, "position": position, **what})

    def begin(self, *chosen: Key, of: str = "ours") -> Step:
        self.seconds += 1
        name = f"{of}-{len(self.steps)}"
        at = self.now().isoformat()
        errand = {
            "errand": len(self.steps) + 1,
            "key": key_of(name, "shop"),
            "asked": {"since": at},
            "asked_at": at,
            **dict.fromkeys(("ended_at", "answer", "run_id")),
        }
        step = Step(name, frozenset(chosen), errand)
        self.steps.append(step)
        return step

    def end(self, step: Step) -> None:
        """End its errand, as the service does."""
        since = step.errand["asked"]["since"]
        own = [each for each in self.happenings if each["at"] >= since]
        seqs = [each["load_seq"] for each in own if each["kind"] == "loaded"]
        runs = [each["run_id"] for each in own if each["kind"] == "published"]
        self.seconds += 1
        spanned = {"first": seqs[0], "last": seqs[-1]} if seqs else None
        step.errand["ended_at"] = self.now().isoformat()
        step.errand["answer"] = {"load_seqs": spanned}
        step.errand["run_id"] = runs[-1] if runs else None

    def finish(self, step: Step, *, failed: bool = False) -> None:
        """Have a step see the end of its errand, and tell what it was to make."""
        if step.errand["ended_at"] is None:
            self.end(step)
        self.seconds += 1
        step.told = frozenset() if failed else step.chosen

    # What is asked.

    def tick(self) -> list[Happened]:
        """Look, as the sensor does; returns what is new."""
        remote = Answering(self._answer)
        seen = look(Watched(remote, MADE, self._told_by, self), self.cursor)
        self.cursor = seen.cursor
        self.told += seen.events
        return seen.events

    def tick_to_the_end(self) -> None:
        self.seconds += STEP_PATIENCE.total_seconds() + 1
        for _ in range(len(self.happenings) + 1):
            self.tick()
        assert self.cursor == str(len(self.happenings)), "nothing waits forever"

    def _told_by(self, run_id: str, step: str) -> frozenset[Key] | None:
        assert step == "shop"
        found = [each for each in self.steps if each.name == run_id]
        return found[0].told if run_id.startswith("ours") else frozenset()

    def _answer(self, question: Question) -> Document:
        if question.path == "/api/v1/errands":
            return {"errands": self._listed(**question.params)}
        if question.path == "/api/v1/run_detail":
            run = question.params["run"]
            (found,) = (e for e in self.happenings if e.get("run_id") == run)
            node = {"status": "success", "seconds": 0.1}
            return {"nodes": [{"node": name, **node} for name in found["built"]]}
        assert question.path == "/api/v1/happenings"
        end = len(self.happenings)
        if question.params["after"] == "now":
            return {"happenings": [], "next": str(end), "more": False}
        self.pages += 1
        self.seconds += self.seconds_a_page
        after = int(question.params["after"])
        shown = self.happenings[after : after + self.page]
        through = after + len(shown)
        return {"happenings": shown, "next": str(through), "more": through < end}

    def _listed(self, limit: int, state: str = "") -> list[Document]:
        assert state in ("", "QUEUED,EXECUTING")
        errands = [each.errand for each in reversed(self.steps)]
        found = [each for each in errands if not (state and each["ended_at"])]
        return found[:limit]


class Answering(Remote):
    """A service that answers by a function."""

    def __init__(self, answer: Callable[[Question], Document]) -> None:
        super().__init__("http://snowmelt.test", "a token")
        object.__setattr__(self, "answer", answer)

    def ask(self, question: Question) -> Document:
        answer: Callable[[Question], Document] = vars(self)["answer"]
        return answer(question)


def keys(events: list[Happened]) -> list[Key]:
    return [each.key for each in events]


# What is told, and by whom.


def test_what_the_service_does_by_itself_is_told_once() -> None:
    world = World()
    seq = world.load("visits_feed", "a.csv")
    run = world.publish()
    loaded, *built = world.tick()
    assert (loaded.key, loaded.told) == (VISITS, "a.csv: Loaded")
    assert (loaded.metadata["load_seq"], loaded.metadata["pipe"]) == (
        seq,
        "visits_feed",
    )
    assert {each.key for each in built} == {DAILY, TOTALS}
    assert {each.metadata["run_id"] for each in built} == {run}
    assert world.tick() == []


def test_while_an_errand_is_under_way_what_may_be_its_own_waits() -> None:
    world = World()
    world.load("visits_feed", "before.csv")
    step = world.begin(*ALL)
    world.load("visits_feed", "own.csv")
    assert [each.metadata["file"] for each in world.tick()] == ["before.csv"]
    world.publish()
    assert world.tick() == []
    world.end(step)
    assert world.tick() == [], "the step sees the end of its errand a moment later"
    world.finish(step)
    assert world.tick() == [], "its own run tells it"
    world.load("visits_feed", "after.csv")
    assert [each.metadata["file"] for each in world.tick()] == ["after.csv"]


def test_a_later_load_of_a_name_that_was_asked_for_is_told() -> None:
    world = World()
    step = world.begin(VISITS)
    world.load("visits_feed", "day.csv")
    world.finish(step)
    later = world.load("visits_feed", "day.csv")
    (told,) = world.tick()
    assert told.metadata["load_seq"] == later


def test_a_load_before_the_step_began_is_told_also_when_it_is_looked_at_late() -> None:
    world = World()
    before = world.load("visits_feed")
    step = world.begin(VISITS)
    world.load("visits_feed")
    world.finish(step)
    (told,) = world.tick()
    assert told.metadata["load_seq"] == before


def test_of_very_many_own_files_none_is_told_as_somebody_elses() -> None:
    world = World()
    step = world.begin(VISITS)
    for number in range(250):
        world.load("visits_feed", f"{number}.csv")
    world.finish(step)
    world.tick_to_the_end()
    assert world.told == []


def test_what_a_run_made_besides_what_was_chosen_is_told() -> None:
    world = World()
    step = world.begin(VISITS, DAILY)
    world.load("visits_feed")
    world.load("orders")
    world.publish("daily", "totals")
    world.finish(step)
    assert set(keys(world.tick())) == {ORDERS, TOTALS}


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_step_never_told_is_told(dies: bool) -> None:
    world = World()
    step = world.begin(*ALL)
    world.load("visits_feed")
    world.publish("daily")
    if dies:  # its worker, after it asked: the errand goes on
        world.end(step)
        assert world.tick() == []
        world.seconds += STEP_PATIENCE.total_seconds() + 1
    else:  # a file that could not be loaded fails the errand, others were loaded
        world.finish(step, failed=True)
    assert set(keys(world.tick())) == {VISITS, DAILY}


def test_a_try_that_failed_is_told_by_the_one_that_did_not() -> None:
    world = World()
    step = world.begin(*ALL)
    world.load("visits_feed")
    world.end(step)
    again = world.begin(*ALL)
    again.name, again.errand["key"] = step.name, f"{step.errand['key']}#1"
    world.publish()
    assert world.tick() == []
    world.finish(again)
    step.told = again.told
    assert world.tick() == []


def test_what_another_dagster_asked_for_is_told_and_waited_for_by_nobody() -> None:
    world = World()
    world.begin(*ALL, of="theirs")
    world.load("visits_feed")
    assert keys(world.tick()) == [VISITS]


def test_what_is_under_way_waits_however_much_others_ask_meanwhile() -> None:
    world = World()
    world.begin(*ALL)
    for _ in range(ERRANDS_LOOKED_AT):
        world.end(world.begin(*ALL, of="theirs"))
    world.load("visits_feed")
    assert world.tick() == []


def test_one_look_reads_on_while_there_is_more() -> None:
    world = World()
    for _ in range(50):
        world.load("orders")
    assert len(world.tick()) == 50
    assert world.pages == 17


def test_a_look_that_takes_long_or_tells_much_leaves_the_rest_to_the_next() -> None:
    slow = World(seconds_a_page=SECONDS_MAX / 4)
    for _ in range(50):
        slow.load("orders")
    assert len(slow.tick()) == 4 * slow.page
    full = World(page=100)
    for _ in range(EVENTS_MAX + 500):
        full.load("orders")
    assert (len(full.tick()), len(full.tick())) == (EVENTS_MAX, 500)


STORY = st.lists(
    st.one_of(
        st.tuples(st.just("load"), st.sampled_from(sorted(TABLES))),
        st.tuples(st.just("publish"), st.sampled_from([*MODELS, ""])),
        st.tuples(st.just("begin"), st.sets(st.sampled_from(sorted(ALL)), min_size=1)),
        st.tuples(
            st.sampled_from(["end", "finish", "fail", "forget"]), st.integers(0, 3)
        ),
        st.tuples(st.just("tick"), st.none()),
    ),
    max_size=30,
)


@given(STORY)
def test_all_that_happens_is_told_once_by_a_step_or_by_the_sensor(
    story: list[tuple[str, Any]],
) -> None:
    """Files of one name all, steps that overlap, fail, die; looks at any moment."""
    world = World()
    for verb, of in story:
        _do(world, verb, of)
    for step in world.steps:
        if step.errand["ended_at"] is None:
            world.end(step)
    world.tick_to_the_end()
    for each in world.happenings:
        for key, number, name in _made(each):
            by_sensor = [
                told
                for told in world.told
                if told.key == key and told.metadata.get(name) == number
            ]
            by_step = any(
                key in (s.told or ()) and _is_of(each, s) for s in world.steps
            )
            assert len(by_sensor) == (0 if by_step else 1), (each, by_sensor, by_step)


def _do(world: World, verb: str, of: Any) -> None:
    if verb == "load":
        world.load(of)
    elif verb == "publish":
        world.publish(*([of] if of else []))
    elif verb == "begin":
        world.begin(*of)
    elif verb == "tick":
        world.tick()
    elif step := next((s for s in world.steps[of:] if s.told is None), None):
        if verb == "end" and step.errand["ended_at"] is None:
            world.end(step)
        elif verb in ("finish", "fail"):
            world.finish(step, failed=verb == "fail")


def _made(each: Document) -> Iterator[tuple[Key, Any, str]]:
    if each["kind"] == "loaded":
        yield ("bronze", each["table"]), each["load_seq"], "load_seq"
    else:
        for model in each["built"]:
            yield ("gold", model), each["run_id"], "run_id"


def _is_of(each: Document, step: Step) -> bool:
    if each["kind"] == "published":
        return bool(step.errand["run_id"] == each["run_id"])
    spanned = step.errand["answer"]["load_seqs"]
    return bool(spanned and spanned["first"] <= each["load_seq"] <= spanned["last"])


# What is asked for.


def test_a_key_names_the_step_and_leads_back_to_it() -> None:
    assert key_of("run", "shop") != key_of("run", "shop_2")
    assert step_of(key_of("run", "shop_2")) == ("run", "shop_2")
    assert step_of(key_of("run", "graph.shop") + "#3") == ("run", "graph.shop")
    assert step_of("airflow/run/shop") is None
    assert step_of(None) is None


def _asked(question: Question, asked: list[Document]) -> Document:
    if question.path == "/api/v1/pipes":
        pipes = [{"pipe_name": p, "table_name": t} for p, t in TABLES.items()]
        return {"pipes": pipes}
    asked.append(question.body or {})
    return {"errand": {"errand": 1, "what": "?", "state": "X", "has_ended": True}}


def test_a_table_is_refreshed_by_the_pipe_that_loads_it() -> None:
    asked: list[Document] = []
    remote = Answering(lambda question: _asked(question, asked))
    ask_and_wait(remote, Asked("k", 0, ["VISITS"], [], None), lambda told: None)
    ask_and_wait(remote, Asked("k", 0, ["visits"], ["daily"], None), lambda told: None)
    assert [each["what"] for each in asked] == ["refresh", "run"]
    assert asked[0]["pipe"] == "visits_feed"
    assert asked[1]["select"] == ["daily"]
    with pytest.raises(ServiceError, match="returns: no pipe loads this table"):
        ask_and_wait(remote, Asked("k", 0, ["returns"], [], None), lambda told: None)
    assert len(asked) == 2


# Keys of assets.


def _entry(kind: str, name: str, **more: Any) -> Document:
    depends_on: Document = {"nodes": more.pop("parents", [])}
    entry = {"resource_type": kind, "name": name, "depends_on": depends_on}
    return {"config": {"schema": "gold"}, "description": "", **entry, **more}


def _manifest(tmp_path: Path, *entries: Document) -> Path:
    path = tmp_path / "manifest.json"
    named = {f"{e['resource_type']}.shop.{i}": e for i, e in enumerate(entries)}
    sources = {k: e for k, e in named.items() if e["resource_type"] == "source"}
    nodes = {name: entry for name, entry in named.items() if name not in sources}
    path.write_text(json.dumps({"nodes": nodes, "sources": sources}))
    return path


def _source(name: str, **more: Any) -> Document:
    more = {"source_name": "bronze", "schema": "bronze", "config": {}, **more}
    return _entry("source", name, **more)


def test_keys_are_those_that_dagster_dbt_gives(tmp_path: Path) -> None:
    meta: Callable[[Any], Document] = lambda key: {"dagster": {"asset_key": key}}  # noqa: E731
    path = _manifest(
        tmp_path,
        _source("visits"),
        _source("orders", config={"meta": meta(["raw", "orders"])}),
        _entry("model", "daily"),
        _entry("model", "bare", config={}),
        _entry("snapshot", "kept", config={"schema": "gold", "meta": meta("kept")}),
        _entry("model", "old", meta=meta(["mart", "old"])),
        _entry("model", "dim", version=1, alias="dim_v1"),
        _entry("model", "dim", version=2, alias="dim_newest", parents=["model.shop.6"]),
        _entry("test", "unique_daily"),
    )
    made = {each.key: each for each in read_manifest(path)}
    assert set(made) == {
        *{("bronze", "visits"), ("raw", "orders"), ("gold", "daily"), ("bare",)},
        *{("kept",), ("mart", "old"), ("dim_v1",), ("dim_newest",)},
    }
    assert made[("dim_newest",)].parents == (("dim_v1",),)
    assert made[("dim_newest",)].selector == "dim.v2"
    assert made[("gold", "daily")].selector == "daily"


def test_a_source_of_any_name_is_the_table_that_it_stands_for(tmp_path: Path) -> None:
    path = _manifest(
        tmp_path,
        _source("clicks", source_name="web", identifier="visits", schema="BRONZE"),
        _source("rates", source_name="bank", schema="elsewhere"),
    )
    made = {each.key: each for each in read_manifest(path)}
    assert made[("web", "clicks")].table == "visits"
    assert made[("bank", "rates")].table == ""


def test_two_of_one_key_are_refused(tmp_path: Path) -> None:
    path = _manifest(tmp_path, _entry("model", "daily"), _entry("seed", "daily"))
    with pytest.raises(ValueError, match=r"model\.shop\.0 and seed\.shop\.1 .* gold/d"):
        read_manifest(path)


def test_a_watch_takes_the_systems_clock() -> None:
    watched = Watched(Answering(lambda question: {}), MADE, lambda run, step: None)
    assert isinstance(watched.clock, SystemClock)
