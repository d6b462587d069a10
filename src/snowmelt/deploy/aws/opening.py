"""Opens the AWS side of a target: with the right credentials, or not at all."""

from __future__ import annotations

from snowmelt.aws import Aws
from snowmelt.clock import Clock
from snowmelt.deploy.aws.calls import LiveCalls
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.naming import Names


def open_calls(names: Names, clock: Clock) -> LiveCalls:
    """Return calls to a target's AWS account; nothing is asked before the first."""
    aws = names.target.aws

    def open_chain() -> Aws:
        return Aws(
            clock,
            endpoint=aws.endpoint,
            region=aws.region,
            profile=aws.profile,
            where=f"targets.{names.owner.target}.aws",
        )

    return LiveCalls(open_chain, clock)


def open_aws(names: Names, clock: Clock) -> AwsProvider:
    """Return the provider of a target's AWS side; nothing is asked before it looks."""
    return AwsProvider(Site.of(names), open_calls(names, clock))
