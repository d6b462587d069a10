"""The plain content of a file: the file itself, or a copy of it in the spool.

A copy is made of what the engine cannot read where it lies: a compressed file, one in
another encoding, one with lines to skip, an object of a bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snowmelt.landing.stage import StagedFile


@dataclass(frozen=True)
class Content:
    """Where plain content lies, and the state in which it must still be there.

    `state` is that of the file at `path`: of the staged file, or of the copy. Lines
    and bytes of the original that are not in a copy are counted in `lines_before` and
    `bytes_before`.
    """

    path: Path
    state: StagedFile
    is_copy: bool = False
    lines_before: int = 0
    bytes_before: int = 0
