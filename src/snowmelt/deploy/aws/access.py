"""Would it work, and for nobody else? Judged by the policies that are there.

The plan compares our statements. This asks what all statements come to, those of others
too: one line of somebody's can refuse Snowflake, or let the world in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.conditions import Context, UnknownPolicyError
from snowmelt.deploy.aws.evaluation import Decision, Request, decide
from snowmelt.deploy.aws.kinds.kind import asked
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
    role: tuple[Document, ...]


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
    as_role: bool = False


def read_policies(calls: Calls, site: Site, key_arn: str | None) -> Policies:
    """Read all policies whole. Raises SnowmeltError."""
    bucket = asked(calls, "s3", "get_bucket_policy", Bucket=site.bucket)
    topic = asked(calls, "sns", "get_topic_attributes", TopicArn=site.topic_arn)
    role = asked(calls, "iam", "get_role", RoleName=site.role)
    return Policies(
        bucket=_document(bucket.get("Policy")),
        key=_of_key(calls, key_arn) if key_arn else None,
        topic=_document(topic.get("Attributes", {}).get("Policy")),
        queue=_of_queue(calls, site),
        trust=_document(role.get("Role", {}).get("AssumeRolePolicyDocument")),
        role=(*_of_role(calls, site.role), *_hung_on_role(calls, site.role)),
    )


def _of_key(calls: Calls, key_arn: str) -> Document | None:
    said = asked(calls, "kms", "get_key_policy", KeyId=key_arn, PolicyName="default")
    return _document(said.get("Policy"))


def _of_queue(calls: Calls, site: Site) -> Document | None:
    found = asked(calls, "sqs", "get_queue_url", QueueName=site.queue)
    if not found:
        return None
    words = {"QueueUrl": found["QueueUrl"], "AttributeNames": ["Policy"]}
    said = asked(calls, "sqs", "get_queue_attributes", **words)
    return _document(said.get("Attributes", {}).get("Policy"))


def _of_role(calls: Calls, role: str) -> Iterator[Document]:
    """Yield the policies that are the role's own, those of others too."""
    for page in _pages(calls, "list_role_policies", RoleName=role):
        for name in page["PolicyNames"]:
            words = {"RoleName": role, "PolicyName": name}
            said = asked(calls, "iam", "get_role_policy", **words)
            document = _document(said.get("PolicyDocument"))
            yield from [document] if document else []


def _hung_on_role(calls: Calls, role: str) -> Iterator[Document]:
    """Yield the policies of the account, or of AWS, that somebody hung on the role."""
    for page in _pages(calls, "list_attached_role_policies", RoleName=role):
        for each in page["AttachedPolicies"]:
            words = {"PolicyArn": each["PolicyArn"]}
            policy = calls.ask("iam", "get_policy", **words)["Policy"]
            words["VersionId"] = policy["DefaultVersionId"]
            version = calls.ask("iam", "get_policy_version", **words)["PolicyVersion"]
            document = _document(version["Document"])
            yield from [document] if document else []


def _pages(calls: Calls, operation: str, **words: str) -> Iterator[dict[str, Any]]:
    while True:
        page = asked(calls, "iam", operation, **words)
        if page:
            yield page
        if not page.get("IsTruncated"):
            return
        words = {**words, "Marker": page["Marker"]}


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
    mine = policies.role if question.as_role else (_ALL,)
    try:
        decision = decide(
            request,
            identity=mine,
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
            words, expected, session, action, thing, "bucket", context, as_role=True
        )
    yield _Question(
        "a stranger reads files", False, _STRANGER, "s3:GetObject", file, "bucket", _TLS
    )
    if key_arn is not None:
        asked_for = ("kms:Decrypt", key_arn, "key")
        words = "Snowflake decrypts files"
        yield _Question(words, True, session, *asked_for, {}, True, as_role=True)


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
