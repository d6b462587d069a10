"""A message through Apprise, which knows more than a hundred services."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from snowmelt.observe.alerts.message import Kind, Message
from snowmelt.observe.alerts.severity import Severity
from snowmelt.observe.alerts.sinks.sending import SendError

_KINDS = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}


class Apprise(BaseModel):
    """One URL of Apprise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(description="As Apprise writes it; it is never shown.")

    def send(self, message: Message, seconds_max: float) -> None:
        """Notify; Apprise itself says only whether it could."""
        try:
            import apprise
        except ImportError:
            raise SendError(
                "Apprise is not installed: pip install 'snowmelt[alerts]'"
            ) from None
        notifier = apprise.Apprise()
        if not notifier.add(self.url.get_secret_value()):
            raise SendError("Apprise does not know such a URL")
        for service in notifier:
            service.socket_connect_timeout = seconds_max
            service.socket_read_timeout = seconds_max
        resolved = message.kind is Kind.RESOLVED
        notified = notifier.notify(
            title=message.subject,
            body=message.text,
            notify_type="success" if resolved else _KINDS[message.severity],
        )
        if not notified:
            raise SendError("Apprise could not deliver it")
