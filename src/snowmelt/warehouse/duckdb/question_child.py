"""One query in a process of its own, which is thrown away with it.

It has a copy of what is published, opened for reading, and nothing else: no
environment, no network, no disk to write to, a limit of memory and of processor time
that the kernel holds, and whoever started it kills it when its time is over. It is
asked by one line of JSON and answers in lines of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import Any

ROWS_A_LINE = 200
_NEW_NETWORK, _NEW_USER = 0x40000000, 0x10000000
_BESIDES_ENGINE = 1 << 30
"""Address space of the interpreter, its threads and the engine's code."""
_FILES_MAX = 64
_ANSWERS = 1
"""The pipe to whoever asks."""


def main() -> None:
    """Answer one question."""
    request = json.loads(sys.stdin.readline())
    _give_up_rights(request)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _answer(request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        kind = "memory" if _is_of_memory(error) else "engine"
        _say({"error": str(error).strip(), "kind": kind})
    os._exit(0)  # what the engine still holds is the kernel's to free


def _give_up_rights(request: dict[str, Any]) -> None:
    """Let the kernel hold the limits; none of them can be raised again."""
    seconds = int(request["seconds"]) + 2
    memory = int(request["memory_bytes"])
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _FILES_MAX,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: int(request["file_bytes"]),
        resource.RLIMIT_AS: memory + _BESIDES_ENGINE,
    }
    for limit, value in limits.items():
        with suppress(ValueError, OSError):  # macOS has no limit of address space
            resource.setrlimit(limit, (value, value))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NETWORK)  # where the kernel lets us
    os.nice(10)


def _end_with_parent() -> None:
    """End when nobody waits for the answer any more."""
    sys.stdin.read()
    os._exit(9)


def _answer(request: dict[str, Any]) -> None:
    import duckdb

    from snowmelt.warehouse.plain import plain

    target = request["target"]
    allowed = [os.path.dirname(target)] if target else []  # noqa: PTH120
    connection = duckdb.connect(
        request["database"],
        read_only=True,
        config={
            "threads": 1,
            "memory_limit": f"{int(request['memory_bytes'])}B",
            "max_temp_directory_size": "0B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    for setting in (
        "set timezone = 'UTC'",
        "set python_enable_replacements = false",
        "set temp_directory = ''",
        f"set allowed_directories = {json.dumps(allowed)}".replace('"', "'"),
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(setting)
    cursor = connection.execute(request["sql"])
    if target:
        _say({"written": True})
        return
    described = cursor.description or []
    columns = [column[0] for column in described]
    _say({"columns": columns, "types": [str(column[1]) for column in described]})
    left = int(request["rows_max"])
    for rows in iter(partial(cursor.fetchmany, ROWS_A_LINE), []):
        _say({"rows": [plain(row) for row in rows[:left]]})
        left -= len(rows)
        if left < 0:
            break
    _say({"more": left < 0})


def _is_of_memory(error: Exception) -> bool:
    name = type(error).__name__
    return isinstance(error, MemoryError) or name == "OutOfMemoryException"


def _say(document: dict[str, Any]) -> None:
    with open(_ANSWERS, "wb", closefd=False) as pipe:
        pipe.write(json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main()
