"""Dashboards, answered from one snapshot, and checked against models and tables."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from snowmelt.errors import ConfigError, SnowmeltError, UsageError
from snowmelt.gold.run_history import published_digest, published_run
from snowmelt.project.dashboards import FOLDER, Card, dashboard_names, load_dashboard
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.parts import Parts
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Graph
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from snowmelt.warehouse.port import Session, Table

ROWS_MAX = 10_000
"""How many rows a card may have: what a person can look at, and a page can draw."""


def dashboard_document(
    parts: Parts, name: str, shell: Callable[[Session], Document] | None = None
) -> Document:
    """Return a dashboard's cards with the rows and the SQL of each.

    `shell` reads what stands beside a page, from the same snapshot.

    Raises UsageError for an unknown name, ConfigError for a card that cannot be
    answered.
    """
    dashboard = load_dashboard(parts.project.root, name)
    with parts.warehouse.snapshot() as session:
        _require_published(session)  # before dbt is asked, which may take its time
    relations = relations_of(_published_graph(parts))
    cards: list[Document] = []
    with parts.warehouse.snapshot() as session:
        run_id = _require_published(session)
        for card in dashboard.cards:
            with _told_of(name, card):
                sql = render_sql(card.sql, relations)
                parts.warehouse.require_query(sql)
                table = session.table(sql, limit=ROWS_MAX + 1)
                _require_shown(card, table)
            shown = card.model_dump(exclude_none=True, exclude={"sql"})
            rows = [plain(row) for row in table.rows]
            cards.append(
                {"card": shown, "columns": table.columns, "rows": rows, "sql": sql}
            )
        beside = shell(session) if shell else None
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "title": dashboard.title,
        "run_id": run_id,
        "cards": cards,
        "layout": [len(row) for row in dashboard.rows],
        "shell": beside,
    }


def _require_published(session: Session) -> str:
    """Return the run that readers see. Raises UsageError before the first."""
    run_id = published_run(session)
    if run_id is None:
        raise UsageError("dashboards", "nothing is published yet", "snowmelt run")
    return run_id


def check_dashboards(parts: Parts, graph: Graph) -> list[str]:
    """Return the names of a project's dashboards, every card of them checked.

    While the project is as it was published, the columns are checked, too; no query
    is run for that.

    Raises ConfigError for a card that cannot be answered.
    """
    root = parts.project.root
    relations = relations_of(graph)
    names = dashboard_names(root)
    with parts.warehouse.snapshot() as session:
        is_published = published_digest(session) == project_digest(root)
        for name in names:
            for card in load_dashboard(root, name).cards:
                with _told_of(name, card):
                    sql = render_sql(card.sql, relations)
                    parts.warehouse.require_query(sql)
                    if is_published:
                        described = session.rows(f"describe {sql}")
                        _require_columns(card, [str(row[0]) for row in described])
    return names


@contextmanager
def _told_of(name: str, card: Card) -> Iterator[None]:
    """Turn whatever is wrong with a card into a ConfigError that names it."""
    try:
        yield
    except Exception as error:
        where = f"{FOLDER}/{name}.yml: {card.heading}"
        if isinstance(error, SnowmeltError):
            raise ConfigError(where, error.problem, error.remedy) from error
        raise ConfigError(where, str(error).strip()) from error


def render_sql(sql: str, relations: Mapping[str, str]) -> str:
    """Return SQL with a relation in place of each ref().

    Raises ConfigError when it names a model that `relations` lacks, and when it is no
    template.
    """

    def ref(model: str) -> str:
        if model not in relations:
            near = difflib.get_close_matches(model, relations, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else ""
            raise ConfigError("", f"there is no model '{model}'", hint)
        return relations[model]

    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(sql).render(ref=ref).strip()
    except SnowmeltError:
        raise
    except Exception as error:
        raise ConfigError("", f"its SQL is no template: {error}") from error


def _require_shown(card: Card, table: Table) -> None:
    """Raise ConfigError when a card cannot show what its query returned."""
    _require_columns(card, table.columns)
    if len(table.rows) > ROWS_MAX:
        problem = f"its query returns more than {ROWS_MAX:,} rows"
        raise ConfigError("", problem, "Sum them up, or write a limit.")
    if card.kpi is not None and len(table.rows) > 1:
        problem = f"its query returns {len(table.rows):,} rows, and a figure is one"
        raise ConfigError("", problem)


def _require_columns(card: Card, columns: Iterable[str]) -> None:
    """Raise ConfigError when a card shows a column that its query does not return."""
    there = list(columns)
    for column in card.columns:
        if column not in there:
            problem = f"its query returns no column '{column}'"
            raise ConfigError("", problem, f"It returns: {', '.join(there)}.")


def relations_of(graph: Graph) -> Mapping[str, str]:
    """Return what ref() stands for: the relation of each model, seed and snapshot."""
    return {node.name: node.relation for node in graph.nodes.values() if node.relation}


def _published_graph(parts: Parts) -> Graph:
    """Return the models of the last build, whatever was edited since.

    dbt is asked only when none is known.
    """
    root = parts.project.root
    known = load_recordings(root / RECORDINGS).graph
    if known is not None:
        return known
    with parts.warehouse.session() as session:
        return Dbt(root, parts.project.warehouse_path).parse(session)
