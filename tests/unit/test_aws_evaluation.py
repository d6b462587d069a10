"""Our own evaluation of AWS policies, against what AWS documents of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.deploy.aws.conditions import (
    UnknownPolicyError,
    holds,
    matches,
    matches_arn,
    matches_resource,
)
from snowmelt.deploy.aws.evaluation import Decision, Request, decide

OURS, THEIRS = "111111111111", "222222222222"
ANA = f"arn:aws:iam::{OURS}:user/ana"
BOB = f"arn:aws:iam::{THEIRS}:user/bob"
OBJECT = "arn:aws:s3:::shop/raw/a.csv"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(**changes: Any) -> dict[str, Any]:
    plain = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": OBJECT}
    written = {**plain, **changes}
    return {key: value for key, value in written.items() if value is not None}


def deny(**changes: Any) -> dict[str, Any]:
    return allow(Effect="Deny", **changes)


def asked(principal: str = ANA, **context: Any) -> Request:
    return Request(principal, "s3:GetObject", OBJECT, OURS, context)


def to(*names: str) -> dict[str, Any]:
    return {"Principal": {"AWS": list(names)}}


# Allow, deny, and neither


def test_what_nothing_allows_is_denied() -> None:
    assert decide(asked()) == Decision(False, None)


def test_an_explicit_deny_wins_wherever_it_stands() -> None:
    yes, no = document(allow()), document(deny(Sid="No"))
    its_yes = document(allow(**to(ANA)))
    its_no = document(deny(Sid="ItsNo", Principal="*"))
    assert decide(asked(), identity=[yes, no]) == Decision(False, "No")
    assert decide(asked(), identity=[no, yes]) == Decision(False, "No")
    assert decide(asked(), identity=[no], resource=its_yes) == Decision(False, "No")
    assert decide(asked(), identity=[yes], resource=its_no).by == "ItsNo"


def test_within_an_account_one_of_both_is_enough() -> None:
    assert decide(asked(), identity=[document(allow())])
    assert decide(asked(), resource=document(allow(**to(ANA))))


def test_between_accounts_both_are_needed() -> None:
    theirs, its = document(allow()), document(allow(**to(BOB)))
    assert not decide(asked(BOB), identity=[theirs])
    assert not decide(asked(BOB), resource=its)
    assert decide(asked(BOB), identity=[theirs], resource=its)
    assert decide(asked(BOB), identity=[theirs], resource=document(allow(**to(THEIRS))))


def test_an_account_that_is_named_hands_the_decision_to_its_own_policies() -> None:
    for name in (OURS, f"arn:aws:iam::{OURS}:root"):
        its = document(allow(**to(name)))
        assert not decide(asked(), resource=its)
        assert decide(asked(), identity=[document(allow())], resource=its)
    refused = document(deny(**to(OURS)))
    assert not decide(asked(), identity=[document(allow())], resource=refused)


def test_some_things_are_opened_by_their_own_policy_alone() -> None:
    mine = [document(allow())]
    assert not decide(asked(), identity=mine, only_resource_opens=True)
    for its in (document(allow(**to(OURS))), document(allow(**to(ANA)))):
        assert decide(asked(), identity=mine, resource=its, only_resource_opens=True)


def test_a_session_is_its_role() -> None:
    session = f"arn:aws:sts::{OURS}:assumed-role/reader/today"
    its = document(allow(**to(f"arn:aws:iam::{OURS}:role/reader")))
    assert decide(asked(session), resource=its)
    other = f"arn:aws:sts::{OURS}:assumed-role/writer/today"
    assert not decide(asked(other), resource=its)


def test_a_service_is_named_as_one() -> None:
    its = document(allow(Principal={"Service": "s3.amazonaws.com"}))
    assert decide(asked("s3.amazonaws.com"), resource=its)
    assert not decide(asked("sns.amazonaws.com"), resource=its)
    assert not decide(asked("s3.amazonaws.com"), resource=document(allow(**to(ANA))))


def test_no_wildcard_but_a_lone_star_works_in_a_principal() -> None:
    assert decide(asked(), resource=document(allow(Principal="*")))
    assert decide(asked(), resource=document(allow(**to("*"))))
    half = document(allow(**to(f"arn:aws:iam::{OURS}:user/*")))
    assert not decide(asked(), resource=half)


# Actions and resources


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow(Action="s3:*"), True),
        (allow(Action="S3:getobject"), True),
        (allow(Action="s3:Get*"), True),
        (allow(Action="s3:GetObjec?"), True),
        (allow(Action="s3:GetObject?"), False),
        (allow(Action=["s3:PutObject", "s3:GetObject"]), True),
        (allow(Action=None, NotAction="s3:Put*"), True),
        (allow(Action=None, NotAction=["S3:GET*", "sns:*"]), False),
        (allow(Resource="*"), True),
        (allow(Resource="arn:aws:s3:::shop/*"), True),
        (allow(Resource="arn:aws:s3:::shop/raw/?.csv"), True),
        (allow(Resource="arn:aws:s3:::shop/raw/A.csv"), False),
        (allow(Resource="arn:aws:s3:::shop"), False),
        (allow(Resource=["arn:aws:s3:::other/*", OBJECT]), True),
        (allow(Resource=None, NotResource="arn:aws:s3:::shop/raw/*"), False),
        (allow(Resource=None, NotResource="arn:aws:s3:::other/*"), True),
    ],
)
def test_actions_ignore_case_and_resources_do_not(
    statement: dict[str, Any], allowed: bool
) -> None:
    assert decide(asked(), identity=[document(statement)]).allowed is allowed
    lone = {"Version": "2012-10-17", "Statement": statement}
    assert decide(asked(), identity=[lone]).allowed is allowed


def test_a_wildcard_of_an_arn_does_not_reach_over_a_colon() -> None:
    queue = "arn:aws:sqs:eu-west-1:111111111111:shop"
    assert matches_resource("arn:aws:sqs:*:*:shop", queue)
    assert matches_resource("arn:aws:sqs", queue)
    assert not matches_resource("arn:aws:sqs:*:shop", queue)
    assert not matches_arn("arn:aws:*:shop", queue)
    assert matches_arn("arn:aws:iam::1:role/a:*", "arn:aws:iam::1:role/a:b:c")


# Conditions


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "result"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "raw/*", "raw/", True),
        ("StringLike", "raw/*", "raw/a/b", True),
        ("StringLike", "raw/*", "raw", False),
        ("StringLike", "raw/?", "raw/ab", False),
        ("StringNotLike", "raw/*", "raw/a", False),
        ("StringNotLike", "raw/*", None, True),
        ("ArnEquals", "arn:aws:s3:::a*", "arn:aws:s3:::ab", True),
        ("ArnLike", "arn:aws:s3:::a", "arn:aws:s3:::ab", False),
        ("ArnLike", "arn:aws:s3:::a", "no arn", False),
        ("ArnLike", "arn:aws:s3:::a", None, False),
        ("ArnNotLike", "arn:aws:s3:::a", None, True),
        ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::a", False),
        ("Bool", "false", "false", True),
        ("Bool", False, "false", True),
        ("Bool", "true", "false", False),
        ("Bool", "false", None, False),
        ("BoolIfExists", "true", None, True),
        ("Null", "true", None, True),
        ("Null", True, "a", False),
        ("Null", "false", "a", True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a"], ("a", "b"), False),
        ("ForAllValues:StringEquals", ["a"], None, True),
        ("ForAllValues:StringEquals", ["a"], (), True),
        ("ForAnyValue:StringEquals", ["a"], ("a", "b"), True),
        ("ForAnyValue:StringEquals", ["c"], ("a", "b"), False),
        ("ForAnyValue:StringEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a"], None, False),
        ("ForAnyValue:StringNotEquals", ["a"], ("a", "b"), True),
    ],
)
def test_operators(operator: str, wanted: Any, given: Any, result: bool) -> None:
    context = {} if given is None else {"Aws:Key": given}
    assert holds({operator: {"aws:KEY": wanted}}, context) is result


def test_all_conditions_must_hold() -> None:
    both = {
        "StringEquals": {"a": "1", "b": "2"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    good = {"a": "1", "b": "2", "aws:SecureTransport": "true"}
    assert holds(both, good)
    for key in good:
        assert not holds(both, {**good, key: "other"})
    assert holds({}, {})


@pytest.mark.parametrize(
    "condition",
    [
        {"StringMatches": {"a": "1"}},
        {"stringequals": {"a": "1"}},
        {"NumericLessThan": {"a": "1"}},
        {"ForSomeValues:StringEquals": {"a": "1"}},
        {"StringLike": {"a": "${aws:username}"}},
        {"Null": {"a": "perhaps"}},
        {"StringEquals": {"b": "2"}, "IpAddress": {"a": "10.0.0.0/8"}},
    ],
)
def test_what_is_not_known_is_an_error(condition: dict[str, Any]) -> None:
    with pytest.raises(UnknownPolicyError):
        holds(condition, {"a": "1"})


def test_one_value_is_asked_of_a_key_with_many_values() -> None:
    with pytest.raises(UnknownPolicyError, match="ForAnyValue"):
        holds({"StringEquals": {"a": "1"}}, {"a": ("1", "2")})


@pytest.mark.parametrize(
    "statement",
    [
        allow(Effect="Maybe"),
        allow(Effect=None),
        allow(Action=None),
        allow(Conditions={}),
        allow(Resource="arn:aws:s3:::${aws:username}/*"),
    ],
)
def test_a_statement_that_cannot_be_read_is_an_error(statement: dict[str, Any]) -> None:
    with pytest.raises(UnknownPolicyError):
        decide(asked(), identity=[document(allow(), statement)])


@pytest.mark.parametrize(
    "statement", [allow(), allow(NotPrincipal={"AWS": ANA}), allow(Principal="ana")]
)
def test_a_resource_says_of_whom_it_speaks(statement: dict[str, Any]) -> None:
    with pytest.raises(UnknownPolicyError):
        decide(asked(), resource=document(statement))


# What holds for all policies

_NAMES = st.sampled_from(["s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "sns:*"])
_THINGS = st.sampled_from(["*", OBJECT, "arn:aws:s3:::shop/*", "arn:aws:s3:::o/*"])
_STATEMENTS = st.builds(
    lambda effect, action, thing, secure: {
        "Effect": effect,
        "Action": action,
        "Resource": thing,
        **({"Condition": {"Bool": {"s": secure}}} if secure else {}),
    },
    st.sampled_from(["Allow", "Deny"]),
    _NAMES,
    _THINGS,
    st.sampled_from(["", "true", "false"]),
)
_POLICIES = st.lists(_STATEMENTS, max_size=5)


@given(_POLICIES, st.randoms(use_true_random=False))
def test_the_order_of_statements_decides_nothing(
    statements: list[dict[str, Any]], random: Any
) -> None:
    shuffled = random.sample(statements, len(statements))
    one = decide(asked(s="true"), identity=[document(*statements)])
    other = decide(asked(s="true"), identity=[document(each) for each in shuffled])
    assert one.allowed is other.allowed


@given(_POLICIES, _STATEMENTS)
def test_a_deny_never_opens_and_an_allow_never_closes(
    statements: list[dict[str, Any]], another: dict[str, Any]
) -> None:
    before = decide(asked(s="true"), identity=[document(*statements)])
    after = decide(asked(s="true"), identity=[document(*statements, another)])
    if another["Effect"] == "Deny":
        assert after.allowed <= before.allowed
    else:
        assert after.allowed >= before.allowed


@given(st.text("ab/*?", max_size=6), st.text("ab/", max_size=6))
def test_wildcards_are_those_of_a_plain_search(pattern: str, text: str) -> None:
    def found(p: str, t: str) -> bool:
        if not p:
            return not t
        if p[0] == "*":
            return any(found(p[1:], t[i:]) for i in range(len(t) + 1))
        return bool(t) and p[0] in ("?", t[0]) and found(p[1:], t[1:])

    assert matches(pattern, text) is found(pattern, text)
