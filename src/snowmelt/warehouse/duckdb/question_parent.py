"""Starting a child for one query, and ending it in time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import snowmelt

LINE_BYTES_MAX = 64 << 20
_GRACE_SECONDS = 3.0
_SOURCES = str(Path(snowmelt.__file__).resolve().parent.parent)
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from snowmelt.warehouse.duckdb.question_child import main; main()"
)


@dataclass(frozen=True)
class ChildQuestion:
    """What a child is asked. `target`: the file that its query writes, if any."""

    database: str
    sql: str
    rows_max: int
    seconds: float
    memory_bytes: int
    target: str = ""
    file_bytes: int = 0


class ChildError(Exception):
    """A child did not answer. `kind`: engine, memory, time, or killed."""

    def __init__(self, kind: str, problem: str) -> None:
        self.kind, self.problem = kind, problem
        super().__init__(kind, problem)


@contextmanager
def asking_child(question: ChildQuestion) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield what a child answers, line by line; it is gone when the block ends.

    Lines raise ChildError when it fails, or has not ended in its time.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _START, _SOURCES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(question.seconds + _GRACE_SECONDS, kill)
    timer.start()
    try:
        _send(process.stdin, question)
        yield _lines(process, process.stdout, late)
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def _send(stdin: IO[bytes], question: ChildQuestion) -> None:
    try:
        stdin.write(json.dumps(asdict(question)).encode() + b"\n")
        stdin.flush()
    except BrokenPipeError:
        return  # it ended: its answer says so


def _lines(
    process: subprocess.Popen[bytes], stdout: IO[bytes], late: threading.Event
) -> Iterator[dict[str, Any]]:
    while line := stdout.readline(LINE_BYTES_MAX):
        if not line.endswith(b"\n"):
            if len(line) == LINE_BYTES_MAX:
                raise ChildError("memory", "a part of the answer is too large")
            break  # it was killed at a word
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise ChildError(said["kind"], said["error"])
        yield said
        if "more" in said or "written" in said:
            return
    if late.is_set():
        raise ChildError("time", "its time was over")
    process.wait()
    raise ChildError("killed", f"the child ended with {process.returncode}")
