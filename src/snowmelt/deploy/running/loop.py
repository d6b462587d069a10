"""Runs whenever rows arrive, one at a time, more seldom while runs fail."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.deploy.running.outcome import Outcome
from snowmelt.deploy.running.runner import Runner
from snowmelt.errors import ConfigError, InUseError, SnowmeltError, UsageError

EVERY_SECONDS = 10.0
SLOWEST_SECONDS = 900.0


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the file's lock. Raises InUseError while another process does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(
                str(path),
                "another process of this machine runs this target",
                "Wait until it has ended, or stop it.",
            ) from None
        yield


@dataclass
class Follower:
    """Asks whether there is news, and runs. `stop` ends it between two runs."""

    runner: Callable[[], Runner]
    """Gives a runner with a session that is open; asked again after one was lost."""
    clock: Clock
    ran: Callable[[Outcome], None]
    failed: Callable[[SnowmeltError], None]
    stop: threading.Event = field(default_factory=threading.Event)
    every: float = EVERY_SECONDS

    def follow(self) -> None:
        """Run once for what was left, then whenever there is news, until `stop`."""
        is_due, pause = True, self.every
        runner: Runner | None = None
        while not self.stop.is_set():
            try:
                runner = runner or self.runner()
                is_due = is_due or runner.has_news()
                went_well = not is_due or self._run(runner)
            except (ConfigError, UsageError):
                raise  # waiting mends no project
            except SnowmeltError as error:
                self.failed(error)
                runner, went_well = None, False
            if went_well:
                is_due, pause = False, self.every
            else:
                pause = min(pause * 2, SLOWEST_SECONDS)
            self.clock.wait(self.stop, pause)

    def _run(self, runner: Runner) -> bool:
        outcome = runner.run()
        self.ran(outcome)
        return not outcome.problems
