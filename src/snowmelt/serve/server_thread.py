"""An application served on a socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from snowmelt.serve.guard import HEADER_BYTES_MAX
from snowmelt.serve.socket_path import reachable

HEADER_SECONDS_MAX = 10.0
CONNECTIONS_MAX = 400
STOP_SECONDS_MAX = 10.0


class PatientProtocol(H11Protocol):
    """Ends connections whose request does not arrive in time, byte by byte or never."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a new connection its time."""
        super().connection_made(transport)
        self._arm()

    def handle_events(self) -> None:
        """Take what arrived; a request that is whole waits for us, not we for it."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._disarm()

    def on_response_complete(self) -> None:
        """Give the next request on this connection its time."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(HEADER_SECONDS_MAX, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class ServerThread:
    """Serves until it is stopped. The socket is bound before it begins."""

    def __init__(self, app: ASGIApp, bound: socket.socket, name: str) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=PatientProtocol,
            ws="none",
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=int(STOP_SECONDS_MAX) - 2,
        )
        self._server = uvicorn.Server(config)
        self._socket = bound
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._socket.listen(128)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """Answer what was asked, then stop."""
        self._server.should_exit = True
        self._thread.join(timeout=STOP_SECONDS_MAX)
        self._socket.close()


class SocketServer:
    """Serves on a unix socket that its owner alone can open."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._app: Any = app
        self._path = path
        self._server: ServerThread | None = None

    def start(self) -> None:
        """Bind, readable and writable for the owner alone, and answer."""
        self._path.unlink(missing_ok=True)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with reachable(self._path) as path:
                bound.bind(path)
        finally:
            os.umask(before)
        self._server = ServerThread(self._app, bound, "api")
        self._server.start()

    def stop(self) -> None:
        """Answer what was asked, then stop."""
        if self._server is not None:
            self._server.stop()
        self._path.unlink(missing_ok=True)
