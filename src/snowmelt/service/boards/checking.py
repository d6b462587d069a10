"""Whether dashboards can be answered: against models, filters and the warehouse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl

from snowmelt.errors import ConfigError
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import (
    Dashboard,
    dashboard_names,
    load_dashboard,
    place_of_drill,
    place_of_filter,
)
from snowmelt.project.filters import Choice, Filter
from snowmelt.project.metrics import DefinedMetric
from snowmelt.project.periods import Period
from snowmelt.service.boards.answering import require_columns, told_of
from snowmelt.service.boards.asking import identifier
from snowmelt.service.boards.rendering import Query, Rendering, named
from snowmelt.warehouse.port import Session, Warehouse

_PERIOD = Period(date(2024, 1, 1), date(2024, 12, 31), 12)


@dataclass
class Checking:
    """Checks the dashboards of a project.

    `session`: where queries are planned, none of them is run; None: the project is not
    as it was published, so that its tables may lack what models say.
    """

    root: Path
    warehouse: Warehouse
    relations: Mapping[str, str]
    metrics: Mapping[str, DefinedMetric]
    session: Session | None

    def all(self) -> list[str]:
        """Return their names. Raises ConfigError for a dashboard that is off."""
        names = dashboard_names(self.root)
        found = {name: load_dashboard(self.root, name) for name in names}
        for name, dashboard in found.items():
            self._check_filters(name, dashboard)
            used: set[str] = set()
            for card in dashboard.cards:
                with told_of(card):
                    used |= self._check_card(dashboard, card).filters
            self._check_drills(name, dashboard, found)
            for number, each in enumerate(dashboard.filters):
                if each.name not in used:
                    where = place_of_filter(self.root, name, number)
                    problem = f"no card takes the filter '{each.name}'"
                    remedy = f"Write where {{{{ filter('{each.name}') }}}}."
                    raise ConfigError(where, problem, remedy)
        return names

    def _check_drills(
        self, name: str, dashboard: Dashboard, found: Mapping[str, Dashboard]
    ) -> None:
        """Check where the cards of a dashboard lead, each at the line that says it."""
        for i, row in enumerate(dashboard.rows):
            for j, card in enumerate(row):
                if card.drill_target is None:
                    continue
                try:
                    _check_drill(card, found)
                except ConfigError as error:
                    where = place_of_drill(self.root, name, (i, j), card)
                    raise ConfigError(where, error.problem, error.remedy) from error

    def _check_filters(self, name: str, dashboard: Dashboard) -> None:
        for number, each in enumerate(dashboard.filters):
            try:
                relation = named(self.relations, each.model, "model")
                if self.session is not None:
                    tested = identifier(each.field)
                    if each.type == "date_range":
                        tested = f"max({tested})::date, isfinite(max({tested}))"
                    self.session.rows(f"explain select {tested} from {relation}")
            except Exception as error:
                where = place_of_filter(self.root, name, number)
                problem = getattr(error, "problem", "") or str(error).split("\n\n")[0]
                remedy = getattr(error, "remedy", "")
                raise ConfigError(where, problem.strip(), remedy) from error

    def _check_card(self, dashboard: Dashboard, card: Card) -> Query:
        """Check a card with nothing chosen, and with something of each filter."""
        queries = [
            Rendering(
                self.relations, self.metrics, sampled(dashboard.filters, chosen)
            ).query(card)
            for chosen in (False, True)
        ]
        for query in queries:
            self.warehouse.require_query(query.sql)
            if self.session is not None:
                columns = columns_of(self.session, query)
                require_columns(card, columns)
        kinds = {each.name: each.type for each in dashboard.filters}
        taken = {kinds[name] for name in queries[1].filters}
        if card.compare is not None and "date_range" not in taken:
            problem = "compare needs a query that takes a date_range"
            raise ConfigError(
                "", problem, "Write where {{ filter('NAME', 'column') }}."
            )
        return queries[1]


def columns_of(session: Session, query: Query) -> list[str]:
    """Return the columns of a query, which is planned for that and not run."""
    rows = session.rows(f"describe {query.sql}", query.bound)
    return [str(row[0]) for row in rows]


def sampled(filters: Sequence[Filter], chosen: bool) -> dict[str, Choice]:
    """Return filters with something chosen of each, or with nothing."""
    return {each.name: _sample(each) if chosen else Choice(each) for each in filters}


def _sample(found: Filter) -> Choice:
    if found.type == "date_range":
        return Choice(found, period=_PERIOD)
    return replace(Choice(found), values=("a value",))


def _check_drill(card: Card, found: Mapping[str, Dashboard]) -> None:
    """Raise ConfigError for a link to what is not there, or takes no such filter."""
    target = named(found, str(card.drill_target), "dashboard")
    known = {each.name: each for each in target.filters}
    for given, _ in parse_qsl(card.drill_query, keep_blank_values=True):
        name = given.removesuffix(".from").removesuffix(".to")
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        has = ", ".join(known) or "none"
        raise ConfigError(
            "",
            f"dashboard '{card.drill_target}' has no filter '{name}'",
            f"Did you mean '{near[0]}'?" if near else f"Its filters: {has}.",
        )
