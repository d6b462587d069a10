"""What a canary makes: names, and the statements that make and drop it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.pipe import Copy
from snowmelt.errors import UsageError

FOLDER = "snowmelt-canary"
SUFFIX = ".canary"
_SCHEMA = "SNOWMELT_CANARY_"
_MARK = "snowmelt-canary"
RECORDS = 3
GOOD = "id,note\n1,one\n2,two\n3,three\nnot-a-number,refused\n"
LATER = "id,note\n4,four\n"


@dataclass(frozen=True)
class Mark:
    """Whose canary it is: in the comment of its schema, so that it can be found."""

    owner: str
    machine: str
    began_at: datetime

    def __str__(self) -> str:
        return f"{_MARK} {self.owner} {self.machine} {self.began_at.isoformat()}"

    @staticmethod
    def of(comment: str) -> Mark | None:
        """Read a comment; None of what is no canary."""
        parts = comment.split(" ")
        if len(parts) != 4 or parts[0] != _MARK:
            return None
        try:
            return Mark(parts[1], parts[2], datetime.fromisoformat(parts[3]))
        except ValueError:
            return None


@dataclass(frozen=True)
class Canary:
    """One canary. `number` is its own, so that two never meet."""

    scope: Scope
    number: str

    @property
    def schema(self) -> str:
        return sql.path(self.scope.database, f"{_SCHEMA}{self.number}")

    def path(self, name: str) -> str:
        return sql.path(self.scope.database, f"{_SCHEMA}{self.number}", name)

    @property
    def prefix(self) -> str:
        """Where its files are, below the stage."""
        return f"{FOLDER}/{self.number.lower()}/"

    @property
    def key_prefix(self) -> str:
        """Where its files are in the bucket."""
        return f"{self.scope.names.target.aws.folder}{self.prefix}"

    def file(self, name: str) -> str:
        return f"{self.prefix}{name}{SUFFIX}"

    @property
    def table(self) -> str:
        return self.path("arrived")

    @property
    def gold(self) -> str:
        return self.path("gold")

    @property
    def stream(self) -> str:
        return self.path("news")

    @property
    def pipe(self) -> str:
        return self.path("canary_pipe")

    @property
    def task(self) -> str:
        return self.path("publish")

    @property
    def copy(self) -> Copy:
        return Copy(
            self.table,
            sql.path(self.scope.database, self.scope.bronze, "landing"),
            self.path("canary_format"),
            rf"{self.prefix}[^/]*\{SUFFIX}",
            "CONTINUE",
            (("_FILE", "METADATA$FILENAME"),),
        )

    def require_apart(self) -> None:
        """Raise UsageError if a pipe of the project would take its files, too."""
        for pipe in self.scope.pipes:
            if pipe.pipe.matches(self.file("first")):
                raise UsageError(
                    f"pipe {pipe.name}",
                    f"its pattern takes {self.file('first')} as well",
                    "Make the pattern narrower: the canary's rows would be yours.",
                )

    def made_by(self, mark: Mark) -> list[str]:
        """Return the statements that make it. The schema is first, and is marked."""
        warehouse = sql.name(self.scope.names.warehouse)
        given = {"COMMENT": str(mark)}
        topic = sql.options({"AWS_SNS_TOPIC": self.scope.names.topic_arn})
        return [
            f"CREATE SCHEMA {self.schema} {sql.options(given)}",
            f"CREATE FILE FORMAT {self.path('canary_format')} TYPE = CSV "
            "PARSE_HEADER = TRUE ERROR_ON_COLUMN_COUNT_MISMATCH = FALSE",
            f"CREATE TABLE {self.table} (ID NUMBER(10,0) NOT NULL, NOTE VARCHAR, "
            "_FILE VARCHAR)",
            f"CREATE TABLE {self.gold} (ID NUMBER(10,0), NOTE VARCHAR)",
            f"CREATE STREAM {self.stream} ON TABLE {self.table} APPEND_ONLY = TRUE",
            f"CREATE PIPE {self.pipe} AUTO_INGEST = TRUE {topic} AS\n"
            f"{self.copy.statement}",
            f"CREATE TASK {self.task} WAREHOUSE = {warehouse} "
            "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS = 10 "
            f"WHEN SYSTEM$STREAM_HAS_DATA({sql.text(self.stream)})\nAS\n"
            f"INSERT INTO {self.gold} SELECT ID, NOTE FROM {self.stream}",
        ]

    def dropped(self) -> str:
        """Return the statement that drops it and all that is in it."""
        return f"DROP SCHEMA IF EXISTS {self.schema} CASCADE"


def number_of(schema: str) -> str | None:
    """Return the number of the canary whose schema it is."""
    return schema.removeprefix(_SCHEMA) if schema.startswith(_SCHEMA) else None
