"""The dashboards there are, and whether what they show is current."""

from __future__ import annotations

from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import dashboard_names
from snowmelt.serve.commands import Document
from snowmelt.service.boards.memory import memory_of
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document


def dashboards_document(loop: Loop) -> Document:
    """Return name, title and what is wrong with the file, of each dashboard."""
    root = loop.parts.project.root
    definitions = memory_of(loop.parts.warehouse, root).definitions
    listed = []
    for name in dashboard_names(root):
        told: Document = {"title": name, "description": "", "cards": 0}
        try:
            found = definitions.require(name)
            told = {
                "title": found.title,
                "description": found.description,
                "cards": len(found.cards),
            }
        except ConfigError as error:
            told["problem"] = str(error)
        listed.append({"name": name, "problem": None, **told})
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
    return {"schema_version": SCHEMA_VERSION, "shell": shell, "dashboards": listed}
