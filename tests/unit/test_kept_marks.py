"""Marks hold for the tables that readers see, whatever the project says by now."""

from __future__ import annotations

from pathlib import Path

from snowmelt.service.masking.kept_marks import STATES_MAX, KeptMarks

OLD, NEW = {"gold.people": {"email"}}, {"gold.people": {"name"}, "gold.more": {"x"}}


def test_until_it_is_published_what_was_and_what_will_be_hold(tmp_path: Path) -> None:
    kept = KeptMarks(tmp_path / "personal.json")
    kept.keep("one", "before", OLD)
    kept.keep("two", "edited", NEW)
    again = KeptMarks(tmp_path / "personal.json")
    assert again.find("two") == NEW
    assert again.find("one") is None
    both = {"gold.people": {"email", "name"}, "gold.more": {"x"}}
    assert again.with_published(NEW, "edited", "before") == both
    assert again.with_published(NEW, "edited", "edited") == NEW
    assert again.with_published(NEW, "edited", "of long ago") == NEW
    assert again.with_published(NEW, "edited", None) == NEW


def test_the_newest_states_are_kept_and_rubbish_is_none(tmp_path: Path) -> None:
    path = tmp_path / "personal.json"
    path.write_text("rubbish")
    kept = KeptMarks(path)
    for number in range(STATES_MAX + 3):
        kept.keep(str(number), f"state {number}", OLD)
    again = KeptMarks(path)
    assert again.with_published({}, "now", "state 2") == {}
    assert again.with_published({}, "now", f"state {STATES_MAX}") == OLD
