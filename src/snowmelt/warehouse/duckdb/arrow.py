"""Results as a stream of Arrow's IPC format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


class _Chunk:
    """A file that gives back what was written into it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: Any) -> int:
        """Take bytes."""
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing is kept back."""

    def take(self) -> bytes:
        """Return what was written since."""
        content, self._parts = b"".join(self._parts), []
        return content


def arrow_chunks(cursor: duckdb.DuckDBPyConnection, size: int) -> Iterator[bytes]:
    """Yield a result, `size` rows at a time. pyarrow is imported when it is asked."""
    from pyarrow import ipc

    reader = cursor.fetch_record_batch(size)
    chunk = _Chunk()
    with ipc.new_stream(chunk, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            yield chunk.take()
    yield chunk.take()
