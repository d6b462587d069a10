"""A pipe of the project as resources: format, table, view, pipe. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.formats import map_format
from snowmelt.deploy.snowflake.pipe import Copy, Pipe
from snowmelt.deploy.snowflake.places import Findings, PipeFile
from snowmelt.deploy.snowflake.stage import FileFormat, Stage
from snowmelt.deploy.snowflake.table import Table, TableColumn, View
from snowmelt.deploy.snowflake.versions import version_in
from snowmelt.pipe.contract import Column
from snowmelt.pipe.evolution import SchemaEvolution
from snowmelt.pipe.file_format import CsvFormat, JsonFormat, ParquetFormat
from snowmelt.pipe.identity import SameContent, SameName
from snowmelt.pipe.pattern import compile_pattern

TYPES = {
    "varchar": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "NUMBER(10,0)",
    "bigint": "NUMBER(19,0)",
    "double": "FLOAT",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP_NTZ",
    "timestamptz": "TIMESTAMP_TZ",
    "json": "VARIANT",
}
LOAD_COLUMNS = (
    TableColumn("_FILE", "VARCHAR", description="The file's path in the bucket."),
    TableColumn("_FILE_ROW", "NUMBER(19,0)", description="Which record of the file."),
    TableColumn("_CONTENT_KEY", "VARCHAR", description="Which content the file had."),
    TableColumn(
        "_VERSION_AT", "TIMESTAMP_NTZ", description="When it was written, UTC."
    ),
    TableColumn("_LOADED_AT", "TIMESTAMP_LTZ", description="When it was copied."),
    TableColumn(
        "_REPLAYED_FROM", "NUMBER(19,0)", description="The load that refused it first."
    ),
)
METADATA = (
    ("_FILE", "METADATA$FILENAME"),
    ("_FILE_ROW", "METADATA$FILE_ROW_NUMBER"),
    ("_CONTENT_KEY", "METADATA$FILE_CONTENT_KEY"),
    ("_VERSION_AT", "METADATA$FILE_LAST_MODIFIED"),
    ("_LOADED_AT", "METADATA$START_SCAN_TIME"),
)
_STEP = re.compile(r'"([^"]+)"|([^.\[\]"$]+)|\[(\d+)\]')


@dataclass(frozen=True)
class Surroundings:
    """What pipes have in common: where they are, and what they need."""

    database: str
    schema: str
    stage: Stage
    topic_arn: str
    folder: str
    """The prefix in the bucket, which names of files begin with."""
    pipe_needs: tuple[Address, ...]
    policies: dict[str, str]
    """Masking policies, by the type of their values."""

    @property
    def schema_address(self) -> Address:
        return address_of("schema", sql.path(self.database, self.schema))

    def path(self, name: str) -> str:
        return sql.path(self.database, self.schema, name)


def map_pipe(file: PipeFile, around: Surroundings, findings: Findings) -> list[Entity]:
    """Return the resources of a pipe; note what is otherwise there."""
    pipe = file.pipe
    schema = (around.schema_address,)
    kind, options = map_format(file, findings)
    _note_differences(file, findings)
    _note_offsets(file, findings)
    format_ = FileFormat(
        around.path(f"{pipe.name}_format"), kind, options, needs=schema
    )
    columns = tuple(_column(each, around) for each in pipe.contract.columns)
    policies = {each.policy for each in columns if each.policy}
    table = Table(
        around.path(f"{pipe.table_name}__all"),
        (*columns, *LOAD_COLUMNS),
        evolves=pipe.schema_evolution is SchemaEvolution.ADD_NEW_COLUMNS,
        needs=(*schema, *(address_of("masking_policy", p) for p in sorted(policies))),
    )
    view = View(
        around.path(pipe.table_name),
        _live_query(file, table, around.folder),
        needs=(*schema, table.address),
    )
    copy = Copy(
        table.name,
        around.stage.name,
        format_.name,
        compile_pattern(pipe.pattern).pattern,
        pipe.on_error.upper(),
        METADATA,
        _chosen(file, findings),
    )
    needs = (*schema, table.address, format_.address, around.stage.address)
    made = Pipe(
        around.path(pipe.name + "_pipe"),
        copy,
        around.topic_arn,
        needs=(*needs, *around.pipe_needs),
    )
    return [format_, table, view, made]


def _column(column: Column, around: Surroundings) -> TableColumn:
    kind = snowflake_type(column.type)
    hidden = column.meta.pii
    return TableColumn(
        sql.name(column.name),
        kind,
        column.nullable,
        column.description,
        around.policies[policy_type(kind)] if hidden else "",
    )


def snowflake_type(contract_type: str) -> str:
    """Return Snowflake's name of a contract's type."""
    if contract_type.startswith("decimal("):
        return "NUMBER" + contract_type.removeprefix("decimal")
    return TYPES[contract_type]


def policy_type(kind: str) -> str:
    """Return the type that a masking policy on a column of this type has."""
    return kind.partition("(")[0]


def _chosen(file: PipeFile, findings: Findings) -> tuple[tuple[str, str], ...]:
    """Return what fills each column, where names alone do not say it."""
    pipe = file.pipe
    columns, given = pipe.contract.columns, pipe.file_format
    if isinstance(given, CsvFormat) and not given.parse_header:
        return tuple(
            (sql.name(each.name), f"${at}") for at, each in enumerate(columns, start=1)
        )
    if not any(each.path for each in columns):
        return ()
    if isinstance(given, JsonFormat | ParquetFormat):
        return tuple((sql.name(each.name), _expression(each)) for each in columns)
    at = next(i for i, each in enumerate(columns) if each.path)
    findings.refuse(
        file.at("contract", "columns", at, "path"),
        "Snowflake matches a header's names with columns of the same name alone",
        "Call the column as the header does, and rename it in silver.",
    )
    return ()


def _expression(column: Column) -> str:
    """Return what takes a column out of a record of JSON or Parquet."""
    if column.path is None:
        found = f"GET_IGNORE_CASE($1, {sql.text(column.name)})"
    else:
        found = "$1"
        for index, match in enumerate(_STEP.finditer(column.path)):
            key = match[1] or match[2]
            if key is None:
                found += f"[{match[3]}]"
            else:
                found += f"{':' if index == 0 else '.'}{sql.quoted(key)}"
    kind = snowflake_type(column.type)
    return found if kind == "VARIANT" else f"{found}::{kind}"


def _live_query(file: PipeFile, table: Table, folder: str) -> str:
    """Return the query of the rows that count, each once.

    A pipe that was made anew may bring a file twice in the worst case: the same record
    of the same version counts once. _STAGE_PATH is what versions are told apart by, as
    it is in the table: a condition on it is one on the rows that are read.
    """
    pipe = file.pipe
    name = f"SUBSTR(A._FILE, {len(folder) + 1})" if folder else "A._FILE"
    version = f"COALESCE({version_in(name)}, A._VERSION_AT)"
    columns = [f"A.{sql.name(each.name)}" for each in pipe.contract.columns]
    shown = [
        *columns,
        f"{name} AS _FILE",
        "A._FILE AS _STAGE_PATH",
        "A._FILE_ROW",
        "DATE_PART(EPOCH_NANOSECOND, A._LOADED_AT) AS _LOAD_SEQ",
        f"{version} AS _VERSION_AT",
        "A._LOADED_AT",
        "A._REPLAYED_FROM",
    ]
    once = (
        "ROW_NUMBER() OVER (PARTITION BY A._FILE, A._CONTENT_KEY, A._FILE_ROW "
        f"ORDER BY {_once_order(file)}A._LOADED_AT) = 1"
    )
    rules = [once, *_version_rule(file, version)]
    listed = ",\n  ".join(shown)
    joined = "\n  AND ".join(rules)
    return f"SELECT\n  {listed}\nFROM {table.name} AS A\nQUALIFY {joined}"


def _once_order(file: PipeFile) -> str:
    """Return which of two rows of one content counts: that of the version that does.

    A content that is sent again under its name, once the pipe forgot it, has another
    time of writing: were the other row kept, the version that counts would have none.
    """
    pipe = file.pipe
    if pipe.mode != "snapshot":
        if pipe.on_same_name_changed is SameName.APPEND:
            return ""
        if pipe.on_same_name_changed is SameName.IGNORE or pipe.snowpipe_compat:
            return "A._VERSION_AT, "
    return "A._VERSION_AT DESC, "


def _version_rule(file: PipeFile, version: str) -> list[str]:
    """Return which contents count: of a name by when they were written."""
    pipe = file.pipe
    newest = "A._VERSION_AT DESC, A._CONTENT_KEY DESC"
    if pipe.mode == "snapshot":
        order = f"{version} DESC, {newest}, A._FILE DESC"
        return [f"DENSE_RANK() OVER (ORDER BY {order}) = 1"]
    if pipe.on_same_name_changed is SameName.APPEND:
        return []
    oldest = "A._VERSION_AT, A._CONTENT_KEY"
    first = pipe.on_same_name_changed is SameName.IGNORE or pipe.snowpipe_compat
    order = oldest if first else newest
    return [f"DENSE_RANK() OVER (PARTITION BY A._FILE ORDER BY {order}) = 1"]


def _note_differences(file: PipeFile, findings: Findings) -> None:
    """Say what of a pipe is otherwise on Snowflake, or is not there."""
    pipe = file.pipe
    if pipe.external:
        told = "bronze keeps a copy there: no external table is made of it"
        findings.remark(file.at("external"), told)
    evolution = pipe.schema_evolution
    if evolution in _EVOLUTIONS:
        findings.remark(file.at("schema_evolution"), _EVOLUTIONS[evolution])
    if evolution is SchemaEvolution.ADD_NEW_COLUMNS and _is_chosen(file):
        findings.refuse(
            file.at("schema_evolution"),
            "columns are not matched by name here, so Snowflake adds none",
            "Leave schema_evolution or the paths of columns out.",
        )
    is_said = "on_same_content" in pipe.model_fields_set
    if is_said and pipe.on_same_content is SameContent.SKIP:
        told = "Snowpipe knows names: the same content under two names counts twice"
        findings.remark(file.at("on_same_content"), told)
    for key, told in _NOT_THERE.items():
        if getattr(pipe, key) is not None:
            findings.remark(file.at(key), told)


def _note_offsets(file: PipeFile, findings: Findings) -> None:
    for index, column in enumerate(file.pipe.contract.columns):
        if column.type == "timestamptz":
            findings.remark(file.at("contract", "columns", index), _OWN_OFFSET)


def _is_chosen(file: PipeFile) -> bool:
    given = file.pipe.file_format
    by_place = isinstance(given, CsvFormat) and not given.parse_header
    return by_place or any(each.path for each in file.pipe.contract.columns)


_EVOLUTIONS = {
    SchemaEvolution.RESCUE: "columns that the contract does not name are not rescued: "
    "they are not loaded",
    SchemaEvolution.FAIL_ON_NEW_COLUMNS: "a file with new columns does not fail: they "
    "are not loaded",
    SchemaEvolution.HOLD: "a file with other columns is not held: new ones are not "
    "loaded",
}
_OWN_OFFSET = (
    "a value keeps its own offset there: ::date and date_trunc take the day of its own "
    "clock, and here that of UTC; one without an offset is of the account's time zone"
)
"""https://docs.snowflake.com/en/sql-reference/data-types-datetime"""
_NOT_THERE = {
    "after_load": "Snowpipe leaves files alone: the bucket's lifecycle ends them",
    "wait_for": "Snowpipe loads each file when it comes: nothing waits for a batch",
    "expect": "what is expected is looked for by the service, not by the account",
}
