"""docs/reference/verified.md names tests, and claims nothing of live accounts."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "reference" / "verified.md"
WORDS = {
    *("pure", "grammar", "memory", "rules", "fakesnow", "moto", "policies"),
    *("terraform", "server"),
}


def rows() -> list[list[str]]:
    """The rows of capabilities, cell by cell."""
    lines = [line for line in PAGE.read_text().splitlines() if "::" in line]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]


def test_what_the_verified_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())
    assert len(named) > 30
    for path, test in named:
        text = (REPOSITORY / path).read_text()
        assert f"def {test}(" in text, (path, test)


def test_every_capability_says_what_it_was_held_against() -> None:
    assert len(rows()) > 25
    for capability, against, shown, live in rows():
        named = set(re.findall(r"\w+", against.partition(":")[0])) & WORDS
        assert named, capability
        assert "::" in shown, capability
        assert live == "never", f"{capability}: name the transcript, and this test"


def test_a_test_of_fakesnow_or_terraform_is_named_as_one() -> None:
    """Who reads has to see which tests `make test` leaves out."""
    for capability, against, shown, _ in rows():
        assert ("tests/cloud/" in shown) == ("fakesnow" in against), capability
        assert ("test_terraform.py" in shown) == ("terraform" in against), capability
