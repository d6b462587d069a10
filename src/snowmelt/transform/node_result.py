"""How one model or test of a run ended."""

from __future__ import annotations

from dataclasses import dataclass

CHECKS = ("test", "rule", "reconciliation", "volume")
"""Resource types of what makes nothing: tests, and gates that are built in."""


@dataclass(frozen=True)
class NodeResult:
    """How one model or test of a run ended, in dbt's words.

    `form`: `dbt` when dbt ran it, `replayed` when what dbt sent before was sent again,
    `delta` when a test looked at changed rows alone. `compiled_code` of a test finds
    its failing rows.
    """

    node: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None
    compiled_code: str | None
    form: str = "dbt"
    id: str = ""

    @property
    def failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error")
