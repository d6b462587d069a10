"""Asks both clouds for what has to be judged."""

from __future__ import annotations

from snowmelt.deploy.aws.access import Judgement, Snowflake, judge, read_policies
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.resources import PROVIDER, Role
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.provider import Values


def ask_access(deployment: Deployment) -> tuple[Judgement, ...]:
    """Judge the policies of a deployment as they are. Raises SnowmeltError."""
    provider = deployment.providers[PROVIDER]
    assert isinstance(provider, AwsProvider)
    role = next(each for each in deployment.desired if isinstance(each, Role))
    values = Values(deployment.owner, deployment.providers)
    who = Snowflake(
        values.of(role.trust.user_arn),
        values.of(role.trust.external_id),
        values.of(role.trust.subscriber_arn),
    )
    key_arn = values.of(role.key_arn)
    found = read_policies(provider.calls, provider.site, key_arn)
    return judge(provider.site, key_arn, who, found)
