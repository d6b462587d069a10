"""Dashboards, answered from one snapshot, and checked against models and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snowmelt.errors import ConfigError, UsageError
from snowmelt.gold.run_history import published_digest
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.filters import read_choices
from snowmelt.project.metrics import DefinedMetric, MetricFiles
from snowmelt.serve.commands import Document
from snowmelt.service.boards.answering import Answering, require_published
from snowmelt.service.boards.asking import Asking
from snowmelt.service.boards.checking import Checking
from snowmelt.service.boards.memory import Memory, memory_of
from snowmelt.service.boards.reads import models_known, names_metrics
from snowmelt.service.boards.rendering import Rendering
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.parts import Parts
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Graph
from snowmelt.transform.project_digest import project_digest

if TYPE_CHECKING:
    from snowmelt.warehouse.port import Session

TRIES_MAX = 3
"""How often a dashboard is asked again that was published meanwhile."""
Beside = Callable[["Session", frozenset[str]], Document]


@dataclass(frozen=True)
class Look:
    """Who looks, and at what. `chosen`: of the filters, as an address says it.

    `beside` reads what stands beside its cards, from the same snapshot: of the models
    that it reads. `is_page`: it shows the last dashboard that was right while its file
    is off, and the cards that can be answered while others cannot.
    """

    name: str
    chosen: str | None = None
    beside: Beside | None = None
    is_page: bool = False


def dashboard_document(parts: Parts, look: Look) -> Document:
    """Return a dashboard's cards with the rows and the SQL of each.

    Raises UsageError for an unknown name or a choice that is none, ConfigError with
    file and line for a card that cannot be answered.
    """
    memory = memory_of(parts.warehouse, parts.project.root)
    dashboard, problem = memory.definitions.find(look.name)
    if problem is not None and not look.is_page:
        raise problem
    with parts.warehouse.snapshot() as session:
        require_published(
            session, parts.gold
        )  # before dbt is asked, which may take its time
    relations = relations_of(_published_graph(parts, memory))
    for _ in range(TRIES_MAX):
        with parts.warehouse.snapshot() as session:
            run_id = require_published(session, parts.gold)
            if parts.gold is not None:
                asking = parts.gold.asking(session, memory, relations)
            else:
                here = parts.warehouse, session, memory, relations, parts.clock
                asking = Asking(*here)
            answered = _answered(asking, dashboard, look)
        if asking.is_of_one():
            return {
                "schema_version": SCHEMA_VERSION,
                "name": look.name,
                "title": dashboard.title,
                "description": dashboard.description,
                "run_id": run_id,
                "layout": [len(row) for row in dashboard.rows],
                "problem": problem.as_document() if problem is not None else None,
                "unconfirmed": asking.doubt(),
                **answered,
            }
    told = "it was published anew each time while it was asked"
    raise UsageError(look.name, told, "Ask again when fewer runs are under way.")


def _answered(asking: Asking, dashboard: Dashboard, look: Look) -> Document:
    """Return cards, filters and what stands beside them, of one snapshot."""
    choices = read_choices(dashboard.filters, look.chosen, strict=not look.is_page)
    with asking.limited():
        metrics = _metrics(asking.memory, dashboard)
        answering = Answering(asking, dashboard, choices, metrics)
        cards = _cards(answering, dashboard, look)
        filters = answering.filters()
    models = models_known(dashboard, metrics)
    beside = look.beside(asking.session, models) if look.beside else {}
    return {
        "filters": filters,
        "chosen": answering.address,
        "cards": cards,
        **beside,
    }


def _cards(answering: Answering, dashboard: Dashboard, look: Look) -> list[Document]:
    cards = []
    for card in dashboard.cards:
        try:
            cards.append(answering.card(card))
        except ConfigError as error:
            if not look.is_page:
                raise
            shown = {"span": card.span, "table": card.heading}
            cards.append(
                {"card": shown, "columns": [], "rows": [], "sql": card.sql or ""}
                | {"parameters": [], "models": [], "filters": [], "unfiltered": []}
                | {"types": [], "row_of": None}
                | {"problem": error.as_document()}
            )
    return cards


def metrics_of(parts: Parts, dashboard: Dashboard) -> Mapping[str, DefinedMetric]:
    """Return the metrics that a dashboard's cards can name."""
    return _metrics(memory_of(parts.warehouse, parts.project.root), dashboard)


def relations_known(parts: Parts) -> Mapping[str, str]:
    """Return what ref() stands for."""
    memory = memory_of(parts.warehouse, parts.project.root)
    return relations_of(_published_graph(parts, memory))


def _metrics(memory: Memory, dashboard: Dashboard) -> Mapping[str, DefinedMetric]:
    """Return the metrics, if a card can name one: reading them takes its time."""
    return memory.metrics.all() if names_metrics(dashboard) else {}


def check_dashboards(parts: Parts, graph: Graph) -> list[str]:
    """Return the names of a project's dashboards, every card of them checked.

    While the project is as it was published, the columns are checked, too; no query
    is run for that.

    Raises ConfigError with file and line for a card that cannot be answered.
    """
    root = parts.project.root
    metrics = MetricFiles(root).all()
    with parts.warehouse.snapshot() as session:
        is_published = published_digest(session) == project_digest(root)
        checking = Checking(
            root,
            parts.warehouse,
            relations_of(graph),
            metrics,
            session if is_published else None,
        )
        return checking.all()


def render_sql(sql: str, relations: Mapping[str, str]) -> str:
    """Return SQL with a relation in place of each ref().

    Raises ConfigError when it names a model that `relations` lacks, and when it is no
    template.
    """
    return Rendering(relations).render(sql).sql


def relations_of(graph: Graph) -> Mapping[str, str]:
    """Return what ref() stands for: the relation of each model, seed and snapshot."""
    return {node.name: node.relation for node in graph.nodes.values() if node.relation}


def _published_graph(parts: Parts, memory: Memory) -> Graph:
    """Return the models of the last build, whatever was edited since.

    dbt is asked only when none is known, and once for each state of the project. Of a
    target those that the project's files say.
    """
    if parts.files is not None:
        return parts.files.require_graph()
    known = memory.known.graph()
    if known is not None:
        return known
    root = parts.project.root
    digest = project_digest(root)
    if memory.parsed is None or memory.parsed[0] != digest:
        with parts.warehouse.session() as session:
            parsed = Dbt(root, parts.project.warehouse_path).parse(session)
        memory.parsed = digest, parsed
    return memory.parsed[1]
