"""A drawing of the lineage: layers from left to right, no box on another."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import snowmelt.serve
from snowmelt.serve.pages.lineage_drawing import LARGE, draw, draw_needed

LAYERS = ("files", "bronze", "silver", "gold", "dashboards")


def node(number: int, layer: str, state: str = "good") -> dict[str, Any]:
    return {"id": f"n{number}", "name": f"n{number}", "layer": layer, "state": state}


@given(
    st.lists(st.sampled_from(LAYERS), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60),
)
def test_boxes_are_apart_and_layers_in_order(
    layers: list[str], pairs: list[tuple[int, int]]
) -> None:
    nodes = [node(number, layer) for number, layer in enumerate(layers)]
    drawing = draw(nodes, [[f"n{a}", f"n{b}"] for a, b in pairs], LARGE)
    assert len(drawing.boxes) == len(nodes)
    for one, other in combinations(drawing.boxes, 2):
        apart_x = abs(one.x - other.x) >= LARGE.width
        assert apart_x or abs(one.y - other.y) >= LARGE.height
        if LAYERS.index(one.node["layer"]) < LAYERS.index(other.node["layer"]):
            assert one.x < other.x
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - LARGE.width
        assert LARGE.heading <= box.y <= drawing.height - LARGE.height


def test_what_reads_stands_to_the_right_within_a_layer() -> None:
    nodes = [node(number, "gold") for number in range(4)]
    drawing = draw(nodes, [["n2", "n1"], ["n1", "n0"], ["n3", "n0"]])
    x = {box.node["id"]: box.x for box in drawing.boxes}
    assert x["n2"] < x["n1"] < x["n0"]
    assert x["n3"] < x["n0"]


def test_of_a_large_project_health_shows_what_needs_a_look_and_its_neighbours() -> None:
    nodes = [node(number, "silver") for number in range(200)]
    nodes[7]["state"] = "bad"
    edges = [["n6", "n7"], ["n7", "n8"], ["n100", "n101"]]
    drawing = draw_needed({"nodes": nodes, "edges": edges})
    assert {box.node["id"] for box in drawing.boxes} == {"n6", "n7", "n8"}
    assert drawing.left_out == 197


@pytest.mark.parametrize(
    ("at", "failed_at", "is_told"),
    [
        ("2026-01-02T00:00:00+00:00", "2026-01-01T00:00:00+00:00", False),
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.5+00:00", True),
        (None, "2026-01-01T00:00:00+00:00", True),
        ("2026-01-02T00:00:00+00:00", None, False),
    ],
)
def test_a_failure_is_told_until_a_success_is_newer(
    at: str | None, failed_at: str | None, is_told: bool
) -> None:
    templates = jinja2.FileSystemLoader(
        Path(snowmelt.serve.__file__).parent / "templates"
    )
    environment = jinja2.Environment(loader=templates, autoescape=True)
    environment.filters |= {"ago": str, "short": str}
    macros: Any = environment.get_template("lineage_parts.html").module
    told = {"kind": "model", "rows": 1, "told": "success", "at": at}
    one = node(0, "gold") | told | {"href": "/", "failed_at": failed_at}
    shown = str(macros.lineage_svg(draw([one], [], LARGE), "lineage"))
    assert ("failed" in shown) == is_told
