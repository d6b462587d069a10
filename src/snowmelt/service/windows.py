"""What a service opens for people and programs: its socket, and its pages."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UnreachableError
from snowmelt.observe.metrics import Metrics
from snowmelt.serve.api import make_app
from snowmelt.serve.commands import Commands, Document
from snowmelt.serve.dbt_cloud.routes import dbt_cloud_routes
from snowmelt.serve.errands import errand_routes
from snowmelt.serve.live import Broadcast
from snowmelt.serve.pages.connect import connect_routes
from snowmelt.serve.pages.errands import errand_pages
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.sql import sql_routes
from snowmelt.serve.server_thread import SocketServer
from snowmelt.serve.sessions import Sessions
from snowmelt.serve.shares import Shares
from snowmelt.serve.tokens import Tokens
from snowmelt.serve.users import Users
from snowmelt.serve.web import make_web_app
from snowmelt.serve.web_server import Opening, WebDoor, WebServer, open_door
from snowmelt.service.action_log import WarehouseActionLog, recording
from snowmelt.service.asking.asking import Asking
from snowmelt.service.boards.preview import Preview
from snowmelt.service.errands.desk import Desk
from snowmelt.service.errands.project import DbtFacts
from snowmelt.service.loop import Loop
from snowmelt.service.masking.commands import masked
from snowmelt.service.masking.veil import PersonalVeil
from snowmelt.service.masking.warming import Warming
from snowmelt.service.pages.tables import GoldTables


class Windows:
    """The socket, which a service cannot do without, and pages, which it can."""

    def __init__(self, loop: Loop, commands: Commands, metrics: Metrics) -> None:
        self._loop = loop
        self._pages: WebServer | None = None
        self._preview: Preview | None = None
        self._warming = Warming(loop.parts)
        self._desk = Desk(loop)
        self._door: WebDoor | None = None
        self._refresh: Callable[[], None] = lambda: None
        self.opening = Opening()
        self._open_pages(commands, metrics)
        loop.parts.pages = self.opening.url or self.opening.problem
        app = make_app(
            recording(commands, loop, "socket", self.refresh),
            metrics.read,
            self._make_link,
        )
        self._socket = SocketServer(app, loop.parts.project.socket)

    def refresh(self) -> None:
        """Have pages that are open ask anew: something else is to be seen now."""
        self._refresh()

    def start(self, tell: Callable[[Opening], None]) -> None:
        """Answer from now on, and say where."""
        self._desk.start()
        self._socket.start()
        if self._pages is not None:
            self._pages.start()
            self._warming.start()
        if self._preview is not None:
            self._preview.start()
        tell(self.opening)

    def stop(self) -> None:
        """Answer what was asked, then stop."""
        self._desk.stop()
        if self._preview is not None:
            self._preview.stop()
        if self._pages is not None:
            self._pages.stop()
            self._warming.stop()
        self._socket.stop()

    def _open_pages(self, commands: Commands, metrics: Metrics) -> None:
        """Bind the pages' port; a service without a window goes on all the same."""
        parts = self._loop.parts
        config = parts.project.settings.serve
        if not config.pages:
            self.opening = Opening(problem="serve: {pages: false} in snowmelt.yml")
            return
        try:
            users = Users(parts.project.users_path)
            acts = parts.project.target_name is None
            sessions = Sessions(
                parts.project.session_key_path, users, parts.clock, acts=acts
            )
            tokens = Tokens(parts.project.tokens_path)
            door = open_door(config, sessions, users, tokens)
        except SnowmeltError as error:
            self.opening = Opening(problem=str(error))
            return
        broadcast = Broadcast(parts.clock)
        action_log = WarehouseActionLog(parts.warehouse, self.refresh)
        shares = Shares(
            parts.project.shares_path, parts.project.session_key_path, parts.clock
        )
        site = Site(
            *(commands, masked(commands, self._loop), action_log, door.door),
            *(users, parts.clock, broadcast),
            shares=shares,
            target=parts.project.target_name,
        )
        self._preview = Preview(parts, site)
        parts.events.subscribe(site.asked)
        parts.events.subscribe(broadcast)
        parts.events.subscribe(self._warming)
        self._refresh = site.refresh
        if self._loop.alerting is not None:
            self._loop.alerting.changed = self.refresh
        more = [
            *sql_routes(site, Asking(parts, PersonalVeil(parts))),
            *((*connect_routes(site), *self._errands(site)) if acts else ()),
        ]
        app = make_web_app(site, metrics.read, GoldTables(parts), more)
        self._door, self._pages = door, WebServer(app, door.bound, broadcast)
        self.opening = Opening(url=door.url, link=door.make_link()["link"])

    def _errands(self, site: Site) -> list[Route]:
        """Return what other schedulers ask through."""
        return [
            *errand_routes(self._desk),
            *errand_pages(self._desk),
            *dbt_cloud_routes(self._desk, DbtFacts(self._loop), site.door),
        ]

    def _make_link(self) -> Document:
        if self._door is None:
            raise UnreachableError("pages", self.opening.problem)
        return self._door.make_link()
