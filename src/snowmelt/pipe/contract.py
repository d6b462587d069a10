"""The columns a pipe promises, checked record by record as files are copied."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

TYPES = (
    "varchar",
    "boolean",
    "integer",
    "bigint",
    "double",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "json",
)
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
ROWID = "rowid"
"""The one name that no column of a table can have: the engine has it of its own."""
_KEY = r"(?:[^.\[\]\"$]+|\"[^\"]+\")"
PATH = rf"^{_KEY}(?:\.{_KEY}|\[\d+\])*$"


class Meta(BaseModel):
    """What else is said of a column, as dbt's `meta`: any keys, some of them ours."""

    model_config = ConfigDict(extra="allow", frozen=True)

    pii: bool = Field(
        False,
        description="Is it about a person? Viewers see it masked, everywhere; on "
        "Snowflake a masking policy hides it.",
    )
    row_access: str | None = Field(
        None,
        description="On Snowflake the rule of the target (row_access:) by which rows "
        "are shown. On this machine whoever may look sees all rows.",
    )


class Column(BaseModel):
    """One column of a contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=_NAME, max_length=255)] = Field(
        description="Name in the file's header (any case) and in bronze."
    )
    type: str = Field(
        description="varchar, boolean, integer, bigint, double, decimal(p,s), "
        "date, time, timestamp, timestamptz, or json for what is nested."
    )
    path: str | None = Field(
        None,
        pattern=PATH,
        description="Where it is in a JSON record, such as customer.address[0].city, "
        "or what its column is called in a header or in Parquet; its name without it.",
    )
    nullable: bool = Field(True, description="May a record leave it empty?")
    optional: bool = Field(
        False, description="May a file lack it? It is NULL for such files."
    )
    description: str = Field("", description="What it means.")
    meta: Meta = Field(
        default_factory=Meta,
        description="What else is to say, as in dbt: {pii: true} masks it.",
    )

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        if name.startswith("_"):
            raise ValueError("names that begin with _ are kept for load columns")
        if name.lower() == ROWID:
            raise ValueError(
                f"'{ROWID}' is what the engine calls a row's place: "
                f"write name: row_id and path: {ROWID}"
            )
        return name.lower()

    @field_validator("type")
    @classmethod
    def _known_type(cls, type_name: str) -> str:
        name = type_name.lower().strip()
        match = _DECIMAL.fullmatch(name)
        if match and 1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
            return f"decimal({match[1]},{match[2]})"
        if name not in TYPES:
            raise ValueError(
                f"unknown type '{type_name}': use one of {', '.join(TYPES)} "
                "or decimal(precision,scale)"
            )
        return name

    @property
    def is_personal(self) -> bool:
        """Is it about a person, so that viewers see it masked?"""
        return self.meta.pii

    @model_validator(mode="after")
    def _optional_is_nullable(self) -> Column:
        if self.optional and not self.nullable:
            raise ValueError("an optional column must be nullable")
        return self


class Contract(BaseModel):
    """The columns that files of a pipe have and that its bronze table gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[Column] = Field(min_length=1, description="In bronze's order.")

    @field_validator("columns")
    @classmethod
    def _distinct(cls, columns: list[Column]) -> list[Column]:
        names = [column.name for column in columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"column '{name}' is there twice")
        return columns
