"""docs/how-to/go-to-snowflake.md, walked by somebody new: each command as it stands.

A project is made, moved to both clouds, built there, given files, followed and taken
down. What the page shows of an answer is in the answer, line by line; after each run
every table of silver and gold has the rows that this machine makes of the same files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from doubles import LACKING, PYTHON, Account, DoubleSession, running_account
from whole_account import Bucket, Snowpipe, WholeAccount

from aws_cloud import mend_moto
from s3_server import S3Server, started_server, wait_until
from snowmelt.cli import main
from snowmelt.deploy import opening
from snowmelt.deploy.running import runner
from snowmelt.deploy.running.runner import Runner
from walked_page import Command, blocks, commands

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
BUCKET = "my-landing"
NEW_FILE = Path("sales_2024-05-05.json")
SALE = (
    '{{"sale_id": 9001, "customer_id": 1, "product_id": 1, "quantity": {quantity}, '
    '"sale_date": "2024-05-05"}}\n'
)


@pytest.fixture
def server() -> Iterator[S3Server]:
    with started_server() as running, pytest.MonkeyPatch.context() as patch:
        mend_moto(patch)
        yield running


@pytest.fixture
def double() -> Iterator[Account]:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    with running_account() as running:
        yield running


class Walk:
    """Somebody at a terminal, with both clouds."""

    def __init__(
        self,
        account: WholeAccount,
        snowpipe: Callable[[], Snowpipe],
        capsys: pytest.CaptureFixture[str],
        endpoint: str,
    ) -> None:
        self.account = account
        self.digest = ""
        self.walked: list[str] = []
        self.compared = 0
        self._begin_pipe = snowpipe
        self._pipe: Snowpipe | None = None
        self._capsys = capsys
        self._endpoint = endpoint

    def take(self, command: Command) -> None:
        """Do what a command of the page does, and hold its answer against the page."""
        words = command.with_digest(self.digest)
        program, *given = words
        if program == "snowmelt":
            command.require_shown(self._says(given))
            self._after(given)
        elif program == "cd":
            os.chdir(given[0])
            self._write_target()
        elif program == "cp":
            shutil.copytree(Path(given[1]), Path(given[2]) / Path(given[1]).name)
        elif program == "vi":
            self._edit(given[0])
        else:
            assert program == "pip", words

    def _says(self, words: list[str]) -> list[str]:
        """Run a command of ours; the digest of the page is that of the plan before."""
        follows = words[0] == "up"
        stopped = threading.Thread(target=self._stop_when_built) if follows else None
        if stopped is not None:
            stopped.start()
        with pytest.raises(SystemExit) as ended:
            main(words)
        if stopped is not None:
            stopped.join()
        out, err = self._capsys.readouterr()
        assert ended.value.code in (0, None), (words, err)
        told = re.search(r"Plan ([0-9a-f]{12})\.", out)
        self.digest = told[1] if told else self.digest
        self.walked.append(words[0])
        return [*err.splitlines(), *out.splitlines(), *err.splitlines()]

    def _after(self, words: list[str]) -> None:
        """What goes on in the clouds meanwhile."""
        if words[0] == "migrate" and "--dry-run" not in words:
            self._pipe = self._begin_pipe()
        if words[0] == "land":
            assert self._pipe is not None
            self._pipe.look()
        if words[0] == "dashboards":
            assert self._pipe is not None
            self._pipe.require_same_board(json.loads(self._said([*words, "--json"])))
        if words[0] in ("run", "up") and "--target" in words:
            assert self._pipe is not None
            self.compared += self._pipe.require_same()

    def _said(self, words: list[str]) -> str:
        """Run a command of ours beside the page; return what it says."""
        with pytest.raises(SystemExit):
            main(words)
        return self._capsys.readouterr().out

    def _stop_when_built(self) -> None:
        """Press Ctrl-C once what was copied was built."""
        built = (
            "SELECT COUNT(*) AS N FROM SHOP.SNOWMELT.PIPELINE_LOG WHERE STEP = 'run'"
        )
        before = self.account.rows(built)[0]["n"]
        try:
            wait_until(lambda: self.account.rows(built)[0]["n"] != before, 240)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def _write_target(self) -> None:
        """Say where, as the page does; our cloud has another address."""
        target = blocks("yaml")[0].replace(
            "region: eu-central-1",
            f"region: eu-central-1, endpoint: '{self._endpoint}'",
        )
        with Path("snowmelt.yml").open("a") as settings:
            settings.write(f"\n{target}")
        NEW_FILE.write_text(SALE.format(quantity=3))

    def _edit(self, name: str) -> None:
        path = Path(name)
        if path == NEW_FILE:
            path.write_text(SALE.format(quantity=5))
        else:
            with path.open("a") as settings:
                settings.write("    runner: service\n")


@pytest.fixture
def walk(
    tmp_path: Path,
    server: S3Server,
    double: Account,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Walk:
    key = tmp_path / "key.pem"
    key.write_bytes(private_key(b"secret"))
    monkeypatch.setenv("DEPLOY_KEY", str(key))
    monkeypatch.setenv("DEPLOY_KEY_PASS", "secret")
    monkeypatch.chdir(tmp_path)
    bucket = Bucket(BUCKET, server.s3, server.url)
    bucket.share(double)
    account = WholeAccount(DoubleSession(double, "user"), bucket)
    dbt = Path(__file__).with_name("connected_dbt.py")
    command = (str(PYTHON), str(dbt), str(double.port))
    monkeypatch.setattr(opening, "connect", lambda *_: account)
    monkeypatch.setattr(runner, "require_dbt", lambda: None)
    monkeypatch.setattr(runner, "Runner", partial(Runner, command=command))

    def snowpipe() -> Snowpipe:
        return Snowpipe.beside(tmp_path / "shop", account, bucket, double)

    return Walk(account, snowpipe, capsys, server.url)


def private_key(passphrase: bytes) -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )


def test_the_whole_page_can_be_walked(walk: Walk) -> None:
    for command in commands():
        walk.take(command)
    walked = {"init", "deploy", "migrate", "land", "run", "up", "dashboards"}
    assert walked <= set(walk.walked)
    assert walk.compared
    assert not [name for noun, name in walk.account.things if noun == "DATABASE"]
