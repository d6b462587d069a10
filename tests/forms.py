"""Which cases of a test the short form has, and which wait for the long one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def with_long(cases: Iterable[Any], short: int) -> list[Any]:
    """Return cases for `parametrize`; those after the first `short` are long."""
    each = list(cases)
    return each[:short] + [
        pytest.param(e, marks=pytest.mark.long) for e in each[short:]
    ]
