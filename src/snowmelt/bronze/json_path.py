"""Where a column's value is in a JSON record: keys and positions, one step each."""

from __future__ import annotations

import re

from snowmelt.pipe.contract import Column
from snowmelt.warehouse.sql import literal

Steps = tuple[str | int, ...]
_STEP = re.compile(r'\[(\d+)\]|"([^"]+)"|([^.\[\]"]+)')


def steps_of(column: Column) -> Steps:
    """Return the steps to a column's value: those of its path, or its name."""
    if column.path is None:
        return (column.name,)
    return tuple(
        int(index) if index else quoted or plain
        for index, quoted, plain in _STEP.findall(column.path)
    )


def as_sql(steps: Steps) -> str:
    """Write steps as the engine has a path; a pointer where a key holds a star.

    In a path, a star stands for every key, also in quotes.
    """
    if any("*" in step for step in steps if isinstance(step, str)):
        escaped = [str(step).replace("~", "~0").replace("/", "~1") for step in steps]
        return literal("/" + "/".join(escaped))
    parts = [f"[{step}]" if isinstance(step, int) else f'."{step}"' for step in steps]
    return literal("$" + "".join(parts))
