"""A proxy that spoils answers on purpose, by a seed, and writes down how.

It stands between a client and an S3 or SQS server on this machine. Every decision is
noted with the request it was about, so that a run that failed can be told.
"""

from __future__ import annotations

import random
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from snowmelt.clock import SystemClock

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message>"
    b"</Error>"
)


class Fault(Enum):
    """What may become of a request."""

    NONE = "none"
    UNAVAILABLE = "503 before the server saw it"
    SLOW_DOWN = "503 SlowDown"
    CUT = "the answer is cut in its body"
    DELAY = "the answer is late"
    LOST = "the server did it, the answer is lost"
    TWICE = "the request is sent twice"


@dataclass
class Faults:
    """Decides, by a seed, what becomes of each request."""

    seed: int
    rate: float
    decisions: list[tuple[str, Fault]] = field(default_factory=list)
    healed: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()

    def decide(self, request: str, kinds: tuple[Fault, ...]) -> tuple[Fault, float]:
        """Return a fault, and a number between 0 and 1 to carry it out with."""
        with self._lock:
            strikes = self._random.random() < self.rate and not self.healed
            fault = self._random.choice(kinds) if strikes else Fault.NONE
            self.decisions.append((request, fault))
            return fault, self._random.random()

    def told(self) -> str:
        """Return the seed and what was done, the last of it in full."""
        counts = Counter(fault.name for _, fault in self.decisions)
        last = "\n".join(
            f"  {request}: {fault.value}"
            for request, fault in self.decisions[-400:]
            if fault is not Fault.NONE
        )
        return f"seed {self.seed}: {dict(counts)}\n{last}"


class _Requests(BaseHTTPRequestHandler):
    """Passes one client's requests on. The server it belongs to knows where to."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.headers.get("X-Amz-Target", "")
        request = f"{self.command} {operation or self.path}"
        fault, number = self.server.faults.decide(request, _kinds(operation))
        if fault in (Fault.UNAVAILABLE, Fault.SLOW_DOWN):
            return self._answer(503, [], SLOW_DOWN if fault is Fault.SLOW_DOWN else b"")
        if fault is Fault.DELAY:
            SystemClock().wait(threading.Event(), number * 0.2)
        if fault is Fault.TWICE:
            self._ask(body)
        status, headers, answer = self._ask(body)
        if fault is Fault.LOST:
            self.close_connection = True
            return None
        cut = int(number * len(answer)) if fault is Fault.CUT else None
        return self._answer(status, headers, answer, cut)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        host, port = self.server.upstream
        connection = HTTPConnection(host, port, timeout=60)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        cut: int | None = None,
    ) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None and cut < len(body):
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        return True

    def log_message(self, *_: Any) -> None:
        """Say nothing: decisions are noted already."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: tuple[str, int], faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.upstream = upstream
        self.faults = faults

    def handle_error(self, *_: Any) -> None:
        """A client that went away is none of our errors."""


def _kinds(operation: str) -> tuple[Fault, ...]:
    """Return what may happen to a request: of the queue, or of the bucket."""
    faults = (Fault.UNAVAILABLE, Fault.CUT, Fault.DELAY, Fault.LOST)
    if operation.startswith("AmazonSQS."):
        return (*faults, Fault.TWICE)
    return (*faults, Fault.SLOW_DOWN)


@contextmanager
def started_proxy(url: str, faults: Faults) -> Iterator[str]:
    """Stand before a server for the length of a block; return the proxy's URL."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    server = _Server((parts.hostname, parts.port), faults)
    thread = threading.Thread(
        target=socketserver.BaseServer.serve_forever, args=(server, 0.05), daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
