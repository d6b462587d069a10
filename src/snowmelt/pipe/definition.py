"""What one pipe is: a file pattern, a format, a contract, and a bronze table."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from snowmelt.pipe import pattern as patterns
from snowmelt.pipe.contract import Contract

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
OneByte = Annotated[str, Field(pattern=r"^[\x00-\x7f]$")]


class CsvFormat(BaseModel):
    """How the files are written. Names are Snowflake's, in lower case.

    https://docs.snowflake.com/en/sql-reference/sql/create-file-format
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["csv"] = "csv"
    field_delimiter: OneByte = Field(",", description="Between two fields.")
    field_optionally_enclosed_by: OneByte = Field(
        '"', description="Around a field that holds delimiters or line ends."
    )
    escape: OneByte = Field(
        '"', description="Before the enclosing character inside a field."
    )
    null_if: list[str] = Field([""], description="Field texts that mean NULL.")
    date_format: str | None = Field(
        None, description="strptime pattern of dates; ISO 8601 without it."
    )
    timestamp_format: str | None = Field(
        None, description="strptime pattern of timestamps; ISO 8601 without it."
    )

    @model_validator(mode="after")
    def _distinct(self) -> CsvFormat:
        marks = [self.field_delimiter, self.field_optionally_enclosed_by]
        if marks[0] == marks[1] or self.escape == marks[0]:
            raise ValueError("delimiter, quote and escape must differ")
        if any(mark in "\r\n" for mark in [*marks, self.escape]):
            raise ValueError("a line end cannot be delimiter, quote or escape")
        return self


class Pipe(BaseModel):
    """From files whose names match a pattern to one bronze table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="Lower-case name of the pipe.")
    pattern: str = Field(
        min_length=1,
        description="Glob for file names; with a slash in it, for paths below landing.",
    )
    table: Name | None = Field(None, description="Bronze table; the pipe's name.")
    on_error: str = Field(
        "skip_file",
        pattern=r"^(continue|skip_file|skip_file_[1-9]\d{0,8}|skip_file_\d{1,2}%)$",
        description="continue, skip_file, skip_file_<n> or skip_file_<n>%.",
    )
    file_format: CsvFormat = Field(default_factory=CsvFormat)
    contract: Contract
    description: str = Field("", description="What the files hold.")

    @property
    def table_name(self) -> str:
        return self.table or self.name

    @cached_property
    def digest(self) -> str:
        """A fingerprint of all that decides how a file is read.

        A file that failed is tried again when this changed.
        """
        text = self.model_dump_json(exclude={"description"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        return patterns.compile_pattern(self.pattern)

    def matches(self, file_name: str) -> bool:
        """Say whether a file, named by its path in the stage, is this pipe's."""
        return self._matcher.fullmatch(file_name) is not None
