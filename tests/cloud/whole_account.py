"""Both sides of a target at once: what deploy makes there, and the rows it holds.

An account in memory knows objects and their history; the double that dbt speaks to has
the rows. Snowpipe is played by a project on this machine (`Snowpipe`): a file of the
bucket is put into its landing, and what it loads is written there row by row.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from doubles import Account, DoubleSession
from shipping import Shipped, here, there

from shop import Shop, published_tables
from snowflake_account import Thing
from snowflake_history import RememberingAccount
from snowmelt.clock import SystemClock
from snowmelt.deploy.snowflake.session import Row

FOLDER = "landing/"
_MIRROR = "mirror"
_OF_ROWS = re.compile(r"(BEGIN|COMMIT|ROLLBACK|INSERT|DELETE|UPDATE|MERGE|WITH)\b")
_ASKS_ROWS = re.compile(
    r"SELECT (?!SYSTEM\$(?!STREAM_HAS_DATA))"
    r"(?!.*(INFORMATION_SCHEMA\.(?!COLUMNS\b)|CURRENT_REGION"
    r"|^SELECT CURRENT_TIMESTAMP))",
    re.DOTALL,
)
_MAKES = re.compile(
    r"(CREATE|DROP(?! DATABASE)|ALTER)( OR (REPLACE|ALTER))?( TRANSIENT)?( SECURE)? "
    r"(DATABASE|SCHEMA|TABLE|VIEW|STREAM) "
)
_SHOWS = re.compile(r"SHOW (TABLES|VIEWS) IN DATABASE (\w+)")
_STAGED = re.compile(r"FROM '@[^/]+/([^']*[^/'])' \(FILE_FORMAT")
_NAMES = re.compile(r"FILES = \(([^)]*)\)")


class WholeAccount(RememberingAccount):
    """An account whose rows are in the double. `copy` loads files beside a pipe."""

    def __init__(self, session: DoubleSession, bucket: Bucket) -> None:
        super().__init__()
        self.bucket = f"s3://{bucket.name}/"
        self.now = SystemClock().now()
        self._session = session
        self._objects = bucket
        self.copy: Callable[[Sequence[str]], None] = lambda names: None

    def close(self) -> None:
        """A session ends; the account goes on."""

    def rows(self, statement: str) -> list[Row]:
        if _OF_ROWS.match(statement) or _ASKS_ROWS.match(statement):
            self.statements.append(statement)
            self._objects.show(_STAGED.findall(statement))
            return self._session.rows(statement)
        if statement.startswith("CREATE TEMPORARY FILE FORMAT"):
            return self._session.rows(statement)
        if statement.startswith("COPY INTO"):
            return self._copy_rows(statement)
        answer = super().rows(statement)
        if match := _SHOWS.match(statement):
            return self._with_those_of_dbt(match[1], match[2], answer)
        if _MAKES.match(statement):
            self._session.rows(statement)
        return answer

    def _copy_rows(self, statement: str) -> list[Row]:
        self.statements.append(statement)
        found = _NAMES.search(statement)
        assert found, statement
        names = re.findall(r"'([^']*)'", found[1])
        if names[0].startswith(".snowmelt/migrated/"):
            self._objects.show(names)
            return self._session.rows(statement)
        self.copy(names)
        return [{"file": each, "status": "LOADED"} for each in names]

    def _with_those_of_dbt(
        self, noun: str, database: str, ours: list[Row]
    ) -> list[Row]:
        """Add what deploy did not make; say how many rows each table has."""
        kind = "BASE TABLE" if noun == "TABLES" else "VIEW"
        made = self._session.rows(
            "SELECT table_schema, table_name "
            f"FROM {database}.information_schema.tables "
            f"WHERE table_type = '{kind}' AND table_schema <> 'INFORMATION_SCHEMA'"
        )
        shown = {(row["schema_name"], row["name"]): dict(row) for row in ours}
        for each in made:
            schema, name = str(each["table_schema"]), str(each["table_name"])
            if name.endswith("__BASE") or (noun == "VIEWS" and "__NEWS" in name):
                continue  # what the double keeps of a stream
            other = {"name": name, "schema_name": schema, "database_name": database}
            other |= {"comment": "", "owner": "SHOP_TRANSFORMER", "text": ""}
            row = shown.setdefault((schema, name), other)
            if noun == "TABLES":
                [told] = self._session.rows(
                    f'SELECT COUNT(*) AS N FROM {database}."{schema}"."{name}"'
                )
                row["rows"] = int(told["n"])
        return list(shown.values())

    def _system_pipe_status(self, name: str) -> str:
        """A pipe that is told of files by a queue, as deploy made it."""
        told = json.loads(super()._system_pipe_status(name))
        queue = "arn:aws:sqs:eu-central-1:1:sf-snowpipe"
        return json.dumps(told | {"notificationChannelName": queue})

    def pipe_of(self, name: str) -> Thing:
        """Return the pipe that takes a file."""
        [pipe] = [
            thing
            for (noun, _), thing in self.things.items()
            if noun == "PIPE" and self._matches(thing, FOLDER + name)
        ]
        return pipe


@dataclass(frozen=True)
class Bucket:
    """The bucket, as Snowflake's role reads it."""

    name: str
    s3: Any
    url: str

    def share(self, account: Account) -> None:
        """Let the double, which signs nothing, read what is shown."""
        self.s3.create_bucket(Bucket=_MIRROR)
        account.use_bucket(f"{self.url}/{_MIRROR}/")

    def show(self, names: Sequence[str]) -> None:
        """Show objects to the double."""
        for name in names:
            body = self.body(name)
            self.s3.put_object(Bucket=_MIRROR, Key=name, Body=body, ACL="public-read")

    def body(self, name: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=FOLDER + name)[
            "Body"
        ].read()
        return body

    def names(self) -> list[str]:
        """Return what lies below the stage, without what we keep there ourselves."""
        listed = self.s3.list_objects_v2(Bucket=self.name, Prefix=FOLDER)
        names = [
            each["Key"].removeprefix(FOLDER) for each in listed.get("Contents", [])
        ]
        return [each for each in names if not each.startswith(".snowmelt/")]


@dataclass
class Snowpipe:
    """Loads what lies in the bucket, a name once, by a project of its own."""

    root: Path
    account: WholeAccount
    objects: Bucket
    double: Account
    known: set[str] = field(default_factory=set)
    shipped: Shipped = field(init=False)

    @classmethod
    def beside(
        cls, project: Path, account: WholeAccount, objects: Bucket, double: Account
    ) -> Snowpipe:
        """Take over where a project was moved: what it has loaded is there already."""
        root = project.with_name("snowpipe")
        shutil.copytree(project, root, symlinks=True)
        settings = yaml.safe_load((root / "snowmelt.yml").read_text())
        del settings["targets"]
        (root / "snowmelt.yml").write_text(yaml.safe_dump(settings))
        return cls(root, account, objects, double)

    def __post_init__(self) -> None:
        self.shop = Shop(self.root)
        self.shipped = Shipped(self.root, self.double, folder=FOLDER)
        with self.shop.commands() as commands:
            asked = "select max(load_seq) from snowmelt.load_history"
            ((self.shipped.shipped,),) = commands.query(asked, None)["rows"]
        self.double.rows(f"use database {self.shipped.database}")
        self.account.copy = self.load

    def look(self) -> None:
        """Load what a pipe has not loaded yet."""
        new = [each for each in self.objects.names() if each not in self.known]
        if new:
            self.load(new)

    def load(self, names: Sequence[str]) -> None:
        """Load files, whatever is known of them."""
        for name in names:
            body, pipe = self.objects.body(name), self.account.pipe_of(name)
            self.shop.land_bytes(name, body)
            table = pipe.more["copy"]["table"]
            self.account.loads.append((table, FOLDER + name, body.decode()))
            self.account.remember_copy(
                ".".join(table),
                None if name in self.known else ".".join(pipe.name),
                FOLDER + name,
                at=SystemClock().now(),
            )
            self.known.add(name)
        with self.shop.commands() as commands:
            run = commands.run(None)["run"]
            assert run is not None
            assert run["state"] == "SUCCEEDED", json.dumps(run)
            self.shipped.ship(commands)

    def require_same_board(self, there: dict[str, Any]) -> None:
        """Require that a dashboard there shows what it shows here."""
        with self.shop.commands() as commands:
            expected = commands.dashboard(there["name"], None)
        expected = json.loads(json.dumps(expected, default=str))
        assert there["filters"] == expected["filters"]
        for one, other in zip(there["cards"], expected["cards"], strict=True):
            assert (one["card"], one["columns"]) == (other["card"], other["columns"])
            assert _rounded(one["rows"]) == _rounded(other["rows"]), one["card"]
            assert one["rows"], one["card"]

    def require_same(self) -> int:
        """Require that models there have what they have here; return how many rows."""
        compared = 0
        with self.shop.commands() as commands:
            for table in published_tables(commands):
                columns, expected = here(commands, table)
                assert there(self.shipped, table, columns) == expected, table
                compared += len(expected)
        return compared


def _rounded(rows: list[list[Any]]) -> list[list[Any]]:
    """Sums of floats in another order differ in their last digits."""
    return [
        [round(value, 6) if isinstance(value, float) else value for value in row]
        for row in rows
    ]
