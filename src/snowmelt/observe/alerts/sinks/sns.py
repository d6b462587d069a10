"""A message to a topic of Amazon SNS."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.aws import Aws, calling
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.observe.alerts.message import Message
from snowmelt.observe.alerts.sinks.sending import SendError

_SUBJECT_MAX = 100


class Sns(BaseModel):
    """A topic; credentials come from where all of AWS come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic_arn: str = Field(
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+$",
        description="The topic's ARN.",
    )
    region: str | None = Field(
        None, pattern=r"^[a-z0-9-]+$", description="The one in the ARN without it."
    )
    endpoint: str | None = Field(
        None, description="URL of another server that speaks SNS; AWS without it."
    )
    profile: str | None = Field(None, description="Profile of the AWS configuration.")

    def send(self, message: Message, seconds_max: float) -> None:
        """Publish: JSON for machines that subscribe, text for everybody else."""
        region = self.region or self.topic_arn.split(":")[3]
        fifo = self.topic_arn.endswith(".fifo")
        order = {
            "MessageGroupId": message.alert_id,
            "MessageDeduplicationId": message.message_id[:128],
        }
        try:
            aws = Aws(
                SystemClock(),
                endpoint=self.endpoint,
                region=region,
                profile=self.profile,
            )
            with calling(self.topic_arn):
                aws.sns().publish(
                    TopicArn=self.topic_arn,
                    Subject=_plain(message.subject),
                    MessageStructure="json",
                    Message=_by_protocol(message),
                    MessageAttributes=_attributes(message),
                    **(order if fifo else {}),
                )
        except ConfigError as error:
            raise SendError(f"{error.problem}. {error.remedy}".rstrip(". ")) from None
        except FileNotFoundError:
            raise SendError("there is no such topic") from None
        except SnowmeltError as error:
            raise SendError(str(error)) from None


def _by_protocol(message: Message) -> str:
    document = json.dumps(message.document, ensure_ascii=False)
    machines = dict.fromkeys(("sqs", "lambda", "http", "https", "firehose"), document)
    return json.dumps({"default": message.text, **machines}, ensure_ascii=False)


def _attributes(message: Message) -> dict[str, dict[str, str]]:
    told = {
        "message_id": message.message_id,
        "kind": message.kind.value,
        "rule": message.rule,
        "severity": message.severity.value,
    }
    return {
        name: {"DataType": "String", "StringValue": value}
        for name, value in told.items()
    }


def _plain(subject: str) -> str:
    """Return a subject as SNS takes it: printable ASCII, no longer than 100."""
    text = subject.encode("ascii", "replace").decode()
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text[:_SUBJECT_MAX]
