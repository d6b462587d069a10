"""What one pipe is: a file pattern, a format, a contract, and a bronze table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from snowmelt.landing.config import Duration, duration_field
from snowmelt.pipe import pattern as patterns
from snowmelt.pipe.after_load import AfterLoad
from snowmelt.pipe.completeness import WaitFor
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.evolution import SchemaEvolution
from snowmelt.pipe.expectation import read_expectation
from snowmelt.pipe.file_format import CsvFormat, FileFormat, ParquetFormat
from snowmelt.pipe.identity import IdentityRules, SameContent, SameName

_NOT_FOR_READING: dict[str, Any] = {
    **dict.fromkeys(("description", "after_load", "wait_for", "expect"), True),
    **dict.fromkeys(("mode", "on_same_name_changed", "on_same_content"), True),
    "snowpipe_compat": True,
    "contract": {"columns": {"__all__": {"meta"}}},
}
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
    schema_evolution: SchemaEvolution = Field(
        SchemaEvolution.NONE,
        description="What happens to columns the contract does not name: none (they "
        "are not loaded), add_new_columns, rescue (kept as JSON in _rescued), "
        "fail_on_new_columns, or hold (the file waits for a person).",
    )
    mode: Literal["append", "snapshot"] = Field(
        "append",
        description="append: each file adds rows. snapshot: each file is the whole "
        "truth; rows that the newest one lacks are gone.",
    )
    on_same_name_changed: SameName = Field(
        SameName.SUPERSEDE,
        description="A loaded name comes with other content: supersede (its rows "
        "replace those before), append (both stay; content that a live load of the "
        "name has is not loaded again) or ignore (it is not loaded).",
    )
    on_same_content: SameContent = Field(
        SameContent.SKIP,
        description="Another name comes with loaded content: skip, load, or warn "
        "(load, and say so). The same content under the same name is never loaded "
        "twice.",
    )
    snowpipe_compat: bool = Field(
        False,
        description="Snowpipe's rules: a name is known for 14 days, loaded or failed; "
        "content does not count.",
    )
    after_load: AfterLoad | None = Field(
        None, description="What is done with a file once its load is committed."
    )
    wait_for: WaitFor | None = Field(
        None, description="Files wait until all of their batch are there."
    )
    expect: str | None = Field(
        None, description="every 1h, or by 06:00 Europe/Paris, or … mon-fri."
    )
    external: bool = Field(
        False,
        description="Bronze keeps no copy: it is a view of the files, which are kept "
        "by a second link. For few, large files that are not written over.",
    )
    limits: Limits = Field(default_factory=Limits)
    description: str = Field("", description="What the files hold.")
    _schema_name: str = PrivateAttr("bronze")
    _external_folder: Path = PrivateAttr(Path())

    def model_post_init(self, context: Any) -> None:
        """Take from where the pipe is read what is the project's."""
        self._schema_name = (context or {}).get("bronze", "bronze")
        self._external_folder = (context or {}).get("external", Path())

    @model_validator(mode="after")
    def _has_one_identity(self) -> Pipe:
        others = {"on_same_name_changed", "on_same_content"} & self.model_fields_set
        if self.mode == "snapshot" and (others or self.snowpipe_compat):
            raise ValueError(
                "in mode: snapshot the newest file supersedes all others: leave "
                f"{min(others | {'snowpipe_compat'})} out"
            )
        if self.snowpipe_compat and others:
            raise ValueError(f"snowpipe_compat decides: leave {min(others)} out")
        return self

    @field_validator("expect")
    @classmethod
    def _can_be_expected(cls, given: str | None) -> str | None:
        if given is not None:
            read_expectation(given)
        return given

    @field_validator("external")
    @classmethod
    def _can_be_external(cls, external: bool, info: ValidationInfo) -> bool:
        """Refuse what a view of the files cannot give; the keys are read before."""
        told = _why_not_external(info.data) if external else ""
        if told:
            raise ValueError(told)
        return external

    @property
    def table_name(self) -> str:
        return self.table or self.name

    @property
    def schema_name(self) -> str:
        return self._schema_name

    @property
    def external_folder(self) -> Path:
        """Return the folder of links to the files that external pipes read."""
        return self._external_folder

    @property
    def full_table_name(self) -> str:
        return f"{self.schema_name}.{self.table_name}"

    @property
    def identity_rules(self) -> IdentityRules:
        return IdentityRules(
            self.on_same_name_changed,
            self.on_same_content,
            self.snowpipe_compat,
            self.mode == "snapshot",
        )

    @cached_property
    def digest(self) -> str:
        """A fingerprint of all that decides how a file is read.

        A file that failed is tried again when this changed.
        """
        text = self.model_dump_json(exclude=_NOT_FOR_READING)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _matcher(self) -> re.Pattern[str]:
        return patterns.compile_pattern(self.pattern)

    def matches(self, file_name: str) -> bool:
        """Say whether a file, named by its path in the stage, is this pipe's."""
        if self.wait_for and self.wait_for.is_manifest(file_name):
            return False
        return self._matcher.fullmatch(file_name) is not None


def _why_not_external(given: Mapping[str, Any]) -> str:
    """Say what of a pipe's keys is not for a view of its files; empty if nothing is."""
    if given.get("on_error", "skip_file") != "skip_file":
        return (
            "a file is shown whole or not at all: on_error can only be skip_file "
            f"(it is {given['on_error']})"
        )
    if given.get("after_load"):
        return "bronze reads the files: nothing is done with them after_load"
    known = given.get("file_format")
    if known is None or isinstance(known, ParquetFormat):
        return ""
    written = {
        "compression": known.compression not in ("auto", "none"),
        "encoding": known.codec != "utf-8",
        "replace_invalid_characters": known.replace_invalid_characters,
    }
    if isinstance(known, CsvFormat):
        written |= {
            "skip_header": known.skip_header > 0,
            "comment": bool(known.comment),
            "parse_header: false": not known.parse_header,
        }
    for key, is_so in written.items():
        if is_so:
            return (
                f"files with file_format.{key} are read from a copy that is made of "
                "them, and a view has none"
            )
    return ""
