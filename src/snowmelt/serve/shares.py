"""Links that show one dashboard to whoever has them: signed, and taken back at will.

A link is a name and its signature by the project's own key. What it shows, until when
and inside of which sites stands in a file beside the users: a link that is not there
any more shows nothing, whoever kept it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UsageError
from snowmelt.serve.sessions import read_key
from snowmelt.serve.users import write_private

DAYS_DEFAULT = 30
DAYS_MAX = 3650
_TOKEN = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{64})")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class Share:
    """One link. `filters`: what is chosen for whoever opens it, as an address says it.

    `origins`: the sites whose pages may show it in a frame; none: no page may.
    """

    id: str
    dashboard: str
    filters: str
    origins: tuple[str, ...]
    made_at: str
    until: str


class Shares:
    """The links of one project; read again whenever the file was written."""

    def __init__(self, path: Path, key_path: Path, clock: Clock) -> None:
        self._path = path
        self._key_path = key_path
        self._clock = clock
        self._read_as: tuple[int, int] | None = None
        self._shares: dict[str, Share] = {}

    def make(
        self, dashboard: str, days: int, origins: Sequence[str], filters: str
    ) -> tuple[Share, str]:
        """Make a link; return it with its token. Raises UsageError for odd words."""
        if not 1 <= days <= DAYS_MAX:
            raise UsageError("days", f"a link works for 1 to {DAYS_MAX} days")
        now = self._clock.now()
        share = Share(
            secrets.token_hex(8),
            dashboard,
            filters,
            tuple(dict.fromkeys(read_origin(each) for each in origins)),
            now.isoformat(),
            (now + timedelta(days=days)).isoformat(),
        )
        live = [each for each in self.all() if self._is_live(each)]
        self._write([*live, share])
        return share, f"{share.id}.{self._sign(share.id)}"

    def all(self) -> list[Share]:
        """Return every link, by when it was made."""
        self._refresh()
        return sorted(self._shares.values(), key=lambda each: each.made_at)

    def remove(self, share_id: str) -> Share:
        """Take a link back. Raises UsageError for an unknown one."""
        self._refresh()
        found = self._shares.get(share_id)
        if found is None:
            remedy = "See them with: snowmelt link --list"
            raise UsageError(share_id[:80], "there is no such link", remedy)
        self._write([each for each in self.all() if each.id != share_id])
        return found

    def find(self, token: str) -> Share | None:
        """Return what a token shows; None of one that is forged, over, taken back."""
        parts = _TOKEN.fullmatch(token)
        if parts is None or not hmac.compare_digest(parts[2], self._sign(parts[1])):
            return None
        self._refresh()
        found = self._shares.get(parts[1])
        return found if found is not None and self._is_live(found) else None

    def _is_live(self, share: Share) -> bool:
        return self._clock.now() < datetime.fromisoformat(share.until)

    def _sign(self, share_id: str) -> str:
        key = read_key(self._key_path)
        return hmac.new(key, f"embed:{share_id}".encode(), hashlib.sha256).hexdigest()

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._shares, self._read_as = {}, None
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._read_as:
            return
        try:
            entries = json.loads(self._path.read_text())["shares"]
            shares = [
                Share(**(each | {"origins": tuple(each["origins"])}))
                for each in entries
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                str(self._path),
                f"it cannot be read: {error}",
                "Remove it, and make the links anew: snowmelt link --dashboard NAME",
            ) from None
        self._shares, self._read_as = {share.id: share for share in shares}, stamp

    def _write(self, shares: Sequence[Share]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = {"version": 1, "shares": [asdict(share) for share in shares]}
        write_private(self._path, json.dumps(content, indent=2).encode())
        self._refresh()


def read_origin(text: str) -> str:
    """Return a site as a policy names it: https://intranet.example.

    Raises UsageError for what is none: it becomes a part of a header.
    """
    try:
        parts = urlsplit(text.strip().rstrip("/"))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(host)
        or not is_bare
    ):
        raise UsageError(
            text[:80], "this is no site", "Write it as https://intranet.example"
        )
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
