"""A project's place on AWS, for tests."""

from __future__ import annotations

from typing import Any

from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Owner
from snowmelt.project.targets import SnowflakeTarget


def some_names(project: str = "my_shop", target: str = "prod", **aws: Any) -> Names:
    """Return the names of a project whose target says this of AWS."""
    given = {
        "account": "123456789012",
        "region": "us-east-1",
        "bucket": "shop-landing",
        "prefix": "raw/",
        **aws,
    }
    words: dict[str, Any] = {"account": "org-shop", "user": "deployer", "aws": given}
    return Names(Owner(project, target), SnowflakeTarget.model_validate(words))


def some_site(project: str = "my_shop", target: str = "prod", **aws: Any) -> Site:
    return Site.of(some_names(project, target, **aws))
