"""The SHA-256 of a file, taken while its records are counted."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

LARGE_BYTES = 1 << 24
_BLOCK_BYTES = 1 << 22
_BLOCKS_AHEAD_MAX = 4


class Digest:
    """Hashes chunks; those of a large file in a thread of its own, in order.

    Hashing lets go of the interpreter, so that it costs no time beside counting; by
    blocks, since each time it has to ask for the interpreter back.
    """

    def __init__(self, size: int) -> None:
        self._sha = hashlib.sha256()
        self._pool = ThreadPoolExecutor(max_workers=1) if size > LARGE_BYTES else None
        self._block: list[bytes] = []
        self._block_bytes = 0
        self._waiting: deque[Future[None]] = deque()

    def update(self, chunk: bytes) -> None:
        """Take the next chunk; wait if too much is not hashed yet."""
        if self._pool is None:
            self._sha.update(chunk)
            return
        self._block.append(chunk)
        self._block_bytes += len(chunk)
        if self._block_bytes >= _BLOCK_BYTES:
            self._waiting.append(self._pool.submit(self._hash, self._block))
            self._block, self._block_bytes = [], 0
        if len(self._waiting) > _BLOCKS_AHEAD_MAX:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """Return the digest of all that was taken."""
        self.close()
        self._hash(self._block)
        return self._sha.hexdigest()

    def _hash(self, block: list[bytes]) -> None:
        self._sha.update(b"".join(block))

    def close(self) -> None:
        """Let the thread end."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
