"""`snowmelt infer` and the blank project, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from shop import Shop
from snowmelt.cli.main import main
from snowmelt.pipe.definition import Pipe
from snowmelt.project.new import make_project, template_names
from snowmelt.project.project import load_project
from snowmelt.transform.package import PACKAGE

ROWS = "".join(f"{i};{i},50;2024-01-{1 + i % 28:02}\n" for i in range(1, 121))
ORDERS = f"order_id;amount;day\n{ROWS}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_project(tmp_path / "shop", "blank")
    return tmp_path / "shop"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "orders_1.csv"
    path.write_text(ORDERS)
    return path


def run(*words: object) -> int:
    """Run a command in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def infer(root: Path, sample: Path, *more: object) -> int:
    words = ("--name", "orders", "--pattern", "orders_*.csv", "--project-dir", root)
    return run("infer", sample, *words, *more)


@pytest.mark.long
def test_a_first_day_without_models(tmp_path: Path, sample: Path) -> None:
    """init, validate, infer, run, sql: real processes, no pipe, no model at first."""
    shop = Shop(tmp_path / "shop")
    made = shop("init", str(shop.root), "--template", "blank", cwd=tmp_path)
    assert made.code == 0, made.stderr
    for words in (("validate",), ("run",), ("status",)):
        answer = shop(*words)
        assert answer.code == 0, (words, answer.stderr)
    named = ("--name", "orders", "--pattern", "orders_*.csv", "--write")
    assert shop("infer", str(sample), *named).code == 0
    assert shop("validate").code == 0
    shop.land(sample)
    answer = shop("run", "--json")
    assert answer.code == 0, answer.stderr
    assert answer.document["row_count"] == 120
    total = shop("sql", "select sum(amount) from bronze.orders", "--json")
    assert total.document["rows"] == [["7320.00"]]


def test_stdout_is_the_pipe_and_stderr_the_talk(
    root: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample.write_text(ORDERS.replace("\n7;7,50", "\n7;n"))
    assert infer(root, sample) == 0
    told = capsys.readouterr()
    pipe = Pipe.model_validate(yaml.safe_load(told.out))
    assert pipe.contract.columns[1].type == "varchar"
    assert (
        "amount: 1 of 120 values are not numbers with a comma: 'n'; kept as text"
        in told.err
    )
    assert not list((root / "pipes").glob("*.yml"))


def test_write_makes_a_pipe_and_replaces_none(
    root: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(root, sample, "--write", "--table", "sales") == 0
    (pipe,) = load_project(root).pipes
    assert (pipe.name, pipe.table_name) == ("orders", "sales")
    written = (root / "pipes" / "orders.yml").read_bytes()
    assert infer(root, sample, "--write") == 2
    assert "nothing was written" in capsys.readouterr().err
    assert (root / "pipes" / "orders.yml").read_bytes() == written


def test_a_pipe_that_takes_the_files_of_another_is_not_left_behind(
    root: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(root, sample, "--write") == 0
    again = ("--name", "others", "--pattern", "*.csv", "--project-dir", root)
    assert run("infer", sample, *again, "--write") == 3
    assert "loaded twice" in capsys.readouterr().err
    assert [path.name for path in (root / "pipes").glob("*.yml")] == ["orders.yml"]


def test_json_has_the_columns_the_keys_and_the_text(
    root: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert infer(root, sample, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file_format"] == {
        "type": "csv",
        "field_delimiter": ";",
        "decimal_separator": ",",
    }
    assert [column["type"] for column in document["columns"]] == [
        "integer",
        "decimal(18,2)",
        "date",
    ]
    assert document["keys"][0] == {
        "columns": ["order_id"],
        "records": 120,
        "distinct": 120,
    }
    assert document["files"] == [{"file": "orders_1.csv", "records": 120}]
    assert yaml.safe_load(document["yaml"])["name"] == "orders"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--name", "Orders 1", "--pattern", "*.csv"), "--name"),
        (("--name", "orders", "--pattern", "*.csv", "--table", "1"), "--table"),
        (("--name", "orders", "--pattern", ""), "--pattern"),
        (("--name", "orders"), "Such as: --pattern"),
        ((), "--name and --pattern: required"),
    ],
)
def test_words_that_no_pipe_can_have_are_a_usage_error(
    sample: Path,
    words: tuple[str, ...],
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("infer", sample, *words) == 2
    assert problem in capsys.readouterr().err


def test_a_sample_that_the_pattern_does_not_take_is_told(
    root: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--name", "orders", "--pattern", "sales_*.csv", "--project-dir", root)
    assert run("infer", sample, *words) == 0
    assert "does not match 'sales_*.csv'" in capsys.readouterr().err


def test_the_templates_share_their_macros(tmp_path: Path) -> None:
    """A project knows the same macros whichever template it was made from."""
    found = set()
    for name in template_names():
        make_project(tmp_path / name, name)
        macros = sorted((tmp_path / name / PACKAGE).rglob("*.sql"))
        found.add(tuple((path.name, path.read_text()) for path in macros))
    assert len(found) == 1
    assert found.pop()
