"""What rules look at beside the warehouse, and what they look for it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from snowmelt.observe.alerts.cause import Cause, Evidence
from snowmelt.observe.alerts.rules import Rule
from snowmelt.pipe.definition import Pipe
from snowmelt.warehouse.port import Session

LOOKED_AT_MAX = 1000
"""So many loads, files or rows a rule looks at, the newest first; and open ones."""


@dataclass(frozen=True)
class Around:
    """What is the same for all rules of one look.

    `folder`: where the warehouse lies. `render`: puts relations in place of ref().
    """

    now: datetime
    pipes: Mapping[str, Pipe]
    folder: Path
    anomaly_factor: float
    anomaly_loads_min: int
    render: Callable[[str], str]

    def takes(self, rule: Rule, pipe_name: str | None) -> bool:
        """Is a rule about this pipe?"""
        if rule.pipe is not None:
            return pipe_name == rule.pipe
        return pipe_name is None or pipe_name in self.pipes


Find = Callable[[Session, Rule, Around, frozenset[str]], list[Cause]]
"""Returns the causes there are now. The set: keys of open alerts, looked at anew
however old they are, so that an alert ends when its cause does."""

Show = Callable[[Session, Cause], list[Evidence]]
"""Returns what shows a cause; asked once, when its alert is opened."""
