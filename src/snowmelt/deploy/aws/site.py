"""Where a project stands on AWS: one account, one region, and the names of its things.

Every name follows from the project and the target, so that nothing has to be
remembered between two commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Owner

PROJECT_TAG = "snowmelt:project"
TARGET_TAG = "snowmelt:target"


@dataclass(frozen=True)
class Site:
    """One project's place on AWS.

    `prefix` is empty or ends with a slash: files land below it. `bucket_key_arn` is the
    key of a bucket that stays somebody else's, where it has one.
    """

    owner: Owner
    partition: str
    account: str
    region: str
    bucket: str
    prefix: str
    topic: str
    queue: str
    dead_letters: str
    role: str
    key: str
    external_id: str
    adopts_bucket: bool = False
    bucket_key_arn: str | None = None

    @classmethod
    def of(cls, names: Names) -> Site:
        """Return the place of a project on a target."""
        aws = names.target.aws
        return cls(
            names.owner,
            names.partition,
            aws.account,
            aws.region,
            aws.bucket,
            aws.folder,
            names.topic,
            names.queue,
            names.dead_letter_queue,
            names.iam_role,
            f"{names.slug}-landing",
            names.external_id,
            aws.adopt_bucket,
            aws.bucket_key,
        )

    @cached_property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @cached_property
    def files_arn(self) -> str:
        """All files below the prefix."""
        return f"{self.bucket_arn}/{self.prefix}*"

    @cached_property
    def topic_arn(self) -> str:
        """The topic that is told of new objects, and tells everybody."""
        return self.topic_arn_of(self.topic)

    def topic_arn_of(self, name: str) -> str:
        """Return the ARN of any topic here."""
        return self._arn("sns", name)

    @cached_property
    def queue_arn(self) -> str:
        """The queue of our own service."""
        return self._arn("sqs", self.queue)

    @cached_property
    def dead_letters_arn(self) -> str:
        """The queue of messages that cannot be read."""
        return self._arn("sqs", self.dead_letters)

    @cached_property
    def role_arn(self) -> str:
        """The role that Snowflake takes to read the bucket."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role}"

    @cached_property
    def key_alias(self) -> str:
        """The name under which the key is found again."""
        return f"alias/{self.key}"

    @cached_property
    def key_alias_arn(self) -> str:
        return self._arn("kms", self.key_alias)

    @cached_property
    def account_arn(self) -> str:
        """The account itself, as policies name it."""
        return f"arn:{self.partition}:iam::{self.account}:root"

    def _arn(self, service: str, name: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"
