"""The queues of our own service: of files that are told of, and of dead letters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.aws.kinds.kind import Wish, asked, told_if_there
from snowmelt.deploy.aws.marking import mark_of, tags_of, unfinished
from snowmelt.deploy.aws.resources import DEAD_LETTERS, PROVIDER, QUEUE
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import as_text, of_sids
from snowmelt.deploy.aws.telling import told_policy
from snowmelt.deploy.resource import Found

_NUMBERS = {
    "retention_seconds": "MessageRetentionPeriod",
    "visibility_seconds": "VisibilityTimeout",
    "wait_seconds": "ReceiveMessageWaitTimeSeconds",
}
_REDRIVE = ("dead_letters", "receives_max")
_NOT_YET = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_DELETED_RECENTLY = frozenset(
    {"AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"}
)


class Queues:
    """Queues, by their names."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def find(self, calls: Calls, name: str) -> Found | None:
        try:
            url = calls.ask("sqs", "get_queue_url", QueueName=name)["QueueUrl"]
            said = calls.ask(
                "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"]
            )["Attributes"]
        except Missing:
            return None
        is_dead = name == self._site.dead_letters
        properties = _told(said)
        if not is_dead:
            properties |= self._subscription(calls, said["QueueArn"])
        tags = asked(calls, "sqs", "list_queue_tags", QueueUrl=url)
        return Found(
            Address(PROVIDER, "queue", name),
            properties,
            mark_of(tags.get("Tags", {})),
            DEAD_LETTERS if is_dead else QUEUE,
            outputs={"arn": said["QueueArn"], "url": url},
        )

    def _subscription(self, calls: Calls, queue_arn: str) -> dict[str, Value]:
        arn = self._subscription_arn(calls, queue_arn)
        if arn is None:
            return {"subscription": None, "raw_messages": None}
        said = asked(calls, "sns", "get_subscription_attributes", SubscriptionArn=arn)
        raw = said.get("Attributes", {}).get("RawMessageDelivery", "false")
        return {
            "subscription": self._site.topic_arn,
            "raw_messages": raw == "true",
        }

    def _subscription_arn(self, calls: Calls, queue_arn: str) -> str | None:
        """Return the subscription of a queue to our topic; a topic may have many."""
        more: dict[str, str] = {}
        while True:
            page = asked(
                calls,
                "sns",
                "list_subscriptions_by_topic",
                TopicArn=self._site.topic_arn,
                **more,
            )
            for each in page.get("Subscriptions", []):
                if each["Endpoint"] == queue_arn:
                    return str(each["SubscriptionArn"])
            if not page.get("NextToken"):
                return None
            more = {"NextToken": page["NextToken"]}

    def settle(self, calls: Calls, wish: Wish) -> None:
        name = wish.wanted.address.name
        attributes = self._attributes(wish)
        if wish.is_new:
            if wish.concerns("policy"):
                attributes["Policy"] = as_text(policies.queue(self._site))
            url = calls.tell(
                "sqs",
                "create_queue",
                QueueName=name,
                Attributes=attributes,
                tags=tags_of(unfinished(wish.mark)),
                patient=_DELETED_RECENTLY,
            )["QueueUrl"]
        else:
            url = calls.ask("sqs", "get_queue_url", QueueName=name)["QueueUrl"]
            self._set(calls, wish, url, attributes)
        if wish.concerns("subscription", "raw_messages"):
            self._subscribe(calls)
        calls.tell(
            "sqs", "tag_queue", QueueUrl=url, Tags=tags_of(wish.mark), patient=_NOT_YET
        )

    def _set(
        self, calls: Calls, wish: Wish, url: str, attributes: dict[str, str]
    ) -> None:
        if wish.concerns("policy"):
            document = policies.queue(self._site, self._policy(calls, url))
            attributes["Policy"] = as_text(document)
        if attributes:
            calls.tell(
                "sqs",
                "set_queue_attributes",
                QueueUrl=url,
                Attributes=attributes,
                patient=_NOT_YET,
            )

    def _attributes(self, wish: Wish) -> dict[str, str]:
        wanted = wish.properties
        attributes = {
            called: str(wanted[name])
            for name, called in _NUMBERS.items()
            if wish.concerns(name)
        }
        if wish.concerns("encryption"):
            attributes["SqsManagedSseEnabled"] = "true"
        if wish.concerns(*_REDRIVE):
            redrive = {
                "deadLetterTargetArn": wanted["dead_letters"],
                "maxReceiveCount": wanted["receives_max"],
            }
            attributes["RedrivePolicy"] = json.dumps(redrive)
        return attributes

    def _policy(self, calls: Calls, url: str) -> dict[str, Any] | None:
        said = asked(
            calls,
            "sqs",
            "get_queue_attributes",
            QueueUrl=url,
            AttributeNames=["Policy"],
        )
        return _policy_in(said.get("Attributes", {}))

    def _subscribe(self, calls: Calls) -> None:
        """Subscribe; who is subscribed already stays so and gets raw messages."""
        arn = self._subscription_arn(calls, self._site.queue_arn)
        if arn is None:
            calls.tell(
                "sns",
                "subscribe",
                TopicArn=self._site.topic_arn,
                Protocol="sqs",
                Endpoint=self._site.queue_arn,
                Attributes={"RawMessageDelivery": "true"},
            )
        else:
            calls.tell(
                "sns",
                "set_subscription_attributes",
                SubscriptionArn=arn,
                AttributeName="RawMessageDelivery",
                AttributeValue="true",
            )

    def drop(self, calls: Calls, found: Found) -> None:
        """Unsubscribe it and take it away: messages are hints, listings know all."""
        arn = self._subscription_arn(calls, found.outputs["arn"])
        if arn is not None:
            told_if_there(calls, "sns", "unsubscribe", SubscriptionArn=arn)
        told_if_there(calls, "sqs", "delete_queue", QueueUrl=found.outputs["url"])


def _told(said: Mapping[str, str]) -> dict[str, Value]:
    redrive = json.loads(said.get("RedrivePolicy") or "{}")
    receives = redrive.get("maxReceiveCount")
    ours = of_sids(_policy_in(said), policies.QUEUE_SIDS)
    return {
        **{name: int(said.get(called, 0)) for name, called in _NUMBERS.items()},
        "encryption": _encryption(said),
        "dead_letters": redrive.get("deadLetterTargetArn"),
        "receives_max": int(receives) if receives is not None else None,
        "policy": told_policy({"Statement": ours}),
    }


def _encryption(said: Mapping[str, str]) -> str | None:
    if said.get("KmsMasterKeyId"):
        return said["KmsMasterKeyId"]
    return "SQS" if said.get("SqsManagedSseEnabled", "false") == "true" else None


def _policy_in(attributes: Mapping[str, str]) -> dict[str, Any] | None:
    text = attributes.get("Policy")
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found
