"""A query rewritten so that each row says which rows of its tables made it.

Every table becomes a placeholder with one more column, its annotation (`_p_0` of
relation 0), and every block of the query hands the annotations on: a join combines
them, a group gathers them, a winner keeps its own. The rows stay as they are, so a
rewritten query can be compared with what it was made from. `_d_0` are rows that only
let a row pass (`x in (select …)`).

What cannot be rewritten raises Unliftable with the construct's name; what decides about
a row and is not listed row by row is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from snowmelt.trace import query_parts as parts_of
from snowmelt.trace.annotation import Annotation
from snowmelt.trace.query_parts import (
    DIALECT,
    LISTED,
    SIDES,
    Note,
    aliased,
    quoted,
)

Tags = tuple[str, ...]
Env = dict[str, Tags]


class Unliftable(Exception):
    """A construct of which nobody says here which rows it makes its rows from."""


@dataclass
class Lifted:
    """A rewritten query: its text, its annotations, and what else decides."""

    sql: str
    tags: Tags
    notes: list[Note]


_OF_ALL = ("with_", "order", "limit", "offset")
Resolve = Callable[[exp.Table], int | str | None]
"""A relation's number; the SQL that stands for it; None if it has no rows to name."""


def parse(sql: str) -> exp.Query:
    """Parse one query. Raises Unliftable."""
    try:
        parsed = sqlglot.parse_one(sql, dialect=DIALECT)
    except (SqlglotError, RecursionError) as error:
        told = str(error).strip().splitlines()[0]
        raise Unliftable(f"its SQL is not read ({told})") from None
    if not isinstance(parsed, exp.Query):
        raise Unliftable("it is no query")
    return parsed


def lift(
    sql: str, annotation: Annotation, resolve: Resolve, aggregates: frozenset[str]
) -> Lifted:
    """Rewrite a query. `aggregates` are the engine's names of aggregate functions."""
    held = aliased(parse(sql), "held")
    lifter = _Lifter(annotation, resolve, aggregates)
    tags = lifter.query(held, {})
    return Lifted(held.this.sql(dialect=DIALECT), tags, lifter.notes)


def scan_name(relation: int) -> str:
    """Return the placeholder of a relation in a rewritten query."""
    return f"__scan_{relation}__"


@dataclass
class _Source:
    """One thing that a block reads: its name there, and what it hands on."""

    alias: str
    tags: Tags


@dataclass
class _Lifter:
    annotation: Annotation
    resolve: Resolve
    aggregates: frozenset[str]
    notes: list[Note] = field(default_factory=list)
    _names: int = 0

    def query(self, query: exp.Expr, env: Env) -> Tags:
        """Rewrite a query in place; return the columns it has more at its end."""
        env = dict(env)
        with_ = query.args.get("with_")
        if with_ is not None:
            if with_.args.get("recursive"):
                raise Unliftable("WITH RECURSIVE")
            for cte in with_.expressions:
                tags = self.query(cte.this, env)
                env[cte.alias.lower()] = tags
                parts_of.name_columns(cte, tags)
        if isinstance(query, exp.Subquery):
            return self.query(query.this, env)
        if isinstance(query, exp.SetOperation):
            return self._set_operation(query, env)
        if not isinstance(query, exp.Select):
            raise Unliftable(type(query).__name__.upper())
        return self._select(query, env)

    def _set_operation(self, query: exp.SetOperation, env: Env) -> Tags:
        if not isinstance(query, exp.Union):
            raise Unliftable(type(query).__name__.upper())
        sides = [(name, self.query(query.args[name], env)) for name in SIDES]
        tags = tuple(dict.fromkeys(tag for _, tags in sides for tag in tags))
        if not tags:
            return ()
        for name, found in sides:
            side = query.args[name]
            if found != tags:
                query.set(name, self._padded(side, found, tags))
        if query.args.get("distinct"):
            query.set("distinct", False)
            self._gather_equal(query, tags)
        elif query.args.get("by_name"):  # annotations stand at the end
            self._put_around(query, tags, [parts_of.sql(tag) for tag in tags])
        return tags

    def _padded(self, side: exp.Expr, found: Tags, tags: Tags) -> exp.Select:
        """Return a side of a UNION with the annotations of both, in one order."""
        query = side.this if isinstance(side, exp.Subquery) else side
        inner = aliased(query.copy(), self._fresh())
        star = exp.Star(except_=parts_of.identifiers(found)) if found else exp.Star()
        nothing = self.annotation.nothing
        return exp.select(
            star,
            *(
                parts_of.sql(f"{tag if tag in found else nothing} as {tag}")
                for tag in tags
            ),
        ).from_(inner)

    def _gather_equal(self, query: exp.Query, tags: Tags) -> None:
        """Make one row of equal ones, in place: what DISTINCT does."""
        gathered = [
            parts_of.sql(f"{self.annotation.gather(tag)} as {tag}") for tag in tags
        ]
        outer = self._put_around(query, tags, gathered)
        outer.set("group", exp.Group(all=True))

    def _put_around(
        self, query: exp.Query, tags: Tags, annotations: list[exp.Expr]
    ) -> exp.Select:
        """Put a SELECT around a query, in place; order and limit are its own then."""
        inner = query.copy()
        moved = {name: inner.args.get(name) for name in _OF_ALL}
        for name in _OF_ALL:
            inner.set(name, None)
        star = exp.Star(except_=parts_of.identifiers(tags))
        outer = exp.select(star, *annotations).from_(aliased(inner, self._fresh()))
        for name, value in moved.items():
            outer.set(name, value)
        query.replace(outer)
        return outer

    def _select(self, select: exp.Select, env: Env) -> Tags:
        unknown = parts_of.unknown_construct(select)
        if unknown:
            raise Unliftable(unknown)
        sources = list(self._sources(select, env))
        hidden = self._deciding(select, env, sources)
        self._note_subqueries(select, env)
        carried: dict[str, list[str]] = {}
        by_source: dict[str, list[str]] = {}
        for source in sources:
            by_source[source.alias.lower()] = list(source.tags)
            for tag in source.tags:
                carried.setdefault(tag, []).append(f"{quoted(source.alias)}.{tag}")
        if not carried:
            return ()
        tags = tuple(carried)
        parts_of.hide(select, by_source, hidden)
        self._note_limit(select, tags)
        self._carry(select, carried)
        if parts_of.is_plain_distinct(select):
            select.set("distinct", None)
            self._gather_equal(select, tags)
        return tags

    def _carry(self, select: exp.Select, carried: dict[str, list[str]]) -> None:
        """Add the annotations at the end of what a block selects."""
        grouped = self._is_grouped(select)
        windows = self._value_windows(select, tuple(carried))
        for tag, columns in carried.items():
            sql = self.annotation.combine(columns)
            if grouped:
                sql = self.annotation.gather(sql)
            over = [self.annotation.gather_over(sql, each) for each in windows]
            sql = self.annotation.combine(over) if over else sql
            select.append("expressions", parts_of.sql(f"{sql} as {tag}"))

    # What a block reads.

    def _sources(self, select: exp.Select, env: Env) -> Iterator[_Source]:
        from_ = select.args.get("from_")
        if from_ is not None:
            yield self._source(from_.this, env)
        for join in select.args.get("joins") or ():
            if join.args.get("method") == "NATURAL":
                raise Unliftable("NATURAL JOIN")
            kind = join.args.get("kind")
            if kind in ("SEMI", "ANTI"):
                if kind == "SEMI":
                    self._note("whole", "SEMI JOIN", join.this, env)
                continue
            if kind == "POSITIONAL":
                raise Unliftable("POSITIONAL JOIN")
            yield self._source(join.this, env)

    def _source(self, source: exp.Expr, env: Env) -> _Source:
        if source.args.get("pivots") or source.args.get("sample"):
            raise Unliftable("PIVOT" if source.args.get("pivots") else "TABLESAMPLE")
        if isinstance(source, exp.Table):
            if source.args.get("joins"):
                raise Unliftable("joins in brackets")
            return self._table(source, env)
        if isinstance(source, exp.Subquery):
            tags = self.query(source, env)
            if not source.alias:
                source.set("alias", parts_of.table_alias(self._fresh()))
            parts_of.name_columns(source, tags)
            return _Source(source.alias, tags)
        if any(True for _ in source.find_all(exp.Table)):
            raise Unliftable(type(source).__name__.upper())
        return _Source("", ())

    def _table(self, table: exp.Table, env: Env) -> _Source:
        if table.args.get("joins"):
            raise Unliftable("joins in brackets")
        alias = table.alias_or_name
        if not isinstance(table.this, exp.Identifier):
            return _Source("", ())
        if not table.db and table.name.lower() in env:
            tags = env[table.name.lower()]
            parts_of.name_columns(table, tags)
            return _Source(alias, tags)
        found = self.resolve(table)
        if found is None:
            return _Source("", ())
        named = table.args.get("alias") or parts_of.table_alias(alias)
        stands: exp.Expr
        if isinstance(found, str):
            stands = exp.Subquery(this=parse(found), alias=named)
            tags = self.query(stands, {})
        else:
            stands = exp.Table(this=exp.to_identifier(scan_name(found)), alias=named)
            tags = (f"_p_{found}",)
        parts_of.name_columns(stands, tags)
        table.replace(stands)
        return _Source(alias, tags)

    # What lets a row pass.

    def _deciding(
        self, select: exp.Select, env: Env, sources: list[_Source]
    ) -> list[str]:
        """Join what `x in (select …)` names, gathered by x; return columns to hide."""
        where = select.args.get("where")
        hidden: list[str] = []
        for condition in list(parts_of.conjuncts(where.this)) if where else ():
            if not isinstance(condition, exp.In) or condition.args.get("query") is None:
                continue
            query = condition.args["query"]
            if not parts_of.is_correlated(query):
                joined, columns = self._gathered_by(condition, query, env)
                query.meta[LISTED] = True
                if joined is not None:
                    select.append("joins", joined)
                    sources.append(_Source(joined.this.alias, columns))
                    keys = joined.this.this.expressions
                    hidden += [each.alias_or_name for each in keys]
        return hidden

    def _gathered_by(
        self, condition: exp.In, query: exp.Expr, env: Env
    ) -> tuple[exp.Join | None, Tags]:
        """Return a join with the rows of `x in (select …)`, gathered by x."""
        name = self._fresh()
        lifted = aliased(query.unnest().copy(), f"{name}_in")
        tags = self.query(lifted, env)
        wanted = condition.this
        values = wanted.expressions if isinstance(wanted, exp.Tuple) else [wanted]
        keys = [f"{name}_k{number}" for number in range(len(values))]
        if not tags:
            return None, ()
        lifted.set("alias", parts_of.table_alias(f"{name}_in", [*keys, *tags]))
        gathered: dict[str, list[str]] = {}
        for tag in tags:
            gathered.setdefault(f"_d_{tag[3:]}", []).append(tag)
        outer = exp.select(*keys).from_(lifted)
        for tag, own in gathered.items():
            sql = self.annotation.gather(self.annotation.combine(own))
            outer.append("expressions", parts_of.sql(f"{sql} as {tag}"))
        outer.set("group", exp.Group(all=True))
        equal = [
            exp.EQ(this=value.copy(), expression=exp.column(key, table=name))
            for value, key in zip(values, keys, strict=True)
        ]
        join = exp.Join(this=aliased(outer, name), side="LEFT", on=exp.and_(*equal))
        return join, tuple(gathered)

    def _note_subqueries(self, select: exp.Select, env: Env) -> None:
        """Note queries inside expressions whose rows decide and are not listed."""
        for part in ("expressions", "where", "having", "qualify", "group", "order"):
            given = select.args.get(part)
            for each in given if isinstance(given, list) else [given]:
                for query in parts_of.queries_in(each):
                    if not parts_of.is_absence(query):
                        told = "a subquery in " + parts_of.PARTS.get(part, part)
                        self._note("whole", told, query, env)
        for join in select.args.get("joins") or ():
            for query in parts_of.queries_in(join.args.get("on")):
                self._note("whole", "a subquery in ON", query, env)

    def _note_limit(self, select: exp.Select, tags: Tags) -> None:
        if select.args.get("limit") is not None:
            self._add_note(Note("pick", "LIMIT", parts_of.relations_of(tags)))

    def _note(self, kind: str, construct: str, read: exp.Expr, env: Env) -> None:
        """Note that all rows of what an expression reads may decide.

        The expression itself goes on reading the relations as they are.
        """
        relations: list[int] = []
        for table in [*read.find_all(exp.Table)]:
            if not table.db and table.name.lower() in env:
                relations += [int(tag[3:]) for tag in env[table.name.lower()]]
                continue
            found = self.resolve(table)
            if isinstance(found, int):
                relations.append(found)
            elif isinstance(found, str):
                self._note(kind, construct, parse(found), {})
        self._add_note(Note(kind, construct, tuple(dict.fromkeys(relations))))

    # What makes one row of many.

    def _is_grouped(self, select: exp.Select) -> bool:
        if (
            select.args.get("group") is not None
            or select.args.get("having") is not None
        ):
            return True
        return any(
            self._is_aggregate(each)
            for projection in select.expressions
            for each in projection.walk(prune=parts_of.is_query)
        )

    def _is_aggregate(self, each: exp.Expr) -> bool:
        named = isinstance(each, exp.Anonymous) and each.name.lower() in self.aggregates
        if not (named or isinstance(each, exp.AggFunc)):
            return False
        above = each.parent
        while isinstance(above, parts_of.AROUND):
            each, above = above, above.parent
        return not (isinstance(above, exp.Window) and above.this is each)

    def _value_windows(self, select: exp.Select, tags: Tags) -> list[str]:
        """Return the partitions that values of this block are made of."""
        found: dict[str, None] = {}
        relations = parts_of.relations_of(tags)
        named = parts_of.named_windows(select)
        places = [*select.expressions, select.args.get("qualify")]
        for place in filter(None, places):
            for window in place.find_all(exp.Window):
                kind = parts_of.window_kind(window, place)
                partition = parts_of.partition_of(window, dict(named))
                function = f"{parts_of.function_name(window)}() over"
                if kind != "value":
                    self._add_note(Note(kind, function, relations))
                elif not partition:
                    self._add_note(Note("whole", f"{function} all rows", relations))
                else:
                    found[f"partition by {partition}"] = None
        return list(found)

    def _add_note(self, note: Note) -> None:
        if note.relations and note not in self.notes:
            self.notes.append(note)

    def _fresh(self) -> str:
        self._names += 1
        return f"_s{self._names}"
