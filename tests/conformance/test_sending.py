"""Files sent to a target: whole, once, and again under the same name."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from s3_server import Bucket, S3Server, started_server
from shipped import TARGET
from snowflake_gate import problems
from snowmelt.cli import main
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.sending import Sending, Sent
from snowmelt.deploy.snowflake.session import Row
from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.landing.s3_upload import LandOptions
from snowmelt.project.project import Project, load_project

_TO = ("--target", "prod", "--into", "orders", "--project-dir")
ORDERS = """name: orders
pattern: orders/*.csv
contract: {columns: [{name: id, type: integer}]}
"""


SALES = """name: sales
pattern: orders/*.json
file_format: {type: json}
contract: {columns: [{name: id, type: integer}]}
"""


@dataclass
class Pipes:
    """An account whose pipe knows some names; it tells which files were copied."""

    known: set[str] = field(default_factory=set)
    status: str = "LOADED"
    statements: list[str] = field(default_factory=list)
    signed_in: int = 0
    dies: bool = False

    def sign_in(self) -> Pipes:
        self.signed_in += 1
        return self

    def rows(self, statement: str) -> list[Row]:
        self.statements.append(statement)
        if "COPY_HISTORY" in statement:
            return [{"file_name": f"raw/{name}"} for name in sorted(self.known)]
        assert statement.startswith("COPY INTO SHOP.BRONZE.ORDERS__ALL")
        if self.dies:
            raise KeyboardInterrupt
        return [{"file": "f", "status": self.status, "first_error": "no number"}]

    def close(self) -> None:
        """Nothing is open."""

    @property
    def copied(self) -> list[str]:
        return [each for each in self.statements if each.startswith("COPY")]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        yield running


@dataclass
class Sender:
    project: Project
    bucket: Bucket
    pipes: Pipes
    moved: Mapping[str, str] = field(default_factory=dict)

    def write(self, name: str, body: bytes) -> Path:
        path = self.project.root / "out" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        return path

    def send(self, **files: bytes) -> Sent:
        paths = [self.write(f"{name}.csv", body) for name, body in files.items()]
        names = names_of(self.project, "prod")
        sending = Sending(
            self.project,
            names,
            SystemClock(),
            self.pipes.sign_in,
            lambda _: self.moved,
        )
        return sending.send(paths, LandOptions("orders"), None)


@pytest.fixture
def sender(tmp_path: Path, server: S3Server) -> Sender:
    bucket = server.make_bucket()
    aws = {**TARGET["aws"], "bucket": bucket.name, "endpoint": server.url}
    settings = {
        "version": 1,
        "name": "shop",
        "targets": {"prod": {**TARGET, "aws": aws}},
    }
    (tmp_path / "pipes").mkdir()
    (tmp_path / "snowmelt.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "pipes/orders.yml").write_text(ORDERS)
    (tmp_path / "pipes/sales.yml").write_text(SALES)
    return Sender(load_project(tmp_path), bucket, Pipes())


@pytest.mark.long
def test_new_files_need_no_account(sender: Sender) -> None:
    sent = sender.send(a=b"id\n1\n", b=b"id\n2\n")
    assert sent.landed == ["orders/a.csv", "orders/b.csv"]
    assert sender.bucket.keys() == ["raw/orders/a.csv", "raw/orders/b.csv"]
    assert sender.pipes.signed_in == 0


def test_another_content_under_a_known_name_is_copied_beside_the_pipe(
    sender: Sender,
) -> None:
    sender.send(a=b"id\n1\n", b=b"id\n2\n")
    sender.pipes.known = {"orders/a.csv", "orders/b.csv"}
    sent = sender.send(a=b"id\n9\n", b=b"id\n2\n", c=b"id\n3\n")
    assert (sent.landed, sent.unchanged, sent.again) == (
        ["orders/a.csv", "orders/c.csv"],
        ["orders/b.csv"],
        ["orders/a.csv"],
    )
    assert sender.bucket.body("raw/orders/a.csv") == b"id\n9\n"
    [copy] = sender.pipes.copied
    assert "FILES = ('orders/a.csv')" in copy
    assert "_FILE = METADATA$FILENAME" in copy
    for statement in sender.pipes.statements:
        assert not problems(statement), statement


@pytest.mark.long
def test_what_the_pipe_does_not_know_it_copies_itself(sender: Sender) -> None:
    sender.send(a=b"id\n1\n")
    sent = sender.send(a=b"id\n2\n")
    assert sent.landed == ["orders/a.csv"]
    assert not sent.again
    assert not sender.pipes.copied


def test_stopped_between_put_and_copy_it_is_copied_the_next_time(
    sender: Sender,
) -> None:
    sender.send(a=b"id\n1\n")
    sender.pipes.known, sender.pipes.dies = {"orders/a.csv"}, True
    with pytest.raises(KeyboardInterrupt):
        sender.send(a=b"id\n2\n")
    sender.pipes.dies = False
    sent = sender.send(a=b"id\n2\n")
    assert (sent.unchanged, sent.again) == (["orders/a.csv"], ["orders/a.csv"])
    sender.send(a=b"id\n2\n")
    assert len(sender.pipes.copied) == 2


@pytest.mark.long
def test_a_file_that_was_moved_is_not_sent_again(sender: Sender) -> None:
    content = hashlib.sha256(b"id\n1\n").hexdigest()
    sender.moved = {"orders/a.csv": content}
    assert sender.send(a=b"id\n1\n").unchanged == ["orders/a.csv"]
    assert not sender.bucket.keys()
    assert sender.send(a=b"id\n2\n").landed == ["orders/a.csv"]


@pytest.mark.long
def test_a_file_whose_copy_fails_is_named(sender: Sender) -> None:
    sender.send(a=b"id\n1\n")
    sender.pipes.known, sender.pipes.status = {"orders/a.csv"}, "LOAD_FAILED"
    with pytest.raises(SnowmeltError, match="LOAD_FAILED: no number"):
        sender.send(a=b"id\nx\n")


def test_json_by_column_is_refused_before_anything_is_put(sender: Sender) -> None:
    """Snowpipe would take it for one record; here it is two."""
    good = sender.write("good.json", b'{"id": 1}\n{"id": 2}\n')
    by_column = b'{"id": {"0": 1, "1": 2}}'
    plain = sender.write("plain.json", by_column)
    packed = sender.write("packed.json", gzip.compress(by_column))
    nobodys = sender.write("nobodys.txt", by_column)
    names, known = names_of(sender.project, "prod"), dict[str, str]()
    sending = Sending(
        sender.project, names, SystemClock(), sender.pipes.sign_in, lambda _: known
    )
    with pytest.raises(UsageError) as told:
        sending.send([good, plain, packed], LandOptions("orders"), None)
    assert told.value.where == str(plain)
    assert "take all of it for one record" in told.value.problem
    assert str(packed) in told.value.problem
    assert "lines=True" in told.value.remedy
    assert not sender.bucket.keys()
    sent = sending.send([good, nobodys], LandOptions("orders"), None)
    assert sent.landed == ["orders/good.json", "orders/nobodys.txt"]


@pytest.mark.long
def test_the_command_says_what_became_of_each(
    sender: Sender, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "connect", lambda *_: sender.pipes)
    sender.pipes.known = {"orders/a.csv"}

    def says(*words: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            main(["land", *words, *_TO, str(sender.project.root), "--json"])
        assert not ended.value.code
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    path = str(sender.write("a.csv", b"id\n1\n"))
    assert says(path)["landed"] == ["orders/a.csv"]
    assert says(path)["unchanged"] == ["orders/a.csv"]
    sender.write("a.csv", b"id\n2\n")
    assert says(path)["copied_again"] == ["orders/a.csv"]
