"""What a migration asks of this machine, whoever answers: a protocol and its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """Which rows are meant: of a pipe, or of load history where `pipe` is empty."""

    pipe: str
    folder: str
    columns: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rows_max: int = 2_000_000
    after: tuple[int, int] = (0, -1)
    piece: Mapping[str, Any] = field(default_factory=dict)
    there: tuple[str, ...] = ()
    """Names of files that lie in the bucket: they are not written again."""

    @property
    def document(self) -> Document:
        return asdict(self)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Wish:
        """Read what `document` wrote."""
        known = dict(given)
        for key in ("columns", "without", "there"):
            known[key] = tuple(str(each) for each in known.get(key) or ())
        first, second = known.get("after") or (0, -1)
        known["after"] = (int(first), int(second))
        return cls(**known)


class Local(Protocol):
    """This machine's bronze."""

    def status(self) -> Document:
        """What waits to be loaded, among other things."""
        ...

    def moving_pieces(self, wish: Document) -> Document:
        """What there is to ship after a position, and how it is cut."""
        ...

    def moving_piece(self, wish: Document) -> Document:
        """Digest one piece, and write it unless its file lies in the bucket."""
        ...

    def moving_digest(self, wish: Document, by_file: bool) -> Document:
        """The digest of the rows of a pipe that count."""
        ...
