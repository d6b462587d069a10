"""The keys of `alerts:` in snowmelt.yml."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from snowmelt.landing.config import Duration, duration_field
from snowmelt.observe.alerts.quiet import QuietHours
from snowmelt.observe.alerts.rules import Escalation, Rule
from snowmelt.observe.alerts.sinks.apprise import Apprise
from snowmelt.observe.alerts.sinks.email import Email
from snowmelt.observe.alerts.sinks.sending import SinkConfig
from snowmelt.observe.alerts.sinks.shell import Shell
from snowmelt.observe.alerts.sinks.slack import Slack
from snowmelt.observe.alerts.sinks.sns import Sns
from snowmelt.observe.alerts.sinks.webhook import Webhook
from snowmelt.pipe.definition import Name

KINDS = ("webhook", "slack", "email", "sns", "shell", "apprise")
DEFAULT_RULES = {
    on: Rule(on=on)
    for on in (
        *("late", "failed", "rejected", "held", "offset_stuck", "audit_failed"),
        *("task_suspended", "task_failed", "anomaly", "disk_low", "publish_failing"),
    )
}
"""What `snowmelt alerts` looks for in a project without rules."""


class Sink(BaseModel):
    """Where messages go: one of six ways."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook: Webhook | None = Field(None, description="JSON, posted to a URL.")
    slack: Slack | None = Field(None, description="An incoming webhook of Slack.")
    email: Email | None = Field(None, description="A mail.")
    sns: Sns | None = Field(None, description="A topic of Amazon SNS; extra `s3`.")
    shell: SecretStr | None = Field(
        None, description="A command that gets the message as JSON on its stdin."
    )
    apprise: SecretStr | None = Field(
        None, description="A URL of Apprise, such as `ntfy://…`; extra `alerts`."
    )
    time_limit: Duration = duration_field(
        "10s", "How long sending one message may take."
    )
    values: Literal["shown", "hidden"] = Field(
        "shown", description="May messages show values of the data?"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Sink:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"write one of {', '.join(KINDS)}")
        if not timedelta(0) < self.time_limit <= timedelta(minutes=5):
            raise ValueError("'time_limit' is between 0s and 5m")
        return self

    @property
    def kind(self) -> str:
        """Which of the six ways it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def sends(self) -> SinkConfig:
        """What sends a message this way."""
        if self.shell is not None:
            return Shell(command=self.shell.get_secret_value())
        if self.apprise is not None:
            return Apprise(url=self.apprise)
        way: SinkConfig = getattr(self, self.kind)
        return way


class AlertsConfig(BaseModel):
    """Who hears of what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sinks: dict[Name, Sink] = Field(
        default_factory=dict, description="Where messages go, by name."
    )
    rules: dict[Name, Rule] = Field(
        default_factory=dict, description="What is looked for, by name."
    )
    quiet_hours: QuietHours | None = Field(
        None, description="When messages are held back until later."
    )
    escalate: Escalation | None = Field(
        None, description="Who else hears of what stays open."
    )
    repeat_after: Duration = duration_field(
        "5m", "How soon after it was resolved a cause that is back is told of again."
    )
    give_up_after: Duration = duration_field(
        "24h", "How long it is tried to deliver a message."
    )
    retry_first: Duration = duration_field(
        "10s", "How long after the first failed try the next is; then twice as long."
    )
    retry_max: Duration = duration_field("15m", "How long is between tries at most.")
    causes_max: int = Field(
        20, ge=1, le=1000, description="Alerts of one rule at a time; then one of all."
    )
    query_limit: Duration = duration_field(
        "30s", "How long a query of a rule may take; then nothing is known of it."
    )
    run_wait: Duration = duration_field(
        "30s", "How long `snowmelt run` waits for messages to be delivered."
    )
    keep: Duration = duration_field("90d", "How long resolved alerts are kept.")

    @field_validator("retry_first", "retry_max", "query_limit")
    @classmethod
    def _is_some_time(cls, given: timedelta) -> timedelta:
        if given <= timedelta(0):
            raise ValueError("longer than 0s")
        return given

    @model_validator(mode="after")
    def _names_its_sinks(self) -> AlertsConfig:
        errors = [
            InitErrorDetails(type=_no_sink(name, self.sinks), loc=where, input=name)
            for where, name in self._named()
            if name not in self.sinks
        ]
        if errors:
            raise ValidationError.from_exception_data("alerts", errors)
        return self

    def _named(self) -> Iterator[tuple[tuple[int | str, ...], str]]:
        """Yield every sink that is named, and where."""
        for rule_name, rule in self.rules.items():
            for index, name in enumerate(rule.to or ()):
                yield ("rules", rule_name, "to", index), name
            if rule.escalate is not None:
                for index, name in enumerate(rule.escalate.to):
                    yield ("rules", rule_name, "escalate", "to", index), name
        if self.escalate is not None:
            for index, name in enumerate(self.escalate.to):
                yield ("escalate", "to", index), name

    def told_by(self, rule: Rule) -> tuple[str, ...]:
        """Return the sinks that hear of a rule's alerts."""
        return tuple(self.sinks) if rule.to is None else tuple(dict.fromkeys(rule.to))


def _no_sink(name: str, sinks: dict[str, Any]) -> PydanticCustomError:
    known = ", ".join(sinks) or "none"
    return PydanticCustomError(
        "no_sink", "there is no sink of this name; known: {known}", {"known": known}
    )
