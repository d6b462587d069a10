"""Sums over all of load history, remembered for as long as it is the same.

Whatever changes load history or the rejects comes with a new load: what is loaded,
superseded, replayed, refused by a person. So a sum is that of its snapshot as long as
the newest load is the same, and a page of a long history costs what is new.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from snowmelt.warehouse.port import Session, Warehouse

Value = TypeVar("Value")
_LOCK = threading.Lock()
_KEPT: WeakKeyDictionary[Warehouse, dict[str, tuple[int, Any]]] = WeakKeyDictionary()


def remembered(
    warehouse: Warehouse, session: Session, sums: Callable[[Session], Value]
) -> Value:
    """Return what `sums` makes of a snapshot, asked again only after a new load."""
    newest = session.value("select max(load_seq) from snowmelt.load_history") or 0
    with _LOCK:
        known = _KEPT.setdefault(warehouse, {}).get(sums.__name__)
    if known is not None and known[0] == newest:
        value: Value = known[1]
        return value
    value = sums(session)
    with _LOCK:
        _KEPT[warehouse][sums.__name__] = (newest, value)
    return value
