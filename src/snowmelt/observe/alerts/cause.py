"""What a rule found: that something is wrong, since when, and what shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

VALUE_CHARS_MAX = 200
EVIDENCE_MAX = 5
_QUOTED = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True)
class Evidence:
    """One place that shows what is wrong.

    `where`: FILE:LINE, or the name of a test. `reason` may have values in quotes, and
    `value` and `row` are nothing else: a sink with `values: hidden` shows neither.
    """

    where: str
    reason: str
    column: str | None = None
    value: str | None = None
    row: Mapping[str, Any] | None = None

    def line(self) -> str:
        """Return it as one line."""
        parts = (self.where, self.column, self.reason)
        told = ": ".join(each for each in parts if each)
        if self.value is not None:
            told += f" | {self.value}"
        if self.row:
            told += " | " + ", ".join(f"{k}={v}" for k, v in self.row.items())
        return told.replace("\r", "").replace("\n", "⏎")

    def cut(self) -> Evidence:
        """Return it with values no longer than a message should have."""
        row = self.row
        return Evidence(
            self.where,
            _cut(self.reason),
            self.column,
            None if self.value is None else _cut(self.value),
            None if row is None else {key: _cut(str(row[key])) for key in row},
        )

    def hidden(self) -> Evidence:
        """Return it without any value of the data."""
        row = self.row
        return Evidence(
            self.where,
            _QUOTED.sub("'…'", self.reason),
            self.column,
            None if self.value is None else "…",
            None if row is None else dict.fromkeys(row, "…"),
        )


@dataclass(frozen=True)
class Cause:
    """Something that is wrong now. `key` tells it from others of the same rule.

    `since`: None where only the finding of it is known. `ended`: what is told when it
    is found no more. `about` leads to the evidence: a load's number, a run's id.
    """

    key: str
    summary: str
    since: datetime | None = None
    pipe: str | None = None
    command: str = ""
    ended: str = ""
    evidence: tuple[Evidence, ...] = ()
    about: Any = field(default=None, compare=False)


def count_rows(number: int) -> str:
    """Return a number of rows, in the singular where it is due."""
    return "1 row" if number == 1 else f"{number:,} rows"


def details_of(cause: Cause) -> dict[str, Any]:
    """Return what is kept of a cause beside its summary, as JSON holds it."""
    return {
        "since": cause.since.isoformat() if cause.since else None,
        "pipe": cause.pipe,
        "command": cause.command,
        "ended": cause.ended,
        "about": None if cause.about is None else str(cause.about),
        "evidence": [asdict(each.cut()) for each in cause.evidence[:EVIDENCE_MAX]],
    }


def read_evidence(details: Mapping[str, Any]) -> Sequence[Evidence]:
    """Return the evidence that `details_of` wrote."""
    return [Evidence(**each) for each in details.get("evidence", ())]


def _cut(text: str) -> str:
    text = text.replace("\0", "\\0")
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"
