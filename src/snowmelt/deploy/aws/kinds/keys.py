"""The key of KMS that files are encrypted with, found by its alias."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.kinds.kind import Wish, asked, told_if_there
from snowmelt.deploy.aws.marking import mark_of, pairs, tags_of, unfinished, unpaired
from snowmelt.deploy.aws.resources import KEY, PROVIDER
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import as_text, merge, of_sids
from snowmelt.deploy.aws.tagged import tagged_arns
from snowmelt.deploy.aws.telling import told_policy
from snowmelt.deploy.resource import Found, Mark

HOLDS = "what was encrypted with it can never be read again"
WINDOW_DAYS = 30
_TAG = ("TagKey", "TagValue")
_WAITING = "PendingDeletion"
_NOT_YET = frozenset({"NotFoundException"})


class Keys:
    """Keys, by the names of their aliases."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        said = asked(calls, "kms", "describe_key", KeyId=name).get("KeyMetadata")
        if said is None:
            return None
        properties: dict[str, Value] = {"state": said["KeyState"]}
        if said["KeyState"] != _WAITING:
            properties |= self._settings(calls, said["KeyId"])
        return Found(
            Address(PROVIDER, "key", name),
            properties,
            self._mark(calls, said["KeyId"]),
            KEY,
            outputs={"arn": said["Arn"], "id": said["KeyId"]},
            holds=HOLDS,
        )

    def _settings(self, calls: Calls, key_id: str) -> Mapping[str, Value]:
        turns = calls.ask("kms", "get_key_rotation_status", KeyId=key_id)
        ours = of_sids(self._policy(calls, key_id), policies.KEY_SIDS)
        return {
            "rotation": bool(turns["KeyRotationEnabled"]),
            "policy": told_policy({"Statement": ours}),
        }

    def _policy(self, calls: Calls, key_id: str) -> dict[str, Any] | None:
        said = asked(calls, "kms", "get_key_policy", KeyId=key_id, PolicyName="default")
        found: dict[str, Any] | None = json.loads(said["Policy"]) if said else None
        return found

    def _mark(self, calls: Calls, key_id: str) -> Mark | None:
        said = asked(calls, "kms", "list_resource_tags", KeyId=key_id)
        return mark_of(unpaired(said.get("Tags", []), *_TAG))

    def settle(self, calls: Calls, wish: Wish) -> None:
        name = wish.wanted.address.name
        key_id = self._taken(calls, wish) if wish.is_new else self._id(calls, name)
        is_fresh = key_id is None
        if key_id is None:
            key_id = self._made(calls, wish)
        if wish.is_new:
            calls.tell(
                "kms",
                "create_alias",
                AliasName=name,
                TargetKeyId=key_id,
                patient=_NOT_YET,
            )
        elif wish.concerns("state"):
            self._enable(calls, key_id)
        if wish.concerns("rotation"):
            calls.tell("kms", "enable_key_rotation", KeyId=key_id)
        if wish.concerns("policy") and not is_fresh:
            document = merge(
                self._policy(calls, key_id), policies.key(self._site)["Statement"]
            )
            calls.tell(
                "kms",
                "put_key_policy",
                KeyId=key_id,
                PolicyName="default",
                Policy=as_text(document),
            )
        calls.tell(
            "kms", "tag_resource", KeyId=key_id, Tags=pairs(tags_of(wish.mark), *_TAG)
        )

    def _id(self, calls: Calls, name: str) -> str:
        return str(calls.ask("kms", "describe_key", KeyId=name)["KeyMetadata"]["KeyId"])

    def _taken(self, calls: Calls, wish: Wish) -> str | None:
        """Return a key of ours that has no name yet, or waits to be deleted.

        A key costs money and cannot be found by its name before it has one: one that
        was made before an interruption is taken, never a second one made. So is one
        that waits for deletion: files may still need it.
        """
        for arn in tagged_arns(calls, wish.mark.owner, "kms"):
            said = asked(calls, "kms", "describe_key", KeyId=arn).get("KeyMetadata")
            if said is not None:
                self._enable(calls, said["KeyId"])
                return str(said["KeyId"])
        return None

    def _made(self, calls: Calls, wish: Wish) -> str:
        made = calls.tell(
            "kms",
            "create_key",
            Description=f"Files of snowmelt {wish.mark.owner}",
            Policy=as_text(policies.key(self._site)),
            Tags=pairs(tags_of(unfinished(wish.mark)), *_TAG),
        )
        return str(made["KeyMetadata"]["KeyId"])

    def _enable(self, calls: Calls, key_id: str) -> None:
        said = calls.ask("kms", "describe_key", KeyId=key_id)
        state = said["KeyMetadata"]["KeyState"]
        if state == _WAITING:
            calls.tell("kms", "cancel_key_deletion", KeyId=key_id)
        if state != "Enabled":
            calls.tell("kms", "enable_key", KeyId=key_id)

    def drop(self, calls: Calls, found: Found) -> None:
        """Take its name away, and have it deleted after the longest time there is."""
        said = asked(calls, "kms", "describe_key", KeyId=found.outputs["id"])
        if said and said["KeyMetadata"]["KeyState"] != _WAITING:
            calls.tell(
                "kms",
                "schedule_key_deletion",
                KeyId=found.outputs["id"],
                PendingWindowInDays=WINDOW_DAYS,
            )
        if found.address.name.startswith("alias/"):
            told_if_there(calls, "kms", "delete_alias", AliasName=found.address.name)
