"""Documents of AWS as values that a plan can compare and a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowmelt.deploy.address import Reference, Value
from snowmelt.deploy.aws.statements import Document, normal

_WORDS = {"Action": "", "NotAction": "all but", "Resource": "on", "Principal": "to"}


def told_policy(document: Document | None) -> Value:
    """Return a policy's statements: each whole, in one order of words."""
    return tuple(_told_statement(each) for each in normal(document))


def _told_statement(statement: Mapping[str, Any]) -> Value:
    words: list[Value] = []
    for element in ("Sid", "Effect"):
        words += _listed(statement.get(element, []))
    for element, word in _WORDS.items():
        if element in statement:
            words += [word] if word else []
            words.append(_flat(statement[element]))
    for element in sorted(statement.keys() - {"Sid", "Effect", *_WORDS}):
        words += [
            {"Condition": "when"}.get(element, element),
            _flat(statement[element]),
        ]
    return tuple(words)


def told_json(value: Any) -> Value:
    """Return any document: names and values in the order of the names."""
    return _flat(value)


def _flat(value: Any) -> Value:
    if isinstance(value, Mapping):
        return tuple(
            part for key in sorted(value) for part in (str(key), _flat(value[key]))
        )
    if isinstance(value, list | tuple):
        flat = tuple(_flat(part) for part in value)
        return flat[0] if len(flat) == 1 else flat
    if isinstance(value, Reference) or value is None:
        return value
    return value if isinstance(value, bool | int) else str(value)


def _listed(value: Any) -> list[Value]:
    flat = _flat(value)
    return list(flat) if isinstance(flat, tuple) else [flat]
