"""What is shipped at once, and what of a table arrived."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.deploy.migration.digest import EMPTY, Digest, Typed
from snowmelt.deploy.migration.source import Cut, Piece


@dataclass(frozen=True)
class Shipped:
    """What of one table is there: up to where, and the digest of all of it."""

    after: Cut = (0, -1)
    digest: Digest = EMPTY
    values: Digest = EMPTY
    """Of what the account reads from texts of JSON; of none where there is none."""
    files: int = 0


@dataclass(frozen=True)
class Parcel:
    """One file that lies in the bucket, on its way into a table."""

    table: str
    columns: tuple[Typed, ...]
    path: str
    """Where it lies below the stage."""
    piece: Piece
    digest: Digest
    texts: Digest | None = None
    """Of texts of JSON, as they left; None where there is no column of it."""
