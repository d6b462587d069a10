"""Addresses of databases, as they may be shown."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from snowmelt.errors import ConfigError

_PASSWORD = re.compile(r"\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S*)", re.IGNORECASE)


def shown_dsn(dsn: str) -> str:
    """Return an address without its password, to be shown and kept."""
    if "://" not in dsn:
        return " ".join(_PASSWORD.sub("", dsn).split())
    try:
        parts = urlsplit(dsn)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    name = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{name}{parts.hostname or ''}{port}{parts.path}"


def without_secrets(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what `publish` was asked, as it may be put on record."""
    target = arguments.get("to")
    if not isinstance(target, dict) or not isinstance(target.get("postgres"), str):
        return arguments
    return {**arguments, "to": {**target, "postgres": shown_dsn(target["postgres"])}}


def require_dsn(dsn: str) -> str:
    """Return an address of Postgres. Raises ConfigError for anything else."""
    is_url = dsn.startswith(("postgresql://", "postgres://"))
    if not is_url and "=" not in dsn:
        raise ConfigError(
            "publish postgres",
            f"'{shown_dsn(dsn)[:80]}' is no address of Postgres",
            "Write postgresql://user@host:5432/database.",
        )
    return dsn


def read_dsn(dsn: str) -> dict[str, Any]:
    """Return host, port, database and user of an address, or what is usual."""
    found = {"host": "localhost", "port": "5432", "database": "", "user": ""}
    if "://" in dsn:
        parts = urlsplit(dsn)
        given = {
            "host": parts.hostname,
            "port": str(parts.port or ""),
            "database": parts.path.lstrip("/"),
            "user": parts.username,
        }
    else:
        words = dict(word.split("=", 1) for word in dsn.split() if "=" in word)
        given = {
            "host": words.get("host"),
            "port": words.get("port"),
            "database": words.get("dbname"),
            "user": words.get("user"),
        }
    found |= {name: value for name, value in given.items() if value}
    port = found["port"]
    return {**found, "port": int(port) if port.isdigit() else 5432}
