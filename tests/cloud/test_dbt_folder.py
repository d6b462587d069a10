"""The folder that becomes a DBT PROJECT, read by dbt with the account's adapter."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from doubles import LACKING, PYTHON

from shipped import TARGET, deployed_into
from snowflake_account import Account
from snowmelt.deploy.resource import Mark, Owner
from snowmelt.deploy.snowflake.dbt_project import DbtProject
from snowmelt.project.new import make_project, template_names
from snowmelt.project.project import load_project

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(300)]


def made_of(template: str, root: Path) -> DbtProject:
    """The DBT PROJECT of a template's project."""
    if not PYTHON.exists():
        pytest.skip(LACKING)
    make_project(root, template, "shop")
    with (root / "snowmelt.yml").open("a") as settings:
        settings.write(yaml.safe_dump({"targets": {"prod": TARGET}}))
    desired = deployed_into(load_project(root), Account()).desired
    [made] = [each for each in desired if isinstance(each, DbtProject)]
    return made


@pytest.mark.parametrize("template", template_names())
def test_dbt_reads_the_folder_that_is_sent(template: str, tmp_path: Path) -> None:
    """Without packages to fetch, variables of an environment, or a file beside it."""
    made = made_of(template, tmp_path / "shop")
    folder = made.write().rename(tmp_path / "sent")
    words = ["-m", "dbt.cli.main", "parse", "--target", "prod", "--profiles-dir", "."]
    read = subprocess.run(
        [str(PYTHON), *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stdout
    assert "Invalid profile" not in read.stdout
    nodes = json.loads((folder / "target/manifest.json").read_text())["nodes"]
    models = {
        node["name"] for node in nodes.values() if node["resource_type"] == "model"
    }
    assert models == {path.stem for path in (tmp_path / "shop/models").rglob("*.sql")}


def test_the_connector_sends_each_file_to_its_place(tmp_path: Path) -> None:
    made = made_of("storefront", tmp_path / "a shop")
    mark = Mark(Owner("shop", "prod"), "0" * 12)
    said = made.send(is_new=True, mark=mark)
    [last] = [n for n, each in enumerate(said) if each.startswith("USE WAREHOUSE")]
    stage = "SHOP.SNOWMELT.DBT_PROJECT_FILES"
    begun = ["CREATE DATABASE SHOP", "CREATE SCHEMA SHOP.SNOWMELT", *said[:last]]
    script = Path(__file__).with_name("sent_files.py")
    sent = subprocess.run(
        [str(PYTHON), str(script), stage],
        input=json.dumps(begun),
        capture_output=True,
        text=True,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    told = json.loads(sent.stdout.strip().splitlines()[-1])
    assert sorted(told) == sorted(made.files)
