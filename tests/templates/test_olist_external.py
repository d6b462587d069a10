"""The olist template gives the same with and without a copy of its rows.

One history happens to two projects, one whose pipes are all external and one that
loads. After every run silver, gold and bronze are the same, row for row; so they are
after a file was written over in place, except that bronze has lost what that held.
"""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from test_incremental_equals_rebuild import draw

from forms import with_long
from shop import Shop, contents
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.olist import make_olist

SEEDS = with_long(range(8), 0)


@pytest.fixture(scope="module")
def made_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    files = tmp_path_factory.mktemp("external") / "files"
    make_olist(files, orders=60, seed=5)
    made = {path.stem: path.read_bytes() for path in sorted(files.glob("*.csv"))}
    # a history alters records, and would mix line ends: such files are read from a copy
    return {
        stem: content if b'"' in content else content.replace(b"\r\n", b"\n")
        for stem, content in made.items()
    }


def as_pipes(root: Path, external: str) -> Shop:
    """Have every pipe of a project load files whole, from a copy or without one."""
    for path in (root / "pipes").glob("*.yml"):
        text = path.read_text()
        assert "on_error: continue" in text
        path.write_text(
            text.replace("on_error: continue", f"on_error: skip_file\n{external}")
        )
    with (root / "snowmelt.yml").open("a") as file:
        file.write("load: {lanes_max: 1}\n")  # loads have the same order in both
    return Shop(root)


@pytest.fixture
def shops(tmp_path: Path, built_once: Path) -> tuple[Shop, Shop]:
    roots = [tmp_path / "external", tmp_path / "loaded"]
    for root in roots:
        shutil.copytree(built_once, root, symlinks=True)
    return as_pipes(roots[0], "external: true"), as_pipes(roots[1], "")


def bronze(commands: OwnCommands, suffix: str) -> dict[str, list[object]]:
    """Return every row of bronze with all it says of its origin, but the time."""
    views = commands.query(
        "select table_name from information_schema.tables "
        "where table_schema = 'bronze' and not ends_with(table_name, '__all')",
        None,
    )["rows"]
    assert len(views) == 9
    return {
        name: commands.query(
            f'select * exclude (_loaded_at) from bronze."{name}{suffix}" '
            "order by _load_seq, _file_row",
            None,
        )["rows"]
        for (name,) in views
    }


def run_both(one: OwnCommands, other: OwnCommands, suffix: str = "__all") -> list[str]:
    """Run both, compare all there is; return the reason and the way of the run."""
    found = [commands.run(None) for commands in (one, other)]
    for each in found:
        assert each["run"] is None or each["run"]["state"] == "SUCCEEDED", each
    told = [
        [(load["file_name"], load["status"]) for load in each["loads"]]
        for each in found
    ]
    assert told[0] == told[1]
    assert bronze(one, suffix) == bronze(other, suffix)
    assert contents(one) == contents(other)
    run = found[0]["run"]
    return [] if run is None else [run["reason"], *run["full_refresh"]]


@pytest.mark.parametrize("seed", SEEDS)
def test_external_pipes_give_what_loaded_ones_give(
    shops: tuple[Shop, Shop], made_files: dict[str, bytes], seed: int
) -> None:
    rng = random.Random(seed)
    arrivals = list(draw(made_files, rng))
    landing = [shop.root / "landing" for shop in shops]
    with shops[0].commands() as external, shops[1].commands() as loaded:
        for number, arrival in enumerate(arrivals):
            for shop in shops:
                shop.land_bytes(arrival.name, arrival.content)
            if rng.random() < 0.15:
                assert run_both(external, loaded)[1:] == []
                for folder in landing if rng.random() < 0.5 else ():
                    (folder / arrival.name).unlink()
            if number == len(arrivals) // 2:
                run_both(external, loaded)
        run_both(external, loaded)
        assert external.audit()["audit"]["state"] == "SUCCEEDED"
        registered = external.query(
            "select file_name from snowmelt.external_files where gone_by is null", None
        )["rows"]
        orders = min(
            path.name
            for path in landing[0].glob("*orders_dataset*.csv")
            if [path.name] in registered
        )
        for folder in landing:
            lines = (folder / orders).read_bytes().splitlines(keepends=True)
            with (folder / orders).open("r+b") as file:
                file.write(b"".join(lines[:-1]))
                file.truncate()
        reason, *built = run_both(external, loaded, "")
        assert reason == f"{orders} was written over in place"
        assert built == ["everything"]
        superseded = loaded.query(
            "select count(*) from snowmelt.load_history "
            "where superseded_by is not null and row_count > 0",
            None,
        )
        assert superseded["rows"][0][0] > 1


@pytest.mark.long
def test_an_increment_reads_the_new_files_alone(
    shops: tuple[Shop, Shop], made_files: dict[str, bytes]
) -> None:
    shop = shops[0]
    with shop.commands() as commands:
        for stem, content in made_files.items():
            shop.land_bytes(f"{stem}.csv", content)
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        stem = "olist_order_payments_dataset"
        payments = made_files[stem].splitlines(keepends=True)
        shop.land_bytes(f"{stem}_more.csv", payments[0] + payments[5])
        # were the first file read, it would be as an error: it is no CSV any more
        (kept,) = shop.root.glob(f".snowmelt/external/order_payments/*{stem}.csv")
        state = kept.stat()
        before = kept.read_bytes()
        kept.write_bytes((b"broken\n" * len(before))[: len(before)])
        os.utime(kept, ns=(state.st_atime_ns, state.st_mtime_ns))
        (shop.root / "landing" / f"{stem}.csv").unlink()
        document = commands.run(None)
        assert document["run"]["state"] == "SUCCEEDED", document["run"]
        assert document["run"]["way"] == "replay", document["run"]
        with pytest.raises(Exception, match="CSV Error"):
            commands.query(
                "select count(payment_type) from bronze.order_payments", None
            )


@pytest.mark.long
def test_a_run_does_not_read_what_was_written_over(
    shops: tuple[Shop, Shop], made_files: dict[str, bytes]
) -> None:
    shop = shops[0]
    with shop.commands() as commands:
        for stem, content in made_files.items():
            shop.land_bytes(f"{stem}.csv", content)
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        before = contents(commands)
        orders = shop.root / "landing" / "olist_orders_dataset.csv"
        orders.write_bytes(orders.read_bytes()[:-200])
        orders.unlink()
        lines = made_files["olist_order_payments_dataset"].splitlines(keepends=True)
        shop.land_bytes("olist_order_payments_dataset_2.csv", lines[0] + lines[7])
        run = commands.run(None)["run"]
        assert run["state"] == "FAILED"
        assert run["error"].startswith(
            "olist_orders_dataset.csv: bronze.orders is a view of it, and it was "
            "written over in place"
        )
        assert contents(commands) == before
        shop.land_bytes(orders.name, made_files[orders.stem])
        run = commands.run(None)["run"]
        assert (run["state"], run["full_refresh"]) == ("SUCCEEDED", ["everything"])
        after = contents(commands)
        assert len(after["gold.fct_orders"]) == len(before["gold.fct_orders"])
        assert commands.audit()["audit"]["state"] == "SUCCEEDED"


@pytest.mark.long
def test_a_touched_file_lets_a_run_go_on(
    shops: tuple[Shop, Shop], made_files: dict[str, bytes]
) -> None:
    shop = shops[0]
    with shop.commands() as commands:
        for stem, content in made_files.items():
            shop.land_bytes(f"{stem}.csv", content)
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        os.utime(shop.root / "landing" / "olist_orders_dataset.csv")
        lines = made_files["olist_order_payments_dataset"].splitlines(keepends=True)
        shop.land_bytes("olist_order_payments_dataset_2.csv", lines[0] + lines[7])
        run = commands.run(None)["run"]
        assert (run["state"], run["full_refresh"]) == ("SUCCEEDED", [])
