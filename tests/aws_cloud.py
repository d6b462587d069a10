"""An AWS account on this machine, for tests: moto over HTTP, with its gaps mended.

What moto does otherwise than AWS, as far as deploying meets it:

- a bucket's tags are not taken when it is made: mended here;
- it does not look at the conditions of a bucket's policy, so that "refuse who does not
  encrypt" refuses everybody: our own evaluator decides here instead;
- roles are taken whatever their trust says, and no policy of IAM, SNS or SQS is
  enforced: `tests/unit/test_aws_policies.py` evaluates the documents themselves;
- it knows no waiting: no policy is unknown for a while, nothing is throttled. The tests
  make calls fail instead.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from aws_site import some_names
from s3_server import started_server
from snowmelt.aws import Aws
from snowmelt.clock import SystemClock
from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.aws.calls import Calls, LiveCalls
from snowmelt.deploy.aws.evaluation import Request, decide
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.resources import aws_resources
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.naming import Names
from snowmelt.deploy.provider import Provider, Values
from snowmelt.deploy.resource import Found, Mark, Owner, Resource, Sight, Traits
from snowmelt.deploy.steps import Action, Plan, Step
from snowmelt.errors import UnreachableError

ACCOUNT = "123456789012"
USER_ARN = "arn:aws:iam::999999999999:user/abc1-b-self1234"
SUBSCRIBER_ARN = "arn:aws:iam::999999999999:user/sns1-b-self1234"
_CREATES = S3Response._bucket_response_put


def mend_moto(patch: pytest.MonkeyPatch) -> None:
    """Let moto do what deploying needs of AWS."""
    patch.setattr(FakeBucket, "get_permission", _permission)
    patch.setattr(S3Response, "_bucket_response_put", _create_with_tags)


def _permission(self: Any, action: str, thing: str) -> PermissionResult:
    """Decide by the bucket's policy, as if the way to it were encrypted."""
    if self.policy is None:
        return PermissionResult.NEUTRAL
    request = Request(
        f"arn:aws:iam::{ACCOUNT}:user/tester",
        action,
        thing,
        ACCOUNT,
        {"aws:SecureTransport": "true"},
    )
    allow_all = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    decision = decide(
        request, identity=[allow_all], resource=json.loads(self.policy.decode())
    )
    return PermissionResult.NEUTRAL if decision else PermissionResult.DENIED


def _create_with_tags(self: Any, request: Any, name: str, query: Any) -> Any:
    answer = _CREATES(self, request, name, query)
    if not query and self.body:
        tags = {
            tag.findtext("{*}Key"): tag.findtext("{*}Value")
            for tag in ET.fromstring(self.body).iter(
                "{http://s3.amazonaws.com/doc/2006-03-01/}Tag"
            )
        }
        if tags:
            self.backend.put_bucket_tagging(name, tags)
    return answer


class Stopped(UnreachableError):
    """A call that a test let fail."""


@dataclass
class Watched(Calls):
    """Real calls, counted; one of them can be made to fail.

    `stop_at` is the number of the changing call that fails: before it is made, or
    after it was, when its answer gets lost.
    """

    calls: Calls
    stop_at: int | None = None
    is_done: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def ask(self, service: str, operation: str, **words: Any) -> dict[str, Any]:
        self.asked.append((service, operation))
        return self.calls.ask(service, operation, **words)

    def tell(
        self,
        service: str,
        operation: str,
        *,
        patient: frozenset[str] = frozenset(),
        **words: Any,
    ) -> dict[str, Any]:
        stops = len(self.told) == self.stop_at
        self.told.append((service, operation, words))
        if stops and not self.is_done:
            raise Stopped(operation, "stopped before it")
        answer = self.calls.tell(service, operation, patient=patient, **words)
        if stops:
            raise Stopped(operation, "stopped after it")
        return answer

    def note(self, text: str) -> None:
        self.calls.note(text)


@dataclass(frozen=True)
class Integration:
    """What the other cloud contributes, for tests of this one."""

    address: Address
    role_arn: str
    needs: tuple[Address, ...] = ()
    traits = Traits(rank=20)

    @property
    def properties(self) -> dict[str, Value]:
        return {"role_arn": self.role_arn}

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return ""


@dataclass
class OtherCloud:
    """A provider with one integration: it gives its user once it is there."""

    name = "snowflake"
    owner: Owner
    address: Address
    external_id: str
    made: dict[str, str] = field(default_factory=dict)
    user_arn: str = USER_ARN
    steps: list[str] = field(default_factory=list)

    def look(self, desired: Any) -> Sight:
        return Sight(
            tuple(
                Found(
                    self.address,
                    {"role_arn": role},
                    Mark(self.owner, ""),
                    Integration.traits,
                    outputs=self.outputs(self.address),
                )
                for role in self.made.values()
            )
        )

    def script(self, step: Step) -> list[str]:
        return [f"CREATE STORAGE INTEGRATION {step.address.name}"]

    def carry_out(self, step: Step, values: Values) -> None:
        self.steps.append(str(step.action))
        if step.action is Action.DROP:
            self.made.clear()
        else:
            assert isinstance(step.wanted, Integration)
            self.made["role"] = step.wanted.role_arn

    def outputs(self, address: Address) -> dict[str, str]:
        assert self.made, "asked for what is not there yet"
        return {
            "iam_user_arn": self.user_arn,
            "external_id": self.external_id,
            "sns_subscriber_arn": SUBSCRIBER_ARN,
        }


@dataclass
class Account:
    """The account, and a project deployed to it."""

    names: Names
    other: OtherCloud
    live: LiveCalls
    client: Callable[[str], Any]
    url: str

    @property
    def site(self) -> Site:
        return Site.of(self.names)

    def resources(self) -> tuple[Resource, ...]:
        integration = Integration(self.other.address, self.names.iam_role_arn)
        return (integration, *aws_resources(self.names))

    def deployment(self, calls: Calls | None = None) -> Deployment:
        provider = AwsProvider(self.site, calls or self.live)
        providers: dict[str, Provider] = {"aws": provider, "snowflake": self.other}
        return Deployment(self.names.owner, self.resources(), providers)

    def plan(self) -> Plan:
        return self.deployment().plan()

    def apply(self, calls: Calls | None = None) -> int:
        deployment = self.deployment(calls)
        return apply_plan(deployment, deployment.plan())

    def destroy(self, *with_data: Address, calls: Calls | None = None) -> Plan:
        deployment = self.deployment(calls)
        plan = deployment.plan_destroy(frozenset(with_data))
        apply_plan(deployment, plan)
        return plan

    def address(self, kind: str) -> Address:
        found = (each.address for each in self.resources() if each.address.kind == kind)
        return next(found)


@contextmanager
def started_account() -> Iterator[Callable[..., Account]]:
    """Run an account for the length of a block; each project begins in an empty one."""
    with started_server() as server, pytest.MonkeyPatch.context() as patch:
        mend_moto(patch)

        @cache  # clients are slow to make
        def chain(region: str) -> tuple[LiveCalls, Callable[[str], Any]]:
            aws = Aws(SystemClock(), endpoint=server.url, region=region)
            return LiveCalls(lambda: aws, SystemClock()), cache(aws.service)

        def account(**aws: Any) -> Account:
            httpx.post(f"{server.url}/moto-api/reset").raise_for_status()
            names = some_names(**aws)
            other = OtherCloud(
                names.owner, names.integration_address, names.external_id
            )
            return Account(names, other, *chain(names.target.aws.region), server.url)

        yield account
