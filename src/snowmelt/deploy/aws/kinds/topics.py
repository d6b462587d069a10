"""The topic that is told of new files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from snowmelt.deploy.address import Address
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.kinds.kind import Wish, asked, told_if_there
from snowmelt.deploy.aws.marking import (
    mark_of,
    pairs,
    tags_of,
    unpaired,
)
from snowmelt.deploy.aws.resources import PROVIDER, TOPIC, TOPIC_POLICY
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import as_text, of_sids, without
from snowmelt.deploy.aws.telling import told_policy
from snowmelt.deploy.resource import Found

POLICY_TAG = "snowmelt:applied-policy"
HOLDS = "Snowflake would hear no new topic of this name for 72 hours"
"""Its queue listens to a topic until that is gone, and is not let listen again at once.

https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts
"""
_NOT_YET = frozenset({"NotFound"})
# SNS takes a while to know a user that Snowflake made for us a moment ago.
_UNKNOWN_USER = frozenset({"InvalidParameter"})


class Topics:
    """Topics, by their names."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        arn = self._site.topic_arn_of(name)
        if not asked(calls, "sns", "get_topic_attributes", TopicArn=arn):
            return None
        mark = mark_of(_tags(calls, arn))
        address = Address(PROVIDER, "topic", name)
        return Found(
            address,
            {"arn": arn},
            mark,
            TOPIC,
            outputs={"arn": arn},
            holds=HOLDS if name == self._site.topic else "",
        )

    def settle(self, calls: Calls, wish: Wish) -> None:
        if wish.is_new:
            calls.tell(
                "sns",
                "create_topic",
                Name=wish.wanted.address.name,
                Tags=pairs(tags_of(wish.mark)),
            )

    def drop(self, calls: Calls, found: Found) -> None:
        """Take it away, with all subscriptions to it."""
        told_if_there(calls, "sns", "delete_topic", TopicArn=found.outputs["arn"])


class TopicPolicies:
    """Our statements in the policy of a topic, by the topic's name.

    Whose they are, its topic says; what was applied is a tag of the topic, too.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        arn = self._site.topic_arn_of(name)
        said = asked(calls, "sns", "get_topic_attributes", TopicArn=arn)
        ours = of_sids(_policy_in(said), policies.TOPIC_SIDS)
        if not ours:
            return None
        tags = _tags(calls, arn)
        mark = mark_of(tags)
        topic = Address(PROVIDER, "topic", name)
        return Found(
            Address(PROVIDER, "topic_policy", name),
            {"policy": told_policy({"Statement": ours})},
            replace(mark, digest=tags.get(POLICY_TAG, "")) if mark else None,
            TOPIC_POLICY,
            needs=(topic,),
            inside=topic,
        )

    def settle(self, calls: Calls, wish: Wish) -> None:
        arn = self._site.topic_arn
        found = _policy_in(asked(calls, "sns", "get_topic_attributes", TopicArn=arn))
        document = policies.topic(self._site, wish.inputs["subscriber"], found)
        self._put(calls, arn, document)
        if wish.mark.digest:
            calls.tell(
                "sns",
                "tag_resource",
                ResourceArn=arn,
                Tags=pairs({POLICY_TAG: wish.mark.digest}),
                patient=_NOT_YET,
            )

    def drop(self, calls: Calls, found: Found) -> None:
        """Take our statements out, where others' stay; else they go with the topic."""
        arn = self._site.topic_arn_of(found.address.name)
        said = asked(calls, "sns", "get_topic_attributes", TopicArn=arn)
        left = without(_policy_in(said), policies.TOPIC_SIDS)
        if left is not None:
            self._put(calls, arn, left)

    def _put(self, calls: Calls, arn: str, document: dict[str, Any]) -> None:
        calls.tell(
            "sns",
            "set_topic_attributes",
            TopicArn=arn,
            AttributeName="Policy",
            AttributeValue=as_text(document),
            patient=_NOT_YET | _UNKNOWN_USER,
        )


def _tags(calls: Calls, arn: str) -> dict[str, str]:
    said = asked(calls, "sns", "list_tags_for_resource", ResourceArn=arn)
    return unpaired(said.get("Tags", []))


def _policy_in(said: dict[str, Any]) -> dict[str, Any] | None:
    text = said.get("Attributes", {}).get("Policy")
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found
