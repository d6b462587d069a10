"""Every file of the folder, from what is to be there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.resources import PROVIDER
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.terraform.documents import policy_files
from snowmelt.deploy.aws.terraform.folder import write_folder
from snowmelt.deploy.aws.terraform.hcl import written
from snowmelt.deploy.aws.terraform.infrastructure import Drawn
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.resource import Resource

_HEAD = """\
# Written by `snowmelt deploy plan --out`, and written again by it: put changes of your
# own into files of your own, such as override.tf.
"""
_ONCE = """\
#
# One apply is enough, for the role's name is known beforehand. Create the storage
# integration first (003_doors.sql), read the values below off it, then apply:
#   terraform apply -var snowflake_user_arn=... -var snowflake_subscriber_arn=...
"""


def terraform_files(site: Site, resources: Sequence[Resource]) -> dict[str, str]:
    """Return the text of each file, by its path in the folder; the same every time."""
    mine = [each for each in resources if each.address.provider == PROVIDER]
    policies = policy_files(site)
    drawn = Drawn(site, policies)
    files = {each.path: each.text for each in policies.values()}
    for name, blocks in drawn.files(mine).items():
        head = _HEAD + (_ONCE if name == "variables.tf" else "")
        files[name] = f"{head}\n{written(blocks)}"
    return dict(sorted(files.items()))


def write_infra(deployment: Deployment, out: Path) -> Iterator[Path]:
    """Write the folder of a deployment; yield what is new in it.

    Raises ConfigError, before anything is written, for what somebody changed by hand.
    """
    provider = deployment.providers[PROVIDER]
    assert isinstance(provider, AwsProvider)
    done = write_folder(out, terraform_files(provider.site, deployment.desired))
    yield from (out / name for name in done.written)
