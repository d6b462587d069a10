"""Which version of a record a file stands for: the date it is about."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12]\\d|3[01])"
_NO_DATE = rf"(?!(?:19[7-9]\d|20\d\d|2100)(?:-{_MONTH}-{_DAY}|_{_MONTH}_{_DAY})(?!\d))"
"""A date that follows another one is not its clock."""
_DATE = re.compile(
    r"(?<!\d)(\d{4})([-_]?)(\d{2})\2(\d{2})"
    rf"(?:[T_ -]?{_NO_DATE}(\d{{2}})[-:_h]?{_NO_DATE}(\d{{2}})"
    rf"(?:[-:_m]?{_NO_DATE}(\d{{2}}))?)?(?!\d)"
)


def version_at(file_name: str, modified_at: datetime) -> datetime:
    """Return the date in a file's path, else the time it was last modified.

    The last date in the path counts (`2024/orders_2024-05-31.csv`,
    `orders_20240531T2359.csv`); what is no date of the calendar is not one.
    """
    for match in reversed(list(_DATE.finditer(file_name))):
        year, _, month, day, *clock = match.groups()
        hour, minute, second = (int(part or 0) for part in clock)
        if not 1970 <= int(year) <= 2100:
            continue
        try:
            return datetime(
                int(year), int(month), int(day), hour, minute, second, tzinfo=UTC
            )
        except ValueError:
            continue
    return modified_at
