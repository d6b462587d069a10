"""The verbs `publish` and `publications`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from snowmelt.errors import UsageError
from snowmelt.gold.publish_config import EMBEDDED, PublishTarget
from snowmelt.gold.run_history import published_run
from snowmelt.project.project import Project
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.finding import Finding, finding
from snowmelt.service.parts import Parts
from snowmelt.service.publishing.places import Place, Publishing, name_of
from snowmelt.service.publishing.record import Record, read_record


def publications_document(parts: Parts) -> Document:
    """Return each place that gold is published to, and how that stands."""
    with parts.warehouse.snapshot() as session:
        run_id = published_run(session)
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "places": [
            place_document(each, run_id) for each in known_places(parts.project)
        ],
    }


def place_document(record: Record, run_id: str | None) -> Document:
    """Return one place. `state`: current, behind, failing or never."""
    if record.problem is not None:
        state = "failing"
    elif record.run_id is None:
        state = "never"
    else:
        state = "current" if record.run_id == run_id else "behind"
    return {**asdict(record), "state": state}


def known_places(project: Project) -> list[Record]:
    """Return places of snowmelt.yml, and those that people published to by hand."""
    configured = project.settings.publish.to
    found = []
    for name, target in configured.items():
        shown = Place(name, target)
        known = read_record(project.published / name)
        if target.postgres == EMBEDDED and known is not None:
            found.append(known)
            continue
        is_same = known is not None and known.where == shown.where
        found.append(known if known and is_same else shown.record())
    for folder in sorted(project.published.glob("by_hand_*")):
        known = read_record(folder)
        if known is not None:
            found.append(known)
    return found


def publish_document(
    parts: Parts, name: str | None, to: dict[str, Any] | None, *, whole: bool
) -> Document:
    """Publish into a place of snowmelt.yml by its name, or into one that is given."""
    place = _configured(parts, name) if to is None else _given(to)
    record = Publishing(parts).publish(place, whole=whole)
    with parts.warehouse.snapshot() as session:
        run_id = published_run(session)
    document = place_document(record, run_id)
    return {"schema_version": SCHEMA_VERSION, "place": document}


def _given(to: dict[str, Any]) -> Place:
    try:
        target = PublishTarget(**to)
    except ValidationError as error:
        told = "; ".join(each["msg"] for each in error.errors())
        raise UsageError("publish", told) from None
    where = Place("", target).where
    return Place(name_of(f"{where} {target.into}"), target)


def _configured(parts: Parts, name: str | None) -> Place:
    known = parts.project.settings.publish.to
    if name is None or name not in known:
        told = ", ".join(known) or "none; publish: {to: …} in snowmelt.yml"
        raise UsageError(f"publish {name}", "there is no such place", f"Known: {told}.")
    if known[name].postgres == EMBEDDED:
        raise UsageError(
            f"publish {name}",
            "the service publishes there by itself, while it runs",
            "snowmelt publish postgres --embedded does it without a service.",
        )
    return Place(name, known[name])


def publish_findings(project: Project) -> list[Finding]:
    """Return what doctor says of places that gold is published to."""
    found = []
    for record in known_places(project):
        ok = record.problem is None
        told = f"run {(record.run_id or 'none')[-8:]} in {record.where}"
        if not ok:
            told = f"failing since {record.failing_since}: {record.problem}"
        remedy = record.remedy or f"Try it: snowmelt publish now {record.name}"
        found.append(finding(f"publish {record.name}", ok, told, remedy))
    return found
