"""From rows of a model down to the rows of bronze that made them.

Model by model, those that read others first: when a model's turn comes, every row of
it that matters is known. A silver row names its bronze row itself; of any other model
the rewritten query is asked for the groups of these rows alone, and what it makes is
compared with what is published. What cannot be asked, or comes out otherwise, is
answered more coarsely, and says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from snowmelt.trace.closure import (
    AFFECTED_ROWS,
    BRONZE_ROW,
    EDGES,
    MADE,
    REACH,
    VIEWED,
    Closure,
    columns_of,
    equal,
    exact_columns,
    listed,
    scan_of_rows,
    with_scans,
)
from snowmelt.trace.models import (
    AFFECTED,
    SAME,
    TABLE,
    Decided,
    Models,
    Plan,
    Relation,
    name_of,
)
from snowmelt.trace.newest_first import is_whole_key, newest_first
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session


@dataclass(frozen=True)
class Coarse:
    """Why a model's rows are traced to more rows than made them."""

    model: str
    reason: str
    how: str


@dataclass
class Backward:
    """A trace of rows of one model."""

    session: Session
    models: Models
    closure: Closure = field(init=False)
    coarse: list[Coarse] = field(default_factory=list)
    decided: dict[str, list[Decided]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.closure = Closure(self.session)

    def trace(
        self, node: Node, condition: str, columns: Collection[str] = ()
    ) -> Relation:
        """Trace every row of a model for which a condition holds; roots are its rows.

        `columns` are those of which the condition says which value they have. Of a view
        the roots are numbered from 0 in the order of all its columns.
        """
        if node.materialized == "view":
            relation = self._begin_with_view(node, condition, columns)
        else:
            relation = self._begin(node, condition, columns)
        self._descend()
        return relation

    def _begin(self, node: Node, condition: str, columns: Collection[str]) -> Relation:
        relation = Relation(node.key, TABLE)
        number = self.closure.number(relation)
        for loads in self._loads(node if is_whole_key(node, columns) else None):
            self.session.execute(
                f"insert into {REACH} select rowid, {number}, rowid, false "  # noqa: S608
                f"from {name_of(node.key)} where {condition} and {loads}"
            )
            if self.session.value(f"select count(*) from {REACH}"):  # noqa: S608
                break
        return relation

    def _loads(self, node: Node | None) -> Iterator[str]:
        """Yield the loads to look in for the one row of a silver model, in turn."""
        if node is None:
            yield "true"
        else:
            yield from newest_first(self.session, self.models, node)

    def _below_one(self, plan: Plan, columns: Collection[str]) -> Node | None:
        """Return the silver model of whose rows a view shows at most one here."""
        if len(plan.relations) != 1:
            return None
        node = self.models.by_key().get(plan.relations[0].key.lower())
        below = [
            likely.column
            for name, likely in plan.likely.items()
            if likely.how == SAME and name in _lower(tuple(columns))
        ]
        return node if node is not None and is_whole_key(node, below) else None

    def _begin_with_view(
        self, node: Node, condition: str, given: Collection[str]
    ) -> Relation:
        """Find a view's rows with what they are made of: it holds no rows itself."""
        relation = Relation(node.key, "view")
        plan = self.models.plan(self.session, node)
        columns = list(columns_of(self.session, node.key))
        for loads in self._loads(self._below_one(plan, given)):
            source = with_scans(plan.rows, self._scans(plan, loads))
            if plan.reason:
                source = f"select * from {name_of(node.key)}"  # noqa: S608
            self.session.execute(
                f"create or replace temp table {local_name(VIEWED)} as "  # noqa: S608
                f"select row_number() over (order by {listed(columns)}) - 1 as _row, "
                f"* from ({source}) where {condition}"
            )
            if self.session.value(f"select count(*) from {VIEWED}"):  # noqa: S608
                break
        self.session.execute(
            f"insert into {REACH} select _row, "  # noqa: S608
            f"{self.closure.number(relation)}, _row, false from {VIEWED}"
        )
        if plan.reason:
            self._read_all(relation, node, plan.reason)
        else:
            self._note(node, plan)
            self._keep_edges(relation, plan, VIEWED)
        self.closure.extend(relation)
        return relation

    def _descend(self) -> None:
        """Go down, models that read others before those that they read."""
        made = self.models.by_key()
        for node in reversed(self.models.graph.nodes.values()):
            if made.get(node.key.lower()) is not node or node.materialized == "view":
                continue
            relation = Relation(node.key, TABLE)
            if relation not in self.closure.relations:
                continue
            if not self.closure.session.value(
                f"select count(*) from ({self.closure.reached(relation)})"  # noqa: S608
            ):
                continue
            self._expand(relation, node)
            self.closure.extend(relation)

    def _expand(self, relation: Relation, node: Node) -> None:
        if node.resource_type == "seed":
            return
        if node.materialized == "latest_version":
            self._expand_version(relation, node)
            return
        plan = self.models.plan(self.session, node)
        if plan.reason:
            self._read_agreeing(relation, node, plan.reason)
            return
        self._note(node, plan)
        self._make_again(relation, node, plan)
        self._keep_edges(relation, plan, MADE)
        missing = self.session.value(
            f"select count(*) from ({self.closure.reached(relation)}) "  # noqa: S608
            f"where row not in (select _row from {MADE} where _same)"
        )
        if missing:
            told = f"{missing} of its rows are not what its SQL makes of today's tables"
            self._read_agreeing(relation, node, told)

    def _expand_version(self, relation: Relation, node: Node) -> None:
        """A row of silver names the row of bronze that it is a version of."""
        below = self.models.tables_read(node)[0]
        self.session.execute(
            f"insert into {EDGES} select {self.closure.number(relation)}, "  # noqa: S608
            f"rowid, {self.closure.number(below)}, {BRONZE_ROW}, false "
            f"from {relation.sql} where {self.closure.among(relation)}"
        )

    def _make_again(self, relation: Relation, node: Node, plan: Plan) -> None:
        """Ask the rewritten query for the groups of the rows that were reached."""
        columns = columns_of(self.session, node.key)
        exact = exact_columns(columns)
        keys = [each for each in node.unique_key if each.lower() in _lower(columns)]
        reached = self.closure.among(relation)
        groups = listed(node.affected_by or keys or exact)
        self.session.execute(
            f"create or replace temp table {local_name(AFFECTED_ROWS)} as "  # noqa: S608
            f"select distinct {groups} from {relation.sql} "
            f"where {reached}"
        )
        sql = bind_affected(with_scans(plan.rows, self._scans(plan)))
        self.session.execute(
            f"create or replace temp table {local_name(MADE)} as "  # noqa: S608
            f"select there.rowid as _row, {equal('there', 'made', exact)} as _same, "
            f"{', '.join(f'made.{tag}' for tag in plan.tags) or 'null'} "
            f"from (select rowid, * from {relation.sql} where {reached}) as there "
            f"join ({sql}) as made on {equal('there', 'made', keys or exact)}"
        )

    def _scans(self, plan: Plan, condition: str = "true") -> dict[int, str]:
        return {
            number: scan_of_rows(number, each, condition)
            for number, each in enumerate(plan.relations)
        }

    def _keep_edges(self, relation: Relation, plan: Plan, made: str) -> None:
        above = self.closure.number(relation)
        for tag in plan.tags:
            below = self.closure.number(plan.relations[int(tag[3:])])
            self.session.execute(
                f"insert into {EDGES} select distinct {above}, _row, "  # noqa: S608
                f"{below}, unnest({tag}), {str(tag.startswith('_d_')).lower()} "
                f"from {made}"
            )

    def _note(self, node: Node, plan: Plan) -> None:
        """Take note of what else decides, apart from what is listed row by row."""
        told = [each for each in plan.decided if each.kind != "pick"]
        if told:
            self.decided[node.key] = told

    # Where a query cannot be rewritten.

    def _read_agreeing(self, relation: Relation, node: Node, reason: str) -> None:
        """Take the rows of what a model reads that agree with its rows by key."""
        keys = _lower(node.affected_by or columns_of(self.session, node.key))
        read = []
        for below in self.models.tables_read(node):
            shared = [
                each for each in keys if each in _lower(columns_of_all(self, below))
            ]
            read.append(
                f"{below.key} by {', '.join(shared)}"
                if shared
                else f"all of {below.key}"
            )
            self._add_agreeing(relation, below, shared)
        self.coarse.append(Coarse(node.key, reason, "; ".join(read) or "nothing"))

    def _add_agreeing(
        self, relation: Relation, below: Relation, shared: Sequence[str]
    ) -> None:
        row = self.closure.row_of(below)
        self.session.execute(
            f"insert into {EDGES} select distinct "  # noqa: S608
            f"{self.closure.number(relation)}, there._row, "
            f"{self.closure.number(below)}, below._below, false "
            f"from (select rowid as _row, * from {relation.sql} "
            f"where {self.closure.among(relation)}) as there "
            f"join (select {row} as _below, * from {below.sql}) as below "
            f"on {equal('there', 'below', shared) or 'true'}"
        )

    def _read_all(self, relation: Relation, node: Node, reason: str) -> None:
        """Take every row of what a view reads, if any row of it is asked about."""
        number = self.closure.number(relation)
        for below in self.models.tables_read(node):
            self.session.execute(
                f"insert into {EDGES} select {number}, 0, "  # noqa: S608
                f"{self.closure.number(below)}, {self.closure.row_of(below)}, false "
                f"from {below.sql} where exists (select 1 from {VIEWED})"
            )
        read = ", ".join(each.key for each in self.models.tables_read(node))
        self.coarse.append(Coarse(node.key, reason, f"all of {read}"))


def columns_of_all(trace: Backward, relation: Relation) -> list[str]:
    """Return the columns of a relation that say something of its rows."""
    return [
        each
        for each in columns_of(trace.session, relation.key)
        if not each.startswith("_")
    ]


def _lower(names: Sequence[str] | dict[str, str]) -> list[str]:
    return [each.lower() for each in names]


def local_name(table: str) -> str:
    """Return a temporary table's name as a statement that makes it has it."""
    return table.removeprefix("temp.")


def bind_affected(sql: str) -> str:
    """Put the session's table of keys in place of the placeholder."""
    return sql.replace(AFFECTED, AFFECTED_ROWS)
