"""docs/reference/tasks.md names a test for every sentence; each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_what_the_tasks_page_names_is_there() -> None:
    page = (REPOSITORY / "docs" / "reference" / "tasks.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 30
    for path, test in named:
        text = (REPOSITORY / path).read_text()
        assert f"def {test}(" in text, (path, test)


def test_every_row_of_the_tasks_page_names_a_test() -> None:
    page = (REPOSITORY / "docs" / "reference" / "tasks.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| “")]
    assert len(rows) > 25
    without = [row for row in rows if "::" not in row]
    assert not without
