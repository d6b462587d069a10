"""The language of Terraform, written as `terraform fmt` would leave it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Expression:
    """Something that Terraform works out: a reference, a call."""

    text: str


Written: TypeAlias = (
    "str | int | bool | Expression | Sequence[Written] | Mapping[str, Written]"
)


@dataclass(frozen=True)
class Block:
    """A block: what it is, its labels, and what is in it, in order."""

    kind: str
    labels: tuple[str, ...] = ()
    attributes: Mapping[str, Written] | None = None
    blocks: tuple[Block, ...] = ()

    @property
    def address(self) -> str:
        """How other blocks speak of a resource."""
        return ".".join(self.labels)


def written(blocks: Iterable[Block]) -> str:
    """Return blocks as the text of a file."""
    return "\n".join("\n".join(_lines(block, "")) + "\n" for block in blocks)


def _lines(block: Block, indent: str) -> list[str]:
    labels = "".join(f" {json.dumps(label)}" for label in block.labels)
    head = f"{indent}{block.kind}{labels} {{"
    parts = [*_groups(block.attributes or {}, indent + "  ")]
    parts += [_lines(each, indent + "  ") for each in block.blocks]
    if not parts:
        return [head + "}"]
    body: list[str] = []
    for part in parts:
        body += [*([""] if body else []), *part]
    return [head, *body, f"{indent}}}"]


def _groups(attributes: Mapping[str, Written], indent: str) -> list[list[str]]:
    """Align neighbours that take one line; what takes several stands alone."""
    groups: list[list[tuple[str, list[str]]]] = []
    for name, value in attributes.items():
        lines = _value(value, indent)
        is_long = len(lines) > 1
        if is_long or not groups or len(groups[-1][-1][1]) > 1:
            groups.append([])
        groups[-1].append((name, lines))
    return [_aligned(group, indent) for group in groups]


def _aligned(group: list[tuple[str, list[str]]], indent: str) -> list[str]:
    width = max(len(name) for name, _ in group)
    return [
        line
        for name, lines in group
        for line in (f"{indent}{name:<{width}} = {lines[0]}", *lines[1:])
    ]


def _value(value: Written, indent: str) -> list[str]:
    """Return a value's lines; the first without its indent."""
    if isinstance(value, Expression):
        return [value.text]
    if isinstance(value, bool | int):
        return [json.dumps(value)]
    if isinstance(value, str):
        return [quoted(value)]
    if isinstance(value, Mapping):
        deeper = indent + "  "
        keys = {_key(key): each for key, each in value.items()}
        lines = [line for group in _groups(keys, deeper) for line in group]
        return ["{", *lines, f"{indent}}}"] if lines else ["{}"]
    return [f"[{', '.join(_value(each, indent)[0] for each in value)}]"]


def _key(text: str) -> str:
    return text if _NAME.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes; what looks like an expression in it is text, too."""
    escaped = text.replace("${", "$${").replace("%{", "%%{")
    return json.dumps(escaped, ensure_ascii=False)
