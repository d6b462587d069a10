"""From a project on this machine to the same rows of bronze in an account.

What Snowpipe would load is written row by row: the rows, files, versions and contents
that the project loaded itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from doubles import Account

from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.resource import Mark, Owner
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.table import Table, View
from snowmelt.pipe.version import version_at
from snowmelt.project.project import Project, load_project
from snowmelt.service.commands import OwnCommands

AT_ONCE = 100
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
NOT_COMPARED = ("_load_seq",)
"""A load has a position in commit order here, and its time there."""
TARGET = {
    "type": "snowflake",
    "account": "myorg-test",
    "user": "DEPLOYER",
    "key_path": "${SHOP_KEY}",
    "aws": {
        "account": "123456789012",
        "region": "eu-central-1",
        "bucket": "shop-landing",
        "prefix": "raw",
    },
}
_LOADED = """
select {columns}, loaded._file, loaded._file_row, history.content_sha256,
    loaded._loaded_at, loaded._version_at, loaded._replayed_from
from bronze."{table}__all" as loaded
join snowmelt.load_history as history on history.load_seq = loaded._load_seq
where loaded._load_seq > {after}
order by loaded._load_seq, loaded._file_row
"""


@dataclass
class Shipped:
    """A project whose bronze is in an account, too."""

    root: Path
    account: Account
    shipped: int = 0
    folder: str = "raw/"
    """The bucket's folder that the stage is."""
    names: Names = field(init=False)
    project: Project = field(init=False)

    def __post_init__(self) -> None:
        with (self.root / "snowmelt.yml").open("a") as settings:
            settings.write(yaml.safe_dump({"targets": {"prod": TARGET}}))
        self.project = load_project(self.root)
        self.names = names_of(self.project, "prod")

    @property
    def database(self) -> str:
        return self.names.database

    def prepare(self) -> None:
        """Make what models read: bronze, as `deploy` defines it."""
        self.account.rows(f"create database {self.database}")
        for schema in ("bronze", "silver", "gold", "snowmelt"):
            self.account.rows(f"create schema {self.database}.{schema}")
        mark = Mark(Owner(self.project.settings.name, "prod"), "test")
        for each in manifest(self.project, self.names, Findings(self.root)):
            if isinstance(each, Table | View):
                for statement in each.create(mark):
                    self.account.rows(statement)

    def ship(self, commands: OwnCommands) -> None:
        """Write there what was loaded here since the last time."""
        (last,) = commands.query(
            "select coalesce(max(load_seq), 0) from snowmelt.load_history", None
        )["rows"][0]
        for pipe in self.project.pipes:
            columns = [(each.name, each.type) for each in pipe.contract.columns]
            listed = ", ".join(f'cast("{name}" as varchar)' for name, _ in columns)
            rows = commands.query(
                _LOADED.format(
                    columns=listed, table=pipe.table_name, after=self.shipped
                ),
                None,
            )["rows"]
            table = f"{self.database}.bronze.{pipe.table_name}__all"
            for start in range(0, len(rows), AT_ONCE):
                written = [
                    _row(each, columns, self.folder)
                    for each in rows[start : start + AT_ONCE]
                ]
                names = [name for name, _ in columns]
                self.account.rows(
                    f"insert into {table} ({', '.join(names)}, _file, _file_row, "
                    "_content_key, _version_at, _loaded_at, _replayed_from) "
                    + " union all ".join(written)
                )
        self.shipped = last


def _row(values: Sequence[Any], columns: Sequence[tuple[str, str]], folder: str) -> str:
    own = [
        f"parse_json({_text(value)})" if kind == "json" and value else _text(value)
        for value, (_, kind) in zip(values, columns, strict=False)
    ]
    file, row, content, loaded_at, version, replayed = values[len(columns) :]
    loaded, written = (
        str(each).replace("T", " ").split("+")[0] for each in (loaded_at, version)
    )
    if version_at(file, NEVER) is not NEVER:
        written = loaded  # its version is of the date in its path
    return "select " + ", ".join(
        [
            *own,
            _text(f"{folder}{file}"),
            str(row),
            _text(content),
            f"{_text(written)}::timestamp_ntz",
            f"{_text(loaded)}::timestamp_ltz",
            "null" if replayed is None else str(replayed),
        ]
    )


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


Rows = list[list[str | None]]


def here(commands: OwnCommands, table: str) -> tuple[list[str], Rows]:
    """Return a table's columns, and its rows as text, sorted."""
    schema, name = table.split(".")
    columns = [
        column
        for (column,) in commands.query(
            "select column_name from information_schema.columns where "
            f"table_schema = '{schema}' and table_name = '{name}' "
            "order by ordinal_position",
            None,
        )["rows"]
        if column not in NOT_COMPARED
    ]
    listed = ", ".join(f'cast("{column}" as varchar)' for column in columns)
    rows = commands.query(f"select {listed} from {table}", None)["rows"]
    return columns, ordered(rows)


def there(shipped: Shipped, table: str, columns: Sequence[str]) -> Rows:
    """Return the same of the account."""
    listed = ", ".join(f"to_varchar({column})" for column in columns)
    name = f"{shipped.database}.{table}"
    return ordered(shipped.account.rows(f"select {listed} from {name}"))


def ordered(rows: Rows) -> Rows:
    """Sort rows; a zone that every time has is left out."""
    plain = [
        [None if each is None else each.removesuffix("+00") for each in row]
        for row in rows
    ]
    return sorted(plain, key=lambda row: [(each is None, each or "") for each in row])
