"""The version of a file there is the one that this machine takes of its path."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.deploy.snowflake.versions import PATTERN
from snowmelt.pipe.version import version_at

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = st.sampled_from(["01", "02", "06", "12", "13", "00"])
DAYS = st.sampled_from(["01", "29", "30", "31", "32"])


@st.composite
def dates(draw: st.DrawFn) -> str:
    year = draw(st.sampled_from(["1969", "1970", "2024", "2100", "2101"]))
    dash = draw(st.sampled_from(["", "-", "_"]))
    clock = draw(
        st.sampled_from(["", "T10", "T1030", " 10:30", "-10-30-59", "_103059"])
    )
    return f"{year}{dash}{draw(MONTHS)}{dash}{draw(DAYS)}{clock}"


PARTS = st.one_of(dates(), st.sampled_from(["/", "orders_", ".csv", "x", "7"]))
NAMES = st.builds(
    lambda between, parts: between.join(parts),
    st.sampled_from(["~", "_"]),
    st.lists(PARTS, max_size=4),
)


def there(name: str) -> datetime:
    """What the expression comes to, by Python's regular expressions."""
    found = re.fullmatch(PATTERN, name)
    if found is None:
        return NEVER
    digits = re.sub("[^0-9]", "", found[2]).ljust(14, "0")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return NEVER


@settings(max_examples=300)
@given(NAMES)
def test_a_date_in_a_path_is_the_same_version(name: str) -> None:
    here = version_at(name, NEVER)
    ours = there(name)
    # a day that no calendar has (30 February) hides a date before it there
    is_day = ours is not NEVER or re.fullmatch(PATTERN, name) is None
    assert ours == here or not is_day
