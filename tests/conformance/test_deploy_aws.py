"""Deploying to AWS, against moto over HTTP: what is made, kept, mended, taken away."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from aws_cloud import (
    ACCOUNT,
    SUBSCRIBER_ARN,
    USER_ARN,
    Account,
    Stopped,
    Watched,
    started_account,
)
from snowmelt.deploy.applying import StepError
from snowmelt.deploy.aws import policies, rights
from snowmelt.deploy.aws.asking import ask_access
from snowmelt.deploy.aws.conditions import as_list
from snowmelt.deploy.aws.refusals import right_of
from snowmelt.deploy.aws.statements import of_sids, same
from snowmelt.deploy.naming import Names
from snowmelt.deploy.planning import changed_elsewhere
from snowmelt.deploy.resource import Owner
from snowmelt.deploy.steps import Action, Plan
from snowmelt.errors import ConfigError

MakeAccount = Callable[..., Account]


@pytest.fixture(scope="module")
def accounts() -> Iterator[MakeAccount]:
    with started_account() as make:
        yield make


@pytest.fixture
def account(accounts: MakeAccount) -> Account:
    return accounts()


def replace_aws(names: Names, **changes: Any) -> Names:
    aws = names.target.aws.model_copy(update=changes)
    return replace(names, target=names.target.model_copy(update={"aws": aws}))


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(str(step.action), step.address.kind) for step in plan.steps]


def policy_of_topic(account: Account) -> Any:
    said = account.client("sns").get_topic_attributes(TopicArn=account.site.topic_arn)
    return json.loads(said["Attributes"]["Policy"])


def policy_of_bucket(account: Account) -> Any:
    said = account.client("s3").get_bucket_policy(Bucket=account.site.bucket)
    return json.loads(said["Policy"])


def notifications_of(account: Account) -> dict[str, Any]:
    said = account.client("s3").get_bucket_notification_configuration(
        Bucket=account.site.bucket
    )
    return {key: value for key, value in said.items() if key != "ResponseMetadata"}


# What is made


def test_everything_is_made_once_and_in_order(account: Account) -> None:
    plan = account.plan()
    assert {action for action, _ in actions(plan)} == {"create"}
    order = [kind for _, kind in actions(plan)]
    for first, then in (
        ("key", "bucket"),
        ("storage_integration", "topic_policy"),
        ("storage_integration", "iam_role"),
        ("bucket", "notification"),
        ("topic", "queue"),
        ("topic_policy", "notification"),
    ):
        assert order.index(first) < order.index(then), (first, then)
    assert account.apply() == len(order) == 9
    assert account.plan().is_empty, account.plan().document
    again = Watched(account.live)
    assert account.apply(again) == 0
    assert again.told == []
    assert_it_is_as_it_is_to_be(account)


def assert_it_is_as_it_is_to_be(account: Account) -> None:
    site, s3, iam = account.site, account.client("s3"), account.client("iam")
    kms = account.client("kms")
    key_arn = kms.describe_key(KeyId=site.key_alias)["KeyMetadata"]["Arn"]

    rule = s3.get_bucket_encryption(Bucket=site.bucket)[
        "ServerSideEncryptionConfiguration"
    ]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": key_arn,
    }
    assert rule["BucketKeyEnabled"] is True
    assert s3.get_bucket_versioning(Bucket=site.bucket)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=site.bucket)
    assert set(blocked["PublicAccessBlockConfiguration"].values()) == {True}
    assert same(policy_of_bucket(account), policies.bucket(site))
    rules = s3.get_bucket_lifecycle_configuration(Bucket=site.bucket)["Rules"]
    assert not any("Expiration" in rule for rule in rules), "files stay"

    role = iam.get_role(RoleName=site.role)["Role"]
    trust = policies.trust(USER_ARN, account.names.external_id)
    assert same(role["AssumeRolePolicyDocument"], trust)
    reading = iam.get_role_policy(RoleName=site.role, PolicyName="snowmelt-read")
    assert same(reading["PolicyDocument"], policies.reading(site, key_arn))

    topic = of_sids(policy_of_topic(account), policies.TOPIC_SIDS)
    assert same({"Statement": topic}, policies.topic(site, SUBSCRIBER_ARN))
    told = notifications_of(account)["TopicConfigurations"]
    assert [each["TopicArn"] for each in told] == [site.topic_arn]
    assert kms.get_key_rotation_status(KeyId=key_arn)["KeyRotationEnabled"] is True


def test_a_region_that_has_to_be_named(accounts: MakeAccount) -> None:
    """All others here are in the oldest region, the one that must not be named."""
    account = accounts(region="eu-central-1")
    account.apply()
    assert account.plan().is_empty
    where = account.client("s3").get_bucket_location(Bucket=account.site.bucket)
    assert where["LocationConstraint"] == "eu-central-1"


def test_an_external_id_from_before_us_is_adopted(account: Account) -> None:
    account.other.external_id = "THEIRS_SFCRole=2_abc="
    account.other.made["role"] = account.site.role_arn
    plan = account.plan()
    assert ("create", "storage_integration") not in actions(plan)
    account.apply()
    role = account.client("iam").get_role(RoleName=account.site.role)["Role"]
    trust = policies.trust(USER_ARN, "THEIRS_SFCRole=2_abc=")
    assert same(role["AssumeRolePolicyDocument"], trust)


@pytest.mark.long
def test_another_user_of_snowflake_is_trusted_instead(account: Account) -> None:
    account.apply()
    account.other.user_arn = f"{USER_ARN}-new"
    assert actions(account.plan()) == [("change", "iam_role")]
    account.apply()
    role = account.client("iam").get_role(RoleName=account.site.role)["Role"]
    trust = policies.trust(f"{USER_ARN}-new", account.names.external_id)
    assert same(role["AssumeRolePolicyDocument"], trust)
    assert account.plan().is_empty


# Stopped anywhere, resumed


def state_of(account: Account) -> Any:
    """Return all that is there, whatever the key is called, and how many keys."""
    found = account.deployment().look().found
    key = next(each for each in found if each.address.kind == "key")
    told = sorted((str(each.address), repr(dict(each.properties))) for each in found)
    keys = account.client("kms").list_keys()["Keys"]
    return len(keys), [
        (name, text.replace(key.outputs["arn"], "KEY")) for name, text in told
    ]


def stopped_and_resumed(accounts: MakeAccount, stop_at: int, is_done: bool) -> Account:
    account = accounts()
    with pytest.raises(StepError) as stopped:
        account.apply(Watched(account.live, stop_at, is_done))
    assert isinstance(stopped.value.__cause__, Stopped)
    account.apply()
    return account


def told_by_a_whole_apply(accounts: MakeAccount) -> int:
    account = accounts()
    watched = Watched(account.live)
    account.apply(watched)
    return len(watched.told)


@pytest.mark.parametrize(
    ("stop_at", "is_done"), [(0, True), (9, False)], ids=["first", "later"]
)
def test_stopped_and_resumed_it_comes_to_the_same(
    accounts: MakeAccount, stop_at: int, is_done: bool
) -> None:
    account = stopped_and_resumed(accounts, stop_at, is_done)
    assert account.plan().is_empty, account.plan().document
    assert len(account.client("kms").list_keys()["Keys"]) == 1


@pytest.mark.long
def test_stopped_at_any_call_and_resumed_it_comes_to_the_same(
    accounts: MakeAccount,
) -> None:
    whole = accounts()
    whole.apply()
    wanted = state_of(whole)
    for stop_at in range(told_by_a_whole_apply(accounts)):
        for is_done in (False, True):
            account = stopped_and_resumed(accounts, stop_at, is_done)
            assert account.plan().is_empty, (stop_at, account.plan().document)
            assert state_of(account) == wanted, (stop_at, is_done)


@pytest.mark.long
def test_a_stopped_destroy_goes_on(accounts: MakeAccount) -> None:
    account = accounts()
    account.apply()
    watched = Watched(account.live)
    data = [account.address(kind) for kind in ("key", "bucket", "topic")]
    account.destroy(*data, calls=watched)
    for stop_at in range(0, len(watched.told), 3):
        account = accounts()
        account.apply()
        with pytest.raises(StepError):
            account.destroy(
                *data, calls=Watched(account.live, stop_at, stop_at % 2 > 0)
            )
        account.destroy(*data)
        assert account.deployment().look().found == ()


# What others have


def test_what_others_wrote_stays(account: Account) -> None:
    account.apply()
    site = account.site
    s3, sns, sqs = (account.client(name) for name in ("s3", "sns", "sqs"))
    theirs = {
        "Sid": "theirs",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/bi"},
        "Action": "s3:GetObject",
        "Resource": f"{site.bucket_arn}/*",
    }
    policy = policy_of_bucket(account)
    policy["Statement"] = [theirs, *policy["Statement"]]
    s3.put_bucket_policy(Bucket=site.bucket, Policy=json.dumps(policy))
    tags = s3.get_bucket_tagging(Bucket=site.bucket)["TagSet"]
    team = {"Key": "team", "Value": "data"}
    s3.put_bucket_tagging(Bucket=site.bucket, Tagging={"TagSet": [*tags, team]})
    rules = s3.get_bucket_lifecycle_configuration(Bucket=site.bucket)["Rules"]
    logs = {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 7},
    }
    s3.put_bucket_lifecycle_configuration(
        Bucket=site.bucket, LifecycleConfiguration={"Rules": [logs, *rules]}
    )
    other = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    other_arn = sqs.get_queue_attributes(QueueUrl=other, AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    sns.subscribe(TopicArn=site.topic_arn, Protocol="sqs", Endpoint=other_arn)
    document = notifications_of(account)
    document["QueueConfigurations"] = [
        {
            "Id": "theirs",
            "QueueArn": other_arn,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {
                "Key": {"FilterRules": [{"Name": "prefix", "Value": "private/"}]}
            },
        }
    ]
    s3.put_bucket_notification_configuration(
        Bucket=site.bucket, NotificationConfiguration=document
    )
    assert account.plan().is_empty, "what others add is no drift"

    # Everything of ours changes, beside all of that.
    account.names = replace_aws(account.names, prefix="in/")
    account.apply()
    assert account.plan().is_empty

    sids = [each["Sid"] for each in policy_of_bucket(account)["Statement"]]
    assert sids == ["theirs", policies.TLS_ONLY]
    assert team in s3.get_bucket_tagging(Bucket=site.bucket)["TagSet"]
    now = s3.get_bucket_lifecycle_configuration(Bucket=site.bucket)["Rules"]
    assert now[0]["ID"] == "logs"
    now_told = notifications_of(account)
    assert [each["Id"] for each in now_told["QueueConfigurations"]] == ["theirs"]
    (ours,) = now_told["TopicConfigurations"]
    assert ours["Filter"]["Key"]["FilterRules"][0]["Value"] == "in/"
    assert "__default_statement_ID" in [
        each["Sid"] for each in policy_of_topic(account)["Statement"]
    ]

    s3.put_object(Bucket=site.bucket, Key="in/a.csv", Body=b"a")
    account.destroy()
    kept = notifications_of(account)
    assert [each["Id"] for each in kept["QueueConfigurations"]] == ["theirs"]
    assert not kept.get("TopicConfigurations")
    assert sqs.get_queue_url(QueueName="theirs")["QueueUrl"] == other


def test_what_is_not_ours_is_a_conflict_and_never_touched(account: Account) -> None:
    site = account.site
    account.client("s3").create_bucket(Bucket=site.bucket)
    account.client("sqs").create_queue(QueueName=site.queue, tags={"team": "data"})
    account.client("iam").create_role(
        RoleName=site.role, AssumeRolePolicyDocument='{"Statement": []}'
    )
    plan = account.plan()
    stuck = {step.address.kind: step.action for step in plan.stuck}
    assert stuck == {
        "bucket": Action.CONFLICT,
        "queue": Action.CONFLICT,
        "iam_role": Action.CONFLICT,
        "notification": Action.BLOCKED,
    }
    destroy = account.deployment().plan_destroy()
    assert destroy.steps == ()
    # Whoever sets the tags hands it over.
    tags = [
        {"Key": "snowmelt:project", "Value": site.owner.project},
        {"Key": "snowmelt:target", "Value": site.owner.target},
    ]
    account.client("s3").put_bucket_tagging(
        Bucket=site.bucket, Tagging={"TagSet": tags}
    )
    assert ("change", "bucket") in actions(account.plan())


def test_a_notification_of_others_for_the_same_files_is_a_conflict(
    account: Account,
) -> None:
    account.apply()
    document = notifications_of(account)
    (ours,) = document["TopicConfigurations"]
    document["TopicConfigurations"] = [{**ours, "Id": "theirs"}]
    account.client("s3").put_bucket_notification_configuration(
        Bucket=account.site.bucket, NotificationConfiguration=document
    )
    assert actions(account.plan()) == [("conflict", "notification")]


def test_an_adopted_bucket_stays_somebody_elses(accounts: MakeAccount) -> None:
    account = accounts(adopt_bucket=True)
    s3, name = account.client("s3"), account.site.bucket
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="raw/a.csv", Body=b"a")
    watched = Watched(account.live)
    account.apply(watched)
    assert account.plan().is_empty
    on_bucket = {operation for service, operation, _ in watched.told if service == "s3"}
    assert on_bucket == {"put_bucket_notification_configuration"}
    assert not account.client("kms").list_keys()["Keys"]
    role = account.client("iam").get_role_policy(
        RoleName=account.site.role, PolicyName="snowmelt-read"
    )
    assert same(role["PolicyDocument"], policies.reading(account.site, None))
    account.destroy(account.address("topic"))
    assert not notifications_of(account)
    assert s3.get_object(Bucket=name, Key="raw/a.csv")["Body"].read() == b"a"
    assert account.deployment().look().found == ()


def test_another_target_is_another_owner(account: Account) -> None:
    account.apply()
    account.names = replace(account.names, owner=Owner("my_shop", "test"))
    assert {step.action for step in account.plan().stuck} >= {Action.CONFLICT}
    assert account.deployment().plan_destroy().acting == ()


# Drift


DRIFTS: dict[str, tuple[str, str, Callable[[Account], object]]] = {
    "versioning": (
        "bucket",
        "versioning",
        lambda it: it.client("s3").put_bucket_versioning(
            Bucket=it.site.bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    "open to the public": (
        "bucket",
        "public_access",
        lambda it: it.client("s3").delete_public_access_block(Bucket=it.site.bucket),
    ),
    "no policy": (
        "bucket",
        "policy",
        lambda it: it.client("s3").delete_bucket_policy(Bucket=it.site.bucket),
    ),
    "other encryption": (
        "bucket",
        "encryption",
        lambda it: it.client("s3").put_bucket_encryption(
            Bucket=it.site.bucket,
            ServerSideEncryptionConfiguration={
                "Rules": [
                    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
        ),
    ),
    "no lifecycle": (
        "bucket",
        "lifecycle",
        lambda it: it.client("s3").delete_bucket_lifecycle(Bucket=it.site.bucket),
    ),
    "anybody is trusted": (
        "iam_role",
        "trust",
        lambda it: it.client("iam").update_assume_role_policy(
            RoleName=it.site.role,
            PolicyDocument=json.dumps(
                policies.trust("arn:aws:iam::666666666666:user/eve", "x1")
            ),
        ),
    ),
    "more rights": (
        "iam_role",
        "policy",
        lambda it: it.client("iam").put_role_policy(
            RoleName=it.site.role,
            PolicyName="snowmelt-read",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
                }
            ),
        ),
    ),
    "no redrive": (
        "queue",
        "receives_max",
        lambda it: it.client("sqs").set_queue_attributes(
            QueueUrl=it.client("sqs").get_queue_url(QueueName=it.site.queue)[
                "QueueUrl"
            ],
            Attributes={
                "RedrivePolicy": json.dumps(
                    {
                        "deadLetterTargetArn": it.site.dead_letters_arn,
                        "maxReceiveCount": 99,
                    }
                )
            },
        ),
    ),
    "unsubscribed": (
        "queue",
        "subscription",
        lambda it: [
            it.client("sns").unsubscribe(SubscriptionArn=each["SubscriptionArn"])
            for each in it.client("sns").list_subscriptions()["Subscriptions"]
        ],
    ),
    "no rotation": (
        "key",
        "rotation",
        lambda it: it.client("kms").disable_key_rotation(
            KeyId=it.client("kms").describe_key(KeyId=it.site.key_alias)["KeyMetadata"][
                "KeyId"
            ]
        ),
    ),
    "other files are told of": (
        "notification",
        "prefix",
        lambda it: it.client("s3").put_bucket_notification_configuration(
            Bucket=it.site.bucket,
            NotificationConfiguration={
                "TopicConfigurations": [
                    {
                        key: value
                        for key, value in notifications_of(it)["TopicConfigurations"][
                            0
                        ].items()
                        if key != "Filter"
                    }
                ]
            },
        ),
    ),
}


@pytest.fixture(scope="module")
def drifted(accounts: MakeAccount) -> Account:
    account = accounts()
    account.apply()
    return account


def test_a_whole_life_with_the_rights_that_are_printed(account: Account) -> None:
    """Drift is shown and mended; every call is allowed, and no right is for nothing."""
    watched = Watched(account.live)
    account.apply(watched)
    for _, _, change in DRIFTS.values():
        change(account)
    plan = account.plan()
    assert {action for action, _ in actions(plan)} == {"change"}
    assert changed_elsewhere(plan) == plan.steps
    differ = {
        step.address.kind: {each.name for each in step.differences}
        for step in plan.steps
    }
    for what, (kind, name, _) in DRIFTS.items():
        assert name in differ[kind], what
    before = len(watched.told)
    account.apply(watched)
    assert account.plan().is_empty
    # What differs is set, a mark for each, and nothing else is touched.
    assert len(watched.told) - before <= len(DRIFTS) + len(plan.steps)
    assert_others_rights_are_seen(account, watched)
    account.client("s3").put_object(Bucket=account.site.bucket, Key="raw/a", Body=b"a")
    key = key_of(account)
    data = [account.address(kind) for kind in ("bucket", "key", "topic")]
    account.destroy(*data, calls=watched)
    waits = account.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
    assert waits["KeyState"] == "PendingDeletion"
    account.apply(watched)
    assert (key_of(account)["KeyId"], key_of(account)["KeyState"]) == (
        key["KeyId"],
        "Enabled",
    )
    assert_rights_fit(account, watched)


def assert_others_rights_are_seen(account: Account, watched: Watched) -> None:
    """What somebody hung on the role is no drift of ours; what it allows is told."""
    iam, role = account.client("iam"), account.site.role
    assert all(each.is_good for each in ask_access(account.deployment(watched)))
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    arn = iam.create_policy(PolicyName="theirs", PolicyDocument=document)["Policy"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    wrong = {
        each.question
        for each in ask_access(account.deployment(watched))
        if not each.is_good
    }
    assert wrong == {"Snowflake writes files"}
    with pytest.raises(StepError, match="take those off first"):
        account.destroy(calls=watched)
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)


def key_of(account: Account) -> Any:
    said = account.client("kms").describe_key(KeyId=account.site.key_alias)
    return said["KeyMetadata"]


def assert_rights_fit(account: Account, watched: Watched) -> None:
    called = {
        right_of(service, operation)
        for service, operation in (
            *watched.asked,
            *((service, operation) for service, operation, _ in watched.told),
        )
    }
    documents = (rights.operator(account.site), rights.erasing(account.site))
    allowed = {
        action
        for document in documents
        for statement in document["Statement"]
        for action in as_list(statement["Action"])
    }
    # Everybody may ask who they are; a bucket with tags, and versions, need one more.
    free, besides = (
        {"sts:GetCallerIdentity"},
        {"s3:TagResource", "s3:DeleteObjectVersion"},
    )
    # No drift here is of these two.
    unused = {"kms:PutKeyPolicy", "sns:SetSubscriptionAttributes"}
    assert called - allowed - free == set()
    assert allowed - called - besides - unused == set()


@pytest.mark.long
def test_what_is_gone_is_made_again(account: Account) -> None:
    account.apply()
    account.client("sns").delete_topic(TopicArn=account.site.topic_arn)
    kinds = {kind for _, kind in actions(account.plan())}
    assert "topic" in kinds
    account.apply()
    account.apply()
    assert account.plan().is_empty
    assert changed_elsewhere(account.plan()) == ()


# Destroyed


def test_destroy_keeps_data_and_takes_all_else(account: Account) -> None:
    account.apply()
    s3 = account.client("s3")
    for body in (b"a", b"b"):
        s3.put_object(Bucket=account.site.bucket, Key="raw/a.csv", Body=body)
    plan = account.destroy()
    kept = {step.address.kind: step.why for step in plan.steps if not step.acts}
    assert set(kept) == {"bucket", "key", "topic"}
    assert "2 versions of files" in kept["bucket"]
    assert "for 72 hours" in kept["topic"]
    assert s3.get_object(Bucket=account.site.bucket, Key="raw/a.csv")["Body"].read()
    left = account.deployment().look().found
    assert {each.address.kind for each in left} == {"bucket", "key", "topic"}
    assert not account.other.made
    # And from there it is put up again, with its files.
    account.apply()
    assert account.plan().is_empty

    account.destroy(account.address("bucket"), account.address("topic"))
    left = account.deployment().look().found
    assert {each.address.kind for each in left} == {"key"}
    account.destroy(account.address("key"))
    assert account.deployment().look().found == ()


def test_a_bucket_that_is_not_named_any_more_is_found_by_its_tags(
    account: Account,
) -> None:
    account.apply()
    old = account.site.bucket
    account.client("s3").put_object(Bucket=old, Key="raw/a.csv", Body=b"a")
    account.names = replace_aws(account.names, bucket="shop-files")
    plan = account.plan()
    told = {(str(step.action), step.address.name): step for step in plan.steps}
    assert ("keep", old) in told
    assert ("drop", old) in told, "it does not tell the topic any more"
    assert ("create", "shop-files") in told
    account.apply()
    names = {b["Name"] for b in account.client("s3").list_buckets()["Buckets"]}
    assert names == {old, "shop-files"}
    assert [action for action, _ in actions(account.plan())] == ["keep"]


# Rights, scripts and refusals


def test_a_script_says_what_is_done(account: Account) -> None:
    deployment = account.deployment()
    plan = deployment.plan()
    written = {
        step.address: list(deployment.script(step))
        for step in plan.steps
        if step.address.provider == "aws"
    }
    watched = Watched(account.live)
    account.apply(watched)
    lines = [line for each in written.values() for line in each]
    said = [
        match[1] for line in lines if (match := re.search(r"\baws \w+ (\S+)", line))
    ]
    looked_up = {"describe-key", "get-queue-url"}
    assert [each for each in said if each not in looked_up] == [
        operation.replace("_", "-")
        for _, operation, words in watched.told
        if "snowmelt:applied-policy" not in str(words.get("Tags"))
    ]
    text = "\n".join(lines)
    assert f"--bucket {account.site.bucket}" in text
    assert "$STORAGE_INTEGRATION_IAM_USER_ARN" in text
    assert "KEY_ID=$(aws kms create-key" in text
    assert "--key-id alias/my-shop-landing --query KeyMetadata.Arn" in text
    assert "maxReceiveCount" in text
    assert watched.told[0][1] == "create_key"
    bash = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
    assert bash.returncode == 0, bash.stderr


def test_credentials_of_another_account_are_refused(account: Account) -> None:
    account.names = replace_aws(account.names, account="222222222222")
    with pytest.raises(ConfigError, match=f"of account {ACCOUNT}"):
        account.plan()


def test_a_missing_right_is_named(account: Account) -> None:
    account.apply()

    class Refusing(Watched):
        def ask(self, service: str, operation: str, **words: Any) -> dict[str, Any]:
            if operation == "get_role":
                from snowmelt.aws import AwsCallError
                from snowmelt.deploy.aws.refusals import refusal_of

                denied = AwsCallError("AccessDenied", "ana is not authorized")
                raise refusal_of(service, operation, words, denied)
            return super().ask(service, operation, **words)

    plan = account.deployment(Refusing(account.live)).plan()
    (step,) = plan.steps
    assert step.action is Action.UNKNOWN
    assert step.address.kind == "iam_role"
    assert "Grant iam:GetRole on my-shop-snowflake" in step.remedy
