"""What goes wrong in clouds, each with object, statement, error and what mends it.

One table over both providers: what the cloud says is raised where it would say it, in
the middle of an apply, and what a person reads is what is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shipped import deployed_into, states, wanted
from snowflake_account import Account, Stopped, Thing
from snowmelt.aws import AwsCallError
from snowmelt.deploy.applying import StepError, apply_plan
from snowmelt.deploy.aws.refusals import refusal_of
from snowmelt.deploy.opening import with_region
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.deploy.steps import Action
from snowmelt.snowflake import Login, _sign_in_remedy

DEPLOYER = "DEPLOYER"


@dataclass(frozen=True)
class Trouble:
    """What an account says to the first statement that begins so."""

    name: str
    statement: str
    number: int
    said: str
    step: str
    helps: str


PRIVILEGE = "SQL access control error: Insufficient privileges to operate on it"
SNOWFLAKE = [
    Trouble("no right to make on the account", "CREATE WAREHOUSE", 3001, PRIVILEGE,
            "create snowflake:warehouse:SHOP_WH",
            "GRANT CREATE WAREHOUSE ON ACCOUNT TO ROLE DEPLOYER"),
    Trouble("no right to make in a schema", "CREATE PIPE", 3001, PRIVILEGE,
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE",
            "GRANT CREATE PIPE ON SCHEMA SHOP.BRONZE TO ROLE DEPLOYER"),
    Trouble("no right to grant", "GRANT USAGE", 3001, PRIVILEGE,
            "create snowflake:grant:SHOP_LOADER ON DATABASE SHOP",
            "GRANT MANAGE GRANTS ON ACCOUNT TO ROLE DEPLOYER"),
    Trouble("no right to change", "ALTER WAREHOUSE", 3001, PRIVILEGE,
            "create snowflake:resource_monitor:SHOP_MONITOR",
            "GRANT OWNERSHIP ON WAREHOUSE SHOP_WH TO ROLE DEPLOYER COPY"),
    Trouble("no right to run tasks", "SELECT SYSTEM$TASK_DEP", 91090,
            "Cannot execute task, EXECUTE TASK privilege must be granted to owner",
            "create snowflake:task_graph:SHOP.SNOWMELT.HOURLY",
            "GRANT EXECUTE TASK ON ACCOUNT TO ROLE DEPLOYER"),
    Trouble("no right to list", "LIST", 3001,
            "Stage 'LANDING' does not exist or not authorized.",
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE", "TO ROLE DEPLOYER"),
    Trouble("a warehouse that is suspended", "SELECT DISTINCT", 606,
            "Cannot perform SELECT. The warehouse 'SHOP_WH' is suspended.",
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE",
            "ALTER WAREHOUSE <name> RESUME IF SUSPENDED"),
    Trouble("a warehouse whose month is used up", "SELECT DISTINCT", 90073,
            "Warehouse 'SHOP_WH' cannot be resumed because resource monitor "
            "'SHOP_MONITOR' has exceeded its quota.",
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE",
            "raise warehouse.credits_per_month"),
    Trouble("a warehouse that may not be used", "SELECT DISTINCT", 606,
            "No active warehouse selected in the current session.",
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE",
            "GRANT USAGE ON WAREHOUSE <name> TO ROLE DEPLOYER"),
    Trouble("a key that is over, or a clock that is wrong", "CREATE STAGE", 390144,
            "JWT token is invalid.", "create snowflake:stage:SHOP.BRONZE.LANDING",
            "Compare the clock of this machine, and the key"),
    Trouble("a token that is over", "CREATE STAGE", 390114,
            "Authentication token has expired. The user must authenticate again.",
            "create snowflake:stage:SHOP.BRONZE.LANDING", "Get a new token"),
    Trouble("an address that nobody verified", "CREATE NOTIFICATION", 394209,
            "Email recipients in the given list at indexes [1] are not allowed. Either "
            "these email addresses are not yet validated or do not belong to any user "
            "in the current account.",
            "create snowflake:notification_integration:SHOP_OPS",
            "SYSTEM$START_USER_EMAIL_VERIFICATION('<user>')"),
    Trouble("alerts that may not ask when they looked", "CREATE ALERT", 2140,
            "Unknown user-defined function "
            "SNOWFLAKE.ALERT.LAST_SUCCESSFUL_SCHEDULED_TIME.",
            "create snowflake:alert:SHOP.SNOWMELT.ALERT_FAILED",
            "GRANT DATABASE ROLE SNOWFLAKE.ALERT_VIEWER TO ROLE DEPLOYER"),
    Trouble("too much at once", "CREATE STAGE", 429, "Too many requests",
            "create snowflake:stage:SHOP.BRONZE.LANDING", "apply again"),
    Trouble("a statement that takes too long", "SELECT DISTINCT", 604,
            "Statement reached its statement or warehouse timeout of 10 second(s)",
            "create snowflake:pipe:SHOP.BRONZE.EVENTS_PIPE",
            "STATEMENT_TIMEOUT_IN_SECONDS"),
]  # fmt: skip


@pytest.mark.parametrize("trouble", SNOWFLAKE, ids=lambda each: each.name)
def test_what_snowflake_refuses(trouble: Trouble) -> None:
    """Its object, its statement, its error, what mends it; then apply goes on."""
    account = Account()

    def refuse(statement: str) -> None:
        if statement.startswith(trouble.statement):
            raise AccountError(statement, trouble.number, trouble.said, DEPLOYER)

    account.before = refuse
    deployment = deployed_into(states()["first"], account)
    with pytest.raises(StepError) as told:
        apply_plan(deployment, deployment.plan())
    error = told.value
    assert error.where == trouble.step
    assert error.problem.startswith(trouble.statement)
    assert f"{trouble.number:06d}: {trouble.said}" in error.problem
    assert trouble.helps in error.remedy
    assert "done before it" in error.remedy
    account.before = lambda statement: None
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        ("250001: JWT token is invalid.", "RSA_PUBLIC_KEY_FP of DESC USER ANA"),
        ("390144: JWT token is invalid. [iat]", "the clocks differ"),
        ("290404: 404 Not Found: post https://x.example", "ORGANISATION-"),
        ("250001: Failed to connect. Verify the account name is correct", "region"),
        ("250001: Could not connect to Snowflake backend", "Is the network there?"),
        ("Incoming request with IP 1.2.3.4 is not allowed to access Snowflake.",
         "ALLOWED_IP_LIST"),
        ("User temporarily locked. Try again later", "ALTER USER ANA SET DISABLED"),
        ("User access disabled. Contact your administrator", "ALTER USER ANA"),
        ("Invalid OAuth access token: expired", "Get a new token"),
        ("Role 'X' specified in the connect string is not granted",
         "GRANT ROLE DEPLOYER TO USER ANA"),
    ],
)  # fmt: skip
def test_who_cannot_sign_in_is_told_what_lets_in(said: str, helps: str) -> None:
    class Error(Exception):
        msg = said

    assert helps in _sign_in_remedy(Login("org-x", "ANA", DEPLOYER), Error(said))


@pytest.mark.parametrize(
    ("operation", "code", "helps"),
    [
        ("s3 create_bucket", "AccessDenied", "Grant s3:CreateBucket on shop-landing"),
        ("s3 put_bucket_policy", "PermanentRedirect", "the target's aws: region"),
        ("s3 create_bucket", "BucketAlreadyExists", "write another one in the"),
        ("iam get_role", "ExpiredToken", "sign in again"),
        ("iam get_role", "InvalidClientTokenId", "AWS_ACCESS_KEY_ID"),
        ("iam get_role", "SignatureDoesNotMatch", "clock is wrong"),
        ("sns create_topic", "RequestTimeTooSkewed", "clock differs"),
        ("iam get_role", "Throttling", "apply again in a minute"),
        ("sqs create_queue", "QueueDeletedRecently", "apply again in a minute"),
        ("iam delete_role", "DeleteConflict", "take those off first"),
        ("kms create_key", "OptInRequired", "not switched on"),
    ],
)  # fmt: skip
def test_what_aws_refuses(operation: str, code: str, helps: str) -> None:
    """Its call with its object, its error, and what mends it."""
    service, call = operation.split()
    words = {"Bucket": "shop-landing"} if service == "s3" else {"Name": "shop-landing"}
    told = refusal_of(service, call, words, AwsCallError(code, "no"))
    assert told.where == f"aws {service} {call} shop-landing"
    assert told.problem.startswith(f"{code}: ")
    assert helps in told.remedy


def test_what_others_have_is_told_with_what_hands_it_over() -> None:
    account = Account()
    key = ("WAREHOUSE", ("SHOP_WH",))
    options = {"WAREHOUSE_SIZE": "SMALL", "AUTO_SUSPEND": 60, "AUTO_RESUME": True}
    account.things[key] = Thing(*key, dict(options))
    deployment = deployed_into(states()["first"], account)
    [step] = [s for s in deployment.plan().steps if s.action is Action.CONFLICT]
    assert "it is there already and not ours" in step.why
    assert "snowmelt:project=shop" in step.remedy
    mark = step.remedy.partition("comment '")[2].partition("'")[0]
    account.rows(f"ALTER WAREHOUSE SHOP_WH SET COMMENT = '{mark}'")
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty


def test_an_edition_without_policies_is_enough_for_who_asks_for_none() -> None:
    """SHOW itself is refused there; who marks a column is told what it takes."""
    account = Account()

    def refuse(statement: str) -> None:
        if " POLIC" in statement:
            said = "Unsupported feature 'MASKING POLICY'."
            raise AccountError(statement, 2, said, DEPLOYER)

    account.before = refuse
    plain = deployed_into(states()["wider"], account)  # no column tells of a person
    apply_plan(plain, plain.plan())
    assert plain.plan().is_empty
    plan = deployed_into(states()["first"], account).plan()
    [unknown] = [s for s in plan.steps if s.action is Action.UNKNOWN]
    assert unknown.address.kind == "masking_policy"
    assert "Enterprise Edition" in unknown.remedy


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ("AWS_EU_CENTRAL_1", ""),
        ("PUBLIC.AWS_EU_CENTRAL_1", ""),
        ("AWS_US_WEST_2", "the account is in us-west-2, the bucket in eu-central-1"),
        ("AZURE_WESTEUROPE", "the account is in AZURE_WESTEUROPE, the bucket in eu-c"),
    ],
)
def test_an_account_in_another_region_is_remarked(region: str, told: str) -> None:
    project, account = states()["first"], Account()
    account.region = region
    names, deployment = wanted(project.root)
    remarks = with_region(deployment, project, names, account).remarks
    new = remarks[len(deployment.remarks) :]
    lines = (project.root / "snowmelt.yml").read_text().splitlines()
    at = next(i for i, line in enumerate(lines, 1) if "region:" in line)
    assert [each.where for each in new] == (
        [f"snowmelt.yml:{at}: targets.prod.aws.region"] if told else []
    )
    assert all(each.told.startswith(told) for each in new)
    account.denied = {"CURRENT_REGION"}
    assert with_region(deployment, project, names, account) is deployment


def test_half_applied_the_plan_says_what_is_left() -> None:
    account = Account()
    deployment = deployed_into(states()["first"], account)
    whole = deployment.plan()
    account.stop_after = len(account.statements) + 60
    with pytest.raises(Stopped):
        apply_plan(deployment, whole)
    account.stop_after = None
    left = deployment.plan()
    assert 0 < len(left.acting) < len(whole.acting)
    assert {s.address for s in left.acting} <= {s.address for s in whole.acting}
    apply_plan(deployment, left)
    assert deployment.plan().is_empty
