"""The keys of a rule: what it looks for, who hears of it, and when."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from snowmelt.landing.config import Duration, duration_field, parse_duration
from snowmelt.observe.alerts.severity import Severity

BuiltIn = Literal[
    "late",
    "missing_file",
    "failed",
    "rejected",
    "held",
    "offset_stuck",
    "audit_failed",
    "task_suspended",
    "task_failed",
    "anomaly",
    "disk_low",
    "spilled",
    "publish_failing",
]
BUILT_IN: tuple[str, ...] = get_args(BuiltIn)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(%|[kKMGT]?B)?")
_UNITS = {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
_OF_PIPES = frozenset(
    {"late", "missing_file", "failed", "rejected", "held", "anomaly", "spilled"}
)
_ONLY: dict[str, frozenset[str]] = {
    "more_than": frozenset({"rejected", "held"}),
    "less_than": frozenset({"disk_low"}),
    "longer_than": frozenset({"offset_stuck", "held", "publish_failing"}),
    "within": frozenset({"failed", "rejected", "anomaly", "spilled"}),
    "pipe": _OF_PIPES,
}
"""Which kinds of rule a key means something to."""


class Escalation(BaseModel):
    """Who else hears of an alert that stays open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Duration = Field(description="How long after it was opened.")
    to: list[str] = Field(min_length=1, description="The sinks that hear of it then.")


class Rule(BaseModel):
    """Something that may be wrong, and who hears of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: BuiltIn | None = Field(None, description="What is looked for.")
    sql: str | None = Field(
        None,
        min_length=1,
        description="Or a query over models and history: each row it returns is a "
        "cause, told apart by a column `cause`; `message` and `since` may stand beside "
        "it. Without `cause` all rows are one.",
    )
    to: list[str] | None = Field(
        None, description="The sinks that hear of it; all without it."
    )
    severity: Severity = Field(
        Severity.WARNING, description="`info`, `warning` or `critical`."
    )
    pipe: str | None = Field(None, description="Only this pipe.")
    more_than: str | None = Field(
        None,
        description="For `rejected`: so many records of a file, or a percent of them "
        "such as `5%`; for `held`: so many files. Any without it.",
    )
    less_than: str | None = Field(
        None,
        description="For `disk_low`: free space such as `5GB`, or a percent; `5%` "
        "without it.",
    )
    longer_than: Duration | None = Field(
        None,
        description="For `offset_stuck` (15m without it), `publish_failing` (5m) and "
        "`held`: how long it may.",
    )
    within: Duration | None = Field(
        None,
        description="How old a load may be when it is found: 7d for `failed` and "
        "`rejected`. How long after it `anomaly` and `spilled` stay open: 1h.",
    )
    every: Duration = duration_field(
        "1m",
        "How often it is looked for; what is told by events is looked for at once.",
    )
    after: Duration = duration_field(
        "0s", "How long a cause must be there before it is an alert."
    )
    resolve_after: Duration = duration_field(
        "0s", "How long a cause must be gone before its alert is resolved."
    )
    repeat_after: Duration | None = Field(
        None, description="Instead of `alerts.repeat_after`."
    )
    escalate: Escalation | None = Field(
        None, description="Instead of `alerts.escalate`."
    )

    @model_validator(mode="before")
    @classmethod
    def _takes_on(cls, given: Any) -> Any:
        """Read the key `on` as it is written: YAML 1.1 takes it for `true`."""
        if isinstance(given, dict) and True in given and "on" not in given:
            return {"on" if key is True else key: given[key] for key in given}
        return given

    @field_validator("on", mode="before")
    @classmethod
    def _is_known(cls, given: Any) -> Any:
        if given is not None and given not in BUILT_IN:
            raise ValueError(f"there is no such rule; known: {', '.join(BUILT_IN)}")
        return given

    @field_validator("more_than", "less_than", mode="before")
    @classmethod
    def _is_an_amount(cls, given: Any) -> Any:
        if given is None:
            return None
        text = str(given)
        if not _AMOUNT.fullmatch(text):
            raise ValueError("write a number, a percent such as 5%, or a size: 5GB")
        return text

    @field_validator("every")
    @classmethod
    def _is_not_too_often(cls, given: timedelta) -> timedelta:
        if given < timedelta(seconds=1):
            raise ValueError("no more often than every 1s")
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Rule:
        if (self.on is None) == (self.sql is None):
            raise ValueError("write one of on and sql")
        for key, kinds in _ONLY.items():
            if getattr(self, key) is not None and self.on not in kinds:
                known = ", ".join(sorted(kinds))
                raise ValueError(f"'{key}' is for rules on {known}")
        if self.more_than and self.more_than[-1] not in "%0123456789":
            raise ValueError("'more_than' is a number, or a percent such as 5%")
        if self.on == "held" and "%" in (self.more_than or ""):
            raise ValueError("'more_than' is a number of files for held")
        return self

    @property
    def looks_back(self) -> timedelta:
        """How old a load may be, or how long after it there is a cause."""
        lasting = self.on in ("anomaly", "spilled")
        return self.within or parse_duration("1h" if lasting else "7d")


def exceeds(more_than: str | None, count: int, of: int) -> bool:
    """Are so many of all more than the rule allows?"""
    limit, unit = read_amount(more_than or "0")
    return count * 100 > limit * of if unit == "%" else count > limit


def read_amount(text: str) -> tuple[float, str]:
    """Return an amount and its unit, `%` or none; sizes are in bytes."""
    match = _AMOUNT.fullmatch(text)
    assert match is not None, text
    number, unit = float(match[1]), match[2] or ""
    return (number, unit) if unit in ("", "%") else (number * _UNITS[unit], "")
