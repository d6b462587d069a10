"""Pipes: what of the status is about them, and nothing that the page does not show."""

from __future__ import annotations

from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.service.status import noticed_of, pipes_standing


def pipes_document(loop: Loop) -> Document:
    """Return the pipes as `status` has them, from one snapshot."""
    with loop.parts.warehouse.snapshot() as session:
        return {
            "schema_version": SCHEMA_VERSION,
            "shell": shell_document(loop, session),
            "pipes": pipes_standing(loop, session),
            "changed_files": noticed_of(loop.parts).documents(),
        }
