"""Copies beside one another: one batch a pipe, as many pipes as there are lanes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from snowmelt.bronze.copy import Copier
from snowmelt.bronze.prepared import Prepared
from snowmelt.errors import EngineError, UnreachableError
from snowmelt.events import CopyStarted, Events, concerning
from snowmelt.pipe.batch import LoadConfig, Pending, due
from snowmelt.pipe.definition import Pipe
from snowmelt.service.gathering import Gathering
from snowmelt.service.lane import Lane

log = logging.getLogger("snowmelt")
Trial = Callable[[Pending], str | None]
"""Reads a file in a process of its own; returns how that process ended, if badly."""


class PipeLocks:
    """One lock a pipe, held while its load history is read and added to.

    As a context it holds all of them, in the order of the pipes.
    """

    def __init__(self, pipes: Sequence[Pipe]) -> None:
        self._locks = {pipe.name: threading.Lock() for pipe in pipes}

    @contextmanager
    def of(self, pipe_name: str) -> Iterator[None]:
        """Hold one pipe's lock for the length of a block."""
        with self._locks[pipe_name]:
            yield

    def __enter__(self) -> None:
        for lock in self._locks.values():
            lock.acquire()

    def __exit__(self, *_: object) -> None:
        for lock in self._locks.values():
            lock.release()


@dataclass
class Loaded:
    """A batch that a lane has dealt with.

    `blameless`: it failed for want of disk, memory or the stage; `killed`: a file of
    it killed the process that tried it.
    """

    pipe: Pipe
    batch: Sequence[Pending]
    prepared: Prepared | None
    problem: str = ""
    blameless: bool = False
    killed: bool = False
    started_at: datetime | None = None


class LoadLanes:
    """Begins the batches that are due, and hands back those that are done."""

    def __init__(
        self,
        copier: Copier,
        locks: PipeLocks,
        config: LoadConfig,
        trial: Trial,
        make_lane: Callable[[str], Lane[Loaded]],
    ) -> None:
        self._copier = copier
        self._locks = locks
        self._config = config
        self._trial = trial
        self._lanes: list[Lane[Loaded]] = [
            make_lane(f"load-{number}") for number in range(config.lanes_max)
        ]
        self._busy: dict[int, str] = {}

    @property
    def idle(self) -> bool:
        """Is no lane at work, and no result left to take?"""
        return all(lane.idle for lane in self._lanes)

    def dispatch(
        self,
        pipes: Sequence[Pipe],
        gathering: Gathering,
        now: datetime,
        events: Events,
    ) -> None:
        """Give each idle lane the batch that has waited longest, of an idle pipe."""
        for number, lane in enumerate(self._lanes):
            if not lane.idle:
                continue
            batches = [
                (min(each.since for each in batch), pipe.name, pipe, batch)
                for pipe in pipes
                if pipe.name not in self._busy.values()
                and (batch := self._due(pipe, gathering, now))
            ]
            if not batches:
                return
            *_, pipe, batch = min(batches, key=lambda each: each[:2])
            gathering.pending.begin(batch)
            self._busy[number] = pipe.name
            events.emit(
                CopyStarted(
                    pipe.name,
                    *_sizes(batch),
                    *_sizes(gathering.pending.waiting(pipe.name)),
                    now,
                )
            )
            lane.begin(partial(self._copy_batch, pipe, batch, now))

    def _due(self, pipe: Pipe, gathering: Gathering, now: datetime) -> list[Pending]:
        return due(gathering.ready(pipe, now), now, self._limits_of(pipe))

    def _limits_of(self, pipe: Pipe) -> LoadConfig:
        """Return the limits of a pipe's batches: snapshots come one at a time."""
        if pipe.mode == "append":
            return self._config
        return self._config.model_copy(update={"batch_files_max": 1})

    def take(self) -> Iterator[Loaded]:
        """Yield the batches that are done; the lane of each is idle then."""
        for number, lane in enumerate(self._lanes):
            work = lane.take()
            if work is not None:
                del self._busy[number]
                yield work.result()

    def close(self) -> None:
        """Let the lanes end what they are at."""
        for lane in self._lanes:
            lane.close()

    def _copy_batch(
        self, pipe: Pipe, batch: Sequence[Pending], now: datetime
    ) -> Loaded:
        """Copy a batch; what is logged meanwhile says of which pipe."""
        with concerning(pipe=pipe.name):
            loaded = self._copy(pipe, batch)
        loaded.started_at = now
        return loaded

    def _copy(self, pipe: Pipe, batch: Sequence[Pending]) -> Loaded:
        try:
            if len(batch) == 1 and batch[0].interrupted:
                ended = self._trial(batch[0])
                if ended:
                    return Loaded(pipe, batch, None, ended, killed=True)
            with self._locks.of(pipe.name):
                return Loaded(pipe, batch, self._copier.copy(pipe, batch))
        except (EngineError, UnreachableError) as error:
            log.warning("a batch of pipe %s could not be copied: %s", pipe.name, error)
            return Loaded(pipe, batch, None, f"pipe {pipe.name}: {error}", True)
        except Exception as error:
            log.exception("a batch of pipe %s could not be copied", pipe.name)
            return Loaded(pipe, batch, None, f"pipe {pipe.name}: {error}")


def _sizes(files: Sequence[Pending]) -> tuple[int, int]:
    """Return how many files there are, and their bytes."""
    return len(files), sum(each.file.size for each in files)
