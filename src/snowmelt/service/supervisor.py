"""Telling who supervises the service how it is, as sd_notify(3) has it.

systemd hands down the socket in NOTIFY_SOCKET, and in WATCHDOG_USEC how long the
service may be silent. Without them nothing is told.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping

log = logging.getLogger("snowmelt")

_PATIENCE_SECONDS = 30


class Supervisor:
    """Whoever started this process and waits for word of it; perhaps nobody."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watches = bool(environ.get("WATCHDOG_USEC"))

    def waiting(self, owner: object) -> None:
        """Say for whom the start waits, and that it is not stuck for it."""
        self._tell(
            f"EXTEND_TIMEOUT_USEC={_PATIENCE_SECONDS * 1_000_000}\n"
            f"STATUS=waiting for {owner} to end"
        )

    def ready(self) -> None:
        """Say that commands are answered and files are watched for."""
        self._tell("READY=1\nSTATUS=files become gold as they land")

    def alive(self) -> None:
        """Say that a round of the loop was done."""
        if self._watches:
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that what is under way ends, and nothing else begins."""
        self._tell("STOPPING=1\nSTATUS=the running transactions end")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # an abstract name, with a NUL before it
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.setblocking(False)
                notify.connect(address)
                notify.send(state.encode())
        except BlockingIOError:
            pass  # it has not read what it was told before; the next word may reach it
        except OSError as error:
            log.warning("the supervisor could not be told: %s", error)
            self._address = ""
