"""A bucket, a topic and queues on this machine, for tests: moto over real HTTP."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.moto_server.utilities import RegexConverter
from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue as MotoQueue
from moto.sqs.models import SQSBackend
from werkzeug.routing import BaseConverter

from snowmelt.clock import SystemClock
from snowmelt.landing.config import LandingConfig

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}
REMOVED_ENVIRONMENT = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
)
_numbers = count(1)


def quicken_moto() -> None:
    """Let moto's queues answer at a cost that does not grow with what lies in them.

    It counts every message anew at each call. And let keys have a newline, which its
    routes would not match.
    """
    setattr(  # noqa: B010 - typed as a method
        SQSBackend,
        "is_message_valid_based_on_retention_period",
        lambda *_: True,
    )
    for name, counted in {
        "approximate_number_of_messages": lambda self: len(self._messages),
        "approximate_number_of_messages_delayed": lambda self: 0,
        "approximate_number_of_messages_not_visible": lambda self: 0,
    }.items():
        setattr(MotoQueue, name, property(counted))
    RegexConverter.__init__ = _match_newlines  # type: ignore[method-assign]


def _match_newlines(self: RegexConverter, url_map: Any, *patterns: Any) -> None:
    BaseConverter.__init__(self, url_map)
    self.regex = patterns[0].replace(".+", r"[\s\S]+")


def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to be so; fail when it is not in time."""
    clock = SystemClock()
    give_up_at = clock.monotonic() + seconds
    while not is_so():
        assert clock.monotonic() < give_up_at, "it took too long"
        clock.wait(threading.Event(), 0.01)


@dataclass
class Bucket:
    """A bucket that tells a queue of new objects."""

    name: str
    server: S3Server
    queue_url: str
    queue_arn: str

    def put(self, key: str, body: bytes = b"a,b\n1,2\n") -> None:
        self.server.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.server.s3.delete_object(Bucket=self.name, Key=key)

    def keys(self) -> list[str]:
        pages = self.server.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.name
        )
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def body(self, key: str) -> bytes:
        answer = self.server.s3.get_object(Bucket=self.name, Key=key)
        body: bytes = answer["Body"].read()
        return body

    def send(self, body: str | Mapping[str, Any]) -> None:
        """Put a message of our own into the queue."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.server.sqs.send_message(QueueUrl=self.queue_url, MessageBody=text)

    def queued(self) -> int:
        """Return how many messages the queue has, held ones too."""
        return self.server.queued(self.queue_url)

    def config(self, **changes: Any) -> LandingConfig:
        """Return how a project names this bucket."""
        given: dict[str, Any] = {
            "path": f"s3://{self.name}/in",
            "endpoint": self.server.url,
            "region": "us-east-1",
            "allow_http": True,
            "queue": self.queue_url.rsplit("/", 1)[-1],
            **changes,
        }
        return LandingConfig(
            **{key: value for key, value in given.items() if value is not None}
        )


class S3Server:
    """Buckets, queues and topics at one address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.s3 = self._client("s3")
        self.sqs = self._client("sqs")
        self.sns = self._client("sns")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload, unused-ignore]
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(max_pool_connections=32),
        )

    def make_queue(self, **attributes: str) -> tuple[str, str]:
        """Return the URL and the ARN of a new queue."""
        made = self.sqs.create_queue(
            QueueName=f"queue-{next(_numbers)}", Attributes=attributes
        )
        url: str = made["QueueUrl"]
        said = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, said["Attributes"]["QueueArn"]

    def make_bucket(self, *, through_topic: bool = False) -> Bucket:
        """Make a bucket whose new objects below `in/` are told to a queue."""
        name = f"bucket-{next(_numbers)}"
        self.s3.create_bucket(Bucket=name)
        queue_url, queue_arn = self.make_queue()
        kind, target = "Queue", queue_arn
        if through_topic:
            kind, target = "Topic", self.sns.create_topic(Name=name)["TopicArn"]
            self.sns.subscribe(TopicArn=target, Protocol="sqs", Endpoint=queue_arn)
        told = {f"{kind}Arn": target, "Events": ["s3:ObjectCreated:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={f"{kind}Configurations": [told]}
        )
        return Bucket(name, self, queue_url, queue_arn)

    def queued(self, queue_url: str) -> int:
        said = self.sqs.get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(said["Attributes"]["ApproximateNumberOfMessages"])


@contextmanager
def started_server() -> Iterator[S3Server]:
    """Run a server, with credentials for it, for the length of a block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    quicken_moto()
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        with pytest.MonkeyPatch.context() as patch:
            for name in REMOVED_ENVIRONMENT:
                patch.delenv(name, raising=False)
            for name, value in ENVIRONMENT.items():
                patch.setenv(name, value)
            yield S3Server(f"http://{host}:{port}")
    finally:
        moto.stop()
