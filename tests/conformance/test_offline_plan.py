"""A plan that asks nobody, as docs/how-to/go-to-snowflake.md shows it.

All of the page is walked in tests/cloud/test_go_to_snowflake.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from snowmelt.cli import main
from snowmelt.deploy import opening
from snowmelt.project.new import make_project
from walked_page import blocks, commands


def test_what_asks_nobody_works_as_it_is_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(opening, "connect", connect)
    make_project(tmp_path / "shop", "storefront", "shop")
    with (tmp_path / "shop/snowmelt.yml").open("a") as settings:
        settings.write(f"\n{blocks('yaml')[0]}")
    monkeypatch.chdir(tmp_path / "shop")
    [command] = [each for each in commands() if "--offline" in each.words]
    with pytest.raises(SystemExit) as ended:
        main(command.words[1:])
    out, err = capsys.readouterr()
    assert ended.value.code in (0, None), err
    answer = [*out.splitlines(), *err.splitlines()]
    command.require_shown(answer)
    [remarks] = [each for each in blocks("console") if each.startswith("snowmelt.yml:")]
    assert [line for line in remarks.splitlines() if line not in answer] == []
