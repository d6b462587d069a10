"""The role that Snowflake takes: who may take it, and what it may then do."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from snowmelt.deploy.address import Address
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.kinds.kind import Wish, asked, told_if_there
from snowmelt.deploy.aws.marking import mark_of, pairs, tags_of, unfinished, unpaired
from snowmelt.deploy.aws.resources import PROVIDER, ROLE
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import as_text
from snowmelt.deploy.aws.telling import told_policy
from snowmelt.deploy.resource import Found

POLICY = "snowmelt-read"
# IAM takes a while to know a user that Snowflake made for us a moment ago.
_UNKNOWN_USER = frozenset({"MalformedPolicyDocument"})
_NOT_YET = frozenset({"NoSuchEntity"})


class Roles:
    """Roles, by their names. Their trust is ours as a whole: others add nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        said = asked(calls, "iam", "get_role", RoleName=name).get("Role")
        if said is None:
            return None
        reading = asked(
            calls, "iam", "get_role_policy", RoleName=name, PolicyName=POLICY
        )
        return Found(
            Address(PROVIDER, "iam_role", name),
            {
                "trust": told_policy(_document(said["AssumeRolePolicyDocument"])),
                "policy": told_policy(_document(reading.get("PolicyDocument"))),
            },
            mark_of(unpaired(said.get("Tags", []))),
            ROLE,
            outputs={"arn": said["Arn"]},
        )

    def settle(self, calls: Calls, wish: Wish) -> None:
        name = wish.wanted.address.name
        words = wish.inputs
        trust = as_text(policies.trust(words["user_arn"], words["external_id"]))
        if wish.is_new:
            calls.tell(
                "iam",
                "create_role",
                RoleName=name,
                AssumeRolePolicyDocument=trust,
                Description=f"Snowflake reads the files of snowmelt {wish.mark.owner}",
                Tags=pairs(tags_of(unfinished(wish.mark))),
                patient=_UNKNOWN_USER,
            )
        elif wish.concerns("trust"):
            calls.tell(
                "iam",
                "update_assume_role_policy",
                RoleName=name,
                PolicyDocument=trust,
                patient=_UNKNOWN_USER | _NOT_YET,
            )
        if wish.concerns("policy"):
            calls.tell(
                "iam",
                "put_role_policy",
                RoleName=name,
                PolicyName=POLICY,
                PolicyDocument=as_text(policies.reading(self._site, words["key_arn"])),
                patient=_NOT_YET,
            )
        calls.tell(
            "iam",
            "tag_role",
            RoleName=name,
            Tags=pairs(tags_of(wish.mark)),
            patient=_NOT_YET,
        )

    def drop(self, calls: Calls, found: Found) -> None:
        """Take away our policy, then the role; what others hung on it is in the way."""
        name = found.address.name
        told_if_there(
            calls, "iam", "delete_role_policy", RoleName=name, PolicyName=POLICY
        )
        told_if_there(calls, "iam", "delete_role", RoleName=name)


def _document(found: Any) -> dict[str, Any] | None:
    """The client library decodes documents of IAM, most of the time."""
    if isinstance(found, str):
        decoded: dict[str, Any] = json.loads(unquote(found))
        return decoded
    return dict(found) if found else None
