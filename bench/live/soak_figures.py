"""What a soak must keep to: nothing that grows with time, from one part to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.live.figures import Target, percentile

MEMORY_RATIO, FILE_RATIO, LATENCY_RATIO = 1.1, 1.25, 1.2
HANDLES_MORE = 4
"""So many more threads or open files may there be: lanes begin when first used."""
LOADS_BYTES = 600
"""What load history may take for a file: it is kept for ever."""


@dataclass(frozen=True)
class Sample:
    """How things stood at a moment."""

    at: float
    rss_bytes: int
    file_bytes: int
    log_bytes: int
    handles: int
    threads: int
    loads: int


@dataclass(frozen=True)
class Landed:
    """A file: when it was renamed into place, and how long until rows and gold had it.

    `gold_seconds` is None of one that no run had to read.
    """

    at: float
    load_seconds: float
    gold_seconds: float | None = None


@dataclass
class Quarter:
    """What was seen in a quarter of the time."""

    samples: list[Sample] = field(default_factory=list)
    landed: list[Landed] = field(default_factory=list)

    @property
    def memory(self) -> float:
        return median(each.rss_bytes for each in self.samples)

    @property
    def file(self) -> int:
        return max(each.file_bytes + each.log_bytes for each in self.samples)

    @property
    def log(self) -> int:
        return max(each.log_bytes for each in self.samples)

    @property
    def handles(self) -> int:
        return max(each.handles for each in self.samples)

    @property
    def threads(self) -> int:
        return max(each.threads for each in self.samples)

    @property
    def loads(self) -> int:
        return max(each.loads for each in self.samples)

    def latency(self, percent: int, *, gold: bool = False) -> float:
        if gold:
            reached = [each.gold_seconds for each in self.landed]
            return percentile([each for each in reached if each is not None], percent)
        return percentile([each.load_seconds for each in self.landed], percent)


def quarters(samples: Sequence[Sample], landed: Sequence[Landed]) -> list[Quarter]:
    """Share out what was seen by four equal parts of the time."""
    first = samples[0].at
    part = (samples[-1].at - first) / 4 or 1.0
    found = [Quarter() for _ in range(4)]
    for sample in samples:
        found[_place(sample.at, first, part)].samples.append(sample)
    for each in landed:
        found[_place(each.at, first, part)].landed.append(each)
    return found


def _place(at: float, first: float, part: float) -> int:
    return min(max(int((at - first) / part), 0), 3)


def judge(parts: Sequence[Quarter], *, is_judged: bool = True) -> list[Target]:
    """Compare the last quarter with the second one; in the first it warms up."""
    _, second, _, last = parts
    history = max(last.loads - second.loads, 0) * LOADS_BYTES
    found = [
        ("memory, last quarter / second", last.memory / second.memory, MEMORY_RATIO),
        (
            "file and log without load history, last quarter / second",
            (last.file - history) / second.file,
            FILE_RATIO,
        ),
        (
            "open files more than in the second quarter",
            last.handles - second.handles,
            HANDLES_MORE,
        ),
        (
            "threads more than in the second quarter",
            last.threads - second.threads,
            HANDLES_MORE,
        ),
    ]
    if second.landed and last.landed:
        ratio = last.latency(50) / second.latency(50)
        found.append(("median latency, last / second", ratio, LATENCY_RATIO))
    return [Target(what, value, bound, "", is_judged) for what, value, bound in found]


def table(parts: Sequence[Quarter]) -> list[str]:
    """Return the figures of each quarter."""
    heads = (
        *("quarter", "RSS MB", "file MB", "log MB", "files", "threads", "loads"),
        *("load p50 s", "p95", "p99", "max", "gold p50 s", "p95"),
    )
    lines = ["".join(f"{head:>11}" for head in heads)]
    for number, part in enumerate(parts, start=1):
        cells = [
            str(number),
            f"{part.memory / 1e6:.0f}",
            f"{part.file / 1e6:.1f}",
            f"{part.log / 1e6:.1f}",
            str(part.handles),
            str(part.threads),
            str(part.loads),
            *(f"{part.latency(each):.3f}" for each in (50, 95, 99, 100)),
            *(f"{part.latency(each, gold=True):.2f}" for each in (50, 95)),
        ]
        lines.append("".join(f"{cell:>11}" for cell in cells))
    return lines
