"""Real servers on loopback that take what alerts send: HTTP, and mail."""

from __future__ import annotations

import email
import email.policy
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


@dataclass
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Hook:
    """A receiver of webhooks; it answers 200 unless `answers` says otherwise."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """What it answers next, first to last; after the last it goes on with 200."""
    is_down: bool = False
    hangs: threading.Event | None = None
    """While it is there and not set, requests are not answered."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    @property
    def kinds(self) -> list[str]:
        """What was taken, in order."""
        return [each.body["kind"] for each in self.posted]


@contextmanager
def served_hook() -> Iterator[Hook]:
    """Serve a receiver of webhooks for the length of a block."""
    hook = Hook()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.hangs is not None:
                hook.hangs.wait(30)
            code, headers = hook.answers.pop(0) if hook.answers else (200, {})
            if hook.is_down:
                code, headers = 503, {}
            if code < 300:
                hook.posted.append(
                    Posted(self.path, dict(self.headers), json.loads(body))
                )
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Answering)
    server.daemon_threads = True
    hook.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        if hook.hangs is not None:
            hook.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Mailbox:
    """A mail server, and what it took."""

    port: int = 0
    ca_file: Path | None = None
    mails: list[EmailMessage] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    refuses: str | None = None
    """What it answers to a mail, such as `451 later`; None: it takes them."""

    async def handle_DATA(self, _: Any, session: Any, envelope: Envelope) -> str:
        if self.refuses is not None:
            return self.refuses
        content = envelope.original_content or b""
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.users.append(session.auth_data)
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]


USER, PASSWORD = "postman", "a-secret-password"


@contextmanager
def served_mail(secured_in: Path | None = None) -> Iterator[Mailbox]:
    """Serve mail; with a folder for a certificate it asks for STARTTLS and a login."""
    box = Mailbox()
    options: dict[str, Any] = {}
    if secured_in is not None:
        box.ca_file, key = _certificate(secured_in)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(box.ca_file, key)
        options = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": _authenticate,
        }
    controller = _Controller(box, hostname=HOST, port=0, **options)
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop()


class _Controller(Controller):
    """One that takes any free port."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        trigger: Any = super()._trigger_server
        trigger()


def _authenticate(*given: Any) -> AuthResult:
    login = given[-1]
    assert isinstance(login, LoginPassword)
    ok = (login.login.decode(), login.password.decode()) == (USER, PASSWORD)
    return AuthResult(success=ok, handled=ok, auth_data=USER if ok else None)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key, and a certificate of 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    today = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    ca_file, key_file = folder / "mail.pem", folder / "mail.key"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return ca_file, key_file
