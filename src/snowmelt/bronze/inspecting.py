"""Inspecting the files of a batch, several at a time where that saves waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from snowmelt.bronze.inspection import Inspection, inspect, unreadable
from snowmelt.bronze.intake import Intake
from snowmelt.errors import ChangedError, UnreadableError
from snowmelt.landing.stage import Stage
from snowmelt.pipe.batch import Pending

_AT_A_TIME = 16


def inspect_all(
    stage: Stage, intake: Intake, batch: Sequence[Pending], record_bytes_max: int
) -> Iterator[tuple[Pending, Inspection | str]]:
    """Yield each file with its inspection, or why it is to be offered again.

    Files of a folder are read one after the other, since that is what a disk and a
    processor do best; objects of a bucket, which are waited for, side by side.

    Raises UnreachableError when the stage cannot be reached.
    """

    def one(pending: Pending) -> Inspection | str:
        try:
            return inspect(pending.file, intake, record_bytes_max)
        except ChangedError as error:
            there = stage.look(pending.file.name)
            if there != pending.file or not isinstance(error, UnreadableError):
                return error.problem
            return unreadable(pending.file, error.problem)

    if not batch or stage.path(batch[0].file.name) is not None:
        yield from ((pending, one(pending)) for pending in batch)
        return
    with ThreadPoolExecutor(_AT_A_TIME, "inspect") as threads:
        yield from zip(batch, threads.map(one, batch), strict=True)
