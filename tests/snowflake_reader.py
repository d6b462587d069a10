"""Reads the statements that deploy emits; it shares no code with their writer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<body>\$\$.*?\$\$)
      | (?P<text>'(?:[^'\\]|''|\\.)*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_$]*|\$\d+)
      | (?P<mark>->|=>|::|:=|\|\||[-=(),.;:@+*/<>%\[\]!$])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\", "''": "'"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int


class Unreadable(Exception):
    """The statement is none that this reader knows."""


class Reader:
    """Takes a statement apart from the left."""

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self.tokens: list[Token] = []
        at = 0
        while statement[at:].strip():
            match = _TOKEN.match(statement, at)
            if match is None:
                raise Unreadable(statement[at : at + 40])
            kind = str(match.lastgroup)
            self.tokens.append(Token(kind, match[kind], match.start(kind)))
            at = match.end()
        self.at = 0

    @property
    def is_over(self) -> bool:
        return self.at >= len(self.tokens)

    def peek(self, ahead: int = 0) -> str:
        """The next token, words in capitals; empty at the end."""
        at = self.at + ahead
        if at >= len(self.tokens):
            return ""
        token = self.tokens[at]
        return token.text.upper() if token.kind == "word" else token.text

    def accept(self, *words: str) -> bool:
        """Take these words if they are next."""
        if all(self.peek(i) == word for i, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise Unreadable(f"expected {words} at {self.rest()[:60]!r}")

    def take(self) -> Token:
        if self.is_over:
            raise Unreadable("the statement ends too early")
        token = self.tokens[self.at]
        self.at += 1
        return token

    def word(self) -> str:
        return self.take().text.upper()

    def rest(self) -> str:
        """What is left, letter by letter."""
        return "" if self.is_over else self.statement[self.tokens[self.at].start :]

    def part(self) -> str:
        token = self.take()
        if token.kind == "quoted":
            return token.text[1:-1].replace('""', '"')
        if token.kind != "word":
            raise Unreadable(f"no name: {token.text}")
        return token.text.upper()

    def name(self) -> tuple[str, ...]:
        """A name with what it is in, as the account keeps it."""
        parts = [self.part()]
        while self.accept("."):
            parts.append(self.part())
        return tuple(parts)

    def value(self) -> Any:
        """A text, a number, a boolean, a word or name, or some in parentheses."""
        if self.accept("("):
            values = []
            while not self.accept(")"):
                if self.peek(1) == "=":
                    key = self.word()
                    self.expect("=")
                    values.append((key, self.value()))
                else:
                    values.append(self.value())
                self.accept(",")
            return tuple(values)
        token = self.tokens[self.at]
        if token.kind == "text":
            self.take()
            return unescaped(token.text)
        if token.kind == "number":
            self.take()
            return int(token.text)
        if token.kind == "word" and token.text.upper() in ("TRUE", "FALSE"):
            self.take()
            return token.text.upper() == "TRUE"
        return ".".join(self.name())

    def options(self) -> dict[str, Any]:
        """`NAME = value`, as long as there are any."""
        found = {}
        while self.peek(1) == "=" and self.tokens[self.at].kind == "word":
            key = self.word()
            self.expect("=")
            found[key] = self.value()
            self.accept(",")
        return found

    def in_parentheses(self) -> str:
        """What stands between the next parenthesis and the one that closes it."""
        self.expect("(")
        start, depth = self.tokens[self.at].start, 1
        while depth:
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "mark" else 0
        return self.statement[start : self.tokens[self.at - 1].start]


def unescaped(text: str) -> str:
    """The text that a literal stands for."""
    return re.sub(r"\\\\|\\[nrt]|''", lambda match: _ESCAPES[match[0]], text[1:-1])
