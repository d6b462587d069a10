"""What all the values of a column showed, and the query that asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.bronze.inference.kinds import PATTERNS, TOKENS, TRUTHS, Kind
from snowmelt.warehouse.duckdb.scratch import Connection

COLUMNS_AT_ONCE = 5  # the cost of a query grows with the square of its columns
_EXAMPLE_KINDS = (Kind.TEXT, Kind.INTEGER, Kind.TIMELIKE)
_SIGNIFICANT_SAFE = 15


@dataclass(frozen=True)
class Evidence:
    """Facts about one column over the whole sample.

    `records` are those of files that have the column. `whole_digits` and the scales
    are of numbers with a fraction; `inexact` are those that a double would change.
    `bare_exponents`: numbers such as 12E4, which may be codes. `spaced`: values with
    spaces at an end that are more than text without them.
    """

    records: int
    kinds: Mapping[Kind, int]
    tokens: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict)
    spaced: int = 0
    longest: int = 0
    least: int = 0
    most: int = 0
    whole_digits: int = 0
    scale_least: int = 0
    scale_most: int = 0
    grouped: int = 0
    inexact: int = 0
    bare_exponents: int = 0

    def count(self, *kinds: Kind) -> int:
        """Return how many values are of one of these kinds."""
        return sum(self.kinds.get(kind, 0) for kind in kinds)

    @property
    def values(self) -> int:
        """Return how many values there are, tokens for nothing left out."""
        return sum(self.kinds.values()) - self.count(Kind.EMPTY, Kind.TOKEN)


def gather_evidence(
    connection: Connection, table: str, columns: Sequence[str], records: Sequence[int]
) -> list[Evidence]:
    """Look at every value of text columns; a few queries, whatever their number."""
    found: list[Evidence] = []
    for start in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[start : start + COLUMNS_AT_ONCE]
        sql = _question(table, some)
        row = connection.execute(sql).fetchone() or ()
        found += [
            _evidence(answer, count)
            for answer, count in zip(row, records[start:], strict=False)
        ]
    return found


def _question(table: str, columns: Sequence[str]) -> str:
    inner = ", ".join(f"trim({each}) as v_{each}, {each}" for each in columns)
    kinds = ", ".join(f"{_kind(f'v_{each}')} as k_{each}" for each in columns)
    asked = ", ".join(_aggregate(each) for each in columns)
    return f"select {asked} from (select *, {kinds} from (select {inner} from {table}))"


def _kind(value: str) -> str:
    """Return the expression that tells the kind of a value; NULL of none."""
    tokens = ", ".join(_quote(token) for token in TOKENS)
    truths = ", ".join(_quote(truth) for truth in TRUTHS)
    return (
        f"case when {value} is null then null when {value} = '' then 'empty' "
        f"{_when(value, Kind.INTEGER)} {_when(value, Kind.DECIMAL)} "
        f"when length({value}) <= 5 and {value} in ({tokens}) then 'token' "
        f"when length({value}) <= 5 and lower({value}) in ({truths}) then 'boolean' "
        f"when not regexp_matches({value}, '^([-+.,0-9]|[A-Za-z]{{3,9}} [0-9])') "
        f"then 'text' "
        f"{_when(value, Kind.DATE, 'date')} "
        f"{_when(value, Kind.TIMESTAMP, 'timestamp')} "
        f"{_when(value, Kind.COMMA)} {_exponent(value)} "
        f"{_when(value, Kind.LEADING_ZERO)} {_when(value, Kind.LONG_DIGITS)} "
        f"{_when(value, Kind.PLUS)} {_when(value, Kind.NANOSECONDS)} "
        f"{_when(value, Kind.ZONED, 'timestamptz')} {_when(value, Kind.TIME)} "
        f"{_when(value, Kind.TIMELIKE)} else 'text' end"
    )


def _when(value: str, kind: Kind, cast: str = "") -> str:
    tried = f" and try_cast({value} as {cast}) is not null" if cast else ""
    found = f"regexp_full_match({value}, {_quote(PATTERNS[kind])}){tried}"
    return f"when {found} then '{kind}'"


def _exponent(value: str) -> str:
    """Return the test for numbers with an exponent that a double can hold."""
    number = f"try_cast({value} as double)"
    return (
        f"when regexp_full_match({value}, {_quote(PATTERNS[Kind.EXPONENT])}) "
        f"and (abs({number}) between 1e-300 and 1e300 "
        f"or not regexp_matches({value}, '^[-0.]*[1-9]')) then '{Kind.EXPONENT}'"
    )


def _aggregate(column: str) -> str:
    """Return one struct of all that is asked of a column.

    Conditions stand inside the aggregates: a FILTER clause copies every column.
    """
    value, kind = f"v_{column}", f"k_{column}"
    point = f"strpos(replace({value}, ',', '.'), '.')"
    scale = f"length({value}) - {point}"
    whole = f"{point} - 1 - starts_with({value}, '-')::int"
    fraction = f"{kind} in ('decimal', 'comma')"
    others = f"{kind} not in ('text', 'integer', 'timelike', 'empty', 'token')"
    odd = f"case when {others} then {kind} end"
    asked = {
        "kinds": f"histogram({kind})",
        "tokens": f"histogram(case when {kind} = 'token' then {value} end)",
        "spaced": f"count_if({column} <> {value} and {kind} <> 'text')",
        "longest": f"max(length({column}))",
        "least": f"min({_where(kind, 'integer', f'try_cast({value} as bigint)')})",
        "most": f"max({_where(kind, 'integer', f'try_cast({value} as bigint)')})",
        "whole_digits": f"max(case when {fraction} then {whole} end)",
        "scale_least": f"min(case when {fraction} then {scale} end)",
        "scale_most": f"max(case when {fraction} then {scale} end)",
        "grouped": f"count_if({kind} = 'comma' and {scale} = 3 "
        f"and {point} between 2 and 5 and not starts_with({value}, '0'))",
        "inexact": f"count_if({kind} in ('decimal', 'comma', 'exponent') "
        f"and {_inexact(value)})",
        "bare_exponents": f"count_if({kind} = 'exponent' "
        f"and not regexp_matches({value}, '[-+.]'))",
        "odd": f"arg_max({value}, {odd})",
        "odd_kind": f"max({odd})",
        **{
            f"{end}_{each}": f"{end}({_where(kind, each, value)})"
            for each in _EXAMPLE_KINDS
            for end in ("min", "max")
        },
    }
    return "{" + ", ".join(f"'{name}': {sql}" for name, sql in asked.items()) + "}"


def _where(kind: str, wanted: str, value: str) -> str:
    return f"case when {kind} = '{wanted}' then {value} end"


def _inexact(value: str) -> str:
    """Return the test for numbers that a double renders in another way.

    Fifteen significant digits survive in any double.
    """
    digits = f"regexp_replace(regexp_replace({value}, '[eE].*', ''), '[-.,]', '', 'g')"
    double = f"try_cast(replace({value}, ',', '.') as double)"
    return (
        f"case when length({value}) <= {_SIGNIFICANT_SAFE} then false "
        f"else length(ltrim({digits}, '0')) > {_SIGNIFICANT_SAFE} and "
        f"{double}::varchar <> replace({value}, ',', '.') end"
    )


def _evidence(answer: Mapping[str, Any], records: int) -> Evidence:
    examples = {
        kind: _distinct([answer[f"min_{kind}"], answer[f"max_{kind}"]])
        for kind in _EXAMPLE_KINDS
    }
    if answer["odd_kind"]:
        examples[Kind(answer["odd_kind"])] = (answer["odd"],)
    numbers = {
        name: answer[name] or 0
        for name in (
            *("spaced", "longest", "least", "most", "whole_digits", "scale_least"),
            *("scale_most", "grouped", "inexact", "bare_exponents"),
        )
    }
    return Evidence(
        records=records,
        kinds={Kind(kind): many for kind, many in (answer["kinds"] or {}).items()},
        tokens=dict(answer["tokens"] or {}),
        examples={kind: found for kind, found in examples.items() if found},
        **numbers,
    )


def _distinct(values: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
