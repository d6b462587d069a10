"""The realtime template's figures against plain Python over the same files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files as files_of_package
from pathlib import Path

import pytest
from asking import ask, land_folder, published, way
from board_figures import compare_boards
from realtime_changes import CHANGES
from realtime_feed import HEADER, NOW, audited, compare, feed, refused
from realtime_oracle import RealtimeFigures, add, figures, read

from shop import Shop, require_dashboards
from snowmelt.cli.main import main
from snowmelt.synth.realtime import make_realtime

RULES = {
    "missing_event_ids": "not_null_event_id",
    "missing_user_ids": "not_null_user_id",
    "future_times": "event_at_not_in_the_future",
    "missing_types": "not_null_event_type",
    "unknown_types": "event_type_known",
    "bad_emails": "email_format",
    "orders_without_id": "order_has_id",
    "orders_without_amount": "order_has_amount",
    "amounts_not_above_0": "amount_above_0",
    "amounts_above_1000000": "amount_up_to_1000000",
}
REPAIRS = {
    "padded_names": "name",
    "mixed_case_emails": "email",
    "odd_case_regions": "region",
    "odd_types": "event_type",
    "epoch_times": "event_at: epoch",
    "offset_times": "event_at: offset",
    "long_amounts": "amount",
    "stray_orders": "order",
}
ALWAYS = {
    *("late_events", "unordered_events", "early_cancels"),
    *("cancels", "amended_orders", "changed_profiles"),
}
KINDS = {
    *ALWAYS,
    *RULES,
    *REPAIRS,
    *("missing_times", "unreadable_times", "unreadable_amounts", "torn_records"),
    *("duplicate_events", "redelivered_events", "corrected_events"),
}


@pytest.fixture
def shop(tmp_path: Path, warm_realtime: Path) -> Iterator[Shop]:
    shutil.copytree(warm_realtime, tmp_path / "feed", symlinks=True)
    yield Shop(tmp_path / "feed")


@pytest.mark.long
def test_what_was_planted_is_refused_repaired_and_told_apart(
    tmp_path: Path, shop: Shop
) -> None:
    files = tmp_path / "files"
    made = make_realtime(files, feed(90, dirty=0.2)).quirks
    assert made.keys() == KINDS
    land_folder(shop, files)
    with shop.commands() as commands:
        published(commands)
        assert way(commands) == "replay"
        expected = figures(files, NOW)
        compare(commands, expected)

        found = refused(commands)
        without_time = found.pop("not_null_event_at")
        assert without_time == made["missing_times"] + made["unreadable_times"]
        assert found == {rule: made[quirk] for quirk, rule in RULES.items()}
        assert expected.repaired == {
            column: made[quirk] for quirk, column in REPAIRS.items()
        }
        rejects = dict(
            ask(commands, "select category, count(*) from snowmelt.rejects group by 1")
        )
        assert rejects == {
            "CAST": made["unreadable_amounts"],
            "MISSING COLUMNS": made["torn_records"],
        }
        assert expected.rejected == sum(rejects.values())
        assert ask(
            commands,
            "select deduplicated_rows from snowmelt.reconciliation "
            "order by run_id desc limit 1",
        ) == [
            [
                made["duplicate_events"]
                + made["redelivered_events"]
                + made["corrected_events"]
            ]
        ]
        compare_boards(commands, "realtime")
        require_dashboards(commands, shop.root)
        audited(commands)

    clean = tmp_path / "clean"
    make_realtime(clean, feed(90))
    unspoilt = figures(clean, NOW)
    assert unspoilt.customers() == expected.customers(), "dirt adds nothing"
    assert unspoilt.fact_orders() == expected.fact_orders()
    assert unspoilt.activity() == expected.activity()


@pytest.mark.long
def test_the_figures_of_the_readme_are_those_of_the_command_it_gives(
    tmp_path: Path,
) -> None:
    """What gold shows of these very files is compared above."""
    template = files_of_package("snowmelt.project") / "templates" / "realtime"
    readme = (template / "README.md").read_text()
    told = r"^\$ snowmelt (synth realtime) files (--at-once .+)$"
    ((command, options),) = re.findall(told, readme, re.MULTILINE)
    files = tmp_path / "files"
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), str(files), *options.split()])
    assert ended.value.code == 0
    expected = figures(files, NOW)
    rows = [*expected.by_month(), *expected.by_region()]
    assert len(rows) == 7
    for row in rows:
        assert re.search(r" +".join(map(str, row)), readme), row


HAND_WRITTEN = {
    # other columns, in another order, times in seconds, ids as pandas writes them
    "exports/2023-11-01/users.csv": (
        "amount,user_id,event_id,event_type,event_at,order_id,region,device\n"
        "19.995,7.0,1.0,Order,1698836400,A-1,,phone\n"
        ",8.0,2.0,page visit,1698836400.5,,,phone\n"
        ",8.0,3.0,Visit,1698836400.5,,,tablet\n"
        "0.004,8.0,4.0,order,1698836401,A-2,,phone\n"
    ),
    # no order columns at all; quotes, a line end within a field, an offset
    "users_20231102.csv": (
        '"event_id","event_at","event_type","user_id","email","name","region"\r\n'
        '"s1","2023-11-02 01:30+02:00","sign-up","7","ZOË@Example.org",'
        '"Zoë\nvan der Berg"," nord  west "\r\n'
        '"s2","2023-11-02T10:00:00Z","SIGN UP","8","no-address","Bo",\r\n'
    ),
    # a cancellation, an order that names its region, one that was changed
    "shop/eu/users-3.csv": (
        f"{HEADER}"
        "c1,2023-12-01T00:00:00Z,cancel,7,,,,A-1,\n"
        "c2,2023-12-01T00:00:00Z,cancel,8,,,,A-9,\n"
        "o3,2023-11-30T23:59:59.999Z,order,8,,,apac,A-3,100\n"
        "o4,2023-12-02,order,8,,,,A-3,250.50\n"
        "o5,2023-12-02T08:00,order,9,,,,A-4,1\n"
    ),
    # an event again, with another amount: the newer file counts
    "users_20991231.csv": f"{HEADER}o5,2023-12-02T08:00Z,order,9,,,,A-4,2.345\n",
    "people.csv": f"{HEADER}x,2023-12-02T08:00Z,visit,9,,,,,\n",
}


def test_files_written_by_hand_give_the_figures_added_up_by_hand(shop: Shop) -> None:
    """Other names, folders, columns in another order: nothing rests on made files."""
    for name, text in HAND_WRITTEN.items():
        shop.land_bytes(name, text.encode())
    with shop.commands() as commands:
        published(commands)
        assert ask(commands, "from gold.monthly_metrics order by month") == [
            ["2023-11-01", "250.50", 1, 1, "250.50", 2, 2],
            ["2023-12-01", "2.35", 1, 0, "2.35", 3, 1],
        ]
        assert ask(commands, "from gold.orders_by_region order by region") == [
            ["APAC", "250.50", 1, 0, 1],
            ["NORD WEST", "0.00", 0, 1, 0],
            ["UNKNOWN", "2.35", 1, 0, 1],
        ]
        assert ask(commands, "from gold.dim_customer order by user_id") == [
            [
                *("7", "Zoë van der Berg", "zoë@example.org", "NORD WEST"),
                *("2023-11-01T23:30:00", "2023-11-01T11:00:00"),
            ],
            ["8", None, None, "APAC", None, "2023-11-01T11:00:00.500000"],
            ["9", None, None, None, None, "2023-12-02T08:00:00"],
        ]
        assert ask(
            commands,
            "select user_id, events, visits, active_days, orders, total_spent, "
            "last_seen_at from gold.user_activity order by user_id",
        ) == [
            ["7", 3, 0, 2, 0, "0.00", "2023-12-01T00:00:00"],
            ["8", 4, 1, 4, 1, "250.50", "2023-12-02T00:00:00"],
            ["9", 1, 0, 1, 1, "2.35", "2023-12-02T08:00:00"],
        ]
        assert refused(commands) == {
            "event_type_known": 1,
            "amount_above_0": 1,
            "email_format": 1,
        }
        assert commands.status()["unmatched"] == ["people.csv"]


def test_a_file_that_grows_or_is_rewritten_loses_no_event(
    tmp_path: Path, shop: Shop
) -> None:
    """One users.csv: it holds more, then other events, then a wrong one put right."""
    seen = ""
    expected = RealtimeFigures()
    with shop.commands() as commands:
        for part in range(2):
            files = tmp_path / f"{part}"
            make_realtime(files, feed(15, seed=part))
            (path,) = sorted(files.iterdir())[-1:]
            text = path.read_text().removeprefix(HEADER)
            seen += text
            shop.land_bytes("users.csv", (HEADER + seen).encode())
            published(commands)
            assert way(commands) == "replay"
        late = "w1,2024-05-02T00:00:00Z,order,u1,,,,w-1,{}\n"
        for amount in (999, 9):
            shop.land_bytes("users.csv", (HEADER + late.format(amount)).encode())
            published(commands)
        for record in read(HEADER + seen + late.format(9)):
            add(expected, record, NOW)
        expected.settle()
        compare(commands, expected)
        statuses = "select distinct status from snowmelt.load_history"
        assert ask(commands, statuses) == [["Loaded"]]


@pytest.mark.long
def test_a_file_that_only_grows_may_stand_for_its_versions(
    tmp_path: Path, shop: Shop
) -> None:
    """The other reading of one name: two words of the pipe, and no model."""
    pipe = shop.root / "pipes" / "users.yml"
    text = pipe.read_text()
    assert "on_same_name_changed: append" in text
    pipe.write_text(text.replace("changed: append", "changed: supersede"))
    files = tmp_path / "files"
    with shop.commands() as commands:

        def landed(name: str, _: int) -> None:
            shop.land(files / name)
            published(commands)

        make_realtime(
            files,
            feed(15, every=5, dirty=0.3, names="growing"),
            keep_going=lambda _: True,
            told=landed,
        )
        assert ask(commands, "select count(*) from snowmelt.load_history") == [[3]]
        compare(commands, figures(files, NOW))


@pytest.mark.long
def test_what_comes_late_changes_what_it_is_about_and_nothing_newer(
    shop: Shop,
) -> None:
    steps = [
        # a cancellation whose order is not here yet
        ("b,2024-06-02T10:00:00Z,cancel,1,,,,X,\n", [], ["1", None, None]),
        # its order, of the month before: the month is there, the order does not stand
        (
            "a,2024-05-31T23:00:00Z,order,1,Ann,,lATam,X,10\n",
            [["X", "LATAM", "cancelled", "2024-05-31T23:00:00", "0.00"]],
            ["1", "Ann", "LATAM"],
        ),
        # placed again after that
        (
            "c,2024-06-02T10:00:00.001Z,order,1,,,,X,12.50\n",
            [["X", "LATAM", "placed", "2024-05-31T23:00:00", "12.50"]],
            ["1", "Ann", "LATAM"],
        ),
        # an older profile changes no name, an older order moves the order's time
        (
            "d,2024-01-01T00:00:00Z,profile,1,Anna,,EMEA,,\n"
            "e,2024-04-30T00:00:00Z,order,1,,,,X,99\n",
            [["X", "LATAM", "placed", "2024-04-30T00:00:00", "12.50"]],
            ["1", "Ann", "LATAM"],
        ),
    ]
    with shop.commands() as commands:
        for number, (lines, orders, customer) in enumerate(steps):
            shop.land_bytes(f"users_{number}.csv", (HEADER + lines).encode())
            published(commands)
            assert way(commands) == "replay"
            assert orders == ask(
                commands,
                "select order_id, region, status, ordered_at, revenue "
                "from gold.fact_orders",
            )
            assert [customer] == ask(
                commands, "select user_id, name, region from gold.dim_customer"
            )
        assert ask(
            commands,
            "select month, total_revenue, new_users from gold.monthly_metrics "
            "order by month",
        ) == [
            ["2024-01-01", "0.00", 1],
            ["2024-04-01", "12.50", 0],
            ["2024-05-01", "0.00", 0],
            ["2024-06-01", "0.00", 0],
        ]
        (late,) = ask(
            commands,
            "select count(*) from silver.user_events "
            "where ingested_at > event_at + interval 1 year",
        )
        assert late == [5], "the time of the load stands beside the event's own"


def test_a_value_that_changes_reaches_all_that_depends_on_it(shop: Shop) -> None:
    before, after = HEADER, HEADER
    for number, (was, becomes) in enumerate(CHANGES.values()):
        before += was.replace("#", f"{number:02d}")
        after += becomes.replace("#", f"{number:02d}")
    with shop.commands() as commands:
        expected = RealtimeFigures()
        for name, text in (("users_1.csv", before), ("users_2.csv", after)):
            for record in read(text):
                add(expected, record, NOW)
            expected.settle()
            shop.land_bytes(name, text.encode())
            published(commands)
            assert way(commands) == "replay"
            compare(commands, expected)
