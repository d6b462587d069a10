"""A project with a pipe of every kind, loaded into, to be moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from small_shop import Shop, columns, open_shop

from moved_account import MovedAccount, read_there
from s3_server import S3Server
from shipped import TARGET
from snowmelt.clock import SystemClock
from snowmelt.deploy.migration.migration import Manner, Migration
from snowmelt.deploy.migration.opening import open_migration
from snowmelt.deploy.migration.proof import Proof
from snowmelt.service.commands import OwnCommands

BUCKET = "moved"
SMALL = Manner(rows_max=2)
PIPES: list[dict[str, Any]] = [
    {
        "name": "orders",
        "pattern": "orders/*.csv",
        "on_error": "continue",
        "contract": columns(
            "id integer, note varchar, amount decimal(12,2), share double, "
            "day date, order timestamp, seen timestamptz, open boolean, hour time"
        ),
    },
    {
        "name": "events",
        "pattern": "events/*.json",
        "on_same_name_changed": "append",
        "file_format": {"type": "json"},
        "contract": columns("id bigint, payload json"),
    },
    {
        "name": "prices",
        "pattern": "prices/*.csv",
        "mode": "snapshot",
        "contract": columns("id integer, price decimal(10,2)"),
    },
]
HEAD = b"id,note,amount,share,day,order,seen,open,hour\n"
ORDERS = (
    HEAD
    + (
        '1,"a|~\\N, ünï ☃",1.50,0.1,2024-02-29,1969-12-31 23:59:59.5,'
        "2024-01-01 00:00:00+02,true,23:59:59.999999\n"
        "2,,-0.01,1e300,0001-01-01,2262-05-01 00:00:00,,false,\n"
        "2,,-0.01,1e300,0001-01-01,2262-05-01 00:00:00,,false,\n"
        "no,,1,1,,,,,\n"
    ).encode()
)


def compared(table: str, schema: str) -> str:
    """Return what is asked for the rows of a table that count."""
    wanted = {
        "orders": 'id, note, amount, share, day, "order", seen, open, hour',
        "events": "id, payload::varchar",
        "prices": "id, price",
    }[table]
    return f"select {wanted}, _file, _file_row::bigint from {schema}.{table}"


@dataclass
class Move:
    """A project here, its bucket, its account."""

    shop: Shop
    server: S3Server

    def migration(self, manner: Manner = SMALL) -> Migration:
        project = self.shop.parts.project
        names = self.account_names
        local = OwnCommands(self.shop.loop, serving=False)
        return open_migration(
            project, names, self.account, local, SystemClock(), manner
        )

    def __post_init__(self) -> None:
        self.account = MovedAccount(self._body, lying=self._keys)
        self.account_names = self.account.deploy(self.shop.parts.project)

    def _body(self, key: str) -> bytes:
        answer = self.server.s3.get_object(Bucket=BUCKET, Key=key)
        content: bytes = answer["Body"].read()
        return content

    def _keys(self, beginning: str) -> list[str]:
        told = self.server.s3.list_objects_v2(Bucket=BUCKET, Prefix=beginning)
        return [each["Key"] for each in told.get("Contents", ())]

    def move(self, manner: Manner = SMALL) -> dict[str, Proof]:
        migration = self.migration(manner)
        plan = migration.plan()
        migration.ship(plan, lambda *_: None)
        return {each.name: each for each in migration.prove(plan)}

    def require_moved(self, manner: Manner = SMALL) -> None:
        assert all(each.is_alike for each in self.move(manner).values())

    def here(self, table: str) -> list[tuple[Any, ...]]:
        """Rows that count here, JSON as the account writes it."""
        rows = self.shop.rows(compared(table, "bronze"))
        if table == "events":
            rows = [
                (number, None if said is None else read_there(said)[0], *rest)
                for number, said, *rest in rows
            ]
        return sorted(rows, key=repr)

    def there(self, table: str) -> list[tuple[Any, ...]]:
        return sorted(self.account.ask(compared(table, "shop.bronze")), key=repr)

    def require_same(self) -> None:
        for table in ("orders", "events", "prices"):
            assert self.here(table) == self.there(table), table


@contextmanager
def opened_shop(
    root: Path,
    server: S3Server,
    pipes: list[dict[str, Any]] = PIPES,
    **settings: Any,
) -> Iterator[Shop]:
    """Open a project whose target's bucket is on a server."""
    aws = {**TARGET["aws"], "bucket": BUCKET, "endpoint": server.url}
    target = {**TARGET, "prefix": "shop", "aws": aws}
    with open_shop(root, pipes, targets={"prod": target}, **settings) as shop:
        yield shop


def fill(shop: Shop) -> None:
    """Load files; correct, copy and replace some."""
    shop.land("orders/a.csv", ORDERS)
    shop.land("orders/b.csv", HEAD + b"3,first,,,,,,,\n4,gone,,,,,,,\n")
    shop.land("events/e.json", b'{"id": 1, "payload": {"b": [1, "\\u2603"]}}\n')
    shop.land("prices/1.csv", b"id,price\n1,2.50\n2,3\n")
    shop.load()
    shop.land("orders/b.csv", HEAD + b"3,second,,,,,,,\n")
    shop.land("orders/a copy.csv", ORDERS)
    shop.land("events/e.json", b'{"id": 2, "payload": null}\n')
    shop.land("prices/2.csv", b"id,price\n1,2.75\n")
    shop.load()
