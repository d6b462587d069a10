"""Snowflake's own connector over loopback, and sessions that end: `python … SRC`.

Here is as much of the protocol as signing in, one row, renewing, and cancelling take:
what the connector makes of an answer, the connector alone can tell. What was met is
written to stdout as JSON.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

import snowflake.connector

ENDED = ("390104", "390111", "390112", "390113", "390114")
ROW = {
    "parameters": [],
    "rowtype": [
        {"name": "N", "type": "text", "nullable": True, "length": 10, "byteLength": 10}
        | {"precision": None, "scale": None}
    ],
    "rowset": [["1"]],
    "total": 1,
    "returned": 1,
    "queryId": "01",
    "queryResultFormat": "json",
    "statementTypeId": 4096,
    "version": 1,
}
EXPIRED = "Authentication token has expired.  The user must authenticate again."


class There:
    """The state of the account: how often somebody signed in, and what was sent."""

    def __init__(self) -> None:
        self.sessions = 0
        self.over: dict[str, str] = {}
        self.sent: list[tuple[str, str]] = []
        self.renewed = 0
        self.cancelled = threading.Event()
        self.cancels = 0

    def end(self, number: str) -> None:
        """Let the newest session be over, and be told so by this number."""
        self.over[f"s{self.sessions}"] = number

    def answer(self, path: str, body: dict[str, Any], token: str) -> dict[str, Any]:
        if "login-request" in path:
            self.sessions += 1
            name = str(self.sessions)
            return _fine(token=f"s{name}", masterToken=f"m{name}", parameters=[])
        if "token-request" in path:
            self.renewed += 1
            return _off("390114", EXPIRED)
        if "abort-request" in path:
            self.cancels += 1
            self.cancelled.set()
            return _fine()
        if "query-request" not in path:
            return _fine()
        session = token.partition('"')[2].rstrip('"')
        self.sent.append((session, body["sqlText"]))
        if session in self.over:
            return _off(self.over[session], "Session no longer exists.")
        if "SLOWLY" in body["sqlText"]:
            self.cancelled.wait(20)
            return _off("000604", "SQL execution canceled")
        return _fine(**ROW)


def _fine(**data: Any) -> dict[str, Any]:
    return {"success": True, "code": None, "message": None, "data": data}


def _off(number: str, told: str) -> dict[str, Any]:
    return {"success": False, "code": number, "message": told, "data": {}}


def handler(there: There) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            token = self.headers.get("Authorization") or ""
            told = there.answer(self.path, json.loads(body or b"{}"), token)
            answer = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

    return Handler


def met(there: There) -> dict[str, Any]:
    """Ask over sessions that end, by each number; return what came of it."""
    from snowmelt.clock import SystemClock
    from snowmelt.errors import UnreachableError
    from snowmelt.snowflake import Connection, Login, Patience, RefusedError

    login = Login("account", "U", "R", token="t")
    connection = Connection(login, SystemClock())
    found: dict[str, Any] = {"asked": {}, "not_sent_again": {}}
    for number in ENDED:
        connection.rows("SELECT 1")
        there.end(number)
        sessions, sent = there.sessions, len(there.sent)
        rows = connection.rows("SELECT 1")
        found["asked"][number] = [
            rows,
            there.sessions - sessions,
            len(there.sent) - sent,
        ]
        there.end(number)
        sent = len(there.sent)
        try:
            connection.rows("INSERT INTO T SELECT 1")
        except UnreachableError as error:
            found["not_sent_again"][number] = [len(there.sent) - sent, error.problem]
    connection.rows("SELECT 1")
    connection._connection.close()
    found["closed"] = connection.rows("SELECT 1")
    hasty = Login("account", "U", "R", token="t", patience=Patience(network_seconds=1))
    sent = len(there.sent)
    try:
        Connection(hasty, SystemClock()).rows("INSERT SLOWLY")
    except RefusedError as error:
        found["cancelled"] = [error.number, len(there.sent) - sent, there.cancels]
    return found | {"renewed": there.renewed}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    there = There()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(there))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    real = snowflake.connector.connect

    def connect(**given: Any) -> Any:
        del given["authenticator"], given["token"]
        port = server.server_address[1]
        ours = {"host": "127.0.0.1", "port": port, "protocol": "http", "password": "x"}
        return real(**given, **ours)

    with mock.patch.object(snowflake.connector, "connect", connect):
        sys.stdout.write(json.dumps(met(there)))
    server.shutdown()


if __name__ == "__main__":
    main()
