"""What a queue tells of a bucket, and what to do about it. Decisions only.

A message may come straight from the bucket, through a topic (with its envelope or
raw), or from the event bus; all of them say which key was put where.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import unquote_plus

from snowmelt.landing.config import BucketPath
from snowmelt.landing.stage import find_hidden

_ENVELOPES_MAX = 3


class BodyError(Exception):
    """A message that is none of a bucket's; says what is wrong with it."""


@dataclass(frozen=True)
class Receipt:
    """A message that was received and not yet let go of.

    `handle` is what the queue wants to hear; the last one counts when a message is
    delivered again. `held_at` is when it was received or last extended. `told`: the
    loop has been told of its names.
    """

    message_id: str
    handle: str
    names: frozenset[str]
    held_at: float
    told: bool = False


class Remedy(Enum):
    """What becomes of a message that cannot be read."""

    LEAVE = "it is left to the queue and its redrive policy"
    BURY = "it goes to the dead-letter queue"


def names_told(body: str, stage: BucketPath) -> list[str]:
    """Return the names, below the stage, of the files a message tells of.

    Test messages, deletions and other buckets or prefixes tell of none.

    Raises BodyError when the message cannot be read.
    """
    keys = _keys(_parsed(body), stage.bucket, _ENVELOPES_MAX)
    named = (name_of(key, stage.prefix) for key in keys)
    return [name for name in named if name is not None]


def name_of(key: str, prefix: str) -> str | None:
    """Return the name of a key below a prefix; None when it is not for loading.

    A key is never used as a path: '..', an empty part or a leading slash in it are
    characters like others.
    """
    name = key.removeprefix(prefix)
    if not key.startswith(prefix) or not name:
        return None
    parts = (part for part in name.split("/") if part not in ("", ".", ".."))
    return None if find_hidden(parts) else name


def settle(
    receipts: Iterable[Receipt],
    is_pending: Callable[[str], bool],
    now: float,
    visibility_seconds: float,
) -> tuple[list[Receipt], list[Receipt]]:
    """Choose the messages to delete, and those to hold on to for longer.

    One that the loop has not been told of is not deleted, whatever is pending. A
    message is extended when half of its time has passed.
    """
    over: list[Receipt] = []
    held: list[Receipt] = []
    for receipt in receipts:
        if receipt.told and not any(map(is_pending, receipt.names)):
            over.append(receipt)
        elif now - receipt.held_at >= visibility_seconds / 2:
            held.append(replace(receipt, held_at=now))
    return over, held


def remedy_of(
    receive_count: int, receives_max: int, *, has_dead_letters: bool
) -> Remedy:
    """Decide about a message that cannot be read, after so many receives."""
    if has_dead_letters and receive_count >= receives_max:
        return Remedy.BURY
    return Remedy.LEAVE


def _parsed(body: str) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise BodyError("it is not JSON") from None
    if not isinstance(told, dict):
        raise BodyError("it is no JSON object")
    return told


def _keys(told: dict[str, Any], bucket: str, envelopes: int) -> list[str]:
    if isinstance(told.get("Records"), list):
        keys = (_record_key(record, bucket) for record in told["Records"])
        return [key for key in keys if key is not None]
    if told.get("source") == "aws.s3" and "detail-type" in told:
        return _bus_keys(told, bucket)
    if told.get("Type") == "Notification" and isinstance(told.get("Message"), str):
        if not envelopes:
            raise BodyError("it has too many envelopes")
        return _keys(_parsed(told["Message"]), bucket, envelopes - 1)
    return []


def _record_key(record: Any, bucket: str) -> str | None:
    """Return the key that a bucket's record tells of, if it was put there."""
    try:
        event = record["eventName"].removeprefix("s3:")
        version = record.get("eventVersion", "2.0")
        if version.split(".")[0] != "2":
            raise BodyError(f"version {version} of its records is not known")
        if not event.startswith("ObjectCreated:"):
            return None
        if record["s3"]["bucket"]["name"] != bucket:
            return None
        return unquote_plus(record["s3"]["object"]["key"], errors="strict")
    except (KeyError, TypeError, AttributeError):
        raise BodyError("a record lacks its event, bucket or key") from None
    except UnicodeDecodeError:
        raise BodyError("a key is no UTF-8") from None


def _bus_keys(told: dict[str, Any], bucket: str) -> list[str]:
    """Return the key that the event bus tells of; it is not encoded there."""
    if told["detail-type"] != "Object Created":
        return []
    try:
        key = told["detail"]["object"]["key"]
        if told["detail"]["bucket"]["name"] != bucket:
            return []
    except (KeyError, TypeError):
        raise BodyError("the event lacks its bucket or key") from None
    if not isinstance(key, str):
        raise BodyError("the event's key is no text")
    return [key]
