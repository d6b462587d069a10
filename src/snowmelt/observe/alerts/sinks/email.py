"""A message by e-mail: a subject to read, plain text, and the same as HTML."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from html import escape

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from snowmelt.observe.alerts.message import Message
from snowmelt.observe.alerts.sinks.sending import SendError


class Email(BaseModel):
    """A server that takes mail."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    host: str = Field(min_length=1, description="The server that takes mail.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    starttls: bool = Field(
        True, description="Is the connection encrypted once it stands?"
    )
    tls: bool = Field(
        False,
        description="Is it encrypted from the start (port 465)? Then no starttls.",
    )
    ca_file: str | None = Field(
        None, description="Certificates to trust instead of the machine's (PEM)."
    )
    user: str | None = Field(None, description="Who logs in.")
    password: SecretStr | None = Field(None, description="It is never shown.")
    sender: str = Field(alias="from", min_length=3, description="From whom it comes.")
    to: list[str] = Field(min_length=1, description="Who gets it.")

    @model_validator(mode="after")
    def _fits_together(self) -> Email:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.user and not (self.starttls or self.tls):
            raise ValueError("a password is sent over encrypted connections alone")
        for each in (self.sender, *self.to):
            if "@" not in each or any(sign in each for sign in "\r\n"):
                raise ValueError("write addresses such as NAME@HOST")
        return self

    def send(self, message: Message, seconds_max: float) -> None:
        """Hand the mail to the server.

        It is refused when nobody of `to` is taken, or the mail itself is not.
        """
        mail = compose(message, self.sender, self.to)
        try:
            with self._connected(seconds_max) as server:
                server.send_message(mail, self.sender, self.to)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise SendError(
                "it takes none of the addresses", refused=min(codes) >= 500
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise SendError(
                f"it refused user or password ({error.smtp_code})"
            ) from None
        except smtplib.SMTPDataError as error:
            told = _text(error.smtp_error)
            raise SendError(
                f"it refused the mail: {error.smtp_code} {told}",
                refused=error.smtp_code >= 500,
            ) from None
        except smtplib.SMTPResponseException as error:
            told = _text(error.smtp_error)
            raise SendError(f"it answered {error.smtp_code} {told}") from None
        except TimeoutError:
            raise SendError(f"no answer within {seconds_max:g} s") from None
        except (smtplib.SMTPException, OSError) as error:
            raise SendError(f"{type(error).__name__}: {error}") from None

    def _connected(self, seconds_max: float) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.ca_file)
        server: smtplib.SMTP
        if self.tls:
            server = smtplib.SMTP_SSL(
                self.host, self.port, timeout=seconds_max, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=seconds_max)
        try:
            if self.starttls and not self.tls:
                server.starttls(context=context)
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def compose(message: Message, sender: str, to: list[str]) -> EmailMessage:
    """Return the mail. Its Message-ID is the same at every try."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate(message.written_at.timestamp(), usegmt=True)
    mail["Message-ID"] = f"<{message.message_id}@{_host(sender)}>"
    if message.answers is not None:
        first = f"<{message.answers}@{_host(sender)}>"
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["X-Snowmelt-Message-Id"] = message.message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(_html(message), subtype="html")
    return mail


def _html(message: Message) -> str:
    facts = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(told)}</td></tr>"
        for name, told in message.facts
    )
    lines = "\n".join(map(escape, message.evidence_lines))
    evidence = f"<pre>{lines}</pre>" if lines else ""
    opening = "<br>".join(map(escape, message.opening))
    way = f"<p>What helps: <code>{escape(message.command)}</code></p>"
    return (
        f"<!doctype html><html><body><p><b>{opening}</b></p>"
        f"<table>{facts}</table>{evidence}{way if message.is_helped else ''}"
        "</body></html>"
    )


def _host(sender: str) -> str:
    host = sender.rpartition("@")[2].strip("<> ")
    return host or socket.gethostname()


def _text(told: bytes | str) -> str:
    return told.decode(errors="replace") if isinstance(told, bytes) else told
