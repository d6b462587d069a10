"""The stage of a target as it is seen from here: the account's pipes listen, not we."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from snowmelt.errors import ChangedError, UsageError
from snowmelt.landing.stage import (
    Channel,
    KnownStates,
    Notifications,
    StagedFile,
    nothing_known,
)


class ObservedStage:
    """Nothing is listed here and nothing is loaded from here."""

    places_whole = True
    channel: Channel | None = None

    def __init__(self, location: str) -> None:
        self.location = location
        self.unreadable: list[str] = []

    def refresh(self, known: KnownStates = nothing_known) -> list[StagedFile]:
        del known
        return []

    def watch(self, wake: Callable[[], None]) -> None:
        del wake

    def unwatch(self) -> None:
        """There is nothing to stop."""

    def notified(self) -> Notifications:
        return Notifications()

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        del is_pending

    def look(self, name: str) -> StagedFile | None:
        del name
        return None

    def looks(self, names: Sequence[str]) -> Mapping[str, StagedFile | None]:
        return dict.fromkeys(names)

    def path(self, name: str) -> Path | None:
        del name
        return None

    def chunks(self, file: StagedFile) -> Iterator[bytes]:
        raise ChangedError(file.name, "files of a target are read by its account")

    def remove(self, file: StagedFile) -> None:
        self._refuse(file)

    def archive(self, file: StagedFile, folder: str) -> None:
        self._refuse(file)

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        self._refuse(file)

    def _refuse(self, file: StagedFile) -> NoReturn:
        raise UsageError(file.name, "files of a target are left alone")
