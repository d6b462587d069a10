"""What stands before every page: may this be answered at all, and to whom?

Loopback is no boundary: any page that a browser has open can send requests there, and
so can any program of any user of the machine. So the name that was asked for, where
a request comes from, and who asks are looked at before anything is done.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from snowmelt.serve.sessions import Identity, Sessions, same_text
from snowmelt.serve.tokens import Tokens
from snowmelt.serve.users import Role

WHO: ContextVar[Identity | None] = ContextVar("who", default=None)
"""Who asks what is being answered; None of a stranger."""
HEADER_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 64 * 1024
BODY_SECONDS_MAX = 10.0
FORM_FIELDS_MAX = 20
READING = ("GET", "HEAD")
SCHEMES = ("bearer", "token")
"""How programs give a token; `Token` is how clients of dbt Cloud do."""
PUBLIC = ("/favicon.ico", "/healthz", "/readyz", "/login", "/start", "/session")
PUBLIC_FOLDERS = ("/static/", "/badge/", "/embed/")
MACHINES = ("/api/", "/events", "/metrics", "/session")
"""Paths that programs ask: they get an error as JSON, and no form to log in."""
NO_FRAME = "frame-ancestors 'none'"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    f"{NO_FRAME}"
)
"""`blob:` is a chart that is saved as a picture: drawn by the page itself."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # else a form says that it comes from nowhere
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Door:
    """Where the pages are, and who has a key.

    `hosts`: names, without ports, that they may be asked for by. `any_address`: is
    any IP address as good? DNS rebinding needs a name.
    """

    sessions: Sessions
    port: int
    hosts: Sequence[str] = ("localhost",)
    any_address: bool = False
    token: str | None = None
    tokens: Tokens | None = None
    cookie: str = field(default="")

    def __post_init__(self) -> None:
        # cookies know no ports: two projects on one machine have one each
        object.__setattr__(self, "cookie", f"snowmelt_{self.port}")

    def knows(self, host: str) -> bool:
        """Is this a name of ours? `host` as the header says it."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.path or parts.username is not None or not name:
            return False
        if name in self.hosts and name not in ("localhost",):
            return True  # through a proxy, whose port is its own
        if port != self.port and not (port is None and self.port == 80):
            return False
        return name == "localhost" or self._is_address(name)

    def origin(self, headers: Headers) -> str:
        """Return scheme and host of these pages as whoever asks knows them.

        By a name of ours the question may come through a proxy: what that says of the
        scheme is believed, and where it says nothing, another port than ours has TLS.
        """
        host = headers["host"]
        parts = urlsplit(f"//{host}")
        said = headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
        if parts.hostname in self.hosts and said in ("http", "https"):
            return f"{said}://{host}"
        is_own = (parts.port or 80) == self.port
        return f"{'http' if is_own else 'https'}://{host}"

    def _is_address(self, name: str) -> bool:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback

    def identify(self, headers: Headers) -> Identity | None:
        """Return who asks; None of a stranger."""
        given = headers.get("authorization", "")
        if given:
            scheme, _, token = given.partition(" ")
            if scheme.lower() not in SCHEMES:
                return None
            if self.token and same_text(token.strip(), self.token):
                return Identity("token", Role.VIEWER, "token")
            return self.tokens.identify(token.strip()) if self.tokens else None
        cookie = read_cookie(headers, self.cookie)
        return self.sessions.read(cookie) if cookie else None


def read_cookie(headers: Headers, name: str) -> str:
    """Return a cookie's value, empty without one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


class Guard:
    """Lets through what may be answered; `scope["identity"]` is who asks."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        refused = self._refuse(request)
        if refused is None:
            try:
                receive = await _limited(request, receive)
            except _Refused as error:
                refused = refusal(error.status, error.problem)
        await (refused or self._app)(scope, receive, _with_headers(send))

    def _refuse(self, request: Request) -> Response | None:
        """Return what says why not, or None."""
        headers, door = request.headers, self._door
        if _length(request.scope) > HEADER_BYTES_MAX:
            return refusal(431, "the address and the headers are too long")
        if len(headers.getlist("host")) != 1 or not door.knows(headers["host"]):
            return refusal(421, "this service does not answer to that name")
        if told := _is_foreign(request):
            return refusal(403, told)
        identity = door.identify(headers)
        request.scope["identity"] = identity
        WHO.set(identity)
        path = request.url.path
        if path in PUBLIC or path.startswith(PUBLIC_FOLDERS):
            return None
        if identity is None:
            return _ask_who(request)
        return None


def _length(scope: Scope) -> int:
    """Return the bytes of a request before its body."""
    named = sum(len(name) + len(value) for name, value in scope["headers"])
    return len(scope["raw_path"]) + len(scope["query_string"]) + named


def _is_foreign(request: Request) -> str:
    """Say why a request may be another site's doing; empty if it is not."""
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if request.method in READING:
        from_page = headers.get("sec-fetch-mode", "navigate") != "navigate"
        is_badge = request.url.path.startswith("/badge/")
        if site in ("cross-site", "same-site") and from_page and not is_badge:
            return "another site may not read this"
        return ""
    if site not in (None, "same-origin"):
        return "another site may not ask for this"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers["host"]:
        return "another site may not ask for this"
    return ""


def _ask_who(request: Request) -> Response:
    path = request.url.path
    is_page = request.method in READING and not path.startswith(MACHINES)
    if is_page and "x-live" not in request.headers:
        asked = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(asked)}", 303)
    remedy = "Open the link that `snowmelt link` prints, or give a token."
    answer = refusal(401, "nobody is logged in", remedy)
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def refusal(status: int, problem: str, remedy: str = "") -> Response:
    """Return an error as every answer of the API has it."""
    error = {
        "kind": "RefusedError",
        "where": "",
        "problem": problem,
        "remedy": remedy,
        "exit_code": 1,
    }
    return JSONResponse({"error": error}, status)


class _Refused(Exception):
    def __init__(self, status: int, problem: str) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem)


async def _limited(request: Request, receive: Receive) -> Receive:
    """Read a request's body, if it may have one, within limits of size and time.

    What is answered waits for nobody: a slow client has only kept itself waiting.
    """
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise _Refused(400, "this is no length")
    if int(length) > BODY_BYTES_MAX:
        raise _Refused(413, f"more than {BODY_BYTES_MAX} bytes are not taken")
    if request.method in READING:
        return receive
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            body = await _read_body(receive)
    except TimeoutError:
        raise _Refused(408, "the request took too long to arrive") from None
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _read_body(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the request was not sent to its end")
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise _Refused(413, f"more than {BODY_BYTES_MAX} bytes are not taken")
        more = message.get("more_body", False)
    return bytes(body)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_framed = "content-security-policy" in headers
            for name, value in HEADERS.items():
                if name.lower() not in headers:
                    headers[name] = value
            if is_framed:  # its own policy says who may show it in a frame
                del headers["X-Frame-Options"]
        await send(message)

    return sending


def identity_of(request: Request) -> Identity:
    """Return who asks; the guard let nobody else through."""
    identity: Identity = request.scope["identity"]
    return identity


def csrf_problem(
    request: Request, given: str | None, *, acts: bool = True
) -> Response | None:
    """Return what refuses an action of a session that does not show its token."""
    identity = identity_of(request)
    if acts and not identity.acts:
        return refusal(403, "a target is observed here: its account acts")
    if acts and not identity.may_act:
        return refusal(403, "viewers may look, and operators act")
    if identity.way == "session" and not same_text(given or "", identity.csrf):
        return refusal(403, "the form is too old", "Reload the page, and try again.")
    return None


async def read_form(request: Request) -> dict[str, str]:
    """Return what a form sends; nothing of what is no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, max_num_fields=FORM_FIELDS_MAX))
    except ValueError:
        return {}
