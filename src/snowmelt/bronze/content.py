"""The plain content of a file: the file itself, or a copy of it in the spool.

A copy is made of what the engine cannot read where it lies: a compressed file, one in
another encoding, one with lines to skip, an object of a bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.landing.opened import OpenedFile, opened
from snowmelt.landing.stage import StagedFile


def _for_ever() -> None:
    """Set no limit to the time."""


@dataclass(frozen=True)
class Content:
    """Where plain content lies, and the state in which it must still be there.

    `state` is that of the file at `path`: of the staged file, or of the copy. Lines
    and bytes of the original that are not in a copy are counted in `lines_before` and
    `bytes_before`. `check` is asked at every piece that is read, and raises when the
    time is over.
    """

    path: Path
    state: StagedFile
    is_copy: bool = False
    lines_before: int = 0
    bytes_before: int = 0
    check: Callable[[], None] = field(default=_for_ever, compare=False, repr=False)

    def opened(self) -> AbstractContextManager[OpenedFile]:
        """Open it, for the length of a block, if it is still in that state.

        Raises ChangedError when it is not, or is gone.
        """
        return opened(self.path, self.state, self.check)
