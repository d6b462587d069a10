"""The environment of the peers, made when it is first wanted."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from bench.inputs import MADE

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PLACE = MADE / "peers"


class NotInstalledError(Exception):
    """The peers cannot be installed here; the message is the installer's last line."""


def ensure_environment() -> Path:
    """Return the Python of the peers' environment, made if it is not there.

    Raises NotInstalledError.
    """
    python = PLACE / "bin" / "python"
    ready = PLACE / f".ready-{_version()}"
    if not ready.exists():
        print(f"making {PLACE}", file=sys.stderr)
        uv = str(Path(sys.executable).with_name("uv"))
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PLACE))
        _run(
            uv, "pip", "install", "--quiet", "--python", str(python),
            "--requirement", str(REQUIREMENTS),
        )  # fmt: skip
        ready.touch()
    return python


def _version() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:8]


def _run(*command: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotInstalledError(str(error)) from None
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or ["no reason was given"]
        raise NotInstalledError(lines[-1].strip())
