"""One JSON record, judged exactly: what the engine reads loosely is read here.

The engine takes records in bulk. Those that it cannot read, or may read otherwise than
they are meant, come here one by one: a key twice, a key in another case, a comma before
a closing bracket, NaN, a number of more digits than a double has.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from snowmelt.bronze.json_path import Steps, steps_of
from snowmelt.bronze.raw import VALUE_SHOWN_MAX, RejectError
from snowmelt.pipe.contract import Column
from snowmelt.pipe.evolved import RESCUED
from snowmelt.pipe.file_format import NOT_UTF8, JsonFormat

_MISSING = object()
_WORDS = {None: "null", True: "true", False: "false"}
_quoted = json.encoder.encode_basestring


class NotJson(Exception):
    """Why a text is not one JSON value, in a person's words."""


class NotOne(Exception):
    """Why it cannot be said which value a column has."""


class Number(str):
    """A number as it is written."""


class Members(list[tuple[str, Any]]):
    """The members of a JSON object; a key may be there twice."""


@dataclass(frozen=True)
class Judge:
    """Finds the values of a contract's columns in records."""

    columns: Sequence[Column]
    json_format: JsonFormat
    record_bytes_max: int

    def resolve(self, raw: bytes) -> bytes | RejectError:
        """Return a record as one line, by the columns' names; or what is wrong."""
        if len(raw) > self.record_bytes_max:
            most = self.record_bytes_max
            return _broken(
                "LINE SIZE OVER MAXIMUM", f"the record is longer than {most} bytes"
            )
        try:
            record = read_json(raw)
        except UnicodeDecodeError:
            return _broken("INVALID ENCODING", NOT_UTF8)
        except NotJson as error:
            return _broken("INVALID JSON", f"not valid JSON: {error}")
        if not isinstance(record, Members):
            return _broken(
                "NOT AN OBJECT", f"a record must be an object, not {kind_of(record)}"
            )
        try:
            return self._write(record)
        except RecursionError:
            return _broken("INVALID JSON", "the record is nested too deeply")

    def _write(self, record: Members) -> bytes | RejectError:
        found: list[tuple[str, Any]] = []
        for column, steps in self._placed:
            try:
                value = self._find(record, steps)
            except NotOne as error:
                return RejectError(column.name, "DUPLICATE KEY", str(error))
            if value is not _MISSING:
                found.append((column.name, self._fitted(value, column)))
        if len(self._placed) < len(self.columns):
            found.append((RESCUED, self._rest(record) or None))
        return write_json(Members(found)).encode()

    @cached_property
    def _placed(self) -> list[tuple[Column, Steps]]:
        """Return the columns that a record has a place for, and the steps there."""
        return [(c, steps_of(c)) for c in self.columns if c.name != RESCUED]

    def _rest(self, record: Members) -> Members:
        """Return the members that no column is read from, but for nulls."""
        named = {str(steps[0]).lower() for _, steps in self._placed}
        return Members(
            (n, v) for n, v in record if n.lower() not in named and v is not None
        )

    def _find(self, record: Members, steps: Steps) -> Any:
        """Walk to a value; nothing is there where a step leads nowhere."""
        value: Any = record
        for step in steps:
            if isinstance(step, str) and isinstance(value, Members):
                value = self._member(value, step)
            elif isinstance(step, int) and type(value) is list and step < len(value):
                value = value[step]
            else:
                return _MISSING
        return value

    def _member(self, members: Members, key: str) -> Any:
        """Find a member by its exact key, else by the only one in another case."""
        found = [value for name, value in members if name == key]
        if len(found) > 1 and not self.json_format.allow_duplicate:
            raise NotOne(f"the key '{key}' is there twice")
        if found:
            return found[-1]
        like = [(name, value) for name, value in members if name.lower() == key.lower()]
        names = sorted({name for name, _ in like})
        if len(names) > 1:
            raise NotOne(f"several keys are '{key}' in another case: {names}")
        if len(like) > 1 and not self.json_format.allow_duplicate:
            raise NotOne(f"the key '{names[0]}' is there twice")
        return like[-1][1] if like else _MISSING

    def _fitted(self, value: Any, column: Column) -> Any:
        """Return a value so that the engine keeps all of it."""
        if column.type == "json" and self.json_format.strip_null_values:
            return without_nulls(value)
        if isinstance(value, Number) and column.type.startswith("decimal"):
            return str(value)
        return value


def read_json(raw: bytes) -> Any:
    """Read one JSON value: strictly, with numbers and repeated keys as written.

    Raises NotJson, or UnicodeDecodeError for bytes that are not UTF-8.
    """
    text = raw.decode()
    try:
        value = json.loads(
            text,
            object_pairs_hook=Members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse_constant,
        )
        if "\\u" in text:
            write_json(value).encode()
    except json.JSONDecodeError as error:
        place = f"byte {len(text[: error.pos].encode())} of the record"
        raise NotJson(f"{error.msg} at {place}") from None
    except UnicodeEncodeError:
        raise NotJson("half of a surrogate pair") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON")


def write_json(value: Any) -> str:
    """Write a value as compact JSON, with numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Members):
        parts = [f"{_quoted(name)}:{write_json(each)}" for name, each in value]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write_json(each) for each in value) + "]"
    return _quoted(value) if isinstance(value, str) else _WORDS[value]


def without_nulls(value: Any) -> Any:
    """Leave out members and elements that are null, however deep."""
    if isinstance(value, Members):
        return Members(
            [(name, without_nulls(each)) for name, each in value if each is not None]
        )
    if isinstance(value, list):
        return [without_nulls(each) for each in value if each is not None]
    return value


def kind_of(value: Any) -> str:
    """Return what a JSON value is, with its text if it is short."""
    if isinstance(value, list):
        return "an array"
    shown = write_json(value)
    return shown if len(shown) <= VALUE_SHOWN_MAX else shown[:VALUE_SHOWN_MAX] + "…"


def _broken(category: str, error: str) -> RejectError:
    return RejectError(None, category, error)
