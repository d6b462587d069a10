"""A service of a test's own, which programs ask over HTTP with a token."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ports import free_port
from shop import SNOWMELT
from snowmelt.serve.tokens import Tokens
from snowmelt.serve.users import Role

_NEVER = threading.Event()
MADE_AT = "2026-01-01T00:00:00+00:00"
START_SECONDS = 60.0


def until(happens: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait until something is true, and return it."""
    waited = 0.0
    while not (found := happens()):
        assert waited < seconds, what
        _NEVER.wait(0.05)
        waited += 0.05
    return found


@dataclass(frozen=True)
class Serving:
    """A service that runs: where it is, and what opens it."""

    root: Path
    url: str
    operator: str
    viewer: str
    process: subprocess.Popen[bytes]

    def client(self, token: str | None = None) -> httpx.Client:
        """Return a client of an operator, or of whoever has a token."""
        headers = {"Authorization": f"Bearer {token or self.operator}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def kill(self) -> None:
        """End it as a machine would that loses its power."""
        self.process.kill()
        self.process.wait(30)


def make_tokens(root: Path) -> tuple[str, str]:
    """Make a token of an operator and one of a viewer, anew."""
    (root / ".snowmelt" / "tokens.json").unlink(missing_ok=True)
    tokens = Tokens(root / ".snowmelt" / "tokens.json")
    made = [
        tokens.add(f"for-{role.value}", role, MADE_AT)
        for role in (Role.OPERATOR, Role.VIEWER)
    ]
    return made[0], made[1]


@contextmanager
def serving(
    root: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Serving]:
    """Run the service of a project until the block ends; it may be killed before."""
    operator, viewer = make_tokens(root)
    url = f"http://127.0.0.1:{write_port(root)}"
    log = (root / "service.log").open("ab")
    process = subprocess.Popen(
        [SNOWMELT, "up"],
        cwd=root,
        env={**os.environ, **(environment or {})},
        stdout=log,
        stderr=log,
    )
    try:
        until(lambda: _answers(url, process, root), "no service", START_SECONDS)
        yield Serving(root, url, operator, viewer, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        log.close()


def write_port(root: Path) -> int:
    """Give a project's pages a port that is free, and let proxies lead to them."""
    settings, port = root / "snowmelt.yml", free_port()
    kept = [
        line
        for line in settings.read_text().splitlines()
        if not line.startswith("serve:")
    ]
    settings.write_text(
        "\n".join([*kept, f"serve: {{port: {port}, names: [127.0.0.1]}}", ""])
    )
    return port


def _answers(url: str, process: subprocess.Popen[bytes], root: Path) -> bool:
    assert process.poll() is None, (root / "service.log").read_text()[-2000:]
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
