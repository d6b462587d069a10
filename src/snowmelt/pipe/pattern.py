"""Globs for file names: matching, and whether two of them can meet.

`*` and `?` stay within one folder, `**/` crosses folders, `[abc]` and `[!a-z]` are
character classes. A pattern without a slash matches the file name in any folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_TOKEN = re.compile(r"\*\*/|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)

# Any two character classes that meet do so on one of their own characters, on a
# printable ASCII character, or on a character that neither of them names.
_ALPHABET = {chr(code) for code in range(32, 127)} | {"\U0010fffe"}

Edge = tuple[int, str, int]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Translate a glob into a regular expression for whole paths."""
    return re.compile("".join(_translate(token) for token in _tokens(pattern)))


def can_overlap(first: str, second: str) -> bool:
    """Say whether any path could match both globs.

    Walks both patterns at once, as two automata: exact, not a guess by example.
    """
    (one, one_end), (two, two_end) = _automaton(first), _automaton(second)
    letters = frozenset(_ALPHABET | set(first) | set(second))
    seen: set[tuple[int, int]] = set()
    to_visit = [(0, 0)]
    while to_visit:
        pair = to_visit.pop()
        if pair in seen:
            continue
        seen.add(pair)
        if pair == (one_end, two_end):
            return True
        to_visit.extend(_steps(one, two, pair, letters))
    return False


def _steps(
    one: list[Edge], two: list[Edge], pair: tuple[int, int], letters: frozenset[str]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of states one step on: a free move, or a shared letter."""
    ours = [edge for edge in one if edge[0] == pair[0]]
    theirs = [edge for edge in two if edge[0] == pair[1]]
    yield from ((to, pair[1]) for _, takes, to in ours if not takes)
    yield from ((pair[0], to) for _, takes, to in theirs if not takes)
    for _, takes, to in ours:
        for _, also, there in theirs:
            if not takes or not also:
                continue
            if not _taken(takes, letters).isdisjoint(_taken(also, letters)):
                yield to, there


@lru_cache(maxsize=1024)
def _taken(expression: str, letters: frozenset[str]) -> frozenset[str]:
    return frozenset(filter(re.compile(expression).fullmatch, letters))


def _automaton(pattern: str) -> tuple[list[Edge], int]:
    """Return edges (from, expression for one letter or "" for free, to) and the end."""
    edges: list[Edge] = []
    state = 0
    for token in _tokens(pattern):
        if token == "**/":
            edges += [(state, "[^/]", state + 1), (state + 1, "[^/]", state + 1)]
            edges += [(state + 1, "/", state), (state, "", state + 2)]
            state += 2
        elif token == "*":
            edges += [(state, "[^/]", state), (state, "", state + 1)]
            state += 1
        else:
            edges.append((state, _translate(token), state + 1))
            state += 1
    return edges, state


def _tokens(pattern: str) -> list[str]:
    tokens = _TOKEN.findall(pattern)
    return tokens if "/" in pattern else ["**/", *tokens]


def _translate(token: str) -> str:
    if token == "**/":
        return "([^/]+/)*"  # as every dialect of expressions has it
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 1:
        negated = token[1] == "!"
        body = re.escape(token[2 if negated else 1 : -1]).replace(r"\-", "-")
        return f"[^/{body}]" if negated else f"[{body}]"
    return re.escape(token)
