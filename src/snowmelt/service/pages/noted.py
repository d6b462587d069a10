"""What the project says of its models in words, read once for all pages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from snowmelt.service.parts import Parts
from snowmelt.transform.documentation import Documentation, KnownDocumentation


@lru_cache(maxsize=8)
def _known(root: Path) -> KnownDocumentation:
    return KnownDocumentation(root)


def documentation(parts: Parts) -> Documentation | None:
    """Return the notes as dbt read them last; None before it ever did."""
    if parts.files is not None:
        return parts.files.notes()
    return _known(parts.project.root).read()
