"""The one statement that reads JSON records, one a line, into a temporary table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from snowmelt.bronze.conversion import cleaned, time_format_of, typed
from snowmelt.bronze.json_layout import JsonLayout, Keys
from snowmelt.bronze.json_path import Steps, as_sql
from snowmelt.bronze.rescue import rescued_members
from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.evolved import RESCUED
from snowmelt.pipe.file_format import JsonFormat
from snowmelt.warehouse.sql import identifier, literal, literals

BAD = "_bad"
"""The name of an object, as text: by column, texts that are no values of its type."""
ODD = "_odd"
"""The name of what says whether a record has to be judged by itself."""
_SURE_DIGITS = 15
_NO_NUMBERS = ("nan", "-nan", "inf", "-inf", "infinity", "-infinity")
"""What the engine takes for numbers, in any case, and what is no JSON."""


@dataclass(frozen=True)
class JsonStatement:
    """How files of one layout and format are read."""

    json_format: JsonFormat
    contract: Contract
    layout: JsonLayout
    keys: Keys
    record_bytes_max: int
    rescues: bool = True
    """Is what nobody named put into its column? Else the record has a key for it."""

    def sql(self, paths: Sequence[str], table: str) -> str:
        """Return the statement that reads files into `table`.

        It is written in steps, so that nothing is worked out twice: the record, what
        is taken out of it, each column as text, as its type, and what is odd about it.
        """
        index = "file_index" if len(paths) > 1 else "0"
        chosen = [*self._chosen(), f"{self._odd()} as {ODD}", "_file_index"]
        source = self._stepped(paths, f"{index} as _file_index", self._marks())
        return (
            f"create temp table {table} as select {', '.join(chosen)} from ({source})"
        )

    def query(self, path: str) -> str:
        """Return the query of one file's rows, if none of them is odd or refused."""
        numbered = "row_number() over () as _file_row"
        chosen = list(self._chosen())[: len(self.contract.columns)]
        source = self._stepped([path], numbered, ())
        return f"select {', '.join(chosen)}, _file_row from ({source})"

    def _stepped(self, paths: Sequence[str], beside: str, marks: Iterable[str]) -> str:
        source = (
            f"select json, json_keys(json) as keys, {beside} from {self._source(paths)}"
        )
        taken = f"json_transform(json, {literal(self._structure)}) as j"
        for step in ([taken], self._texts(), self._values(), marks):
            source = f"select {', '.join(['*', *step])} from ({source})"
        return source

    def presence_sql(self, path: str, columns: Sequence[Column]) -> str:
        """Return a query: does any record have these columns, be it with a null?"""
        names = [column.name for column in columns]
        found = ", ".join(
            f"bool_or(json_exists(json, {as_sql(steps)}))"
            for column, steps in self._placed
            if column.name in names
        )
        return f"select {found} from {self._source([path])}"

    @property
    def checked(self) -> list[Column]:
        """Return the columns whose texts may be no values of their type."""
        return [c for c in self.contract.columns if c.type not in ("varchar", "json")]

    @property
    def _placed(self) -> list[tuple[Column, Steps]]:
        """Return the columns that a record has a place for, and the steps there."""
        pairs = zip(self.contract.columns, self.layout.steps, strict=True)
        return [pair for pair in pairs if not self._is_rescue(pair[0])]

    def _is_rescue(self, column: Column) -> bool:
        return self.rescues and column.name == RESCUED

    @cached_property
    def _structure(self) -> str:
        """Return what the engine takes out of a record: nested values as JSON."""
        kinds: dict[str, str] = {}
        for column, steps in self._placed:
            nested = len(steps) > 1 or column.type == "json"
            if not self._clashes(steps):
                first = str(steps[0])
                kinds[first] = "JSON" if nested else kinds.get(first, "VARCHAR")
        return json.dumps(kinds or {"": "VARCHAR"}, ensure_ascii=False)

    def _clashes(self, steps: Steps) -> bool:
        """Is there another first key that the engine takes for the same?"""
        return any(
            key != steps[0] and key.lower() == str(steps[0]).lower()
            for key in self._firsts
        )

    def _source(self, paths: Sequence[str]) -> str:
        return (
            f"read_json_objects({literals(paths)}, format = 'newline_delimited', "
            "ignore_errors = true, hive_partitioning = false, "
            "compression = 'uncompressed', "
            f"maximum_object_size = {max(self.record_bytes_max, 1 << 24)})"
        )

    def _texts(self) -> Iterable[str]:
        """Yield each column as it was taken, under its number."""
        for number, column, steps in self._numbered:
            if self._is_rescue(column):
                yield f"{self._rescued()} as t{number}"
            elif column.type == "json":
                yield f"{self._json(steps)} as t{number}"
            else:
                yield f"{self._text(steps)} as t{number}"

    def _values(self) -> Iterable[str]:
        """Yield each column as its type, under its number."""
        for number, column, _ in self._numbered:
            text = f"t{number}"
            if column.type != "json":
                if not self._needs_no_cleaning(column):
                    text = cleaned(text, self.json_format)
                text = typed(text, column, self.json_format)
            yield f"{text} as v{number}"

    def _marks(self) -> Iterable[str]:
        """Yield with what character each text begins, where that is asked for."""
        for number, column, _ in self._numbered:
            if column.type == "varchar":
                yield f"ascii(v{number}) as a{number}"

    def _needs_no_cleaning(self, column: Column) -> bool:
        """Is a text that means NULL no value of the type anyhow?"""
        plain = self.json_format.null_if in ((), ("",)) and column in self.checked
        given = time_format_of(column, self.json_format)
        return plain and not self.json_format.trim_space and given is None

    def _chosen(self) -> Iterable[str]:
        bad, texts = [], []
        for number, column, _ in self._numbered:
            yield f"v{number} as {identifier(column.name)}"
            if column in self.checked:
                text = cleaned(f"t{number}", self.json_format)
                bad.append(f"(v{number} is null and {text} is not null)")
                texts.append(
                    f"{literal(column.name)}: case when v{number} is null "
                    f"then {text} end"
                )
        found = "null"
        if bad:
            written = f"to_json({{{', '.join(texts)}}})::varchar"
            found = f"case when {' or '.join(bad)} then {written} end"
        yield f"{found}::varchar as {BAD}"

    @property
    def _numbered(self) -> list[tuple[int, Column, Steps]]:
        """Return all columns, with the numbers they go by while they are read."""
        pairs = zip(self.contract.columns, self.layout.steps, strict=True)
        return [(number, *pair) for number, pair in enumerate(pairs)]

    def _text(self, steps: Steps) -> str:
        """Return a scalar as text, as a text column has it; a nested value as JSON."""
        first, rest = self._first(steps)
        return f"json_extract_string({first}, {rest})" if rest else first

    def _json(self, steps: Steps) -> str:
        first, rest = self._first(steps)
        if rest:
            first = f"json_extract({first}, {rest})"
        return f"(case when {first}::varchar <> 'null' then {first}::json end)"

    def _first(self, steps: Steps) -> tuple[str, str]:
        """Return what was taken out of the record, and the steps inside that."""
        if self._clashes(steps):
            return "json", as_sql(steps)
        taken = f"struct_extract(j, {literal(str(steps[0]))})"
        if json.loads(self._structure)[steps[0]] == "VARCHAR":
            return taken, ""
        return taken, as_sql(steps[1:])

    def _rescued(self) -> str:
        """Return what no column is read from; most records have nothing of that."""
        named = [first.lower() for first in self._firsts]
        sound = "len(keys) = len(list_distinct(keys)) and starts_with(json, '{')"
        rescued = f"when {sound} then {rescued_members('json', named)}"
        bare = [k for k in self.keys.usual if {key.lower() for key in k} <= set(named)]
        if bare:
            rescued = f"when {_is_one_of(bare)} then null {rescued}"
        return f"case {rescued} end::json"

    def _odd(self) -> str:
        """Return a condition: the record may be other than what is read of it."""
        signs = [
            "json is null",
            f"strlen(json) > {self.record_bytes_max}",
            r"regexp_matches(json, ',\s*[}\]]')",
            self._has_odd_keys(),
        ]
        for number, column, steps in self._numbered:
            if not self._is_rescue(column):
                signs += self._odd_inside(steps)
                signs += self._odd_value(column, number)
        return f"coalesce({' or '.join(f'({sign})' for sign in signs)}, true)"

    def _has_odd_keys(self) -> str:
        """Return a condition: no object, a key twice, or one in another case."""
        signs = [
            "not starts_with(json, '{')",
            "len(keys) <> len(list_distinct(keys))",
        ]
        for first in self._firsts:
            like = f"lambda key: lower(key) = lower({literal(first)})"
            there = f"list_contains(keys, {literal(first)})"
            signs.append(f"len(list_filter(keys, {like})) <> {there}::int")
        usual = [k for k in self.keys.usual if self._reads_all_of(k)]
        if not usual:
            return " or ".join(signs)
        return f"case when {_is_one_of(usual)} then false else {' or '.join(signs)} end"

    def _reads_all_of(self, keys: Sequence[str]) -> bool:
        """Is each column's key among these, or no key like it?"""
        lower = [key.lower() for key in keys]
        return all(
            lower.count(first.lower()) == (first in keys) for first in self._firsts
        )

    @cached_property
    def _firsts(self) -> list[str]:
        """Return the different first keys."""
        return sorted({str(steps[0]) for _, steps in self._placed})

    def _odd_inside(self, steps: Steps) -> list[str]:
        """Return conditions: a key of a path is there twice, or in another case."""
        signs = []
        for depth, step in enumerate(steps[1:], start=1):
            if isinstance(step, str):
                keys = f"json_keys(json, {as_sql(steps[:depth])})"
                like = f"lambda key: lower(key) = lower({literal(step)})"
                there = f"list_contains({keys}, {literal(step)})"
                signs.append(
                    f"coalesce(len(list_filter({keys}, {like})), 0) "
                    f"<> coalesce({there}, false)::int"
                )
        return signs

    def _odd_value(self, column: Column, number: int) -> list[str]:
        """Return conditions: what is read may be another value than is written."""
        name = f"v{number}"
        if column.type == "varchar":
            begins = " or ".join(f"a{number} = {ord(mark)}" for mark in "nNiI-")
            signs = [f"lower({name}) = {literal(sign)}" for sign in _NO_NUMBERS]
            return [f"case when {begins} then {' or '.join(signs)} else false end"]
        if column.type == "double":
            return [f"coalesce(isnan({name}) or isinf({name}), false)"]
        if column.type == "json":
            signs = ["nan", "inf"]
            if self.json_format.strip_null_values:
                signs.append("null")
            found = [f"contains(lower({name}::varchar), '{sign}')" for sign in signs]
            return [f"coalesce({' or '.join(found)}, false)"]
        if column.type.startswith("decimal"):
            return [f"coalesce(strlen(t{number}) > {_SURE_DIGITS}, false)"]
        return []


def _is_one_of(sequences: Sequence[Sequence[str]]) -> str:
    """Return a condition: a record's keys are one of these sequences."""
    return " or ".join(f"keys = {literals(keys)}::varchar[]" for keys in sequences)
