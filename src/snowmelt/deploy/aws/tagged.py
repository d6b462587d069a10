"""What bears our tags, wherever it is and whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.aws.site import PROJECT_TAG, TARGET_TAG
from snowmelt.deploy.resource import Owner


def tagged_arns(calls: Calls, owner: Owner, *services: str) -> Iterator[str]:
    """Yield the ARNs of what bears an owner's tags, of some services."""
    more: dict[str, Any] = {}
    while True:
        try:
            page = calls.ask(
                "resourcegroupstaggingapi",
                "get_resources",
                TagFilters=[
                    {"Key": PROJECT_TAG, "Values": [owner.project]},
                    {"Key": TARGET_TAG, "Values": [owner.target]},
                ],
                ResourceTypeFilters=list(services),
                **more,
            )
        except Missing:
            return
        for each in page["ResourceTagMappingList"]:
            yield str(each["ResourceARN"])
        if not page.get("PaginationToken"):
            return
        more = {"PaginationToken": page["PaginationToken"]}
