"""What a service loaded and published by itself, as materializations of assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from snowmelt.dagster.asking import KEY
from snowmelt.dagster.manifest import Key, Made
from snowmelt.remote import Document, Question, Remote, what_happened

ERRANDS_LOOKED_AT = 200
KINDS = ["loaded", "published"]


@dataclass(frozen=True)
class Happened:
    """One materialization that Dagster did not ask for."""

    key: Key
    told: str
    metadata: Document


@dataclass(frozen=True)
class Seen:
    """What was seen, and the position to go on from."""

    events: list[Happened] = field(default_factory=list)
    cursor: str = ""


def look(remote: Remote, made: Sequence[Made], cursor: str | None) -> Seen:
    """Return what happened since a position; at first, where it stands now.

    What Dagster asked for itself is its own run's to tell, and is left out.
    """
    if not cursor:
        return Seen(cursor=str(remote.ask(what_happened("now"))["next"]))
    page = remote.ask(what_happened(cursor, KINDS))
    if not page["happenings"]:
        return Seen(cursor=str(page["next"]))
    runs, files = _own(remote)
    pipes = {each.pipe: each.key for each in made if each.pipe}
    models = {each.name: each.key for each in made if not each.is_source}
    events: list[Happened] = []
    for each in page["happenings"]:
        if each["kind"] == "loaded":
            key = pipes.get(each["pipe"])
            if key is not None and each["file"] not in files:
                events.append(_loaded(key, each))
        elif each["run_id"] not in runs:
            events += _published(remote, models, each)
    return Seen(events, str(page["next"]))


def _loaded(key: Key, each: Document) -> Happened:
    told = f"{each['file']}: {each['status']}"
    names = ("file", "row_count", "error_count", "load_seq")
    return Happened(key, told, {name: each[name] for name in names})


def _published(
    remote: Remote, models: dict[str, Key], each: Document
) -> list[Happened]:
    """Return the models that a run built."""
    question = Question("GET", "/api/v1/run_detail", {"run": each["run_id"]})
    nodes = remote.ask(question)["nodes"]
    return [
        Happened(
            models[node["node"]],
            f"published by run {each['run_id']}",
            {"run_id": each["run_id"], "seconds": node["seconds"]},
        )
        for node in nodes
        if node["node"] in models and node["status"] == "success"
    ]


def _own(remote: Remote) -> tuple[set[str], set[str]]:
    """Return the runs and the files of what Dagster asked for lately."""
    given = {"limit": ERRANDS_LOOKED_AT}
    listed = remote.ask(Question("GET", "/api/v1/errands", given))["errands"]
    own = [each for each in listed if (each["key"] or "").startswith(KEY)]
    runs = {each["run_id"] for each in own if each["run_id"]}
    files = {name for each in own for name in (each["answer"] or {}).get("files", [])}
    return runs, files
