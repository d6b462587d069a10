"""Which nodes of a lineage are meant, in dbt's syntax: `+fct_orders`, `2+gold.*+1`.

A word names nodes: by their name, with or without a schema, or by a method, such as
`source:bronze.orders`, `pipe:orders`, `exposure:sales`; `*` stands for anything. `+`
before or behind it adds what is above or below, a number how far. Words with spaces
between them add up; with commas only what all of them name is meant
(https://docs.getdbt.com/reference/node-selection/syntax).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from snowmelt.errors import UsageError

WORDS_MAX = 20
_WORD = re.compile(r"(?:(\d*)\+)?([^+\s,]+?)(?:\+(\d*))?")
_METHODS = ("source", "pipe", "model", "exposure", "dashboard", "layer", "state")


@dataclass(frozen=True)
class Named:
    """A node, as a selector may name it. `rank`: bare names mean the lowest first."""

    id: str
    names: tuple[str, ...]
    methods: frozenset[str]
    rank: int = 0


def select(
    text: str, nodes: Sequence[Named], edges: Iterable[Sequence[str]]
) -> list[str]:
    """Return the ids that a selector means, in the order of the nodes.

    Raises UsageError for what is no selector, and what names nothing.
    """
    words = text.split()
    if not words or len(words) > WORDS_MAX:
        raise UsageError("select", "write a name, such as +fct_orders+")
    above, below = _neighbours(edges)
    chosen: set[str] = set()
    for word in words:
        parts = [_one(part, nodes, above, below) for part in word.split(",") if part]
        if not parts:
            raise UsageError(word, "this is no selector", "Write, say, +fct_orders+.")
        chosen |= set.intersection(*parts)
    return [each.id for each in nodes if each.id in chosen]


def _neighbours(
    edges: Iterable[Sequence[str]],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for parent, child in edges:
        above.setdefault(child, []).append(parent)
        below.setdefault(parent, []).append(child)
    return above, below


def _one(
    word: str,
    nodes: Sequence[Named],
    above: Mapping[str, list[str]],
    below: Mapping[str, list[str]],
) -> set[str]:
    found = _WORD.fullmatch(word)
    if found is None:
        raise UsageError(word, "this is no selector", "Write, say, 2+fct_orders+1.")
    up, name, down = found.groups()
    begin = _named(name, nodes)
    meant = set(begin)
    if up is not None:
        meant |= _reach(begin, above, int(up) if up else None)
    if down is not None:
        meant |= _reach(begin, below, int(down) if down else None)
    return meant


def _named(name: str, nodes: Sequence[Named]) -> list[str]:
    method, colon, value = name.partition(":")
    wanted = (value if colon else name).lower()
    if colon and method not in _METHODS:
        raise UsageError(
            name, f"there is no method '{method}'", f"Known: {', '.join(_METHODS)}."
        )
    found = [
        each
        for each in nodes
        if (not colon or any(known.split(":")[0] == method for known in each.methods))
        and _fits(wanted, method if colon else "", each)
    ]
    if not found and method == "state":
        return []
    if not found:
        known = sorted({n for each in nodes for n in each.names})
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        hint = f"Near: {', '.join(near)}." if near else "See the catalog for names."
        raise UsageError(name, "nothing has this name", hint)
    if not colon:
        first = min(each.rank for each in found)
        found = [each for each in found if each.rank == first or "*" in wanted]
    return [each.id for each in found]


def _fits(wanted: str, method: str, node: Named) -> bool:
    if method in ("layer", "state"):
        return f"{method}:{wanted}" in node.methods
    return any(fnmatchcase(name, wanted) for name in node.names)


def _reach(
    begin: Iterable[str], edges: Mapping[str, list[str]], far: int | None
) -> set[str]:
    found: set[str] = set()
    edge, steps = set(begin), 0
    while edge and (far is None or steps < far):
        edge = {each for name in edge for each in edges.get(name, ())} - found
        found |= edge
        steps += 1
    return found
