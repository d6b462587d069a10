"""Our mark as tags: whose a thing is, and what was applied to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snowmelt.deploy.aws.site import PROJECT_TAG, TARGET_TAG
from snowmelt.deploy.resource import Mark, Owner

APPLIED_TAG = "snowmelt:applied"
UNFINISHED = "0" * 12
"""The digest of a thing that is not yet as it is to be."""


def tags_of(mark: Mark) -> dict[str, str]:
    """Return a mark as tags; without a digest they only say whose a thing is."""
    applied = {APPLIED_TAG: mark.digest} if mark.digest else {}
    return {PROJECT_TAG: mark.owner.project, TARGET_TAG: mark.owner.target, **applied}


def unfinished(mark: Mark) -> Mark:
    """Return the mark that a thing bears from its first moment on."""
    return Mark(mark.owner, UNFINISHED if mark.digest else "")


def mark_of(tags: Mapping[str, str]) -> Mark | None:
    """Read a mark off tags. Whoever sets the first two hands a thing over to us.

    Terraform does, with what it makes of our files: what was applied it does not know.
    """
    project, target = tags.get(PROJECT_TAG), tags.get(TARGET_TAG)
    if not project or not target:
        return None
    return Mark(Owner(project, target), tags.get(APPLIED_TAG, ""))


def pairs(
    tags: Mapping[str, str], key: str = "Key", value: str = "Value"
) -> list[dict[str, str]]:
    """Return tags as most services take them."""
    return [{key: name, value: said} for name, said in sorted(tags.items())]


def unpaired(
    listed: Iterable[Mapping[str, str]], key: str = "Key", value: str = "Value"
) -> dict[str, str]:
    """Return tags as most services say them."""
    return {each[key]: each[value] for each in listed}
