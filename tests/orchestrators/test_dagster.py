"""Dagster itself: a component from YAML, assets that ask a service, a sensor."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from environment import DAGSTER_BIN, LACKING, own_environment

from serving import Serving, serving, until
from shop import Shop
from small_project import VISITS, Warm

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
STORY = Path(__file__).with_name("dagster_story.py")
STEPS = Path(__file__).with_name("dagster_steps.py")
PROJECT = {
    "pyproject.toml": """
[project]
name = "shop_dagster"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop_dagster"
""",
    "shop_dagster/__init__.py": "",
    "shop_dagster/definitions.py": """
from pathlib import Path

import dagster as dg

defs = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
""",
    "shop_dagster/defs/__init__.py": "",
}


@pytest.fixture
def service(warm: Warm, tmp_path: Path) -> Iterator[Serving]:
    root = tmp_path / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    visits = root / "pipes" / "visits.yml"
    told = visits.read_text().replace("continue", "skip_file")
    told = told.replace("name: visits\n", "name: visits_feed\ntable: visits\n")
    visits.rename(visits.with_name("visits_feed.yml")).write_text(told)
    with serving(root) as running:
        yield running


@pytest.fixture
def project(service: Serving, tmp_path: Path) -> Path:
    folder = tmp_path / "dagster"
    (manifest,) = service.root.glob(".snowmelt/*/target/manifest.json")
    attributes = {
        "url": service.url,
        "token": "{{ env.SNOWMELT_TOKEN }}",
        "manifest": str(manifest),
    }
    component = {
        "type": "snowmelt.dagster.component.SnowmeltComponent",
        "attributes": attributes,
    }
    more = {"shop_dagster/defs/snowmelt/defs.yaml": yaml.safe_dump(component)}
    for name, text in (PROJECT | more).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(token: str, project: Path, *words: str | Path) -> str:
    assert (DAGSTER_BIN / "dagster").exists(), LACKING
    environment = own_environment(
        {
            "SNOWMELT_TOKEN": token,
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DAGSTER_HOME": str(project),
        }
    )
    environment["PYTHONPATH"] += f":{project}"
    done = subprocess.run(
        [DAGSTER_BIN / words[0], *words[1:]],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout


def test_assets_are_materialized_by_a_service_and_its_own_runs_are_told(
    service: Serving, project: Path
) -> None:
    run(
        service.operator,
        project,
        "dagster",
        "definitions",
        "validate",
        "-m",
        "shop_dagster.definitions",
    )
    said = run(service.operator, project, "python", STORY, service.root / "landing")
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    assert found["success"], found["failures"]
    pipes = {"bronze/orders", "bronze/customers", "bronze/items", "bronze/visits"}
    assert pipes < set(found["assets"])
    assert found["materialized"] == sorted(found["assets"])
    assert any("bronze/orders" in parents for parents in found["assets"].values())
    gold = [name for name in found["assets"] if name.startswith("gold/")]
    assert gold
    assert all(found["assets"][name] for name in gold), "gold is made of something"
    assert found["chosen"] == ["bronze/visits"]
    besides = found["told_besides"]
    assert besides, "models that were built besides what was chosen are told of"
    assert not any(name.startswith("bronze/") for name in besides)
    assert len(set(besides)) == len(besides)
    (broken,) = found["broken"]
    assert "visits_broken.csv:2: pages: " in broken
    assert found["told_of_own"] == [], "what was chosen is its own run's to tell"

    (service.root / "landing" / "visits_broken.csv").unlink()
    with service.client() as client:
        Shop(service.root).land_bytes("visits_self.csv", f"{VISITS}803,c1,1\n".encode())
        given = {"after": found["cursor"]}
        until(
            lambda: [
                each
                for each in client.get("/api/v1/happenings", params=given).json()[
                    "happenings"
                ]
                if each["kind"] == "published"
            ],
            "the service publishes nothing by itself",
        )
    said = run(service.operator, project, "python", STORY, "--look", found["cursor"])
    told = json.loads(said.strip().splitlines()[-1])
    assert told["told"][0] == "bronze/visits"
    assert len(told["told"]) > 1, "the models that read it are told of, too"
    assert len(set(told["told"])) == len(told["told"])


def test_each_step_of_a_run_asks_under_a_key_of_its_own(tmp_path: Path) -> None:
    said = run("no token", tmp_path, "python", STEPS)
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    assert found["success"]
    assert len(set(found["keys"])) == len(found["keys"]) == 3
    failed: list[str] = []
    assert found["told"] == [["bronze/orders", "gold/a"], ["gold/c"], failed]
    assert found["told_by_unknown"] == []
    assert found["told_while_running"] == [None, None, None]
