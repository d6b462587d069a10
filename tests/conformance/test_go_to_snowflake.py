"""docs/how-to/go-to-snowflake.md, walked by somebody new: each command as it stands.

The clouds are an account in memory and moto; what the page shows of an answer is in the
answer, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aws_cloud import started_account
from snowflake_account import Account
from snowmelt.cli import main
from snowmelt.deploy import opening
from snowmelt.deploy.aws.calls import Calls
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.naming import Names
from snowmelt.project.new import make_project

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "go-to-snowflake.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIGEST = re.compile(r"\b[0-9a-f]{12}\b")
LEFT_OUT = "…"


@dataclass
class Command:
    """A command of the page, and what is shown of its answer."""

    words: list[str]
    shown: list[str] = field(default_factory=list)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == language]


def commands() -> Iterator[Command]:
    """The commands of the page that deploy, in its order.

    What moves, sends and runs has stories of its own: test_migrate.py, test_sending.py
    and tests/cloud/test_runs.py.
    """
    for block in blocks("console"):
        found: Command | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if found is not None and found.words[:2] == ["snowmelt", "deploy"]:
                    yield found
                found = Command(line.removeprefix("$ ").split())
            elif found is not None:
                found.shown.append(line)
        if found is not None and found.words[:2] == ["snowmelt", "deploy"]:
            yield found


class Walk:
    """One person, with a project and both clouds."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.account = Account()
        self.account.bucket = "s3://my-landing/"
        self.digest = ""
        self._capsys = capsys
        monkeypatch.setattr(opening, "connect", self._connect)

    def _connect(self, *given: object) -> Any:
        self.account.__dict__["close"] = lambda: None
        return self.account

    def says(self, command: Command) -> list[str]:
        """Run a command; the digest of the page is that of the plan before it."""
        words = [DIGEST.sub(self.digest, word) for word in command.words[1:]]
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = self._capsys.readouterr()
        assert ended.value.code in (0, None), err
        told = re.search(r"Plan ([0-9a-f]{12})\.", out)
        self.digest = told[1] if told else self.digest
        return [*out.splitlines(), *err.splitlines()]


def require_shown(command: Command, answer: list[str]) -> None:
    """What the page shows is in the answer, in its order; … stands for any lines."""
    told = iter(DIGEST.sub("DIGEST", line) for line in answer)
    for line in command.shown:
        if line != LEFT_OUT:
            assert DIGEST.sub("DIGEST", line) in told, (command.words, line)


@pytest.fixture
def walk(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Walk:
    make_project(tmp_path / "shop", "storefront")
    settings = tmp_path / "shop" / "snowmelt.yml"
    text = settings.read_text().replace("name: storefront", "name: shop")
    target, *_ = blocks("yaml")
    settings.write_text(f"{text}\n{target}")
    monkeypatch.chdir(tmp_path / "shop")
    return Walk(capsys, monkeypatch)


def test_what_asks_nobody_works_as_it_is_written(walk: Walk) -> None:
    offline = [each for each in commands() if "--offline" in each.words]
    assert offline
    for command in offline:
        require_shown(command, walk.says(command))
    assert not walk.account.statements
    remarks = [line for line in blocks("console")[1].splitlines() if line]
    answer = walk.says(offline[0])
    assert [line for line in remarks if line not in answer] == []


@pytest.mark.long
def test_the_whole_page_can_be_walked(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_account() as make:
        live: Calls = make(bucket="my-landing", region="eu-central-1").live

        def open_aws(names: Names, clock: object) -> AwsProvider:
            return AwsProvider(Site.of(names), live)

        monkeypatch.setattr(opening, "open_aws", open_aws)
        walked = list(commands())
        for command in walked:
            require_shown(command, walk.says(command))
    verbs = {command.words[2] for command in walked}
    assert {"plan", "apply", "drift", "destroy"} <= verbs
