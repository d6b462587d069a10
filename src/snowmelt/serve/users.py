"""Who may see the pages from another machine: names, roles, hashed passwords.

They are in a file of their own beside the warehouse, which only its owner can read:
in the warehouse whoever may ask a query would read the hashes, and every backup
would carry them away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from snowmelt.errors import ConfigError, UsageError

PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_COST = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26, "dklen": 32}
_ONE_AT_A_TIME = threading.Lock()
"""A hash takes 32 MB and a tenth of a second: a crowd of guesses takes no more."""


class Role(StrEnum):
    """What somebody may do: look, or act as well."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class User:
    """Somebody with a password. `changed_at`: when it was set, in ISO 8601."""

    name: str
    role: Role
    salt: str
    password_hash: str
    changed_at: str


class Users:
    """The users of one project; read again whenever the file was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_as: tuple[int, int] | None = None
        self._users: dict[str, User] = {}

    def all(self) -> list[User]:
        """Return everybody, by name. Raises ConfigError for a file that is broken."""
        self._refresh()
        return [self._users[name] for name in sorted(self._users)]

    def find(self, name: str) -> User | None:
        """Return one user."""
        self._refresh()
        return self._users.get(name)

    def add(self, name: str, role: Role, password: str, changed_at: str) -> bool:
        """Add a user, or give one a new role and password; return if one was there.

        Raises UsageError for a name or a password that is none.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                name, "this is no name for a user", "Letters, digits and . _ @ - only."
            )
        if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
            raise UsageError(
                name, f"a password has at least {PASSWORD_LENGTH_MIN} characters"
            )
        known = self.find(name) is not None
        salt = secrets.token_bytes(16)
        hashed = base64.b64encode(_hash(password, salt)).decode()
        user = User(name, role, base64.b64encode(salt).decode(), hashed, changed_at)
        self._write({**self._users, name: user})
        return known

    def remove(self, name: str) -> None:
        """Remove a user, whose sessions end. Raises UsageError for an unknown one."""
        if self.find(name) is None:
            known = ", ".join(sorted(self._users)) or "nobody"
            raise UsageError(name, "there is no such user", f"Known: {known}.")
        self._write({key: user for key, user in self._users.items() if key != name})

    def check(self, name: str, password: str) -> User | None:
        """Return the user whose password this is; for anybody it takes as long."""
        user = self.find(name)
        salt = base64.b64decode(user.salt) if user else bytes(16)
        wanted = base64.b64decode(user.password_hash) if user else bytes(32)
        given = _hash(password[:PASSWORD_LENGTH_MAX], salt)
        return user if hmac.compare_digest(given, wanted) and user else None

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._users, self._read_as = {}, None
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._read_as:
            return
        try:
            entries = json.loads(self._path.read_text())["users"]
            users = [User(**(each | {"role": Role(each["role"])})) for each in entries]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                str(self._path),
                f"it cannot be read: {error}",
                "Remove it, and add the users anew: snowmelt users add NAME",
            ) from None
        self._users, self._read_as = {user.name: user for user in users}, stamp

    def _write(self, users: dict[str, User]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "version": 1,
            "users": [asdict(users[name]) for name in sorted(users)],
        }
        write_private(self._path, json.dumps(content, indent=2).encode())
        self._refresh()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _hash(password: str, salt: bytes) -> bytes:
    with _ONE_AT_A_TIME:
        return hashlib.scrypt(password.encode(), salt=salt, **_COST)
