"""docs/how-to/go-to-snowflake.md as it is written: its commands, and what they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "go-to-snowflake.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DIGEST = re.compile(r"\b[0-9a-f]{12}\b")
_TIME = re.compile(r"\d+\.\d+ s\b|\d{8}T\d{6}")
LEFT_OUT = "…"


@dataclass
class Command:
    """A command of the page, and what is shown of its answer."""

    words: list[str]
    shown: list[str] = field(default_factory=list)

    def with_digest(self, digest: str) -> list[str]:
        """Return its words; the page's digest of a plan is this one."""
        return [_DIGEST.sub(digest, word) for word in self.words]

    def require_shown(self, answer: Sequence[str]) -> None:
        """What the page shows is in the answer, in its order; … is any lines."""
        told = iter([_plain(line) for line in answer])
        for line in self.shown:
            if line and line != LEFT_OUT:
                assert _plain(line) in told, (self.words, line, list(answer))


def blocks(language: str) -> list[str]:
    """Return the page's blocks of a language."""
    text = PAGE.read_text()
    return [block for kind, block in _BLOCK.findall(text) if kind == language]


def commands() -> list[Command]:
    """Return the commands of the page, in its order."""
    found: list[Command] = []
    for block in blocks("console"):
        if not block.startswith("$ "):
            continue  # what is said, and not how it came to that
        for line in block.splitlines():
            if line.startswith("$ "):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                found.append(Command(words))
            else:
                found[-1].shown.append(line)
    return found


def _plain(line: str) -> str:
    """What is the same each time: digests and times are not, nor widths of columns."""
    told = _TIME.sub("TIME", _DIGEST.sub("DIGEST", line))
    return " ".join(told.split())
