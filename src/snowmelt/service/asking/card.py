"""A query as a card of a dashboard, to be pasted into dashboards/*.yml."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_TIMES = ("DATE", "TIMESTAMP", "TIME")
_NUMBERS = (
    *("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER"),
    *("DOUBLE", "FLOAT", "DECIMAL"),
)


def card_yaml(
    sql: str,
    columns: Sequence[tuple[str, str]],
    relations: Mapping[str, str],
    rows: int | None = None,
) -> str:
    """Return the YAML of a card that fits columns (name, type) of a query.

    `relations`: models by their relation as it is written in SQL, in lower case.
    """
    card = _shape(columns, rows)
    card["sql"] = with_refs(sql.strip().rstrip(";"), relations)
    text = yaml.dump([card], Dumper=_Readable, sort_keys=False, allow_unicode=True)
    return str(text)


def _shape(columns: Sequence[tuple[str, str]], rows: int | None) -> dict[str, Any]:
    names = [name for name, _ in columns]
    figures = [name for name, kind in columns if kind.upper().startswith(_NUMBERS)]
    if len(columns) == 1 and figures and rows in (None, 1):
        return {"kpi": _title(names[0]), "value": names[0], "span": 3}
    if 2 <= len(columns) <= 3 and figures and figures[-1] == names[-1]:
        is_time = columns[0][1].upper().startswith(_TIMES)
        chart = {
            "chart": "line" if is_time else "bar",
            "title": f"{_title(names[-1])} by {names[0].replace('_', ' ')}",
            "x": names[0],
            "y": names[-1],
        }
        series = {"series": names[1]} if len(columns) == 3 else {}
        return {**chart, **series, "span": 6}
    return {"table": "A title", "span": 12}


def with_refs(sql: str, relations: Mapping[str, str]) -> str:
    """Return a query with `{{ ref('model') }}` where it names a model's table."""
    parts = re.split(r"('(?:[^']|'')*'|--[^\n]*|/\*.*?\*/)", sql, flags=re.DOTALL)
    for place in range(0, len(parts), 2):
        for relation, model in sorted(
            relations.items(), key=lambda each: -len(each[0])
        ):
            schema, _, table = relation.partition(".")
            name = rf'"?{re.escape(schema)}"?\."?{re.escape(table)}"?'
            pattern = rf'(?<![\w."]){name}(?![\w."(])'
            told = "{{ ref('" + model + "') }}"
            parts[place] = re.sub(
                pattern, lambda _, t=told: t, parts[place], flags=re.I
            )
    return "".join(parts)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


class _Readable(yaml.SafeDumper):
    """Writes queries of several lines as they are."""


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tidy = "\n".join(line.rstrip() for line in text.replace("\t", "  ").split("\n"))
    style = "|" if "\n" in tidy else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", tidy, style=style)


_Readable.add_representer(str, _write_text)
