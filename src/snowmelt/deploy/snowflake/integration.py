"""The account's doors to others: to the bucket, and for notifications."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, Optioned, address_of
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Word, Written


@dataclass(frozen=True)
class StorageIntegration(Optioned):
    """Takes on a role in AWS. Never replaced: stages would lose it, and its id."""

    kind: ClassVar[str] = "storage_integration"
    noun: ClassVar[str] = "STORAGE INTEGRATION"
    traits: ClassVar[Traits] = Traits(rank=20)

    role_arn: str
    external_id: str
    locations: tuple[str, ...]

    def options(self) -> Mapping[str, Written]:
        return {
            "ENABLED": True,
            "STORAGE_AWS_ROLE_ARN": self.role_arn,
            "STORAGE_ALLOWED_LOCATIONS": self.locations,
        }

    def create(self, mark: Mark) -> list[str]:
        given: dict[str, Written] = {
            "TYPE": Word("EXTERNAL_STAGE"),
            "STORAGE_PROVIDER": "S3",
            "ENABLED": True,
            "STORAGE_AWS_ROLE_ARN": self.role_arn,
            "STORAGE_AWS_EXTERNAL_ID": self.external_id,
            "STORAGE_ALLOWED_LOCATIONS": self.locations,
            "COMMENT": str(mark),
        }
        opening = f"CREATE STORAGE INTEGRATION IF NOT EXISTS {self.name}"
        return [sql.lines((opening, *(sql.options({k: v}) for k, v in given.items())))]

    @staticmethod
    def found(row: Row, described: Collection[Row], subscriber: str | None) -> Found:
        """Read a row of SHOW INTEGRATIONS and what DESC INTEGRATION says of it.

        The external id is not compared: one that was there before is adopted.
        """
        told = {
            str(each["property"]): str(each["property_value"]) for each in described
        }
        locations = told.get("STORAGE_ALLOWED_LOCATIONS", "")
        outputs = {
            "iam_user_arn": told.get("STORAGE_AWS_IAM_USER_ARN", ""),
            "external_id": told.get("STORAGE_AWS_EXTERNAL_ID", ""),
        }
        if subscriber:
            outputs["sns_subscriber_arn"] = subscriber
        return Found(
            address_of(StorageIntegration.kind, sql.as_kept(row["name"])),
            {
                "enabled": str(row["enabled"]).lower() == "true",
                "storage_aws_role_arn": told.get("STORAGE_AWS_ROLE_ARN"),
                "storage_allowed_locations": tuple(
                    part.strip() for part in locations.split(",") if part.strip()
                ),
            },
            Mark.read(row["comment"]),
            StorageIntegration.traits,
            outputs=outputs,
        )


def topic_policy_of(topic_arn: str) -> str:
    """Return the question who subscribes to a topic for this account."""
    return f"SELECT SYSTEM$GET_AWS_SNS_IAM_POLICY({sql.text(topic_arn)}) AS POLICY"


def subscriber_of(policy: str) -> str:
    """Return whom the policy that Snowflake proposes allows to subscribe."""
    principal = json.loads(policy)["Statement"][0]["Principal"]["AWS"]
    return str(principal[0] if isinstance(principal, list) else principal)


@dataclass(frozen=True)
class StorageAccess(Entity):
    """That the integration reaches the bucket: AWS takes a while to know a new role."""

    kind: ClassVar[str] = "storage_access"
    noun: ClassVar[str] = ""
    traits: ClassVar[Traits] = Traits(rank=24, follows=True, is_state=True)

    location: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"status": "success"}

    @property
    def question(self) -> str:
        """Ask the account to reach the bucket with the integration."""
        given = (self.name, self.location, "snowmelt_probe", "list")
        return (
            "SELECT SYSTEM$VALIDATE_STORAGE_INTEGRATION("
            f"{', '.join(sql.text(each) for each in given)}) AS ANSWER"
        )

    def create(self, mark: Mark) -> list[str]:
        return [self.question]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return [self.question]

    def drop(self) -> list[str]:
        return []


def status_of(answer: str) -> tuple[str, str]:
    """Return the status of an answer to the question, and what it says is wrong."""
    told = json.loads(answer)
    return str(told.get("status", "")), str(told.get("message") or answer)


@dataclass(frozen=True)
class EmailIntegration(Optioned):
    """Mails to people whom the account knows."""

    kind: ClassVar[str] = "notification_integration"
    noun: ClassVar[str] = "NOTIFICATION INTEGRATION"
    traits: ClassVar[Traits] = Traits(rank=26)

    recipients: tuple[str, ...]

    def options(self) -> Mapping[str, Written]:
        return {"ENABLED": True, "ALLOWED_RECIPIENTS": self.recipients}

    @property
    def head(self) -> str:
        return "TYPE = EMAIL"

    @property
    def properties(self) -> Mapping[str, Value]:
        return {**super().properties, "type": "EMAIL"}

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return "the type of an integration cannot be changed" if name == "type" else ""

    @staticmethod
    def found(row: Row, described: Collection[Row]) -> Found:
        """Read a row of SHOW INTEGRATIONS and what DESC INTEGRATION says of it."""
        told = {
            str(each["property"]): str(each["property_value"]) for each in described
        }
        recipients = told.get("ALLOWED_RECIPIENTS", "")
        return Found(
            address_of(EmailIntegration.kind, sql.as_kept(row["name"])),
            {
                "enabled": str(row["enabled"]).lower() == "true",
                "allowed_recipients": tuple(
                    each.strip() for each in recipients.split(",") if each.strip()
                ),
                "type": str(row["type"]).upper(),
            },
            Mark.read(row["comment"]),
            EmailIntegration.traits,
        )
