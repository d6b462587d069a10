"""Which columns feed a column: through the SQL of all models, down to bronze."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot import lineage as of_sql
from sqlglot.errors import SqlglotError

from snowmelt.trace.closure import columns_of
from snowmelt.trace.models import Models, around_affected
from snowmelt.trace.query_parts import DIALECT
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session


@dataclass
class Fed:
    """A column, what it is made by, and the columns that feed it.

    One that is not `made` is an end: of bronze, a seed, another source. What is made
    and fed by no column counts rows, or is a constant. `unknown` says why nobody knows
    what feeds it.
    """

    relation: str
    column: str
    expression: str = ""
    feeds: list[Fed] = field(default_factory=list)
    unknown: str = ""
    made: bool = True

    def sources(self) -> list[tuple[str, str]]:
        """Return the columns at the ends, each once."""
        if not self.made:
            return [(self.relation, self.column)]
        found = [each for fed in self.feeds for each in fed.sources()]
        return list(dict.fromkeys(found))


class Lineage:
    """Follows columns of models down."""

    def __init__(self, session: Session, models: Models) -> None:
        self._session = session
        self._models = models
        self._made = models.by_key()
        self._schemas: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
        self._known: dict[tuple[str, str], Fed] = {}

    def of(self, node: Node, column: str) -> Fed:
        """Return what feeds a column of a model, at any distance."""
        known = self._known.get((node.key, column))
        if known is None:
            known = self._known[node.key, column] = self._follow(node, column)
        return known

    def _follow(self, node: Node, column: str) -> Fed:
        fed = Fed(node.key, column)
        sql = self._models.sql.get(node.id)
        if sql is None:
            fed.unknown = node.asks_dbt or f"a {node.resource_type} has no SQL here"
            return fed
        try:
            found = of_sql.lineage(
                column,
                without_affected(sql),
                schema=self._schema(node),
                dialect=DIALECT,
            )
        except (SqlglotError, ValueError, KeyError, RecursionError) as error:
            fed.unknown = f"its SQL is not followed ({str(error).splitlines()[0]})"
            return fed
        fed.expression = _expression(found)
        for relation, name in sorted(ends_of(found)):
            fed.feeds.append(self._below(relation, name))
        return fed

    def _below(self, relation: str, column: str) -> Fed:
        node = self._made.get(relation)
        if node is None or node.resource_type == "seed":
            return Fed(relation, column, made=False)
        known = {each.lower(): each for each in columns_of(self._session, node.key)}
        return self.of(node, known.get(column, column))

    def _schema(self, node: Node) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
        """Return the columns of all that a model reads, as sqlglot takes them."""
        schema: dict[str, dict[str, dict[str, str]]] = {}
        database = str(self._session.value("select current_database()"))
        for parent in node.parents:
            source = self._models.graph.sources.get(parent)
            above = self._models.graph.nodes.get(parent)
            key = f"{source.schema}.{source.table}" if source else above.key  # type: ignore[union-attr]
            schema_name, table = key.split(".", 1)
            schema.setdefault(schema_name, {})[table] = {
                name: kind.split("(")[0]
                for name, kind in columns_of(self._session, key).items()
            }
        return {database: schema}


def without_affected(sql: str) -> str:
    """Return a model's SQL without its affected keys: they feed no column."""
    parts = around_affected(sql)
    if parts is None:
        return sql
    return f"{parts[0]}select 1 as nothing{parts[2]}"


def ends_of(found: of_sql.Node) -> set[tuple[str, str]]:
    """Return the columns of tables that a lineage ends at."""
    ends = set()
    for each in found.walk():
        if isinstance(each.expression, exp.Table) and not each.downstream:
            table = each.expression
            column = each.name.rpartition(".")[2].strip('"')
            ends.add((f"{table.db}.{table.name}".lower(), column.lower()))
    return ends


def _expression(found: of_sql.Node) -> str:
    """Return what a column is made by: the first expression that is not just a name."""
    for each in found.walk():
        made = each.expression
        inner = made.this if isinstance(made, exp.Alias) else made
        if isinstance(inner, exp.Expr) and not isinstance(
            inner, exp.Column | exp.Table | exp.Query | exp.Star
        ):
            return str(inner.sql(dialect=DIALECT, comments=False))
    return ""
