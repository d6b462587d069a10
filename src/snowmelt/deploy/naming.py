"""What everything is called on a target, in both clouds: one place, so they agree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from snowmelt.deploy.address import Address
from snowmelt.deploy.resource import Owner
from snowmelt.project.targets import SnowflakeTarget


@dataclass(frozen=True)
class Names:
    """The names of one project on one target.

    What is the account's begins with the prefix, so that projects can share accounts:
    `SHOP_LOADER` on Snowflake, `shop-snowflake` on AWS.
    """

    owner: Owner
    target: SnowflakeTarget

    @property
    def prefix(self) -> str:
        return (self.target.prefix or self.owner.project).upper()

    @property
    def slug(self) -> str:
        """The prefix as names on AWS have it."""
        return self.prefix.lower().replace("_", "-")

    @property
    def database(self) -> str:
        return (self.target.database or self.prefix).upper()

    @property
    def warehouse(self) -> str:
        return (self.target.warehouse.name or f"{self.prefix}_WH").upper()

    @property
    def integration(self) -> str:
        """The storage integration, which takes on the role in AWS."""
        return f"{self.prefix}_S3"

    @property
    def integration_address(self) -> Address:
        """Where references to `iam_user_arn` and `external_id` lead."""
        return Address("snowflake", "storage_integration", self.integration)

    @property
    def iam_role_address(self) -> Address:
        """The role on AWS that the integration takes on, with its final trust."""
        return Address("aws", "iam_role", self.iam_role)

    @property
    def topic_address(self) -> Address:
        """The topic that is told of new files."""
        return Address("aws", "topic", self.topic)

    @property
    def topic_policy_address(self) -> Address:
        """Who may publish to it and subscribe; pipes are made after it."""
        return Address("aws", "topic_policy", self.topic)

    @property
    def bucket_address(self) -> Address:
        return Address("aws", "bucket", self.target.aws.bucket)

    def role(self, word: str) -> str:
        """Return the name of one of the roles: loader, transformer, reader."""
        return f"{self.prefix}_{word.upper()}"

    @property
    def iam_role(self) -> str:
        return f"{self.slug}-snowflake"

    @property
    def iam_role_arn(self) -> str:
        """The role's name in full: known before it is there."""
        return (
            f"arn:{self.partition}:iam::{self.target.aws.account}:role/{self.iam_role}"
        )

    @property
    def topic(self) -> str:
        return f"{self.slug}-landing"

    @property
    def topic_arn(self) -> str:
        """The topic that is told of new files: ours and Snowflake's queues hear it."""
        aws = self.target.aws
        return f"arn:{self.partition}:sns:{aws.region}:{aws.account}:{self.topic}"

    @property
    def queue(self) -> str:
        return f"{self.slug}-landing"

    @property
    def dead_letter_queue(self) -> str:
        return f"{self.slug}-landing-dead"

    @property
    def alerts_topic(self) -> str:
        return f"{self.slug}-alerts"

    @property
    def partition(self) -> str:
        """The part of AWS that the region is in, as ARNs have it."""
        region = self.target.aws.region
        if region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if region.startswith("us-gov-") else "aws"

    @property
    def location(self) -> str:
        """Where files arrive, as stages and integrations have it."""
        aws = self.target.aws
        return f"s3://{aws.bucket}/{aws.folder}"

    @property
    def external_id(self) -> str:
        """What Snowflake shows to take on the role: ours, the same at each plan."""
        given = self.target.aws.external_id
        if given is not None:
            return given
        parts = (str(self.owner), self.target.account.lower(), self.target.aws.account)
        seed = "|".join((*parts, self.target.aws.bucket))
        return f"snowmelt-{hashlib.sha256(seed.encode()).hexdigest()[:24]}"
