"""Least privilege, as a table: who may do what, and above all who may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_site import some_site
from snowmelt.deploy.aws import policies, rights
from snowmelt.deploy.aws.evaluation import Decision, Request, decide
from snowmelt.deploy.aws.statements import merge, normal, of_sids, same, without

US, SNOWFLAKE, STRANGER = "111111111111", "999999999999", "222222222222"
SITE = some_site(account=US, region="eu-central-1")
USER = f"arn:aws:iam::{SNOWFLAKE}:user/abc1-b-self1234"
OTHER_USER = f"arn:aws:iam::{SNOWFLAKE}:user/xyz9-b-self9999"
ANYBODY = f"arn:aws:iam::{STRANGER}:user/eve"
ANA = f"arn:aws:iam::{US}:user/ana"
SESSION = f"arn:aws:sts::{US}:assumed-role/{SITE.role}/snowflake"
KEY = f"arn:aws:kms:eu-central-1:{US}:key/1234"
OTHER_KEY = f"arn:aws:kms:eu-central-1:{US}:key/9999"
BUCKET = "arn:aws:s3:::shop-landing"
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
S3, SNS = "s3.amazonaws.com", "sns.amazonaws.com"
TLS = {"aws:SecureTransport": "true"}


# The role that Snowflake takes


@pytest.mark.parametrize(
    ("who", "context", "allowed"),
    [
        (USER, {"sts:ExternalId": "ours"}, True),
        (USER, {}, False),
        (USER, {"sts:ExternalId": "another"}, False),
        (USER, {"sts:ExternalId": "OURS"}, False),
        (USER, {"sts:ExternalId": ""}, False),
        (OTHER_USER, {"sts:ExternalId": "ours"}, False),
        (f"arn:aws:iam::{SNOWFLAKE}:root", {"sts:ExternalId": "ours"}, False),
        (ANYBODY, {"sts:ExternalId": "ours"}, False),
        (ANA, {"sts:ExternalId": "ours"}, False),
    ],
)
def test_only_snowflakes_user_with_our_external_id_takes_the_role(
    who: str, context: Mapping[str, str], allowed: bool
) -> None:
    request = Request(who, "sts:AssumeRole", SITE.role_arn, US, context)
    decision = decide(
        request,
        identity=[EVERYTHING],  # whatever their own account lets them do
        resource=policies.trust(USER, "ours"),
        only_resource_opens=True,
    )
    assert decision.allowed is allowed


def test_the_role_is_only_taken_never_tagged_or_federated() -> None:
    for action in ("sts:TagSession", "sts:AssumeRoleWithWebIdentity"):
        request = Request(USER, action, SITE.role_arn, US, {"sts:ExternalId": "ours"})
        trust = policies.trust(USER, "ours")
        assert not decide(request, identity=[EVERYTHING], resource=trust)


def as_role(action: str, thing: str, context: Mapping[str, str]) -> Decision:
    """Decide about what Snowflake does in our account, with the role it took."""
    is_key = action.startswith("kms:")
    return decide(
        Request(SESSION, action, thing, US, context),
        identity=[policies.reading(SITE, KEY)],
        resource=policies.key(SITE) if is_key else policies.bucket(SITE),
        only_resource_opens=is_key,
    )


@pytest.mark.parametrize(
    ("action", "thing", "context"),
    [
        ("s3:GetObject", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:GetObjectVersion", f"{BUCKET}/raw/a.csv", {}),
        ("s3:ListBucket", BUCKET, {"s3:prefix": "raw/"}),
        ("s3:ListBucket", BUCKET, {"s3:prefix": "raw/orders/"}),
        ("s3:GetBucketLocation", BUCKET, {}),
        ("kms:Decrypt", KEY, {}),
    ],
)
def test_the_role_reads_below_the_prefix(
    action: str, thing: str, context: Mapping[str, str]
) -> None:
    assert as_role(action, thing, {**TLS, **context})
    if action.startswith("s3:"):
        unencrypted = {**context, "aws:SecureTransport": "false"}
        assert as_role(action, thing, unencrypted) == Decision(False, policies.TLS_ONLY)


@pytest.mark.parametrize(
    ("action", "thing", "context"),
    [
        ("s3:PutObject", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:DeleteObject", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:DeleteObjectVersion", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:PutObjectAcl", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:PutObjectTagging", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:RestoreObject", f"{BUCKET}/raw/orders/a.csv", {}),
        ("s3:GetObject", f"{BUCKET}/private/a.csv", {}),
        ("s3:GetObject", f"{BUCKET}/rawer/a.csv", {}),
        ("s3:GetObject", f"{BUCKET}/RAW/a.csv", {}),
        ("s3:GetObject", "arn:aws:s3:::shop-landing-2/raw/a.csv", {}),
        ("s3:GetObject", "arn:aws:s3:::another/raw/a.csv", {}),
        ("s3:ListBucket", BUCKET, {}),
        ("s3:ListBucket", BUCKET, {"s3:prefix": ""}),
        ("s3:ListBucket", BUCKET, {"s3:prefix": "private/"}),
        ("s3:ListBucket", BUCKET, {"s3:prefix": "rawer/"}),
        ("s3:ListBucket", "arn:aws:s3:::another", {"s3:prefix": "raw/"}),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::*", {}),
        ("s3:GetBucketLocation", "arn:aws:s3:::another", {}),
        ("s3:PutBucketPolicy", BUCKET, {}),
        ("s3:DeleteBucketPolicy", BUCKET, {}),
        ("s3:PutBucketNotification", BUCKET, {}),
        ("s3:DeleteBucket", BUCKET, {}),
        ("kms:Decrypt", OTHER_KEY, {}),
        ("kms:Encrypt", KEY, {}),
        ("kms:GenerateDataKey", KEY, {}),
        ("kms:PutKeyPolicy", KEY, {}),
        ("kms:ScheduleKeyDeletion", KEY, {}),
        ("sns:Subscribe", SITE.topic_arn, {}),
        ("sqs:ReceiveMessage", SITE.queue_arn, {}),
        ("iam:PassRole", SITE.role_arn, {}),
        ("iam:PutRolePolicy", SITE.role_arn, {}),
        ("sts:AssumeRole", f"arn:aws:iam::{US}:role/admin", {}),
    ],
)
def test_the_role_does_nothing_else(
    action: str, thing: str, context: Mapping[str, str]
) -> None:
    assert not as_role(action, thing, {**TLS, **context})


def test_a_stage_that_is_the_whole_bucket_is_listed_without_a_prefix() -> None:
    whole = some_site(account=US, region="eu-central-1", prefix="")
    reading = [policies.reading(whole, KEY)]
    for action, thing in (
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", f"{BUCKET}/a.csv"),
    ):
        request = Request(SESSION, action, thing, US, TLS)
        assert decide(request, identity=reading, resource=policies.bucket(whole))
    other = Request(SESSION, "s3:ListBucket", "arn:aws:s3:::another", US, TLS)
    assert not decide(other, identity=reading)


# The bucket, whoever asks


def test_nobody_comes_to_the_bucket_without_encryption() -> None:
    document = policies.bucket(SITE)
    for who in (ANA, SESSION, f"arn:aws:iam::{US}:root", S3):
        for thing in (BUCKET, f"{BUCKET}/raw/a.csv", f"{BUCKET}/other"):
            request = Request(
                who, "s3:PutObject", thing, US, {"aws:SecureTransport": "false"}
            )
            decision = decide(request, identity=[EVERYTHING], resource=document)
            assert decision == Decision(False, policies.TLS_ONLY)
    request = Request(ANA, "s3:PutObject", f"{BUCKET}/raw/a.csv", US, TLS)
    assert decide(request, identity=[EVERYTHING], resource=document)
    assert not decide(request, resource=document), "it allows nobody by itself"


# The topic and the queue


@dataclass
class Case:
    who: str
    action: str
    thing: str
    context: Mapping[str, str] = field(default_factory=dict)
    allowed: bool = False


OUR_BUCKET = {"aws:SourceArn": BUCKET, "aws:SourceAccount": US}


@pytest.mark.parametrize(
    "case",
    [
        Case(S3, "sns:Publish", SITE.topic_arn, OUR_BUCKET, allowed=True),
        Case(S3, "sns:Publish", SITE.topic_arn),
        Case(S3, "sns:Publish", SITE.topic_arn, {"aws:SourceArn": BUCKET}),
        Case(
            S3,
            "sns:Publish",
            SITE.topic_arn,
            {"aws:SourceArn": BUCKET, "aws:SourceAccount": STRANGER},
        ),
        Case(
            S3,
            "sns:Publish",
            SITE.topic_arn,
            {"aws:SourceArn": f"{BUCKET}-2", "aws:SourceAccount": US},
        ),
        Case(S3, "sns:Subscribe", SITE.topic_arn, OUR_BUCKET),
        Case("events.amazonaws.com", "sns:Publish", SITE.topic_arn, OUR_BUCKET),
        Case(USER, "sns:Subscribe", SITE.topic_arn, allowed=True),
        Case(USER, "sns:Publish", SITE.topic_arn),
        Case(USER, "sns:SetTopicAttributes", SITE.topic_arn),
        Case(USER, "sns:Subscribe", f"{SITE.topic_arn}-2"),
        Case(OTHER_USER, "sns:Subscribe", SITE.topic_arn),
        Case(ANYBODY, "sns:Subscribe", SITE.topic_arn),
        Case(ANYBODY, "sns:Publish", SITE.topic_arn),
        Case(ANYBODY, "sns:Publish", SITE.topic_arn, OUR_BUCKET),
    ],
)
def test_the_topic_hears_our_bucket_and_tells_snowflake(case: Case) -> None:
    request = Request(case.who, case.action, case.thing, US, case.context)
    decision = decide(
        request,
        identity=[EVERYTHING],
        resource=policies.topic(SITE, USER),
        only_resource_opens=True,
    )
    assert decision.allowed is case.allowed


def test_before_the_handshake_nobody_subscribes() -> None:
    request = Request(USER, "sns:Subscribe", SITE.topic_arn, US)
    topic = policies.topic(SITE, None)
    assert not decide(request, identity=[EVERYTHING], resource=topic)


@pytest.mark.parametrize(
    "case",
    [
        Case(
            SNS,
            "sqs:SendMessage",
            SITE.queue_arn,
            {"aws:SourceArn": SITE.topic_arn},
            allowed=True,
        ),
        Case(SNS, "sqs:SendMessage", SITE.queue_arn),
        Case(
            SNS,
            "sqs:SendMessage",
            SITE.queue_arn,
            {"aws:SourceArn": f"{SITE.topic_arn}-2"},
        ),
        Case(
            SNS,
            "sqs:SendMessage",
            SITE.queue_arn,
            {"aws:SourceArn": f"arn:aws:sns:eu-central-1:{STRANGER}:{SITE.topic}"},
        ),
        Case(
            SNS, "sqs:ReceiveMessage", SITE.queue_arn, {"aws:SourceArn": SITE.topic_arn}
        ),
        Case(
            SNS,
            "sqs:SendMessage",
            SITE.dead_letters_arn,
            {"aws:SourceArn": SITE.topic_arn},
        ),
        Case(S3, "sqs:SendMessage", SITE.queue_arn, {"aws:SourceArn": BUCKET}),
        Case(ANYBODY, "sqs:SendMessage", SITE.queue_arn),
        Case(USER, "sqs:ReceiveMessage", SITE.queue_arn),
    ],
)
def test_the_queue_takes_messages_of_our_topic_only(case: Case) -> None:
    request = Request(case.who, case.action, case.thing, US, case.context)
    decision = decide(request, identity=[EVERYTHING], resource=policies.queue(SITE))
    assert decision.allowed is case.allowed


# The key


def test_the_key_is_opened_by_policies_of_our_account_only() -> None:
    for who, mine, allowed in (
        (ANA, [EVERYTHING], True),
        (ANA, [], False),
        (USER, [EVERYTHING], False),
        (ANYBODY, [EVERYTHING], False),
        (S3, [], False),
    ):
        request = Request(who, "kms:Decrypt", KEY, US)
        decision = decide(
            request,
            identity=mine,
            resource=policies.key(SITE),
            only_resource_opens=True,
        )
        assert decision.allowed is allowed, who


# Who deploys, and the service

OPERATOR = [rights.operator(SITE)]
SERVICE = [rights.service(SITE)]
OUR_TAGS = {
    "aws:ResourceTag/snowmelt:project": "my_shop",
    "aws:ResourceTag/snowmelt:target": "prod",
}
ASKED_TAGS = {key.replace("Resource", "Request"): v for key, v in OUR_TAGS.items()}


@pytest.mark.parametrize(
    ("action", "thing", "context"),
    [
        ("s3:DeleteObject", f"{BUCKET}/raw/a.csv", {}),
        ("s3:GetObject", f"{BUCKET}/raw/a.csv", {}),
        ("s3:PutObject", f"{BUCKET}/raw/a.csv", {}),
        ("s3:PutBucketPolicy", "arn:aws:s3:::another", {}),
        ("s3:DeleteBucket", "arn:aws:s3:::shop-landing-2", {}),
        ("sns:DeleteTopic", f"arn:aws:sns:eu-central-1:{US}:another", {}),
        ("sns:Publish", SITE.topic_arn, {}),
        ("sqs:DeleteQueue", f"arn:aws:sqs:eu-central-1:{US}:another", {}),
        ("sqs:PurgeQueue", SITE.queue_arn, {}),
        ("sqs:ReceiveMessage", SITE.queue_arn, {}),
        ("iam:CreateRole", f"arn:aws:iam::{US}:role/admin", {}),
        ("iam:PutRolePolicy", f"arn:aws:iam::{US}:role/admin", {}),
        ("iam:AttachRolePolicy", SITE.role_arn, {}),
        ("iam:PassRole", SITE.role_arn, {}),
        ("iam:CreateUser", f"arn:aws:iam::{US}:user/eve", {}),
        ("sts:AssumeRole", SITE.role_arn, {}),
        ("kms:CreateKey", "*", {}),
        ("kms:ScheduleKeyDeletion", OTHER_KEY, {}),
        (
            "kms:ScheduleKeyDeletion",
            OTHER_KEY,
            {**OUR_TAGS, "aws:ResourceTag/snowmelt:target": "test"},
        ),
        ("kms:Decrypt", KEY, OUR_TAGS),
        ("kms:CreateGrant", KEY, OUR_TAGS),
        ("kms:TagResource", OTHER_KEY, {}),
        ("kms:DeleteAlias", f"arn:aws:kms:eu-central-1:{US}:alias/another", {}),
    ],
)
def test_who_deploys_changes_nothing_of_others(
    action: str, thing: str, context: Mapping[str, str]
) -> None:
    assert not decide(Request(ANA, action, thing, US, context), identity=OPERATOR)


def test_who_deploys_makes_keys_with_our_tags_and_changes_those() -> None:
    made = Request(ANA, "kms:CreateKey", "*", US, ASKED_TAGS)
    changed = Request(ANA, "kms:PutKeyPolicy", KEY, US, OUR_TAGS)
    assert decide(made, identity=OPERATOR)
    assert decide(changed, identity=OPERATOR)


def test_only_who_erases_data_may_delete_objects() -> None:
    thing = f"{BUCKET}/raw/a.csv"
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
        request = Request(ANA, action, thing, US)
        assert not decide(request, identity=OPERATOR)
        assert decide(request, identity=[*OPERATOR, rights.erasing(SITE)])


@pytest.mark.parametrize(
    ("action", "thing", "allowed"),
    [
        ("s3:GetObject", f"{BUCKET}/raw/a.csv", True),
        ("s3:PutObject", f"{BUCKET}/raw/a.csv", True),
        ("s3:DeleteObject", f"{BUCKET}/raw/a.csv", False),
        ("s3:GetObject", f"{BUCKET}/private/a.csv", False),
        ("s3:PutObject", f"{BUCKET}/private/a.csv", False),
        ("s3:PutBucketPolicy", BUCKET, False),
        ("sqs:ReceiveMessage", SITE.queue_arn, True),
        ("sqs:DeleteMessage", SITE.queue_arn, True),
        ("sqs:SendMessage", SITE.queue_arn, False),
        ("sqs:SendMessage", SITE.dead_letters_arn, True),
        ("sqs:ReceiveMessage", SITE.dead_letters_arn, False),
        ("sqs:PurgeQueue", SITE.queue_arn, False),
        ("kms:Decrypt", KEY, True),
        ("kms:GenerateDataKey", KEY, True),
        ("kms:Decrypt", OTHER_KEY, False),
        ("kms:ScheduleKeyDeletion", KEY, False),
        ("sns:Publish", SITE.topic_arn, False),
        ("iam:GetRole", SITE.role_arn, False),
    ],
)
def test_the_service_loads_and_does_nothing_else(
    action: str, thing: str, allowed: bool
) -> None:
    aliases = (SITE.key_alias, "alias/other") if thing == KEY else ("alias/other",)
    context = {**TLS, "kms:ResourceAliases": aliases}
    request = Request(ANA, action, thing, US, context)
    assert decide(request, identity=SERVICE).allowed is allowed


def test_a_service_that_puts_files_away_may_delete_them() -> None:
    request = Request(ANA, "s3:DeleteObject", f"{BUCKET}/raw/a.csv", US, TLS)
    away = rights.service(SITE, puts_away=True)
    assert decide(request, identity=[away])
    other = Request(ANA, "s3:DeleteObject", f"{BUCKET}/other/a.csv", US, TLS)
    assert not decide(other, identity=[away])


def test_no_policy_of_a_person_says_everything() -> None:
    for document in (*OPERATOR, *SERVICE, policies.reading(SITE, KEY)):
        for statement in document["Statement"]:
            actions = statement["Action"]
            listed = actions if isinstance(actions, list) else [actions]
            assert not any("*" in action for action in listed)
            if statement["Resource"] == "*":
                reads_only = statement["Action"] == "tag:GetResources"
                assert "Condition" in statement or reads_only


# Names


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("us-gov-west-1", "arn:aws-us-gov:s3:::shop-landing"),
        ("cn-north-1", "arn:aws-cn:s3:::shop-landing"),
        ("eu-west-1", "arn:aws:s3:::shop-landing"),
    ],
)
def test_regions_of_other_partitions(region: str, arn: str) -> None:
    site = some_site(region=region)
    assert site.bucket_arn == arn
    assert site.topic_arn.startswith(f"arn:{site.partition}:sns:{region}:")


# A bucket that stays somebody else's


def test_of_an_adopted_bucket_only_notifications_are_set() -> None:
    adopted = some_site(account=US, region="eu-central-1", adopt_bucket=True)
    mine = [rights.operator(adopted)]
    for action, allowed in (
        ("s3:PutBucketNotification", True),
        ("s3:PutBucketPolicy", False),
        ("s3:DeleteBucket", False),
    ):
        request = Request(ANA, action, BUCKET, US)
        assert decide(request, identity=mine).allowed is allowed, action
    create = Request(ANA, "kms:CreateKey", "*", US, ASKED_TAGS)
    assert not decide(create, identity=mine)
    sids = [each["Sid"] for each in policies.reading(adopted, None)["Statement"]]
    assert "DecryptFiles" not in sids


# Policies of several authors

_STATEMENT = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(["sns:Publish", ["sns:Publish", "sns:Subscribe"]]),
        "Resource": st.just("*"),
        "Principal": st.sampled_from(["*", {"AWS": "*"}, {"AWS": US}]),
    },
    optional={"Sid": st.sampled_from(["theirs", "x", "__default_statement_ID"])},
)
_FOREIGN = st.none() | st.builds(
    lambda statements, extra: {
        "Version": "2008-10-17",
        **({"Id": "theirs"} if extra else {}),
        "Statement": statements,
    },
    st.lists(_STATEMENT, max_size=4),
    st.booleans(),
)


@given(_FOREIGN)
def test_what_others_wrote_stays(found: dict[str, Any] | None) -> None:
    once = policies.topic(SITE, USER, found)
    assert policies.topic(SITE, USER, once) == once
    assert len(of_sids(once, policies.TOPIC_SIDS)) == 2
    theirs = (found or {}).get("Statement", [])
    left = without(once, policies.TOPIC_SIDS)
    assert (left or {}).get("Statement", []) == theirs
    if found is not None and theirs:
        assert left == found
    changed = policies.topic(SITE, OTHER_USER, once)
    assert [each.get("Sid") for each in changed["Statement"]] == [
        each.get("Sid") for each in once["Statement"]
    ]
    assert without(changed, policies.TOPIC_SIDS) == left


def test_the_same_policy_written_otherwise() -> None:
    one = merge(
        None, [policies.subscribing(SITE, f"arn:aws:iam::{US}:root").document()]
    )
    other = {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": policies.SNOWFLAKE_SUBSCRIBES,
            "Effect": "Allow",
            "Principal": {"AWS": [US]},
            "Action": ["sns:Subscribe"],
            "Resource": [SITE.topic_arn],
        },
    }
    assert same(one, other)
    other["Statement"]["Action"] = "SNS:Subscribe"  # type: ignore[index]
    assert same(one, other), "as SNS says it"
    other["Statement"]["Action"] = ["sns:*"]  # type: ignore[index]
    assert not same(one, other)
    assert normal(None) == []
    star = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*"}]}
    spelt = {
        "Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*"]}
    }
    assert same(star, spelt)
