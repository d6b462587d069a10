"""SQL: one query, its rows, and what to do with them. The query is in the address."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import urlencode

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.downloads import told_of
from snowmelt.serve.guard import identity_of, refusal
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import is_number
from snowmelt.serve.questions import SQL_LENGTH_MAX, Answer, Download, Questions
from snowmelt.serve.spreadsheet import XLSX

ROWS_SHOWN = 500
CELL_LENGTH_SHOWN = 400
BYTES_SHOWN = 1_000_000
KINDS = {
    "csv": "text/csv; charset=utf-8; header=present",
    "xlsx": XLSX,
    "parquet": "application/vnd.apache.parquet",
}
Answering = Callable[[Request], Awaitable[Response]]


def sql_routes(site: Site, questions: Questions) -> list[Route]:
    """Return what answers the page and the pieces that it asks for later."""
    pieces: dict[str, Callable[[Site, Questions, Request], Awaitable[Response]]] = {
        "/sql/columns": show_columns,
        "/sql/card": show_card,
        "/sql/answer.{kind}": download,
    }
    page = site.shared.of(partial(show_sql, site, questions))
    return [
        Route("/sql", page, methods=["GET"]),
        *(
            Route(path, partial(show, site, questions), methods=["GET"])
            for path, show in pieces.items()
        ),
    ]


async def show_sql(site: Site, questions: Questions, request: Request) -> Response:
    """Answer `/sql`: the editor, and what `q` returns if there is one."""
    role, sql = identity_of(request).role, _query(request)
    refused = questions.refusal(role)
    tables: Document = {"schemas": [], "place": "", "seconds": 0, "rows_max": 0}
    result: Document | None = None
    if not refused:
        tables = await run_in_threadpool(partial(questions.tables, role))
        if sql.strip():
            result = await _result(questions, request, sql)
    return await site.page(
        request,
        "sql.html",
        heading="SQL",
        section="/sql",
        shell=await site.ask("shell"),
        sql=sql,
        length_max=SQL_LENGTH_MAX,
        refused=refused,
        tables=tables,
        result=result,
        examples=_examples(tables),
        same_as=f"snowmelt sql {shlex.quote(sql.strip())}" if sql.strip() else "",
        here=urlencode({"q": sql}),
    )


def _query(request: Request) -> str:
    return request.query_params.get("q", "").replace("\r\n", "\n")


async def _result(questions: Questions, request: Request, sql: str) -> Document:
    role = identity_of(request).role
    try:
        answer = await run_in_threadpool(partial(questions.ask, role, sql, ROWS_SHOWN))
    except SnowmeltError as error:
        return {"problem": _problem(error, sql)}
    return {"problem": None, **_shown(answer)}


def _shown(answer: Answer) -> Document:
    """Return the rows that a page can carry."""
    rows: list[list[Any]] = []
    size = 0
    for row in answer.rows:
        cut = [_cut(value) for value in row]
        size += sum(len(str(value)) for value in cut)
        if rows and size > BYTES_SHOWN:
            break
        rows.append(cut)
    numeric = [
        bool(rows) and all(row[place] is None or is_number(row[place]) for row in rows)
        for place in range(len(answer.columns))
    ]
    return {
        "columns": list(zip(answer.columns, answer.types, numeric, strict=True)),
        "rows": rows,
        "numeric": numeric,
        "more": answer.more or len(rows) < len(answer.rows),
        "seconds": answer.seconds,
        "run_id": answer.run_id,
        "place": answer.place,
    }


def _cut(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = str(value)
    if isinstance(value, str) and len(value) > CELL_LENGTH_SHOWN:
        return value[:CELL_LENGTH_SHOWN] + "…"
    return value


def _problem(error: SnowmeltError, sql: str) -> Document:
    """Return what is wrong, with the line and a caret below the place."""
    position = getattr(error, "position", None)
    found: Document = {
        "told": error.problem[:1].upper() + error.problem[1:],
        "remedy": error.remedy,
        "at": position,
        "line": None,
        "shown": "",
    }
    if position is not None and position <= len(sql):
        before = sql[:position].split("\n")
        line = sql.split("\n")[len(before) - 1]
        start = max(0, len(before[-1]) - 60)
        piece = line[start : start + 100].replace("\t", " ")
        found["line"], found["column"] = len(before), len(before[-1]) + 1
        found["shown"] = f"{piece}\n{' ' * (len(before[-1]) - start)}^"
    return found


def _examples(tables: Document) -> list[Document]:
    """Return queries to begin with."""
    names = [
        f"{schema['name']}.{table['name']}"
        for schema in tables["schemas"]
        for table in schema["tables"]
    ]
    asked = [(f"The first rows of {name}", _first_rows(name)) for name in names]
    chosen = asked[:2]
    if "snowmelt.load_history" in names:
        chosen.append(
            (
                "Rows by day and pipe",
                "select last_load_time::date as day, pipe_name,\n"
                "    sum(row_count) as loaded\nfrom snowmelt.load_history\n"
                "group by all\norder by day desc, 2",
            )
        )
    return [
        {"told": told, "sql": sql, "href": "/sql?" + urlencode({"q": sql})}
        for told, sql in chosen
    ]


def _first_rows(name: str) -> str:
    return f"select *\nfrom {name}\nlimit 100"


async def show_columns(site: Site, questions: Questions, request: Request) -> Response:
    """Answer `/sql/columns`: what one table has."""
    role, name = identity_of(request).role, request.query_params.get("table", "")
    try:
        columns = await run_in_threadpool(partial(questions.columns, role, name))
    except SnowmeltError as error:
        return refusal(404, error.problem)
    first = "/sql?" + urlencode({"q": _first_rows(name)})
    html = site.render("sql_columns.html", columns=columns, name=name, first=first)
    return HTMLResponse(html)


async def show_card(site: Site, questions: Questions, request: Request) -> Response:
    """Answer `/sql/card`: a query as a card of a dashboard."""
    role, sql = identity_of(request).role, _query(request)
    try:
        text = await run_in_threadpool(partial(questions.card, role, sql))
    except SnowmeltError as error:
        return refusal(422, error.problem, error.remedy)
    return HTMLResponse(site.render("sql_card.html", text=text))


async def download(site: Site, questions: Questions, request: Request) -> Response:
    """Answer `/sql/answer.KIND`: all rows, as far as a download may have them."""
    del site
    kind, sql = request.path_params["kind"], _query(request)
    if kind not in KINDS:
        return refusal(404, "there is no such file", "answer.csv, .xlsx or .parquet")
    stack = ExitStack()
    role = identity_of(request).role
    try:
        opening = questions.download(role, sql, kind)
        made = await run_in_threadpool(stack.enter_context, opening)
    except SnowmeltError as error:
        status = 403 if isinstance(error, UsageError) and not sql else told_of(error)
        return refusal(status, error.problem, error.remedy)
    return _File(made, stack, kind)


class _File(FileResponse):
    """A file that is removed however its sending ends."""

    def __init__(self, made: Download, stack: ExitStack, kind: str) -> None:
        self._stack = stack
        headers = {"X-Snowmelt-Run": made.run_id or ""}
        super().__init__(
            made.path,
            headers=headers,
            media_type=KINDS[kind],
            filename=f"answer.{kind}",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._stack.close)
