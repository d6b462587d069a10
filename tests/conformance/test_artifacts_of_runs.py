"""The dbt artifacts of each run are kept, and tools of others read them."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from small_project import Warm, open_small
from snowmelt.clock import SystemClock
from snowmelt.transform.kept_artifacts import (
    FOLDER,
    MANIFESTS,
    KeptArtifacts,
    artifacts_of,
)

parser = pytest.importorskip("dbt_artifacts_parser.parser", reason="dev: a reader")
VISITS = b"visit_id,customer_id,pages\n%d,c1,2\n"


def test_a_reader_of_dbts_artifacts_reads_those_of_a_replayed_run(
    warm: Warm, tmp_path: Path
) -> None:
    shop = warm.copy(tmp_path / "shop")
    with open_small(shop) as commands:
        for number in (100, 101):
            shop.land_bytes(f"visits_{number}.csv", VISITS % number)
            run = commands.run(None)["run"]
            assert (run["state"], run["way"]) == ("SUCCEEDED", "replay")
        told = commands.log(run["run_id"], None, None, 1)
        nodes = commands.rows(
            "select node, status, failures from snowmelt.node_history "
            f"where run_id = '{run['run_id']}' and resource_type <> 'rule' "
            "order by node"
        )
        ids = commands.rows("select run_id from snowmelt.run_history order by 1")
    folder = Path(told["artifacts"])
    assert folder == shop.root / FOLDER / run["run_id"]
    results = parser.parse_run_results(
        json.loads((folder / "run_results.json").read_text())
    )
    manifest = parser.parse_manifest(json.loads((folder / "manifest.json").read_text()))
    assert results.metadata.invocation_id == run["run_id"]
    known = {**manifest.nodes}
    assert (
        sorted(
            (known[each.unique_id].name, str(each.status.value), each.failures)
            for each in results.results
        )
        == nodes
    )
    assert {each.name for each in known.values()} >= {"orders", "fct_orders"}
    kept = {path.name for path in (shop.root / FOLDER).iterdir()} - {MANIFESTS}
    assert kept == {run_id for (run_id,) in ids}, "of every run, dbt's too"
    copies = {
        path.stat().st_ino for path in (shop.root / FOLDER).glob("*/manifest.json")
    }
    assert len(copies) < len(kept), "the same content is one file"


def run_id(number: int, at: float) -> str:
    text = f"{int(at * 1000):012x}7{number:03x}8000{number:012x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@pytest.mark.parametrize("linked", [True, False])
def test_what_is_kept_is_bounded_by_count_and_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    if not linked:
        monkeypatch.setattr(os, "link", refuse)
    manifest = tmp_path / ".snowmelt" / "dbt" / "target" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    now = SystemClock().now()
    artifacts = KeptArtifacts(tmp_path, timedelta(days=1), 5)
    ids = [run_id(number, now.timestamp() - 3600 + number) for number in range(8)]
    ids.insert(0, run_id(9, now.timestamp() - 90_000))
    for number, each in enumerate(ids):
        same = {"metadata": {"generated_at": number}, "nodes": number // 4}
        manifest.write_text(json.dumps(same))
        artifacts.keep(each, "{}", now)
        assert artifacts_of(tmp_path, ids[0]) is None, "older than a day"
    folder = tmp_path / FOLDER
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == sorted([*ids[-5:], MANIFESTS])
    nodes = [
        json.loads((folder / each / "manifest.json").read_text())["nodes"]
        for each in ids[-5:]
    ]
    assert nodes == [1, 1, 1, 1, 2]
    left = list((folder / MANIFESTS).iterdir())
    assert len(left) == (2 if linked else 1)
    (folder / ids[-1] / "manifest.json").unlink()
    assert artifacts_of(tmp_path, "../artifacts") is None


def test_that_they_cannot_be_kept_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".snowmelt").write_text("a file is in the way")
    now = SystemClock().now()
    KeptArtifacts(tmp_path, timedelta(1), 5).keep(run_id(1, 1e9), "{}", now)
    assert "are not kept" in caplog.text
