"""Telling of what became of a file."""

from __future__ import annotations

from snowmelt.bronze.prepared import Outcome
from snowmelt.events import ContentRepeated, Events, FileSettled
from snowmelt.pipe.history import LoadRecord


def tell_settled(events: Events, outcome: Outcome) -> list[str]:
    """Emit that a file is settled; return warnings.

    There is one when the file was loaded although its content is loaded.
    """
    record, repeats = outcome.record, outcome.identity.repeats
    tell_record(events, record)
    if repeats is None or not record.row_count:
        return []
    name, load_seq = record.file_name, record.load_seq
    events.emit(ContentRepeated(record.pipe_name, name, load_seq, repeats))
    return [
        f"{name}: load {load_seq} has the same bytes as load {repeats}; its rows are "
        "there twice (on_same_content: warn)"
    ]


def tell_record(events: Events, record: LoadRecord) -> None:
    """Emit that a file is settled."""
    events.emit(
        FileSettled(
            record.pipe_name,
            record.file_name,
            "unchanged" if not record.load_seq else record.status.value,
            record.row_count,
            record.error_count,
            record.first_error_message,
            record.row_parsed,
            record.file_size,
            record.load_seq,
            record.started_at,
            record.last_load_time,
        )
    )
