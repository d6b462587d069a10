"""How a model's rows are traced: its SQL rewritten over the tables that it reads."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from snowmelt.trace.annotation import HITS, ROWS, Annotation
from snowmelt.trace.closure import columns_of
from snowmelt.trace.lifting import Lifted, Unliftable, lift, parse
from snowmelt.trace.likely import likely_columns
from snowmelt.trace.models import (
    AFFECTED,
    BRONZE,
    TABLE,
    Decided,
    Likely,
    Models,
    Plan,
    Relation,
    around_affected,
    restricted,
)
from snowmelt.trace.query_parts import DIALECT
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session

_ACTION = "METADATA$ACTION"
_STREAMED = "__stream_{}__"


def make_plan(session: Session, models: Models, node: Node) -> Plan:
    """Rewrite a model's SQL; what cannot be rewritten is the plan's reason."""
    sql = models.sql.get(node.id)
    if sql is None:
        kind = node.materialized or node.resource_type
        return Plan(reason=node.asks_dbt or f"a {kind} has no SQL of its own")
    reading = _Reading(session, models)
    try:
        rows = reading.lift(restricted(sql), ROWS)
        hits = reading.lift(restricted(sql), HITS)
        touched, streamed = reading.touched(sql)
    except Unliftable as error:
        return Plan(reason=str(error))
    keys = [each.key for each in reading.relations]
    return Plan(
        relations=reading.relations,
        rows=rows.sql,
        hits=hits.sql,
        tags=rows.tags,
        touched=touched,
        streamed=streamed,
        decided=[
            Decided(note.kind, note.construct, tuple(keys[i] for i in note.relations))
            for note in rows.notes
        ],
        likely=_likely_of(session, models, node, sql, reading.relations),
    )


def _likely_of(
    session: Session,
    models: Models,
    node: Node,
    sql: str,
    relations: Sequence[Relation],
) -> dict[str, Likely]:
    """Return where in bronze the keys of a model of versions can be.

    And of a view of one table, which columns are those of the table.
    """
    if node.materialized == "latest_version":
        names: Sequence[str] = node.unique_key
        below = models.tables_read(node)[0].key
    elif node.materialized == "view" and len(relations) == 1:
        names = list(columns_of(session, node.key))
        below = relations[0].key
    else:
        return {}
    columns = columns_of(session, below)
    texts = {name.lower(): name for name, kind in columns.items() if kind == "VARCHAR"}
    return likely_columns(sql, names, texts)


class _Reading:
    """Numbers the relations that one model reads, through views."""

    def __init__(self, session: Session, models: Models) -> None:
        self._models = models
        self._made = models.by_key()
        self._aggregates = frozenset(
            name
            for (name,) in session.rows(
                "select distinct function_name from duckdb_functions() "
                "where function_type in ('aggregate')"
            )
        )
        self._tables = _keys(session, "table")
        self._views = _keys(session, "view")
        self.relations: list[Relation] = []

    def lift(self, sql: str, annotation: Annotation) -> Lifted:
        return lift(sql, annotation, self.resolve, self._aggregates)

    def resolve(self, table: exp.Table) -> int | str | None:
        """Return a relation's number, a view's SQL, or None for what has no rows."""
        if table.name == AFFECTED:
            return None
        key = f"{table.db or 'main'}.{table.name}".lower()
        made = self._made.get(key)
        if key in self._models.bronze:
            return self._number(Relation(key, BRONZE))
        if made is not None and made.materialized == "view":
            return self._models.sql[made.id]
        if key in self._tables:
            return self._number(Relation(made.key if made else key, TABLE))
        if key in self._views:
            raise Unliftable(f"it reads {key}, a view whose rows have no name")
        raise Unliftable(f"it reads {key}, which is not there yet")

    def _number(self, relation: Relation) -> int:
        if relation not in self.relations:
            self.relations.append(relation)
        return self.relations.index(relation)

    def touched(self, sql: str) -> tuple[str, tuple[str, ...]]:
        """Return the affected keys with placeholders for streams, and their tables."""
        parts = around_affected(sql)
        if parts is None:
            return "", ()
        before, block, _ = parts
        query = parse(f"{before}{block}) select * from affected")  # noqa: S608
        streamed: dict[str, None] = {}
        for select in list(query.find_all(exp.Select)):
            from_ = select.args.get("from_")
            named = any(each.alias == _ACTION for each in select.expressions)
            if not named or from_ is None or not isinstance(from_.this, exp.Table):
                continue
            found = self.resolve(from_.this)
            if isinstance(found, int):
                streamed[self.relations[found].key] = None
                name = exp.to_identifier(_STREAMED.format(found))
                from_.this.replace(exp.Table(this=name))
        return query.sql(dialect=DIALECT), tuple(streamed)


def _keys(session: Session, kind: str) -> frozenset[str]:
    return frozenset(
        key
        for (key,) in session.rows(
            f"select lower(schema_name || '.' || {kind}_name) "  # noqa: S608
            f"from duckdb_{kind}s() where database_name = current_database()"
        )
    )
