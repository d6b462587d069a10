"""Names of resources, and the values that their properties have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, order=True)
class Address:
    """Where a resource is: whose it is made by, what it is, and its full name."""

    provider: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.kind}:{self.name}"


@dataclass(frozen=True, order=True)
class Reference:
    """A value that is known once another resource is there."""

    address: Address
    output: str

    def __str__(self) -> str:
        return f"({self.output} of {self.address})"


Value: TypeAlias = "str | int | bool | Reference | tuple[Value, ...] | None"


def references_in(value: Value) -> Iterator[Reference]:
    """Yield every reference in a value."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from references_in(part)


def plain(value: Value) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Reference):
        return {"of": str(value.address), "output": value.output}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def digest_of(properties: Mapping[str, Value]) -> str:
    """Return a short fingerprint of properties, whatever their order."""
    told = {name: plain(value) for name, value in properties.items()}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
