"""Every query of the Grafana dashboard asks for numbers that /metrics has."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from snowmelt.events import CopyFinished, FileSettled, RunFinished
from snowmelt.observe.metrics import Metrics, Standing

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana" / "snowmelt.json"
AT = datetime(2026, 11, 1, tzinfo=UTC)
_METRIC = re.compile(r"\b(snowmelt_\w+)(\{[^}]*\})?")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_ASKED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def samples() -> dict[str, set[str]]:
    """Return what a service that did something answers: samples and their labels."""
    stands = Standing(
        {"orders": 1}, {"orders": 2.0}, 0, {"late": 1}, {("chat", "sent"): 2}
    )
    metrics = Metrics(lambda: stands)
    metrics(FileSettled("orders", "f", "Loaded", 1, 0, None, 1, 1, 1, AT, AT))
    metrics(CopyFinished("orders", 1, "f", AT, AT, None))
    metrics(RunFinished("r", "SUCCEEDED", 1.0, None, "", AT, AT, (), "dbt"))
    _, content = metrics.read()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> list[tuple[str, str, str]]:
    return [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


@pytest.mark.parametrize(
    ("title", "query", "legend"), queries(), ids=[f"{q[0]}-{q[2]}" for q in queries()]
)
def test_a_query_asks_for_what_there_is(title: str, query: str, legend: str) -> None:
    known = samples()
    asked = _METRIC.findall(query)
    assert asked
    for name, labels in asked:
        assert name in known, f"{title}: /metrics has no {name}"
        assert set(_ASKED.findall(labels)) <= known[name], title
    grouped = {
        label.strip() for each in _GROUPED.findall(query) for label in each.split(",")
    }
    of_all = set.intersection(*(known[name] for name, _ in asked))
    assert grouped <= of_all, title
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    assert shown <= (grouped or of_all), title


def test_every_number_is_on_the_dashboard_and_panels_lie_side_by_side() -> None:
    text = DASHBOARD.read_text()
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in samples()}
    missing = [name for name in sorted(families) if name not in text]
    assert [n for n in missing if not n.endswith(("_created",))] == []
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + x, place["y"] + y)
            for x in range(place["w"])
            for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    variables = {v["name"] for v in json.loads(text)["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__all"}
    assert used == variables
