"""How much memory the engine may use: a size, or a share of what the machine has."""

from __future__ import annotations

import os
import re
from pathlib import Path

DEFAULT = "25%"
"""Of a laptop with a browser beside it. The process itself, dbt in it, and a trial
reader with as much for itself come on top."""

FLOOR_BYTES = 1_200_000_000

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?B)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_UNITS = {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", 1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}


def memory_bytes(text: str, machine_bytes: int) -> int:
    """Read `6GB`, `512MiB` or `40%` of the machine.

    A percent comes to no less than 1200MB, as long as that is half of the machine's
    memory at most.

    Raises ValueError that says how it is written.
    """
    if size := _SIZE.fullmatch(text):
        found = int(float(size[1]) * _UNITS[size[2]])
        if found:
            return found
    percent = _PERCENT.fullmatch(text)
    if percent and 0 < float(percent[1]) <= 100:
        share = int(machine_bytes * float(percent[1]) / 100)
        return max(share, min(FLOOR_BYTES, machine_bytes // 2))
    raise ValueError(
        "write a size, such as 800MB or 6GB, or a share of this machine's memory, "
        "such as 40%"
    )


def machine_memory(root: Path = Path("/")) -> int:
    """Return the bytes of memory that this process may have of this machine.

    What a container's cgroup allows, of version 2 or 1, if that is less than there is.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_cgroup_limits(root)])


def _cgroup_limits(root: Path) -> list[int]:
    """Return the limits of this process's cgroup and of all above it.

    Inside a container the path may be the host's; its own limit is then at the top.
    """
    mounted, limits = root / "sys/fs/cgroup", []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, name = mounted, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = mounted / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(top):
                limits.append(_read(folder / name).strip())
    return [int(limit) for limit in limits if limit.isdecimal() and int(limit)]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
