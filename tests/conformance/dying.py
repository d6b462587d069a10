"""A death at the n-th statement, in this process: what was not committed is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from snowmelt.warehouse.duckdb.warehouse import DuckDBSession


class Killed(BaseException):
    """Nothing of ours may catch it."""


@contextmanager
def dies_at(statement: int) -> Iterator[None]:
    """Stop at the n-th statement that any session is asked."""
    asked = 0
    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "rows", "value", "insert"):
            original = getattr(DuckDBSession, name)

            def counting(
                self: DuckDBSession, *given: Any, _original: Any = original
            ) -> Any:
                nonlocal asked
                asked += 1
                if asked == statement:
                    raise Killed
                return _original(self, *given)

            patch.setattr(DuckDBSession, name, counting)
        yield
