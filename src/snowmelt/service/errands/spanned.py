"""Which loads belong to an errand: two numbers, however many files they are."""

from __future__ import annotations

from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.service.parts import Parts
from snowmelt.service.questions import read_instant

_SINCE = """
    select min(load_seq), max(load_seq) from snowmelt.load_history
    where last_load_time >= $1 and ($2 is null or pipe_name = $2)
"""


def spanned(
    parts: Parts, loads: list[Document], asked: dict[str, Any]
) -> Document | None:
    """Return the first and the last `load_seq` of an errand; None of no load.

    `loads`: what was loaded after it was asked for. What was loaded since the instant
    that it names is its own, too; of a pipe that it names, no other pipe's.
    """
    found = [load["load_seq"] for load in loads]
    if since := read_instant("since", asked.get("since")):
        with parts.warehouse.snapshot() as session:
            (ends,) = session.rows(_SINCE, [since, asked.get("pipe")])
        found += [each for each in ends if each is not None]
    return {"first": min(found), "last": max(found)} if found else None
