"""What a queue's messages mean, and which of them may be let go of."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.landing.config import BucketPath
from snowmelt.landing.s3_event import (
    BodyError,
    Receipt,
    Remedy,
    name_of,
    names_told,
    remedy_of,
    settle,
)

STAGE = BucketPath("shop", "in/")


def record(key: str, **changes: Any) -> dict[str, Any]:
    bucket = changes.pop("bucket", "shop")
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 3}},
        **changes,
    }


def body(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def bus(key: str, kind: str = "Object Created", bucket: str = "shop") -> str:
    return json.dumps(
        {
            "version": "0",
            "source": "aws.s3",
            "detail-type": kind,
            "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
        }
    )


def enveloped(message: str) -> str:
    return json.dumps(
        {"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": message}
    )


TEST_EVENT = json.dumps(
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "shop"}
)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (body(record("in/a.csv")), ["a.csv"]),
        (body(record("in%2Fa.csv")), ["a.csv"]),
        (body(record("in/a.csv"), record("in/sub/b.csv")), ["a.csv", "sub/b.csv"]),
        (body(record("in/a+b%2Bc%20d.csv")), ["a b+c d.csv"]),
        (body(record("in/100%25.csv")), ["100%.csv"]),
        (body(record("in/%F0%9F%98%80.csv")), ["😀.csv"]),
        (body(record("in/../x.csv")), ["../x.csv"]),
        (body(record("in//a//b.csv")), ["/a//b.csv"]),
        (body(record("in/a.csv", eventVersion="2.6")), ["a.csv"]),
        (body(record("in/a.csv", eventName="s3:ObjectCreated:Copy")), ["a.csv"]),
        (
            body(record("in/a.csv", eventName="ObjectCreated:CompleteMultipartUpload")),
            ["a.csv"],
        ),
        (enveloped(body(record("in/a.csv"))), ["a.csv"]),
        (bus("in/a+b%20c.csv"), ["a+b%20c.csv"]),
        (enveloped(bus("in/a.csv")), ["a.csv"]),
    ],
)
def test_every_route_tells_the_same_names(message: str, names: list[str]) -> None:
    assert names_told(message, STAGE) == names


@pytest.mark.parametrize(
    "message",
    [
        TEST_EVENT,
        enveloped(TEST_EVENT),
        body(),
        json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have chosen"}),
        json.dumps({"anything": "else"}),
        body(record("in/a.csv", eventName="ObjectRemoved:Delete")),
        body(record("in/a.csv", eventName="ObjectRestore:Completed")),
        body(record("in/a.csv", bucket="other")),
        body(record("out/a.csv")),
        body(record("in")),
        body(record("in/")),
        body(record("in/.hidden/a.csv")),
        body(record("in/a.csv.tmp")),
        bus("in/a.csv", kind="Object Deleted"),
        bus("in/a.csv", bucket="other"),
    ],
)
def test_what_is_none_of_our_business_tells_of_nothing(message: str) -> None:
    assert names_told(message, STAGE) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "not JSON"),
        ("<xml/>", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "no JSON object"),
        (enveloped("hello"), "not JSON"),
        (enveloped(enveloped(enveloped(enveloped(body())))), "too many envelopes"),
        (body(record("in/a.csv", eventVersion="3.0")), "version 3.0"),
        (json.dumps({"Records": [{"eventName": "ObjectCreated:Put"}]}), "lacks"),
        (json.dumps({"Records": ["x"]}), "lacks"),
        (json.dumps({"Records": [None]}), "lacks"),
        (body(record("in/%FF.csv")), "UTF-8"),
        (json.dumps({"source": "aws.s3", "detail-type": "Object Created"}), "lacks"),
    ],
)
def test_a_body_that_cannot_be_read_is_said(message: str, problem: str) -> None:
    with pytest.raises(BodyError, match=problem):
        names_told(message, STAGE)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_key_comes_through_whatever_is_in_it(name: str) -> None:
    key = f"in/{name}"
    expected = [name] if name_of(key, "in/") else []
    assert names_told(body(record(quote_plus(key))), STAGE) == expected
    assert names_told(bus(key), STAGE) == expected


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists) | st.text())
def test_no_body_does_more_than_be_refused(told: object) -> None:
    for message in (str(told), json.dumps(told), json.dumps({"Records": told})):
        try:
            assert names_told(message, STAGE) == []
        except BodyError:
            continue


def receipt(*names: str, held_at: float = 0.0, told: bool = True) -> Receipt:
    return Receipt("id", "handle", frozenset(names), held_at, told)


def test_a_message_goes_when_none_of_its_files_is_pending() -> None:
    one, two = receipt("a", "b"), receipt("c")
    assert settle([one, two], {"b"}.__contains__, 1.0, 300.0) == ([two], [])
    assert settle([one, two], set[str]().__contains__, 1.0, 300.0) == ([one, two], [])


def test_a_message_that_nobody_was_told_of_stays() -> None:
    new = receipt("a", told=False)
    assert settle([new], lambda _: False, 1.0, 300.0) == ([], [])
    _, held = settle([new], lambda _: False, 200.0, 300.0)
    assert [each.held_at for each in held] == [200.0]


def test_a_pending_message_is_held_for_longer_when_half_its_time_is_over() -> None:
    pending = receipt("a", held_at=10.0)
    assert settle([pending], lambda _: True, 159.9, 300.0) == ([], [])
    _, held = settle([pending], lambda _: True, 160.0, 300.0)
    assert [each.held_at for each in held] == [160.0]
    assert settle(held, lambda _: True, 161.0, 300.0) == ([], [])


def test_a_message_that_cannot_be_read_is_buried_after_so_many_receives() -> None:
    assert remedy_of(4, 5, has_dead_letters=True) is Remedy.LEAVE
    assert remedy_of(5, 5, has_dead_letters=True) is Remedy.BURY
    assert remedy_of(99, 5, has_dead_letters=False) is Remedy.LEAVE
