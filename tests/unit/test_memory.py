"""A share of memory is of what this process may have: the machine's or a cgroup's."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.warehouse.memory import machine_memory, memory_bytes

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "machine", "expected"),
    [
        ("6GB", 4 * GB, 6 * GB),
        ("1.5 MiB", GB, 1_572_864),
        ("25%", 16 * GB, 4 * GB),
        ("12.5 %", 16 * GB, 2 * GB),
        ("100%", 16 * GB, 16 * GB),
        ("25%", 4 * GB, 1_200_000_000),
        ("25%", 2 * GB, GB),
    ],
)
def test_sizes_and_shares(text: str, machine: int, expected: int) -> None:
    assert memory_bytes(text, machine) == expected


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/shop/loads",
            "sys/fs/cgroup/shop/loads/memory.max": "max",
            "sys/fs/cgroup/shop/memory.max": "50000000",
        },
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": "50000000",
        },
        {
            "proc/self/cgroup": "12:cpu,cpuacct:/x\n4:memory:/docker/0a1b\n1:name=s:/x",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "50000000",
        },
        {
            "proc/self/cgroup": "4:memory:/docker/0a1b\n0::/docker/0a1b",
            "sys/fs/cgroup/memory/docker/0a1b/memory.limit_in_bytes": "50000000",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        },
    ],
    ids=["v2", "v2 in a container", "v1 in a container", "v1"],
)
def test_a_container_has_what_its_cgroup_allows(
    tmp_path: Path, files: dict[str, str]
) -> None:
    there = machine_memory(tmp_path)
    assert there > 50_000_000, "the machine's, where nothing is said of cgroups"
    write(tmp_path, files)
    assert machine_memory(tmp_path) == 50_000_000
    write(tmp_path, dict.fromkeys(list(files)[1:], "max"))
    assert machine_memory(tmp_path) == there
