"""The workflow for GitHub: what it may do, and that every line of it still works."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from shop import SNOWMELT
from snowmelt.project.extras import GITHUB, SAMPLES, WORKFLOW, write_extras
from snowmelt.project.new import make_project, template_names

ROOT = Path(__file__).parents[2]
SHA = re.compile(r"[0-9a-f]{40}")
TARGET = """
targets:
  prod:
    type: snowflake
    account: myorg-shop
    user: DEPLOYER
    key_path: ${DEPLOY_KEY}
    key_passphrase: ${DEPLOY_KEY_PASS}
    aws: {account: "123456789012", region: eu-central-1, bucket: shop-landing}
"""
SNOWMELT_HERE = """
import sys
from typing import Any

sys.path[:0] = {paths!r}
from test_deploy import _open_nothing
from snowflake_account import Account
from snowmelt.cli import main
from snowmelt.deploy import opening


def connect(*given: object) -> Any:
    account: Any = Account()
    account.__dict__["close"] = lambda: None
    return account


vars(opening).update(
    connect=connect, aws_resources=lambda names: (), open_aws=_open_nothing
)
main()
"""
PYTHON_HERE = """#!/bin/sh
# `pip install` is only looked at; all else is Python
if [ "$2" = pip ]; then echo "$@" >> "$RUNNER_TEMP/pip"; exit 0; fi
exec {python} "$@"
"""
GH_HERE = """#!/bin/sh
echo "$@" >> "$RUNNER_TEMP/gh"
case "$1 $2" in
  "api repos"*) echo 0123456789012345678901234567890123456789;;
  "run list") echo 42;;
  "run download") cp -r "$RUNNER_TEMP/kept" plan;;
esac
"""


def workflow() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((GITHUB / "snowmelt.yml").read_text())
    return document


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow()["jobs"][job]["steps"]
    return found


def test_it_may_do_what_it_has_to_and_no_more() -> None:
    document = workflow()
    assert document["permissions"] == {"contents": "read"}
    asked = {name: job.get("permissions", {}) for name, job in document["jobs"].items()}
    written = {
        (name, what)
        for name, permissions in asked.items()
        for what, how in permissions.items()
        if how == "write"
    }
    assert written == {("plan", "id-token"), ("apply", "id-token")}
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "uses" in step:
                assert SHA.fullmatch(step["uses"].partition("@")[2]), step["uses"]
            # what others write must not become a line of a script
            assert "${{" not in step.get("run", ""), step["name"]
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
    fork = "github.event.pull_request.head.repo.full_name == github.repository"
    assert fork in document["jobs"]["plan"]["if"]
    assert document["jobs"]["apply"]["environment"] == "production"
    assert "secrets." not in json.dumps(document["jobs"]["check"])


def expressed(text: str, **github: object) -> str:
    """Return a value of the workflow with its expressions worked out."""

    def work_out(found: re.Match[str]) -> str:
        words = found[1].replace("&&", "and").replace("||", "or")
        return str(Environment().compile_expression(words)(github=github))

    return re.sub(r"\$\{\{(.*?)\}\}", work_out, text)


def test_a_newer_change_of_a_pull_request_cancels_and_a_merge_never_does() -> None:
    document = workflow()

    def told(name: str, run: int, event: str, ref: str) -> str:
        text = str(document["concurrency"][name])
        return expressed(text, event_name=event, ref=ref, run_id=run)

    changes = [(1, "refs/pull/7/merge"), (2, "refs/pull/7/merge")]
    changes += [(3, "refs/pull/8/merge")]
    groups = [told("group", run, "pull_request", ref) for run, ref in changes]
    assert groups[0] == groups[1] != groups[2]
    assert told("cancel-in-progress", 1, "pull_request", "x") == "True"
    main = "refs/heads/main"
    assert len({told("group", run, "push", main) for run in range(3)}) == 3
    assert told("cancel-in-progress", 1, "push", main) == "False"
    # GitHub lets one run wait, and cancels it for the next, unless it is told to queue
    applied = document["jobs"]["apply"]["concurrency"]
    assert (applied["queue"], applied["cancel-in-progress"]) == ("max", False)
    assert "${{" not in applied["group"]


def test_init_writes_what_is_asked_for_and_never_over(tmp_path: Path) -> None:
    assert set(SAMPLES) == set(template_names()) - {"blank"}
    made = write_extras(tmp_path, "olist", airflow=True, github=True)
    assert made == ["airflow/dags/snowmelt.py", WORKFLOW]
    text = (tmp_path / WORKFLOW).read_text()
    assert SAMPLES["olist"] in text
    assert "@SAMPLE@" not in text
    assert "snowmelt_olist" in (tmp_path / made[0]).read_text()
    done = subprocess.run(
        [SNOWMELT, "init", str(tmp_path), "--github", "--template", "blank"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "it is there already" in done.stderr
    assert not (tmp_path / "snowmelt.yml").exists(), "it is half made"
    for template in [*template_names(), None]:
        other = tmp_path / str(template)
        write_extras(other, template, airflow=True, github=True)
        yaml.safe_load((other / WORKFLOW).read_text())
        compile((other / "airflow/dags/snowmelt.py").read_text(), str(template), "exec")


class Runner:
    """Runs the steps of a workflow as GitHub does, with what stands for the world."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root, self.temporary = root, temporary
        self.summary = temporary / "summary.md"
        bin_folder = temporary / "bin"
        bin_folder.mkdir(parents=True)
        paths = [str(ROOT / each) for each in ("tests", "tests/cli")]
        script = temporary / "snowmelt_here.py"
        script.write_text(SNOWMELT_HERE.format(paths=paths))
        self._put(bin_folder / "python", PYTHON_HERE.format(python=sys.executable))
        self._put(bin_folder / "gh", GH_HERE)
        self._put(
            bin_folder / "snowmelt",
            f'#!/bin/sh\ncase "$1" in deploy) exec {sys.executable} {script} "$@";; '
            f'*) exec {SNOWMELT} "$@";; esac\n',
        )
        self.environment = os.environ | {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(temporary),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_REPOSITORY": "shop/shop",
            "GITHUB_SHA": "f" * 40,
            **workflow()["env"],
        }

    def _put(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, job: str, *, fails: bool = False) -> str:
        """Run the steps of a job, as far as they are lines of a shell."""
        document = yaml.safe_load((self.root / WORKFLOW).read_text())
        said = ""
        for step in document["jobs"][job]["steps"]:
            if "run" not in step:
                continue
            script = self.temporary / "step.sh"
            script.write_text(step["run"])
            secrets = dict.fromkeys(step.get("env", {}), "a-secret")
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
                cwd=self.root,
                env=self.environment | secrets,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            said += done.stdout + done.stderr
            if done.returncode and fails:
                return said
            assert done.returncode == 0, (step["name"], said[-3000:])
        assert not fails, said[-3000:]
        return said


@pytest.mark.long
def test_every_line_of_it_works_on_a_fresh_project(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    make_project(root, "storefront")
    write_extras(root, "storefront", airflow=False, github=True)
    settings = root / "snowmelt.yml"
    settings.write_text(settings.read_text() + TARGET)
    runner = Runner(root, tmp_path / "runner")
    runner.run("check")
    assert "Built of sample data" in runner.summary.read_text()
    runner.run("plan")
    planned = json.loads((root / "plan" / "plan.json").read_text())
    assert planned["digest"][:12] in (root / "plan" / "plan.txt").read_text()
    assert "What merging this does to prod" in runner.summary.read_text()
    assert not (runner.temporary / "deploy.p8").exists(), "the key stays on the disk"

    kept = runner.temporary / "kept"
    shutil.move(root / "plan", kept)
    runner.run("apply")
    asked = (runner.temporary / "gh").read_text()
    assert "run download 42 --repo shop/shop --name plan --dir plan" in asked
    installed = (runner.temporary / "pip").read_text()
    extras = set(re.findall(r"snowmelt\[([\w,]+)\]", installed))
    assert extras == {"s3", "s3,snowflake"}

    # what was looked at is not what would be done now: nothing is done
    (kept / "plan.json").write_text(json.dumps(planned | {"digest": "0" * 64}))
    shutil.rmtree(root / "plan")
    refused = runner.run("apply", fails=True)
    assert "plan" in refused.lower()
    assert not (runner.temporary / "deploy.p8").exists(), "the key stays on the disk"
