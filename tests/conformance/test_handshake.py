"""Both clouds in one apply: an account of Snowflake in memory, and moto for AWS.

Snowflake lets itself be answered by the policies that are on AWS at that moment, as our
evaluator reads them: it comes in when the role trusts it, subscribes when the topic
lets it, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aws_cloud import Stopped as CallStopped
from aws_cloud import Watched, started_account
from shipped import StillClock, make_project, wanted
from snowflake_account import Account, Stopped
from snowmelt.deploy.applying import StepError, apply_plan
from snowmelt.deploy.aws import policies
from snowmelt.deploy.aws.access import Judgement
from snowmelt.deploy.aws.asking import ask_access
from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.aws.statements import same
from snowmelt.deploy.deployment import Deployment
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Found
from snowmelt.deploy.snowflake.provider import SnowflakeProvider
from snowmelt.deploy.steps import Action
from snowmelt.errors import UnreachableError
from snowmelt.project.project import Project

REGION = "eu-central-1"


class Clouds:
    """One account on each side, and what their conversation was."""

    def __init__(self, root: Path, live: Calls) -> None:
        self.names: Names
        self.names, self._whole = wanted(root)
        self.site = Site.of(self.names)
        self.live = live
        self.snowflake = Account()
        self.snowflake.before = self._answer
        self.clock = StillClock(self.snowflake)
        self.said: list[str] = []
        self.not_yet = 0
        self._asking = False

    def deployment(self, calls: Calls | None = None) -> Deployment:
        aws = AwsProvider(self.site, calls or self.live)
        snowflake = SnowflakeProvider(self.snowflake, self.names, self.clock)
        return replace(self._whole, providers={"aws": aws, "snowflake": snowflake})

    def apply(self, calls: Calls | None = None) -> int:
        deployment = self.deployment(calls)
        return apply_plan(deployment, deployment.plan())

    def judged(self) -> dict[str, Judgement]:
        self._asking = True
        try:
            return {each.question: each for each in ask_access(self.deployment())}
        finally:
            self._asking = False

    def _answer(self, statement: str) -> None:
        """Let AWS decide what Snowflake can do, at the moment of a statement."""
        if self._asking:
            return
        if "VALIDATE_STORAGE_INTEGRATION" in statement:
            self.said.append("validate")
            self.snowflake.access = "success" if self._comes_in() else "failure"
        if statement.startswith(("CREATE PIPE", "CREATE OR REPLACE PIPE")):
            self.said.append("pipe")
            judged = self.judged()
            assert judged["Snowflake subscribes"].is_good
            assert judged["the bucket tells the topic"].is_good
            assert self._tells(), "files would land unheard"

    def _comes_in(self) -> bool:
        self.not_yet -= 1
        if self.not_yet >= 0:
            return False
        judged = self.judged()
        needed = ("takes the role", "lists files", "reads files", "decrypts files")
        return all(judged[f"Snowflake {each}"].is_good for each in needed)

    def _tells(self) -> bool:
        kinds = {each.address.kind for each in self.aws_side()}
        return "notification" in kinds

    def aws_side(self) -> tuple[Found, ...]:
        return AwsProvider(self.site, self.live).look(()).found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def make(shop: Project) -> Iterator[Callable[[], Clouds]]:
    with started_account() as account:

        def clouds() -> Clouds:
            return Clouds(shop.root, account(region=REGION).live)

        yield clouds


@pytest.fixture
def clouds(make: Callable[[], Clouds]) -> Clouds:
    return make()


def test_one_apply_is_enough(clouds: Clouds) -> None:
    plan = clouds.deployment().plan()
    assert set(plan.counts) == {Action.CREATE}
    order = [str(step.address) for step in plan.steps]
    names = clouds.names
    doors = [
        str(names.integration_address),
        str(names.iam_role_address),
        str(names.topic_policy_address),
        str(names.notification_address),
        f"snowflake:storage_access:{names.integration}",
        "snowflake:stage:SHOP.BRONZE.LANDING",
        "snowflake:pipe:SHOP.BRONZE.ORDERS_PIPE",
    ]
    assert [each for each in order if each in doors] == doors
    assert clouds.apply() == len(order)
    assert clouds.deployment().plan().is_empty
    # A plan asks for access, too: before there is a pipe, and once there is.
    assert clouds.said == ["validate", "pipe", "pipe", "validate"]
    assert all(each.is_good for each in clouds.judged().values())
    deployment = clouds.deployment()
    told = deployment.providers["snowflake"].outputs(names.integration_address)
    role = clouds.live.ask("iam", "get_role", RoleName=clouds.site.role)["Role"]
    trust = policies.trust(told["iam_user_arn"], names.external_id)
    assert same(role["AssumeRolePolicyDocument"], trust)


def test_an_integration_from_before_us_keeps_its_external_id(clouds: Clouds) -> None:
    clouds.apply()
    integration = clouds.snowflake.things["STORAGE INTEGRATION", ("SHOP_S3",)]
    integration.options["STORAGE_AWS_EXTERNAL_ID"] = "theirs"
    plan = clouds.deployment().plan()
    moved = {(str(step.action), step.address.kind) for step in plan.steps}
    assert ("change", "iam_role") in moved
    assert not any(kind == "storage_integration" for _, kind in moved)
    # Access is asked for again, because the role is not as it was.
    assert ("change", "storage_access") in moved
    clouds.apply()
    assert clouds.deployment().plan().is_empty
    assert clouds.judged()["Snowflake takes the role"].is_good


def test_aws_may_take_its_time(clouds: Clouds) -> None:
    clouds.not_yet = 3
    clouds.apply()
    assert clouds.said.count("validate") == 4
    assert len(clouds.clock.waits) >= 3
    assert clouds.clock.waits[:3] == sorted(clouds.clock.waits[:3]), "ever longer"


@pytest.mark.long
def test_a_door_that_stays_closed_stops_before_the_pipe(clouds: Clouds) -> None:
    clouds.not_yet = 10_000
    with pytest.raises(StepError) as stopped:
        clouds.apply()
    assert isinstance(stopped.value.__cause__, UnreachableError)
    assert stopped.value.step.address.kind == "storage_access"
    assert "pipe" not in clouds.said
    clouds.not_yet = 0
    clouds.apply()
    assert clouds.deployment().plan().is_empty


def stop_in_snowflake(make: Callable[[], Clouds], after: int) -> Clouds:
    clouds = make()
    clouds.snowflake.stop_after = after
    with pytest.raises(Stopped):
        clouds.apply()
    clouds.snowflake.stop_after = None
    return clouds


def stop_in_aws(make: Callable[[], Clouds], at: int) -> Clouds:
    clouds = make()
    with pytest.raises(StepError) as stopped:
        clouds.apply(Watched(clouds.live, at, is_done=True))
    assert isinstance(stopped.value.__cause__, CallStopped)
    return clouds


def assert_it_goes_on(clouds: Clouds) -> None:
    clouds.apply()
    plan = clouds.deployment().plan()
    assert plan.is_empty, plan.document
    assert all(each.is_good for each in clouds.judged().values())


@pytest.mark.long
def test_stopped_on_one_side_it_goes_on(make: Callable[[], Clouds]) -> None:
    assert_it_goes_on(stop_in_aws(make, 14))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_stopped_anywhere_on_either_side_it_goes_on(
    make: Callable[[], Clouds],
) -> None:
    whole = make()
    watched = Watched(whole.live)
    whole.apply(watched)
    looked = len(whole.snowflake.statements)
    for at in range(len(watched.told)):
        assert_it_goes_on(stop_in_aws(make, at))
    for after in range(0, looked, 5):
        assert_it_goes_on(stop_in_snowflake(make, after))


def test_destroyed_together_data_stays_on_both_sides(clouds: Clouds) -> None:
    clouds.apply()
    clouds.live.tell(
        "s3",
        "put_object",
        Bucket=clouds.site.bucket,
        Key="raw/orders/a.csv",
        Body=b"order_id\n1\n",
    )
    deployment = clouds.deployment()
    plan = deployment.plan_destroy()
    order = [step.address.kind for step in plan.acting]
    assert order.index("pipe") < order.index("stage")
    assert order.index("notification") < order.index("topic_policy")
    apply_plan(deployment, plan)
    kept = {str(each.address) for each in clouds.aws_side()}
    assert kept == {
        "aws:bucket:shop-landing",
        "aws:key:alias/shop-landing",
        "aws:topic:shop-landing",
    }
    nouns = {noun for noun, _ in clouds.snowflake.things}
    assert "TABLE" in nouns and "DATABASE" in nouns
    assert not {"PIPE", "STORAGE INTEGRATION", "STAGE"} & nouns
    # And all of it is put up again around what stayed.
    clouds.apply()
    assert clouds.deployment().plan().is_empty
