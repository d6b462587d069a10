"""A connection to Postgres that publishes, alone, and what it says when it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError
from snowmelt.serve.publish.address import require_dsn, shown_dsn
from snowmelt.serve.publish.publisher import Publisher
from snowmelt.serve.publish.target import Target
from snowmelt.warehouse.sql import literal

if TYPE_CHECKING:
    import psycopg

_NUMBER = 0x536E6F77
LOCK_SECONDS_MAX = 10.0


@contextmanager
def publishing(
    target: Target, clock: Clock, stopping: threading.Event
) -> Iterator[Publisher]:
    """Connect, and publish alone for the length of a block.

    Raises UnreachableError when the target cannot be reached or refuses, and while
    somebody else publishes there. Once `stopping` is set nothing more is sent.
    """
    if find_spec("psycopg") is None:
        raise ConfigError(
            "publish postgres",
            "psycopg is not installed",
            "pip install 'snowmelt[postgres]'",
        )
    import psycopg

    where = shown_dsn(target.dsn)
    try:
        with psycopg.connect(
            require_dsn(target.dsn),
            connect_timeout=10,
            application_name="snowmelt publish",
            keepalives_idle=30,
            options="-c client_min_messages=warning -c TimeZone=UTC",
        ) as connection:
            key = f"{_NUMBER}, hashtext({literal('snowmelt ' + target.schema)})"
            _lock(connection, key, clock, stopping, where)
            try:
                yield Publisher(connection, target, clock, stopping)
            finally:
                _unlock(connection, key)
    except psycopg.Error as error:
        raise _told(error, where) from error


def _lock(
    connection: psycopg.Connection[Any],
    key: str,
    clock: Clock,
    stopping: threading.Event,
    where: str,
) -> None:
    """Be the only one who publishes there; wait a little for one who just ended."""
    give_up_at = clock.monotonic() + LOCK_SECONDS_MAX
    statement: Any = f"select pg_try_advisory_lock({key})"
    while True:
        row = connection.execute(statement).fetchone()
        connection.commit()
        if row is not None and row[0]:
            return
        if clock.monotonic() >= give_up_at or stopping.is_set():
            raise UnreachableError(where, "somebody else is publishing there")
        clock.wait(stopping, 0.1)


def _unlock(connection: psycopg.Connection[Any], key: str) -> None:
    """Let the next one publish at once, who may be here before Postgres sees us go."""
    import psycopg

    statement: Any = f"select pg_advisory_unlock({key})"
    with suppress(psycopg.Error):
        connection.rollback()
        connection.execute(statement)
        connection.commit()


def _told(error: psycopg.Error, where: str) -> SnowmeltError:
    detail = getattr(error, "diag", None)
    lines = (detail and detail.message_primary) or str(error).strip()
    said = str(lines).splitlines()[0] if lines else type(error).__name__
    hint = (detail and (detail.message_detail or detail.message_hint)) or ""
    return UnreachableError(where, f"Postgres says: {said}", hint)
