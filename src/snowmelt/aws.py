"""The one door to the AWS client library.

It is imported when a bucket is used, not before: a project that loads from a folder
does without it. Credentials come from the usual chain (environment, profile, role, web
identity); they are handed to clients and never written anywhere.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UnreachableError

NOT_INSTALLED = "files in a bucket need packages that are not installed"
INSTALL = "Install what it needs: pip install 'snowmelt[s3]'"
# A temporary credential is asked for again well before it can expire.
_CREDENTIAL_TTL = timedelta(minutes=5)
_MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchVersion", "NoSuchUpload"}
_REFUSED = {"412", "PreconditionFailed", "ConditionalRequestConflict"}


# How each service says that something is not there.
_ABSENT = {
    *("NoSuchBucket", "NoSuchBucketPolicy", "NoSuchTagSet", "404", "NotFound"),
    *("NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration"),
    *("ServerSideEncryptionConfigurationNotFoundError", "NoSuchEntity"),
    *("NotFoundException", "NotFoundFault", "QueueDoesNotExist"),
    "AWS.SimpleQueueService.NonExistentQueue",
}


class AwsCallError(Exception):
    """A call failed; `code` is what the service, or the client library, calls it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    @property
    def is_missing(self) -> bool:
        """Is what was asked about not there?"""
        return self.code in _ABSENT


class PreconditionError(Exception):
    """The object is not the version that was asked for."""


@dataclass(frozen=True)
class Listed:
    """One object of a listing. `etag` is without its quotes."""

    key: str
    size: int
    modified_at: datetime
    etag: str


class Aws:
    """One chain of credentials, and the clients that use it.

    Raises ConfigError when the client library is not installed, when the profile is
    unknown, or when no region is said.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        where: str = "landing",
    ) -> None:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise ConfigError(where, NOT_INSTALLED, INSTALL) from None
        try:
            self._session = boto3.Session(profile_name=profile, region_name=region)
        except BotoCoreError as error:
            raise ConfigError(f"{where}.profile", str(error)) from None
        self._clock = clock
        self.endpoint = endpoint
        found = self._session.region_name or ("us-east-1" if endpoint else None)
        if found is None:
            raise ConfigError(
                f"{where}.region",
                "no region is said here, in the environment or in the profile",
                f"Write {where}.region, or set AWS_REGION.",
            )
        self.region: str = found
        self._lock = threading.Lock()
        self._credentials: Any = None

    def s3(self, connections: int = 16) -> Any:
        """Return a client of the bucket service, for any number of threads."""
        client = self._client(
            "s3",
            self.endpoint,
            self.region,
            max_pool_connections=connections,
            s3={"addressing_style": "path"} if self.endpoint else {},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        client.meta.events.register("before-parse.s3.ListObjectsV2", _take_listing)
        return client

    def sqs(self, endpoint: str | None = None, region: str | None = None) -> Any:
        """Return a client of the queue service."""
        return self._client("sqs", endpoint or self.endpoint, region or self.region)

    def sns(self) -> Any:
        """Return a client of the topic service."""
        return self._client("sns", self.endpoint, self.region)

    def service(self, name: str) -> Any:
        """Return a client of any service."""
        if name == "s3":
            return self.s3()
        return self._client(name, self.endpoint, self.region)

    def _client(
        self, service: str, endpoint: str | None, region: str, **config: Any
    ) -> Any:
        from botocore.config import Config

        settings = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 6},
            **config,
        )
        with self._lock:  # making clients is not safe in threads, using them is
            return self._session.client(
                service, endpoint_url=endpoint, region_name=region, config=settings
            )

    def credential(self) -> dict[str, Any]:
        """Return what the chain says now, in the words that obstore asks for."""
        with self._lock, calling("AWS credentials"):
            if self._credentials is None:
                self._credentials = self._session.get_credentials()
        if self._credentials is None:
            raise ConfigError(
                "landing.path: s3://",
                "no AWS credentials were found",
                "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            )
        with calling("AWS credentials"):
            frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": self._clock.now() + _CREDENTIAL_TTL,
        }


@contextmanager
def calling_service() -> Iterator[None]:
    """Name what a client raises by its code. Raises AwsCallError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        raise AwsCallError(code, str(said.get("Message", ""))) from None
    except BotoCoreError as error:
        raise AwsCallError(type(error).__name__, str(error)) from None


@contextmanager
def calling(where: str) -> Iterator[None]:
    """Sort what a client raises, for the length of a block.

    Raises FileNotFoundError when an object is not there, PreconditionError when it
    is another version, and UnreachableError for all else.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = str(said.get("Code", ""))
        if code in _MISSING:
            raise FileNotFoundError(where) from None
        if code in _REFUSED:
            raise PreconditionError(where) from None
        problem = f"{error.operation_name}: {code}: {said.get('Message', '')}"
        raise UnreachableError(where, problem.rstrip(": "), _remedy(code)) from None
    except BotoCoreError as error:
        raise UnreachableError(where, str(error)) from None


def _remedy(code: str) -> str:
    if code in ("AccessDenied", "403", "AccessDeniedException"):
        return "Give this identity the rights that the documentation lists."
    if code == "NoSuchBucket":
        return "Make the bucket, or correct landing.path."
    if code.endswith(("NonExistentQueue", "QueueDoesNotExist")):
        return "Make the queue, or correct landing.queue."
    return ""


def list_keys(client: Any, bucket: str, prefix: str) -> Iterator[list[Listed]]:
    """List all keys below a prefix, a page at a time, exactly as they are.

    Raises UnreachableError.
    """
    where = f"s3://{bucket}/{prefix}"
    token: dict[str, str] = {}
    while True:
        with calling(where):
            page = client.list_objects_v2(Bucket=bucket, Prefix=prefix, **token)
        if "Listed" not in page:
            raise UnreachableError(where, "the listing cannot be read")
        yield page["Listed"]
        if not page["Next"]:
            return
        token = {"ContinuationToken": page["Next"]}


def _take_listing(
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Read a page of a listing in the client's stead, at a tenth of its cost."""
    if response_dict["status_code"] >= 300:
        return
    try:
        listed, following = _read_listing(response_dict["body"])
    except (ET.ParseError, KeyError, ValueError):
        return
    customized_response_dict.update(Listed=listed, Next=following)
    response_dict["body"] = b"<ListBucketResult/>"


def _read_listing(body: bytes) -> tuple[list[Listed], str | None]:
    """Return the objects of a page, and where the next page begins."""
    root = ET.fromstring(body)
    space = root.tag[: root.tag.find("}") + 1]
    quoted = root.findtext(f"{space}EncodingType") == "url"
    listed = []
    for entry in root.iter(f"{space}Contents"):
        said = {part.tag[len(space) :]: part.text or "" for part in entry}
        listed.append(
            Listed(
                unquote_plus(said["Key"]) if quoted else said["Key"],
                int(said["Size"]),
                datetime.fromisoformat(said["LastModified"]).astimezone(UTC),
                said.get("ETag", "").strip('"'),
            )
        )
    following = root.findtext(f"{space}NextContinuationToken")
    truncated = root.findtext(f"{space}IsTruncated") == "true"
    if truncated and not following:
        raise ValueError("a listing that goes on does not say where")
    return listed, following if truncated else None
