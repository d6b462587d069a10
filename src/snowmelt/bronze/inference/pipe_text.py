"""A drafted pipe as YAML, with what is in doubt beside what it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml
from pydantic import ValidationError

from snowmelt.bronze.inference.draft import Draft, DraftColumn
from snowmelt.errors import UsageError
from snowmelt.pipe.definition import Pipe

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*")
_FILES_SHOWN_MAX = 3


def render_pipe(
    draft: Draft, *, name: str, pattern: str, table: str | None = None
) -> str:
    """Return the text of pipes/<name>.yml; it is read back before it is returned.

    Raises UsageError for samples whose pipe would not be valid.
    """
    lines = [
        "# yaml-language-server: $schema=../.snowmelt/schema/pipe.json",
        f"# Inferred from {_told(draft)}.",
        "# Look it over: a contract holds for files to come, not for samples only.",
        *(f"# {_flat(note)}." for note in draft.notes),
        f"name: {_scalar(name)}",
        f"pattern: {_scalar(pattern)}",
        *([f"table: {_scalar(table)}"] if table else []),
        f"file_format: {_flow(draft.file_format)}",
        "",
        "contract:",
        "  columns:",
        *(_column(column) for column in draft.columns),
        *_keys(draft),
    ]
    text = "\n".join(lines) + "\n"
    try:
        Pipe.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "samples", f"no valid pipe comes of them: {where}: {first['msg']}"
        ) from None
    return text


def column_keys(column: DraftColumn) -> dict[str, object]:
    """Return the keys of one column of a contract, those left out that say nothing."""
    keys: dict[str, object] = {"name": column.name, "type": column.decision.type}
    if column.path is not None:
        keys["path"] = column.path
    if not column.decision.nullable:
        keys["nullable"] = False
    if column.optional:
        keys["optional"] = True
    return keys


def _column(column: DraftColumn) -> str:
    line = f"    - {_flow(column_keys(column))}"
    if column.decision.notes:
        line += "  # " + _flat("; ".join(column.decision.notes))
    return line


def _keys(draft: Draft) -> list[str]:
    if not draft.keys:
        return []
    return [
        "",
        "# Keys, as far as the samples tell:",
        *(
            f"#   {', '.join(key.columns)}: {key.records:,} records, "
            f"{key.distinct:,} distinct, none empty"
            for key in draft.keys
        ),
    ]


def _told(draft: Draft) -> str:
    names = [name for name, _ in draft.files]
    shown = ", ".join(_flat(name) for name in names[:_FILES_SHOWN_MAX])
    more = len(names) - _FILES_SHOWN_MAX
    shown += f" and {more} more" if more > 0 else ""
    plural = "" if draft.records == 1 else "s"
    return f"{draft.records:,} record{plural} of {shown}"


def _flow(keys: dict[str, object]) -> str:
    return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in keys.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    """Write a text so that YAML reads the same text."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(
        text, default_style='"', allow_unicode=True, width=1 << 30
    )
    return quoted.strip()


def _flat(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
