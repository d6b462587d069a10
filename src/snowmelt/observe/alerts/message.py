"""What is told of an alert: the same facts, whichever sink they go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from snowmelt.observe.alerts.cause import Evidence, read_evidence
from snowmelt.observe.alerts.severity import Severity

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """What a message tells of an alert. TEST is of none."""

    OPENED = "opened"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    TEST = "test"


@dataclass(frozen=True)
class Message:
    """One message. `message_id` is the same at every try, for who wants it once.

    `answers` is the message that it follows, if any.
    """

    message_id: str
    alert_id: str
    kind: Kind
    project: str
    rule: str
    severity: Severity
    cause: str
    summary: str
    opened_at: datetime
    written_at: datetime
    resolved_at: datetime | None = None
    since: str | None = None
    pipe: str | None = None
    command: str = ""
    ended: str = ""
    seen: int = 1
    evidence: tuple[Evidence, ...] = ()
    answers: str | None = None

    @property
    def subject(self) -> str:
        """One line: project, what happened, what it is about."""
        summary = self.summary
        if self.kind is Kind.RESOLVED:
            summary = self.ended or summary
        words = {
            Kind.OPENED: self.severity.value,
            Kind.RESOLVED: "resolved",
            Kind.ESCALATED: f"still open, {self.severity.value}",
            Kind.TEST: "test",
        }
        return f"[{self.project}] {words[self.kind]}: {summary}"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known, as names and texts in the order to read them."""
        found = [
            ("Rule", f"{self.rule} ({self.severity})"),
            ("Pipe", self.pipe or ""),
            ("Since", instant(self.since)),
            ("Alert opened", instant(self.opened_at.isoformat())),
        ]
        if self.resolved_at is not None:
            lasted = duration((self.resolved_at - self.opened_at).total_seconds())
            at = instant(self.resolved_at.isoformat())
            found.append(("Resolved", f"{at}, after {lasted}"))
        found.append(("Alert", self.alert_id))
        return [(name, told) for name, told in found if told]

    @property
    def evidence_lines(self) -> list[str]:
        """What shows it, one place a line; of what is resolved nothing."""
        if self.kind is Kind.RESOLVED:
            return []
        return [each.line() for each in self.evidence]

    @property
    def text(self) -> str:
        """The message in plain text."""
        lines = [*self.opening, ""]
        lines += [f"{name}: {told}" for name, told in self.facts]
        if self.evidence_lines:
            lines += ["", *(f"  {line}" for line in self.evidence_lines)]
        if self.is_helped:
            lines += ["", f"What helps: {self.command}"]
        return "\n".join(lines) + "\n"

    @property
    def is_helped(self) -> bool:
        """Is there a command that helps?"""
        return bool(self.command) and self.kind is not Kind.RESOLVED

    @property
    def opening(self) -> list[str]:
        """What a message begins with: what is wrong, or how that ended."""
        if self.kind is not Kind.RESOLVED:
            return [self.summary]
        return [f"Resolved: {self.ended or 'it is gone'}.", f"It was: {self.summary}."]

    @property
    def document(self) -> dict[str, Any]:
        """The message for machines."""
        resolved_at = self.resolved_at
        return {
            "schema_version": SCHEMA_VERSION,
            "message_id": self.message_id,
            "alert_id": self.alert_id,
            "kind": self.kind.value,
            "project": self.project,
            "rule": self.rule,
            "severity": self.severity.value,
            "cause": self.cause,
            "summary": self.summary,
            "pipe": self.pipe,
            "since": self.since,
            "opened_at": self.opened_at.isoformat(),
            "resolved_at": resolved_at.isoformat() if resolved_at else None,
            "seen": self.seen,
            "ended": self.ended if self.kind is Kind.RESOLVED else None,
            "evidence": [asdict(each) for each in self.evidence],
            "command": self.command,
            "subject": self.subject,
            "text": self.text,
        }


@dataclass(frozen=True)
class Told:
    """An alert as it stands on record, of which a message is made."""

    alert_id: str
    rule: str
    cause: str
    severity: Severity
    summary: str
    opened_at: datetime
    resolved_at: datetime | None
    seen: int
    details: Mapping[str, Any]


def message_id(alert_id: str, kind: Kind) -> str:
    """Return what a receiver knows a message by."""
    return f"{alert_id}.{kind}"


def compose(
    told: Told, kind: Kind, project: str, written_at: datetime, *, hidden: bool
) -> Message:
    """Write a message about an alert; `hidden`: without values of the data."""
    evidence = read_evidence(told.details)
    first = message_id(told.alert_id, Kind.OPENED)
    return Message(
        message_id=message_id(told.alert_id, kind),
        alert_id=told.alert_id,
        kind=kind,
        project=project,
        rule=told.rule,
        severity=told.severity,
        cause=told.cause,
        summary=told.summary,
        opened_at=told.opened_at,
        written_at=written_at,
        resolved_at=told.resolved_at if kind is Kind.RESOLVED else None,
        since=told.details.get("since"),
        pipe=told.details.get("pipe"),
        command=told.details.get("command") or "",
        ended=told.details.get("ended") or "",
        seen=told.seen,
        evidence=tuple(each.hidden() if hidden else each for each in evidence),
        answers=None if kind is Kind.OPENED else first,
    )


def trial_message(project: str, sink: str, now: datetime) -> Message:
    """Write a message that says nothing but that messages arrive."""
    alert_id = f"test-{now:%Y%m%dT%H%M%S}"
    return Message(
        message_id=f"{alert_id}.{sink}",
        alert_id=alert_id,
        kind=Kind.TEST,
        project=project,
        rule="test",
        severity=Severity.INFO,
        cause="test",
        summary=f"this message came through sink {sink}",
        opened_at=now,
        written_at=now,
        command="snowmelt alerts",
    )


def instant(text: str | None) -> str:
    """Return an instant as people read it."""
    if not text:
        return ""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Return how long something lasted, in the unit that fits."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.0f} s"
