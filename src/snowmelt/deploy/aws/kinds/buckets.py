"""The bucket that files land in, with all that is set on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.aws.kinds.kind import Wish, asked, told_if_there
from snowmelt.deploy.aws.marking import mark_of, pairs, tags_of, unfinished, unpaired
from snowmelt.deploy.aws.resources import (
    BUCKET,
    PROVIDER,
    RULES,
    Bucket,
    told_rule,
)
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import as_text, of_sids
from snowmelt.deploy.aws.telling import told_policy
from snowmelt.deploy.resource import Found
from snowmelt.errors import SnowmeltError

_PAGE = 1000
_SMALLEST = "TransitionDefaultMinimumObjectSize"
_FIRST_REGION = "us-east-1"
_OLD_NAMES = {None: _FIRST_REGION, "": _FIRST_REGION, "EU": "eu-west-1"}
_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_NOT_YET = frozenset({"NoSuchBucket", "OperationAborted"})


class Buckets:
    """Buckets, by their names."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        try:
            at = calls.ask("s3", "get_bucket_location", Bucket=name)
        except Missing:
            return None
        where = at.get("LocationConstraint")
        properties: dict[str, Value] = {"region": _OLD_NAMES.get(where, where)}
        properties |= self._encryption(calls, name)
        properties |= self._settings(calls, name)
        key = properties.get("key")
        return Found(
            Address(PROVIDER, "bucket", name),
            properties,
            mark_of(_tags(calls, name)),
            BUCKET,
            outputs={"arn": f"arn:{self._site.partition}:s3:::{name}", "name": name},
            holds=_held(calls, name),
            needs=(Address(PROVIDER, "key", self._site.key_alias),) if key else (),
        )

    def _encryption(self, calls: Calls, name: str) -> Mapping[str, Value]:
        said = asked(calls, "s3", "get_bucket_encryption", Bucket=name)
        rules = said.get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
        return {
            "encryption": default.get("SSEAlgorithm"),
            "key": default.get("KMSMasterKeyID"),
            "bucket_key": bool(rules[0].get("BucketKeyEnabled", False)),
        }

    def _settings(self, calls: Calls, name: str) -> Mapping[str, Value]:
        versioning = calls.ask("s3", "get_bucket_versioning", Bucket=name)
        access = asked(calls, "s3", "get_public_access_block", Bucket=name)
        said = access.get("PublicAccessBlockConfiguration", {})
        open_to = [each for each in _BLOCKED if not said.get(each)]
        ours = of_sids(_policy(calls, name), policies.BUCKET_SIDS)
        rules = [rule for rule in _rules(calls, name) if _is_ours(rule)]
        return {
            "versioning": versioning.get("Status"),
            "public_access": f"not {', '.join(open_to)}" if open_to else "blocked",
            "policy": told_policy({"Statement": ours}),
            "lifecycle": tuple(
                told_rule(rule) for rule in sorted(rules, key=lambda each: each["ID"])
            ),
        }

    def settle(self, calls: Calls, wish: Wish) -> None:
        name = wish.wanted.address.name
        if wish.is_new:
            self._make(calls, wish)
        if wish.concerns("public_access"):
            calls.tell(
                "s3",
                "put_public_access_block",
                Bucket=name,
                PublicAccessBlockConfiguration=_BLOCKED,
                patient=_NOT_YET,
            )
        if wish.concerns("encryption", "key", "bucket_key"):
            self._encrypt(calls, name, wish.properties["key"])
        if wish.concerns("versioning"):
            calls.tell(
                "s3",
                "put_bucket_versioning",
                Bucket=name,
                VersioningConfiguration={"Status": "Enabled"},
                patient=_NOT_YET,
            )
        if wish.concerns("policy"):
            document = policies.bucket(self._site, _policy(calls, name))
            calls.tell(
                "s3",
                "put_bucket_policy",
                Bucket=name,
                Policy=as_text(document),
                patient=_NOT_YET,
            )
        if wish.concerns("lifecycle"):
            self._set_rules(calls, wish)
        kept = _tags(calls, name)
        calls.tell(
            "s3",
            "put_bucket_tagging",
            Bucket=name,
            Tagging={"TagSet": pairs({**kept, **tags_of(wish.mark)})},
            patient=_NOT_YET,
        )

    def _make(self, calls: Calls, wish: Wish) -> None:
        """Make it with its tags: there is no moment in which nobody knows whose it is.

        The oldest region is the one that is not to be named.
        """
        where: dict[str, Any] = {"Tags": pairs(tags_of(unfinished(wish.mark)))}
        if self._site.region != _FIRST_REGION:
            where["LocationConstraint"] = self._site.region
        calls.tell(
            "s3",
            "create_bucket",
            Bucket=wish.wanted.address.name,
            CreateBucketConfiguration=where,
            patient=frozenset({"OperationAborted"}),
        )

    def _encrypt(self, calls: Calls, name: str, key_arn: str) -> None:
        rule = {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": key_arn,
            },
            "BucketKeyEnabled": True,
        }
        calls.tell(
            "s3",
            "put_bucket_encryption",
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": [rule]},
            patient=_NOT_YET,
        )

    def _set_rules(self, calls: Calls, wish: Wish) -> None:
        assert isinstance(wish.wanted, Bucket)
        name = wish.wanted.address.name
        said = asked(calls, "s3", "get_bucket_lifecycle_configuration", Bucket=name)
        theirs = [rule for rule in said.get("Rules", []) if not _is_ours(rule)]
        kept = {_SMALLEST: said[_SMALLEST]} if _SMALLEST in said else {}
        calls.tell(
            "s3",
            "put_bucket_lifecycle_configuration",
            Bucket=name,
            LifecycleConfiguration={"Rules": [*theirs, *wish.wanted.rules]},
            **kept,
            patient=_NOT_YET,
        )

    def drop(self, calls: Calls, found: Found) -> None:
        """Take it away; what is in it only goes where a person let go of that."""
        name = found.address.name
        if found.holds:
            _empty(calls, name)
        told_if_there(calls, "s3", "delete_bucket", Bucket=name)


def _tags(calls: Calls, name: str) -> dict[str, str]:
    return unpaired(
        asked(calls, "s3", "get_bucket_tagging", Bucket=name).get("TagSet", [])
    )


def _policy(calls: Calls, name: str) -> dict[str, Any] | None:
    said = asked(calls, "s3", "get_bucket_policy", Bucket=name)
    found: dict[str, Any] | None = json.loads(said["Policy"]) if said else None
    return found


def _rules(calls: Calls, name: str) -> list[dict[str, Any]]:
    said = asked(calls, "s3", "get_bucket_lifecycle_configuration", Bucket=name)
    return list(said.get("Rules", []))


def _is_ours(rule: Mapping[str, Any]) -> bool:
    return str(rule.get("ID", "")).startswith(RULES)


def _held(calls: Calls, name: str) -> str:
    """Say how many versions of files are in a bucket, counting a page at most."""
    page = asked(calls, "s3", "list_object_versions", Bucket=name, MaxKeys=_PAGE)
    count = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
    if not count:
        return ""
    more = " or more" if page.get("IsTruncated") else ""
    return f"{count}{more} version{'' if count == 1 else 's'} of files"


def _empty(calls: Calls, name: str) -> None:
    """Delete all versions of all files, a page at a time."""
    calls.note(f"delete all versions of all files in s3://{name}")
    while True:
        page = asked(calls, "s3", "list_object_versions", Bucket=name, MaxKeys=_PAGE)
        listed = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
        ]
        if not listed:
            return
        answer = calls.tell(
            "s3",
            "delete_objects",
            Bucket=name,
            Delete={"Objects": listed, "Quiet": True},
        )
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise SnowmeltError(
                f"s3://{name}/{first.get('Key', '')}",
                f"it cannot be deleted: {first.get('Code')}: {first.get('Message')}",
                "`snowmelt deploy rights --with-data` prints what that needs.",
            )
