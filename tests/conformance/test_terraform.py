"""Terraform on what we write: it is valid, it applies, and then nothing has drifted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aws_cloud import SUBSCRIBER_ARN, USER_ARN, Account, started_account
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.resources import aws_resources
from snowmelt.deploy.aws.statements import same
from snowmelt.deploy.aws.terraform.folder import write_folder
from snowmelt.deploy.aws.terraform.writing import terraform_files

# Where a mirror of providers may be: nothing is fetched.
MIRRORS = (
    os.environ.get("TERRAFORM_MIRROR", ""),
    "/opt/tf-plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
VALUES = {
    "snowflake_user_arn": USER_ARN,
    "snowflake_subscriber_arn": SUBSCRIBER_ARN,
}
OVERRIDE = """
provider "aws" {{
  access_key                  = "testing"
  secret_key                  = "testing"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true

  endpoints {{
    {endpoints}
  }}
}}
"""


def find_mirror() -> Path | None:
    found = (Path(each) for each in MIRRORS if each)
    at = "registry.terraform.io/hashicorp/aws"
    return next((each for each in found if (each / at).is_dir()), None)


class Terraform:
    """The program in one folder, with one mirror and one account."""

    def __init__(self, folder: Path, mirror: Path, url: str) -> None:
        self.folder = folder
        config = folder.parent / "terraformrc"
        config.write_text(
            "provider_installation {\n  filesystem_mirror {\n"
            f'    path    = "{mirror}"\n'
            '    include = ["registry.terraform.io/*/*"]\n  }\n}\n'
        )
        services = ("s3", "sqs", "sns", "iam", "kms", "sts")
        endpoints = "\n    ".join(f'{each} = "{url}"' for each in services)
        text = OVERRIDE.format(endpoints=endpoints)
        (folder / "override.tf").write_text(text)
        self._environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            **{f"TF_VAR_{name}": value for name, value in VALUES.items()},
        }

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            ["terraform", f"-chdir={self.folder}", *words],
            env=self._environment,
            text=True,
            capture_output=True,
            timeout=280,
        )
        assert done.returncode in codes, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def accounts() -> Iterator[Callable[..., Account]]:
    with started_account() as make:
        yield make


def written(account: Account, folder: Path) -> None:
    write_folder(folder, terraform_files(account.site, aws_resources(account.names)))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_terraform_makes_what_we_would_make(
    accounts: Callable[..., Account], tmp_path: Path
) -> None:
    mirror = find_mirror()
    if shutil.which("terraform") is None or mirror is None:
        pytest.skip("no terraform here, or no mirror with the aws provider")
    account = accounts()
    folder = tmp_path / "infra"
    written(account, folder)
    terraform = Terraform(folder, mirror, account.url)
    ours = [str(each) for each in folder.glob("*.tf") if each.stem != "override"]
    terraform.run("fmt", "-check", "-diff", *ours)
    terraform.run("init", "-input=false")
    told = json.loads(terraform.run("validate", "-json"))
    assert told["valid"] and not told["diagnostics"], told
    # 2: there is something to do
    terraform.run("plan", "-input=false", "-out=plan", "-detailed-exitcode", codes=(2,))
    planned = resources_in(json.loads(terraform.run("show", "-json", "plan")))
    assert len(planned) == 17
    trust = json.loads(planned["aws_iam_role.snowflake"]["assume_role_policy"])
    assert same(trust, policies.trust(USER_ARN, account.names.external_id))

    terraform.run("apply", "-input=false", "-auto-approve", "plan")
    account.other.made["role"] = account.site.role_arn
    plan = account.plan()
    assert plan.is_empty, plan.document

    # What moto says of a queue's redrive policy has other spaces: Terraform sees a
    # difference where there is none.
    terraform.run(
        "plan", "-input=false", "-out=again", "-detailed-exitcode", codes=(0, 2)
    )
    again = json.loads(terraform.run("show", "-json", "again"))
    changed = {
        each["address"]
        for each in again["resource_changes"]
        if each["change"]["actions"] != ["no-op"]
    }
    assert changed <= {"aws_sqs_queue.landing"}, changed

    # Written again it is the same; what we write beside Terraform's own files stays.
    written(account, folder)
    assert (folder / "override.tf").exists()
    assert (folder / "terraform.tfstate").exists()


def resources_in(plan: Mapping[str, Any]) -> dict[str, Any]:
    found = plan["planned_values"]["root_module"]["resources"]
    return {each["address"]: each["values"] for each in found}
