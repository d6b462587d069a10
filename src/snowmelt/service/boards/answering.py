"""A dashboard's answer: every card, filter and comparison, of one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from snowmelt.errors import ConfigError, SnowmeltError, UsageError
from snowmelt.gold.run_history import published_run
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.filters import Choice, Filter, address_of
from snowmelt.project.metrics import DefinedMetric
from snowmelt.project.periods import Period
from snowmelt.serve.commands import Document
from snowmelt.service.boards.asking import SECONDS_MAX, Asking, Gold
from snowmelt.service.boards.rendering import Query, Rendering, mentions, named
from snowmelt.service.documents import plain
from snowmelt.warehouse.port import Session, Table

ROWS_MAX = 10_000
"""How many rows a card may have: what a person can look at, and a page can draw."""


@dataclass
class Answering:
    """Answers the cards of a dashboard as it is chosen. Make it inside a snapshot."""

    asking: Asking
    dashboard: Dashboard
    choices: Sequence[Choice]
    metrics: Mapping[str, DefinedMetric]

    def __post_init__(self) -> None:
        self._bounds: dict[str, tuple[date | None, date | None]] = {}
        self.choices = [self._in_time(choice) for choice in self.choices]
        by_name = {choice.filter.name: choice for choice in self.choices}
        self._rendering = Rendering(self.asking.relations, self.metrics, by_name)

    def _in_time(self, choice: Choice) -> Choice:
        """Return a choice with its period, which ends where the data does."""
        if choice.filter.type != "date_range":
            return choice
        bounds = self.asking.bounds(choice.filter)
        self._bounds[choice.filter.name] = bounds
        today = self.asking.clock.now().date()
        is_of_data = choice.filter.relative_to == "data"
        return choice.ending_on((bounds[1] or today) if is_of_data else today)

    @property
    def address(self) -> str:
        """What chooses the same."""
        return address_of(self.choices)

    def filters(self) -> list[Document]:
        """Return each filter, what is chosen of it, and what can be."""
        return [self._filter(choice) for choice in self.choices]

    def _filter(self, choice: Choice) -> Document:
        found = choice.filter
        document: Document = {
            "name": found.name,
            "type": found.type,
            "label": found.shown,
            "values": list(choice.values),
            "is_active": choice.is_active,
            "is_default": choice.is_default,
            "has_default": found.default is not None,
            "of": self._column_of(found),
        }
        if found.type == "date_range":
            period = choice.period or Period()
            first, last = self._bounds[found.name]
            return document | {
                "text": choice.text,
                "default": str(found.default or ""),
                "from": plain(period.start),
                "to": plain(period.end),
                "first": plain(first),
                "last": plain(last),
            }
        if found.type in ("select", "multi"):
            options, more = self.asking.options(found)
            document |= {"options": options, "more": more}
        return document

    def _column_of(self, found: Filter) -> str:
        """Return the column that a filter is of, as schema.relation.column."""
        relation = named(self.asking.relations, found.model, "model")
        schema, name = relation.replace('"', "").split(".")[-2:]
        return f"{schema}.{name}.{found.field}"

    def card(self, card: Card) -> Document:
        """Return a card with its rows and its SQL.

        Raises ConfigError that names it when it cannot be answered.
        """
        with told_of(card):
            shown = self._shown(card)
            query = self._rendering.query(card)
            self.asking.require_sayable(texts_of(card, self.metrics))
            table = self.asking.table(query, ROWS_MAX + 1)
            require_shown(card, table)
            document: Document = {
                "card": shown,
                "columns": table.columns,
                "types": table.types,
                "rows": [plain(row) for row in table.rows],
                "sql": query.sql,
                "parameters": [plain(each) for each in query.bound],
                "models": list(query.models),
                "filters": sorted(query.filters),
                "unfiltered": self._unfiltered(query),
                "row_of": self.asking.row_of(query, table.columns),
            }
            document |= self.asking.beside_card(query, ROWS_MAX + 1)
            if card.compare is not None:
                document["comparison"] = self._comparison(card, query, table)
            return document

    def _shown(self, card: Card) -> Document:
        """Return what a card says; of a metric, with what the metric says."""
        shown = card.model_dump(
            exclude_unset=True, exclude_none=True, exclude={"sql", "where"}
        )
        shown["span"] = card.span
        if card.metric is None:
            return shown
        defined = named(self.metrics, card.metric, "metric")
        shown |= {"kpi": card.title or defined.label, "value": defined.name}
        for key in ("format", "good", "description"):
            value = getattr(card, key, None) or getattr(defined.metric, key)
            if value:
                shown[key] = value
        return shown

    def _unfiltered(self, query: Query) -> list[str]:
        """Return what is chosen and does not narrow this query."""
        return [
            choice.filter.shown
            for choice in self.choices
            if choice.is_active and choice.filter.name not in query.filters
        ]

    def _comparison(self, card: Card, query: Query, table: Table) -> Document:
        """Return the figure of the time before, and how far this one is from it."""
        compared = self.earlier(card, query)
        place = table.columns.index(card.value or card.metric or "")
        now = table.rows[0][place] if table.rows else None
        if isinstance(compared, str):
            nothing = dict.fromkeys(("value", "change", "difference"))
            return {"of": card.compare, **nothing, "why": compared}
        rendering, period = compared
        before = self.asking.table(rendering.query(card), 2)
        earlier = before.rows[0][place] if before.rows else None
        change = change_of(now, earlier)
        why = "" if change is not None else "there was nothing then"
        return {
            "of": card.compare,
            "from": plain(period.start),
            "to": plain(period.end),
            "value": plain(earlier),
            "change": change,
            "difference": difference_of(now, earlier),
            "why": why,
        }

    def earlier(self, card: Card, query: Query) -> tuple[Rendering, Period] | str:
        """Return what renders a card for the time before; a text says why nothing can.

        Raises ConfigError when its query takes no period.
        """
        moved: dict[str, Choice] = {}
        period = Period()
        for choice in self.choices:
            if choice.filter.name not in query.filters or choice.period is None:
                continue
            found = _moved(choice.period, card.compare or "")
            if found is None:
                return ""
            first = self._bounds[choice.filter.name][0]
            if first is None or (found.start and found.start < first):
                return f"the data begins on {first}" if first else "there is no data"
            moved[choice.filter.name] = replace(choice, period=found)
            period = found
        if not moved:
            problem = "compare needs a query that takes a date_range"
            raise ConfigError(
                "", problem, "Write where {{ filter('NAME', 'column') }}."
            )
        choices = {**self._rendering.choices, **moved}
        return replace(self._rendering, choices=choices), period


def _moved(period: Period, compare: str) -> Period | None:
    if compare == "previous_year":
        return period.years_before()
    return period.before()


def change_of(now: Any, before: Any) -> float | None:
    """Return by which share a figure differs from one before; None: it cannot be said.

    Raises ConfigError for what is no figure.
    """
    difference = difference_of(now, before)
    return (
        difference / abs(float(before)) if difference is not None and before else None
    )


def difference_of(now: Any, before: Any) -> float | None:
    """Return how far two figures are apart; None where one is missing."""
    if now is None or before is None:
        return None
    try:
        return float(now) - float(before)
    except (TypeError, ValueError):
        raise ConfigError("", "compare needs a number, and not a text") from None


def texts_of(card: Card, metrics: Mapping[str, DefinedMetric]) -> list[str]:
    """Return the SQL that a card is made of: its own, and that of its metrics."""
    own = [text for text in (card.sql, card.where) if text]
    named_here = [
        each.metric.sql
        for name, each in metrics.items()
        if name == card.metric or any(mentions(text, name) for text in own)
    ]
    return own + named_here


@contextmanager
def told_of(card: Card) -> Iterator[None]:
    """Turn whatever is wrong with a card into a ConfigError that names it."""
    try:
        yield
    except Exception as error:
        if isinstance(error, SnowmeltError):
            problem = error.problem
            if problem == "the statement was interrupted":
                problem = f"its query took longer than {SECONDS_MAX:.0f} seconds"
            raise ConfigError(card.place, problem, error.remedy) from error
        raise ConfigError(card.place, str(error).strip()) from error


def require_shown(card: Card, table: Table) -> None:
    """Raise ConfigError when a card cannot show what its query returned."""
    require_columns(card, table.columns)
    if len(table.rows) > ROWS_MAX:
        problem = f"its query returns more than {ROWS_MAX:,} rows"
        raise ConfigError("", problem, "Sum them up, or write a limit.")
    if card.is_figure and len(table.rows) > 1:
        problem = f"its query returns {len(table.rows):,} rows, and a figure is one"
        raise ConfigError("", problem)


def require_columns(card: Card, columns: Sequence[str]) -> None:
    """Raise ConfigError when a card shows a column that its query does not return."""
    for column in card.columns:
        if column not in columns:
            problem = f"its query returns no column '{column}'"
            raise ConfigError("", problem, f"It returns: {', '.join(columns)}.")


def require_published(session: Session, gold: Gold | None = None) -> str:
    """Return the run that readers see. Raises UsageError before the first."""
    if gold is None:
        run_id, remedy = published_run(session), "snowmelt run"
    else:
        run_id, remedy = gold.run_published(session), gold.builds_by
    if run_id is None:
        raise UsageError("dashboards", "nothing is published yet", remedy)
    return run_id
