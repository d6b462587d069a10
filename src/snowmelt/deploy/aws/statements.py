"""Policy documents as values: written, compared, and merged with those of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from snowmelt.deploy.address import Reference

VERSION = "2012-10-17"
Document = dict[str, Any]
Text: TypeAlias = "str | Reference"
"""A word of a policy; a reference where it is known once something else is there."""
Conditions = Mapping[str, Mapping[str, tuple[Text, ...]]]
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")


@dataclass(frozen=True)
class Statement:
    """One rule of a policy.

    `principals` maps a kind (`AWS`, `Service`) to names; None in a policy that hangs
    on its principal. An empty `resources` is that of a trust policy.
    """

    sid: str
    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]
    resources: tuple[Text, ...] = ()
    principals: Mapping[str, tuple[Text, ...]] | None = None
    conditions: Conditions = field(default_factory=dict)

    def document(self) -> Document:
        """Return the statement as AWS takes it; the same text every time."""
        written: Document = {"Sid": self.sid, "Effect": self.effect}
        if self.principals is not None:
            written["Principal"] = {
                kind: _short(names) for kind, names in sorted(self.principals.items())
            }
        written["Action"] = _short(self.actions)
        if self.resources:
            written["Resource"] = _short(self.resources)
        if self.conditions:
            written["Condition"] = {
                operator: {key: _short(values) for key, values in sorted(keys.items())}
                for operator, keys in sorted(self.conditions.items())
            }
        return written


def policy(*statements: Statement) -> Document:
    """Return a whole policy."""
    return {"Version": VERSION, "Statement": [each.document() for each in statements]}


def as_text(document: Document) -> str:
    """Return a policy as the services take it."""
    return json.dumps(document, separators=(",", ":"))


def merge(found: Document | None, ours: Iterable[Document]) -> Document:
    """Put our statements into a policy that may have others'.

    Ours are known by their Sid: each is replaced where it stands, new ones come last,
    and what others wrote stays as it is, in its order.
    """
    wanted = {each["Sid"]: each for each in ours}
    kept = list(_statements(found))
    standing = {each.get("Sid") for each in kept}
    merged = [wanted.get(each.get("Sid", ""), each) for each in kept]
    merged += [each for sid, each in wanted.items() if sid not in standing]
    head = {
        key: value for key, value in (found or {}).items() if key != "Statement"
    } or {"Version": VERSION}
    return {**head, "Statement": merged}


def without(found: Document | None, sids: Iterable[str]) -> Document | None:
    """Take our statements out of a policy; None when nothing is left."""
    gone = set(sids)
    left = [each for each in _statements(found) if each.get("Sid") not in gone]
    return {**(found or {}), "Statement": left} if left else None


def of_sids(found: Document | None, sids: Iterable[str]) -> list[Document]:
    """Return the statements that have one of these Sids."""
    wanted = set(sids)
    return [each for each in _statements(found) if each.get("Sid") in wanted]


def same(one: Document | None, other: Document | None) -> bool:
    """Do two policies say the same, however they are written?"""
    return normal(one) == normal(other)


def normal(document: Document | None) -> list[Any]:
    """Return a policy's statements in one form, as AWS may say them otherwise.

    Lists are sorted, accounts are numbers, services of actions are in small letters:
    SNS and SQS write theirs in capitals.
    """
    return [
        _normal_statement(each)
        for each in sorted(_statements(document), key=lambda each: str(each.get("Sid")))
    ]


def _normal_statement(statement: Document) -> Document:
    written = {key: value for key, value in statement.items() if key != "Sid" or value}
    if written.get("Principal") == "*":
        written["Principal"] = {"AWS": "*"}
    for element in ("Action", "NotAction"):
        if element in written:
            listed = written[element]
            actions = listed if isinstance(listed, list) else [listed]
            written[element] = [_normal_action(str(each)) for each in actions]
    return {key: _normal_value(value) for key, value in written.items()}


def _normal_action(action: str) -> str:
    service, colon, name = action.partition(":")
    return f"{service.lower()}{colon}{name}"


def _normal_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normal_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(map(_normal_text, value), key=str)
    return [_normal_text(value)]


def _normal_text(value: Any) -> str | Reference:
    """An account may be written as its number or as its root; false as a word."""
    if isinstance(value, Reference):
        return value
    text = str(value).lower() if isinstance(value, bool) else str(value)
    root = _ROOT.fullmatch(text)
    return root[1] if root else text


def _statements(document: Document | None) -> list[Document]:
    """AWS lets a lone statement stand without its list."""
    found = (document or {}).get("Statement", [])
    return [dict(found)] if isinstance(found, Mapping) else list(found)


def _short(values: tuple[Text, ...]) -> Text | list[Text]:
    return values[0] if len(values) == 1 else list(values)
