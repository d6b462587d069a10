"""Would it work, and for nobody else? Judged by the policies that are there.

The plan compares our statements. This asks what all statements come to, those of others
too: one line of somebody's can refuse Snowflake, or let the world in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.conditions import Context, UnknownPolicyError
from snowmelt.deploy.aws.evaluation import Decision, Request, decide
from snowmelt.deploy.aws.kinds.kind import asked
from snowmelt.deploy.aws.kinds.roles import POLICY
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import VERSION, Document

_STRANGER = "arn:aws:iam::000000000000:user/stranger"
_TLS: Context = {"aws:SecureTransport": "true"}
_ALL: Document = {
    "Version": VERSION,
    "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"},
}


@dataclass(frozen=True)
class Policies:
    """The policies as they are; None where there is none."""

    bucket: Document | None
    key: Document | None
    topic: Document | None
    queue: Document | None
    trust: Document | None
    role: Document | None


@dataclass(frozen=True)
class Snowflake:
    """Who comes to us, and with which words."""

    user_arn: str
    external_id: str
    subscriber_arn: str


@dataclass(frozen=True)
class Judgement:
    """One question, and how the policies answer it."""

    question: str
    expected: bool
    decision: Decision | None
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Is it as it has to be?"""
        return self.decision is not None and self.decision.allowed is self.expected

    @property
    def document(self) -> dict[str, Any]:
        """The judgement as JSON has it."""
        allowed = self.decision.allowed if self.decision else None
        by = self.decision.by if self.decision else None
        told = {"question": self.question, "expected": self.expected}
        return {**told, "allowed": allowed, "by": by, "problem": self.problem}

    def __str__(self) -> str:
        if self.decision is None:
            return f"{self.question}: cannot be judged: {self.problem}"
        said = "yes" if self.decision else "no"
        by = f", by {self.decision.by}" if self.decision.by else ""
        should = (
            "" if self.is_good else f"; it has to be {'yes' if self.expected else 'no'}"
        )
        return f"{self.question}: {said}{by}{should}"


@dataclass(frozen=True)
class _Question:
    words: str
    expected: bool
    who: str
    action: str
    thing: str
    policy: str
    context: Context
    only_resource_opens: bool = False
    mine: str = ""


def read_policies(calls: Calls, site: Site, key_arn: str | None) -> Policies:
    """Read all policies whole. Raises SnowmeltError."""
    queue = asked(calls, "sqs", "get_queue_url", QueueName=site.queue)
    in_queue = (
        asked(
            calls,
            "sqs",
            "get_queue_attributes",
            QueueUrl=queue["QueueUrl"],
            AttributeNames=["Policy"],
        )
        if queue
        else {}
    )
    topic = asked(calls, "sns", "get_topic_attributes", TopicArn=site.topic_arn)
    role = asked(calls, "iam", "get_role", RoleName=site.role)
    reading = asked(
        calls, "iam", "get_role_policy", RoleName=site.role, PolicyName=POLICY
    )
    key = (
        asked(calls, "kms", "get_key_policy", KeyId=key_arn, PolicyName="default")
        if key_arn
        else {}
    )
    bucket = asked(calls, "s3", "get_bucket_policy", Bucket=site.bucket)
    return Policies(
        bucket=_document(bucket.get("Policy")),
        key=_document(key.get("Policy")),
        topic=_document(topic.get("Attributes", {}).get("Policy")),
        queue=_document(in_queue.get("Attributes", {}).get("Policy")),
        trust=_document(role.get("Role", {}).get("AssumeRolePolicyDocument")),
        role=_document(reading.get("PolicyDocument")),
    )


def judge(
    site: Site, key_arn: str | None, snowflake: Snowflake, policies: Policies
) -> tuple[Judgement, ...]:
    """Ask everything that has to be so, and the worst that must not be."""
    return tuple(
        _judged(question, site, policies)
        for question in _questions(site, key_arn, snowflake)
    )


def _judged(question: _Question, site: Site, policies: Policies) -> Judgement:
    request = Request(
        question.who, question.action, question.thing, site.account, question.context
    )
    mine: Mapping[str, Any] | None = (
        getattr(policies, question.mine) if question.mine else _ALL
    )
    try:
        decision = decide(
            request,
            identity=[mine] if mine else [],
            resource=getattr(policies, question.policy),
            only_resource_opens=question.only_resource_opens,
        )
    except UnknownPolicyError as error:
        return Judgement(question.words, question.expected, None, str(error))
    return Judgement(question.words, question.expected, decision)


def _questions(site: Site, key_arn: str | None, who: Snowflake) -> Iterator[_Question]:
    yield from _of_the_role(site, who)
    yield from _of_reading(site, key_arn)
    yield from _of_telling(site, who)


def _of_the_role(site: Site, who: Snowflake) -> Iterator[_Question]:
    for words, expected, user, context in (
        ("Snowflake takes the role", True, who.user_arn, who.external_id),
        ("Snowflake takes it without the external id", False, who.user_arn, None),
        ("a stranger takes the role", False, _STRANGER, who.external_id),
    ):
        given: Context = {} if context is None else {"sts:ExternalId": context}
        yield _Question(
            words, expected, user, "sts:AssumeRole", site.role_arn, "trust", given, True
        )


def _of_reading(site: Site, key_arn: str | None) -> Iterator[_Question]:
    session = f"arn:{site.partition}:sts::{site.account}:assumed-role/{site.role}/check"
    file = f"{site.bucket_arn}/{site.prefix}check.csv"
    listed: Context = {**_TLS, "s3:prefix": site.prefix}
    plain: Context = {"aws:SecureTransport": "false"}
    for words, expected, action, thing, context in (
        ("Snowflake lists files", True, "s3:ListBucket", site.bucket_arn, listed),
        ("Snowflake reads files", True, "s3:GetObject", file, _TLS),
        ("Snowflake writes files", False, "s3:PutObject", file, _TLS),
        ("files are read unencrypted", False, "s3:GetObject", file, plain),
    ):
        yield _Question(
            words, expected, session, action, thing, "bucket", context, mine="role"
        )
    yield _Question(
        "a stranger reads files", False, _STRANGER, "s3:GetObject", file, "bucket", _TLS
    )
    if key_arn is not None:
        asked_for = ("kms:Decrypt", key_arn, "key")
        yield _Question(
            "Snowflake decrypts files", True, session, *asked_for, {}, True, "role"
        )


def _of_telling(site: Site, who: Snowflake) -> Iterator[_Question]:
    source: Context = {
        "aws:SourceArn": site.bucket_arn,
        "aws:SourceAccount": site.account,
    }
    topic, queue = site.topic_arn, site.queue_arn
    yield _Question(
        "the bucket tells the topic",
        True,
        "s3.amazonaws.com",
        "sns:Publish",
        topic,
        "topic",
        source,
    )
    for words, expected, user in (
        ("Snowflake subscribes", True, who.subscriber_arn),
        ("a stranger subscribes", False, _STRANGER),
    ):
        yield _Question(words, expected, user, "sns:Subscribe", topic, "topic", {})
    yield _Question(
        "the topic tells our queue",
        True,
        "sns.amazonaws.com",
        "sqs:SendMessage",
        queue,
        "queue",
        {"aws:SourceArn": topic},
    )


def _document(found: Any) -> Document | None:
    if isinstance(found, str):
        read: Document = json.loads(found)
        return read
    return dict(found) if found else None
