"""A project that is moved is the same on a double of an account.

Statements go through Snowflake's reader of the double (fakesnow), files through a
bucket; the tables are those that `deploy` defines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from doubles import LACKING, PYTHON, Account, RefusedError, running_account
from moved_project import BUCKET, HEAD, fill, opened_shop
from small_shop import Shop

from s3_server import started_server
from snowmelt.clock import SystemClock
from snowmelt.deploy.migration.migration import Manner
from snowmelt.deploy.migration.opening import open_migration
from snowmelt.deploy.migration.proof import Proof
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.resource import Mark, Owner
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.session import AccountError, Row
from snowmelt.deploy.snowflake.table import Table, View
from snowmelt.service.commands import OwnCommands

_OPEN = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        }
    ]
}
"""The double signs nothing."""
pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]


@dataclass
class DoubleSession:
    """The port to an account, over a double of one."""

    account: Account

    def rows(self, statement: str) -> list[Row]:
        try:
            return list(self.account.named_rows(statement))
        except RefusedError as error:
            raise AccountError(statement, 0, str(error)) from None


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    with running_account() as running:
        yield running


def deployed(shop: Shop, account: Account) -> None:
    """Make the tables and views that the project wants."""
    project = shop.parts.project
    names = names_of(project, "prod")
    account.rows(f"create database {names.database}")
    for schema in ("bronze", "snowmelt"):
        account.rows(f"create schema {names.database}.{schema}")
    mark = Mark(Owner(project.settings.name, "prod"), "test")
    for each in manifest(project, names, Findings(project.root)):
        if isinstance(each, Table | View):
            for statement in each.create(mark):
                account.rows(statement)


def moved(shop: Shop, account: Account) -> dict[str, Proof]:
    project = shop.parts.project
    migration = open_migration(
        project,
        names_of(project, "prod"),
        DoubleSession(account),
        OwnCommands(shop.loop, serving=False),
        SystemClock(),
        Manner(rows_max=2),
    )
    plan = migration.plan()
    migration.ship(plan, lambda *_: None)
    return {each.name: each for each in migration.prove(plan)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, account: Account) -> Iterator[Shop]:
    with started_server() as server:
        server.s3.create_bucket(Bucket=BUCKET)
        server.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(_OPEN))
        account.use_bucket(f"{server.url}/{BUCKET}/raw/")
        with opened_shop(tmp_path_factory.mktemp("moved"), server) as opened:
            fill(opened)
            deployed(opened, account)
            yield opened


def test_what_is_here_is_there(shop: Shop, account: Account) -> None:
    proofs = moved(shop, account)
    assert all(each.is_alike for each in proofs.values()), proofs
    assert all(each.live is None or each.live[1].rows for each in proofs.values())
    shop.land("orders/b.csv", HEAD + b"3,third,,,,,,,\n")
    shop.load()
    proofs = moved(shop, account)
    assert all(each.is_alike for each in proofs.values()), proofs
    account.rows("update shop.bronze.orders__all set note = 'x' where id = 3")
    assert not moved(shop, account)["orders"].is_alike


def test_json_that_changed_there_is_found(shop: Shop, account: Account) -> None:
    """Its text in the stage is asked for there, and its value beside that."""
    events = moved(shop, account)["events"]
    assert events.is_alike, events
    assert events.values is not None
    assert events.values.both[0] == events.values.both[1]
    assert events.values.both[0].rows == 1
    account.rows(
        "update shop.bronze.events__all set payload = parse_json('{\"b\":[2]}') "
        "where id = 1"
    )
    events = moved(shop, account)["events"]
    assert not events.is_alike
    assert events.shipped[0] == events.shipped[1]
    assert events.values is not None
    assert events.values.others is not None
    [other] = events.values.others
    assert (other.file, other.rows) == ("events/e.json", (("payload", 1),))
