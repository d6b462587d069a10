"""From what a column's values showed to its type, and what to say of it.

A type is chosen only if every value of the sample has it and comes back from it as it
was, but for spaces at its ends, zeros at the end of a fraction, the case of true and
false, and a time zone, which becomes UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from snowmelt.bronze.inference.evidence import Evidence
from snowmelt.bronze.inference.kinds import (
    ALL_FAMILIES,
    CERTAIN_TOKENS,
    NUMBERS,
    Family,
    Kind,
)
from snowmelt.bronze.inference.time_forms import Choice, Reading

INTEGER_MAX = 1_000_000_000
DOUBLE_WHOLE_MAX = 1 << 53
ROWS_TO_BELIEVE = 100
_MONEY_SCALE = 2
_SCALE_MAX = 6
_PRECISION = 18
_PRECISION_MAX = 38
_HEAD_ROOM = 2
_SHOWN_MAX = 30
_GROUPED = "such as 1,234: thousands or a fraction? kept as text"


class Separator(StrEnum):
    """What stands between a number's whole and its fraction."""

    POINT = "."
    COMMA = ","


@dataclass(frozen=True)
class FormatFacts:
    """What the pipe's one file format says of every column's values."""

    separator: Separator = Separator.POINT
    tokens: frozenset[str] = frozenset()
    times: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """A column's type and whether it is always there.

    `notes` are for the person who reads the contract; `is_unsure` if one of them is a
    doubt.
    """

    type: str
    nullable: bool = True
    notes: tuple[str, ...] = ()
    is_unsure: bool = False


@dataclass(frozen=True)
class Traits:
    """What there is to a column besides the evidence of its values.

    `readings`: how the forms of dates and times that it may have read its values.
    """

    families: frozenset[Family] = ALL_FAMILIES
    fixed: str | None = None
    optional: bool = False
    readings: tuple[Reading, ...] = ()


def decide(evidence: Evidence, facts: FormatFacts, traits: Traits) -> Decision:
    """Return the type of a column, and what to say of it."""
    type_name, notes, is_unsure = _typed(evidence, facts, traits)
    empty = evidence.records - evidence.values
    if type_name == "varchar" or traits.fixed:
        kept = sum(n for token, n in evidence.tokens.items() if token in facts.tokens)
        empty = evidence.records - _texts(evidence) + kept
        if kept:
            tokens = ", ".join(
                f"{_shown(token)} ({many:,})"
                for token, many in evidence.tokens.items()
                if token in facts.tokens
            )
            notes.append(f"means NULL here too: {tokens}")
            is_unsure = is_unsure or not set(evidence.tokens) <= set(CERTAIN_TOKENS)
    never_empty = empty == 0 and evidence.records >= ROWS_TO_BELIEVE
    return Decision(
        type=type_name,
        nullable=traits.optional or not never_empty,
        notes=tuple(notes),
        is_unsure=is_unsure,
    )


def choose_separator(columns: Iterable[Evidence]) -> Separator:
    """Return the decimal separator of most columns of numbers with a fraction."""
    points = commas = 0
    for each in columns:
        numbers = each.values == each.count(*NUMBERS)
        points += numbers and bool(each.count(Kind.DECIMAL, Kind.EXPONENT))
        grouped = each.grouped == each.count(Kind.COMMA)
        commas += numbers and not grouped
    return Separator.COMMA if commas > points else Separator.POINT


def choose_tokens(columns: Mapping[int, Evidence], typed: Iterable[int]) -> set[str]:
    """Return the texts that mean NULL: the certain ones, and what stands in the way.

    `typed` are the columns whose other values are all of one type.
    """
    tokens = {
        token
        for evidence in columns.values()
        for token in evidence.tokens
        if token in CERTAIN_TOKENS
    }
    for column in typed:
        tokens |= set(columns[column].tokens)
    return tokens


def is_typed(evidence: Evidence, separator: Separator, traits: Traits) -> bool:
    """Say whether a column's values, tokens for nothing left out, have a type."""
    if traits.fixed or not evidence.values:
        return False
    if _readable(traits.readings, evidence.values):
        return True
    facts = FormatFacts(separator, frozenset(evidence.tokens))
    return _typed(evidence, facts, traits)[0] != "varchar"


def _typed(
    evidence: Evidence, facts: FormatFacts, traits: Traits
) -> tuple[str, list[str], bool]:
    if traits.fixed:
        return traits.fixed, [], False
    if not evidence.values and set(evidence.tokens) <= facts.tokens:
        return "varchar", [f"no value in {_records(evidence)}"], True
    if set(evidence.tokens) - facts.tokens:
        return _text(evidence, facts, traits)
    families = traits.families
    if Family.NUMBER in families and evidence.values == evidence.count(
        *_numbers(facts)
    ):
        return _number(evidence)
    if Family.BOOLEAN in families and evidence.values == evidence.count(Kind.BOOLEAN):
        return "boolean", [], False
    if Family.TIME in families:
        found = _time(evidence, facts, traits.readings)
        if found:
            return found
    return _text(evidence, facts, traits)


def _numbers(facts: FormatFacts) -> tuple[Kind, ...]:
    if facts.separator is Separator.COMMA:
        return Kind.INTEGER, Kind.COMMA
    return Kind.INTEGER, Kind.DECIMAL, Kind.EXPONENT


def _number(evidence: Evidence) -> tuple[str, list[str], bool]:
    if evidence.values == evidence.count(Kind.INTEGER):
        small = evidence.least >= -INTEGER_MAX and evidence.most <= INTEGER_MAX
        return ("integer" if small else "bigint"), [], False
    if evidence.grouped and evidence.grouped == evidence.count(Kind.COMMA):
        return "varchar", [_GROUPED], True
    exponents = evidence.count(Kind.EXPONENT)
    if exponents and exponents == evidence.bare_exponents:
        return "varchar", ["such as 12E4: numbers or codes? kept as text"], True
    whole_most = max(abs(evidence.least), abs(evidence.most))
    exact = not evidence.inexact and whole_most <= DOUBLE_WHOLE_MAX
    uneven = evidence.scale_least != evidence.scale_most
    if exponents or (evidence.scale_most > _SCALE_MAX and uneven):
        if exact:
            return "double", [], False
        if exponents:
            return "varchar", ["a double would change some values; kept as text"], True
    return _decimal(evidence, whole_most)


def _decimal(evidence: Evidence, whole_most: int) -> tuple[str, list[str], bool]:
    """Return a decimal with the scale seen, and room for larger numbers.

    Fractions of different lengths had zeros taken off: there may be longer ones.
    """
    scale = max(evidence.scale_most, _MONEY_SCALE)
    if scale > _MONEY_SCALE and evidence.scale_least != evidence.scale_most:
        scale += _HEAD_ROOM
    digits = max(evidence.whole_digits, len(str(whole_most))) + scale + _HEAD_ROOM
    if digits > _PRECISION_MAX:
        note = f"numbers of more than {_PRECISION_MAX} digits; kept as text"
        return "varchar", [note], True
    precision = _PRECISION if digits <= _PRECISION else _PRECISION_MAX
    return f"decimal({precision},{scale})", [], False


def _time(
    evidence: Evidence, facts: FormatFacts, readings: tuple[Reading, ...]
) -> tuple[str, list[str], bool] | None:
    """Return the type of dates and times, if all values are in the pipe's one form."""
    for reading in _readable(readings, evidence.values):
        choice = facts.times.get(reading.form.type, Choice(None))
        if choice.format == reading.form.format:
            notes = [choice.doubt] if choice.doubt else []
            return reading.form.type, notes, bool(choice.doubt)
    iso = iso_type(evidence)
    if iso is None:
        return None
    name = "timestamp" if iso == "timestamptz" else iso
    if facts.times.get(name, Choice(None)).format is not None:
        return None
    notes = []
    days = evidence.count(Kind.DATE)
    if iso == "timestamp" and days:
        notes = [f"{days:,} of {evidence.values:,} values have no time of day"]
    return iso, notes, bool(notes)


def iso_type(evidence: Evidence) -> str | None:
    """Return the type of dates and times that are all in ISO 8601."""
    values = evidence.values
    if not values:
        return None
    for name, kinds in (
        ("date", (Kind.DATE,)),
        ("timestamp", (Kind.DATE, Kind.TIMESTAMP)),
        ("timestamptz", (Kind.ZONED,)),
        ("time", (Kind.TIME,)),
    ):
        if values == evidence.count(*kinds):
            return name
    return None


def _readable(readings: Iterable[Reading], values: int) -> list[Reading]:
    return [reading for reading in readings if reading.count == values]


def _text(
    evidence: Evidence, facts: FormatFacts, traits: Traits
) -> tuple[str, list[str], bool]:
    """Return varchar, and why it is not what it nearly is."""
    values = evidence.values
    notes: list[str] = []
    if values and Family.NUMBER in traits.families:
        notes = _number_notes(evidence, facts)
    if not notes and values and Family.TIME in traits.families:
        notes = _time_notes(evidence, facts, traits.readings)
    if not notes:
        notes = _nearly(evidence, facts)
    return "varchar", notes, bool(notes)


def _number_notes(evidence: Evidence, facts: FormatFacts) -> list[str]:
    values, count = evidence.values, evidence.count
    digits = count(Kind.INTEGER, Kind.LEADING_ZERO, Kind.LONG_DIGITS, Kind.PLUS)
    if digits == values and count(Kind.LEADING_ZERO):
        zeros = count(Kind.LEADING_ZERO)
        return [f"{zeros:,} of {values:,} values begin with 0: codes, kept as text"]
    if digits == values and count(Kind.LONG_DIGITS):
        return ["more than 18 digits; kept as text"]
    if count(Kind.PLUS) and count(Kind.PLUS, *NUMBERS) == values:
        return [f"{count(Kind.PLUS):,} of {values:,} values begin with +; kept as text"]
    if evidence.grouped and count(Kind.INTEGER) + evidence.grouped == values:
        return [_GROUPED]
    if count(Kind.INTEGER, Kind.COMMA, Kind.DECIMAL) == values:
        return [
            f"numbers with both . and , or another separator than "
            f"'{facts.separator}', which most columns have; kept as text"
        ]
    return []


def _time_notes(
    evidence: Evidence, facts: FormatFacts, readings: tuple[Reading, ...]
) -> list[str]:
    values, count = evidence.values, evidence.count
    readable = _readable(readings, values)
    iso = iso_type(evidence)
    if readable or iso:
        kind = readable[0].form.type if readable else str(iso)
        form = readable[0].form.format if readable else "ISO 8601"
        name = "timestamp" if kind == "timestamptz" else kind
        chosen = facts.times.get(name, Choice(None)).format or "ISO 8601"
        return [
            f"{kind}s as {form}; a pipe has one {name}_format, here {chosen}; "
            "kept as text"
        ]
    if count(Kind.ZONED) and count(Kind.ZONED, Kind.TIMESTAMP) == values:
        zoned = count(Kind.ZONED)
        return [f"{zoned:,} of {values:,} timestamps have a time zone; kept as text"]
    if count(Kind.NANOSECONDS):
        return ["timestamps finer than microseconds; kept as text"]
    if readings and max(each.count for each in readings) * 2 >= values:
        best = max(readings, key=lambda each: each.count)
        bad = values - best.count
        return [
            f"{bad:,} of {values:,} values are no {best.form.type}s as "
            f"{best.form.format}; kept as text"
        ]
    return []


def _nearly(evidence: Evidence, facts: FormatFacts) -> list[str]:
    """Say which values keep a column of numbers, dates or truths from being one."""
    left = {t: n for t, n in evidence.tokens.items() if t not in facts.tokens}
    values = evidence.values + sum(left.values())
    groups = (
        ("integers", (Kind.INTEGER,)),
        ("numbers", _numbers(facts)),
        ("numbers with a comma", (Kind.INTEGER, Kind.COMMA)),
        ("true or false", (Kind.BOOLEAN,)),
        ("dates", (Kind.DATE,)),
        ("timestamps", (Kind.TIMESTAMP, Kind.DATE)),
        ("timestamps with a time zone", (Kind.ZONED,)),
        ("times", (Kind.TIME,)),
    )
    for name, kinds in groups:
        good = evidence.count(*kinds)
        if good * 2 < values or not good:
            continue
        bad = [
            example
            for kind, examples in evidence.examples.items()
            if kind not in kinds
            for example in examples
        ]
        shown = ", ".join(_shown(each) for each in [*left, *bad][:3])
        return [
            f"{values - good:,} of {values:,} values are not {name}: {shown}; "
            "kept as text"
        ]
    return []


def _texts(evidence: Evidence) -> int:
    """Return how many texts are not empty, tokens counted."""
    return evidence.values + evidence.count(Kind.TOKEN)


def _records(evidence: Evidence) -> str:
    return f"{evidence.records:,} record" + ("" if evidence.records == 1 else "s")


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
    return repr(cut)
