"""A target is seen by the project's files as they are, whatever was built here."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from boards_project import (
    ALL,
    COLUMNS,
    FCT_SALES,
    MODELS,
    ROWS,
    account_of,
    dashboards_project,
)
from gold_account import GoldAccount
from read_by_dbt import ReadByDbt
from shipped import ORDERS
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError
from snowmelt.project.project import Project, load_project
from snowmelt.serve.cells import MASK
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from target_looking import Looking, looking_at, rows_of

IS_OPEN = ORDERS.replace(", meta: {pii: true}", "")
GOLD = Path("models/gold/_gold.yml")
PERSON = "a@x.org"


def marked(column: str) -> str:
    """The models' properties, with a column that is about persons."""
    said = f"    columns:\n      - {{name: {column}, meta: {{pii: true}}}}\n"
    return MODELS.rstrip() + "\n" + said


class Target:
    """A project of which nothing was ever built here, and its account."""

    def __init__(self, root: Path, **changed: str) -> None:
        files = {"pipes/orders.yml": IS_OPEN, "dashboards/all.yml": ALL} | changed
        self.project: Project = dashboards_project(root, **files)
        self.account: GoldAccount = account_of(
            self.project, SystemClock().now() - timedelta(hours=1)
        )
        self.dbt = ReadByDbt()
        shutil.rmtree(root / ".snowmelt", ignore_errors=True)

    def write(self, name: str | Path, text: str) -> None:
        """Change a file, as a pull does."""
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @contextmanager
    def looking(self, *, is_real: bool = False) -> Iterator[Looking]:
        """Look at it as a process does that begins."""
        project = load_project(self.project.root)
        with looking_at(project, self.account, None if is_real else self.dbt) as found:
            yield found

    def files(self) -> set[str]:
        """Return the files that are the project's own."""
        root = self.project.root
        found = {each.relative_to(root).as_posix() for each in root.rglob("*")}
        return {each for each in found if not each.startswith(".snowmelt")}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def is_shown(looking: Looking) -> dict[str, Any]:
    """Return the first row of gold as a viewer sees it."""
    return rows_of(looking.viewer.board(name="all", filters=None), 0)[0]


def test_a_fresh_clone_knows_its_models_and_is_not_written(target: Target) -> None:
    before = target.files()
    with target.looking() as looking:
        board = looking.operator.dashboard("sales", None)
        assert board["cards"][0]["rows"] == [["86.00"]]
        keys = {each["key"] for each in looking.operator.catalog()["tables"]}
        assert keys == {
            "bronze.orders",
            "bronze.events",
            "gold.fct_sales",
            "gold.sales",
        }
        lineage = looking.operator.lineage("+gold.fct_sales", None)
        assert ["pipe:orders", "model:fct_sales"] in lineage["edges"]
        answer = looking.operator.query("select count(*) from gold.fct_sales", None)
        assert answer["rows"] == [[len(ROWS)]]
        assert looking.told == [
            "dbt reads the project's files for prod, until they change"
        ]
    assert target.files() == before
    assert len(target.dbt.parsed) == 1


def test_dbt_is_asked_once_for_each_state_of_the_files(target: Target) -> None:
    for _ in range(2):
        with target.looking() as looking:
            for _ in range(2):
                is_shown(looking)
                looking.operator.catalog()
    os.utime(target.project.root / GOLD)  # written again as it was
    with target.looking() as looking:
        is_shown(looking)
    assert len(target.dbt.parsed) == 1
    target.write(GOLD, marked("email"))
    with target.looking() as looking:
        is_shown(looking)
        is_shown(looking)
    assert len(target.dbt.parsed) == 2
    assert target.dbt.compiled == 1, "nothing was marked before"


@pytest.mark.parametrize(
    "others", [MODELS, pytest.param(marked("region"), marks=pytest.mark.long)]
)
def test_a_mark_is_masked_at_the_first_look_after_it_was_written(
    target: Target, others: str
) -> None:
    """In a process that goes on, and in one that begins later."""
    target.write(GOLD, others)
    with target.looking() as looking:
        assert is_shown(looking)["email"] == PERSON
        target.write(
            GOLD, others + marked("email").removeprefix(MODELS.rstrip() + "\n")
        )
        target.write(GOLD, _both(others))
        assert is_shown(looking)["email"] == MASK
        assert is_shown(looking)["sale_id"] == 1
    target.write(GOLD, others)
    with target.looking() as looking:
        is_shown(looking)
    target.write(GOLD, _both(others))
    with target.looking() as looking:
        assert is_shown(looking)["email"] == MASK


def _both(others: str) -> str:
    if others == MODELS:
        return marked("email")
    return others + "      - {name: email, meta: {pii: true}}\n"


def test_a_mark_of_a_pipe_counts_from_when_it_was_written(target: Target) -> None:
    with target.looking() as looking:
        assert is_shown(looking)["email"] == PERSON
        target.write("pipes/orders.yml", ORDERS)
        shown = is_shown(looking)
    assert (shown["email"], shown["sale_id"]) == (MASK, 1)


@pytest.mark.long
def test_what_a_model_is_made_of_by_now_is_followed(tmp_path: Path) -> None:
    """Other SQL takes a person into a column, and no mark is written."""
    loud = FCT_SALES.replace("'north' as region", "upper(email) as region")
    target = Target(tmp_path, **{"pipes/orders.yml": ORDERS})
    with target.looking() as looking:
        assert is_shown(looking)["region"] == "north"
        target.write("models/gold/fct_sales.sql", loud)
        assert is_shown(looking)["region"] == MASK


def test_all_is_masked_while_files_are_read_beside(target: Target) -> None:
    going, on = threading.Event(), threading.Event()
    with target.looking() as looking, looking.files.beside() as reader:
        assert reader.first.wait(20)
        assert is_shown(looking)["email"] == PERSON

        def wait() -> None:
            going.set()
            assert on.wait(20)

        target.dbt.before = wait
        changed = threading.Semaphore(0)
        reader.changed = changed.release
        target.write(GOLD, marked("region"))
        for look in range(2):
            shown = is_shown(looking)
            assert set(shown.values()) <= {MASK, None}, look
            assert going.wait(20)
        assert changed.acquire(timeout=20), "what was shown counts no more"
        plain = looking.operator.board(name="all", filters=None)
        assert rows_of(plain, 0)[0]["email"] == PERSON, "operators see it all the while"
        told = looking.operator.status()["warnings"]
        assert any("dbt is reading the project's files" in each for each in told)
        on.set()
        assert changed.acquire(timeout=20)
        shown = is_shown(looking)
        assert (shown["email"], shown["region"]) == (PERSON, MASK)


def test_files_that_dbt_refuses_mask_everything_and_are_told(target: Target) -> None:
    with target.looking() as looking:
        assert is_shown(looking)["email"] == PERSON
        target.dbt.refused = "Compilation Error: it is no YAML"
        target.write(GOLD, marked("email"))
        shown = looking.viewer.board(name="all", filters=None)
        assert PERSON not in str(shown)
        assert {v for row in rows_of(shown, 0) for v in row.values()} == {MASK, None}
        assert looking.operator.board(name="sales", filters=None)["cards"][0]["rows"]
        (told,) = [e for e in looking.operator.status()["problems"] if "YAML" in e]
        assert "models are shown as they were read before" in told
        assert "it is no YAML" in looking.told[-1]
        assert looking.told[-1].endswith("Models are shown as they were read before.")
        parsed = len(target.dbt.parsed)
        is_shown(looking)
        assert len(target.dbt.parsed) == parsed, "what is refused is asked once"
        target.dbt.refused = ""
        target.write(GOLD, marked("email") + "\n")
        shown = is_shown(looking)
        assert (shown["email"], shown["region"]) == (MASK, "north")
        assert not [e for e in looking.operator.status()["problems"] if "YAML" in e]


def test_models_whose_sql_dbt_has_not_are_masked_and_told(tmp_path: Path) -> None:
    """What they were made of before decides nothing: it may be otherwise by now."""
    target = Target(tmp_path, **{"pipes/orders.yml": ORDERS})
    with target.looking() as looking:
        assert is_shown(looking)["region"] == "north"
        target.dbt.not_compiled = "there is no macro 'loud'"
        target.write("models/gold/fct_sales.sql", FCT_SALES + "-- loud\n")
        assert set(is_shown(looking).values()) <= {MASK, None}
        told = looking.operator.status()["warnings"]
        assert any("what these are made of is not known" in each for each in told)
        assert any("there is no macro 'loud'" in each for each in told)


def test_refused_files_of_a_fresh_clone_say_so_instead_of_cards(target: Target) -> None:
    target.dbt.refused = "there is no model 'nowhere'"
    with target.looking() as looking:
        with pytest.raises(ConfigError, match="no model 'nowhere'") as refused:
            looking.operator.dashboard("sales", None)
        assert refused.value.where == str(target.project.root)
        assert looking.operator.catalog()["tables"]
        assert [each for each in looking.told if "nowhere" in each] == []


def test_a_model_that_is_new_is_found(target: Target) -> None:
    with target.looking() as looking:
        looking.operator.dashboard("sales", None)
    target.write("models/gold/fct_returns.sql", "select 1 as a")
    target.write(
        "dashboards/returns.yml",
        ALL.replace("fct_sales", "fct_returns").replace("sale_id", "a"),
    )
    target.account.make("GOLD.FCT_RETURNS", "A BIGINT", [(7,)])
    with target.looking() as looking:
        assert looking.operator.dashboard("returns", None)["cards"][0]["rows"] == [[7]]
        keys = {each["key"] for each in looking.operator.catalog()["tables"]}
        assert "gold.fct_returns" in keys


@pytest.mark.long
def test_a_reading_that_was_broken_off_counts_for_nothing(target: Target) -> None:
    """Its files may be of another state than those that were read before."""
    with target.looking() as looking:
        is_shown(looking)

    def killed() -> None:
        raise KeyboardInterrupt

    target.dbt.before = killed
    target.write(GOLD, marked("email"))
    with target.looking() as looking, pytest.raises(KeyboardInterrupt):
        is_shown(looking)
    (folder,) = {each / SERVICE_FOLDER for each in target.dbt.parsed}
    for left in ("warehouse.duckdb", "warehouse.duckdb.wal"):
        (folder / left).write_bytes(b"half of it")
    target.dbt.before = lambda: None
    target.write(GOLD, MODELS)
    parsed = len(target.dbt.parsed)
    with target.looking() as looking:
        assert is_shown(looking)["email"] == PERSON
    assert len(target.dbt.parsed) == parsed + 1


@pytest.mark.long
def test_dbt_itself_reads_a_clone_under_the_name_of_its_target(tmp_path: Path) -> None:
    """With the adapter of the engine alone, whatever the target is."""
    named = "{{ config(enabled=target.name == 'prod') }}\nselect 1 as total"
    asks = (
        "select {% for each in adapter.get_columns_in_relation(ref('fct_sales')) %}"
        "{{ each.name }}, {% endfor %} 1 as more from {{ ref('fct_sales') }}"
    )
    models = {"models/gold/sales.sql": named, "models/gold/wide.sql": asks}
    target = Target(tmp_path, **models)
    wide = [(*row, 1) for row in ROWS]
    target.account.make("GOLD.WIDE", f"{COLUMNS}, MORE BIGINT", wide)
    with target.looking(is_real=True) as looking:
        board = looking.operator.dashboard("sales", None)
        assert board["cards"][0]["rows"] == [["86.00"]]
        keys = {each["key"] for each in looking.operator.catalog()["tables"]}
        assert keys >= {"gold.fct_sales", "gold.sales", "gold.wide"}
        assert is_shown(looking)["email"] == PERSON
        target.write(GOLD, marked("email"))
        shown = is_shown(looking)
        assert (shown["email"], shown["region"]) == (MASK, "north")
        sql = "select email, region, more from gold.wide order by sale_id"
        found = looking.viewer.query(sql=sql, limit=1)["rows"]
        assert found == [[MASK, "north", 1]], "its columns are those of the account"
        target.write(GOLD, "models: [")
        assert set(is_shown(looking).values()) <= {MASK, None}
        told = looking.operator.status()["problems"]
        assert any("dbt refuses the project" in each for each in told)
