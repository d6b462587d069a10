"""Who knows what dbt says of the project's files, where nothing is built of them here.

What is built on this machine is known by its last build. A target is built elsewhere:
of its models is known what the files say that are here, as dbt reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from snowmelt.pipe.definition import Pipe
from snowmelt.trace.models import Models
from snowmelt.transform.documentation import Documentation
from snowmelt.transform.graph import Graph
from snowmelt.warehouse.port import Session


@dataclass(frozen=True)
class FilesRead:
    """One state of the files, read as a whole; `digest` is of all that decides."""

    digest: str
    graph: Graph
    notes: Documentation
    pipes: tuple[Pipe, ...]


class ProjectFiles(Protocol):
    """Reads the files again when they changed."""

    def now(self) -> FilesRead | None:
        """Return the files as they are; None while that is not known, or refused."""
        ...

    def models(self, files: FilesRead, session: Session) -> Models | None:
        """Return the SQL of a state's models; None if it is not to be had.

        `session`: a snapshot of what is known of the target.
        """
        ...

    def graph(self) -> Graph | None:
        """Return the models, of the state that was read last."""
        ...

    def require_graph(self) -> Graph:
        """Return the models. Raises SnowmeltError that says why none are known."""
        ...

    def notes(self) -> Documentation | None:
        """Return what is said of models in words, in the state that was read last."""
        ...
