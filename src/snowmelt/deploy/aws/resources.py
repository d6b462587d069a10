"""What is to be there on AWS: one class for each kind, pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowmelt.deploy.address import Address, Reference, Value
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import Document, Text
from snowmelt.deploy.aws.telling import told_json, told_policy
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Resource, Traits

PROVIDER = "aws"
# What Snowflake is told of comes before it listens: its integration has the rank 20,
# its pipes have 40.
KEY = Traits(rank=2, keeps=True)
BUCKET = Traits(rank=4)
TOPIC = Traits(rank=6)
DEAD_LETTERS = Traits(rank=8)
ROLE = Traits(rank=21)
TOPIC_POLICY = Traits(rank=22)
QUEUE = Traits(rank=23)
NOTIFICATION = Traits(rank=24, stops_first=True)

RETENTION_SECONDS = 14 * 24 * 3600
VISIBILITY_SECONDS = 300
WAIT_SECONDS = 20
RECEIVES_MAX = 5
EVENTS = ("s3:ObjectCreated:*",)
UNFINISHED_DAYS = 7
RULES = "snowmelt-"
"""How the ids of our lifecycle rules begin."""


@dataclass(frozen=True)
class Trust:
    """What Snowflake says of itself: whom we let in, and by which external id."""

    integration: Address

    @property
    def user_arn(self) -> Reference:
        """The user that takes our role."""
        return Reference(self.integration, "iam_user_arn")

    @property
    def external_id(self) -> Reference:
        """The external id: ours, or that of an integration from before us."""
        return Reference(self.integration, "external_id")

    @property
    def subscriber_arn(self) -> Reference:
        """The user that subscribes to the topic."""
        return Reference(self.integration, "sns_subscriber_arn")


class Changeable:
    """What AWS changes where it stands, unless a kind says otherwise."""

    def refuses(self, name: str, before: Value, after: Value) -> str:
        """Say why a property cannot be changed; empty if it can."""
        return ""


@dataclass(frozen=True)
class Key(Changeable):
    """The key that files are encrypted with."""

    site: Site
    needs: tuple[Address, ...] = ()
    traits = KEY

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "key", self.site.key_alias)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "state": "Enabled",
            "rotation": True,
            "policy": told_policy(policies.key(self.site)),
        }

    @property
    def arn(self) -> Reference:
        return Reference(self.address, "arn")


@dataclass(frozen=True)
class Bucket(Changeable):
    """The bucket that files land in."""

    site: Site
    key: Key
    rules: tuple[Document, ...] = ()
    traits = BUCKET

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "bucket", self.site.bucket)

    @property
    def needs(self) -> tuple[Address, ...]:
        return (self.key.address,)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "region": self.site.region,
            "encryption": "aws:kms",
            "key": self.key.arn,
            "bucket_key": True,
            "versioning": "Enabled",
            "public_access": "blocked",
            "policy": told_policy(policies.bucket(self.site)),
            "lifecycle": tuple(told_rule(rule) for rule in self.rules),
        }

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return "a bucket stays in its region" if name == "region" else ""


@dataclass(frozen=True)
class Topic(Changeable):
    """The topic that is told of new files."""

    site: Site
    needs: tuple[Address, ...] = ()
    traits = TOPIC

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "topic", self.site.topic)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"arn": self.site.topic_arn}


@dataclass(frozen=True)
class TopicPolicy(Changeable):
    """Who tells the topic, and who may listen to it: our bucket, and Snowflake."""

    site: Site
    topic: Topic
    trust: Trust
    traits = TOPIC_POLICY

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "topic_policy", self.site.topic)

    @property
    def needs(self) -> tuple[Address, ...]:
        return (self.topic.address, self.trust.integration)

    @property
    def inputs(self) -> Mapping[str, Value]:
        return {"subscriber": self.trust.subscriber_arn}

    @property
    def properties(self) -> Mapping[str, Value]:
        subscriber = self.trust.subscriber_arn
        return {"policy": told_policy(policies.topic(self.site, subscriber))}


@dataclass(frozen=True)
class DeadLetters(Changeable):
    """The queue of messages that could not be read."""

    site: Site
    needs: tuple[Address, ...] = ()
    traits = DEAD_LETTERS

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "queue", self.site.dead_letters)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"retention_seconds": RETENTION_SECONDS, "encryption": "SQS"}


@dataclass(frozen=True)
class Queue(Changeable):
    """The queue of our own service, subscribed to the topic."""

    site: Site
    topic: Topic
    dead_letters: DeadLetters
    traits = QUEUE

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "queue", self.site.queue)

    @property
    def needs(self) -> tuple[Address, ...]:
        return (self.topic.address, self.dead_letters.address)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "retention_seconds": RETENTION_SECONDS,
            "encryption": "SQS",
            "visibility_seconds": VISIBILITY_SECONDS,
            "wait_seconds": WAIT_SECONDS,
            "dead_letters": self.site.dead_letters_arn,
            "receives_max": RECEIVES_MAX,
            "policy": told_policy(policies.queue(self.site)),
            "subscription": self.site.topic_arn,
            "raw_messages": True,
        }


@dataclass(frozen=True)
class Role(Changeable):
    """The role that Snowflake takes to read the bucket."""

    site: Site
    key: Key | None
    trust: Trust
    traits = ROLE

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "iam_role", self.site.role)

    @property
    def needs(self) -> tuple[Address, ...]:
        keys = (self.key.address,) if self.key else ()
        return (*keys, self.trust.integration)

    @property
    def key_arn(self) -> Text | None:
        """The key that files are encrypted with, if it is one of KMS."""
        return self.key.arn if self.key else self.site.bucket_key_arn

    @property
    def inputs(self) -> Mapping[str, Value]:
        return {
            "user_arn": self.trust.user_arn,
            "external_id": self.trust.external_id,
            "key_arn": self.key_arn,
        }

    @property
    def properties(self) -> Mapping[str, Value]:
        trusted = policies.trust(self.trust.user_arn, self.trust.external_id)
        return {
            "trust": told_policy(trusted),
            "policy": told_policy(policies.reading(self.site, self.key_arn)),
        }


@dataclass(frozen=True)
class Notification(Changeable):
    """Our part of what the bucket tells: new files below the prefix, to the topic."""

    site: Site
    bucket: Bucket | None
    policy: TopicPolicy
    events: tuple[str, ...] = EVENTS
    traits = NOTIFICATION

    @property
    def address(self) -> Address:
        return Address(PROVIDER, "notification", self.site.bucket)

    @property
    def needs(self) -> tuple[Address, ...]:
        buckets = (self.bucket.address,) if self.bucket else ()
        return (*buckets, self.policy.address)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "topic": self.site.topic_arn,
            "events": self.events,
            "prefix": self.site.prefix,
        }


def aws_resources(names: Names) -> tuple[Resource, ...]:
    """Return everything that a target has on AWS.

    A bucket that stays somebody else's is told to tell us, and is otherwise left as it
    is; so is its key.
    """
    site = Site.of(names)
    trust = Trust(names.integration_address)
    key = None if site.adopts_bucket else Key(site)
    days = names.target.aws.expire_versions_after.days
    bucket = Bucket(site, key, rules_of(site, days)) if key else None
    topic = Topic(site)
    policy = TopicPolicy(site, topic, trust)
    dead_letters = DeadLetters(site)
    queue = Queue(site, topic, dead_letters)
    role = Role(site, key, trust)
    notification = Notification(site, bucket, policy)
    own = (key, bucket) if key and bucket else ()
    return (*own, topic, policy, dead_letters, queue, role, notification)


def rules_of(site: Site, days: int) -> tuple[Document, ...]:
    """Return our lifecycle rules, as S3 takes them: no file is ever deleted.

    `days` is how long versions are kept that were written over.
    """
    return (
        {
            "ID": f"{RULES}old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": site.prefix},
            "NoncurrentVersionExpiration": {"NoncurrentDays": max(days, 1)},
        },
        {
            "ID": f"{RULES}unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
        },
    )


def told_rule(rule: Document) -> Value:
    """Return a lifecycle rule in one form: no prefix is an empty one."""
    prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    others = rule.get("Filter", {}).keys() - {"Prefix"}
    kept = {k: v for k, v in rule.items() if k not in ("Filter", "Prefix")}
    told = {**kept, "Prefix": prefix}
    if others:
        told["Filter"] = rule["Filter"]
    return told_json(told)
