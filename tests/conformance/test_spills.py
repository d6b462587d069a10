"""What does not fit in memory goes over the disk, and that is told, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.clock import SystemClock
from snowmelt.events import Event, Events, FileSettled, Spilled
from snowmelt.observe import spills
from snowmelt.observe.progress import Progress
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.warehouse.duckdb.scratch import scratch

PIPE = """\
name: readings
pattern: readings*.csv
on_error: continue
contract:
  columns: [{name: reading, type: varchar}, {name: spot, type: varchar}]
"""


def load(root: Path, settings: str) -> list[Event]:
    """Load a file of 60 MB, nothing of which compresses; return what was told."""
    for folder in ("pipes", "models", "landing"):
        (root / folder).mkdir(parents=True)
    (root / "snowmelt.yml").write_text(f"version: 1\nname: shop\n{settings}")
    (root / "dbt_project.yml").write_text("name: shop\nprofile: shop\nversion: '1.0'\n")
    (root / "pipes" / "readings.yml").write_text(PIPE)
    with scratch(threads=1) as connection:
        connection.execute(
            f"copy (select md5(n::varchar) as reading, md5((-n)::varchar) as spot "
            f"from range(900_000) as t (n)) to '{root}/landing/readings.csv'"
        )
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    with Progress() as progress:
        events.subscribe(progress)
        with opened(load_project(root), SystemClock(), events) as parts:
            loop = Loop(parts)
            try:
                OwnCommands(loop, serving=False).run(None)
            finally:
                loop.close()
    return told


@pytest.mark.long
def test_a_load_that_does_not_fit_in_memory_is_told_of_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spills, "LOOK_EVERY_SECONDS", 0.02)
    told = load(tmp_path, "warehouse: {memory_limit: 100MB, threads: 1}")
    (spilled,) = [each for each in told if isinstance(each, Spilled)]
    assert (spilled.pipe_name, spilled.run_id) == ("readings", None)
    assert spilled.peak_bytes > 5_000_000
    assert spilled.memory_bytes == 100_000_000
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "did not fit" in line]
    assert line.startswith("readings: ")
    assert "warehouse.memory_limit" in line
    with (
        opened(load_project(tmp_path), SystemClock(), Events()) as parts,
        parts.warehouse.snapshot() as session,
    ):
        logged = session.rows(
            "select object, status, bytes from snowmelt.pipeline_log "
            "where step = 'spill'"
        )
    assert logged == [("readings", "SPILLED", spilled.peak_bytes)]


@pytest.mark.long
def test_a_load_that_fits_is_not_told_of(tmp_path: Path) -> None:
    told = load(tmp_path, "warehouse: {memory_limit: 1200MB}")
    assert not [each for each in told if isinstance(each, Spilled)]
    assert [each for each in told if isinstance(each, FileSettled)]
