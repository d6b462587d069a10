"""Who is asking: start links that work once, and sessions as signed cookies.

A cookie says who somebody is, since when, and is signed with the project's own key:
a service that was started again knows its sessions. What was not signed here is no
session, so nobody can be handed one that another person knows.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import hmac
import json
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.serve.users import Role, User, Users, write_private

SESSION_MAX = timedelta(days=7)
LINK_MAX = timedelta(hours=12)
LINKS_KEPT = 100
_COOKIE_LENGTH_MAX = 1000


@dataclass(frozen=True)
class Identity:
    """Somebody who asks. `way`: session or token. `csrf` goes with forms."""

    name: str
    role: Role
    way: str
    csrf: str = ""
    acts: bool = True
    """Is there anything to act on? Of a target that is observed there is not."""

    @property
    def is_operator(self) -> bool:
        return self.role is Role.OPERATOR

    @property
    def may_act(self) -> bool:
        return self.acts and self.is_operator

    @property
    def sees_plain(self) -> bool:
        """May they see what is about persons? Others see it masked."""
        return self.is_operator


class Sessions:
    """Begins sessions, and says whose one is."""

    def __init__(
        self, key_path: Path, users: Users, clock: Clock, *, acts: bool = True
    ) -> None:
        self._key = read_key(key_path)
        self._acts = acts
        self._users = users
        self._clock = clock
        self._lock = threading.Lock()
        self._links: dict[bytes, datetime] = {}
        self._ended: dict[str, datetime] = {}

    def make_link_token(self) -> str:
        """Return a token for a start link; it begins one session."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._links[_digest(token)] = self._clock.now() + LINK_MAX
            while len(self._links) > LINKS_KEPT:
                del self._links[next(iter(self._links))]
        return token

    def take_link_token(self, token: str) -> bool:
        """Use a start link up; return if it was good."""
        with self._lock:
            until = self._links.pop(_digest(token), None)
        return until is not None and self._clock.now() < until

    def begin_for_owner(self) -> str:
        """Begin a session of whoever may run this service; return the cookie."""
        return self._begin("", Role.OPERATOR)

    def begin(self, user: User) -> str:
        """Begin a user's session; return the cookie."""
        return self._begin(user.name, user.role)

    def _begin(self, name: str, role: Role) -> str:
        content = {
            "name": name,
            "role": role.value,
            "at": self._clock.now().isoformat(),
            "id": secrets.token_hex(16),
        }
        packed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        return f"{packed}.{self._sign('session', packed)}"

    def read(self, cookie: str) -> Identity | None:
        """Return whose session a cookie is; None of one that is over or was never."""
        content = self._content(cookie)
        if content is None or content["id"] in self._ended:
            return None
        began_at = datetime.fromisoformat(content["at"])
        if self._clock.now() - began_at > SESSION_MAX:
            return None
        name, role = content["name"], Role(content["role"])
        if name:
            user = self._users.find(name)
            if user is None or datetime.fromisoformat(user.changed_at) > began_at:
                return None
            role = user.role
        csrf = self._sign("csrf", content["id"])
        return Identity(name or _owner(), role, "session", csrf, self._acts)

    def end(self, cookie: str) -> None:
        """End a session, whoever has kept its cookie."""
        content = self._content(cookie)
        if content is None:
            return
        now = self._clock.now()
        with self._lock:
            self._ended = {
                key: until for key, until in self._ended.items() if until > now
            } | {content["id"]: now + SESSION_MAX}

    def _content(self, cookie: str) -> dict[str, str] | None:
        packed, _, signature = cookie.partition(".")
        if len(cookie) > _COOKIE_LENGTH_MAX:
            return None
        wanted = self._sign("session", packed)
        if not hmac.compare_digest(signature.encode(), wanted.encode()):
            return None
        content: dict[str, str] = json.loads(base64.urlsafe_b64decode(packed))
        return content

    def _sign(self, what: str, text: str) -> str:
        signed = hmac.new(self._key, f"{what}:{text}".encode(), hashlib.sha256)
        return signed.hexdigest()


def same_text(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _owner() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "owner"


def read_key(path: Path) -> bytes:
    """Return the project's key, made at the first time."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) < 32:
        key = secrets.token_bytes(32)
        write_private(path, key)
    return key


def in_utc(clock: Clock) -> str:
    """Return the time as users' records have it."""
    return clock.now().astimezone(UTC).isoformat()
