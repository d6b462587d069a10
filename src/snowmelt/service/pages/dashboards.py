"""The dashboards there are, what they read, and whether their figures are current."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import Dashboard, dashboard_names
from snowmelt.project.metrics import DefinedMetric
from snowmelt.serve.commands import Document
from snowmelt.service.boards.memory import Memory, memory_of
from snowmelt.service.boards.reads import models_known, names_metrics
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.board_health import standing_of
from snowmelt.service.pages.lineage import lineage_document
from snowmelt.service.pages.shell import shell_document


@dataclass(frozen=True)
class Board:
    """A dashboard as its file says, or what is wrong with that."""

    name: str
    title: str
    description: str = ""
    cards: int = 0
    models: frozenset[str] = frozenset()
    problem: str | None = None


def known_boards(loop: Loop) -> list[Board]:
    """Return the project's dashboards, with the names of the models they read."""
    root = loop.parts.project.root
    memory = memory_of(loop.parts.warehouse, root)
    return [_board(memory, name) for name in dashboard_names(root)]


def _board(memory: Memory, name: str) -> Board:
    try:
        found = memory.definitions.require(name)
    except ConfigError as error:
        return Board(name, name, problem=str(error))
    models = models_known(found, _metrics(memory, found))
    return Board(name, found.title, found.description, len(found.cards), models)


def _metrics(memory: Memory, dashboard: Dashboard) -> Mapping[str, DefinedMetric]:
    try:
        return memory.metrics.all() if names_metrics(dashboard) else {}
    except ConfigError:
        return {}  # its cards say so


def dashboards_document(loop: Loop) -> Document:
    """Return each dashboard's name, title, health, and what is wrong with its file."""
    boards = known_boards(loop)
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        standing = standing_of(loop, session, lineage_document(loop, session))
        listed = [
            {
                "name": each.name,
                "title": each.title,
                "description": each.description,
                "cards": each.cards,
                "problem": each.problem,
                "models": sorted(each.models),
                "health": standing.of_board(each.models, each.problem),
            }
            for each in boards
        ]
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "dashboards": listed,
    }
