"""What `landing:` may say of a bucket, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from snowmelt.landing.config import BucketPath, LandingConfig
from snowmelt.landing.queue import QueueAddress
from snowmelt.landing.queue_outbox import Outbox
from snowmelt.landing.s3_event import Receipt

S3 = "s3://shop-files/in"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("landing", None),
        ("/srv/landing", None),
        ("s3://shop-files", BucketPath("shop-files", "")),
        ("s3://shop-files/", BucketPath("shop-files", "")),
        ("s3://shop-files/in", BucketPath("shop-files", "in/")),
        ("s3://shop-files/in/a b/", BucketPath("shop-files", "in/a b/")),
    ],
)
def test_a_path_is_a_folder_or_a_bucket(path: str, where: BucketPath | None) -> None:
    assert LandingConfig(path=path).bucket_path == where


def test_a_bucket_may_be_on_a_server_of_ones_own() -> None:
    config = LandingConfig(
        path=S3, endpoint="http://127.0.0.1:9000", allow_http=True, queue="new-files"
    )
    assert str(config.bucket_path) == S3


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"path": "gs://shop-files/in"}, "s3://BUCKET/PREFIX"),
        ({"path": "s3://"}, "s3://BUCKET/PREFIX"),
        ({"path": "s3://a_b!/in"}, "s3://BUCKET/PREFIX"),
        ({"path": "s3://shop-files//in"}, "empty part"),
        ({"path": "s3://shop-files/../in"}, "empty part"),
        ({"queue": "new-files"}, "'queue' is for files in a bucket"),
        ({"path": S3, "dead_letter_queue": "d"}, "needs a 'queue'"),
        ({"path": S3, "queue": "a queue"}, "the URL, the ARN or the name"),
        ({"path": S3, "queue": "arn:aws:sns:eu-west-1:1:x"}, "the URL, the ARN"),
        ({"path": S3, "endpoint": "127.0.0.1:9000"}, "such as https://HOST:PORT"),
        ({"path": S3, "endpoint": "https://me:secret@host"}, "such as https://"),
        ({"path": S3, "endpoint": "http://127.0.0.1:9000"}, "allow_http: true"),
        ({"path": S3, "queue": "http://127.0.0.1/1/q"}, "allow_http: true"),
        ({"path": S3, "queue": "q", "visibility_timeout": "13h"}, "1s and 12h"),
        ({"path": S3, "queue": "q", "visibility_timeout": "200ms"}, "1s and 12h"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        LandingConfig(**given)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("q", QueueAddress(None, "q", None, None, None)),
        (
            "arn:aws:sqs:eu-west-1:123456789012:q",
            QueueAddress(None, "q", "123456789012", None, "eu-west-1"),
        ),
        (
            "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
            QueueAddress(
                "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
                "q",
                None,
                "https://sqs.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
        ),
        (
            "http://127.0.0.1:5000/1/q",
            QueueAddress(
                "http://127.0.0.1:5000/1/q", "q", None, "http://127.0.0.1:5000", None
            ),
        ),
    ],
)
def test_a_queue_is_reached_where_its_name_says(
    given: str, address: QueueAddress
) -> None:
    assert QueueAddress.of(given) == address


def receipt(number: int, handle: str = "") -> Receipt:
    return Receipt(str(number), handle or f"h{number}", frozenset(), 0.0)


def test_the_outbox_sends_ten_at_a_time_and_deletions_first() -> None:
    outbox = Outbox(300)
    outbox.add(map(receipt, range(12)), map(receipt, range(20, 23)))
    letters = [outbox.next() for _ in range(3)]
    assert [
        (each.operation, len(each.entries)) for each in letters if each is not None
    ] == [
        ("delete_message_batch", 10),
        ("delete_message_batch", 2),
        ("change_message_visibility_batch", 3),
    ]


def test_the_outbox_holds_a_message_once_and_deletes_it_by_its_last_handle() -> None:
    outbox = Outbox(300)
    for _ in range(100):
        outbox.add([], [receipt(1)])
    outbox.add([receipt(1, "first")])
    outbox.add([receipt(1, "last")])
    outbox.close()
    letter = outbox.next()
    assert letter is not None
    assert [each["ReceiptHandle"] for each in letter.entries] == ["last"]
    assert outbox.next() is None
