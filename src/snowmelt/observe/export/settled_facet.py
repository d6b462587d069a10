"""A facet of our own: what became of a file that was loaded."""

from __future__ import annotations

from typing import ClassVar

import attr
from openlineage.client.event_v2 import set_producer  # noqa: F401 - its base is set by it
from openlineage.client.generated.base import InputDatasetFacet


@attr.define
class SettledFacet(InputDatasetFacet):
    """A load's status and counts, in the words of load history."""

    status: str = ""
    loadSeq: int = 0
    recordsParsed: int = 0
    rowsLoaded: int = 0
    recordsRejected: int = 0
    firstError: str | None = None
    _additional_skip_redact: ClassVar[list[str]] = ["status"]
