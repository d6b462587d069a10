"""The bucket, as a canary uses it: put, list and delete below its own prefix."""

from __future__ import annotations

from typing import Any, Protocol

from snowmelt.aws import Aws, calling, list_keys
from snowmelt.clock import Clock
from snowmelt.deploy.naming import Names


class Bucket(Protocol):
    """Where a canary lands."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """List objects."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object."""
        ...


class S3Bucket:
    """The bucket of a target. Raises UnreachableError or ConfigError."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, key: str, content: bytes) -> None:
        with calling(f"s3://{self._name}/{key}"):
            self._client.put_object(Bucket=self._name, Key=key, Body=content)

    def keys(self, prefix: str) -> list[str]:
        with calling(f"s3://{self._name}/{prefix}"):
            pages = list_keys(self._client, self._name, prefix)
            return [each.key for page in pages for each in page]

    def delete(self, key: str) -> None:
        with calling(f"s3://{self._name}/{key}"):
            self._client.delete_object(Bucket=self._name, Key=key)


def open_bucket(names: Names, clock: Clock) -> S3Bucket:
    """Return the bucket of a target, with the credentials of its profile."""
    aws = names.target.aws
    chain = Aws(
        clock,
        endpoint=aws.endpoint,
        region=aws.region,
        profile=aws.profile,
        where=f"targets.{names.owner.target}.aws",
    )
    return S3Bucket(chain.s3(), aws.bucket)
