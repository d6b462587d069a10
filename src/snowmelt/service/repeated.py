"""Telling of files that were loaded although their content is loaded."""

from __future__ import annotations

from snowmelt.bronze.copy import Outcome
from snowmelt.events import ContentRepeated, Events


def tell_repeated(events: Events, outcome: Outcome) -> list[str]:
    """Emit an event for a file whose rows are there twice; return the warning."""
    record, repeats = outcome.record, outcome.identity.repeats
    if repeats is None or not record.row_count:
        return []
    name, load_seq = record.file_name, record.load_seq
    events.emit(ContentRepeated(record.pipe_name, name, load_seq, repeats))
    return [
        f"{name}: load {load_seq} has the same bytes as load {repeats}; its rows are "
        "there twice (on_same_content: warn)"
    ]
