"""What a service loaded and published by itself, as materializations of assets.

A step of Dagster that asks for a run tells of what was chosen in Dagster, when it is
there. All else is told here: what a run loaded and built besides, and what came of a
run that failed, or whose step was killed before it could tell. So something is left out
only if a step has told of it; while one still may, what may be its own waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.clock import Clock, SystemClock
from snowmelt.dagster.asking import step_of
from snowmelt.dagster.manifest import Key, Made
from snowmelt.remote import Document, Question, Remote, what_happened

ERRANDS_LOOKED_AT = 200
_UNDER_WAY = {"state": "QUEUED,EXECUTING", "limit": 1000}
_LATELY = {"limit": ERRANDS_LOOKED_AT}
KINDS = ["loaded", "published"]
EVENTS_MAX = 2000
SECONDS_MAX = 20.0
"""A look that has told so much, or took so long, leaves the rest to the next one."""
STEP_PATIENCE = timedelta(minutes=5)
"""So long after its errand a step may still tell; one whose worker died never does."""

Keys = frozenset[Key]
ToldBy = Callable[[str, str], Keys | None]
"""What a step of a Dagster run has told of; None while it goes on.

Of a run that this Dagster does not know it is nothing.
"""


@dataclass(frozen=True)
class Happened:
    """One materialization that no step of Dagster tells of."""

    key: Key
    told: str
    metadata: Document


@dataclass(frozen=True)
class Seen:
    """What was seen, and the position to go on from. `more`: there is more already."""

    events: list[Happened] = field(default_factory=list)
    cursor: str = ""
    more: bool = False


@dataclass(frozen=True)
class Watched:
    """A service, the assets that are looked for there, and what steps told of them."""

    remote: Remote
    made: Sequence[Made]
    told_by: ToldBy
    clock: Clock = field(default_factory=SystemClock)


def look(watched: Watched, cursor: str | None) -> Seen:
    """Return what happened since a position; at first, where it stands now."""
    if not cursor:
        return Seen(cursor=str(watched.remote.ask(what_happened("now"))["next"]))
    events: list[Happened] = []
    give_up_at = watched.clock.monotonic() + SECONDS_MAX
    while True:
        seen = _look_at_page(watched, cursor)
        events += seen.events
        cursor = seen.cursor
        late = watched.clock.monotonic() >= give_up_at
        if not seen.more or late or len(events) >= EVENTS_MAX:
            return Seen(events, cursor, seen.more)


def _look_at_page(watched: Watched, cursor: str) -> Seen:
    page = watched.remote.ask(what_happened(cursor, KINDS))
    if not page["happenings"]:
        return Seen(cursor=str(page["next"]), more=page["more"])
    # Asked after what happened: so no errand is missed that some of it belongs to.
    steps = _steps(watched)
    waits_from = min((each.since for each in steps if each.told is None), default=None)
    events: list[Happened] = []
    for each in page["happenings"]:
        if waits_from and datetime.fromisoformat(each["at"]) >= waits_from:
            return Seen(events, cursor)
        events += _told(watched, steps, each)
        cursor = str(each["position"])
    return Seen(events, str(page["next"]), page["more"])


def _told(
    watched: Watched, steps: Sequence[_Step], each: Document
) -> Iterator[Happened]:
    """Yield a materialization for each asset that a step has not told of."""
    told = {key for step in steps if step.has(each) for key in step.told or ()}
    found = _loaded if each["kind"] == "loaded" else _published
    yield from (event for event in found(watched, each) if event.key not in told)


def _loaded(watched: Watched, each: Document) -> Iterator[Happened]:
    told = f"{each['file']}: {each['status']}"
    names = ("pipe", "file", "row_count", "error_count", "load_seq")
    for made in watched.made:
        if made.table and made.table.lower() == each["table"].lower():
            yield Happened(made.key, told, {name: each[name] for name in names})


def _published(watched: Watched, each: Document) -> Iterator[Happened]:
    """Yield the models that a run built; by one name, all of a model's versions."""
    question = Question("GET", "/api/v1/run_detail", {"run": each["run_id"]})
    nodes = watched.remote.ask(question)["nodes"]
    built = {
        node["node"]: node["seconds"] for node in nodes if node["status"] == "success"
    }
    for made in watched.made:
        if not made.is_source and made.name in built:
            yield Happened(
                made.key,
                f"published by run {each['run_id']}",
                {"run_id": each["run_id"], "seconds": built[made.name]},
            )


# What steps asked for.


@dataclass(frozen=True)
class _Step:
    """What a step asked for lately, and what it told of; None if it still may.

    Nothing that happened before `since` is its own.
    """

    told: Keys | None
    since: datetime
    run_id: str | None
    load_seqs: Mapping[str, int] | None

    def has(self, each: Document) -> bool:
        """Does something that happened belong to it?"""
        if each["kind"] != "loaded":
            return bool(each["run_id"] == self.run_id)
        spanned = self.load_seqs
        return bool(spanned and spanned["first"] <= each["load_seq"] <= spanned["last"])


def _steps(watched: Watched) -> list[_Step]:
    """Return what steps of this Dagster asked for lately, and what is under way."""
    errands: dict[int, Document] = {}
    for given in (_UNDER_WAY, _LATELY):  # in this order: one may end in between
        listed = watched.remote.ask(Question("GET", "/api/v1/errands", given))
        errands |= {each["errand"]: each for each in listed["errands"]}
    by_step: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for each in errands.values():
        if of := step_of(each["key"]):
            by_step[of].append(each)
    steps: list[_Step] = []
    for (run_id, step), own in by_step.items():
        told = watched.told_by(run_id, step)
        if told is None and _is_given_up(watched.clock.now(), own):
            told = frozenset()
        steps += [_step(told, each) for each in own]
    return steps


def _is_given_up(now: datetime, errands: Iterable[Document]) -> bool:
    """Did all that a step asked for end so long ago that its worker must be dead?"""
    ends = [each["ended_at"] for each in errands]
    return all(
        end and now - datetime.fromisoformat(end) > STEP_PATIENCE for end in ends
    )


def _step(told: Keys | None, errand: Document) -> _Step:
    begins = [errand["asked_at"], errand["asked"].get("since")]
    return _Step(
        told,
        min(datetime.fromisoformat(each) for each in begins if each),
        errand["run_id"],
        (errand["answer"] or {}).get("load_seqs"),
    )
