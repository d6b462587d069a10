"""A name that a target's history does not know."""

from __future__ import annotations

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.targets.observing import Observing


def unknown_document(observing: Observing, target: str, error: UsageError) -> Document:
    """Say what is to be looked at of a file that a pipe would take.

    Raises the error of any other name.
    """
    pipe = observing.parts.pending.pipe_of(target.removeprefix("./"))
    name = observing.project.target_name
    if pipe is None:
        patterns = ", ".join(each.pattern for each in observing.project.pipes)
        raise UsageError(
            target,
            f"no copy and no model of this name is known of {name}",
            f"Patterns of pipes: {patterns}. See: snowmelt history --target {name}",
        ) from error
    answer = (
        f"No copy of it is known of {name}. Pipe {pipe.name} takes files of this name: "
        f"is it in {observing.project.location}? Then see whether the pipe is told of "
        f"files: snowmelt doctor --target {name}"
    )
    found = {"schema_version": 1, "target": target, "kind": "file"}
    return {**found, "answer": answer, "loads": []}
