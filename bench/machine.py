"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Machine:
    """The machine, the versions, and the state of the tree."""

    commit: str
    cpu: str
    cores: int
    memory_bytes: int
    load_average: float
    system: str
    python: str
    duckdb: str

    @property
    def text(self) -> str:
        return (
            f"commit {self.commit}; {self.cpu}, {self.cores} cores, "
            f"{self.memory_bytes / 2**30:.0f} GiB, {self.system}; "
            f"Python {self.python}, DuckDB {self.duckdb}; "
            f"load average before: {self.load_average:.2f}"
        )


def describe_machine() -> Machine:
    """Describe this machine, as it is before anything is measured."""
    return Machine(
        commit=_commit(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load_average=os.getloadavg()[0],
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        duckdb=version("duckdb"),
    )


def _commit() -> str:
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    return f"{head} with changes" if _git("status", "--porcelain") else head


def _git(*arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()
