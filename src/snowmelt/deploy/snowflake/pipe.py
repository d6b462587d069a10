"""Pipes: what is copied from where into what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from snowmelt.deploy.address import Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.place import Schema
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Word, Written

CATCHING_UP = "; catching up"
RUNNING = "running"
BROKEN = frozenset(
    {
        *("stopped_stage_dropped", "stopped_stage_altered"),
        *("stopped_file_format_dropped", "stopped_missing_table"),
    }
)
"""States out of which a pipe only comes by being made anew."""


@dataclass(frozen=True)
class Copy:
    """A COPY INTO, as a pipe has it: from the stage, by name or by a list of columns.

    `metadata` are the load columns and what fills them. `chosen` are expressions for
    columns, where they are not matched by name.
    """

    table: str
    stage: str
    file_format: str
    pattern: str
    on_error: str
    metadata: tuple[tuple[str, str], ...]
    chosen: tuple[tuple[str, str], ...] = ()

    @property
    def statement(self) -> str:
        """The statement of the pipe."""
        return self.over(())

    def over(self, files: Collection[str]) -> str:
        """Return the statement for these files alone; of all without any.

        Files are chosen by who knows that they are missing. A table forgets what it
        copied after 64 days, and by itself it skips what it cannot know
        (https://docs.snowflake.com/en/user-guide/data-load-considerations-load).
        """
        given: dict[str, Written] = {"FORMAT_NAME": self.file_format}
        parts = [
            *self._source(),
            f"FILE_FORMAT = ({sql.options(given)})",
            sql.options({"FILES": tuple(files), "LOAD_UNCERTAIN_FILES": True})
            if files
            else sql.options({"PATTERN": self.pattern}),
        ]
        if not self.chosen:
            pairs = ", ".join(f"{column} = {what}" for column, what in self.metadata)
            parts.append("MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE")
            parts.append(f"INCLUDE_METADATA = ({pairs})")
        on_error = self.on_error if "%" in self.on_error else Word(self.on_error)
        return sql.lines((*parts, sql.options({"ON_ERROR": on_error})))

    def _source(self) -> list[str]:
        if not self.chosen:
            return [f"COPY INTO {self.table}", f"FROM @{self.stage}"]
        both = (*self.chosen, *self.metadata)
        columns = ", ".join(column for column, _ in both)
        expressions = ",\n    ".join(expression for _, expression in both)
        return [
            f"COPY INTO {self.table} ({columns})",
            f"FROM (\n    SELECT {expressions}\n    FROM @{self.stage}\n  )",
        ]


@dataclass(frozen=True)
class Pipe(Entity):
    """A pipe that is told of new files by the topic.

    What it copies cannot be altered: it is made anew by `pipe_change`, which loses no
    file and doubles none. Its text is compared by the digest in its mark: were it
    compared as it is shown, a blank could make a pipe anew.
    """

    kind: ClassVar[str] = "pipe"
    noun: ClassVar[str] = "PIPE"
    traits: ClassVar[Traits] = Traits(rank=40, stops_first=True)

    copy: Copy
    topic_arn: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "copy": sql.squeezed(self.copy.statement),
            "aws_sns_topic": self.topic_arn,
            "state": RUNNING,
        }

    def create(self, mark: Mark) -> list[str]:
        comment = f"{mark}{CATCHING_UP}"
        return [
            self.statement("CREATE PIPE IF NOT EXISTS", comment),
            *self.settled(mark, self.refresh()),
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        """Return the whole way, to be read: `pipe_change` goes it, looking.

        What is missing is loaded by what the list of the stage shows; a plain REFRESH
        would double what another pipe loaded.
        """
        state = str(found.properties["state"]) if found else RUNNING
        is_broken = state in BROKEN
        if not is_broken and not {"copy", "aws_sns_topic"} & set(names):
            if state == "catching up":
                return self.settled(mark, self.listing)
            return [self.pause(False)]
        return [
            *(() if is_broken else (self.pause(True), self.status)),
            self.statement("CREATE OR REPLACE PIPE", f"{mark}{CATCHING_UP}"),
            self.pause(True),
            self.status,
            self.pause(False),
            *self.settled(mark, self.listing),
        ]

    def statement(self, verb: str, comment: str) -> str:
        """Return what makes it."""
        given: dict[str, Written] = {
            "AUTO_INGEST": True,
            "AWS_SNS_TOPIC": self.topic_arn,
            "COMMENT": comment,
        }
        head = (f"{verb} {self.name}", *(sql.options({k: v}) for k, v in given.items()))
        return f"{sql.lines(head)}\nAS\n{self.copy.statement}"

    def pause(self, paused: bool) -> str:
        """Return what pauses it, or lets it go on."""
        given = sql.options({"PIPE_EXECUTION_PAUSED": paused})
        return f"ALTER PIPE {self.name} SET {given}"

    def refresh(self, prefix: str = "", since: datetime | None = None) -> str:
        """Return what makes it look at files that are there already."""
        parts = [f"ALTER PIPE {self.name} REFRESH"]
        if prefix:
            parts.append(sql.options({"PREFIX": prefix}))
        if since is not None:
            moment = since.isoformat(timespec="milliseconds")
            parts.append(sql.options({"MODIFIED_AFTER": moment}))
        return " ".join(parts)

    def settled(self, mark: Mark, *before: str) -> list[str]:
        """Return what says that it caught up, after what it caught up by."""
        comment = sql.options({"COMMENT": str(mark)})
        return [*before, f"ALTER PIPE {self.name} SET {comment}"]

    @property
    def listing(self) -> str:
        """Ask which files its stage has."""
        return f"LIST @{self.copy.stage}"

    @property
    def status(self) -> str:
        """Ask how it is."""
        return f"SELECT SYSTEM$PIPE_STATUS({sql.text(self.name)}) AS STATUS"

    @staticmethod
    def found(row: Row, execution: str) -> Found:
        """Read a row of SHOW PIPES, and the state that SYSTEM$PIPE_STATUS says."""
        name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
        schema = address_of(
            Schema.kind, sql.path_as_kept(row["database_name"], row["schema_name"])
        )
        comment = str(row["comment"] or "")
        state = "catching up" if CATCHING_UP in comment else execution.lower()
        return Found(
            address_of(Pipe.kind, name),
            {"state": state},
            Mark.read(comment),
            Pipe.traits,
            (schema,),
            inside=schema,
        )
