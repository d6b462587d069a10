"""Policies as they are, with those of others in them, judged as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aws_site import some_site
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.access import Policies, Snowflake, judge

SITE = some_site(account="111111111111", region="eu-central-1")
KEY = "arn:aws:kms:eu-central-1:111111111111:key/1"
USER = "arn:aws:iam::999999999999:user/abc"
WHO = Snowflake(USER, "ours", USER)
GOOD = Policies(
    bucket=policies.bucket(SITE),
    key=policies.key(SITE),
    topic=policies.topic(SITE, USER),
    queue=policies.queue(SITE),
    trust=policies.trust(USER, "ours"),
    role=(policies.reading(SITE, KEY),),
)


def bad(found: Policies) -> dict[str, str]:
    return {
        each.question: str(each)
        for each in judge(SITE, KEY, WHO, found)
        if not each.is_good
    }


def besides(document: Any, **statement: Any) -> dict[str, Any]:
    plain = {"Sid": "theirs", "Effect": "Deny", "Principal": "*", "Resource": "*"}
    theirs = {**plain, **statement}
    return {**document, "Statement": [*document["Statement"], theirs]}


def test_what_we_make_is_good() -> None:
    assert bad(GOOD) == {}
    assert len(judge(SITE, KEY, WHO, GOOD)) == 13


def test_a_statement_of_others_that_refuses_snowflake_is_named() -> None:
    denied = besides(GOOD.bucket, Action="s3:GetObject")
    assert bad(replace(GOOD, bucket=denied)) == {
        "Snowflake reads files": "Snowflake reads files: no, by theirs; "
        "it has to be yes"
    }


def test_a_statement_of_others_that_lets_the_world_in_is_named() -> None:
    opened = besides(GOOD.bucket, Effect="Allow", Action="s3:*")
    assert bad(replace(GOOD, bucket=opened)) == {
        "Snowflake writes files": "Snowflake writes files: yes, by theirs; "
        "it has to be no",
        "a stranger reads files": "a stranger reads files: yes, by theirs; "
        "it has to be no",
    }


@pytest.mark.parametrize(
    ("missing", "questions"),
    [
        ("trust", {"Snowflake takes the role"}),
        (
            "role",
            {
                "Snowflake lists files",
                "Snowflake reads files",
                "Snowflake decrypts files",
            },
        ),
        ("key", {"Snowflake decrypts files"}),
        ("topic", {"the bucket tells the topic", "Snowflake subscribes"}),
        ("queue", {"the topic tells our queue"}),
        ("bucket", {"files are read unencrypted"}),
    ],
)
def test_what_is_missing_is_named(missing: str, questions: set[str]) -> None:
    nothing: Any = () if missing == "role" else None
    assert set(bad(replace(GOOD, **{missing: nothing}))) == questions


def test_what_cannot_be_judged_is_no_good() -> None:
    odd = besides(
        GOOD.topic, Action="sns:*", Condition={"DateLessThan": {"aws:CurrentTime": "x"}}
    )
    told = bad(replace(GOOD, topic=odd))
    assert "cannot be judged" in told["Snowflake subscribes"]
    assert "DateLessThan" in told["Snowflake subscribes"]


def test_a_trust_without_the_external_id_is_named() -> None:
    loose = policies.trust(USER, "ours")
    del loose["Statement"][0]["Condition"]
    assert set(bad(replace(GOOD, trust=loose))) == {
        "Snowflake takes it without the external id"
    }
