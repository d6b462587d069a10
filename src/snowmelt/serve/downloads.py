"""Tables of gold as files: streamed from one snapshot, which says which run it is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.cells import write_csv
from snowmelt.serve.guard import identity_of, refusal

AT_ONCE_MAX = 4
SECONDS_MAX = 600.0
KINDS = {
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
}


@dataclass(frozen=True)
class Reading:
    """A table that is open: rows as JSON holds their values, some at a time."""

    run_id: str
    columns: list[str]
    rows: Iterator[list[list[Any]]]
    arrow: Iterator[bytes]


class Tables(Protocol):
    """Where tables are read from."""

    def reading(
        self, name: str, *, as_arrow: bool, plain: bool
    ) -> AbstractContextManager[Reading]:
        """Open a table of gold; not `plain`, what is about persons is masked.

        Raises UsageError for anything else.
        """
        ...


class Downloads:
    """Answers `/api/v1/tables/NAME.FORMAT`; a few at once, none for ever."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._places = threading.Semaphore(AT_ONCE_MAX)

    async def answer(self, request: Request) -> Response:
        """Answer with the table, from its first row to its last."""
        name, _, file_format = request.path_params["file"].rpartition(".")
        if file_format not in KINDS:
            return refusal(404, "there is no such file", "NAME.csv, .json or .arrow")
        if not self._places.acquire(blocking=False):
            return refusal(503, f"{AT_ONCE_MAX} downloads are under way", "Try later.")
        stack = ExitStack()
        stack.callback(self._places.release)
        try:
            opening = self._tables.reading(
                name,
                as_arrow=file_format == "arrow",
                plain=identity_of(request).sees_plain,
            )
            reading = await run_in_threadpool(stack.enter_context, opening)
        except UsageError as error:
            stack.close()
            status = 501 if error.where == "arrow" else 404
            return refusal(status, str(error))
        except BaseException:
            stack.close()
            raise
        return _Download(
            _chunks(reading, file_format), stack, name, file_format, reading
        )


def _chunks(reading: Reading, file_format: str) -> Iterator[bytes]:
    if file_format == "arrow":
        yield from reading.arrow
    elif file_format == "csv":
        yield "".join(write_csv([reading.columns])).encode()
        for rows in reading.rows:
            yield "".join(write_csv(rows)).encode()
    else:
        yield from _json(reading)


def _json(reading: Reading) -> Iterator[bytes]:
    """Yield an array of objects, one a line."""
    before = "[\n"
    for rows in reading.rows:
        lines = [
            json.dumps(dict(zip(reading.columns, row, strict=True)), ensure_ascii=False)
            for row in rows
        ]
        if lines:
            yield (before + ",\n".join(lines)).encode()
            before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


class _Download(StreamingResponse):
    """Streams, and lets go of the snapshot however it ends."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        stack: ExitStack,
        name: str,
        file_format: str,
        reading: Reading,
    ) -> None:
        self._stack = stack
        plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
        headers = {
            "Content-Disposition": f'attachment; filename="{plain}.{file_format}"',
            "X-Snowmelt-Run": reading.run_id,
        }
        super().__init__(chunks, headers=headers, media_type=KINDS[file_format])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._stack.close)


def told_of(error: SnowmeltError) -> int:
    """Return the status that says what an error is about."""
    return 503 if error.exit_code == 4 else 422
