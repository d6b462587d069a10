"""What `deploy` says of the AWS side while nobody is asked."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shipped import make_project
from snowmelt.cli import deploy
from snowmelt.cli.main import group
from snowmelt.deploy.aws import asking
from snowmelt.deploy.aws.access import Judgement
from snowmelt.deploy.aws.evaluation import Decision, Request, decide

THING = "arn:aws:s3:::shop-landing/raw/a.csv"


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(
        group, ["deploy", *words, "--project-dir", str(project)], catch_exceptions=False
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("shop")).root


@pytest.mark.parametrize(
    ("words", "action", "allowed"),
    [
        ((), "s3:DeleteObject", False),
        (("--with-data",), "s3:DeleteObject", True),
        (("--for", "service"), "s3:GetObject", True),
        (("--for", "service"), "s3:DeleteObject", False),
        (("--for", "service", "--puts-away"), "s3:DeleteObject", True),
    ],
)
def test_rights_are_printed_as_a_policy(
    project: Path, words: tuple[str, ...], action: str, allowed: bool
) -> None:
    printed = run(project, "rights", *words)
    assert printed.exit_code == 0
    document = json.loads(printed.stdout)
    request = Request("arn:aws:iam::1:user/ana", action, THING, "1")
    assert decide(request, identity=[document]).allowed is allowed


def test_files_are_written_once_and_nobodys_are_written_over(
    project: Path, tmp_path: Path
) -> None:
    words = ("plan", "--offline", "--out", str(tmp_path / "infra"))
    first = run(project, *words)
    assert first.exit_code == 0
    assert "infra/landing.tf" in first.stderr
    assert {each.name for each in (tmp_path / "infra").glob("*.sql")}
    again = run(project, *words)
    assert "landing.tf" not in again.stderr, "it is as it was"
    (tmp_path / "infra" / "landing.tf").write_text("# mine\n")
    with pytest.raises(Exception, match=r"landing\.tf.*changed by hand"):
        run(project, *words)
    assert (tmp_path / "infra" / "landing.tf").read_text() == "# mine\n"


def test_access_says_what_is_wrong(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = [
        Judgement("Snowflake reads files", True, Decision(True, "ReadFiles")),
        Judgement("a stranger reads files", False, Decision(True, "theirs")),
    ]
    monkeypatch.setattr(deploy, "_opened", lambda *given: nullcontext())
    monkeypatch.setattr(asking, "ask_access", lambda deployment: judged)
    printed = CliRunner().invoke(
        group,
        ["deploy", "access", "--project-dir", str(project)],
        standalone_mode=False,
    )
    assert printed.return_value == 1
    assert printed.stdout.splitlines() == [
        "✓ Snowflake reads files: yes, by ReadFiles",
        "✗ a stranger reads files: yes, by theirs; it has to be no",
    ]
    told = json.loads(run(project, "access", "--json").stdout)["access"]
    assert [each["allowed"] for each in told] == [True, True]
    assert [each["expected"] for each in told] == [True, False]


def test_the_script_has_both_clouds_in_their_order(project: Path) -> None:
    printed = run(project, "plan", "--offline", "--sql").stdout
    order = [
        printed.index(each)
        for each in (
            "aws kms create-key",
            "CREATE STORAGE INTEGRATION",
            "aws iam create-role",
            "aws sns set-topic-attributes",
            "aws s3api put-bucket-notification-configuration",
            "SYSTEM$VALIDATE_STORAGE_INTEGRATION",
            "CREATE PIPE",
        )
    ]
    assert order == sorted(order)
