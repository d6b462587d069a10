"""The dashboards there are, and whether what they show is current."""

from __future__ import annotations

from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import dashboard_names, load_dashboard
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document


def dashboards_document(loop: Loop) -> Document:
    """Return name, title and what is wrong with the file, of each dashboard."""
    root = loop.parts.project.root
    listed = []
    for name in dashboard_names(root):
        title, cards, problem = name, 0, None
        try:
            found = load_dashboard(root, name)
            title, cards = found.title, len(found.cards)
        except ConfigError as error:
            problem = str(error)
        listed.append(
            {"name": name, "title": title, "cards": cards, "problem": problem}
        )
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
    return {"schema_version": SCHEMA_VERSION, "shell": shell, "dashboards": listed}
