"""Tokens of programs: each with a name and a role, shown once and kept as a hash.

A token is 32 random bytes, so that a plain SHA-256 of it tells nobody anything; it
says who it is of, so that it is found without trying all. The file is beside that of
the users, and only its owner can read it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from snowmelt.errors import ConfigError, UsageError
from snowmelt.serve.sessions import Identity, same_text
from snowmelt.serve.users import Role, write_private

PREFIX = "smt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.@-]{0,63}")


@dataclass(frozen=True)
class Token:
    """What is known of a token. `made_at`: in ISO 8601."""

    name: str
    role: Role
    sha256: str
    made_at: str


class Tokens:
    """The tokens of one project; read again whenever the file was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_as: tuple[int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def all(self) -> list[Token]:
        """Return every token, by name. Raises ConfigError for a file that is broken."""
        self._refresh()
        return [self._tokens[name] for name in sorted(self._tokens)]

    def add(self, name: str, role: Role, made_at: str) -> str:
        """Make a token and return it; nobody can read it again.

        Raises UsageError for a name that is none, or is taken.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                name, "this is no name for a token", "Letters, digits and . @ - only."
            )
        self._refresh()
        if name in self._tokens:
            raise UsageError(
                name,
                "there is a token of this name",
                f"Remove it first: snowmelt tokens remove {name}",
            )
        text = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
        token = Token(name, role, _digest(text), made_at)
        self._write({**self._tokens, name: token})
        return text

    def remove(self, name: str) -> None:
        """Remove a token; it is good for nothing from now on."""
        self._refresh()
        if name not in self._tokens:
            known = ", ".join(sorted(self._tokens)) or "none"
            raise UsageError(name, "there is no such token", f"Known: {known}.")
        self._write({key: each for key, each in self._tokens.items() if key != name})

    def identify(self, text: str) -> Identity | None:
        """Return whose token this is; None of what is none."""
        prefix, _, rest = text.partition("_")
        name = rest.partition("_")[0]
        self._refresh()
        token = self._tokens.get(name) if prefix == PREFIX else None
        if token is None or not same_text(_digest(text), token.sha256):
            return None
        return Identity(token.name, token.role, "token")

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._tokens, self._read_as = {}, None
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._read_as:
            return
        try:
            entries = json.loads(self._path.read_text())["tokens"]
            tokens = [
                Token(**(each | {"role": Role(each["role"])})) for each in entries
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                str(self._path),
                f"it cannot be read: {error}",
                "Remove it, and make tokens anew: snowmelt tokens add NAME",
            ) from None
        self._tokens, self._read_as = {each.name: each for each in tokens}, stamp

    def _write(self, tokens: dict[str, Token]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "version": 1,
            "tokens": [asdict(tokens[name]) for name in sorted(tokens)],
        }
        write_private(self._path, json.dumps(content, indent=2).encode())
        self._refresh()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
