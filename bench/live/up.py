"""`snowmelt up` as a process of its own, watched from outside by way of /proc."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import perf_counter

from bench.live.shop import CommandError, command, environment
from snowmelt.clock import SystemClock
from snowmelt.project.project import load_project
from snowmelt.serve.client import ServiceClient, connect_service

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 120.0
REST_SECONDS_MAX = 60.0
RESTING_SHARE = 0.05

_TICKS = os.sysconf("SC_CLK_TCK")
_NEVER = Event()


def pause(seconds: float) -> None:
    """Let time pass."""
    SystemClock().wait(_NEVER, seconds)


class Service:
    """A running service."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes]) -> None:
        self.socket = load_project(root).socket
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """All CPU time that it has used, in its own code and in the kernel."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    @property
    def rss_mb(self) -> float:
        return self._status("VmRSS")

    @property
    def peak_rss_mb(self) -> float:
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
        return int(value) * 1024 / 1e6

    def cpu_share(self, seconds: float) -> float:
        """Return the share of one core that it uses over so many seconds from now."""
        before, begun = self.cpu_seconds, perf_counter()
        pause(seconds)
        return (self.cpu_seconds - before) / (perf_counter() - begun)

    def rest(self, seconds_max: float = REST_SECONDS_MAX) -> None:
        """Wait until it does what its start asked of it no longer."""
        begun = perf_counter()
        while self.cpu_share(1.0) > RESTING_SHARE:
            if perf_counter() - begun > seconds_max:
                raise CommandError("the service does not come to rest")

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(
    root: Path, start_seconds_max: float = START_SECONDS_MAX
) -> Iterator[Service]:
    """Yield the service of a project, started for the block; it answers already.

    Raises CommandError when it does not start. Its talk goes to `up.log` there.
    """
    with (root / "up.log").open("ab") as log:
        process = subprocess.Popen(
            command("up"), cwd=root, env=environment(), stdout=log, stderr=log
        )
    service = Service(root, process)
    try:
        _wait_until_it_answers(service, root, start_seconds_max)
        yield service
    finally:
        service.stop()


def _wait_until_it_answers(service: Service, root: Path, seconds_max: float) -> None:
    begun = perf_counter()
    while perf_counter() - begun < seconds_max:
        if service.has_ended:
            told = (root / "up.log").read_text()[-2000:]
            raise CommandError(f"the service did not start: {told}")
        with connect_service(service.socket) as client:
            if client is not None:
                return
        pause(0.05)
    raise CommandError("the service did not answer in time")


@contextmanager
def asking(service: Service) -> Iterator[ServiceClient]:
    """Yield a client of the service, with a connection of its own."""
    with connect_service(service.socket) as client:
        if client is None:
            raise CommandError("the service does not answer")
        yield client
