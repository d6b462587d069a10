"""What the words of a verb stand for: a pipe, a file of the stage, an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.definition import Pipe
from snowmelt.project.project import Project
from snowmelt.service.parts import Parts


def find_pipe(project: Project, name: str, where: str = "--pipe") -> Pipe:
    """Return a pipe by its name. Raises UsageError that names those there are."""
    pipe = next((each for each in project.pipes if each.name == name), None)
    if pipe is None:
        known = ", ".join(each.name for each in project.pipes)
        raise UsageError(f"{where} {name}", "no such pipe", f"Known: {known}.")
    return pipe


def find_staged(parts: Parts, given: str) -> tuple[StagedFile, Pipe]:
    """Return a file of the stage and its pipe.

    `given` is its name in the stage, or a path on this machine that leads there.

    Raises UsageError when it is not there, or no pipe takes its name.
    """
    name = name_in_stage(parts, given)
    staged = parts.stage.look(name)
    if staged is None:
        raise UsageError(
            given,
            "no such file lies in the stage",
            f"See what became of it: snowmelt why {name}",
        )
    pipe = parts.pending.pipe_of(name) if staged.loadable else None
    if pipe is None:
        raise UsageError(given, "no pipe takes its name", f"See: snowmelt why {name}")
    return staged, pipe


def name_in_stage(parts: Parts, given: str) -> str:
    """Return a file's name in the stage: of a path elsewhere, its last part."""
    path = Path(given)
    if not path.is_absolute():
        return given.removeprefix("./")
    if not parts.project.lands_locally:
        return path.name
    try:
        return path.relative_to(parts.project.landing).as_posix()
    except ValueError:
        return path.name


def read_instant(where: str, text: str | None) -> datetime | None:
    """Return an instant written in ISO 8601; UTC unless it says otherwise.

    Raises UsageError when it is not written so.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            where,
            f"'{text}' is no date or time",
            "Write it as 2026-11-21, or 2026-11-21T14:30:00Z.",
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
