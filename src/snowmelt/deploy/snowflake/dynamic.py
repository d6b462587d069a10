"""Does a project have models that are dynamic tables? dbt makes them, deploy grants."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

_ASKED = re.compile(r"\bdynamic_table\b")
_COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*|^\s*#[^\n]*", re.DOTALL | re.MULTILINE)


def asks_for_dynamic_tables(root: Path) -> bool:
    """Look for the word in models and what describes them, comments left out.

    A word too many costs a grant that nobody uses; dbt itself decides what it makes.
    """
    described = (
        *(root / "models").rglob("*.sql"),
        *(root / "models").rglob("*.yml"),
    )
    files = chain(described, (root / "dbt_project.yml",))
    return any(
        _ASKED.search(_COMMENT.sub("", file.read_text()))
        for file in files
        if file.is_file()
    )
