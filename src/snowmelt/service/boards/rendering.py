"""Queries of cards: relations in place of ref(), placeholders in place of filter().

What somebody chose is bound to a statement and is never a part of its text: a filter
comes to a condition with `$1`, whatever its value is.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeVar

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.project.cards import Card
from snowmelt.project.filters import Choice, Filter
from snowmelt.project.metrics import DefinedMetric

Found = TypeVar("Found")
Value = str | date | tuple[str, ...]
_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@dataclass(frozen=True)
class Query:
    """A statement, what is bound to it, and what it was made of.

    `filters`: those that it takes, chosen or not.
    """

    sql: str
    parameters: tuple[Value, ...] = ()
    models: tuple[str, ...] = ()
    filters: frozenset[str] = frozenset()

    @property
    def bound(self) -> list[object]:
        """The values as a session takes them."""
        return [list(v) if isinstance(v, tuple) else v for v in self.parameters]


@dataclass
class Rendering:
    """Renders the queries of one dashboard, as it is chosen now."""

    relations: Mapping[str, str]
    metrics: Mapping[str, DefinedMetric] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)

    def query(self, card: Card) -> Query:
        """Return a card's query.

        Raises ConfigError when it names a model, a filter or a metric that is not
        there, and when it is no template.
        """
        if card.metric is None:
            return self.render(card.sql or "")
        defined = named(self.metrics, card.metric, "metric")
        return self.render(self._metric_sql(card, defined))

    def render(self, sql: str) -> Query:
        """Return a text as a query."""
        names = _Names(self)
        text = _rendered(sql, names)
        for metric in names.metrics:
            if metric.model not in names.models:
                problem = f"the metric '{metric.name}' is of the model '{metric.model}'"
                raise ConfigError("", f"{problem}, which its query does not name")
        return Query(
            text,
            tuple(names.parameters),
            tuple(sorted(names.models)),
            frozenset(names.filters),
        )

    def _metric_sql(self, card: Card, defined: DefinedMetric) -> str:
        """Return what asks for a metric, filtered by all that applies to its model."""
        conditions = [f"({card.where})"] if card.where else []
        for choice in self.choices.values():
            column = column_of(choice.filter, defined)
            if column is not None and not mentions(card.where, choice.filter.name):
                name = choice.filter.name
                conditions.append(f"{{{{ filter('{name}', {_quoted(column)}) }}}}")
        where = "\nwhere " + "\n    and ".join(conditions) if conditions else ""
        return (
            f"select {{{{ metric('{defined.name}') }}}} as {defined.name}\n"
            f"from {{{{ ref('{defined.model}') }}}}{where}"
        )


def column_of(found: Filter, defined: DefinedMetric) -> str | None:
    """Return the column of a metric's model that a filter applies to; None: none."""
    if found.name in defined.metric.dimensions:
        return defined.metric.dimensions[found.name]
    if found.type == "date_range":
        return defined.metric.time
    return found.field if found.model == defined.model else None


class _Names:
    """What a template may call; notes what it called."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self.parameters: list[Value] = []
        self.models: set[str] = set()
        self.filters: set[str] = set()
        self.metrics: list[DefinedMetric] = []

    def ref(self, model: str) -> str:
        relation = named(self._rendering.relations, model, "model")
        self.models.add(model)
        return relation

    def metric(self, name: str) -> str:
        found = named(self._rendering.metrics, name, "metric")
        self.metrics.append(found)
        return f"({found.metric.sql})"

    def filter(self, name: str, column: str | None = None) -> str:
        choice = named(self._rendering.choices, name, "filter")
        self.filters.add(name)
        tested = column or f'"{choice.filter.field}"'
        if choice.filter.type == "date_range":
            return self._in_period(choice, tested)
        if not choice.values:
            return "true"
        if choice.filter.type == "multi":
            bound = self._bind(choice.values)
            return (
                f"cast({tested} as varchar) in "
                f"(select unnest({bound}::json::varchar[]))"
            )
        bound = self._bind(choice.values[0])
        if choice.filter.type == "text":
            return f"contains(lower(cast({tested} as varchar)), lower({bound}))"
        return f"cast({tested} as varchar) = {bound}"

    def _in_period(self, choice: Choice, column: str) -> str:
        period = choice.period
        conditions = []
        if period is not None and period.start is not None:
            conditions.append(f"{column} >= {self._bind(period.start)}")
        if period is not None and period.end is not None and period.end != date.max:
            after = period.end + timedelta(days=1)
            conditions.append(f"{column} < {self._bind(after)}")
        return f"({' and '.join(conditions)})" if conditions else "true"

    def _bind(self, value: Value) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"


def named(known: Mapping[str, Found], name: str, what: str) -> Found:
    """Return what has this name. Raises ConfigError with the nearest one."""
    if name in known:
        return known[name]
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else ""
    raise ConfigError("", f"there is no {what} '{name}'", hint)


def _rendered(sql: str, names: _Names) -> str:
    try:
        template = _template(sql)
        text: str = template.render(
            ref=names.ref, filter=names.filter, metric=names.metric
        )
    except SnowmeltError:
        raise
    except Exception as error:
        raise ConfigError("", f"its SQL is no template: {error}") from error
    return text.strip().removesuffix(";").rstrip()


@lru_cache(maxsize=1024)
def _template(sql: str) -> Template:
    return _ENVIRONMENT.from_string(sql)


def mentions(text: str | None, name: str) -> bool:
    """Does a template name this, in quotes?"""
    return text is not None and (f"'{name}'" in text or f'"{name}"' in text)


def _quoted(text: str) -> str:
    """Write a text as a literal of a template."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
