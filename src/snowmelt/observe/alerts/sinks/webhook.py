"""A message as JSON, posted to a URL."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from snowmelt.observe.alerts.message import Message
from snowmelt.observe.alerts.sinks.sending import SendError

_URL = re.compile(r"https?://[^\s/]+\S*")
_NEVER_TAKEN = (400, 405, 406, 411, 413, 414, 415, 422, 431)
"""What a receiver answers to a message it will not take; all else may pass."""


def _is_url(given: SecretStr) -> SecretStr:
    if not _URL.fullmatch(given.get_secret_value()):
        raise ValueError("write a URL, https://HOST/PATH")
    return given


Url = Annotated[SecretStr, AfterValidator(_is_url)]


class Webhook(BaseModel):
    """Any receiver of JSON over HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="Where messages are posted to; it is never shown.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="Headers, such as Authorization; never shown."
    )

    def send(self, message: Message, seconds_max: float) -> None:
        """Post the message; any answer below 300 says that it arrived."""
        headers = {
            "Idempotency-Key": message.message_id,
            "X-Snowmelt-Message-Id": message.message_id,
            **{name: value.get_secret_value() for name, value in self.headers.items()},
        }
        post(self.url, message.document, headers, seconds_max)


def post(
    url: SecretStr, body: dict[str, Any], headers: dict[str, str], seconds_max: float
) -> None:
    """Post JSON. Raises SendError, without the URL: it may be a secret."""
    try:
        answer = httpx.post(
            url.get_secret_value(),
            json=body,
            headers=headers,
            timeout=seconds_max,
            verify=_trusted(),
        )
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise SendError("the URL or a header cannot be used") from None
    except httpx.TimeoutException:
        raise SendError(f"no answer within {seconds_max:g} s") from None
    except httpx.HTTPError as error:
        raise SendError(_without(url, f"{type(error).__name__}: {error}")) from None
    if answer.status_code >= 300:
        raise SendError(
            f"it answered {answer.status_code} {answer.reason_phrase}".rstrip(),
            refused=answer.status_code in _NEVER_TAKEN,
            retry_after=_retry_after(answer),
        )


@cache
def _trusted() -> ssl.SSLContext:
    """Return who is trusted; read once, which costs more than sending a message."""
    return httpx.create_ssl_context()


def _without(url: SecretStr, text: str) -> str:
    return text.replace(url.get_secret_value(), "…")


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """Return how long the receiver asks to be left alone: seconds, or a date."""
    given = answer.headers.get("Retry-After", "").strip()
    if given.isdecimal() and len(given) < 8:
        return timedelta(seconds=int(given))
    try:
        until, asked_at = (
            parsedate_to_datetime(given),
            parsedate_to_datetime(answer.headers["Date"]),
        )
    except (KeyError, ValueError, TypeError):
        return None
    return max(_aware(until) - _aware(asked_at), timedelta(0))


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
