"""What is asked of latest_version models before they are built."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.errors import ConfigError
from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.transform.latest_versions import (
    idle_rules,
    require_lineage,
    require_streams,
)

SOURCE = Source("source.p.lake.orders", "source:lake.orders", "bronze", "orders")


def model(materialized: str = "latest_version", **more: object) -> Node:
    return Node(
        id="model.p.orders",
        name="orders",
        fqn="p.orders",
        resource_type="model",
        parents=(SOURCE.id,),
        materialized=materialized,
        path="orders.sql",
        **more,  # type: ignore[arg-type]
    )


def test_the_line_that_reads_bronze_whole_and_what_to_write_are_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "orders.sql").write_text("select 1\n\nfrom {{ source('lake', …) }}")
    with pytest.raises(ConfigError) as error:
        require_streams(Graph([model()], [SOURCE]), tmp_path)
    assert error.value.where == "orders.sql:3"
    written = "Write: from {{ snowmelt.stream('lake', 'orders') }}"
    assert error.value.remedy == written


@pytest.mark.parametrize("read", [model(reads_stream=True), model("table")])
def test_a_stream_and_another_materialization_are_right(
    tmp_path: Path, read: Node
) -> None:
    require_streams(Graph([read], [SOURCE]), tmp_path)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("id _file _file_row", "Select also: _load_seq, _version_at."),
        ("no _file _file_row _load_seq _version_at", "there is no column 'id'"),
    ],
)
def test_columns_that_the_making_takes_are_asked_for(columns: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        require_lineage(model(unique_key=("id",)), columns.split())
    assert told in str(error.value)
    require_lineage(
        model(unique_key=('"Id"',)),
        ["ID", "_FILE", "_File_Row", "_LOAD_SEQ", "_version_at"],
    )


@pytest.mark.parametrize(("kind", "told"), [("table", 1), ("latest_version", 0)])
def test_rules_that_nobody_asks_are_told_of(kind: str, told: int) -> None:
    warnings = idle_rules(Graph([model(kind, rules=({"rule": "email"},))], [SOURCE]))
    assert len(warnings) == told
    assert all("materialized as table" in each for each in warnings)
