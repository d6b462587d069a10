"""How much of a CSV file the engine takes at a time.

A thread scans a quarter of a buffer, 8 MB at most, and what it scanned is stored as row
groups of at most 122,880 rows. A scan should not give a little more than that: the
remainders are small row groups, and the next checkpoint writes the whole table anew to
put them together. If a record may be longer than a quarter of a buffer a thread scans a
whole buffer, so long records are allowed only where there are any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snowmelt.bronze.inspection import Inspection

_SCAN_BYTES_MAX = 8_000_000
_SCAN_ROWS_MAX = 115_000
_SCAN_BYTES_MIN = 1 << 16
_SCANS = 4


@dataclass(frozen=True)
class BufferSizes:
    """Bytes of a buffer, and of the longest record that is not refused."""

    buffer_bytes: int
    record_bytes_max: int


def usual_sizes(
    inspections: Iterable[Inspection], record_bytes_max: int
) -> BufferSizes:
    """Return the sizes that read these files best.

    They may refuse a record that is shorter than `record_bytes_max`, as too long.
    """
    scan = _SCAN_BYTES_MIN
    average = float(_SCAN_BYTES_MAX)
    for inspection in inspections:
        size = inspection.plain.state.size
        scan = max(scan, size)
        if size > _SCAN_BYTES_MIN:  # in a small one the header would weigh too much
            average = min(average, size / max(inspection.records, 1))
    scan = min(scan, _SCAN_BYTES_MAX, int(_SCAN_ROWS_MAX * average))
    return BufferSizes(_SCANS * scan, min(scan, record_bytes_max))


def largest_sizes(record_bytes_max: int) -> BufferSizes:
    """Return the sizes that allow records of `record_bytes_max`."""
    buffer_bytes = max(_SCANS * _SCAN_BYTES_MAX, 2 * record_bytes_max)
    return BufferSizes(buffer_bytes, record_bytes_max)
