"""Where other tools find gold: the places it is published to, and its tables."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from snowmelt.gold.publish_config import EMBEDDED, PublishTarget
from snowmelt.gold.run_history import published_run
from snowmelt.observe.export.described import Models
from snowmelt.serve.commands import Document
from snowmelt.serve.publish.address import read_dsn
from snowmelt.serve.publish.described import describe_gold
from snowmelt.serve.publish.embedded import READER
from snowmelt.service.asking.readable import published_schemas
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.parts import Parts
from snowmelt.service.publishing.record import Record
from snowmelt.service.publishing.verbs import known_places, place_document

_MODELS: dict[Path, Models] = {}
"""A manifest of many models takes its time: it is read again when it changed."""


def connections_document(parts: Parts) -> Document:
    """Return databases, folders of Parquet files, and what tables of gold there are.

    No password is in it.
    """
    schemas = published_schemas(parts.project)
    models = _MODELS.setdefault(parts.project.root, Models(parts.project.root))
    models.refresh()
    with parts.warehouse.snapshot() as session:
        run_id = published_run(session)
        tables = describe_gold(session, models, schemas) if run_id else []
    places = known_places(parts.project)
    configured = parts.project.settings.publish.to
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "postgres": [
            _database(each, configured.get(each.name), run_id)
            for each in places
            if each.kind == "postgres"
        ],
        "parquet": [
            place_document(each, run_id) for each in places if each.kind == "parquet"
        ],
        "tables": [
            {
                "name": table.full_name,
                "description": table.description,
                "key": list(table.key),
                "partition_by": list(table.partition_by),
                "columns": [asdict(column) for column in table.columns],
                "references": [asdict(each) for each in table.references],
            }
            for table in tables
        ],
    }


def _database(
    record: Record, target: PublishTarget | None, run_id: str | None
) -> Document:
    """Return a database as who reads there finds it."""
    found = read_dsn(record.where)
    is_embedded = record.is_embedded or bool(target and target.postgres == EMBEDDED)
    user = found["user"]
    if is_embedded:
        user = READER
    elif target and target.grant_to:
        user = target.grant_to[0]
    return {
        **place_document(record, run_id),
        **found,
        "schema": record.into,
        "user": user,
        "is_embedded": is_embedded,
    }
