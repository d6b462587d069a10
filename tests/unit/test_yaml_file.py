"""Settings and pipes that are off are refused by file, line, key and nearest match."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.errors import ConfigError
from snowmelt.pipe.definition import Pipe
from snowmelt.project.project import load_project
from snowmelt.project.settings import Settings
from snowmelt.project.yaml_file import load_model

PIPE = """\
name: orders
pattern: orders*.csv
on_error: continue
contract:
  columns:
    - {name: order_id, type: varchar, nullable: false}
    - name: price
      type: decimal(12,2)
"""


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "orders.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_model(path, Pipe, "pipes/orders.yml")
    return str(caught.value)


def test_a_good_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.yml"
    path.write_text(PIPE)
    pipe = load_model(path, Pipe, "pipes/orders.yml")
    assert pipe.table_name == "orders"
    assert [column.type for column in pipe.contract.columns] == [
        "varchar",
        "decimal(12,2)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "on_error: continue",
            "on_eror: continue",
            "pipes/orders.yml:3: on_eror: unknown key. Did you mean 'on_error'?",
        ),
        (
            "      type: decimal(12,2)",
            "      tpye: decimal(12,2)",
            "pipes/orders.yml:8: contract.columns.1.tpye: unknown key. "
            "Did you mean 'type'?",
        ),
        (
            "type: varchar, nullable",
            "type: string, nullable",
            "pipes/orders.yml:6: contract.columns.0.type: unknown type 'string': use "
            "one of varchar, boolean, integer, bigint, double, date, time, timestamp, "
            "timestamptz, json or decimal(precision,scale) (given: 'string')",
        ),
        (
            "on_error: continue",
            "on_error: ignore",
            "pipes/orders.yml:3: on_error: string should match pattern",
        ),
        ("name: orders\n", "", "pipes/orders.yml:1: name: this key is required"),
        (
            "pattern: orders*.csv",
            "pattern: orders*.csv\npattern: other.csv",
            "pipes/orders.yml:3: pattern: the key is twice",
        ),
        ("on_error: continue", "on_error: [", "pipes/orders.yml:5: not YAML: expected"),
        (
            "pattern: orders*.csv",
            "pattern: ${NO_SUCH_VARIABLE}/*.csv",
            "pipes/orders.yml:2: the environment has no NO_SUCH_VARIABLE. "
            "Set it, or write ${NO_SUCH_VARIABLE:-default}.",
        ),
        (
            "name: price",
            "name: ORDER_ID",
            "pipes/orders.yml:5: contract.columns: column 'order_id' is there twice",
        ),
        (
            "name: price",
            "name: _file",
            "pipes/orders.yml:7: contract.columns.1.name: names that begin with _",
        ),
    ],
)
def test_what_is_off_is_named(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert old in PIPE
    assert refused(tmp_path, PIPE.replace(old, new)).startswith(expected)


def test_the_environment_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_LANDING", "inbox")
    path = tmp_path / "snowmelt.yml"
    path.write_text(
        "version: 1\nname: shop\nlanding:\n  path: ${SHOP_LANDING}\n"
        "  settle: ${SHOP_SETTLE:-500ms}\n"
    )
    settings = load_model(path, Settings, "snowmelt.yml")
    assert settings.landing.path == "inbox"
    assert settings.landing.settle.total_seconds() == 0.5


@pytest.mark.parametrize("text", ["2", "2 weeks", "fast", "-1s"])
def test_a_duration_has_a_unit(tmp_path: Path, text: str) -> None:
    path = tmp_path / "snowmelt.yml"
    path.write_text(f"version: 1\nname: shop\nlanding: {{settle: {text}}}\n")
    with pytest.raises(
        ConfigError, match=r"snowmelt.yml:3: landing.settle: write a number"
    ):
        load_model(path, Settings, "snowmelt.yml")


def test_pipes_that_could_take_the_same_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "snowmelt.yml").write_text("version: 1\nname: shop\n")
    (tmp_path / "pipes").mkdir()
    (tmp_path / "pipes" / "a.yml").write_text(PIPE)
    (tmp_path / "pipes" / "b.yml").write_text(
        PIPE.replace("name: orders", "name: old").replace("orders*", "orders_old*")
    )
    with pytest.raises(ConfigError, match="can match the same file"):
        load_project(tmp_path)


def test_a_directory_that_is_no_project_says_where_one_is(tmp_path: Path) -> None:
    (tmp_path / "snowmelt.yml").write_text("version: 1\nname: shop\n")
    inner = tmp_path / "models"
    inner.mkdir()
    with pytest.raises(ConfigError, match=f"Use --project-dir {tmp_path}"):
        load_project(inner)


@pytest.mark.parametrize("given", ["lots", "40", "0%", "101%", "0GB", "-1GB", "[]"])
def test_a_memory_limit_that_is_none_is_refused(tmp_path: Path, given: str) -> None:
    path = tmp_path / "snowmelt.yml"
    path.write_text(
        f"version: 1\nname: shop\nwarehouse:\n  threads: 2\n  memory_limit: {given}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_model(path, Settings, "snowmelt.yml")
    told = str(caught.value)
    assert told.startswith("snowmelt.yml:5: warehouse.memory_limit: write a size"), told
    assert given in told or given == "[]"
