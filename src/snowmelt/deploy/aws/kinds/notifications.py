"""Our part of a bucket's notifications. They are one document, with others' parts.

Our part is known by its id, which is our mark. Parts of others stay; one that tells of
the same files stands in our way, for S3 lets files be told of once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.aws.kinds.kind import Wish, asked
from snowmelt.deploy.aws.resources import EVENTS, NOTIFICATION, PROVIDER
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.resource import Found, Mark

_PARTS = (
    "TopicConfigurations",
    "QueueConfigurations",
    "LambdaFunctionConfigurations",
)
_TOPICS = _PARTS[0]
_CREATED = "s3:ObjectCreated:"
# S3 asks the topic whether it may publish, and the topic may not know yet that it may.
_NOT_YET = frozenset({"InvalidArgument", "OperationAborted", "NoSuchBucket"})


class Notifications:
    """Our notification of each bucket, by the bucket's name."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._owner = site.owner

    def find(self, calls: Calls, name: str) -> Found | None:
        try:
            document = calls.ask(
                "s3", "get_bucket_notification_configuration", Bucket=name
            )
        except Missing:
            return None
        parts = [
            (mark, part) for part in _parts(document) for mark in [_mark(part)] if mark
        ]
        ours = next((each for each in parts if each[0].owner == self._owner), None)
        if ours is not None:
            return _found(name, ours[0], ours[1])
        wants = name == self._site.bucket
        for part in _parts(document) if wants else ():
            if self._is_in_the_way(part):
                return _found(name, _mark(part), part)
        return None

    def _is_in_the_way(self, part: Mapping[str, Any]) -> bool:
        """Does it tell of files below our prefix, or of all among which they are?"""
        tells = any(event.startswith(_CREATED) for event in part.get("Events", []))
        theirs = _prefix(part)
        ours = self._site.prefix
        return tells and (theirs.startswith(ours) or ours.startswith(theirs))

    def settle(self, calls: Calls, wish: Wish) -> None:
        ours: dict[str, Any] = {
            "Id": str(wish.mark),
            "TopicArn": self._site.topic_arn,
            "Events": list(EVENTS),
        }
        if self._site.prefix:
            rule = {"Name": "prefix", "Value": self._site.prefix}
            ours["Filter"] = {"Key": {"FilterRules": [rule]}}
        self._write(calls, wish.wanted.address.name, [ours])

    def drop(self, calls: Calls, found: Found) -> None:
        try:
            self._write(calls, found.address.name, [])
        except Missing:
            return  # it went with its bucket

    def _write(self, calls: Calls, bucket: str, ours: list[dict[str, Any]]) -> None:
        found = asked(
            calls, "s3", "get_bucket_notification_configuration", Bucket=bucket
        )
        document = {
            key: [each for each in value if not self._is_ours(each)]
            if key in _PARTS
            else value
            for key, value in found.items()
            if key != "ResponseMetadata"
        }
        if ours:
            document[_TOPICS] = [*document.get(_TOPICS, []), *ours]
        calls.tell(
            "s3",
            "put_bucket_notification_configuration",
            Bucket=bucket,
            NotificationConfiguration=document,
            patient=_NOT_YET if ours else frozenset(),
        )

    def _is_ours(self, part: Mapping[str, Any]) -> bool:
        mark = _mark(part)
        return mark is not None and mark.owner == self._owner


def _found(bucket: str, mark: Mark | None, part: Mapping[str, Any]) -> Found:
    properties: dict[str, Value] = {
        "topic": part.get("TopicArn"),
        "events": tuple(sorted(part.get("Events", []))),
        "prefix": _prefix(part),
    }
    address = Address(PROVIDER, "notification", bucket)
    return Found(address, properties, mark, NOTIFICATION)


def _parts(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in _PARTS:
        yield from document.get(name, [])


def _mark(part: Mapping[str, Any]) -> Mark | None:
    return Mark.read(part.get("Id"))


def _prefix(part: Mapping[str, Any]) -> str:
    rules = part.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    found = (rule["Value"] for rule in rules if rule["Name"].lower() == "prefix")
    return next(found, "")
