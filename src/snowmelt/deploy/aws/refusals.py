"""What AWS refused, in words that say what helps: a right, a clock, another name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from snowmelt.aws import AwsCallError
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError


class DeniedError(UnreachableError):
    """A right is missing."""


RIGHTS = "`snowmelt deploy rights` prints what who deploys needs."
_SHIPPING = {"s3:ListBucket", "s3:PutObject"}
_OF_SERVICE = (
    "`snowmelt deploy rights --for service` prints what who puts files there needs."
)
# Where the right is not called as the operation is.
_RIGHTS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "resourcegroupstaggingapi:GetResources": "tag:GetResources",
}
_NAMES = (
    "Bucket",
    "RoleName",
    "QueueName",
    "QueueUrl",
    "TopicArn",
    "ResourceArn",
    "Name",
    "AliasName",
    "KeyId",
    "SubscriptionArn",
)
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "AWS.SimpleQueueService.AccessDenied",
    "403",
    "UnauthorizedOperation",
}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
}
_KEY = "AWS does not know this key: correct AWS_ACCESS_KEY_ID, or the profile."
_OVER = "The credentials are over: sign in again."
_CLOCK = "This machine's clock differs from that of AWS: set it, such as by NTP."
_REGION = "The bucket is in another region: correct the target's aws: region."
_MEANWHILE = "It was made meanwhile: look at the plan again."
_LATER = "It was dropped a moment ago: apply again in a minute."
_REMEDIES = {
    "ExpiredToken": _OVER,
    "ExpiredTokenException": _OVER,
    "TokenRefreshRequired": _OVER,
    "InvalidClientTokenId": _KEY,
    "InvalidAccessKeyId": _KEY,
    "UnrecognizedClientException": _KEY,
    "SignatureDoesNotMatch": "The secret is not that of the key: correct it. "
    "Or this machine's clock is wrong: set it.",
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "BucketAlreadyExists": "Somebody else has a bucket of this name: "
    "write another one in the target's aws: bucket.",
    "AWS.SimpleQueueService.QueueDeletedRecently": _LATER,
    "QueueDeletedRecently": _LATER,
    "BucketNotEmpty": "Files came while it was emptied: stop who writes them, "
    "and try again.",
    "EntityAlreadyExists": _MEANWHILE,
    "AlreadyExistsException": _MEANWHILE,
    "BucketAlreadyOwnedByYou": _MEANWHILE,
    "QueueNameExists": _MEANWHILE,
    "QueueAlreadyExists": _MEANWHILE,
    "DeleteConflict": "Others hung policies or profiles on it: take those off first.",
    "NoCredentialsError": "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY.",
    "OptInRequired": "The region is not switched on for this account.",
}
_BY_CONFIG = {each for each in _REMEDIES if _REMEDIES[each] == _REGION}


def right_of(service: str, operation: str) -> str:
    """Return the right that an operation of the client library needs."""
    called = "".join(word.capitalize() for word in operation.split("_"))
    return _RIGHTS.get(f"{service}:{called}", f"{service}:{called}")


def refusal_of(
    service: str, operation: str, words: Mapping[str, Any], error: AwsCallError
) -> SnowmeltError:
    """Return what a person reads of a call that failed."""
    name = next((str(words[key]) for key in _NAMES if key in words), "")
    where = f"aws {service} {operation} {name}".rstrip()
    problem = f"{error.code}: {error.message}".rstrip(": ")
    kind, remedy = _sorted(error.code, right_of(service, operation), name)
    return kind(where, problem.rstrip("."), remedy)


def _sorted(
    code: str, right: str, name: str
) -> tuple[Callable[[str, str, str], SnowmeltError], str]:
    if code in _DENIED:
        printed = _OF_SERVICE if right in _SHIPPING else RIGHTS
        return DeniedError, f"Grant {right} on {name or 'it'}: {printed}"
    if code in _THROTTLED:
        return UnreachableError, "AWS asks for patience: apply again in a minute."
    is_config = code in _BY_CONFIG or code == "BucketAlreadyExists"
    return ConfigError if is_config else UnreachableError, _REMEDIES.get(code, "")
