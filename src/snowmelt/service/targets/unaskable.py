"""Cards and metrics that no target can be asked, before one is.

Each is written for Snowflake as it would be when it is asked, with nothing chosen and
with something of each filter; tables are invented. What the linter names of the same
line is not named twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from snowmelt.deploy.portable.checking import IGNORE, Place, scalars_of
from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.template import sql_of
from snowmelt.deploy.portable.writing import Refusal, refusals_of
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import Dashboard, dashboard_names, load_dashboard
from snowmelt.project.metrics import DefinedMetric, MetricFiles
from snowmelt.service.boards.answering import told_of
from snowmelt.service.boards.checking import sampled
from snowmelt.service.boards.rendering import Query, Rendering


def unaskable(root: Path) -> list[Place]:
    """Return every card and metric of a project that has no words on Snowflake.

    Raises ConfigError for a dashboard or a metric that is off.
    """
    metrics = MetricFiles(root).all()
    found = [each for metric in metrics.values() for each in _of_metric(metric)]
    for name in dashboard_names(root):
        dashboard = load_dashboard(root, name)
        for card in dashboard.cards:
            found.extend(_of_card(root, dashboard, card, metrics))
    return found


class _AnyModel(dict[str, str]):
    """Every model that is named, as a table of gold."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f'"warehouse"."gold"."{name}"'


def _of_metric(defined: DefinedMetric) -> Iterator[Place]:
    file, line, _ = defined.where.split(":", 2)
    for each in _metric_refusals(defined):
        yield Place(file, int(line), defined.name, each.why)


def _metric_refusals(defined: DefinedMetric) -> list[Refusal]:
    rendering = Rendering(_AnyModel(), {defined.name: defined})
    query = rendering.query(Card.model_validate({"metric": defined.name}))
    is_meant = IGNORE in defined.metric.sql
    return [] if is_meant else _refusals(query, defined.metric.sql)


def _of_card(
    root: Path, dashboard: Dashboard, card: Card, metrics: Mapping[str, DefinedMetric]
) -> Iterator[Place]:
    defined = metrics.get(card.metric or "")
    if defined is not None and _metric_refusals(defined):
        return  # it is told where that is defined
    text = (card.where if card.metric is not None else card.sql) or ""
    for is_chosen in (False, True):
        choices = sampled(dashboard.filters, is_chosen)
        with told_of(card):
            query = Rendering(_AnyModel(), metrics, choices).query(card)
        found = [e for e in _refusals(query, text) if not _is_meant(text, e.line)]
        for each in found:
            file, line = _line_of(root, card, each.line)
            yield Place(file, line, card.heading, each.why)
        if found:
            return


def _refusals(query: Query, text: str) -> list[Refusal]:
    """Return why a query is refused, where the linter says nothing of that line."""
    names = {f"gold.{m}".lower(): f"ANY.GOLD.{m.upper()}" for m in query.models}
    refusals = refusals_of(query.sql, query.parameters, names)
    if not refusals:
        return []
    named = {each.line for each in findings_in(sql_of(text), is_rewritten=True)}
    return [e for e in refusals if e.line not in named and (e.line or not named)]


def _is_meant(text: str, line: int) -> bool:
    """Does a comment say that it is for one engine alone?"""
    lines = text.splitlines()
    return IGNORE in (lines[line - 1] if 0 < line <= len(lines) else text)


def _line_of(root: Path, card: Card, line: int) -> tuple[str, int]:
    """Return the file and line of a line of a card's query, or else of the card."""
    if card.path:
        return card.path, max(line, 1)
    file, _, begin = card.stands.rpartition(":")
    for keys, above, text in scalars_of((root / file).read_text(encoding="utf-8")):
        if keys[-1] == "sql" and text == card.sql and above >= int(begin) - 1:
            return file, above + line if line else int(begin)
    return file, int(begin)
