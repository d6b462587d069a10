"""The same resources as `deploy apply` makes, as Terraform's blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.deploy.address import digest_of
from snowmelt.deploy.aws.kinds.keys import WINDOW_DAYS
from snowmelt.deploy.aws.kinds.roles import POLICY
from snowmelt.deploy.aws.resources import (
    Bucket,
    DeadLetters,
    Key,
    Notification,
    Queue,
    Role,
    Topic,
    TopicPolicy,
)
from snowmelt.deploy.aws.site import PROJECT_TAG, TARGET_TAG, Site
from snowmelt.deploy.aws.statements import Document
from snowmelt.deploy.aws.terraform.documents import KEY_ARN, PolicyFile
from snowmelt.deploy.aws.terraform.hcl import Block, Expression, Written
from snowmelt.deploy.resource import Mark, Resource

TERRAFORM = ">= 1.5"
AWS = ">= 5.80, < 7.0"
_TAGS = Expression("local.tags")
_BUCKET = Expression("aws_s3_bucket.landing.id")
_KEPT = Block("lifecycle", (), {"prevent_destroy": True})


@dataclass(frozen=True)
class Drawn:
    """What a file of the folder is made of."""

    site: Site
    policies: Mapping[str, PolicyFile]

    def files(self, resources: Sequence[Resource]) -> dict[str, list[Block]]:
        """Return the blocks of each file, for the resources that are wanted."""
        files: dict[str, list[Block]] = {
            "versions.tf": self._versions(),
            "landing.tf": [],
            "notifications.tf": [],
            "snowflake.tf": [],
        }
        for resource in resources:
            name, blocks = self._blocks(resource)
            files[name] += blocks
        files["variables.tf"] = self._variables()
        files["outputs.tf"] = self._outputs()
        return {name: blocks for name, blocks in files.items() if blocks}

    def _blocks(self, resource: Resource) -> tuple[str, list[Block]]:
        match resource:
            case Key():
                return "landing.tf", self._key()
            case Bucket():
                return "landing.tf", self._bucket(resource)
            case Topic():
                return "notifications.tf", self._topic()
            case TopicPolicy():
                return "notifications.tf", self._topic_policy()
            case DeadLetters() | Queue():
                return "notifications.tf", self._queue(resource)
            case Notification():
                return "notifications.tf", self._notification(resource)
            case Role():
                return "snowflake.tf", self._role()
        raise AssertionError(resource)

    def _versions(self) -> list[Block]:
        required = Block(
            "required_providers",
            (),
            {"aws": {"source": "hashicorp/aws", "version": AWS}},
        )
        site = self.site
        provider: dict[str, Written] = {
            "region": site.region,
            "allowed_account_ids": [site.account],
        }
        tags = {PROJECT_TAG: site.owner.project, TARGET_TAG: site.owner.target}
        return [
            Block("terraform", (), {"required_version": TERRAFORM}, (required,)),
            Block("provider", ("aws",), provider),
            Block("locals", (), {"tags": tags}),
        ]

    def _variables(self) -> list[Block]:
        arn = {
            "snowflake_user_arn": "Who takes the role: STORAGE_AWS_IAM_USER_ARN of "
            "DESC INTEGRATION.",
            "snowflake_subscriber_arn": "Who subscribes to the topic: the principal in "
            "SYSTEM$GET_AWS_SNS_IAM_POLICY.",
        }
        variables = [
            _variable(name, {"description": said}) for name, said in arn.items()
        ]
        said = "The external id: STORAGE_AWS_EXTERNAL_ID of DESC INTEGRATION."
        words: dict[str, Written] = {
            "description": said,
            "default": self.site.external_id,
        }
        return [*variables, _variable("snowflake_external_id", words)]

    def _outputs(self) -> list[Block]:
        values = {
            "queue_url": "aws_sqs_queue.landing.url",
            "role_arn": "aws_iam_role.snowflake.arn",
            "topic_arn": "aws_sns_topic.landing.arn",
        }
        return [
            Block("output", (name,), {"value": Expression(value)})
            for name, value in values.items()
        ]

    def _key(self) -> list[Block]:
        key: dict[str, Written] = {
            "description": f"Files of snowmelt {self.site.owner}",
            "deletion_window_in_days": WINDOW_DAYS,
            "enable_key_rotation": True,
            "policy": self.policies["key"].expression,
            "tags": _TAGS,
        }
        alias: dict[str, Written] = {
            "name": self.site.key_alias,
            "target_key_id": Expression("aws_kms_key.landing.key_id"),
        }
        return [
            Block("resource", ("aws_kms_key", "landing"), key, (_KEPT,)),
            Block("resource", ("aws_kms_alias", "landing"), alias),
        ]

    def _bucket(self, bucket: Bucket) -> list[Block]:
        wanted = bucket.properties
        default: dict[str, Written] = {
            "sse_algorithm": str(wanted["encryption"]),
            "kms_master_key_id": Expression(KEY_ARN),
        }
        encryption = Block(
            "rule",
            (),
            {"bucket_key_enabled": bool(wanted["bucket_key"])},
            (Block("apply_server_side_encryption_by_default", (), default),),
        )
        versioning = Block(
            "versioning_configuration", (), {"status": str(wanted["versioning"])}
        )
        blocked: dict[str, Written] = {
            "block_public_acls": True,
            "block_public_policy": True,
            "ignore_public_acls": True,
            "restrict_public_buckets": True,
        }
        made: dict[str, Written] = {"bucket": self.site.bucket, "tags": _TAGS}
        policy: dict[str, Written] = {"policy": self.policies["bucket"].expression}
        rules = tuple(_rule(rule) for rule in bucket.rules)
        return [
            Block("resource", ("aws_s3_bucket", "landing"), made, (_KEPT,)),
            _of_bucket("server_side_encryption_configuration", {}, (encryption,)),
            _of_bucket("versioning", {}, (versioning,)),
            _of_bucket("public_access_block", blocked, ()),
            _of_bucket("policy", policy, ()),
            _of_bucket("lifecycle_configuration", {}, rules),
        ]

    def _topic(self) -> list[Block]:
        made: dict[str, Written] = {"name": self.site.topic, "tags": _TAGS}
        return [Block("resource", ("aws_sns_topic", "landing"), made)]

    def _topic_policy(self) -> list[Block]:
        policy: dict[str, Written] = {
            "arn": Expression("aws_sns_topic.landing.arn"),
            "policy": self.policies["topic"].expression,
        }
        return [Block("resource", ("aws_sns_topic_policy", "landing"), policy)]

    def _queue(self, queue: Queue | DeadLetters) -> list[Block]:
        wanted = queue.properties
        made: dict[str, Written] = {
            "name": queue.address.name,
            "message_retention_seconds": _number(wanted["retention_seconds"]),
            "sqs_managed_sse_enabled": wanted["encryption"] == "SQS",
        }
        if isinstance(queue, DeadLetters):
            made["tags"] = _TAGS
            return [Block("resource", ("aws_sqs_queue", "dead_letters"), made)]
        receives = _number(wanted["receives_max"])
        arn = "deadLetterTargetArn = aws_sqs_queue.dead_letters.arn"
        redrive = f"jsonencode({{ {arn}, maxReceiveCount = {receives} }})"
        made |= {
            "visibility_timeout_seconds": _number(wanted["visibility_seconds"]),
            "receive_wait_time_seconds": _number(wanted["wait_seconds"]),
            "redrive_policy": Expression(redrive),
            "tags": _TAGS,
        }
        policy: dict[str, Written] = {
            "queue_url": Expression("aws_sqs_queue.landing.id"),
            "policy": self.policies["queue"].expression,
        }
        subscription: dict[str, Written] = {
            "topic_arn": Expression("aws_sns_topic.landing.arn"),
            "protocol": "sqs",
            "endpoint": Expression("aws_sqs_queue.landing.arn"),
            "raw_message_delivery": bool(wanted["raw_messages"]),
        }
        return [
            Block("resource", ("aws_sqs_queue", "landing"), made),
            Block("resource", ("aws_sqs_queue_policy", "landing"), policy),
            Block("resource", ("aws_sns_topic_subscription", "landing"), subscription),
        ]

    def _notification(self, notification: Notification) -> list[Block]:
        wanted = notification.properties
        told: dict[str, Written] = {
            "id": str(Mark(self.site.owner, digest_of(wanted))),
            "topic_arn": Expression("aws_sns_topic.landing.arn"),
            "events": [str(each) for each in notification.events],
        }
        if self.site.prefix:
            told["filter_prefix"] = self.site.prefix
        after: dict[str, Written] = {
            "bucket": _BUCKET if notification.bucket else self.site.bucket,
            "depends_on": [Expression("aws_sns_topic_policy.landing")],
        }
        parts = (Block("topic", (), told),)
        labels = ("aws_s3_bucket_notification", "landing")
        return [Block("resource", labels, after, parts)]

    def _role(self) -> list[Block]:
        made: dict[str, Written] = {
            "name": self.site.role,
            "assume_role_policy": self.policies["trust"].expression,
            "tags": _TAGS,
        }
        policy: dict[str, Written] = {
            "name": POLICY,
            "role": Expression("aws_iam_role.snowflake.id"),
            "policy": self.policies["role"].expression,
        }
        return [
            Block("resource", ("aws_iam_role", "snowflake"), made),
            Block("resource", ("aws_iam_role_policy", "snowflake"), policy),
        ]


def _variable(name: str, words: Mapping[str, Written]) -> Block:
    return Block("variable", (name,), {"type": Expression("string"), **words})


def _of_bucket(
    what: str, attributes: Mapping[str, Written], blocks: tuple[Block, ...]
) -> Block:
    labels = (f"aws_s3_bucket_{what}", "landing")
    return Block("resource", labels, {"bucket": _BUCKET, **attributes}, blocks)


def _rule(rule: Document) -> Block:
    """Return a lifecycle rule of S3 as Terraform calls its parts."""
    prefix = rule["Filter"]["Prefix"]
    parts = [Block("filter", (), {"prefix": prefix} if prefix else None)]
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        parts.append(
            Block(
                "abort_incomplete_multipart_upload", (), {"days_after_initiation": days}
            )
        )
    if "NoncurrentVersionExpiration" in rule:
        days = rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        parts.append(
            Block("noncurrent_version_expiration", (), {"noncurrent_days": days})
        )
    for moved in rule.get("Transitions", []):
        words = {"days": moved["Days"], "storage_class": moved["StorageClass"]}
        parts.append(Block("transition", (), words))
    if "Expiration" in rule:
        parts.append(Block("expiration", (), {"days": rule["Expiration"]["Days"]}))
    head: dict[str, Written] = {"id": rule["ID"], "status": rule["Status"]}
    return Block("rule", (), head, tuple(parts))


def _number(value: Any) -> int:
    assert isinstance(value, int)
    return value
