"""Digests of rows that do not depend on their order, alike on both engines. Pure.

Each value becomes a text that is the same wherever it is kept, a row the texts of its
values, a row's hash the MD5 of that; a digest is how many rows there are, and the sums
of both halves of their hashes. Sums can be added up: the digest of a table is that of
its parts, so that what was shipped piece by piece is proven in one question.

What each engine says by itself of a value differs (`1e300` and `1e+300`, `.50` and
`0.5`), so moments are counted in microseconds and floats are taken apart into the whole
numbers that they are made of. Of texts MD5 is taken first: then nothing in a text can
look like the end of it. JSON is no text any more on Snowflake: a row's digest says
whether it is there, and what it says is proven beside it, in two links (`staged`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

FLOAT = "double"
JSON = "json"
"""Of it a row's text says whether a value is there."""
JSON_TEXT = "text of json"
"""The text of a value, as it is here and in the stage."""
JSON_READ = "read json"
"""The value that the account reads from such a text."""
JSON_VALUE = "value of json"
"""A value as it stands in a table there."""


@dataclass(frozen=True)
class Typed:
    """A column: its name as statements have it, its type as a contract has it."""

    name: str
    type: str


@dataclass(frozen=True)
class Digest:
    """How many rows, and the sums of the halves of their hashes."""

    rows: int
    low: int
    high: int

    def __add__(self, other: Digest) -> Digest:
        return Digest(
            self.rows + other.rows, self.low + other.low, self.high + other.high
        )

    def __neg__(self) -> Digest:
        return Digest(-self.rows, -self.low, -self.high)

    def __str__(self) -> str:
        """A name for it: of rows, in whichever order and pieces."""
        return f"{self.rows:x}-{self.high:x}-{self.low:x}"

    @classmethod
    def read(cls, row: Sequence[Any]) -> Digest:
        """Read the row of a digest's query."""
        rows, low, high = (int(each or 0) for each in row)
        return cls(rows, low, high)


EMPTY = Digest(0, 0, 0)


@dataclass(frozen=True)
class Side:
    """How one engine spells what a digest is made of."""

    float_type: str
    whole_type: str
    text_type: str
    day: str
    time: str
    moment: str
    low: str
    high: str

    def texts(self) -> dict[str, Callable[[str], str]]:
        """Return what writes a value of each type, by the type's first word."""
        plain = {"boolean": "CASE WHEN {0} THEN '1' WHEN NOT {0} THEN '0' END"}
        plain |= {
            "varchar": "MD5({0})",
            JSON: "CASE WHEN {0} IS NOT NULL THEN '1' END",
            JSON_TEXT: f"MD5({self._cast('{0}')})",
            JSON_READ: "MD5(TO_JSON(PARSE_JSON({0})))",
            JSON_VALUE: "MD5(TO_JSON({0}))",
        }
        whole = self._cast("{0}")
        plain |= dict.fromkeys(("integer", "bigint", "decimal"), whole)
        plain |= {
            "date": self._cast(self.day),
            "time": self._cast(self.time),
            "timestamp": self._cast(self.moment),
            "timestamptz": self._cast(self.moment),
        }
        return {kind: template.format for kind, template in plain.items()}

    def _cast(self, expression: str) -> str:
        return f"CAST({expression} AS {self.text_type})"

    def float_text(self, name: str) -> str:
        """Write a float as a whole number and a power of 2, which is exact.

        Its parts are columns that `float_parts` made.
        """
        part = _parts_of(name)
        whole = f"CAST({_scaled(part, f'52 - {part}P')} AS {self.whole_type})"
        power = f"CAST({part}P AS {self.whole_type})"
        odd = " ".join(
            f"WHEN {name} = CAST('{each}' AS {self.float_type}) THEN '{each}'"
            for each in _NO_NUMBERS
        )
        told = f"{self._cast(whole)} || 'e' || {self._cast(power)}"
        return f"CASE WHEN {name} = 0 THEN '0' {odd} ELSE {told} END"

    def float_parts(self, names: Sequence[str], source: str) -> str:
        """Return a source that has, for each float, its value, and its power of 2.

        Step by step, for an expression of all would be far larger. The logarithm may be
        off by one at powers of 2, which the size of the whole number tells.
        """
        values, guesses, powers = [], [], []
        for name in names:
            part, value = _parts_of(name), f"NULLIF({name}, 0)"
            for each in _NO_NUMBERS:
                value = f"NULLIF({value}, CAST('{each}' AS {self.float_type}))"
            values.append(f"{value} AS {part}V")
            guesses.append(f"FLOOR(LN(ABS({part}V)) / LN(2)) AS {part}G")
            size = f"ABS({_scaled(part, f'52 - {part}G')})"
            powers.append(
                f"{part}G + CASE WHEN {size} >= 9007199254740992 THEN 1 "
                f"WHEN {size} < 4503599627370496 THEN -1 ELSE 0 END AS {part}P"
            )
        for step, added in (
            ("VALUED", values),
            ("GUESSED", guesses),
            ("TAKEN", powers),
        ):
            source = f"(SELECT *, {', '.join(added)} FROM {source}) AS {step}"
        return source


_NO_NUMBERS = ("NaN", "inf", "-inf")


def _parts_of(name: str) -> str:
    """Return the beginning of the names of a float's parts."""
    plain = re.sub(r"\W", "_", name.strip('"')).upper()
    return f"SNOWMELT_{zlib.crc32(name.encode()):08X}_{plain}_"


def _scaled(part: str, by: str) -> str:
    """Return a value times a power of 2, in two steps: one may not fit a float."""
    half = f"FLOOR(({by}) / 2)"
    return f"{part}V * POWER(2, {half}) * POWER(2, ({by}) - {half})"


DUCKDB = Side(
    float_type="DOUBLE",
    whole_type="HUGEINT",
    text_type="VARCHAR",
    day="date_diff('day', DATE '1970-01-01', {0})",
    time="epoch_us({0})",
    moment="epoch_us({0})",
    # its md5_number counts from the other end
    low="CAST('0x' || substr(md5({0}), 17, 16) AS UBIGINT)",
    high="CAST('0x' || substr(md5({0}), 1, 16) AS UBIGINT)",
)
SNOWFLAKE = Side(
    float_type="FLOAT",
    whole_type="NUMBER(38,0)",
    text_type="VARCHAR",
    day="DATEDIFF(DAY, '1970-01-01'::DATE, {0})",
    time="DATEDIFF(MICROSECOND, '00:00:00'::TIME, {0})",
    moment="DATE_PART(EPOCH_MICROSECOND, {0})",
    low="MD5_NUMBER_LOWER64({0})",
    high="MD5_NUMBER_UPPER64({0})",
)


def text_of(column: Typed, side: Side) -> str:
    """Return the expression of a value's text; it is NULL where there is no value."""
    kind = column.type.partition("(")[0]
    text = side.float_text if kind == FLOAT else side.texts()[kind]
    return text(column.name)


def row_text(columns: Sequence[Typed], side: Side) -> str:
    """Return the expression of a row's text: values, each behind its column's mark.

    In the order of names, and nothing for no value: a column that comes later, or that
    stands elsewhere by then, leaves texts of rows without it as they were recorded.
    """
    marks = {each.name: f"'|{zlib.crc32(each.name.encode()):08x}='" for each in columns}
    return " || ".join(
        f"COALESCE({marks[each.name]} || {text_of(each, side)}, '')"
        for each in sorted(columns, key=lambda column: column.name)
    )


def digest_query(
    columns: Sequence[Typed], source: str, side: Side, *, by: str | None = None
) -> str:
    """Return the query of the digest of rows; `by`: of each value of a column.

    `source` is what stands after FROM.
    """
    group = f"{by}, " if by else ""
    floats = [each.name for each in columns if each.type == FLOAT]
    if floats:
        source = side.float_parts(floats, source)
    hashed = f"SELECT {group}{row_text(columns, side)} AS ROW_TEXT FROM {source}"
    low, high = (each.format("ROW_TEXT") for each in (side.low, side.high))
    query = (
        f"SELECT {group}COUNT(*) AS ROW_COUNT, SUM({low}) AS HASH_LOW, "
        f"SUM({high}) AS HASH_HIGH FROM ({hashed}) AS HASHED"
    )
    return f"{query} GROUP BY {by} ORDER BY {by}" if by else query


def digests_query(readings: Sequence[Sequence[Typed]], source: str, side: Side) -> str:
    """Return the query of several digests of the same rows, read once; of no floats.

    Its columns are how many rows there are, and two sums for each reading.
    """
    texts, sums = [], []
    for number, columns in enumerate(readings):
        name = f"TEXT_{number}"
        texts.append(f"{row_text(columns, side)} AS {name}")
        sums.append(f"SUM({side.low.format(name)}) AS LOW_{number}")
        sums.append(f"SUM({side.high.format(name)}) AS HIGH_{number}")
    hashed = f"SELECT {', '.join(texts)} FROM {source}"
    return f"SELECT COUNT(*) AS ROW_COUNT, {', '.join(sums)} FROM ({hashed}) AS HASHED"
