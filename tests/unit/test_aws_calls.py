"""Calls that deploying makes: with patience, and with errors that say what helps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from botocore.exceptions import (  # type: ignore[import-untyped]
    ClientError,
    EndpointConnectionError,
)

from snowmelt.aws import Aws
from snowmelt.deploy.aws.calls import (
    PATIENCE_SECONDS,
    LiveCalls,
    Missing,
    WrittenCalls,
    as_command,
)
from snowmelt.deploy.aws.refusals import DeniedError, right_of
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError


class Service:
    """A service that answers with what it is given, in turn."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    def put_thing(self, **words: Any) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class StillClock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.seconds += seconds
        self.waits.append(seconds)
        return False


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutThing")


def calls_to(service: Service, clock: StillClock | None = None) -> LiveCalls:
    class Chain:
        def service(self, name: str) -> Service:
            return service

    return LiveCalls(lambda: cast(Aws, Chain()), clock or StillClock())


def test_what_passes_by_itself_is_waited_for() -> None:
    clock = StillClock()
    service = Service(refused("NoSuchBucket"), refused("NoSuchBucket"), {"ok": 1})
    patient = frozenset({"NoSuchBucket"})
    assert calls_to(service, clock).tell("s3", "put_thing", patient=patient) == {
        "ok": 1
    }
    assert clock.waits == [0.5, 1.0]


def test_patience_has_an_end() -> None:
    clock = StillClock()
    service = Service(refused("InvalidArgument", "Unable to validate"))
    with pytest.raises(UnreachableError, match="InvalidArgument: Unable to validate"):
        calls_to(service, clock).tell(
            "s3", "put_thing", patient=frozenset({"InvalidArgument"})
        )
    assert clock.waits == sorted(clock.waits), "ever more rarely"
    assert PATIENCE_SECONDS - 10 < sum(clock.waits) <= PATIENCE_SECONDS


def test_what_does_not_pass_is_told_at_once() -> None:
    service = Service(refused("MalformedPolicy"))
    with pytest.raises(UnreachableError):
        calls_to(service).tell("s3", "put_thing", patient=frozenset({"NoSuchBucket"}))
    assert service.asked == 1


@pytest.mark.parametrize(
    "code",
    [
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFoundException",
        "NotFound",
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchLifecycleConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    ],
)
def test_what_is_not_there_is_missing(code: str) -> None:
    with pytest.raises(Missing):
        calls_to(Service(refused(code))).ask("s3", "put_thing")


@pytest.mark.parametrize(
    ("code", "kind", "helps"),
    [
        ("AccessDenied", DeniedError, "Grant s3:PutThing on shop: .*deploy rights"),
        ("403", DeniedError, "Grant s3:PutThing"),
        ("ThrottlingException", UnreachableError, "apply again in a minute"),
        ("SlowDown", UnreachableError, "apply again in a minute"),
        ("ExpiredToken", UnreachableError, "sign in again"),
        ("InvalidClientTokenId", UnreachableError, "does not know this key"),
        ("RequestTimeTooSkewed", UnreachableError, "clock differs"),
        ("SignatureDoesNotMatch", UnreachableError, "clock is wrong"),
        ("PermanentRedirect", ConfigError, "aws: region"),
        ("BucketAlreadyExists", ConfigError, "aws: bucket"),
        ("BucketNotEmpty", UnreachableError, "stop who writes"),
        ("DeleteConflict", UnreachableError, "take those off first"),
        ("EntityAlreadyExists", UnreachableError, "made meanwhile"),
        ("SomethingNew", UnreachableError, "SomethingNew: no"),
    ],
)
def test_a_refusal_says_what_helps(
    code: str, kind: type[SnowmeltError], helps: str
) -> None:
    with pytest.raises(kind, match=f"(?s)aws s3 put_thing shop: {code}.*") as told:
        calls_to(Service(refused(code))).ask("s3", "put_thing", Bucket="shop")
    assert type(told.value) is kind
    with pytest.raises(kind, match=helps):
        raise told.value


def test_who_cannot_be_reached_is_told() -> None:
    unreachable = EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        calls_to(Service(unreachable)).ask("s3", "put_thing")


def test_rights_are_called_as_iam_calls_them() -> None:
    assert right_of("s3", "put_bucket_encryption") == "s3:PutEncryptionConfiguration"
    assert right_of("s3", "list_object_versions") == "s3:ListBucketVersions"
    assert right_of("iam", "get_role") == "iam:GetRole"
    tagged = right_of("resourcegroupstaggingapi", "get_resources")
    assert tagged == "tag:GetResources"


def test_a_command_is_quoted_for_the_shell() -> None:
    words = {
        "KeyId": "$KEY_ID",
        "Policy": '{"a": "it\'s $KEY_ARN"}',
        "tags": {"b": "c"},
    }
    assert as_command("kms", "put_key", words) == (
        """aws kms put-key --key-id "$KEY_ID" """
        """--policy '{"a": "it'"'"'s '"$KEY_ARN"'"}' --tags '{"b": "c"}'"""
    )


def test_what_only_aws_can_tell_becomes_a_variable() -> None:
    written = WrittenCalls()
    key = written.tell("kms", "create_key", Description="x")["KeyMetadata"]["KeyId"]
    written.tell("kms", "enable_key_rotation", KeyId=key)
    with pytest.raises(Missing):
        written.ask("kms", "get_key_policy", KeyId=key)
    assert written.lines == [
        "KEY_ID=$(aws kms create-key --description x "
        "--query KeyMetadata.KeyId --output text)",
        'aws kms enable-key-rotation --key-id "$KEY_ID"',
    ]
