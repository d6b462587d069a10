"""dbt as a process of its own: what it says as it goes on, and how it ended.

A process, because the service's dbt is another one with another adapter, and one that
hangs can be ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Told = Callable[[str], None]
_IN_UTC = """
from snowmelt.snowflake import let_sessions_be_in_utc
let_sessions_be_in_utc()
from dbt.cli.main import cli
cli()
"""
OWN_DBT = (sys.executable, "-c", _IN_UTC)
_HEARD = ("LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult")
_LAST_WORDS = 20


@dataclass
class Ended:
    """How dbt ended; `results` is its run_results.json, if it came so far."""

    code: int
    results: dict[str, Any] | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    """What it said went wrong, where no node did."""


@dataclass(frozen=True)
class OutsideDbt:
    """Runs dbt with a folder's profile; `command` is what dbt is called by."""

    project_dir: Path
    folder: Path
    target: str
    command: Sequence[str] = OWN_DBT

    def run(self, words: Sequence[str], told: Told = lambda line: None) -> Ended:
        """Run dbt to its end; `told` hears of each model and test.

        Broken off by a signal, dbt is asked to end, and cancels what it sent.
        """
        results = self.folder / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        ended = Ended(0)
        with self._begun(words) as process:
            assert process.stdout is not None
            for line in process.stdout:
                _hear(line, ended, told)
            ended.code = process.wait()
        if results.exists():
            ended.results = json.loads(results.read_text())
            manifest = self.folder / "target" / "manifest.json"
            ended.manifest = json.loads(manifest.read_text())
        return ended

    @contextmanager
    def _begun(self, words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        environment = os.environ | {"DBT_LOG_PATH": str(self.folder / "logs")}
        process = subprocess.Popen(
            [*self.command, *self._options(), *words, *self._places()],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for the runner: what began may end
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _options(self) -> list[str]:
        return [
            *("--log-format", "json", "--log-level", "info"),
            *("--log-level-file", "none", "--no-use-colors"),
            "--no-send-anonymous-usage-stats",
        ]

    def _places(self) -> list[str]:
        return [
            *("--project-dir", str(self.project_dir)),
            *("--profiles-dir", str(self.folder), "--profile", "snowmelt"),
            *("--target", self.target, "--target-path", str(self.folder / "target")),
        ]


def _hear(line: str, ended: Ended, told: Told) -> None:
    """Take in one line that dbt said; what is no event of its log is an error."""
    try:
        info = json.loads(line)["info"]
        name, level, said = info["name"], info["level"], str(info["msg"]).strip()
    except (ValueError, KeyError, TypeError):
        name, level, said = "", "error", line.strip()
    if name in _HEARD:
        told(said)
    elif level == "error" and said:
        ended.errors.append(said)
        del ended.errors[:-_LAST_WORDS]
