"""The keys of `landing:` in snowmelt.yml, and how durations are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_QUEUE = re.compile(r"(arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:)?[A-Za-z0-9_-]{1,80}")
_URL = re.compile(r"https?://[^/\s@?#]+(/[^\s?#]*)?$")
_VISIBILITY_SECONDS_MAX = 12 * 3600
_ONLY_S3 = {
    "queue",
    "dead_letter_queue",
    "endpoint",
    "region",
    "profile",
    "allow_http",
    "visibility_timeout",
    "queue_receives_max",
    "queue_messages_max",
}


def parse_duration(text: str) -> timedelta:
    """Read a number with its unit. Raises ValueError that says how it is written."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a number and a unit, such as 200ms, 2s, 5m, 1h or 1d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _read_duration(given: Any) -> Any:
    if isinstance(given, timedelta):
        return given
    return parse_duration(given if isinstance(given, str) else "")


Duration = Annotated[timedelta, BeforeValidator(_read_duration, str)]


def duration_field(default: str, description: str) -> Any:
    """Return a field whose default is shown as it is written, with its unit."""
    return Field(
        parse_duration(default),
        description=description,
        json_schema_extra={"default": default},
    )


@dataclass(frozen=True)
class BucketPath:
    """A bucket, and the part of it that is the stage.

    `prefix` is empty or ends with a slash: keys begin with it, names do not.
    """

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def bucket_path(path: str) -> BucketPath | None:
    """Read `s3://BUCKET/PREFIX`; None when the path is none of a bucket.

    Raises ValueError when it begins like one and is not.
    """
    scheme, mark, rest = path.partition("://")
    if not mark:
        return None
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise ValueError("'path' is a folder, or a bucket such as s3://BUCKET/PREFIX")
    prefix = prefix.rstrip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError("'path': the prefix has an empty part, '.' or '..'")
    return BucketPath(bucket, f"{prefix}/" if prefix else "")


class LandingConfig(BaseModel):
    """Where files arrive, and when one is taken to be whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(
        "landing",
        description="Folder, relative to the project; or s3://BUCKET/PREFIX.",
    )
    settle: Duration = duration_field(
        "2s",
        "How long a file must rest before it counts as whole. One that was renamed "
        "into place does not wait, and one that its writer closed waits `200ms`: "
        "unless this is longer than `2s`, for writers that close a file and go on "
        "later. Better than any wait: write under another name, then rename.",
    )
    settle_max: Duration = duration_field(
        "30s", "How long `snowmelt run` waits for files that keep changing."
    )
    refresh_every: Duration = duration_field(
        "30s", "How often the stage is listed, whatever was notified."
    )
    queue: str | None = Field(
        None,
        description="SQS queue that is told of new objects: its URL, ARN or name. "
        "Without one, objects are found by listing.",
    )
    dead_letter_queue: str | None = Field(
        None,
        description="SQS queue for messages that cannot be read: its URL, ARN or name. "
        "Without one, they are left to the queue's own redrive policy.",
    )
    endpoint: str | None = Field(
        None,
        description="URL of an S3-compatible server; AWS itself without it. "
        "Queues given by URL are reached at their own.",
    )
    region: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+$",
        description="AWS region; the environment's or the profile's without it.",
    )
    profile: str | None = Field(
        None, min_length=1, description="Profile in the AWS configuration files."
    )
    allow_http: bool = Field(
        False, description="May the endpoint be reached without encryption?"
    )
    visibility_timeout: Duration = duration_field(
        "5m",
        "How long the queue keeps a message from others; extended while its files "
        "are pending.",
    )
    queue_receives_max: int = Field(
        5,
        ge=1,
        description="How often a message that cannot be read is received "
        "before it goes to the dead-letter queue.",
    )
    queue_messages_max: int = Field(
        10_000,
        ge=10,
        le=100_000,
        description="How many messages may wait for their files; "
        "no more are received until some are settled.",
    )

    @property
    def bucket_path(self) -> BucketPath | None:
        """Return the bucket and prefix, if files arrive in a bucket."""
        return bucket_path(self.path)

    @model_validator(mode="after")
    def _fits_together(self) -> LandingConfig:
        if self.bucket_path is None:
            only_s3 = sorted(self.model_fields_set & _ONLY_S3)
            if only_s3:
                raise ValueError(
                    f"'{only_s3[0]}' is for files in a bucket: "
                    "write path: s3://BUCKET/PREFIX, or leave the key out"
                )
            return self
        if self.dead_letter_queue and not self.queue:
            raise ValueError("'dead_letter_queue' needs a 'queue'")
        self._check_visibility()
        self._check_addresses()
        return self

    def _check_visibility(self) -> None:
        seconds = self.visibility_timeout.total_seconds()
        if not 1 <= seconds <= _VISIBILITY_SECONDS_MAX:
            raise ValueError("'visibility_timeout' is between 1s and 12h")

    def _check_addresses(self) -> None:
        queues = {"queue": self.queue, "dead_letter_queue": self.dead_letter_queue}
        for key, given in queues.items():
            if given is not None and "://" not in given:
                if not _QUEUE.fullmatch(given):
                    raise ValueError(
                        f"'{key}' is the URL, the ARN or the name of a queue"
                    )
                queues[key] = None
        for key, url in {"endpoint": self.endpoint, **queues}.items():
            if url is None:
                continue
            if not _URL.match(url):
                raise ValueError(f"'{key}' is a URL such as https://HOST:PORT")
            if url.startswith("http://") and not self.allow_http:
                raise ValueError(
                    f"'{key}' is not encrypted: write https://, or allow_http: true"
                )
