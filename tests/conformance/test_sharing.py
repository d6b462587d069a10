"""A place that is away fails nothing: it is told, tried again, and catches up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from postgres_server import database, postgres
from shop import Shop
from small_project import ORDERS, OpenSmall, Warm, open_small
from snowmelt.service.diagnosis import diagnose
from snowmelt.service.publishing import sharing as keeping
from snowmelt.service.publishing.sharing import Sharing

__all__ = ["database", "postgres"]
SECONDS_MAX = 60


class Way:
    """A way to a server that can be closed and opened."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._listening: socket.socket | None = None
        self._ends: list[socket.socket] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listening]).start()

    def close(self) -> None:
        for end in [self._listening, *self._ends]:
            if end is not None:
                with suppress_closed(end):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._listening, self._ends = None, []

    def _accept(self, listening: socket.socket) -> None:
        with suppress_closed(listening):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress_closed(source):
            while content := source.recv(1 << 16):
                target.sendall(content)
        with suppress_closed(target):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def suppress_closed(_: socket.socket) -> Iterator[None]:
    try:
        yield
    except OSError:
        return


def until(commands: OpenSmall, state: str) -> dict[str, Any]:
    """Wait until the place stands so; return what is told of it."""
    for _ in range(SECONDS_MAX * 20):
        place = commands.publications()["places"][0]
        if place["state"] == state:
            (shown,) = commands.status()["publications"]
            assert shown["name"] == place["name"]
            return dict(place)
        threading.Event().wait(0.05)
    raise AssertionError(place)


def land(commands: OpenSmall, shop: Shop, number: int) -> None:
    line = f"x{number},c1,aa,open,1.00,2024-01-01,\n"
    shop.land_bytes(f"orders_x_{number}.csv", f"{ORDERS}{line}".encode())
    run = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", "no run fails for a place"


def test_a_place_that_is_away_fails_nothing_and_catches_up(
    tmp_path: Path,
    warm: Warm,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "AGAIN_AFTER", timedelta(seconds=0.2))
    parts = urlsplit(database)
    way = Way(str(parts.hostname), int(parts.port or 0))
    dsn = database.replace(f":{parts.port}/", f":{way.port}/")
    shop = warm.copy(tmp_path / "shop")
    settings = shop.root / "snowmelt.yml"
    settings.write_text(
        settings.read_text() + f"publish: {{to: {{bi: {{postgres: '{dsn}'}}}}}}\n"
    )

    def orders() -> int:
        with psycopg.connect(database) as connection:
            row = connection.execute("select count(*) from gold.fct_orders").fetchone()
        assert row is not None
        return int(row[0])

    with open_small(shop) as commands:
        notes: list[str] = []
        sharing = Sharing(commands.loop.parts, notes.append)
        commands.loop.parts.events.subscribe(sharing)
        sharing.start()
        try:
            land(commands, shop, 1)
            place = until(commands, "failing")
            assert "refused" in str(place["problem"])
            assert parts.password is not None
            assert parts.password not in str(place) + str(notes)
            way.open()
            until(commands, "current")
            before = orders()
            land(commands, shop, 2)
            until(commands, "current")
            assert orders() == before + 1
            way.close()
            land(commands, shop, 3)
            until(commands, "failing")
            assert len(notes) == 2, "told once each time that it begins"
            assert orders() == before + 1, "readers there have the run before"
            way.open()
            until(commands, "current")
            assert orders() == before + 2
        finally:
            sharing.stop()
            way.close()
    findings = {each["check"]: each for each in diagnose(shop.root)["findings"]}
    assert findings["publish bi"]["ok"] is True
