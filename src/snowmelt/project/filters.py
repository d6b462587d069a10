"""What a dashboard's `filters:` say, and what somebody chose of them.

What was chosen is a text of an address: `region=north&period=last_30_days`. It reaches
a query as values alone, never as a part of its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from snowmelt.errors import UsageError
from snowmelt.project.periods import ALL, Period, read_period

EVERY = "*"
"""Chosen where a default is not wanted: everything."""
CUSTOM = "custom"
VALUES_MAX = 200
LENGTH_MAX = 300
_PAIRS_MAX = 1000
_COLUMN = re.compile(
    r"\{\{\s*ref\(\s*(['\"])(?P<model>\w+)\1\s*\)\s*\}\}\.(?P<column>\w+)"
)
Text = Annotated[str, StringConstraints(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]


class Filter(BaseModel):
    """One thing that can be chosen on a dashboard, and what it is chosen from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="Its name in queries and in the page's address.")
    type: Literal["select", "multi", "date_range", "text"] = Field(
        description="One value, several, a period, or a part of a text."
    )
    column: Text = Field(
        description="Where its values are from: {{ ref('model') }}.column."
    )
    label: Text | None = Field(None, description="What stands above it.")
    default: Text | list[Text] | None = Field(
        None,
        description="What is chosen at first; nothing is: everything. A period: "
        "last_30_days, last_12_months, this_year, 2024-01-01..2024-03-31.",
    )
    relative_to: Literal["data", "clock"] = Field(
        "data",
        description="Where last_12_months ends: on the newest day of the column, or "
        "today.",
    )

    @field_validator("column")
    @classmethod
    def _is_column(cls, given: str) -> str:
        if not _COLUMN.fullmatch(given):
            raise ValueError("write it as {{ ref('model') }}.column")
        return given

    @model_validator(mode="after")
    def _has_a_default_of_its_kind(self) -> Filter:
        if self.type != "multi" and isinstance(self.default, list):
            raise ValueError(f"a {self.type} has one default, and no list")
        if self.type != "date_range" and self.relative_to == "clock":
            raise ValueError("only a date_range is relative to something")
        if self.type == "date_range" and isinstance(self.default, str):
            read_period(self.default, date(2000, 1, 1))
        return self

    @property
    def model(self) -> str:
        """The model that its values are from."""
        return self._found("model")

    @property
    def field(self) -> str:
        """The column of that model."""
        return self._found("column")

    @property
    def shown(self) -> str:
        """What stands above it."""
        return self.label or self.name.replace("_", " ").capitalize()

    def _found(self, part: str) -> str:
        found = _COLUMN.fullmatch(self.column)
        assert found is not None, "it was checked as it was read"
        return found[part]


@dataclass(frozen=True)
class Choice:
    """What is chosen of one filter. `values`: none of them is everything.

    Of a date_range `text` is what was chosen, and `period` what it comes to once the
    newest day is known.
    """

    filter: Filter
    values: tuple[str, ...] = ()
    text: str = ""
    period: Period | None = None
    is_default: bool = True

    @property
    def is_active(self) -> bool:
        """Does it leave anything out?"""
        if self.filter.type == "date_range":
            return self.period is not None and self.period != Period()
        return bool(self.values)

    def ending_on(self, newest: date) -> Choice:
        """Return it with its period. Raises UsageError for what is none."""
        if not self.text:
            return replace(self, period=Period())
        try:
            return replace(self, period=read_period(self.text, newest))
        except (ValueError, OverflowError) as error:
            raise UsageError(self.filter.name, str(error)) from None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return what an address has to say to choose the same."""
        return [] if self.is_default else self.said

    @property
    def said(self) -> list[tuple[str, str]]:
        """Return what an address says that chooses this, default or not."""
        if self.filter.type == "date_range":
            return [(self.filter.name, self.text or ALL)]
        return [(self.filter.name, each) for each in self.values or (EVERY,)]


def read_choices(
    filters: Sequence[Filter], chosen: str | None, *, strict: bool = True
) -> list[Choice]:
    """Return what is chosen of each filter; what is not named has its default.

    `strict`: refuse names of no filter, which an address may have for other reasons.

    Raises UsageError naming the filter whose value is none.
    """
    try:
        pairs = parse_qsl(
            chosen or "", keep_blank_values=True, max_num_fields=_PAIRS_MAX
        )
    except ValueError:
        raise UsageError("filters", "there are too many of them") from None
    known = {name for each in filters for name in _names_of(each)}
    for name, value in pairs:
        if strict and name not in known:
            told = ", ".join(each.name for each in filters) or "none"
            raise UsageError(name[:80], "there is no such filter", f"Known: {told}.")
        if len(value) > LENGTH_MAX or "\0" in value:
            raise UsageError(name[:80], "the value is too long, or has a NUL in it")
    return [_choice(each, pairs) for each in filters]


def address_of(choices: Iterable[Choice]) -> str:
    """Return what an address says after its `?`; empty where all is as by default."""
    return urlencode([pair for choice in choices for pair in choice.pairs])


def named_in(chosen: str) -> list[str]:
    """Return the filters that an address says anything of, each once."""
    names = [name for name, _ in parse_qsl(chosen, keep_blank_values=True)]
    bare = [name.removesuffix(".from").removesuffix(".to") for name in names]
    return list(dict.fromkeys(bare))


def _names_of(found: Filter) -> tuple[str, ...]:
    if found.type != "date_range":
        return (found.name,)
    return found.name, f"{found.name}.from", f"{found.name}.to"


def _choice(found: Filter, pairs: list[tuple[str, str]]) -> Choice:
    given = [value.strip() for name, value in pairs if name == found.name]
    given = [value for value in given if value]
    if found.type == "date_range":
        return _period_choice(found, given, dict(pairs))
    if not given:
        return Choice(found, _default_values(found))
    if found.type != "multi":
        given = given[-1:]
    values = tuple(dict.fromkeys(value for value in given if value != EVERY))
    if len(values) > VALUES_MAX:
        raise UsageError(found.name, f"at most {VALUES_MAX} values can be chosen")
    return Choice(found, values, is_default=values == _default_values(found))


def _default_values(found: Filter) -> tuple[str, ...]:
    default = found.default
    if default is None or default == EVERY:
        return ()
    return tuple(default) if isinstance(default, list) else (default,)


def _period_choice(found: Filter, given: list[str], fields: dict[str, str]) -> Choice:
    """Return a period: a word, two dates in one text, or two fields of a form."""
    default = str(found.default or ALL)
    begin = fields.get(f"{found.name}.from", "").strip()
    end = fields.get(f"{found.name}.to", "").strip()
    text = given[-1] if given else ""
    if text in (CUSTOM, "") and (begin or end):
        text = f"{begin}..{end}"
    elif text == CUSTOM or not text:
        text = default
    elif text == EVERY:
        text = ALL
    choice = Choice(found, text=text, is_default=text == default)
    choice.ending_on(date(2000, 1, 1))
    return choice
