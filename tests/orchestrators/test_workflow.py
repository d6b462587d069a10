"""The workflow for GitHub is one by GitHub's own schema."""

from __future__ import annotations

import subprocess

import pytest
from environment import AIRFLOW_BIN, LACKING

from snowmelt.project.extras import GITHUB

pytestmark = pytest.mark.cloud


def test_the_workflow_is_one() -> None:
    checker = AIRFLOW_BIN / "check-jsonschema"
    assert checker.exists(), LACKING
    path = GITHUB / "snowmelt.yml"
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.github-workflows", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
