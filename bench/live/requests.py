"""How many requests the pages' port answers, and what that takes from the loader.

`python -m bench requests`: wrk asks a running service for its pages, whole and as open
pages ask again, for its API and for a script, each for some seconds from so many
connections that have the next request ready as soon as the last one is answered. Then
files arrive at once, in turn with nobody asking and beside wrk. wrk is a program of
its own (Debian: `apt-get install wrk`) on the same cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.inputs import MADE
from bench.live.backlog import Backlog
from bench.live.figures import Target, add_common_options, show, verdict
from bench.live.shop import copy_shop
from bench.live.up import Service, pause, running
from bench.live.viewers import PAGES, sign_in
from bench.machine import describe_machine

ORDERS = 100_000
LACKING = "wrk is not on PATH. On Debian or Ubuntu: apt-get install wrk"
API = ("/api/v1/shell", "/api/v1/pipes", "/api/v1/history?limit=50", "/api/v1/runs")
CASES: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "is it alive": (["/healthz"], {}),
    "a script": (["/static/app.js"], {}),
    "pages, whole": (PAGES, {}),
    "pages, as open ones ask": (PAGES, {"X-Live": "1"}),
    "API": (API, {}),
}
LOADING: tuple[Sequence[str], Mapping[str, str]] = ([*PAGES, *API], {})
LOADING_SECONDS_MAX = 300
_SCRIPT = """
local paths = { %s }
local at = 0
request = function()
    at = at %% #paths + 1
    return wrk.format("GET", paths[at])
end
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\\n{"requests": %%d, "microseconds": %%d, "p50": %%f, "p99": %%f, ' ..
        '"errors": %%d, "bytes": %%d}\\n',
        summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout,
        summary.bytes))
end
"""


class WrkError(Exception):
    """wrk did not tell what it measured."""


@dataclass(frozen=True)
class Answered:
    """What wrk was answered."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    kilobytes: float


class Wrk:
    """Asks a service, from so many connections at once."""

    def __init__(self, service: Service, place: Path, connections: int) -> None:
        self._address, cookie = sign_in(service)
        self._headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
        self._place = place
        self._connections = connections

    def ask(
        self, paths: Sequence[str], more: Mapping[str, str], seconds: int
    ) -> Answered:
        """Ask for these in turn, for so many seconds."""
        process = self.begin(paths, more, seconds)
        return self.end(process)

    def begin(
        self, paths: Sequence[str], more: Mapping[str, str], seconds: int
    ) -> subprocess.Popen[str]:
        """Begin to ask for these in turn."""
        script = self._place / "requests.lua"
        script.write_text(_SCRIPT % ", ".join(json.dumps(path) for path in paths))
        headers = [
            word
            for name, value in {**self._headers, **more}.items()
            for word in ("--header", f"{name}: {value}")
        ]
        count = str(self._connections)
        words = ["wrk", "--threads", "1", "--connections", count, "--timeout", "30s"]
        words += ["--duration", f"{seconds}s", "--script", str(script), *headers]
        return subprocess.Popen(
            [*words, f"http://{self._address}"], stdout=subprocess.PIPE, text=True
        )

    @staticmethod
    def end(process: subprocess.Popen[str]) -> Answered:
        """Wait until it ends, and return what it was answered."""
        told, _ = process.communicate()
        found = [line for line in told.splitlines() if line.startswith("{")]
        if not found:
            raise WrkError(told)
        figures = json.loads(found[-1])
        requests = max(figures["requests"], 1)
        return Answered(
            per_second=1e6 * figures["requests"] / figures["microseconds"],
            p50_ms=figures["p50"] / 1000,
            p99_ms=figures["p99"] / 1000,
            errors=figures["errors"],
            kilobytes=figures["bytes"] / requests / 1000,
        )


@dataclass(frozen=True)
class Pair:
    """The same number of files, loaded alone and while somebody asked."""

    alone_seconds: float
    seconds: float
    answered: Answered


def measure_cases(wrk: Wrk, seconds: int) -> dict[str, Answered]:
    """Ask for each kind of thing, beside a service that has nothing to load."""
    found = {}
    for name, (paths, more) in CASES.items():
        wrk.ask(paths, more, 1)
        found[name] = wrk.ask(paths, more, seconds)
    return found


def measure_loading(wrk: Wrk, backlog: Backlog, pairs: int) -> list[Pair]:
    """Load files in turn alone and while wrk asks; the first of each warms up."""
    found = []
    for _ in range(pairs + 1):
        backlog.prepare()
        alone = backlog.load()
        backlog.prepare()
        process = wrk.begin(*LOADING, LOADING_SECONDS_MAX)
        pause(1.0)
        beside = backlog.load()
        process.send_signal(signal.SIGINT)
        pair = Pair(alone.wall_seconds, beside.wall_seconds, wrk.end(process))
        found.append(pair)
    return found[1:]


def table(
    cases: Mapping[str, Answered], pairs: Mapping[int, Sequence[Pair]], files: int
) -> list[str]:
    """Return the figures as lines of text."""
    heads = "requests/s   p50 ms   p99 ms  errors     kB"
    lines = [f"{'':<26}{heads}"]
    lines += [f"{name:<26}{_written(each)}" for name, each in cases.items()]
    lines += ["", f"{f'beside {files} files':<26}{heads}  files/s   alone"]
    for connections, of_them in pairs.items():
        for each in of_them:
            loaded, alone = files / each.seconds, files / each.alone_seconds
            name = f"{connections} connections" if connections > 1 else "1 connection"
            line = f"{name:<26}{_written(each.answered)}"
            lines.append(f"{line} {loaded:>8.1f} {alone:>7.1f}")
    for connections, of_them in pairs.items():
        kept = median(each.alone_seconds / each.seconds for each in of_them)
        lines.append(f"throughput kept beside {connections}: {100 * kept:.0f} %")
    return lines


def _written(each: Answered) -> str:
    return (
        f"{each.per_second:>10.0f} {each.p50_ms:>8.1f} {each.p99_ms:>8.1f} "
        f"{each.errors:>7} {each.kilobytes:>6.1f}"
    )


def main(arguments: Sequence[str]) -> int:
    """Measure; 1 when an answer was an error, 2 without wrk."""
    parser = argparse.ArgumentParser(
        prog="python -m bench requests", description=__doc__
    )
    parser.add_argument("--seconds", type=int, default=10, help="of each kind")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--files", type=int, default=600, help="that arrive at once")
    parser.add_argument("--pairs", type=int, default=2)
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        print(LACKING, file=sys.stderr)
        return 2
    machine = describe_machine()
    MADE.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="requests-", dir=MADE))
    try:
        shop = copy_shop(ORDERS, place)
        with running(shop.root) as service:
            service.rest()
            wrk = Wrk(service, place, chosen.connections)
            cases = measure_cases(wrk, chosen.seconds)
            batches = 4 * (chosen.pairs + 1)
            backlog = Backlog(service, shop, chosen.files, batches)
            pairs = {
                count: measure_loading(
                    Wrk(service, place, count), backlog, chosen.pairs
                )
                for count in (1, chosen.connections)
            }
    finally:
        shutil.rmtree(place, ignore_errors=True)
    answered = [*cases.values(), *(e.answered for each in pairs.values() for e in each)]
    errors = sum(each.errors for each in answered)
    judged = [Target("errors", errors, 0, "", True)]
    lines = [*table(cases, pairs, chosen.files), "", *(each.text for each in judged)]
    show("requests", machine, lines, chosen)
    return verdict("requests", judged)
