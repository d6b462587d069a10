"""An ordinary dbt project is adopted where it stands, and builds as files land."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop import Shop
from snowmelt.cli.main import main
from snowmelt.service.commands import OwnCommands
from snowmelt.transform.package_list import with_entry

JAFFLE = Path(__file__).parent.parent / "projects" / "jaffle"
MARTS = ("orders", "customers", "order_items", "category_sales")
CUSTOMERS = "id,name\n1,Ada\n2,Ben\n"
PRODUCTS = """sku,name,type,price
JAF-1,Ham,jaffle,1100
JAF-2,Brie,jaffle,900
BEV-1,Chai,beverage,500
"""
STORES = "id,name,opened_at\n1,Philadelphia,2016-09-01\n2,Brooklyn,2017-03-12\n"


class Told:
    """Commands given in this process, and what they said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *words: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        self.out, self.err = self._capsys.readouterr()
        return int(ended.value.code or 0)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(JAFFLE, tmp_path / "jaffle")
    return tmp_path / "jaffle"


def digests(root: Path, *but: str) -> dict[str, str]:
    """Return a digest of each file; of nothing that Snowmelt or dbt makes."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.name not in but
        and not {".snowmelt", "dbt_packages"} & set(path.parts)
    }


def orders_of(day: int) -> str:
    """Return a day's two orders."""
    rows = [
        f"{order},{order % 2 + 1},{order % 2 + 1},2024-09-{day:02d}T10:00:00,100"
        for order in (2 * day - 1, 2 * day)
    ]
    return "\n".join(["id,customer,store_id,ordered_at,tax_paid", *rows, ""])


def items_of(day: int, *, chais: int = 1) -> str:
    """Return their items: one of 11.00 with chais of 5.00, and one of 9.00."""
    first, second = 2 * day - 1, 2 * day
    rows = [f"{day}-1,{first},JAF-1", f"{day}-2,{second},JAF-2"]
    rows += [f"{day}-{3 + chai},{first},BEV-1" for chai in range(chais)]
    return "\n".join(["id,order_id,sku", *rows, ""])


def land_day(shop: Shop, day: int) -> None:
    shop.land_bytes(f"raw_orders_{day}.csv", orders_of(day).encode())
    shop.land_bytes(f"raw_items_{day}.csv", items_of(day).encode())


def run(commands: OwnCommands) -> dict[str, Any]:
    """Load, build, test, publish; return what the run came to."""
    document = commands.run(None)
    assert {load["status"] for load in document["loads"]} == {"Loaded"}
    assert document["run"], "a run was due"
    found: dict[str, Any] = document["run"]
    return found


def marts(commands: OwnCommands) -> dict[str, list[str]]:
    """Return the rows of every mart, as sorted text."""
    return {
        mart: sorted(
            json.dumps(row)
            for row in commands.query(f"select * from shop.{mart}", None)["rows"]
        )
        for mart in MARTS
    }


def one(commands: OwnCommands, sql: str) -> list[Any]:
    (row,) = commands.query(sql, None)["rows"]
    return list(row)


@pytest.fixture
def jaffle(root: Path, say: Told, tmp_path: Path) -> Iterator[Shop]:
    """Adopt the project, draft its pipes from files, and land two days."""
    before = digests(root, ".gitignore")
    assert say("init", root) == 0, say.err
    samples = {
        "raw_customers": CUSTOMERS,
        "raw_products": PRODUCTS,
        "raw_stores": STORES,
        "raw_orders": orders_of(1),
        "raw_items": items_of(1),
    }
    for table, text in samples.items():
        (tmp_path / f"{table}.csv").write_text(text)
        words = ("--name", table, "--pattern", f"{table}*.csv", "--project-dir", root)
        assert say("infer", tmp_path / f"{table}.csv", *words, "--write") == 0, say.err
    shop = Shop(root)
    for table in ("raw_customers", "raw_products", "raw_stores"):
        shop.land_bytes(f"{table}.csv", samples[table].encode())
    land_day(shop, 1)
    land_day(shop, 2)
    yield shop
    after = digests(root, ".gitignore")
    assert {name: after[name] for name in before} == before, "a file of the project's"
    assert not list(root.rglob("_sources.yml")), "each table is declared already"
    artifacts = sorted(path.name for path in (root / "target").iterdir())
    assert artifacts == ["manifest.json", "run_results.json"], "what tools look for"


@pytest.mark.long
def test_marts_follow_files_and_equal_a_rebuild(jaffle: Shop) -> None:
    with jaffle.commands() as commands:
        assert run(commands)["full_refresh"] == ["everything"]
        ways = []
        for day in (3, 4, 5):
            land_day(jaffle, day)
            document = run(commands)
            assert document["state"] == "SUCCEEDED", document
            assert document["full_refresh"] == [], document
            ways.append(document["way"])
        assert ways == ["dbt", "dbt", "replay"], document
        total = "select count(*), sum(subtotal), sum(order_total) from shop.orders"
        assert one(commands, total) == [10, "125.00", "135.00"]

        # the order of day 2 had three chais, not one
        jaffle.land_bytes("raw_items_2.csv", items_of(2, chais=3).encode())
        document = run(commands)
        assert document["full_refresh"] == ["order_items"], document
        assert one(commands, total) == [10, "135.00", "145.00"]
        sales = (
            "select items, revenue from shop.category_sales where category = 'Drinks'"
        )
        assert one(commands, sales) == [7, "35.00"]

        land_day(jaffle, 6)
        document = run(commands)
        assert (document["way"], document["full_refresh"]) == ("replay", []), document
        assert one(commands, total) == [12, "160.00", "172.00"]
        spent = (
            "select orders, lifetime_spend from shop.customers where customer_id = 2"
        )
        assert one(commands, spent) == [6, "112.00"]
        assert one(commands, "select count(*) from shop_staging.stg_stores") == [2]

        # a store that the mart's test does not know
        before = marts(commands)
        order = orders_of(7).splitlines()[0] + "\n13,1,3,2024-09-07T10:00:00,100\n"
        jaffle.land_bytes("raw_orders_7.csv", order.encode())
        jaffle.land_bytes("raw_stores_2.csv", b"id,name,opened_at\n3,Oslo,2020-01-01\n")
        document = run(commands)
        assert document["state"] == "FAILED"
        assert document["failures"][0]["node"].startswith("accepted_values_orders")
        assert marts(commands) == before
        known = b"id,name,opened_at\n3,Brooklyn,2020-01-01\n"
        jaffle.land_bytes("raw_stores_2.csv", known)
        assert run(commands)["state"] == "SUCCEEDED"
        incremental = marts(commands)
        assert len(incremental["orders"]) == 13
        assert commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert marts(commands) == incremental


def test_adopting_again_says_what_is_there_and_changes_nothing(
    root: Path, say: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    before = digests(root)
    assert say("init", "--json") == 0, say.err
    document = json.loads(say.out)
    assert document["changed"] == [".gitignore"]
    assert set(digests(root)) - set(before) >= {"snowmelt.yml", "packages.yml"}
    assert document["layers"] == {"bronze": "raw", "default": "shop"}
    assert "raw_stores" in document["tables"], "an identifier, in a schema by var()"
    ignored = (root / ".gitignore").read_text().splitlines()
    was = (JAFFLE / ".gitignore").read_text().splitlines()
    assert ignored == [*was, ".snowmelt/"]

    adopted = digests(root)
    assert say("init") == 0, say.err
    assert "nothing was changed" in say.out
    assert "snowmelt.yml, landing/" in say.out
    assert digests(root) == adopted


def test_where_no_dbt_project_is_a_directory_must_be_named(
    say: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert say("init", "--no-input") == 2
    assert "DIRECTORY" in say.err


def test_only_tables_that_the_project_does_not_declare_are_declared(
    root: Path, say: Told, tmp_path: Path
) -> None:
    assert say("init", root) == 0
    (tmp_path / "a.csv").write_text("id\n1\n")
    for table in ("raw_orders", "raw_stores", "refunds"):
        words = ("--name", table, "--pattern", f"{table}*", "--project-dir", root)
        assert say("infer", tmp_path / "a.csv", *words, "--write") == 0, say.err
    shop = Shop(root)
    with shop.commands():
        text = (root / "models" / "bronze" / "_sources.yml").read_text()
        assert "schema: raw" in text
        assert "name: refunds" in text
        assert "raw_" not in text
    (root / "models" / "refunds.yml").write_text(
        "sources: [{name: bronze, schema: raw, tables: [{name: refunds}]}]"
    )
    with shop.commands():
        assert not (root / "models" / "bronze" / "_sources.yml").exists()


def test_bronze_stays_in_its_schema_once_files_are_loaded(
    root: Path, say: Told, tmp_path: Path
) -> None:
    assert say("init", root) == 0
    (tmp_path / "a.csv").write_text("id\n1\n")
    words = ("--name", "refunds", "--pattern", "refunds*", "--project-dir", root)
    assert say("infer", tmp_path / "a.csv", *words, "--write") == 0, say.err
    shop = Shop(root)
    shop.land(tmp_path / "a.csv", "refunds.csv")
    with shop.commands() as commands:
        commands.refresh(None, None, None)
        assert one(commands, "select count(*) from raw.refunds") == [1]
        shown = "select table_schema_name, table_name from snowmelt.copy_history"
        assert one(commands, shown) == ["raw", "refunds"]
    settings = (root / "snowmelt.yml").read_text()
    (root / "snowmelt.yml").write_text(settings.replace("bronze: raw", "bronze: other"))
    assert say("status", "--project-dir", root) == 3
    assert "this pipe has loaded raw.refunds" in say.err
    (root / "snowmelt.yml").write_text(
        settings.replace("bronze: raw", "bronze: changes")
    )
    assert say("status", "--project-dir", root) == 3
    assert "layers.bronze" in say.err


def test_packages_that_are_not_installed_are_told_with_the_command(
    root: Path, say: Told
) -> None:
    entry = "packages:\n  - package: dbt-labs/dbt_utils  # ours\n    version: 1.3.0\n"
    (root / "packages.yml").write_text(entry)
    assert say("init", root) == 0, say.err
    assert "Lines added to: packages.yml" in say.out
    assert (root / "packages.yml").read_text() == (
        f"{entry}  - local: packages/snowmelt\n"
    )
    assert say("validate", "--project-dir", root) == 3
    assert "not installed" in say.err
    assert f"dbt deps --project-dir {root}" in say.err


def test_upgrade_writes_the_package_of_this_version(root: Path, say: Told) -> None:
    assert say("init", root) == 0, say.err
    package = root / "packages" / "snowmelt"
    newest = digests(package)
    (package / "macros" / "stream.sql").write_text("-- of long ago")
    (package / "macros" / "gone.sql").write_text("-- of long ago")
    (package / "macros" / "rules.sql").unlink()
    assert say("doctor", "--project-dir", root) == 1
    assert "✗ macros: packages/snowmelt: 3 files are another version's" in say.out
    assert "snowmelt upgrade" in say.err
    assert say("upgrade", "--project-dir", root, "--json") == 0, say.err
    assert json.loads(say.out)["files"] == [
        f"packages/snowmelt/macros/{name}.sql" for name in ("gone", "rules", "stream")
    ]
    assert digests(package) == newest
    assert say("doctor", "--project-dir", root) == 0, say.out
    assert say("upgrade", "--project-dir", root) == 0
    assert "is as Snowmelt" in say.out


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("", "packages:\n  - local: packages/snowmelt\n"),
        ("# none yet\n", "# none yet\npackages:\n  - local: packages/snowmelt\n"),
        ("packages:\n", "packages:\n  - local: packages/snowmelt\n"),
        ("packages: []  # none\n", "packages: [{local: packages/snowmelt}]  # none\n"),
        (
            "packages: [{local: x}]",
            "packages: [{local: x}, {local: packages/snowmelt}]",
        ),
        (
            "packages:\n- git: x  # a fork\n  revision: v1\n\n# the end\nother: 1\n",
            "packages:\n- git: x  # a fork\n  revision: v1\n"
            "- local: packages/snowmelt\n\n# the end\nother: 1\n",
        ),
        (
            "packages:\n    - package: a/b\n      version: ['>1', '<2']",
            "packages:\n    - package: a/b\n      version: ['>1', '<2']\n"
            "    - local: packages/snowmelt\n",
        ),
        ("- package: a/b\n", None),
        ("packages: 3\n", None),
        ("packages: [", None),
    ],
)
def test_a_line_is_put_into_a_list_of_packages(text: str, listed: str | None) -> None:
    assert with_entry(text) == listed


def test_a_list_that_takes_no_line_stops_an_adoption_before_it_begins(
    root: Path, say: Told
) -> None:
    (root / "packages.yml").write_text("packages: 3\n")
    before = digests(root)
    assert say("init", root) == 3
    assert "packages.yml: it is not a list of packages" in say.err
    assert digests(root) == before
    assert not (root / ".snowmelt").exists()
