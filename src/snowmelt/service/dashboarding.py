"""Dashboards, answered from one snapshot, and checked against models and tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from snowmelt.errors import ConfigError, UsageError
from snowmelt.gold.run_history import published_run
from snowmelt.project.dashboards import FOLDER, Card, load_dashboards
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.parts import Parts
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Graph
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.port import Session


def dashboard_document(parts: Parts, name: str) -> Document:
    """Return a dashboard's cards with the rows of each.

    Raises UsageError for an unknown name, ConfigError for a card that cannot be
    answered.
    """
    found = load_dashboards(parts.project.root)
    if name not in found:
        known = ", ".join(found) or "none; they are dashboards/*.yml"
        raise UsageError(
            "dashboards", f"there is no dashboard '{name}'", f"Known: {known}."
        )
    relations = relations_of(_graph(parts))
    cards: list[Document] = []
    with parts.warehouse.snapshot() as session:
        run_id = published_run(session)
        if run_id is None:
            raise UsageError("dashboards", "nothing is published yet", "snowmelt run")
        for card in found[name].cards:
            sql = rendered(name, card, relations)
            parts.warehouse.require_query(sql)
            try:
                table = session.table(sql)
            except Exception as error:
                raise ConfigError(place_of(name, card), str(error).strip()) from error
            require_columns(name, card, table.columns)
            shown = card.model_dump(exclude_none=True, exclude={"sql"})
            rows = [plain(row) for row in table.rows]
            cards.append({"card": shown, "columns": table.columns, "rows": rows})
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "title": found[name].title,
        "run_id": run_id,
        "cards": cards,
    }


def check_dashboards(root: Path, session: Session, graph: Graph) -> list[str]:
    """Return the names of a project's dashboards, every card of them checked.

    Once something is published, the columns are checked, too.

    Raises ConfigError for a card that cannot be answered.
    """
    relations = relations_of(graph)
    found = load_dashboards(root)
    is_published = published_run(session) is not None
    for name, dashboard in found.items():
        for card in dashboard.cards:
            sql = rendered(name, card, relations)
            if is_published:
                require_columns(name, card, _columns(name, card, session, sql))
    return list(found)


def _columns(name: str, card: Card, session: Session, sql: str) -> list[str]:
    try:
        return [str(row[0]) for row in session.rows(f"describe {sql}")]
    except Exception as error:
        raise ConfigError(place_of(name, card), str(error).strip()) from error


def relations_of(graph: Graph) -> Mapping[str, str]:
    """Return what ref() stands for: the relation of each model, seed and snapshot."""
    return {node.name: node.relation for node in graph.nodes.values() if node.relation}


def _graph(parts: Parts) -> Graph:
    """Return the project's models; dbt is asked when they are not known by now."""
    root = parts.project.root
    recordings = load_recordings(root / RECORDINGS)
    known = recordings.of_project(project_digest(root))
    if known is not None:
        return known
    with parts.warehouse.session() as session:
        return Dbt(root, parts.project.warehouse_path).parse(session)


def place_of(name: str, card: Card) -> str:
    """Return where a card is, to be told."""
    return f"{FOLDER}/{name}.yml: {card.heading}"


def rendered(name: str, card: Card, relations: Mapping[str, str]) -> str:
    """Return a card's SQL with a relation in place of each ref().

    Raises ConfigError when it names a model that `relations` lacks, and when it is no
    template.
    """
    where = place_of(name, card)

    def ref(model: str) -> str:
        if model not in relations:
            near = difflib.get_close_matches(model, relations, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(where, f"there is no model '{model}'", hint)
        return relations[model]

    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(card.sql).render(ref=ref).strip()
    except TemplateError as error:
        raise ConfigError(where, f"its SQL is no template: {error}") from None


def require_columns(name: str, card: Card, columns: Iterable[str]) -> None:
    """Raise ConfigError when a card shows a column that its query does not return."""
    there = list(columns)
    for column in card.columns:
        if column not in there:
            raise ConfigError(
                place_of(name, card),
                f"its query returns no column '{column}'",
                f"It returns: {', '.join(there)}.",
            )
