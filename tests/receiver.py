"""A receiver of traces and lineage on loopback: it decodes what it is sent."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECONDS_MAX = 30


@dataclass
class Receiver:
    """What came: spans and their resource, events of lineage."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    open: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, ready: Any, what: str) -> None:
        with self.came:
            assert self.came.wait_for(ready, SECONDS_MAX), what

    def take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        with self.came:
            if path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                for resource in request.resource_spans:
                    self.resource = {
                        each.key: each.value.string_value
                        for each in resource.resource.attributes
                    }
                    for scope in resource.scope_spans:
                        self.spans += scope.spans
            else:
                assert path == "/api/v1/lineage", path
                self.events.append(json.loads(body))
            self.came.notify_all()


def told(span: Any) -> dict[str, Any]:
    """Return a span's attributes."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value"))
        for each in span.attributes
    }


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen while the block lasts; requests wait while `open` is not set."""
    receiver = Receiver()
    receiver.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if not receiver.open.wait(SECONDS_MAX):
                return
            receiver.take(self.path, body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
