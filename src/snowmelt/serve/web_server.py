"""The pages' port: which one, who has it if we have not, and the link into it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.project.serving import DEFAULT_PORT, ServeConfig
from snowmelt.serve.assets import LACKING, Assets
from snowmelt.serve.commands import Document
from snowmelt.serve.guard import Door
from snowmelt.serve.live import Broadcast
from snowmelt.serve.server_thread import ServerThread
from snowmelt.serve.sessions import Sessions
from snowmelt.serve.tokens import Tokens
from snowmelt.serve.users import Users

PORTS_TRIED = 20


@dataclass(frozen=True)
class Opening:
    """How the pages can be seen. `link` works once; `problem`: why there are none."""

    url: str = ""
    link: str = ""
    problem: str = ""


def bind(config: ServeConfig) -> socket.socket:
    """Return a socket of the pages' port.

    Raises UnreachableError naming who has a port that was asked for.
    """
    asked = config.port
    ports = (
        range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED) if asked is None else [asked]
    )
    host = "127.0.0.1" if config.host == "localhost" else config.host
    is_six = ipaddress.ip_address(host).version == 6
    family = socket.AF_INET6 if is_six else socket.AF_INET
    for port in ports:
        # the loop turns Nagle's waiting off only for a socket that says it is TCP
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
            bound.listen(128)
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE:
                raise UnreachableError(
                    f"{config.host}:{port}", str(error.strerror).lower()
                ) from None
            continue
        return bound
    taken = ports[0]
    raise UnreachableError(
        f"{config.host}:{taken}",
        f"the port is taken by {holder_of(taken)}",
        "Name another in snowmelt.yml, `serve: {port: …}`, and start again.",
    )


def holder_of(port: int, root: Path = Path("/proc")) -> str:
    """Say which process listens on a port, as far as this user may know."""
    inodes = set(_listening(port, root))
    for process in root.glob("[0-9]*"):
        with suppress(OSError):
            if any(_link(each) in inodes for each in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                return f"{name} (pid {process.name})"
    return "another process"


def _link(path: Path) -> str:
    """Return what a link says; empty of one that is gone."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _listening(port: int, root: Path) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (root / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            parts = line.split()
            if parts[3] == "0A" and int(parts[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{parts[9]}]"


def require_keys(
    config: ServeConfig, users: Users, tokens: Tokens | None = None
) -> None:
    """Raise ConfigError when others would reach pages that ask nobody who they are."""
    if config.is_loopback or config.token or users.all():
        return
    if tokens is not None and tokens.all():
        return
    raise ConfigError(
        "snowmelt.yml: serve: host",
        f"other machines reach {config.host}, and nobody has a password",
        "Add somebody: snowmelt users add NAME --role viewer; or give serve: a token.",
    )


@dataclass
class WebDoor:
    """A bound port, and what its guard has to know."""

    config: ServeConfig
    bound: socket.socket
    door: Door

    @property
    def url(self) -> str:
        """Return the address to type."""
        host = self.config.host
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.door.port}"

    def make_link(self) -> Document:
        """Return a link that opens the pages once, as the owner."""
        link = f"{self.url}/start?token={self.door.sessions.make_link_token()}"
        return {"schema_version": 1, "url": self.url, "link": link}


def open_door(
    config: ServeConfig,
    sessions: Sessions,
    users: Users,
    tokens: Tokens | None = None,
) -> WebDoor:
    """Bind the pages' port.

    Raises ConfigError and UnreachableError that say why there are no pages.
    """
    if not Assets().are_built:
        raise UnreachableError("pages", LACKING)
    require_keys(config, users, tokens)
    bound = bind(config)
    port = int(bound.getsockname()[1])
    names = ["localhost", *(name.lower() for name in config.names)]
    if not config.is_loopback:
        names.append(socket.gethostname().lower())
    door = Door(
        sessions,
        port,
        tuple(names),
        any_address=not config.is_loopback,
        token=config.token,
        tokens=tokens,
    )
    return WebDoor(config, bound, door)


class WebServer:
    """Serves the pages; open ones are let go before it stops."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, broadcast: Broadcast
    ) -> None:
        self._broadcast = broadcast
        self._thread = ServerThread(app, bound, "pages")

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Let every page go, answer what was asked, then stop."""
        self._broadcast.close()
        self._thread.stop()
