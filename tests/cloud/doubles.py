"""The double of an account, run as a server in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ports import free_port
from snowmelt.deploy.snowflake.session import AccountError, Row

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("SNOWMELT_CLOUD_PYTHON", ROOT / ".venv-cloud/bin/python"))
LACKING = "the environment of these tests is made by: make test-cloud"
_NEVER = threading.Event()
_START_SECONDS = 60.0


class RefusedError(Exception):
    """The account refused a statement."""


class Account:
    """An account that a test asks over HTTP, and dbt by its own connector."""

    def __init__(self, port: int) -> None:
        self.port = port

    def rows(self, statement: str) -> list[list[str | None]]:
        """Carry out a statement; values come as text."""
        rows: list[list[str | None]] = self.ask(statement)["rows"]
        return rows

    def named_rows(self, statement: str) -> list[dict[str, str | None]]:
        """Carry out a statement; rows come by the names of columns."""
        told = self.ask(statement)
        return [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]

    def ask(self, statement: str, session: str = "session") -> dict[str, Any]:
        """Carry out a statement on a session; columns and rows come back."""
        return self._post(f"sql?session={session}", statement)

    def use_bucket(self, url: str) -> None:
        """Say where the stage's files lie."""
        self._post("bucket", url)

    def use_zone(self, name: str) -> None:
        """Say in which time zone sessions are that say none themselves."""
        self._post("zone", name)

    def stop_clients(self, before: str) -> bool:
        """Refuse all that clients send from a statement with this text on.

        An empty text lets them go on. Returns whether they had been stopped.
        """
        return bool(self._post("stop", before)["gone"])

    def _post(self, what: str, body: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/double/{what}"
        asked = urllib.request.Request(url, body.encode(), method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                document: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{error.read().decode()}: {body}") from None
        return document

    def write_profile(self, folder: Path, database: str, schema: str) -> None:
        """Write a dbt profile that leads here."""
        output = {
            "type": "snowflake",
            "account": "test",
            "user": "x",
            "password": "x",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "database": database,
            "schema": schema,
            "warehouse": "W",
            "threads": 1,
        }
        profile = {"snowmelt": {"target": "prod", "outputs": {"prod": output}}}
        folder.mkdir(exist_ok=True)
        (folder / "profiles.yml").write_text(yaml.safe_dump(profile))


@dataclass(frozen=True)
class DoubleSession:
    """A session of its own, as deploy and runs have one."""

    account: Account
    name: str

    def rows(self, statement: str) -> list[Row]:
        try:
            answer = self.account.ask(statement, self.name)
        except RefusedError as error:
            raise AccountError(statement, 0, str(error)) from None
        names = answer["columns"]
        return [dict(zip(names, row, strict=True)) for row in answer["rows"]]


@contextmanager
def running_account() -> Iterator[Account]:
    """Run an account until the block ends."""
    port = free_port()
    double = Path(__file__).with_name("double.py")
    process = subprocess.Popen([PYTHON, double, str(port)])
    account = Account(port)
    try:
        waited = 0.0
        while not _answers(account):
            assert process.poll() is None, "the double ended"
            assert waited < _START_SECONDS, "the double does not answer"
            _NEVER.wait(0.2)
            waited += 0.2
        yield account
    finally:
        process.terminate()
        process.wait()


def _answers(account: Account) -> bool:
    try:
        return account.rows("select 1") == [["1"]]
    except OSError:
        return False


def run_dbt(root: Path, profiles: Path, *words: str) -> str:
    """Run dbt with its adapter for Snowflake; what it says when it fails is raised."""
    dbt = str(PYTHON.with_name("dbt"))
    ended = subprocess.run(
        [
            *(dbt, "--no-use-colors", *words, "--target", "prod"),
            *("--profiles-dir", str(profiles), "--project-dir", str(root)),
            *("--target-path", str(profiles / "target")),
        ],
        env=os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = ended.stdout.partition("Completed with")[2][:4000] or ended.stdout[-4000:]
    assert ended.returncode == 0, told + ended.stderr[-1000:]
    return ended.stdout
