"""Tasks that are programs: a process group of their own, its output, its end."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from snowmelt.clock import Clock
from snowmelt.service.tasks.work import (
    ERROR_CHARS_MAX,
    OUTPUT_BYTES_MAX,
    Done,
    Order,
    Stop,
    TaskError,
    checked_return,
)

GRACE_SECONDS = 2.0
"""How long a program has to end after it is asked, before it is killed."""
_RETURN = "snowmelt-return:"
_TOKEN = "SNOWMELT_TASK_RUN"
_CHILD = "snowmelt.service.tasks.python_child"


class Programs:
    """Runs the programs of one project.

    Each has a folder in `.snowmelt/tasks` while it runs: what it is told, and what it
    returns. What is there when a service starts was left by a process that was killed,
    and so may be its programs: `stop_left_over` ends them.
    """

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._folder = root / ".snowmelt" / "tasks"

    def shell(self, order: Order, stop: Stop) -> Done:
        """Run a line of the shell, or a program with its words."""
        assert order.task.shell is not None
        command = order.task.shell.command
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        return self._run(words, order, stop)

    def python(self, order: Order, stop: Stop) -> Done:
        """Call a function in a process of its own."""
        assert order.task.python is not None
        words = [sys.executable, "-m", _CHILD, order.task.python.function]
        return self._run(words, order, stop)

    def stop_left_over(self) -> list[int]:
        """Kill programs, and their children, that outlived the process that ran them.

        They are known by their environment, where there is /proc to read it.
        """
        left = {folder.name: folder for folder in self._folder.glob("*")}
        killed = []
        for process in Path("/proc").glob("[0-9]*") if left else ():
            if _mark_of(process) in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.append(int(process.name))
        for folder in left.values():
            shutil.rmtree(folder, ignore_errors=True)
        return killed

    def _run(self, words: Sequence[str], order: Order, stop: Stop) -> Done:
        with self._told(order) as (folder, environment):
            try:
                program = subprocess.Popen(
                    words,
                    cwd=self._root,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise TaskError(f"{words[0]}: {error.strerror}") from None
            stop.by(lambda: self._end(program))
            output = self._read(program, stop)
            code = program.wait()
            stop.over()
            value = _returned(folder, output)
        text = output.decode(errors="replace")
        if stop.asked.is_set():
            raise TaskError(_last_lines(text))
        if code:
            raise TaskError(f"{_ending(code)}: {_last_lines(text)}".rstrip(": "))
        return Done(checked_return(value), text or None)

    @contextmanager
    def _told(self, order: Order) -> Iterator[tuple[Path, dict[str, str]]]:
        """Yield a folder with what the program is told, and its environment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{order.name}-", dir=self._folder))
        try:
            (folder / "context.json").write_text(json.dumps(order.document))
            yield folder, os.environ | _environment(order, folder, self._root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _end(self, program: subprocess.Popen[bytes]) -> None:
        """Ask a program and its children to end; kill them if they do not."""
        _signal(program.pid, signal.SIGTERM)
        timer = threading.Timer(GRACE_SECONDS, _signal, (program.pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()

    def _read(self, program: subprocess.Popen[bytes], stop: Stop) -> bytes:
        """Read a program's output to its end; keep the last part of it.

        What it left running may hold the pipe open: then its own end is the end.
        """
        assert program.stdout is not None
        kept, pipe = b"", program.stdout
        os.set_blocking(pipe.fileno(), False)
        with pipe:
            while True:
                ended = program.poll() is not None
                chunk = _next(pipe, 0.0 if ended else 0.2)
                if chunk == b"" or (chunk is None and ended):
                    break
                kept = (kept + (chunk or b""))[-OUTPUT_BYTES_MAX:]
                if ended and stop.asked.is_set():
                    break
        if stop.asked.is_set():
            _signal(program.pid, signal.SIGKILL)
        return kept


def _next(pipe: IO[bytes], seconds: float) -> bytes | None:
    """Return what can be read; None if nothing can now, empty at the end."""
    if not select.select([pipe], [], [], seconds)[0]:
        return None
    try:
        return os.read(pipe.fileno(), 65_536)
    except BlockingIOError:
        return None


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _environment(order: Order, folder: Path, root: Path) -> Mapping[str, str]:
    return {
        "SNOWMELT_TASK": order.name,
        "SNOWMELT_CONFIG": json.dumps(order.config),
        "SNOWMELT_RUN_ID": order.group_id,
        "SNOWMELT_ATTEMPT": str(order.attempt),
        "SNOWMELT_SCHEDULED_TIME": order.scheduled_time.isoformat(),
        "SNOWMELT_CONTEXT": str(folder / "context.json"),
        "SNOWMELT_RETURN_FILE": str(folder / "return"),
        "SNOWMELT_PROJECT": str(root),
        _TOKEN: folder.name,
    }


def _mark_of(process: Path) -> str:
    """Return the mark that a program of ours has in its environment, if it has."""
    try:
        environment = (process / "environ").read_bytes()
    except OSError:
        return ""
    given = f"{_TOKEN}=".encode()
    for variable in environment.split(b"\0"):
        if variable.startswith(given):
            return variable.removeprefix(given).decode(errors="replace")
    return ""


def _returned(folder: Path, output: bytes) -> str | None:
    """Return what a program wrote into its file, or as its last line."""
    file = folder / "return"
    if file.is_file():
        return file.read_bytes()[: 1 << 20].decode(errors="replace")
    lines = output.decode(errors="replace").rstrip().splitlines()
    if lines and lines[-1].startswith(_RETURN):
        return lines[-1].removeprefix(_RETURN).strip()
    return None


def _ending(code: int) -> str:
    if code > 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"


def _last_lines(text: str) -> str:
    return text.strip()[-ERROR_CHARS_MAX:]
