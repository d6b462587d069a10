"""Loads with far more or far fewer rows than their pipe's loads used to have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from snowmelt.transform.node_result import NodeResult
from snowmelt.warehouse.port import Session

RECENT_LOADS = 30
_LOOKED_AT = 1000
_DEVIATIONS = 5.0
_OF_NORMAL = 1.4826
"""The standard deviation of normal figures, in median deviations."""
_LOADS = """
    select pipe_name, load_seq > $1 as is_new, file_name, row_count
    from snowmelt.load_history
    where load_seq > $1 - $2 and replay_of is null
        and status in ('Loaded', 'Partially loaded')
    order by load_seq
"""


def is_unusual(
    row_count: int, recent: Sequence[int], *, factor: float, loads_min: int
) -> bool:
    """Does a load differ from the recent ones of its pipe by a lot?

    By more than `factor` from their median, and by more than five of their deviations:
    the median and the median deviation do not follow a single odd load. Of fewer than
    `loads_min` nothing is known. A factor of 0 asks for nothing.
    """
    if not factor or len(recent) < loads_min:
        return False
    usual = median(recent)
    deviation = _OF_NORMAL * median(abs(each - usual) for each in recent)
    by_factor = row_count > usual * factor or row_count * factor < usual
    return by_factor and abs(row_count - usual) > _DEVIATIONS * deviation


def unusual_loads(
    session: Session, *, factor: float, loads_min: int
) -> list[NodeResult]:
    """Return a warning for each pipe with unusual loads since the last run."""
    if not factor:
        return []
    through = session.value(
        "select max(read_through) from snowmelt.run_history where state = 'SUCCEEDED'"
    )
    if through is None:
        return []
    recent: dict[str, list[int]] = defaultdict(list)
    unusual: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for pipe, is_new, file, row_count in session.rows(_LOADS, [through, _LOOKED_AT]):
        before = recent[pipe][-RECENT_LOADS:]
        if not is_new:
            recent[pipe].append(row_count)
        elif is_unusual(row_count, before, factor=factor, loads_min=loads_min):
            unusual[pipe].append((file, row_count))
    return [
        _warning(pipe, loads, recent[pipe][-RECENT_LOADS:])
        for pipe, loads in unusual.items()
    ]


def _warning(
    pipe: str, loads: Sequence[tuple[str, int]], recent: Sequence[int]
) -> NodeResult:
    file, row_count = loads[0]
    more = f" (and {len(loads) - 1} more loads like it)" if len(loads) > 1 else ""
    return NodeResult(
        node=pipe,
        resource_type="volume",
        status="warn",
        seconds=0.0,
        failures=len(loads),
        message=(
            f"{file} has {_rows(row_count)}, the last {len(recent)} loads of pipe "
            f"{pipe} have {median(recent):g} as a rule{more}"
        ),
        compiled_code=None,
    )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
