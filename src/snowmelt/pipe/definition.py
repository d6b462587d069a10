"""What one pipe is: a file pattern, a format, a contract, and a bronze table."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.landing.config import Duration, duration_field
from snowmelt.pipe import pattern as patterns
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.file_format import CsvFormat, FileFormat

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Limits(BaseModel):
    """What one file may cost, so that a hostile one costs its own pipe alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_record_bytes: int = Field(
        1 << 24, ge=1024, le=1 << 28, description="A longer record is refused."
    )
    max_file_bytes: int = Field(
        1 << 37, ge=1, description="Counted as inflated; a larger file fails."
    )
    load_timeout: Duration = duration_field(
        "1h", "A file that takes longer to read fails."
    )


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
    file_format: FileFormat = Field(
        default_factory=CsvFormat,
        description="How the files are written, or the name of a format in "
        "snowmelt.yml.",
    )
    contract: Contract
    limits: Limits = Field(default_factory=Limits)
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
