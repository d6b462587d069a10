"""What people who look on take from the loader: 50 live pages beside a backlog.

`python -m bench viewers`: a service gets the same number of files at once, in turn with
nobody looking and with so many viewers. A viewer does what a browser does: it opens a
page, listens to `/events`, and asks for the page again when one of its subjects
changed. They run in a process of their own, on the same machine: what they take
themselves of its cores is told beside.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import re
import resource
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

from bench.inputs import MADE
from bench.live.figures import Target, add_common_options, percentile, show, verdict
from bench.live.shop import Shop, copy_shop
from bench.live.stream import plan_files, write_file
from bench.live.up import Service, asking, pause, running
from bench.machine import describe_machine

ORDERS = 100_000
LOSS_PERCENT_MAX = 5.0
PAGES = ("/", "/files", "/rejects", "/runs", "/pipes", "/dashboards/executive")
ANSWER_SECONDS = 60.0
_LOADED = "select count(*), max(last_load_time) from snowmelt.load_history"
_SUBJECTS = re.compile(rb'data-live="([^"]*)"')


@dataclass(frozen=True)
class Watched:
    """What the viewers saw: pages, the times until they had them, their own CPU."""

    seconds: tuple[float, ...]
    cpu_seconds: float


@dataclass(frozen=True)
class Round:
    """A backlog that was loaded. `viewers`: how many looked on."""

    viewers: int
    wall_seconds: float
    service_cpu_seconds: float
    watched: Watched | None


class Viewer:
    """One browser's tab, as the service sees it."""

    def __init__(self, address: str, cookie: str, path: str, stop: Event) -> None:
        self._address = address
        self._headers = {"Cookie": cookie, "X-Live": "1"}
        self._path = path
        self._stop = stop
        self.seconds: list[float] = []

    def watch(self) -> None:
        """Look until told to stop."""
        subjects = self._ask()
        while not self._stop.is_set():
            try:
                self._listen(subjects)
            except (OSError, http.client.HTTPException):
                continue  # as a browser does: it connects again

    def _ask(self) -> set[str]:
        begun = perf_counter()
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{self._path} was answered with {answer.status}")
        self.seconds.append(perf_counter() - begun)
        return {
            each.decode() for found in _SUBJECTS.findall(text) for each in found.split()
        }

    def _listen(self, subjects: set[str]) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=5.0)
        try:
            connection.request("GET", "/events", headers=self._headers)
            answer = connection.getresponse()
            while not self._stop.is_set():
                line = answer.readline()
                if not line:
                    return
                if line.startswith(b"data:") and subjects & _topics(line[5:]):
                    self._ask()
        finally:
            connection.close()


def _topics(data: bytes) -> set[str]:
    return set(json.loads(data).get("topics", ()))


def crowd(
    address: str, cookie: str, count: int, stop: Event, told: Queue[Watched]
) -> None:
    """Be so many viewers, in this process, until told to stop."""
    viewers = [
        Viewer(address, cookie, PAGES[number % len(PAGES)], stop)
        for number in range(count)
    ]
    threads = [threading.Thread(target=each.watch, daemon=True) for each in viewers]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(10.0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = tuple(each for viewer in viewers for each in viewer.seconds)
    told.put(Watched(seconds, used.ru_utime + used.ru_stime))


def sign_in(service: Service) -> tuple[str, str]:
    """Return where the pages are, and a cookie for them."""
    with asking(service) as client:
        link = urlsplit(str(client.start_link()["link"]))
    connection = http.client.HTTPConnection(link.netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{link.path}?{link.query}")
        cookie = connection.getresponse().getheader("Set-Cookie") or ""
    finally:
        connection.close()
    return link.netloc, cookie.partition(";")[0]


def measure(place: Path, viewers: int, files: int, pairs: int) -> list[Round]:
    """Load a backlog in turn without and with viewers."""
    shop = copy_shop(ORDERS, place)
    ready = place / "ready"
    ready.mkdir()
    coming = [
        each for each in plan_files(files * 2 * (pairs + 1) * 2) if each.version == 1
    ]
    found = []
    with running(shop.root) as service:
        service.rest()
        for number in range(2 * (pairs + 1)):
            batch = coming[number * files : (number + 1) * files]
            for each in batch:
                write_file(each, shop.known, ready / each.name)
            looking = viewers if number % 2 else 0
            done = _round(service, shop, ready, looking)
            if number > 1:  # the first of each warms up
                found.append(done)
            service.rest()
    return found


def _round(service: Service, shop: Shop, ready: Path, viewers: int) -> Round:
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    address, cookie = sign_in(service)
    arguments = (address, cookie, viewers, stop, told)
    people = context.Process(target=crowd, args=arguments) if viewers else None
    if people:
        people.start()
        pause(3.0)
    used, begun = service.cpu_seconds, perf_counter()
    with asking(service) as client:
        before = client.query(_LOADED, 1)["rows"][0][0]
        waiting = sorted(ready.iterdir())
        for file in waiting:
            file.rename(shop.landing / file.name)
        while client.query(_LOADED, 1)["rows"][0][0] < before + len(waiting):
            pause(0.05)
        wall = perf_counter() - begun
    used = service.cpu_seconds - used
    stop.set()
    watched = told.get(timeout=ANSWER_SECONDS) if people else None
    if people:
        people.join()
    return Round(viewers, wall, used, watched)


def table(rounds: Sequence[Round], files: int) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        "viewers   files/s   service's CPU   pages   p50 ms   p99 ms   viewers' CPU"
    ]
    for each in rounds:
        rate, used = files / each.wall_seconds, each.service_cpu_seconds
        line = f"{each.viewers:>7} {rate:>9.1f} {used:>13.1f} s"
        if each.watched:
            seconds = each.watched.seconds
            half, most = (1000 * percentile(seconds, at) for at in (50, 99))
            theirs = each.watched.cpu_seconds
            line += f" {len(seconds):>7} {half:>8.0f} {most:>8.0f} {theirs:>12.1f} s"
        lines.append(line)
    return lines


def targets(rounds: Sequence[Round], is_judged: bool) -> list[Target]:
    """Judge what is lost: the median of pairs that followed one another."""
    pairs = list(zip(rounds[::2], rounds[1::2], strict=True))
    lost = median(
        1 - alone.wall_seconds / with_them.wall_seconds for alone, with_them in pairs
    )
    more = median(
        with_them.service_cpu_seconds / alone.service_cpu_seconds - 1
        for alone, with_them in pairs
    )
    return [
        Target("throughput lost", 100 * lost, LOSS_PERCENT_MAX, "%", is_judged),
        Target("CPU of the service more", 100 * more, LOSS_PERCENT_MAX, "%", False),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when viewers take more than they may."""
    parser = argparse.ArgumentParser(
        prog="python -m bench viewers", description=__doc__
    )
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--files", type=int, default=300, help="that arrive at once")
    parser.add_argument("--pairs", type=int, default=3)
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="viewers-", dir=MADE))
    try:
        rounds = measure(place, chosen.viewers, chosen.files, chosen.pairs)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    judged = targets(rounds, is_judged=(chosen.viewers, chosen.files) == (50, 300))
    show(
        "viewers",
        machine,
        [*table(rounds, chosen.files), "", *(each.text for each in judged)],
        chosen,
    )
    return verdict("viewers", judged)
