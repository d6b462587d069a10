"""The columns that JSON records come to, from the structures they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snowmelt.bronze.inference.names import path_of

KEYS_MAX = 300
DEPTH_MAX = 8
NUMBERS = frozenset({"UBIGINT", "BIGINT", "DOUBLE", "HUGEINT", "UHUGEINT"})


@dataclass
class Shape:
    """What is seen at one place of the records.

    `types` are the engine's names of scalars, ARRAY, and NULL; `keys` are those of
    objects, with their own shapes; `files` have the place.
    """

    types: set[str] = field(default_factory=set)
    keys: dict[str, Shape] = field(default_factory=dict)
    files: set[int] = field(default_factory=set)

    def add(self, structure: Any, file: int) -> None:
        """Take in one structure, as the engine tells it."""
        self.files.add(file)
        if isinstance(structure, Mapping):
            self.types.add("OBJECT")
            for key, inner in structure.items():
                self.keys.setdefault(key, Shape()).add(inner, file)
        elif isinstance(structure, list):
            self.types.add("ARRAY")
        else:
            self.types.add("OBJECT" if structure == "JSON" else str(structure))


@dataclass(frozen=True)
class Leaf:
    """A place that becomes a column: its keys from the record down, and its shape.

    `kind` is number, text, boolean, mixed, json or nothing.
    """

    keys: tuple[str, ...]
    shape: Shape
    kind: str
    note: str = ""

    @property
    def path(self) -> str | None:
        """Return the path as a contract has it; None if it cannot be written."""
        return path_of(self.keys)

    @property
    def pointer(self) -> str:
        """Return a JSON pointer: in the engine's paths a star stands for any key."""
        escaped = (key.replace("~", "~0").replace("/", "~1") for key in self.keys)
        return "".join(f"/{key}" for key in escaped)


def leaves(shape: Shape, keys: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield the columns: scalars at any depth, and what else there is as JSON."""
    for key, inner in shape.keys.items():
        below = (*keys, key)
        kinds = inner.types - {"NULL"}
        if kinds == {"OBJECT"} and inner.keys and len(below) < DEPTH_MAX:
            if len(inner.keys) > KEYS_MAX:
                note = f"{len(inner.keys):,} different keys: kept as JSON"
                yield Leaf(below, inner, "json", note)
            elif any(leaf.path is None for leaf in leaves(inner, below)):
                note = "it has keys that no path can name: kept as JSON"
                yield Leaf(below, inner, "json", note)
            else:
                yield from leaves(inner, below)
        else:
            yield _leaf(below, inner, kinds)


def _leaf(keys: tuple[str, ...], shape: Shape, kinds: set[str]) -> Leaf:
    if not kinds:
        return Leaf(keys, shape, "nothing")
    if kinds & {"OBJECT", "ARRAY"}:
        note = "" if len(kinds) == 1 else "objects, arrays and scalars: kept as JSON"
        return Leaf(keys, shape, "json", note)
    if kinds <= NUMBERS:
        return Leaf(keys, shape, "number")
    if kinds == {"BOOLEAN"}:
        return Leaf(keys, shape, "boolean")
    if kinds == {"VARCHAR"}:
        return Leaf(keys, shape, "text")
    return Leaf(keys, shape, "mixed", "texts, numbers or truths mixed; kept as text")
