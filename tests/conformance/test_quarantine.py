"""What silver refused is shown with its place, and comes back corrected."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path

import pytest
from gated_shop import GatedShop, gated_shop

from snowmelt.errors import UsageError

RULES = [
    {"rule": "between", "column": "amount", "low": 0, "high": 9},
    {"rule": "in_set", "column": "status", "values": ["x", "y"]},
]


def land_refused(shop: GatedShop) -> None:
    shop.land("orders_1.csv", "a,x,1", '"b",x,99', 'c,"x\ny",2', "d,z,99")
    shop.land("orders_2.csv", "e,x,not a number", "f,x,99")
    assert shop.run()["state"] == "SUCCEEDED"


def test_refused_rows_are_listed_with_rule_file_record_and_line(tmp_path: Path) -> None:
    with gated_shop(tmp_path / "shop", RULES) as shop:
        land_refused(shop)
        document = shop.commands.quarantine(None, None, 1000)
        found = [
            tuple(row[name] for name in ("rule", "file_name", "file_row", "line"))
            for row in document["rows"]
        ]
        assert found == [
            ("between_amount", "orders_1.csv", 2, 3),
            ("in_set_status", "orders_1.csv", 3, 4),
            ("between_amount", "orders_1.csv", 4, 6),
            ("between_amount", "orders_2.csv", 2, 3),
        ]
        assert document["count"] == 4
        last = document["rows"][2]
        assert last["rules"] == ["between_amount", "in_set_status"]
        assert (last["values"]["id"], last["values"]["amount"]) == ("d", "99.00")
        assert shop.commands.quarantine("orders", "in_set_status", 1)["count"] == 2
        groups = shop.commands.quarantine_groups("silver.orders", None)["groups"]
        assert [(g["count"], g["rule"], g["first"]) for g in groups] == [
            (3, "between_amount", "orders_1.csv#2"),
            (1, "in_set_status", "orders_1.csv#3"),
        ]
        assert groups[0]["example"]["id"] == "b"
        (shop.shop.root / "landing/orders_1.csv").unlink()
        lines = [r["line"] for r in shop.commands.quarantine(None, None, 9)["rows"]]
        unread = shop.commands.quarantine(None, None, 9, lines=False)["rows"]
        assert len(unread) == len(lines)
        assert {each["line"] for each in unread} == {None}, "no file was read"
        assert lines == [None, None, None, 3]
        with pytest.raises(UsageError, match=r"Known: silver\.orders"):
            shop.commands.quarantine("order", None, 9)


@pytest.mark.parametrize(
    ("file_format", "there"),
    [
        pytest.param("csv", True, marks=pytest.mark.long),
        ("ndjson", False),
        pytest.param("csv", False, marks=pytest.mark.long),
        pytest.param("ndjson", True, marks=pytest.mark.long),
    ],
)
def test_corrected_rows_come_back_once(
    tmp_path: Path, file_format: str, there: bool
) -> None:
    path = tmp_path / f"refused.{file_format}"
    with gated_shop(tmp_path / "shop", RULES, totals=True) as shop:
        land_refused(shop)
        if not there:
            (shop.shop.root / "landing/orders_1.csv").unlink()
        exported = shop.commands.export_quarantine(str(path), file_format, None, None)
        assert exported["count"] == 4
        text = path.read_text()
        assert "refuses it: between_amount, in_set_status" in text
        # one is mended, one stays wrong, one is left out, one is mended
        if file_format == "csv":
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        else:
            rows = [json.loads(line) for line in text.splitlines()]
        kept = [row for row in rows if int(row["file_row"]) != 3]
        for row in kept:
            amount = "98" if row["rejected_record"].startswith("d") else "9"
            row["rejected_record"] = row["rejected_record"].replace("99", amount)
        edited = tmp_path / "edited.csv"
        with edited.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(kept[0]))
            writer.writeheader()
            writer.writerows(kept)
        document = shop.commands.replay(str(edited))
        assert [(r["tried"], r["loaded"]) for r in document["replayed"]] == [
            (2, 2),
            (1, 1),
        ]
        assert document["run"]["state"] == "SUCCEEDED", document["run"]
        assert shop.ids() == "a b f"
        origin = shop.rows(
            "select id, _file, _file_row, _version_at = (select max(version_at) "
            "from snowmelt.load_history as loads "
            "where loads.file_name = _file and replay_of is null) "
            "from silver.orders order by id"
        )
        assert origin[1] == ("b", "orders_1.csv", 2, True)
        assert origin[2] == ("f", "orders_2.csv", 2, True)
        document = shop.commands.quarantine(None, None, 9)
        assert (document["count"], document["replayed"]) == (2, 3)
        states = [(r["file_row"], r["state"]) for r in document["rows"]]
        assert states[:2] == [(3, "open"), (4, "open")]
        (account,) = shop.commands.status()["reconciliation"]
        assert (account["bronze_rows"], account["silver_rows"]) == (8, 3)
        assert (account["quarantined_rows"], account["quarantined_open"]) == (5, 2)
        # the same again has nothing to correct any more
        again = shop.commands.replay(str(edited))
        assert [each["loaded"] for each in again["replayed"]] == []
        assert shop.commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert shop.ids() == "a b f"
        # a corrected file replaces what was replayed from it
        shop.land("orders_1.csv", "b,x,5")
        assert shop.run()["state"] == "SUCCEEDED"
        assert shop.ids() == "b f"
        assert shop.commands.quarantine(None, None, 9)["count"] == 0


def test_streams_tell_what_waits(tmp_path: Path) -> None:
    with gated_shop(tmp_path / "shop", RULES, totals=True) as shop:
        shop.land("orders_1.csv", "a,x,1", "b,y,2", "c,x,99")
        shop.run()
        assert not any(s["has_data"] for s in shop.commands.streams()["streams"])
        shop.loop.publishes = False
        shop.land("orders_1.csv", "a,x,1", "b,y,2", "c,x,3", "d,x,4")
        shop.land("orders_2.csv", "e,x,1")
        shop.commands.run(None)
        bronze, log = sorted(
            shop.commands.streams()["streams"], key=lambda each: each["source"]
        )
        assert (bronze["consumer"], bronze["source"]) == (
            "silver.orders",
            "bronze.orders",
        )
        assert (bronze["rows_inserted"], bronze["rows_deleted"]) == (5, 3)
        assert (bronze["has_data"], bronze["stale"]) == (True, False)
        assert bronze["stale_after"] > bronze["waiting_since"]
        assert (log["consumer"], log["source"]) == ("gold.totals", "silver.orders")
        assert log["has_data"] is False
        shown = shop.rows(
            "select name, table_name, type, stale, mode, invalid_reason "
            "from snowmelt.streams order by 1"
        )
        assert shown == [
            ("gold.totals", "silver.orders", "DELTA", False, "DEFAULT", "N/A"),
            ("silver.orders", "bronze.orders", "DELTA", False, "DEFAULT", "N/A"),
        ]


def test_a_stream_that_does_not_move_is_a_problem(tmp_path: Path) -> None:
    with gated_shop(tmp_path / "shop", RULES) as shop:
        shop.land("orders_1.csv", "a,x,1")
        shop.run()
        shop.loop.publishes = False
        shop.land("orders_2.csv", "b,x,1", "c,x,1")
        shop.commands.run(None)
        assert shop.commands.status()["problems"] == []
        with shop.loop.parts.warehouse.session() as session:
            session.execute(
                "update snowmelt.load_history set last_load_time = last_load_time - $1",
                [timedelta(hours=1)],
            )
        (problem,) = shop.commands.status()["problems"]
        assert "stream of silver.orders on bronze.orders has not moved since" in problem
        assert "while 2 rows wait" in problem
