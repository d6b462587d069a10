"""A Snowflake account for tests: fakesnow's server, and documented rules it lacks.

Run in an environment of its own: `python double.py PORT`. Added here:

- streams (https://docs.snowflake.com/en/user-guide/streams-intro): a view of the net
  change between a copy of the table as it was and the table as it is. A statement that
  writes and reads a stream moves it; a rollback moves nothing;
- `SHOW STREAMS`, `SYSTEM$STREAM_HAS_DATA`, temporary tables under a whole name;
- a definition ends the transaction that is open, as there;
- blocks of Snowflake Scripting, as our models send them;
- COPY of one file of Parquet from a stage that is a bucket, by name or by expressions
  (https://docs.snowflake.com/en/sql-reference/sql/copy-into-table); what it copied it
  remembers even after a rollback, which there it does not;
- MD5_NUMBER_LOWER64 and MD5_NUMBER_UPPER64.
- a session's query tag, which nothing here tells again;
- a session's time zone: what whoever signs in says, or else `/double/zone`. There it is
  America/Los_Angeles (https://docs.snowflake.com/en/sql-reference/parameters#timezone),
  here UTC: fakesnow takes an epoch in TO_TIMESTAMP_NTZ to be of the session's zone;
- clones in the place of a table, of transient ones into such; `COPY GRANTS`; comments
  of views;
- `/double/stop`: from a statement on, the account refuses all that clients send, and
  rolls back what was open, as if they had been killed before it.

What it cannot show: privileges, concurrency, cost, types as strict as Snowflake's.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import duckdb
import fakesnow.arrow as arrow
import fakesnow.server as server
import fakesnow.transforms as transforms
import pyarrow  # type: ignore[import-untyped]
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from snowflake.connector.errors import ProgrammingError
from snowflake.connector.util_text import split_statements
from sqlglot.expressions import Expression, TryCast
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_BLOCK = re.compile(
    r"^execute immediate \$\$\s*(?:declare\s+.*?)?begin\s+begin transaction;"
    r"(?P<body>.*)commit;\s*exception\s+when other then\s+rollback;\s+raise;\s+"
    r"end;\s*\$\$",
    re.I | re.S,
)
_IF = re.compile(r"^if \((?P<condition>.*?)\) then (?P<then>.*)$", re.I | re.S)
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_CREATE_STREAM = re.compile(
    r"create\s+(or\s+replace\s+)?stream\s+(if\s+not\s+exists\s+)?(\S+)\s+on\s+table\s+"
    r"(\S+)(\s+append_only\s*=\s*true)?(\s+show_initial_rows\s*=\s*true)?"
    r"(?:\s+comment\s*=\s*'([^']*)')?\s*;?\s*$",
    re.I | re.S,
)
_SHOW_STREAMS = re.compile(
    r"show\s+streams\s+like\s+'([^']*)'\s+in\s+schema\s+(\S+)\s*;?\s*$", re.I
)
_DROP_STREAM = re.compile(r"drop\s+stream\s+(?:if\s+exists\s+)?(\S+)\s*;?\s*$", re.I)
_ALTER_STREAM = re.compile(
    r"alter\s+stream\s+(\S+)\s+set\s+comment\s*=\s*'([^']*)'\s*;?\s*$", re.I
)
_COPY_GRANTS = re.compile(r"\bcopy\s+grants\b", re.I)
_VIEW_COMMENT = re.compile(
    r"^(create\s+or\s+replace\s+view\s+(\S+))\s+comment\s*=\s*'([^']*)'\s+as\b", re.I
)
_SHOW_VIEWS = re.compile(r"show\s+views\s+in\s+schema\s+(\S+)\s*;?\s*$", re.I)
_ANEW = re.compile(r"^create\s+or\s+replace\s+(transient\s+)?table\s+(\S+)", re.I)
_CLONE = re.compile(
    r"^create\s+or\s+replace\s+(transient\s+)?table\s+(\S+)\s+clone\s+(\S+)\s*;?\s*$",
    re.I,
)
_HAS_DATA = re.compile(r"system\$stream_has_data\('([^']+)'\)", re.I)
_SETTINGS = re.compile(
    r"\b(change_tracking|enable_schema_evolution)\s*=\s*(true|false)", re.I
)
_TEMPORARY = re.compile(r"^(\s*create\s+or\s+replace\s+)(temporary|temp)\s+table", re.I)
_DEFINES = re.compile(r"^\s*(create|drop|alter|truncate)\b", re.I)
_WRITES = re.compile(r"^\s*(insert|delete|update|merge|create)\b", re.I)
_COPY = re.compile(
    r"^copy\s+into\s+(?P<table>\S+)\s*(?P<columns>\([^)]*\))?\s*from\s.*?"
    r"files\s*=\s*\('(?P<file>[^']*)'\)",
    re.I | re.S,
)
_TAKEN = re.compile(
    r'(?P<parse>PARSE_JSON\()?\$1:(?P<name>"[^"]+")::(?P<type>\w+(\([\d,]+\))?)\)?'
)
_MAKES_FORMAT = re.compile(r"^create\s+temporary\s+file\s+format\s", re.I)
_STAGED = re.compile(
    r"FROM '@(?P<database>\w+)\.[^/]+/(?P<place>[^']*)' \(FILE_FORMAT => '[^']*'\)"
)
_ELEMENT = re.compile(r'\$1:("[^"]+")::(\w+(?:\([\d,]+\))?)')
_ROW = '"_FILE_ROW"'
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_MD5 = {"lower": "17, 16", "upper": "1, 16"}
BUCKET = {"url": ""}
"""Where the stage's files lie, over HTTP."""
ZONE = {"name": "UTC"}
_TAGS = re.compile(
    r"^alter\s+session\s+(set\s+query_tag\s*=\s*'(?:[^']|'')*'|unset\s+query_tag)$",
    re.I,
)
STREAMS: dict[str, dict[str, Any]] = {}
"""By whole name in capitals."""
VIEW_COMMENTS: dict[str, str] = {}
TRANSIENT: set[str] = set()
"""Tables that dbt makes are transient; a clone of one has to be."""
STOP: dict[str, Any] = {}
"""`at`: before a statement with this text clients are gone; `gone`: they are."""


def kept(name: str) -> str:
    """Return a name as an account keeps it."""
    return name.replace('"', "").upper()


class Streams:
    """The streams, on one session."""

    def __init__(self, cursor: FakeSnowflakeCursor) -> None:
        self._duck = cursor._duck_conn
        self._conn = cursor._conn

    def whole(self, name: str) -> str:
        """Return a name with its database."""
        parts = kept(name).split(".")
        if len(parts) == 2:
            parts.insert(0, str(self._conn.database))
        return ".".join(parts)

    def quoted(self, name: str) -> str:
        return ".".join(f'"{part}"' for part in self.whole(name).split("."))

    def base(self, name: str) -> str:
        database, schema, plain = self.whole(name).split(".")
        return f'"{database}"."{schema}"."{plain}__BASE"'

    def create(self, match: re.Match[str]) -> str:
        _, keeps, name, table, append, initial, comment = match.groups()
        key = self.whole(name)
        if keeps and key in STREAMS:
            return "select 'already there' as status"
        on, base = self.quoted(table), self.base(name)
        known = f"select * from {on}{' limit 0' if initial else ''}"
        self._duck.execute(f"create or replace table {base} as {known}")
        gone = (
            ""
            if append
            else f" union all select *, 'DELETE', false, md5(t::varchar) "
            f"from (select * from {base} except all select * from {on}) t"
        )
        self._duck.execute(
            f"create or replace view {self.quoted(name)} as "
            f'select *, \'INSERT\' as "METADATA$ACTION", false as "METADATA$ISUPDATE", '
            f'md5(t::varchar) as "METADATA$ROW_ID" '
            f"from (select * from {on} except all select * from {base}) t{gone}"
        )
        STREAMS[key] = {"on": table, "append": bool(append), "comment": comment or ""}
        return "select 'Stream successfully created.' as status"

    def show(self, match: re.Match[str]) -> str:
        like = kept(match[1]).replace("\\\\", "\\")
        schema = self.whole(f"{match[2]}.x").rpartition(".")[0]
        pattern = re.compile(
            "".join(
                part[1:]
                if part.startswith("\\")
                else {"%": ".*", "_": "."}.get(part, re.escape(part))
                for part in re.findall(r"\\.|.", like)
            )
        )
        rows = []
        for key, each in STREAMS.items():
            place, _, plain = key.rpartition(".")
            if place == schema and pattern.fullmatch(plain):
                stale = self._is_stale(key)
                rows.append(
                    f"select '{plain}' as \"name\", "
                    f"'{each['comment']}' as \"comment\", "
                    f"'{str(stale).lower()}' as \"stale\""
                )
        nothing = (
            "select '' as \"name\", '' as \"comment\", '' as \"stale\" where false"
        )
        return " union all ".join(rows) or nothing

    def _is_stale(self, key: str) -> bool:
        """A table that was made anew has another identity: its streams are stale."""
        try:
            self._duck.execute(f"select 1 from {self.quoted(key)} limit 0")
        except duckdb.Error:
            return True
        return bool(STREAMS[key].get("stale"))

    def made_anew(self, table: str) -> None:
        for each in STREAMS.values():
            if self.whole(each["on"]) == self.whole(table):
                each["stale"] = True

    def drop(self, match: re.Match[str]) -> str:
        key = self.whole(match[1])
        if STREAMS.pop(key, None) is not None:
            self._duck.execute(f"drop view if exists {self.quoted(key)}")
            self._duck.execute(f"drop table if exists {self.base(key)}")
        return "select 'dropped' as status"

    def comment(self, match: re.Match[str]) -> str:
        STREAMS[self.whole(match[1])]["comment"] = match[2]
        return "select 'Statement executed successfully.' as status"

    def views(self, match: re.Match[str]) -> str:
        place = self.whole(f"{match[1]}.x").rpartition(".")[0]
        rows = [
            f"select '{key.rpartition('.')[2]}' as \"name\", '{told}' as \"comment\""
            for key, told in VIEW_COMMENTS.items()
            if key.rpartition(".")[0] == place
        ]
        nothing = "select '' as \"name\", '' as \"comment\" where false"
        return " union all ".join(rows) or nothing

    def has_data(self, match: re.Match[str]) -> str:
        (found,) = self._duck.execute(
            f"select count(*) > 0 from {self.quoted(match[1])}"
        ).fetchone() or (False,)
        return "true" if found else "false"

    def read_by(self, command: str) -> list[str]:
        text = kept(command)
        return [k for k in STREAMS if re.search(rf"{re.escape(k)}(?![\w$])", text)]

    def move(self, key: str) -> None:
        on, base = self.quoted(STREAMS[key]["on"]), self.base(key)
        self._duck.execute(f"delete from {base}")
        self._duck.execute(f"insert into {base} select * from {on}")


_execute = FakeSnowflakeCursor.execute
PENDING: dict[int, set[str]] = {}
"""The streams that the open transaction of a session has read: sessions that have one.

(fakesnow does not say so of a session that commits by itself.)"""


def run_block(self: FakeSnowflakeCursor, body: str) -> Any:
    """Carry out a block of Snowflake Scripting: all of it, or nothing."""
    execute(self, "begin")
    try:
        skips = False
        for piece, _ in split_statements(StringIO(body)):
            statement = piece.strip().rstrip(";")
            if statement.lower() == "end if":
                skips = False
                continue
            if match := _IF.match(statement):
                asked = f"select {match['condition']} as holds"
                skips = not execute(self, asked).fetchall()[0][0]
                statement = match["then"]
            if skips or not statement:
                continue
            execute(self, statement)
    except BaseException:
        execute(self, "rollback")
        raise
    execute(self, "commit")
    return execute(self, "select 'done' as status")


def stop_if_due(self: FakeSnowflakeCursor, bare: str) -> None:
    """Refuse what a client sends that is no more, and end what it had begun."""
    if not STOP or self._conn is _KEPT.get("session") or bare.lower() == "rollback":
        return
    STOP["gone"] = STOP.get("gone") or STOP["at"] in " ".join(kept(bare).split())
    if not STOP["gone"]:
        return
    if PENDING.pop(id(self._conn), None) is not None:
        _execute(self, "rollback")
    raise ProgrammingError("the session is gone", errno=390111)


def managed(self: FakeSnowflakeCursor, bare: str) -> str | None:
    """Return what stands for a statement about streams or views; None for others."""
    streams = Streams(self)
    for pattern, act in (
        (_CREATE_STREAM, streams.create),
        (_SHOW_STREAMS, streams.show),
        (_DROP_STREAM, streams.drop),
        (_ALTER_STREAM, streams.comment),
        (_SHOW_VIEWS, streams.views),
    ):
        if match := pattern.match(bare):
            return act(match)
    if match := _CLONE.match(bare):
        transient, made, of = match.groups()
        if streams.whole(of) in TRANSIENT and not transient:
            told = "Transient object cannot be cloned to a permanent object."
            raise ProgrammingError(told, errno=2120)
        streams.made_anew(made)
        return f"create or replace table {made} as select * from {of}"
    if match := _VIEW_COMMENT.match(bare):
        VIEW_COMMENTS[streams.whole(match[2])] = match[3]
        return _VIEW_COMMENT.sub(r"\1 as", bare)
    return None


def execute(self: FakeSnowflakeCursor, command: str, *given: Any, **named: Any) -> Any:
    """Carry out one statement as an account does."""
    bare = _COMMENT.sub(" ", command).strip()
    stop_if_due(self, bare)
    bare = _COPY_GRANTS.sub("", bare)
    command = _COPY_GRANTS.sub("", command)
    if bare.lower() == "raise no_key":
        raise ProgrammingError("a row has no key", errno=-20001)
    if match := _BLOCK.match(bare):
        return run_block(self, match["body"])
    if match := _COPY.match(bare):
        return copy_file(self, match)
    if _MAKES_FORMAT.match(bare):
        return _execute(self, "select 'File format successfully created.' as status")
    if match := _STAGED.search(command):
        command = _ELEMENT.sub(r"\1", lay_out(self, match))
    if "MD5_NUMBER_" in command:
        define_hashes(self)
    if _TAGS.match(bare):
        return _execute(self, "select 'Statement executed successfully.' as status")
    streams = Streams(self)
    session = id(self._conn)
    in_transaction = session in PENDING
    if _DEFINES.match(bare) and in_transaction:
        for key in PENDING.pop(session):
            streams.move(key)
        _execute(self, "commit")
        in_transaction = False
    if (stands_for := managed(self, bare)) is not None:
        return _execute(self, stands_for, *given, **named)
    command = _SETTINGS.sub("", _HAS_DATA.sub(streams.has_data, command))
    if re.match(r"^begin\b", bare, re.I):
        PENDING[session] = set()
    if re.match(r"^(commit|rollback)\b", bare, re.I):
        read = PENDING.pop(session, set())
        if bare.lower().startswith("commit"):
            for key in read:
                streams.move(key)
        return _execute(self, command, *given, **named)
    command = _TEMPORARY.sub(r"\1table", bare) if _TEMPORARY.match(bare) else command
    ended = _execute(self, command, *given, **named)
    if match := _ANEW.match(bare):
        streams.made_anew(match[2])
        (TRANSIENT.add if match[1] else TRANSIENT.discard)(streams.whole(match[2]))
    if _WRITES.match(bare):
        for key in streams.read_by(bare):
            if in_transaction:
                PENDING[session].add(key)
            else:
                streams.move(key)
    return ended


def copy_file(self: FakeSnowflakeCursor, match: re.Match[str]) -> Any:
    """Copy a file of Parquet, all of it."""
    duck = self._duck_conn
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        with urllib.request.urlopen(BUCKET["url"] + match["file"]) as answer:
            Path(file.name).write_bytes(answer.read())
        table = Streams(self).quoted(match["table"])
        read = f"from read_parquet('{file.name}')"
        if match["columns"]:
            taken = ", ".join(
                f"cast({each['name']} as json)" if each["parse"] else each["name"]
                for each in _TAKEN.finditer(match[0])
            )
            columns = match["columns"]
            duck.execute(f"insert into {table} {columns} select {taken} {read}")
        else:
            duck.execute(f"insert into {table} by name select * {read}")
        (count,) = duck.execute(f"select count(*) {read}").fetchone() or (0,)
    name = match["file"]
    return _execute(
        self, f"select '{name}' as file, 'LOADED' as status, {count} as rows_loaded"
    )


def lay_out(self: FakeSnowflakeCursor, match: re.Match[str]) -> str:
    """Make a table of what lies in a place of the stage; the query then asks it."""
    name = f"{match['database']}.BRONZE.STAGED"
    wanted = dict.fromkeys(each[0] for each in _ELEMENT.findall(match.string))
    empty = ", ".join(
        f"cast(null as {'bigint' if each == _ROW else 'varchar'}) as {each}"
        for each in wanted
    )
    table = Streams(self).quoted(name)
    duck = self._duck_conn
    duck.execute(f"create or replace table {table} as select {empty} limit 0")
    for url in lying_at(match["place"]):
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            with urllib.request.urlopen(url) as answer:
                Path(file.name).write_bytes(answer.read())
            duck.execute(
                f"insert into {table} by name select {', '.join(wanted)} "
                f"from read_parquet('{file.name}')"
            )
    return match.string.replace(match[0], f"FROM {name}")


def lying_at(place: str) -> list[str]:
    """Return where the files are that lie in a place: one, or a folder's."""
    if not place.endswith("/"):
        return [BUCKET["url"] + place]
    root = urlsplit(BUCKET["url"])
    bucket, _, folder = root.path.lstrip("/").partition("/")
    base = f"{root.scheme}://{root.netloc}/{bucket}"
    asked = urlencode({"list-type": 2, "prefix": folder + place})
    with urllib.request.urlopen(f"{base}?{asked}") as answer:
        return [f"{base}/{key}" for key in _KEY.findall(answer.read().decode())]


def define_hashes(self: FakeSnowflakeCursor) -> None:
    """Define the halves of a hash, as sqlglot happens to write their names."""
    for half, part in _MD5.items():
        self._duck_conn.execute(
            f"create temp macro if not exists m_d5_number_{half}64(x) as "
            f"cast('0x' || substr(md5(x), {part}) as ubigint)"
        )


async def answer_bucket(request: Request) -> JSONResponse:
    """Take note of where the stage's files lie."""
    BUCKET["url"] = (await request.body()).decode()
    return JSONResponse({})


async def login(request: Request) -> JSONResponse:
    """Answer a login with what newer clients ask for besides."""
    answer = await server.login_request(request)
    document = json.loads(bytes(answer.body))
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    given = json.loads(body)["data"].get("SESSION_PARAMETERS", {})
    session = server.sessions[document["data"]["token"]]
    session.cursor()._duck_conn.execute(
        f"set TimeZone = '{given.get('TIMEZONE', ZONE['name'])}'"
    )
    document["data"].update(
        masterToken="m-" + document["data"]["token"],
        sessionId=1,
        masterValidityInSeconds=14400,
        validityInSeconds=3600,
    )
    return JSONResponse(document)


_KEPT: dict[str, Any] = {}


async def answer_sql(request: Request) -> JSONResponse:
    """Carry out a statement for a test, and tell its rows, each value as text.

    `?session=` names the session; the one without a name is never stopped.
    """
    statement = (await request.body()).decode()
    name = request.query_params.get("session", "session")
    if name not in _KEPT:
        _KEPT[name] = server.shared_fs.connect()
    cursor = _KEPT[name].cursor()
    try:
        cursor.execute(statement)
        rows = cursor.fetchall()
    except Exception as error:  # noqa: BLE001 - the test is told
        return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
    told = [[None if each is None else str(each) for each in row] for row in rows]
    columns = [column[0].lower() for column in cursor.description or ()]
    return JSONResponse({"columns": columns, "rows": told})


def unless_tried(change: Callable[[Expression], Expression]) -> Any:
    """Leave TRY_CAST alone: it is null where it cannot be.

    https://docs.snowflake.com/en/sql-reference/functions/try_cast
    """

    def changed(expression: Expression) -> Expression:
        return expression if isinstance(expression, TryCast) else change(expression)

    return changed


def in_utc(tell: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let moments be told of sessions in any zone: fakesnow tells those in UTC."""

    def told(moments: Any) -> Any:
        kind = moments.type
        if kind.tz not in (None, "UTC"):
            moments = moments.cast(pyarrow.timestamp(kind.unit, "UTC"))
        return tell(moments)

    return told


async def answer_zone(request: Request) -> JSONResponse:
    """Say in which zone sessions are from now on that say none."""
    ZONE["name"] = (await request.body()).decode()
    return JSONResponse({})


async def stop(request: Request) -> JSONResponse:
    """Let clients send all they like until one says this; tell whether one did."""
    told = (await request.body()).decode()
    were_gone = bool(STOP.get("gone"))
    STOP.clear()
    if told:
        STOP["at"] = kept(told)
    return JSONResponse({"gone": were_gone})


def main() -> None:
    """Serve on a port of loopback."""
    transforms.numeric_agg_implicit_cast = lambda expression: expression
    transforms.to_timestamp = unless_tried(transforms.to_timestamp)
    arrow.timestamp_to_sf_struct = in_utc(arrow.timestamp_to_sf_struct)
    routes = server.app.router.routes
    for index, route in enumerate(routes):
        if getattr(route, "path", "") == "/session/v1/login-request":
            routes[index] = Route(route.path, login, methods=["POST"])
    routes.append(Route("/double/sql", answer_sql, methods=["POST"]))
    routes.append(Route("/double/bucket", answer_bucket, methods=["POST"]))
    routes.append(Route("/double/stop", stop, methods=["POST"]))
    routes.append(Route("/double/zone", answer_zone, methods=["POST"]))
    FakeSnowflakeCursor.execute = execute
    uvicorn.run(
        server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning"
    )


if __name__ == "__main__":
    main()
