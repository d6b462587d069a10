"""Unix sockets in folders of any depth: their paths may be 100 bytes at most."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH_BYTES_MAX = 100


@contextmanager
def reachable(socket: Path) -> Iterator[str]:
    """Yield a path to the socket that is short enough for the kernel.

    A long one is reached through a link to its folder, which lasts for the block.
    """
    if len(os.fsencode(socket)) <= _PATH_BYTES_MAX:
        yield str(socket)
        return
    with tempfile.TemporaryDirectory(prefix="snowmelt-") as folder:
        link = Path(folder) / "s"
        link.symlink_to(socket.parent, target_is_directory=True)
        yield str(link / socket.name)
