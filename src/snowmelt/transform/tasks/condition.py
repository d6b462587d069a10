"""WHEN: `stream_has_data(orders)`, put together with and, or, not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<stream>(?:system\$)?stream_has_data\s*\(\s*(?P<quote>['\"]?)"
    r"(?P<name>[A-Za-z_][\w.]*)(?P=quote)\s*\))|(?P<word>and|or|not)\b|(?P<mark>[()]))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class UnreadRows:
    """Are there rows that a consumer has not read?

    `name` is a table of bronze (`orders`), a model that streams (`silver.orders`: any
    of its streams), or one stream (`silver.orders.bronze.orders`).
    """

    name: str


@dataclass(frozen=True)
class Operation:
    """Conditions put together: `and` and `or` of several, `not` of one."""

    word: str
    parts: tuple[Condition, ...]


Condition = UnreadRows | Operation


def parse_condition(text: str) -> Condition:
    """Read a condition. Raises ValueError that says where it is none."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise ValueError(
                f"'{rest[:30]}' is no condition: write stream_has_data(TABLE), "
                "with and, or, not and parentheses"
            )
        kind = "stream" if match["stream"] else "word" if match["word"] else "mark"
        tokens.append((kind, match["name"] or match[0].strip().lower()))
        at = match.end()
    reader = _Reader(tokens)
    found = reader.either()
    if reader.left:
        raise ValueError(f"'{reader.left[0][1]}' stands where the condition is over")
    return found


class _Reader:
    """Takes tokens from the left: `not` binds closest, then `and`, then `or`."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.left = tokens

    def either(self) -> Condition:
        return self._several("or", self._both)

    def _both(self) -> Condition:
        return self._several("and", self._one)

    def _several(self, word: str, read: Callable[[], Condition]) -> Condition:
        parts = [read()]
        while self.left and self.left[0] == ("word", word):
            self.left = self.left[1:]
            parts.append(read())
        return parts[0] if len(parts) == 1 else Operation(word, tuple(parts))

    def _one(self) -> Condition:
        if not self.left:
            raise ValueError("the condition ends too early")
        (kind, text), self.left = self.left[0], self.left[1:]
        if kind == "stream":
            return UnreadRows(text)
        if (kind, text) == ("word", "not"):
            return Operation("not", (self._one(),))
        if (kind, text) == ("mark", "("):
            found = self.either()
            if not self.left or self.left[0] != ("mark", ")"):
                raise ValueError("a parenthesis is not closed")
            self.left = self.left[1:]
            return found
        raise ValueError(f"'{text}' stands where a condition should begin")


def holds(condition: Condition, has_data: Callable[[str], bool]) -> bool:
    """Evaluate a condition; only streams that matter are asked."""
    if isinstance(condition, UnreadRows):
        return has_data(condition.name)
    if condition.word == "not":
        return not holds(condition.parts[0], has_data)
    judge = all if condition.word == "and" else any
    return judge(holds(part, has_data) for part in condition.parts)


def streams_in(condition: Condition) -> tuple[str, ...]:
    """Return every stream that a condition names, in its order."""
    if isinstance(condition, UnreadRows):
        return (condition.name,)
    return tuple(name for part in condition.parts for name in streams_in(part))


def written(condition: Condition) -> str:
    """Write a condition in the words that it is read from."""
    if isinstance(condition, UnreadRows):
        return f"stream_has_data({condition.name})"
    parts = [
        f"({written(part)})" if _joins(part) else written(part)
        for part in condition.parts
    ]
    if condition.word == "not":
        return f"not {parts[0]}"
    return f" {condition.word} ".join(parts)


def _joins(condition: Condition) -> bool:
    return isinstance(condition, Operation) and condition.word != "not"
