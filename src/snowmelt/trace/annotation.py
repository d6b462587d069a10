"""What a rewritten query carries beside its rows: two ways to say where they are from.

Both follow one algebra (a semiring, as Green, Karvounarakis and Tannen have it,
https://doi.org/10.1145/1265530.1265535): rows that meet in a join combine, rows that
become one in a group or a DISTINCT are gathered, and each scan begins with something.
ROWS carries the rows themselves, HITS whether one of some rows is among them. What is
said of a row downwards and of a file upwards is therefore the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Annotation:
    """How annotations are combined and gathered, as SQL of {} and {window}."""

    name: str
    both: str
    gathered: str
    over: str
    nothing: str

    def combine(self, parts: Sequence[str]) -> str:
        """Return the annotation of a row that these met in."""
        combined = parts[0]
        for part in parts[1:]:
            combined = self.both.format(combined, part)
        return combined

    def gather(self, part: str) -> str:
        """Return the annotation of the one row that many become."""
        return self.gathered.format(part)

    def gather_over(self, part: str, window: str) -> str:
        """Return the annotation of a value that was made of a partition."""
        return self.over.format(part, window=window)


ROWS = Annotation(
    "rows",
    both="list_concat({}, {})",
    gathered="flatten(list({0}) filter ({0} is not null))",
    over="flatten(list({0}) over ({window}))",
    nothing="cast(null as bigint[])",
)
HITS = Annotation(
    "hits",
    both="(coalesce({}, false) or coalesce({}, false))",
    gathered="bool_or({0})",
    over="bool_or({0}) over ({window})",
    nothing="false",
)
