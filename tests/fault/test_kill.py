"""`kill -9` at any moment: no row lost, none doubled, gold equal to a rebuild.

Real processes are killed, at random statements and at random times, while they load
and build. Between kills more files land. At the end one undisturbed run must bring
everything to where an undisturbed project is.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from once import made_once
from shop import SNOWMELT, Shop, contents, make_shop
from small_histories import customer_row, item, item_row, order_row
from small_project import (
    CUSTOMERS,
    ORDERS,
    Warm,
    differences,
    open_small,
    tables_of,
)
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.olist import make_olist

KILLER = str(Path(__file__).with_name("killed.py"))
# A load takes some 15 statements a pipe, a whole first build some 900.
STATEMENTS_MAX = 700
SECONDS_MAX = 7.0


@dataclass
class Kills:
    """How the processes of one test ended."""

    killed: int = 0
    finished: int = 0
    moments: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = tmp_path_factory.mktemp("made") / "files"
    make_olist(files, orders=400, seed=3, dirty=0.03, parts=4)
    return files


def waves(made: Path) -> list[list[Path]]:
    """Return the files in an order that supersedes and repeats some."""
    whole = sorted(p for p in made.glob("*.csv") if not p.stem[-4:].isdigit())
    parts = [sorted(made.glob(f"*_{part:04d}.csv")) for part in range(1, 5)]
    rest = [sorted((made / name).glob("*.csv")) for name in ("late", "resent")]
    return [whole, *parts, *rest, sorted((made / "corrected").glob("*.csv"))]


def kill_at_statement(shop: Shop, verb: str, rng: random.Random, kills: Kills) -> None:
    """Run in a process that dies at a statement drawn here."""
    # small numbers as often as large ones: loads come first and are short
    statement = int(STATEMENTS_MAX ** rng.random()) + rng.randint(0, 60)
    done = subprocess.run(
        [sys.executable, KILLER, str(statement), verb, "--json"],
        cwd=shop.root,
        capture_output=True,
        timeout=120,
        check=False,
    )
    _note(done.returncode, f"{verb}: statement {statement}", kills)


def kill_at_time(shop: Shop, verb: str, rng: random.Random, kills: Kills) -> None:
    """Run, and kill the process from outside after a while."""
    seconds = rng.uniform(0.3, SECONDS_MAX)
    process = subprocess.Popen(
        [SNOWMELT, verb, "--json"],
        cwd=shop.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _note(process.returncode, f"{verb}: {seconds:.2f} s", kills)


def _note(code: int, moment: str, kills: Kills, *, failing: bool = False) -> None:
    assert code in (0, -9) or failing, (code, moment)
    kills.moments.append(moment)
    if code == -9:
        kills.killed += 1
    else:
        kills.finished += 1


def bronze(commands: OwnCommands) -> dict[str, list[list[object]]]:
    """Return every live bronze row with its origin, but not its position in time."""
    tables = commands.query(
        "select table_name from information_schema.tables "
        "where table_schema = 'bronze' and not ends_with(table_name, '__all')",
        None,
    )["rows"]
    return {
        table: commands.query(
            "select * exclude (_load_seq, _loaded_at) "
            f"from bronze.{table} order by all",
            None,
        )["rows"]
        for (table,) in tables
    }


def accounts(commands: OwnCommands) -> list[list[object]]:
    """Return the account of every file that counts."""
    rows: list[list[object]] = commands.query(
        "select file_name, status, row_parsed, row_count, error_count, content_sha256 "
        "from snowmelt.load_history where superseded_by is null order by all",
        None,
    )["rows"]
    return rows


def live_through(shop: Shop, made: Path, seed: int, kills_wanted: int) -> Kills:
    """Let files land and processes die; return how they did.

    Once a wave is published a rebuild is killed: a run would have nothing to do.
    """
    rng = random.Random(seed)
    kills = Kills()
    to_land = waves(made)
    for number, wave in enumerate(to_land, start=1):
        for path in wave:
            shop.land(path)
        published = kills.finished
        while kills.killed < kills_wanted * number // len(to_land):
            verb = "run" if kills.finished == published else "rebuild"
            kill = kill_at_statement if rng.random() < 0.7 else kill_at_time
            kill(shop, verb, rng, kills)
            assert kills.finished <= 4 * kills_wanted, "the moments come too late"
    return kills


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A project that took the same waves in peace."""

    def make(root: Path) -> None:
        shop = make_shop(root)
        with shop.commands() as commands:
            for wave in waves(made):
                for path in wave:
                    shop.land(path)
                run = commands.run(None)["run"]
                assert run is None or run["state"] == "SUCCEEDED"

    return made_once(tmp_path_factory, "undisturbed", make)


def check(shop: Shop, undisturbed: Path, tmp_path: Path, told: str) -> None:
    """Assert that after one more run nothing is lost, doubled or half-done."""
    copy = tmp_path / "undisturbed"
    shutil.copytree(undisturbed, copy)
    with shop.commands() as commands, Shop(copy).commands() as peaceful:
        document = commands.run(None)
        assert not document["problems"], told
        assert accounts(commands) == accounts(peaceful), told
        expected = bronze(peaceful)
        for table, rows in bronze(commands).items():
            assert rows == expected[table], f"{told}: bronze.{table}"
        gold = contents(commands)
        assert gold["gold.fct_orders"], told
        commands.rebuild()
        after = contents(commands)
        for table, lines in gold.items():
            assert lines == after[table], f"{told}: {table} differs from a rebuild"
        left = commands.query(
            "select count(*) from snowmelt.run_history where state = 'EXECUTING'", None
        )
        assert left["rows"] == [[0]], told
        assert load_project(shop.root).attempts_path.read_bytes() == b"", told


@pytest.mark.parametrize(
    ("seed", "kills_wanted"),
    [
        (0, 2),
        *(pytest.param(seed, 20, marks=pytest.mark.long) for seed in range(1, 13)),
    ],
)
def test_a_killed_process_loses_and_doubles_nothing(
    tmp_path: Path, made: Path, undisturbed: Path, seed: int, kills_wanted: int
) -> None:
    shop = make_shop(tmp_path / "shop")
    kills = live_through(shop, made, seed, kills_wanted)
    told = f"seed {seed}, {kills}"
    assert kills.killed == kills_wanted, told
    check(shop, undisturbed, tmp_path, told)


# By replay a run takes some 130 statements after those of opening and loading.
REPLAYED_STATEMENTS = 260


def land_small(shop: Shop, number: int, rng: random.Random) -> None:
    """Let a few files of the small project land; some names come again."""
    orders = "".join(order_row(rng) for _ in range(4))
    shop.land_bytes(f"orders_{number % 5}.csv", f"{ORDERS}{orders}".encode())
    lines = "".join(item_row(rng) for _ in range(4))
    # the evidence of a run that fails is written in a transaction of its own
    bad = item("w0", 3, "a1", 1, -9999 if number % 4 == 3 else 1)
    shop.land_bytes("items_bad.json", bad.encode())
    shop.land_bytes(f"items_{number}.json", lines.encode())
    if number % 3 == 0:
        customers = "".join(customer_row(rng) for _ in range(4))
        name = f"customers_2024-01-{rng.randint(1, 28):02d}.csv"
        shop.land_bytes(name, f"{CUSTOMERS}{customers}".encode())


def check_small(shop: Shop, kills: int, told: str) -> None:
    """Assert that after one more run data, offsets, accounts and runs agree."""
    with open_small(shop) as commands:
        document = commands.run(None)
        assert not document["problems"], told
        run = document["run"]
        assert run is None or run["state"] == "SUCCEEDED", (told, run)
        with commands.warehouse.session() as session:
            made = tables_of(session)
        (balance,) = commands.rows("select sum(records) from gold.order_balance")
        assert balance == commands.rows("select count(*) from bronze.orders")[0], told
        behind = commands.rows(
            "select consumer, source from snowmelt.stream_offsets as offsets "
            "left join snowmelt.change_logs as logs on logs.relation = offsets.source "
            "where offsets.position > coalesce(logs.position, "
            "(select max(load_seq) from snowmelt.load_history))"
        )
        assert behind == [], told
        unaccounted = commands.rows(
            "select loads.file_name, tallies.* from snowmelt.load_history as loads "
            "full join (select * from snowmelt.row_tallies "
            "where model <> 'silver.order_log') as tallies using (load_seq) "
            "where superseded_by is null "
            "and row_count is distinct from coalesce(rows_read, 0)"
        )
        assert unaccounted == [], told
        states = commands.rows(
            "select count(*) from snowmelt.run_history where state = 'EXECUTING'"
        )
        assert states == [(0,)], told
        assert commands.rebuild()["run"]["state"] == "SUCCEEDED", told
        with commands.warehouse.session() as session:
            found = differences(made, tables_of(session))
        assert not found, "\n".join([told, *found[:20]])
        (interrupted,) = commands.rows(
            "select count(*) from snowmelt.run_history "
            "where error like 'the process ended before%'"
        )[0]
        assert interrupted >= kills // 4, f"{told}: {interrupted} runs were killed"


@pytest.mark.parametrize(
    ("seed", "kills_wanted"),
    [
        (0, 3),
        *(pytest.param(seed, 40, marks=pytest.mark.long) for seed in range(1, 7)),
    ],
)
def test_a_killed_replay_leaves_everything_in_step(
    tmp_path: Path, warm: Warm, seed: int, kills_wanted: int
) -> None:
    rng = random.Random(seed)
    shop = warm.copy(tmp_path / "shop")
    kills = Kills()
    number = 0
    while kills.killed < kills_wanted:
        number += 1
        land_small(shop, number, rng)
        if number % 7 == 6:  # then dbt is asked
            (shop.root / ".snowmelt" / "recordings.json").unlink(missing_ok=True)
        statement = rng.randint(60, REPLAYED_STATEMENTS)
        done = subprocess.run(
            [sys.executable, KILLER, str(statement), "run", "--json"],
            cwd=shop.root,
            capture_output=True,
            timeout=120,
            check=False,
        )
        _note(done.returncode, f"{number}: statement {statement}", kills, failing=True)
        assert kills.finished <= 4 * kills_wanted, "the moments come too late"
    land_small(shop, 4, rng)
    check_small(shop, kills.killed, f"seed {seed}, {kills}")
