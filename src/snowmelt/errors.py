"""What can go wrong, sorted by what to do next.

SnowmeltError
    UsageError          the command's words are off; exit code 2
    ConfigError         the project's files are off; exit code 3
    UnreachableError    the warehouse or the service cannot be reached; exit code 4
        InUseError      another process owns the warehouse: it may end, or answer
    EngineError         the engine lacks memory, disk or open files
    FileError           this version of a file cannot be loaded: its load fails
    SlowError           reading took longer than the pipe allows
    ChangedError        a file changed under the reader: offer it again
        UnreadableError it lies there, and this user may not read it
    RunError            a publication failed; gold is as it was; exit code 1
"""

from __future__ import annotations


class SnowmeltError(Exception):
    """Something a person can act on: where, what, and the way out."""

    exit_code = 1

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        self.where = where
        self.problem = problem
        self.remedy = remedy
        super().__init__(where, problem, remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{text}. {self.remedy}" if self.remedy else text

    def as_document(self) -> dict[str, str | int]:
        """Return the error as `--json` and the service's answers have it."""
        return {
            "kind": type(self).__name__,
            "where": self.where,
            "problem": self.problem,
            "remedy": self.remedy,
            "exit_code": self.exit_code,
        }


class UsageError(SnowmeltError):
    """The command's words are off."""

    exit_code = 2


class ConfigError(SnowmeltError):
    """The project's files are off."""

    exit_code = 3


class UnreachableError(SnowmeltError):
    """The warehouse or the service cannot be reached now."""

    exit_code = 4


class InUseError(UnreachableError):
    """Another process owns the warehouse now; `pid`: which, as the lock tells."""

    def __init__(
        self, where: str, problem: str, remedy: str = "", pid: int | None = None
    ) -> None:
        super().__init__(where, problem, remedy)
        self.pid = pid


class EngineError(SnowmeltError):
    """The engine lacks memory, disk or open files: no file is to blame."""


class FileError(SnowmeltError):
    """This version of a file cannot be loaded; its load fails, the file stays."""


class SlowError(SnowmeltError):
    """Reading a batch took longer than its pipe allows."""


class RereadError(SnowmeltError):
    """A file was not read a second time as it was the first: it is read otherwise."""


class ChangedError(SnowmeltError):
    """The file changed or vanished while it was read; it will be offered again."""


class UnreadableError(ChangedError):
    """The file may not be read by this user: so it is until somebody changes it."""


class RunError(SnowmeltError):
    """A publication failed and was rolled back; gold is as it was."""
