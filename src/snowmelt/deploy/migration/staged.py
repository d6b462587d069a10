"""Values of JSON are proven in two links, each of what can be compared exactly. Pure.

Snowflake keeps no text of a VARIANT, and each engine writes values its own way: what is
here and what stands there are never the same text. So a shipped file stands between:

1. What lies in the stage is what was here: the MD5 of each text, on both engines.
2. What stands in the table is what the account reads from these texts: TO_JSON of the
   one and of the other, on one engine. The first is recorded when the file is copied,
   so that the second can be asked for whenever, and the files may be gone by then.

Texts that are equal are of values that are equal. Texts that are not prove nothing:
"the order of the key-value pairs in that string is not predictable"
(https://docs.snowflake.com/en/sql-reference/functions/to_json). Then row is compared
with row, and where the texts are not equal the values are.

Keys that occur twice in an object are an error of PARSE_JSON
(https://docs.snowflake.com/en/sql-reference/functions/parse_json), here they are not;
TRY_PARSE_JSON tells of which records
(https://docs.snowflake.com/en/sql-reference/functions/try_parse_json), CHECK_JSON why.
"""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.deploy.migration.digest import (
    JSON,
    JSON_READ,
    JSON_TEXT,
    JSON_VALUE,
    SNOWFLAKE,
    Typed,
    digests_query,
)
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.bronze import snowflake_type
from snowmelt.deploy.snowflake.sql import Word, Written

PARQUET: dict[str, Written] = {
    "TYPE": Word("PARQUET"),
    # moments are moments, not the numbers that they are written as
    "USE_LOGICAL_TYPE": True,
    # without it the text \\N would be NULL
    "NULL_IF": (),
}
ROW_KEY = (
    Typed("_FILE", "varchar"),
    Typed("_FILE_ROW", "bigint"),
    Typed("_CONTENT_KEY", "varchar"),
)
"""What a shipped row is known by: so a value is compared with that of its own row."""
NAMED_MAX = 10
_UNSAID = "'it cannot be parsed; a key may occur twice'"


def json_of(columns: Sequence[Typed]) -> tuple[Typed, ...]:
    """Return the columns of JSON."""
    return tuple(each for each in columns if each.type == JSON)


def some(columns: Sequence[Typed]) -> str:
    """Return the condition of rows with JSON: alone these are in digests of it.

    So a column that comes later changes nothing of what was recorded before.
    """
    return (
        "(" + " OR ".join(f"{each.name} IS NOT NULL" for each in json_of(columns)) + ")"
    )


def texts(columns: Sequence[Typed]) -> tuple[Typed, ...]:
    """Return what is digested of texts of JSON: each, and which row it is of."""
    return _read_as(JSON_TEXT, columns)


def values(columns: Sequence[Typed]) -> tuple[Typed, ...]:
    """Return what is digested of a table's values of JSON."""
    return _read_as(JSON_VALUE, columns)


def _read_as(kind: str, columns: Sequence[Typed]) -> tuple[Typed, ...]:
    return (*(Typed(each.name, kind) for each in json_of(columns)), *ROW_KEY)


def taken(column: Typed) -> str:
    """Return what takes a column out of a row of Parquet; of JSON its text."""
    kind = "VARCHAR" if column.type == JSON else snowflake_type(column.type)
    return f"$1:{sql.quoted(column.name.strip(chr(34)))}::{kind}"


def format_statement(name: str) -> str:
    """Return what makes the format that stage files are asked by, for this session.

    A query names a format, and cannot say one
    (https://docs.snowflake.com/en/user-guide/querying-stage).
    """
    return f"CREATE TEMPORARY FILE FORMAT IF NOT EXISTS {name} {sql.options(PARQUET)}"


def staged(columns: Sequence[Typed], place: str, format_name: str) -> str:
    """Return the query of texts of JSON that lie in a place, with their rows' keys."""
    listed = ", ".join(
        f"{taken(each)} AS {each.name}" for each in (*json_of(columns), *ROW_KEY)
    )
    told = f"FILE_FORMAT => {sql.text(format_name)}"
    return f"SELECT {listed} FROM {sql.text('@' + place)} ({told})"


def looked_at_query(columns: Sequence[Typed], source: str) -> str:
    """Return the query of both digests of a staged file: its texts, their values."""
    readings = (texts(columns), _read_as(JSON_READ, columns))
    rows = f"({source}) AS STAGED WHERE {some(columns)}"
    return digests_query(readings, rows, SNOWFLAKE)


def unread_query(columns: Sequence[Typed], source: str) -> str:
    """Return the query of records whose JSON the account cannot read, and why."""
    names = [each.name for each in json_of(columns)]
    wrong = [f"{each} IS NOT NULL AND TRY_PARSE_JSON({each}) IS NULL" for each in names]
    said = ", ".join(
        f"CASE WHEN {is_wrong} THEN COALESCE(CHECK_JSON({name}), {_UNSAID}) END "
        f"AS SAID_{number}"
        for number, (name, is_wrong) in enumerate(zip(names, wrong, strict=True))
    )
    return (
        f"SELECT _FILE, _FILE_ROW, {said} FROM ({source}) AS STAGED "
        f"WHERE {' OR '.join(wrong)} ORDER BY _FILE, _FILE_ROW LIMIT {NAMED_MAX}"
    )


def differing_query(
    table: str, shipped: str, columns: Sequence[Typed], lying: str
) -> str:
    """Return the query of files with values other than those that lie in the stage.

    `shipped` is the condition of rows that were shipped, `lying` the query of all that
    lies there: what was put twice, by whoever was stopped in between, counts once, and
    what was put and never taken, not at all. Of each file it tells how many rows lie
    there no more, and how many differ, by column.
    """
    found = "STAGED._CONTENT_KEY IS NOT NULL"
    counts = [f"COUNT_IF(NOT {found}) AS GONE"]
    for number, each in enumerate(json_of(columns)):
        there, read = f"MOVED.{each.name}", f"TRY_PARSE_JSON(STAGED.{each.name})"
        other = (
            f"NOT EQUAL_NULL(TO_JSON({there}), TO_JSON({read})) "
            f"AND NOT EQUAL_NULL({there}, {read})"
        )
        counts.append(f"COUNT_IF({found} AND {other}) AS OTHER_{number}")
    joined = " AND ".join(f"STAGED.{k.name} = MOVED.{k.name}" for k in ROW_KEY)
    wrong = " + ".join(each.rpartition(" ")[2] for each in counts)
    per_file = (
        f"SELECT MOVED._FILE AS _FILE, {', '.join(counts)} "
        f"FROM (SELECT * FROM {table} WHERE {shipped}) AS MOVED "
        f"LEFT JOIN (SELECT DISTINCT * FROM ({lying}) AS LYING) AS STAGED ON {joined} "
        "GROUP BY MOVED._FILE"
    )
    return (
        f"SELECT * FROM ({per_file}) AS PER_FILE WHERE {wrong} > 0 "
        f"ORDER BY _FILE LIMIT {NAMED_MAX + 1}"
    )
