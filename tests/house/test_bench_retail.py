"""The benchmark at full size, small: both sides agree, figures say what they mean."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from bench.live.shop import CommandError, environment, run_program
from bench.scale.generation import Generation
from bench.scale.gold import Relation, differences, read_gold, require_same
from bench.scale.inputs import TABLES, Company, make_hours
from bench.scale.ours import Full, Hours, make_project, run_full, warehouse_of
from bench.scale.peers import Beside, Built
from bench.scale.peers import table as peers_table
from bench.scale.peers import targets as peers_targets
from bench.scale.programs import Ended
from bench.scale.report import Measured, document, table, targets
from snowmelt.synth.retail import make_increment, make_retail
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION

COMPANY = Company(200, 40, 2_000)
READS = {
    "customers": "read_csv('{}', all_varchar = true)",
    "products": "read_json('{}', format = 'array')",
    "transactions": "read_parquet('{}')",
}


@pytest.mark.long
def test_by_hand_and_by_the_template_gold_is_the_same(tmp_path: Path) -> None:
    files = tmp_path / "files"
    make_retail(files, replace(COMPANY.retailer, dirty=0.2), parts=2)
    for hour in (1, 2):
        make_increment(files, replace(COMPANY.retailer, dirty=0.2), increment=hour)
    root = make_project(tmp_path, files, threads=1, memory=None)
    full = run_full(root)
    assert full.tests > 50
    assert 0 < full.test_seconds < full.ended.seconds
    database = str(tmp_path / "raw.duckdb")
    words = ("-m", "bench.scale.raw", database, str(files), "1", STORAGE_VERSION)
    told = run_program([sys.executable, *words], tmp_path, environment())
    assert "silver.transactions" in json.loads(told)
    raw = read_gold(database)
    assert not differences(raw, read_gold(str(warehouse_of(root))))
    assert raw["fct_transactions"].rows > 2_000
    with duckdb.connect(database) as connection:
        connection.execute("update gold.sales_by_day set sales = sales + 0.01")
        connection.execute("delete from gold.dim_dates where is_weekend")
    told_of = differences(read_gold(database), raw)
    assert [each.partition(":")[0] for each in told_of] == ["dim_dates", "sales_by_day"]


def test_relations_that_one_side_lacks_or_types_otherwise_differ() -> None:
    one, other = Relation(1, "1", {"a": "BIGINT"}), Relation(1, "1", {"a": "DATE"})
    assert differences({"x": one}, {}) == ["only the other has x"]
    assert differences({}, {"x": one}) == ["only ours has x"]
    assert differences({"x": one}, {"x": other}) == ["x: columns or types differ: a"]
    require_same("now", {"x": one}, {"x": one})
    with pytest.raises(CommandError, match="now gold differs: only ours has y"):
        require_same("now", {"x": one}, {"x": one, "y": one})


def test_an_hour_put_together_has_the_records_of_its_parts(tmp_path: Path) -> None:
    make_hours(COMPANY, 2, 3, tmp_path / "hours")
    for increment in (4, 5, 6):
        make_increment(tmp_path / str(increment), COMPANY.retailer, increment=increment)
    for table_name in TABLES:
        (together,) = (tmp_path / "hours" / "0002" / "raw" / table_name).iterdir()
        parts = [
            file
            for increment in "456"
            for file in (tmp_path / increment / "raw" / table_name).iterdir()
        ]
        assert together.name == parts[-1].name
        read = " union all ".join(
            f"from {READS[table_name].format(part)}" for part in parts
        )
        with duckdb.connect() as connection:
            here, there = (
                connection.execute(
                    f"select count(*), sum(hash(each)::hugeint) from ({query}) as each"
                ).fetchall()
                for query in (f"from {READS[table_name].format(together)}", read)
            )
        assert here == there


def measured(scale: float, **given: object) -> Measured:
    raw = Ended(10.0, 18.0, 2_000_000_000, json.dumps({"bronze.customers": 1.0}))
    ours = Ended(20.0, 30.0, 4 * 2**30, "")
    full = Full(ours, 1_000, 3.0, {"customers": 4.0}, test_seconds=6.0, tests=55)
    hours = Hours(55, (0.3, 0.2, 0.5), (0.1, 0.1, 0.1), 5 * 2**30, {"replay": 3})
    seen = Measured(scale, COMPANY, 1_000, 2, [raw], [full], hours, None, None, None)
    return replace(seen, **given)  # type: ignore[arg-type]


def test_the_time_of_tests_is_not_in_the_ratio() -> None:
    seen = measured(1.0)
    assert seen.ratio == pytest.approx(1.4)
    assert seen.peak_bytes == 5 * 2**30
    assert seen.hour_share == pytest.approx(1.5)
    assert seen.ours[0].rest_seconds == pytest.approx(7.0)
    lines = "\n".join(table(seen, targets(seen)))
    assert "55 tests" in lines
    assert "1.5 % of the full run" not in lines
    assert "1.50 % of the full run; runs: 3 by replay" in lines
    assert document(seen)["tests_s"] == [6.0]


def test_targets_are_judged_at_full_size_and_for_what_was_measured() -> None:
    assert [each.is_judged for each in targets(measured(0.1))] == [False] * 3
    small = Hours(55, (0.1,), (0.1,), 1, {"replay": 1})
    made = Generation(30.0, 1, 10.0, 1)
    seen = measured(1.0, small_scale=0.1, small_hours=small, generation=made)
    verdicts = {each.what: each.is_missed for each in targets(seen)}
    assert verdicts == {
        "ours without tests / raw": False,
        "peak of ours": False,
        "an hour / the full run": False,
        "an hour, large / small": True,
        "synth / COPY": True,
    }
    clean = measured(1.0, company=replace(COMPANY, dirty=0.0))
    assert not any(each.is_judged for each in targets(clean))
    nearer = measured(1.0, small_scale=0.5, small_hours=small)
    assert not any(each.is_missed for each in targets(nearer))


def test_beside_a_peer_both_of_its_programs_count() -> None:
    dlt, dbt = Ended(12.0, 1.0, 1, ""), Ended(18.0, 1.0, 1, "")
    theirs = Built(dlt, 10.0, dbt)
    seen = measured(0.1)
    beside = Beside(seen.ours[0], seen.hours, theirs, [theirs])
    judged = peers_targets(beside, is_judged=True)
    assert [round(each.value, 3) for each in judged] == [0.3, 0.667, 0.01]
    assert not any(each.is_missed for each in judged)
    assert "of theirs: dlt 12.00 s, dbt 18.00 s" in peers_table(beside, COMPANY, judged)
