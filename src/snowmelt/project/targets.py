"""Where a project can live: `targets:` in snowmelt.yml.

Texts may hold `${NAME}`; they are read from the environment when the target is used,
not before, so that a project runs on this machine without the secrets of another.
A secret can only be written as `${NAME}`: one that is spelled out is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from snowmelt.errors import ConfigError, UsageError
from snowmelt.landing.config import Duration, duration_field
from snowmelt.project.row_access import RowAccessRule, RuleName
from snowmelt.project.yaml_file import place_of

LOCAL = "local"
SIZES = (
    *("XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "XXLARGE"),
    *("XXXLARGE", "X4LARGE", "X5LARGE", "X6LARGE"),
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_ONLY_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _matching(pattern: str, told: str) -> AfterValidator:
    """Require a form of a text, once no `${NAME}` is left in it."""
    expression = re.compile(pattern)

    def check(given: str) -> str:
        if not _VARIABLE.search(given) and not expression.fullmatch(given):
            raise ValueError(told)
        return given

    return AfterValidator(check)


def _is_variable(given: SecretStr) -> SecretStr:
    if not _ONLY_VARIABLE.fullmatch(given.get_secret_value()):
        raise ValueError(
            "a secret is never written here: write ${NAME}, and set NAME in the "
            "environment"
        )
    return given


Secret = Annotated[SecretStr, AfterValidator(_is_variable)]
_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,126}"
ObjectName = Annotated[
    str, _matching(_NAME, "a name has letters, digits and _, no digit first")
]
Prefix = Annotated[
    str,
    _matching(
        r"[A-Za-z][A-Za-z0-9_]{0,30}", "a prefix has up to 31 letters, digits and _"
    ),
]


class WarehouseTarget(BaseModel):
    """The compute that copies by hand, tasks and models use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ObjectName | None = Field(None, description="PREFIX_WH without it.")
    size: Annotated[str, AfterValidator(lambda given: _size(given))] = Field(
        "XSMALL", description="XSMALL, SMALL, MEDIUM and so on, to X6LARGE."
    )
    auto_suspend: Duration = duration_field(
        "60s", "How long it idles before it stops to cost."
    )
    credits_per_month: int | None = Field(
        None,
        ge=1,
        description="With it comes a resource monitor: it tells at 80 %, and suspends "
        "the warehouse at 100 %.",
    )

    @model_validator(mode="after")
    def _suspends(self) -> WarehouseTarget:
        if self.auto_suspend < timedelta(seconds=1):
            raise ValueError("'auto_suspend' is 1s or more")
        return self


def _size(given: str) -> str:
    size = given.upper().replace("-", "").replace("_", "")
    if size not in SIZES and not _VARIABLE.search(given):
        raise ValueError(f"there is no such size; known: {', '.join(SIZES)}")
    return given if _VARIABLE.search(given) else size


class AwsTarget(BaseModel):
    """The bucket that files arrive in, and the account that it is in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[
        str, _matching(r"\d{12}", "an account has 12 digits: write it in quotes")
    ] = Field(description="The AWS account, 12 digits in quotes.")
    region: Annotated[
        str, _matching(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-central-1")
    ] = Field(description="Its region, of AWS proper: no GovCloud, no China.")
    bucket: Annotated[
        str,
        _matching(
            r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            "a bucket has 3 to 63 small letters, digits, '.' and '-'",
        ),
    ] = Field(description="The bucket.")
    prefix: Annotated[
        str,
        _matching(
            r"([A-Za-z0-9_.=-]+/)*[A-Za-z0-9_.=-]*",
            "a prefix has letters, digits and _ . = - between slashes, none first",
        ),
    ] = Field("", description="What stands before the names that pipes match.")
    external_id: (
        Annotated[
            str,
            _matching(
                r"[\w+=,.@:/-]{2,1224}", "2 or more letters, digits and +=,.@:/-"
            ),
        ]
        | None
    ) = Field(
        None,
        description="What Snowflake shows to take on the role; derived from the "
        "project, the target and both accounts without it.",
    )
    profile: str | None = Field(
        None, min_length=1, description="Profile in the AWS configuration files."
    )
    endpoint: str | None = Field(
        None, description="URL of a server that speaks for AWS; AWS itself without it."
    )
    expire_versions_after: Duration = duration_field(
        "90d", "How long versions that were written over are kept."
    )
    adopt_bucket: bool = Field(
        False,
        description="Is the bucket there already, and stays somebody else's? Then "
        "only its notifications are set, and only ours among them.",
    )

    bucket_key: (
        Annotated[
            str, _matching(r"arn:aws[a-z-]*:kms:.+:key/.+", "the ARN of a key of KMS")
        ]
        | None
    ) = Field(
        None,
        description="The KMS key of a bucket that is adopted, if it has one: its ARN.",
    )

    @property
    def folder(self) -> str:
        """The prefix, empty or with a slash at its end."""
        prefix = self.prefix.strip("/")
        return f"{prefix}/" if prefix else ""


class LocalTarget(BaseModel):
    """This machine, with the embedded engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["local"] = "local"


class SnowflakeTarget(BaseModel):
    """An account of Snowflake, and one of AWS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["snowflake"] = "snowflake"
    account: Annotated[
        str,
        _matching(
            r"[A-Za-z0-9_.-]{2,128}", "an account such as myorg-myaccount, without .com"
        ),
    ] = Field(description="The account: `ORGANISATION-ACCOUNT`.")
    user: str = Field(min_length=1, description="Who deploys.")
    role: ObjectName = Field(
        "ACCOUNTADMIN",
        description="The role that deploys, owns what is made and runs it. It needs "
        "the privileges that docs/how-to/go-to-snowflake.md lists.",
    )
    key_path: Secret | None = Field(
        None,
        description="`${NAME}` of the variable with the path of the private key of a "
        "key pair.",
    )
    key_passphrase: Secret | None = Field(
        None, description="`${NAME}` of the variable with the key's passphrase."
    )
    token: Secret | None = Field(
        None, description="Instead of a key: `${NAME}` of one with an OAuth token."
    )
    host: str | None = Field(
        None, description="A host that speaks for the account, such as a private link."
    )
    prefix: Prefix | None = Field(
        None,
        description="Before the names of what is the account's: the database, the "
        "warehouse, roles, integrations. The project's name without it, so that "
        "projects can share an account.",
    )
    database: ObjectName | None = Field(
        None, description="The database; the prefix without it."
    )
    warehouse: WarehouseTarget = Field(default_factory=WarehouseTarget)
    parent_role: ObjectName = Field(
        "SYSADMIN", description="The role that our roles are granted to."
    )
    keep_history: Duration = duration_field(
        "1d",
        "How far back tables can be asked as they were (time travel); 90d at most. "
        "More than 1d takes the Enterprise Edition.",
    )
    runner: Literal["tasks", "service"] = Field(
        "tasks",
        description="What builds when files were copied: tasks of the account, or "
        "`snowmelt up --target` on some machine.",
    )
    dbt_project: ObjectName | None = Field(
        None,
        description="The DBT PROJECT that tasks run, in the schema SNOWMELT, which "
        "deploy makes of the project's files; the prefix without it.",
    )
    dbt_version: Annotated[
        str,
        _matching(
            r"(1\.(1[1-9]|[2-9]\d)|[2-9]\.\d+)\.\d+(-[a-z]+(\.\d+)?)?",
            "a version such as 1.11.11, and not below 1.11: models here need that",
        ),
    ] = Field(
        "1.11.11",
        description="The dbt that tasks run, of those the account has: `SELECT "
        "SYSTEM$SUPPORTED_DBT_VERSIONS()`.",
    )
    run_timeout: Duration | None = Field(
        None,
        description="How long a task that runs dbt may take, such as 3h, where it does "
        "not say so itself; the account's own limit, 60 minutes, without it. 7d at "
        "most.",
    )
    row_access: dict[RuleName, RowAccessRule] = Field(
        default_factory=dict,
        description="Who sees which rows, by name: columns of contracts name a rule in "
        "their meta, models in row_access_policy.",
    )
    aws: AwsTarget = Field(description="Where files arrive.")

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> SnowflakeTarget:
        if self.key_path is not None and self.token is not None:
            raise ValueError("write one of key_path and token")
        if self.key_passphrase is not None and self.key_path is None:
            raise ValueError("'key_passphrase' needs a 'key_path'")
        if not timedelta(0) <= self.keep_history <= timedelta(days=90):
            raise ValueError("'keep_history' is between 0s and 90d")
        longest = timedelta(days=7)
        if self.run_timeout and not timedelta(seconds=1) <= self.run_timeout <= longest:
            raise ValueError("'run_timeout' is between 1s and 7d")
        return self

    def secret(self, key: str, environment: Mapping[str, str]) -> str | None:
        """Return a secret from the environment; None if the target has no such key.

        Raises ConfigError when the environment lacks it.
        """
        name = self.variable(key)
        if name is None:
            return None
        if not environment.get(name):
            raise ConfigError(key, f"the environment has no {name}", f"Set {name}.")
        return environment[name]

    def variable(self, key: str) -> str | None:
        """Return the variable that holds a secret; None if there is no such key."""
        given: SecretStr | None = getattr(self, key)
        if given is None:
            return None
        name = _ONLY_VARIABLE.fullmatch(given.get_secret_value())
        assert name is not None
        return name[1]


TargetConfig = Annotated[
    SnowflakeTarget | LocalTarget, Field(discriminator="type", description="")
]


def resolve_target(
    targets: Mapping[str, LocalTarget | SnowflakeTarget],
    name: str,
    file: Path,
    environment: Mapping[str, str] | None = None,
) -> LocalTarget | SnowflakeTarget:
    """Return a target with its variables replaced, all but secrets.

    Raises UsageError for a name that there is not, and ConfigError with file and line
    for a variable that is missing or holds what does not fit.
    """
    if name == LOCAL:
        return targets.get(name, LocalTarget())
    if name not in targets:
        known = ", ".join(dict.fromkeys((LOCAL, *targets)))
        raise UsageError(
            f"--target {name}",
            f"there is no such target; known: {known}",
            f"Write it below targets: in {file.name}.",
        )
    given = targets[name]
    environment = os.environ if environment is None else environment
    try:
        content = _replaced(_dumped(given), environment, ())
    except _Missing as missing:
        where = place_of(file, ("targets", name, *missing.location), file.name)
        told = f"the environment has no {missing.variable}"
        raise ConfigError(where, told, f"Set {missing.variable}.") from None
    try:
        return type(given).model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = place_of(file, ("targets", name, *first["loc"]), file.name)
        told = first["msg"].removeprefix("Value error, ")
        raise ConfigError(where, f"{told} (by the environment)") from None


class _Missing(Exception):
    def __init__(self, variable: str, location: tuple[str, ...]) -> None:
        self.variable = variable
        self.location = location
        super().__init__(variable)


def _dumped(model: BaseModel) -> dict[str, Any]:
    """Return what was given, as it was given."""
    return {
        name: _dumped(value) if isinstance(value, BaseModel) else value
        for name in model.model_fields_set
        for value in (getattr(model, name),)
    }


def _replaced(
    content: Any, environment: Mapping[str, str], location: tuple[str, ...]
) -> Any:
    if isinstance(content, dict):
        return {
            key: _replaced(value, environment, (*location, key))
            for key, value in content.items()
        }
    if not isinstance(content, str):
        return content

    def value_of(match: re.Match[str]) -> str:
        found = environment.get(match[1], match[2])
        if found is None:
            raise _Missing(match[1], location)
        return found

    return _VARIABLE.sub(value_of, content)
