"""Tables of gold, read for a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from snowmelt.errors import UsageError
from snowmelt.gold.run_history import published_run
from snowmelt.serve.cells import MASK
from snowmelt.serve.commands import Document
from snowmelt.serve.downloads import Reading
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.documents import plain as as_json
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

BATCH_ROWS = 2000


class GoldTables:
    """Opens tables of the schema that readers see; no other can be named."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def document(self) -> Document:
        """Return the tables there are, with about how many rows each has."""
        with self._parts.warehouse.snapshot() as session:
            listed = [
                {"name": f"{schema}.{table}", "rows": rows}
                for schema, table, rows in self._known(session)
            ]
            run_id = published_run(session)
        return {"schema_version": SCHEMA_VERSION, "run_id": run_id, "tables": listed}

    @contextmanager
    def reading(self, name: str, *, as_arrow: bool, plain: bool) -> Iterator[Reading]:
        """Open a table inside one snapshot, for as long as it is read.

        Not `plain`: with masks over what is about persons.

        Raises UsageError for an unknown name, and where Arrow is not installed.
        """
        if as_arrow and find_spec("pyarrow") is None:
            raise UsageError(
                "arrow", "pyarrow is not installed", "pip install 'snowmelt[arrow]'"
            )
        with self._parts.warehouse.snapshot() as session:
            known = {
                f"{schema}.{table}": (schema, table)
                for schema, table, _ in self._known(session)
            }
            if name not in known:
                raise UsageError(name[:80], "there is no such table of gold")
            run_id = published_run(session)
            if run_id is None:
                raise UsageError(name, "nothing is published yet")
            masked = set() if plain else personal_of(self._parts, session).masked(name)
            table = ".".join(map(identifier, known[name]))
            sql = f"select {_listed(masked)} from {table}"
            if as_arrow:
                yield Reading(run_id, [], iter(()), session.arrow(sql, BATCH_ROWS))
                return
            columns, batches = session.batches(sql, BATCH_ROWS)
            rows = ([as_json(row) for row in batch] for batch in batches)
            yield Reading(run_id, columns, rows, iter(()))

    def _known(self, session: Session) -> list[tuple[str, str, int | None]]:
        settings = self._parts.project.settings
        schemas = ["gold"]
        if settings.layers.default != "main":
            schemas.append(settings.layers.default)
        rows = session.rows(
            "select schema_name, table_name, estimated_size from duckdb_tables() "
            "where schema_name in (select unnest($1::json::varchar[])) "
            "union all select schema_name, view_name, null from duckdb_views() "
            "where schema_name in (select unnest($1::json::varchar[])) order by 1, 2",
            [schemas],
        )
        return [(schema, table, size) for schema, table, size in rows]


def _listed(masked: set[str]) -> str:
    """Return what is selected: everything, with masks over some columns."""
    instead = ", ".join(
        f"case when {identifier(name)} is not null then {literal(MASK)} end "
        f"as {identifier(name)}"
        for name in sorted(masked)
    )
    return f"* replace ({instead})" if instead else "*"
