"""The conditions of a policy statement, as AWS documents them.

What is not known is an error, never a guess: an operator, a policy variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Context = Mapping[str, str | tuple[str, ...]]
_ARN_PARTS = 6
_IF_EXISTS = "IfExists"
# What a condition on a key that the request does not have comes to, by its quantifier;
# without one it is what the operator says of a value that does not match.
_ABSENT: dict[str, bool | None] = {"": None, "ForAllValues": True, "ForAnyValue": False}


class UnknownPolicyError(Exception):
    """A policy says something that this evaluator does not know."""


def as_list(value: Any) -> list[Any]:
    """Return the values of an element that may be one or many."""
    return list(value) if isinstance(value, list | tuple) else [value]


def matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """Match `*` (any characters, slashes too) and `?` (one character)."""
    return _compiled(pattern, ignore_case).fullmatch(text) is not None


def matches_arn(pattern: str, arn: str) -> bool:
    """Match an ARN part by part: a wildcard does not reach over a colon.

    The sixth part takes the rest, which may have colons of its own.
    """
    wanted = pattern.split(":", _ARN_PARTS - 1)
    given = arn.split(":", _ARN_PARTS - 1)
    if len(given) != _ARN_PARTS or len(wanted) != _ARN_PARTS:
        return pattern == "*" and len(given) == _ARN_PARTS
    return all(map(matches, wanted, given))


def matches_resource(pattern: str, arn: str) -> bool:
    """Match a statement's resource: parts that its ARN lacks may be anything."""
    if pattern == "*":
        return True
    lacking = _ARN_PARTS - 1 - pattern.count(":")
    return matches_arn(pattern + ":*" * lacking, arn)


def holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Do all conditions of a statement hold? Keys are compared without their case.

    Raises UnknownPolicyError.
    """
    given = {key.lower(): value for key, value in context.items()}
    results = [  # every operator is looked at, so that an unknown one is always told
        _holds_for(operator, wanted, given.get(key.lower()))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    ]
    return all(results)


def _holds_for(operator: str, wanted: Any, given: str | tuple[str, ...] | None) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name == "Null":
        return _is_null(wanted, given)
    if_exists = name.endswith(_IF_EXISTS)
    test = _test_of(operator, name.removesuffix(_IF_EXISTS))
    if quantifier not in _ABSENT:
        raise UnknownPolicyError(f"the operator {operator} is not known")
    values = [_text(value) for value in as_list(wanted)]
    if not given:
        absent = _ABSENT[quantifier]
        return if_exists or (test.negated if absent is None else absent)
    each = [test.holds(values, value) for value in as_list(given)]
    if not quantifier and len(each) != 1:
        raise UnknownPolicyError(
            f"{operator} is asked of a key with {len(each)} values: "
            "it needs ForAnyValue or ForAllValues"
        )
    return all(each) if quantifier == "ForAllValues" else any(each)


def _is_null(wanted: Any, given: Any) -> bool:
    said = {_text(value) for value in as_list(wanted)}
    if said not in ({"true"}, {"false"}):
        raise UnknownPolicyError(f"Null says {sorted(said)}, not true or false")
    return (not given) == (said == {"true"})


class _Test:
    """One operator: how a value is compared, and whether it is turned round."""

    def __init__(self, compare: Callable[[str, str], bool], *, negated: bool) -> None:
        self._compare = compare
        self.negated = negated

    def holds(self, wanted: Iterable[str], given: str) -> bool:
        """One of the wanted values is enough; turned round, none may be."""
        return any(self._compare(each, given) for each in wanted) != self.negated


def _same(wanted: str, given: str) -> bool:
    return wanted == given


def _same_word(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


_COMPARED: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_word,
    "StringLike": matches,
    "ArnEquals": matches_arn,
    "ArnLike": matches_arn,
    "Bool": _same_word,
}
_TURNED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _test_of(operator: str, name: str) -> _Test:
    compare = _COMPARED.get(_TURNED.get(name, name))
    if compare is None:
        raise UnknownPolicyError(f"the operator {operator} is not known")
    return _Test(compare, negated=name in _TURNED)


def _text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "${" in text:
        raise UnknownPolicyError(f"the variable in {text} is not known")
    return text


@cache
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    if "${" in pattern:
        raise UnknownPolicyError(f"the variable in {pattern} is not known")
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part))
        for part in re.split(r"([*?])", pattern)
    )
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile("".join(parts), flags)
