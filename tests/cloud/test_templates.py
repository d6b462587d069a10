"""Silver and gold of a template, by the models as they are, on both engines.

The same dbt project is built by dbt-duckdb, as the service does it, and by
dbt-snowflake and Snowflake's connector in a double of an account: from nothing, then by
streams, with records that come, are corrected and go. After every wave each table has
the same rows, and at the end each card of every dashboard the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from boards_there import compare_boards
from doubles import LACKING, PYTHON, Account, run_dbt, running_account
from shipping import Shipped, here, there
from waves import waves

from shop import Shop, published_tables
from snowmelt.project.new import make_project

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1200)]
TEMPLATES = ("olist", "storefront", "crm-erp", "retail", "realtime")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    with running_account() as running:
        yield running


@pytest.mark.parametrize("template", TEMPLATES)
def test_snowflake_has_what_duckdb_has(
    template: str, tmp_path: Path, account: Account
) -> None:
    make_project(tmp_path / "shop", template)
    shop = Shop(tmp_path / "shop")
    shipped = Shipped(shop.root, account)
    shipped.prepare()
    profiles = tmp_path / "profiles"
    account.write_profile(profiles, shipped.database, "public")
    compared = 0
    for number, wave in enumerate(waves(template, tmp_path / "files")):
        for name, content in wave.items():
            path = shop.root / "landing" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with shop.commands() as commands:
            run = commands.run(None)["run"]
            assert run is not None
            assert run["state"] == "SUCCEEDED", run
            shipped.ship(commands)
            # what a run without tests made is not published yet
            run_dbt(shop.root, profiles, "run" if number == 1 else "build")
            if number:
                assert went_by_streams(profiles), "models were built from nothing"
            for table in published_tables(commands):
                columns, expected = here(commands, table)
                seen = table.replace("gold.", "gold_next.") if number == 1 else table
                found = there(shipped, seen, columns)
                assert found == expected, f"{template}, wave {number}: {table}"
                compared += len(expected)
    assert compared
    with shop.commands() as commands:
        cards, refused = compare_boards(shipped, commands)
    assert cards
    of_here = ["lag: From the time of a file to gold, the last hour of files"]
    assert refused == (of_here if template == "realtime" else [])


def went_by_streams(profiles: Path) -> bool:
    """Did the last run read what came, both in silver and in gold?"""
    sent = [path.read_text() for path in (profiles / "target/run").rglob("*.sql")]
    return all(
        any(f"__{name} select distinct" in text for text in sent)
        for name in ("FILES", "AFFECTED")
    )
