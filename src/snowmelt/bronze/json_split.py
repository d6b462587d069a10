"""JSON values that follow each other in a stream: in one array, or one by one.

Only brackets and strings are looked at: what is inside a value is for others to judge.
A value that is balanced ends where it ends, whatever is wrong inside. Where brackets
or quotes do not match nothing after that place can be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from snowmelt.errors import FileError

_STRING = rb'"[^"\\\n\r]*+(?:\\[^\n\r][^"\\\n\r]*+)*+"'
_TOKEN = re.compile(_STRING + rb'|[{}\[\]"]')
_LINE_ENDS = re.compile(_STRING + rb"|[\n\r]")
_BLANK = re.compile(rb"[ \t\n\r]*+")
_PLAIN = re.compile(rb'[^,\[\]{}" \t\n\r]++|' + _STRING)
_PAIRS = {b"}": b"{", b"]": b"["}
_LINE_END = re.compile(rb"[\n\r]")
_HIDES = re.compile(rb"\}[ \t]*,[ \t]*\{")
_NEAR_BYTES = 1 << 12


def _nested(depth: int) -> bytes:
    """Return an expression for a value in brackets, nested no deeper than `depth`.

    Groups with alternatives repeat greedily: where a repeat of such a group gives
    nothing back, Python 3.11.2 matches what is no match.
    """
    inner = rb'[^"{}\[\]]*+(?:%s[^"{}\[\]]*+)*'
    value = inner % _STRING
    for _ in range(depth):
        either = rb"(?:%s|\{%s\}|\[%s\])" % (_STRING, value, value)
        value = inner % either
    return rb"(?:\{%s\}|\[%s\])" % (value, value)


_BRACKETED = re.compile(_nested(2))


class Element(NamedTuple):
    """A value's offset in the content, and its bytes."""

    offset: int
    raw: bytes


class Splitter:
    """Splits a stream into values; holds one value and one piece of the stream.

    `at` is the offset of the next byte to look at. Methods raise FileError, naming
    line and byte, where nothing more can be told apart.
    """

    def __init__(self, chunks: Iterator[bytes], held_max: int, start: int = 0) -> None:
        """`start` is the offset at which the stream begins."""
        self._chunks = chunks
        self._held_max = held_max
        self._held = b""
        self._base = start
        self._next = 0
        self._lines = 0

    @property
    def at(self) -> int:
        return self._base + self._next

    def array(self) -> Iterator[Element]:
        """Yield the elements of the one array that the stream is."""
        self.expect(b"[")
        if self.peek() == b"]":
            self.expect(b"]")
        else:
            while True:
                yield self.value()
                if self.peek() != b",":
                    break
                self.expect(b",")
            self.expect(b"]")
        if self.peek():
            raise self.broken("something follows the array")

    def values(self) -> Iterator[Element]:
        """Yield all values of the stream."""
        while self.peek():
            yield self.value()

    def peek(self) -> bytes:
        """Return the next byte that is not blank; nothing at the end."""
        while True:
            match = _BLANK.match(self._held, self._next)
            self._next = match.end() if match else self._next
            if self._next < len(self._held):
                return self._held[self._next : self._next + 1]
            self._drop()
            if not self._more():
                return b""

    def expect(self, mark: bytes) -> None:
        """Pass over a mark."""
        found = self.peek()
        if found != mark:
            wanted = mark.decode()
            if not found:
                raise self.broken(f"the file ends where a '{wanted}' is missing")
            raise self.broken(f"a '{wanted}' is missing")
        self._next += 1

    def value(self) -> Element:
        """Take the next value."""
        first = self.peek()
        if first in (b"{", b"["):
            match = _BRACKETED.match(self._held, self._next)
            end = match.end() if match else self._close()
        else:
            end = self._plain()
        element = Element(self.at, self._held[self._next : end])
        self._next = end
        if self._next > len(self._held) >> 1 and self._next > _NEAR_BYTES:
            self._drop()
        return element

    def _close(self) -> int:
        """Return where the brackets that open here are closed."""
        opened: list[bytes] = []
        done = 0
        while True:
            for match in _TOKEN.finditer(self._held, self._next + done):
                token = match[0]
                if token == b'"':
                    done = match.start() - self._next
                    break
                done = match.end() - self._next
                if token in (b"{", b"["):
                    opened.append(token)
                elif token in _PAIRS and opened.pop() != _PAIRS[token]:
                    raise self.broken("brackets do not match", match.start())
                if not opened:
                    return match.end()
            else:
                done = max(done, len(self._held) - self._next)
            self._require_open(self._next + done)

    def _require_open(self, at: int) -> None:
        """Take more of the stream, to look on from `at`, which may begin a string."""
        line_end = _LINE_END.search(self._held, at)
        if self._held[at : at + 1] == b'"' and line_end:
            raise self.broken("a quote does not close on its line", at)
        if len(self._held) - self._next > self._held_max:
            raise self.broken(f"a value has no end within {self._held_max} bytes")
        if not self._more():
            raise self.broken("a value has no end: the file is cut short")

    def _plain(self) -> int:
        """Return where a value without brackets ends."""
        while True:
            match = _PLAIN.match(self._held, self._next)
            if match and match.end() < len(self._held):
                return match.end()
            if len(self._held) - self._next > self._held_max:
                raise self.broken(f"a value has no end within {self._held_max} bytes")
            if not self._more():
                break
        if match is None:
            raise self.broken("a value is missing, or a quote does not close")
        return match.end()

    def _drop(self) -> None:
        """Let go of what has been passed."""
        self._lines += self._held.count(b"\n", 0, self._next)
        self._base += self._next
        self._held = self._held[self._next :]
        self._next = 0

    def _more(self) -> bool:
        chunk = next(self._chunks, b"")
        self._held += chunk
        return bool(chunk)

    def broken(self, what: str, at: int | None = None) -> FileError:
        """Return the error that says where the stream cannot be told apart."""
        at = self._next if at is None else at
        line = 1 + self._lines + self._held.count(b"\n", 0, at)
        return FileError(
            "",
            f"line {line}, byte {self._base + at}: {what}; "
            "what follows cannot be told apart",
        )


def on_one_line(raw: bytes) -> bytes:
    """Return a value without line ends; one inside a string stays broken."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return _LINE_ENDS.sub(
        lambda match: match[0] if match[0].startswith(b'"') else b" ", raw
    )


def may_hide_others(raw: bytes) -> bool:
    """May a broken value hold others, in what its quotes make a string?"""
    return any(
        _HIDES.search(match[0]) for match in _TOKEN.finditer(raw) if len(match[0]) > 1
    )
