"""A connection to Postgres that publishes, alone, and what it says when it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError
from snowmelt.serve.publish.address import require_dsn, shown_dsn
from snowmelt.serve.publish.publisher import Publisher
from snowmelt.serve.publish.target import Target
from snowmelt.warehouse.sql import literal

if TYPE_CHECKING:
    import psycopg

_NUMBER = 0x536E6F77


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
            key = f"hashtext({literal('snowmelt ' + target.schema)})"
            lock = f"select pg_try_advisory_lock({_NUMBER}, {key})"
            row = connection.execute(lock).fetchone()
            if row is None or not row[0]:
                raise UnreachableError(where, "somebody else is publishing there")
            connection.commit()
            yield Publisher(connection, target, clock, stopping)
    except psycopg.Error as error:
        raise _told(error, where) from error


def _told(error: psycopg.Error, where: str) -> SnowmeltError:
    detail = getattr(error, "diag", None)
    lines = (detail and detail.message_primary) or str(error).strip()
    said = str(lines).splitlines()[0] if lines else type(error).__name__
    hint = (detail and (detail.message_detail or detail.message_hint)) or ""
    return UnreachableError(where, f"Postgres says: {said}", hint)
