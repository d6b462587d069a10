"""What stands between a file and its load: holds and pauses, with the way out."""

from __future__ import annotations

from datetime import datetime

from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.held import HeldFile, HeldReason
from snowmelt.pipe.pause import Pause, paused_pipes
from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Session

_WHY_HELD = {
    HeldReason.DRIFT: "its columns are not those of the contract",
    HeldReason.KILLED_READER: "reading it killed the process that did",
    HeldReason.PERSON: "a person holds it",
    HeldReason.INCOMPLETE: "its batch is not complete",
}


def waiting_reasons(session: Session, parts: Parts, name: str, pipe: Pipe) -> list[str]:
    """Return why a file of this name would wait, each with the command that helps."""
    reasons = []
    held = parts.pending.held.get(name)
    staged = parts.stage.look(name) if held else None
    if held and staged and held.holds(staged, pipe.digest):
        reasons.append(explain_held(held))
    pause = paused_pipes(session).get(pipe.name)
    if pause is not None:
        reasons.append(explain_pause(pipe.name, pause, parts.clock.now()))
    return reasons


def explain_held(held: HeldFile) -> str:
    """Say why a file is held and what to do."""
    told = held.detail.get("reason") or held.detail.get("problem")
    why = _WHY_HELD[held.reason] + (f": {told}" if told else "")
    way = f"Release it: snowmelt release {held.file_name}"
    if held.reason is HeldReason.DRIFT:
        name = held.file_name
        way = f"Decide: snowmelt drift approve {name}, or drift reject {name}"
    return f"It is held since {held.held_at:%Y-%m-%d %H:%M}: {why}. {way}"


def explain_pause(pipe_name: str, pause: Pause, now: datetime) -> str:
    """Say since when a pipe is paused, if that is too long, and what to do."""
    why = f" ({pause.reason})" if pause.reason else ""
    stale = (
        " It is stale: after 14 days Snowpipe would have forgotten what it was told; "
        "resuming lists the whole stage."
        if pause.is_stale(now)
        else ""
    )
    return (
        f"Pipe {pipe_name} is paused since {pause.since:%Y-%m-%d %H:%M}{why}.{stale} "
        f"Resume it: snowmelt resume {pipe_name}"
    )


def pause_document(pause: Pause | None, now: datetime) -> Document:
    """Return a pipe's execution state as part of its status."""
    if pause is None:
        return {"execution_state": "RUNNING"}
    return {
        "execution_state": "PAUSED",
        "paused_since": plain(pause.since),
        "pause_reason": pause.reason,
        "stale": pause.is_stale(now),
    }


def held_document(held: HeldFile) -> Document:
    """Return a held file as part of the status."""
    return {
        "file_name": held.file_name,
        "pipe_name": held.pipe_name,
        "reason": held.reason.value,
        "detail": plain(dict(held.detail)),
        "held_at": plain(held.held_at),
        "answer": explain_held(held),
    }
