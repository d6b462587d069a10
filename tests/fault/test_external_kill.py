"""`kill -9` between a link and its commit, or anywhere: no row lost, none twice.

Files land, are corrected, deleted and written over in place while real processes that
load them are killed. After one undisturbed opening bronze is what was loaded of the
names, once; every registered file has its link, and every link is registered.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from killed_load import load_all

from forms import with_long
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened

KILLER = str(Path(__file__).with_name("killed_load.py"))
STEPS_MAX = 130
PIPE = {
    "name": "t",
    "pattern": "t*.csv",
    "external": True,
    "contract": {"columns": [{"name": "id", "type": "integer"}]},
}


def make(root: Path) -> Path:
    (root / "pipes").mkdir(parents=True)
    (root / "snowmelt.yml").write_text(
        "{version: 1, name: small, landing: {settle: 0s, refresh_every: 1h}}"
    )
    (root / "dbt_project.yml").write_text("{name: small, profile: snowmelt}")
    (root / "pipes" / "t.yml").write_text(yaml.safe_dump(PIPE))
    (root / "landing").mkdir()
    return root


def change(landing: Path, expected: dict[str, list[int]], rng: random.Random) -> None:
    """Do one thing to the folder; `expected` is what its names hold once loaded."""
    name = f"t_{rng.randint(0, 4)}.csv"
    path, ids = landing / name, rng.sample(range(1000), rng.randint(1, 4))
    content = b"id\n" + b"".join(b"%d\n" % each for each in ids)
    if path.exists() and rng.random() < 0.3:
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
    elif path.exists() and rng.random() < 0.2:
        path.touch()
        return
    else:
        hidden = landing / ".arriving.tmp"
        hidden.write_bytes(content)
        hidden.replace(path)
    expected[name] = sorted(ids)


def check(root: Path, expected: dict[str, list[int]], told: str) -> None:
    load_all(root)
    project = load_project(root)
    with (
        opened(project, SystemClock(), Events()) as parts,
        parts.warehouse.session() as session,
    ):
        require_unchanged(kept_files(session), project.external)
        rows = session.rows("select _file, id from bronze.t order by all")
        wanted = [(name, each) for name, ids in expected.items() for each in ids]
        assert rows == sorted(wanted), told
        assert (
            session.rows(
                "select _load_seq, _file_row from bronze.t__all group by all "
                "having count(*) > 1"
            )
            == []
        ), told
        kept = {each.name for each in kept_files(session)}
        loads = session.rows(
            "select load_seq from snowmelt.load_history where row_count > 0 "
            "except select load_seq from snowmelt.external_files"
        )
        assert loads == [], told
    links = {
        path.relative_to(project.external).as_posix()
        for path in project.external.rglob("*")
        if path.is_file()
    }
    assert links == kept, told


@pytest.mark.parametrize(
    "step",
    with_long((8, 1, 2, 4, 12, 16), short=1),
)
def test_a_process_that_is_killed_after_a_link_is_made_loads_once(
    tmp_path: Path, step: int
) -> None:
    root = make(tmp_path / "shop")
    (root / "landing" / "t_1.csv").write_bytes(b"id\n1\n2\n")
    load_all(root)
    with (root / "landing" / "t_1.csv").open("ab") as file:
        file.write(b"3\n")
    (root / "landing" / "t_2.csv").write_bytes(b"id\n4\n")
    done = subprocess.run(
        [sys.executable, KILLER, str(root), str(step), "linked"],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    check(root, {"t_1.csv": [1, 2, 3], "t_2.csv": [4]}, f"step {step}")


@pytest.mark.parametrize(
    ("seed", "kills_wanted"),
    [
        (0, 6),
        *(pytest.param(seed, 40, marks=pytest.mark.long) for seed in range(1, 7)),
    ],
)
def test_a_killed_load_leaves_no_file_without_link_and_no_row_twice(
    tmp_path: Path, seed: int, kills_wanted: int
) -> None:
    rng = random.Random(seed)
    root, expected = make(tmp_path / "shop"), dict[str, list[int]]()
    killed, moments = 0, []
    while killed < kills_wanted:
        for _ in range(rng.randint(1, 3)):
            change(root / "landing", expected, rng)
        step = rng.randint(20, STEPS_MAX)
        done = subprocess.run(
            [sys.executable, KILLER, str(root), str(step)],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, -9), done.stderr
        moments.append(step)
        killed += done.returncode == -9
        assert len(moments) <= 4 * kills_wanted, "the moments come too late"
    check(root, expected, f"seed {seed}, {moments}")
