"""From rows of bronze up to every row that is made of them.

Silver rows name their bronze rows. Of any other model that reads what was reached, the
rewritten query tells which of its rows have one of these rows among what they are made
of, by the same algebra that a trace downwards follows: it costs what making the model
anew costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.trace.backward import Coarse, bind_affected, local_name
from snowmelt.trace.closure import (
    AFFECTED_ROWS,
    BRONZE_ROW,
    MADE,
    RECORDS,
    columns_of,
    equal,
    exact_columns,
    listed,
    with_scans,
)
from snowmelt.trace.models import BRONZE, TABLE, Models, Plan, Relation, name_of
from snowmelt.trace.origins import key_columns
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session

HITS = "temp.snowmelt_trace_hits"


@dataclass(frozen=True)
class Reached:
    """A model with rows that are made of what a trace began with."""

    model: str
    kind: str
    count: int
    keys: list[dict[str, Any]]


@dataclass
class Forward:
    """A trace of bronze rows upwards."""

    session: Session
    models: Models
    limit: int
    reached: list[Reached] = field(default_factory=list)
    coarse: list[Coarse] = field(default_factory=list)
    _hit: list[Relation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.execute(
            f"create or replace temp table {local_name(HITS)} "
            "(node integer, row bigint)"
        )

    def begin(self, table: str, condition: str) -> int:
        """Begin with rows of a bronze table that count; return how many."""
        return self._add(
            Relation(table.lower(), BRONZE),
            f"select {BRONZE_ROW} from {name_of(table)} where {condition}",  # noqa: S608
        )

    def begin_with_model(self, node: Node, query: str) -> int:
        """Begin with rows of a table that a model makes, by their rowids."""
        return self._add(Relation(node.key, TABLE), query)

    def follow(self) -> None:
        """Go up, models that are read before those that read them."""
        made = self.models.by_key()
        for node in self.models.graph.nodes.values():
            if made.get(node.key.lower()) is node and node.resource_type == "model":
                self._follow(node)

    def _follow(self, node: Node) -> None:
        relation = Relation(node.key, TABLE)
        if relation in self._hit or not columns_of(self.session, node.key):
            return
        if node.materialized == "latest_version":
            self._follow_versions(relation, node)
            return
        read = {each.key for each in self.models.tables_read(node)}
        if read.isdisjoint(each.key for each in self._hit):
            return
        plan = self.models.plan(self.session, node)
        if plan.reason:
            told = "it and what is made of it are not followed"
            self.coarse.append(Coarse(node.key, plan.reason, told))
        elif self._hit_of(plan):
            self._find(relation, node, plan)

    def _hit_of(self, plan: Plan) -> list[int]:
        return [n for n, each in enumerate(plan.relations) if each in self._hit]

    def _follow_versions(self, relation: Relation, node: Node) -> None:
        below = self.models.tables_read(node)[:1]
        if not below or below[0] not in self._hit:
            return
        rows = self._rows_of(below[0])
        loads = self.session.rows(
            f"select distinct row // {RECORDS} from ({rows}) as hits(row)"  # noqa: S608
        )
        listed_loads = ", ".join(str(load) for (load,) in loads) or "null"
        self._add(
            relation,
            f"select rowid from {relation.sql} "  # noqa: S608
            f"where _load_seq in ({listed_loads}) and {BRONZE_ROW} in ({rows})",
        )
        self._tell(relation, node)

    def _find(self, relation: Relation, node: Node, plan: Plan) -> None:
        """Find the rows of a model that have a hit among what they are made of."""
        if plan.touched:
            self._name_groups(node)
        scans = {
            number: self._scan(number, each)
            for number, each in enumerate(plan.relations)
        }
        any_hit = " or ".join(
            f"coalesce(made.{tag}, false)" for tag in plan.tags if tag.startswith("_p_")
        )
        made = bind_affected(with_scans(plan.hits, scans))
        if node.materialized == "view":
            self._tell_view(node, f"select * from ({made}) as made where {any_hit}")  # noqa: S608
            return
        keys = self._identity(node)
        self._add(
            relation,
            f"select distinct there.rowid from {relation.sql} as there "  # noqa: S608
            f"join ({made}) as made on {equal('there', 'made', keys)} where {any_hit}",
        )
        self._tell(relation, node)

    def _identity(self, node: Node) -> list[str]:
        columns = columns_of(self.session, node.key)
        known = {each.lower(): each for each in columns}
        named = [
            known[each.lower()] for each in node.unique_key if each.lower() in known
        ]
        return named or exact_columns(columns)

    def _name_groups(self, node: Node) -> None:
        """Ask for every group there is.

        The model's own `affected` names groups whose values change, and may leave out
        one that has a row among what it is made of.
        """
        self.session.execute(
            f"create or replace temp table {local_name(AFFECTED_ROWS)} as "  # noqa: S608
            f"select distinct {listed(node.affected_by)} from {name_of(node.key)}"
        )

    def _scan(self, number: int, relation: Relation) -> str:
        hit = self._is_hit(relation)
        return f"(select *, {hit} as _p_{number} from {relation.sql})"  # noqa: S608

    def _is_hit(self, relation: Relation) -> str:
        if relation not in self._hit:
            return "false"
        row = BRONZE_ROW if relation.kind == BRONZE else "rowid"
        return f"{row} in ({self._rows_of(relation)})"

    def _rows_of(self, relation: Relation) -> str:
        node = self._hit.index(relation)
        return f"select row from {HITS} where node = {node}"  # noqa: S608

    def _add(self, relation: Relation, query: str) -> int:
        if relation not in self._hit:
            self._hit.append(relation)
        node = self._hit.index(relation)
        self.session.execute(
            f"insert into {HITS} select {node}, * from ({query})"  # noqa: S608
        )
        count = self.session.value(
            f"select count(*) from ({self._rows_of(relation)})"  # noqa: S608
        )
        if not count:
            self._hit[node] = Relation(f"nothing of {relation.key}", relation.kind)
        return int(count)

    def _tell(self, relation: Relation, node: Node) -> None:
        if relation in self._hit:
            source = f"{relation.sql} where rowid in ({self._rows_of(relation)})"
            self._keep(node, "table", source)

    def _tell_view(self, node: Node, query: str) -> None:
        self.session.execute(
            f"create or replace temp table {local_name(MADE)} as {query}"
        )
        if self.session.value(f"select count(*) from {MADE}"):  # noqa: S608
            self._keep(node, "view", MADE)

    def _keep(self, node: Node, kind: str, source: str) -> None:
        keys = key_columns(self.session, self.models, node.key)
        count = self.session.value(f"select count(*) from {source}")  # noqa: S608
        rows = self.session.rows(
            f"select {listed(keys)} from {source} "  # noqa: S608
            f"order by {listed(keys)} limit {self.limit}"
        )
        named = [dict(zip(keys, row, strict=True)) for row in rows]
        self.reached.append(Reached(node.key, kind, int(count), named))

    def rows_reached(self, key: str) -> set[int]:
        """Return the rowids of a table that were reached."""
        relation = Relation(key, TABLE)
        if relation not in self._hit:
            return set()
        return {row for (row,) in self.session.rows(self._rows_of(relation))}


def load_condition(loads: Sequence[int], file_row: int | None = None) -> str:
    """Return the condition that a bronze row is of loads, or one record of them."""
    listed_loads = ", ".join(str(each) for each in loads) or "null"
    of_record = "" if file_row is None else f" and _file_row = {file_row}"
    return f"_load_seq in ({listed_loads}){of_record}"
