"""Which models a dashboard reads, by their names: in its cards and its filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snowmelt.errors import ConfigError
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.filters import Choice
from snowmelt.project.metrics import DefinedMetric
from snowmelt.service.boards.answering import told_of
from snowmelt.service.boards.rendering import Rendering


class _Everything(dict[str, str]):
    """Every name is a model: dbt says which are not there."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> str:
        return name


def models_read(
    dashboard: Dashboard, metrics: Mapping[str, DefinedMetric]
) -> frozenset[str]:
    """Return every model. Raises ConfigError for a card that is no template."""
    found = {each.model for each in dashboard.filters}
    for card, rendering in _cards(dashboard, metrics):
        with told_of(card):
            found |= set(rendering.query(card).models)
    return frozenset(found)


def models_known(
    dashboard: Dashboard, metrics: Mapping[str, DefinedMetric]
) -> frozenset[str]:
    """Return the models of those cards that can be read."""
    found = {each.model for each in dashboard.filters}
    for card, rendering in _cards(dashboard, metrics):
        try:
            found |= set(rendering.query(card).models)
        except ConfigError:
            continue  # the page says what is wrong with it
    return frozenset(found)


def names_metrics(dashboard: Dashboard) -> bool:
    """Can a card of it name a metric? To read them takes its time."""
    return any(
        card.metric is not None or "metric(" in (card.sql or "")
        for card in dashboard.cards
    )


def _cards(
    dashboard: Dashboard, metrics: Mapping[str, DefinedMetric]
) -> Iterator[tuple[Card, Rendering]]:
    choices = {each.name: Choice(each) for each in dashboard.filters}
    for card in dashboard.cards:
        yield card, Rendering(_Everything(), metrics, choices)
