"""Ways in and out: start links, passwords, logging out; and what anybody may ask."""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)

from snowmelt.errors import SnowmeltError
from snowmelt.serve.attempts import Guessing
from snowmelt.serve.guard import csrf_problem, read_cookie, read_form, refusal
from snowmelt.serve.pages.site import Site
from snowmelt.serve.sessions import SESSION_MAX

COLOURS = {"good": "#0c6e45", "warn": "#85540a", "bad": "#b1241c", "": "#51606e"}
_LETTER = 7


class Doors:
    """Answers whoever is not known yet."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._guessing = Guessing(site.clock)

    async def start(self, request: Request) -> Response:
        """Answer `/start`: a link that works once begins a session of the owner.

        The page that follows is asked for by this one: a browser keeps a strict
        cookie back while another site, such as one's mail, leads here.
        """
        if request.method == "HEAD":
            return Response()  # who only looks at a link does not use it up
        token = request.query_params.get("token", "")
        if not self._site.door.sessions.take_link_token(token):
            told = "This link was used, or is too old. Print another one."
            return self._login_page(told, "/", 403)
        cookie = self._site.door.sessions.begin_for_owner()
        return self._with_cookie(HTMLResponse(self._site.render("start.html")), cookie)

    async def login(self, request: Request) -> Response:
        """Answer `/login`: the form, and what is sent with it."""
        if request.method != "POST":
            return self._login_page("", request.query_params.get("next", "/"), 200)
        form = await read_form(request)
        name, password = form.get("name", ""), form.get("password", "")
        target = local_path(form.get("next", "/"))
        address = request.client.host if request.client else ""
        keys = f"name:{name[:64]}", f"address:{address}"
        if wait := self._guessing.wait(*keys):
            told = f"Too many wrong passwords. Try again in {wait:.0f} s."
            answer = self._login_page(told, target, 429)
            answer.headers["Retry-After"] = str(int(wait) + 1)
            return answer
        user = await run_in_threadpool(partial(self._site.users.check, name, password))
        if user is None:
            self._guessing.failed(*keys)
            return self._login_page("Name or password is wrong.", target, 403)
        self._guessing.passed(keys[0])
        cookie = self._site.door.sessions.begin(user)
        return self._with_cookie(RedirectResponse(target, 303), cookie)

    async def logout(self, request: Request) -> Response:
        """Answer `/logout`: the session is over, whoever kept its cookie."""
        form = await read_form(request)
        refused = csrf_problem(request, form.get("csrf"), acts=False)
        if refused is not None:
            return refused
        name = self._site.door.cookie
        self._site.door.sessions.end(read_cookie(request.headers, name))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(name, path="/")
        return answer

    async def session(self, request: Request) -> Response:
        """Answer `/session`: does this browser have one?"""
        identity = request.scope["identity"]
        if identity is None:
            return refusal(401, "nobody is logged in")
        return JSONResponse({"name": identity.name, "role": identity.role.value})

    def _login_page(self, told: str, target: str, status: int) -> Response:
        has_users = bool(self._site.users.all())
        html = self._site.render(
            "login.html",
            told=told,
            next=local_path(target),
            has_users=has_users,
            shell={"target": self._site.target},
        )
        return HTMLResponse(html, status)

    def _with_cookie(self, answer: Response, cookie: str) -> Response:
        answer.set_cookie(
            self._site.door.cookie,
            cookie,
            max_age=int(SESSION_MAX.total_seconds()),
            path="/",
            httponly=True,
            samesite="strict",
        )
        return answer

    # What anybody may ask.

    async def is_alive(self, request: Request) -> Response:
        """Answer `/healthz`: the process answers."""
        del request
        return PlainTextResponse("ok\n")

    async def is_ready(self, request: Request) -> Response:
        """Answer `/readyz`: the warehouse answers, too."""
        del request
        try:
            await self._site.ask("shell")
        except Exception:  # noqa: BLE001 - whatever it is, it is not ready
            return PlainTextResponse("the warehouse does not answer\n", 503)
        return PlainTextResponse("ready\n")

    async def badge(self, request: Request) -> Response:
        """Answer `/badge/NAME.svg`: is what a dashboard shows current?"""
        try:
            document = await self._site.ask("dashboards")
        except SnowmeltError as error:
            return refusal(503, str(error))
        name = request.path_params["name"]
        known = {each["name"]: each for each in document["dashboards"]}
        if name not in known:
            return refusal(404, "there is no such dashboard")
        health = known[name]["health"]
        label, word = known[name]["title"][:60], health["word"]
        svg = self._site.render(
            "badge.svg",
            label=label,
            word=word,
            left=len(label) * _LETTER + 14,
            right=len(word) * _LETTER + 14,
            colour=COLOURS[health["level"]],
        )
        return Response(svg, media_type="image/svg+xml")


def local_path(target: str) -> str:
    """Return a path of these pages; `/` for what leads elsewhere."""
    is_local = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_local and target.isprintable() else "/"
