"""A message in the shape of Slack's incoming webhooks: a text, and blocks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.observe.alerts.message import Kind, Message
from snowmelt.observe.alerts.severity import Severity
from snowmelt.observe.alerts.sinks.webhook import Url, post

_HEADER_MAX = 150
_SECTION_MAX = 3000
_SIGNS = {Severity.INFO: "🔵", Severity.WARNING: "🟠", Severity.CRITICAL: "🔴"}
_REFUSES = {"<": "&lt;", ">": "&gt;"}


class Slack(BaseModel):
    """An incoming webhook of Slack, or of what understands the same (Mattermost)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="The incoming webhook's URL; it is never shown.")

    def send(self, message: Message, seconds_max: float) -> None:
        """Post the message as blocks, with its subject for notifications."""
        headers = {"X-Snowmelt-Message-Id": message.message_id}
        post(self.url, blocks_of(message), headers, seconds_max)


def blocks_of(message: Message) -> dict[str, Any]:
    """Return the body: what it is, what is known, and what to do."""
    sign = "🟢" if message.kind is Kind.RESOLVED else _SIGNS[message.severity]
    header = f"{sign} {message.subject}"
    sections = ["\n".join(map(_escape, message.opening))]
    facts = "\n".join(f"*{name}:* {_escape(told)}" for name, told in message.facts)
    evidence = "\n".join(message.evidence_lines)
    if facts:
        sections.append(facts)
    if evidence:
        sections.append(f"```{_cut(_escape(evidence), _SECTION_MAX - 6)}```")
    if message.is_helped:
        sections.append(f"What helps: `{_escape(message.command)}`")
    return {
        "text": _escape(message.subject),
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": _cut(header, _HEADER_MAX)},
            },
            *(
                {
                    "type": "section",
                    "text": {"type": "mrkdwn", "text": _cut(each, _SECTION_MAX)},
                }
                for each in sections
            ),
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": message.message_id}],
            },
        ],
    }


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;")
    for sign, written in _REFUSES.items():
        text = text.replace(sign, written)
    return text


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
