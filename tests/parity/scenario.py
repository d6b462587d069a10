"""Scenarios: what is done, and what each side is known to come to.

`scenarios/*.yml` are data. A test runs each on the double of Snowflake and on Snowmelt
itself and holds both to what is written down; the page docs/reference/parity.md is made
of them. Whether two sides are the same is not said anywhere: it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("scenarios")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_KEYS = {
    *("name", "sentence", "document", "there", "here", "steps", "given"),
    *("snowflake", "local", "because", "promise"),
}


@dataclass(frozen=True)
class Scenario:
    """One sentence of the vendor's documents, played on both sides.

    `there` and `here` tell in words what `snowflake` and `local` hold as values.
    """

    area: str
    name: str
    sentence: str
    document: str
    there: str
    here: str
    steps: tuple[tuple[str, Any], ...]
    given: Mapping[str, Any]
    snowflake: Any
    local: Any
    because: str
    promise: int
    """The promise of ours that does not hold there; 0 if it touches none."""

    @property
    def is_same(self) -> bool:
        """Do both sides come to the same?"""
        return bool(self.snowflake == self.local)


def read_scenarios(area: str) -> list[Scenario]:
    """Read the scenarios of a file; one that says too much or too little is refused."""
    told = yaml.safe_load((FOLDER / f"{area}.yml").read_text())
    found = [_scenario(area, each) for each in told]
    assert len({each.name for each in found}) == len(found), "two have one name"
    return found


def _scenario(area: str, told: dict[str, Any]) -> Scenario:
    assert told.keys() <= _KEYS, (told.get("name"), told.keys() - _KEYS)
    scenario = Scenario(
        area,
        told["name"],
        told["sentence"],
        told["document"],
        told["there"],
        told.get("here", ""),
        tuple(_step(each) for each in told["steps"]),
        told.get("given", {}),
        told["snowflake"],
        told.get("local", told["snowflake"]),
        told.get("because", ""),
        told.get("promise", 0),
    )
    if scenario.is_same:
        assert not scenario.because, f"{scenario.name}: nothing differs"
    else:
        assert scenario.because, f"{scenario.name}: why is it otherwise?"
        assert scenario.here, f"{scenario.name}: what happens here?"
    return scenario


def _step(told: Any) -> tuple[str, Any]:
    if isinstance(told, str):
        return told, None
    [(verb, argument)] = told.items()
    return verb, argument


def duration(text: str) -> timedelta:
    """Read `15d`, `2h` or `1m`."""
    unit = {"d": "days", "h": "hours", "m": "minutes"}[text[-1]]
    return timedelta(**{unit: int(text[:-1])})
