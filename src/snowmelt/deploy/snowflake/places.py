"""Where in a project's files something is written, and what cannot be mapped there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.deploy.deployment import Remark
from snowmelt.errors import ConfigError
from snowmelt.pipe.definition import Pipe
from snowmelt.project.project import SETTINGS_FILE, Project
from snowmelt.project.yaml_file import Location, place_of


@dataclass
class Findings:
    """What a project says that Snowflake cannot, and what is otherwise there."""

    root: Path
    refusals: list[ConfigError] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def refuse(self, where: str, told: str, remedy: str) -> None:
        """Note what cannot be there at all."""
        self.refusals.append(ConfigError(where, told, remedy))

    def remark(self, where: str, told: str) -> None:
        """Note what is there otherwise than here."""
        self.remarks.append(Remark(where, told))

    def settings(self, *location: int | str) -> str:
        """Return where a key of snowmelt.yml stands."""
        return place_of(self.root / SETTINGS_FILE, location, SETTINGS_FILE)

    def require_none(self) -> None:
        """Raise ConfigError that names all that was refused, the first one first."""
        if self.refusals:
            first, *others = self.refusals
            rest = "\n".join(str(each) for each in others)
            first.remedy = f"{first.remedy}\n{rest}".strip()
            raise first


@dataclass(frozen=True)
class PipeFile:
    """One pipe, and the file that says it."""

    pipe: Pipe
    path: Path
    shown: str

    def at(self, *location: int | str) -> str:
        """Return where a key of it stands: file, line, key."""
        given: Location = location
        return place_of(self.path, given, self.shown)


def pipe_files(project: Project) -> list[PipeFile]:
    """Return every pipe with its file, in the order in which they are read."""
    files = sorted((project.root / "pipes").glob("*.yml"))
    return [
        PipeFile(pipe, file, f"pipes/{file.name}")
        for pipe, file in zip(project.pipes, files, strict=True)
    ]
