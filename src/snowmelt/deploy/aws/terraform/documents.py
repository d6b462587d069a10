"""Policies as files of their own: reviewed, and checked, as the documents they are.

What only Terraform learns stands in them as `${name}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import Document
from snowmelt.deploy.aws.terraform.hcl import Expression

KEY_ARN = "aws_kms_key.landing.arn"
USER_ARN = "var.snowflake_user_arn"
EXTERNAL_ID = "var.snowflake_external_id"
SUBSCRIBER_ARN = "var.snowflake_subscriber_arn"


@dataclass(frozen=True)
class PolicyFile:
    """A policy, and what Terraform puts into it."""

    name: str
    document: Document
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the file is, in the folder."""
        return f"policies/{self.name}.json"

    @property
    def text(self) -> str:
        return json.dumps(self.document, indent=2) + "\n"

    @property
    def expression(self) -> Expression:
        """How Terraform reads the file."""
        at = f'"${{path.module}}/{self.path}"'
        if not self.given:
            return Expression(f"file({at})")
        words = ", ".join(f"{name} = {value}" for name, value in self.given.items())
        return Expression(f"templatefile({at}, {{ {words} }})")


def policy_files(site: Site) -> dict[str, PolicyFile]:
    """Return all policies, by what they hang on."""
    files = [
        PolicyFile(
            "topic",
            policies.topic(site, "${subscriber_arn}"),
            {"subscriber_arn": SUBSCRIBER_ARN},
        ),
        PolicyFile("queue", policies.queue(site)),
        PolicyFile(
            "trust",
            policies.trust("${user_arn}", "${external_id}"),
            {"user_arn": USER_ARN, "external_id": EXTERNAL_ID},
        ),
    ]
    if site.adopts_bucket:
        reading = policies.reading(site, site.bucket_key_arn)
        return {each.name: each for each in [*files, PolicyFile("role", reading)]}
    files += [
        PolicyFile("key", policies.key(site)),
        PolicyFile("bucket", policies.bucket(site)),
        PolicyFile("role", policies.reading(site, "${key_arn}"), {"key_arn": KEY_ARN}),
    ]
    return {each.name: each for each in files}
