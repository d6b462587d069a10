"""What people who look on take from the loader: 50 live pages beside a backlog.

`python -m bench viewers`: a service gets the same number of files at once, in turn with
nobody looking and with so many viewers. A viewer does what a browser does: it opens a
page, listens to `/events` for what it shows, and asks for what is live in it when it is
told, over a connection that it keeps, compressed, unless it has it. They run in a
process of their own, on the same machine: what they take themselves of its cores is
told beside.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import multiprocessing
import re
import resource
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlencode, urlsplit

from bench.inputs import MADE
from bench.live.backlog import Backlog, Loaded
from bench.live.figures import Target, add_common_options, percentile, show, verdict
from bench.live.shop import copy_shop
from bench.live.up import Service, asking, pause, running
from bench.machine import describe_machine

ORDERS = 100_000
FILES = 300
LOSS_PERCENT_MAX = 5.0
PAGES = ("/", "/files", "/rejects", "/runs", "/pipes", "/dashboards/executive")
ANSWER_SECONDS = 60.0
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 3.0
"""So long viewers go on looking after the last file: they see how it ended."""
_SUBJECTS = re.compile(r'data-live="([^"]*)"')
_SINCE = re.compile(r'data-since="([^"]+)"')


@dataclass(frozen=True)
class Watched:
    """What the viewers saw: when each of them asked and had it, their own CPU."""

    asked: Sequence[Sequence[tuple[float, float]]]
    cpu_seconds: float


@dataclass(frozen=True)
class Round:
    """A backlog that was loaded. `viewers`: how many looked on."""

    viewers: int
    loaded: Loaded
    watched: Watched | None


class Viewer:
    """One browser's tab, as the service sees it."""

    def __init__(self, address: str, cookie: str, path: str, stop: Event) -> None:
        self._headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
        self._address = address
        self._path = path
        self._stop = stop
        self._line = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
        self._tag = ""
        self.asked: list[tuple[float, float]] = []

    def watch(self) -> None:
        """Look until told to stop."""
        page = self._get({}).decode()
        topics = " ".join(sorted({*" ".join(_SUBJECTS.findall(page)).split()}))
        (since,) = _SINCE.findall(page)
        while not self._stop.is_set():
            try:
                self._listen({"page": self._path, "topics": topics, "since": since})
            except (OSError, http.client.HTTPException):
                continue  # as a browser does: it connects again

    def _ask(self) -> None:
        begun = perf_counter()
        self._get({"X-Live": "1", "If-None-Match": self._tag})
        self.asked.append((begun, perf_counter()))

    def _get(self, more: Mapping[str, str]) -> bytes:
        self._line.request("GET", self._path, headers={**self._headers, **more})
        answer = self._line.getresponse()
        body = answer.read()
        if answer.status not in (200, 304):
            raise SystemExit(f"{self._path} was answered with {answer.status}")
        self._tag = answer.getheader("ETag") or ""
        is_packed = answer.getheader("Content-Encoding") == "gzip"
        return gzip.decompress(body) if is_packed else body

    def _listen(self, what: Mapping[str, str]) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=5.0)
        try:
            path = f"/events?{urlencode(what)}"
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            while not self._stop.is_set():
                line = answer.readline()
                if not line:
                    return
                if line.startswith(b"event: changed"):
                    self._ask()
        finally:
            connection.close()


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
    asked = [viewer.asked for viewer in viewers]
    told.put(Watched(asked, used.ru_utime + used.ru_stime))


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
    found = []
    with running(shop.root) as service:
        backlog = Backlog(service, shop, files, 2 * (pairs + 1))
        for number in range(2 * (pairs + 1)):
            backlog.prepare()
            done = _round(service, backlog, viewers if number % 2 else 0)
            if number > 1:  # the first of each warms up
                found.append(done)
    return found


def _round(service: Service, backlog: Backlog, viewers: int) -> Round:
    if not viewers:
        return Round(0, backlog.load(), None)
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    people = context.Process(
        target=crowd, args=(*sign_in(service), viewers, stop, told)
    )
    people.start()
    pause(BEFORE_SECONDS)
    loaded = backlog.load()
    pause(AFTER_SECONDS)
    stop.set()
    watched = told.get(timeout=ANSWER_SECONDS)
    people.join()
    return Round(viewers, loaded, watched)


def table(rounds: Sequence[Round], files: int) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        "                    service's   pages asked for while           "
        "viewers' all is seen",
        "viewers   files/s       CPU s  it loads   after   p50 ms  p99 ms"
        "    CPU s    after s",
    ]
    for each in rounds:
        loaded = each.loaded
        rate, used = files / loaded.wall_seconds, loaded.service_cpu_seconds
        line = f"{each.viewers:>7} {rate:>9.1f} {used:>11.2f}"
        if each.watched:
            line += _seen(loaded, each.watched)
        lines.append(line)
    return lines


def _seen(loaded: Loaded, watched: Watched) -> str:
    asked = [
        each for those in watched.asked for each in those if each[0] > loaded.begun
    ]
    seconds = [ended - begun for begun, ended in asked]
    half, most = (1000 * percentile(seconds, at) for at in (50, 99))
    during = sum(begun < loaded.ended for begun, _ in asked)
    seen = max(
        min((had for begun, had in those if begun > loaded.ended), default=nan)
        for those in watched.asked
    )
    return (
        f" {during:>9} {len(asked) - during:>7} {half:>8.0f} {most:>7.0f}"
        f" {watched.cpu_seconds:>8.2f} {seen - loaded.ended:>10.2f}"
    )


def targets(rounds: Sequence[Round], is_judged: bool) -> list[Target]:
    """Judge what is lost: the ratio of the medians, of rounds that took turns."""
    alone = [each.loaded for each in rounds if not each.viewers]
    beside = [each.loaded for each in rounds if each.viewers]
    lost = 1 - _middle("wall_seconds", alone) / _middle("wall_seconds", beside)
    used = "service_cpu_seconds"
    more = _middle(used, beside) / _middle(used, alone) - 1
    return [
        Target("throughput lost", 100 * lost, LOSS_PERCENT_MAX, "%", is_judged),
        Target("CPU of the service more", 100 * more, LOSS_PERCENT_MAX, "%", False),
    ]


def _middle(figure: str, of_loads: Sequence[Loaded]) -> float:
    return float(median(getattr(each, figure) for each in of_loads))


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when viewers take more than they may."""
    parser = argparse.ArgumentParser(
        prog="python -m bench viewers", description=__doc__
    )
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--files", type=int, default=FILES, help="that arrive at once")
    parser.add_argument("--pairs", type=int, default=8)
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="viewers-", dir=MADE))
    try:
        rounds = measure(place, chosen.viewers, chosen.files, chosen.pairs)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    judged = targets(rounds, is_judged=chosen.viewers >= 50 and chosen.files >= FILES)
    show(
        "viewers" if chosen.files == FILES else "viewers-long",
        machine,
        [*table(rounds, chosen.files), "", *(each.text for each in judged)],
        chosen,
    )
    return verdict("viewers", judged)
