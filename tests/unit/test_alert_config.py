"""`alerts:` in snowmelt.yml: what is refused, where, and that secrets stay secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from snowmelt.errors import ConfigError
from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.observe.alerts.quiet import QuietHours
from snowmelt.observe.alerts.rules import BUILT_IN
from snowmelt.project.project import load_project
from snowmelt.project.settings import Settings

HEAD = "version: 1\nname: shop\nalerts:\n"
SINKS = '  sinks:\n    ops: {webhook: {url: "https://hook.example/T0P"}}\n'


def load(root: Path, alerts: str) -> AlertsConfig:
    (root / "snowmelt.yml").write_text(HEAD + alerts)
    return load_project(root).settings.alerts


def refused(root: Path, alerts: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(root, alerts)
    assert error.value.exit_code == 3
    return str(error.value)


def test_the_whole_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "hush")
    config = load(
        tmp_path,
        """
  sinks:
    ops: {webhook: {url: "https://hook.example/x", headers: {Authorization: b}}}
    chat: {slack: {url: "https://hooks.slack.example/x"}, values: hidden}
    mail:
      email:
        {host: mail.example, user: me, password: "${SMTP_PASSWORD}",
         from: a@example.org, to: [b@example.org]}
    topic: {sns: {topic_arn: "arn:aws:sns:eu-west-1:123456789012:alerts"}}
    script: {shell: "cat > /dev/null", time_limit: 2s}
    any: {apprise: "json://localhost"}
  rules:
    late: {on: late, to: [ops]}
    rejected: {on: rejected, more_than: 5%, pipe: orders, to: [chat]}
    kpi: {sql: "select 1", every: 5m, severity: critical}
  quiet_hours:
    {from: "22:00", to: "07:00", timezone: Europe/Berlin, except: critical}
  escalate: {after: 1h, to: [mail]}
""",
    )
    assert [sink.kind for sink in config.sinks.values()] == [
        *("webhook", "slack", "email", "sns", "shell", "apprise")
    ]
    assert config.rules["late"].on == "late"
    assert config.told_by(config.rules["kpi"]) == tuple(config.sinks)
    assert isinstance(config.quiet_hours, QuietHours)
    shown = repr(config) + config.model_dump_json()
    for secret in ("hush", "hook.example", "slack.example", "/dev/null", "json://"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("alerts", "line", "told"),
    [
        (
            SINKS + "  rules: {late: {on: late, to: [opps]}}\n",
            6,
            "no sink of this name",
        ),
        (SINKS + "  escalate: {after: 1h, to: [boss]}\n", 6, "known: ops"),
        ("  rules:\n    a: {on: layte}\n", 5, "no such rule; known: late, missing"),
        ("  rules:\n    a: {on: late, sql: select 1}\n", 5, "one of on and sql"),
        ("  rules:\n    a: {on: late, every: often}\n", 5, "write a number and a unit"),
        ("  rules:\n    a: {on: late, every: 5ms}\n", 5, "every 1s"),
        (
            "  rules:\n    a: {on: late, more_than: 5%}\n",
            5,
            "is for rules on held",
        ),
        (
            "  rules:\n    a: {on: rejected, more_than: lots}\n",
            5,
            "such as 5%",
        ),
        ("  rules:\n    a: {on: rejected, severity: bad}\n", 5, "'critical'"),
        ("  rules:\n    a: {on: late, seveity: info}\n", 5, "Did you mean 'severity'?"),
        ("  sinks:\n    a: {values: hidden}\n", 5, "write one of webhook, slack"),
        ("  sinks:\n    a: {shell: x, apprise: y}\n", 5, "write one of webhook, slack"),
        ("  sinks:\n    a: {email: {host: h, from: xyz, to: [y]}}\n", 5, "NAME@HOST"),
        (
            "  sinks:\n    a: {email: {host: h, starttls: false, user: u, password: p,"
            " from: a@b, to: [c@d]}}\n",
            5,
            "over encrypted connections alone",
        ),
        ('  quiet_hours: {from: "25:00", to: "07:00"}\n', 4, "a time of the day"),
        ("  quiet_hours: {from: 22:00, to: 07:00}\n", 4, "a time of the day in quotes"),
        (
            '  quiet_hours: {from: "22:00", to: "07:00", timezone: Mars}\n',
            4,
            "no time zone",
        ),
        ("  retry_first: 0s\n", 4, "longer than 0s"),
    ],
)
def test_what_is_off_is_named_with_its_line(
    tmp_path: Path, alerts: str, line: int, told: str
) -> None:
    problem = refused(tmp_path, alerts)
    assert problem.startswith(f"snowmelt.yml:{line}: alerts"), problem
    assert told in problem


def test_a_variable_that_is_missing_is_named_with_its_line(tmp_path: Path) -> None:
    sinks = '  sinks:\n    a: {webhook: {url: "${NO_SUCH_URL}"}}\n'
    problem = refused(tmp_path, sinks)
    assert problem.startswith("snowmelt.yml:5: the environment has no NO_SUCH_URL")


@pytest.mark.parametrize(
    "alerts",
    [
        '  sinks:\n    a: {webhook: {url: "hunter2"}}\n',
        '  sinks:\n    a: {webhook: {url: "${THE_URL}"}}\n',
        '  sinks:\n    a: {slack: {url: "${THE_URL}"}}\n',
        "  sinks:\n    a: {apprise: {hunter2: 1}}\n",
        "  sinks:\n    a: {webhook: {url: 'https://h', headers: {X: [hunter2]}}}\n",
        '  sinks:\n    a: {email: {host: h, port: "${THE_URL}", from: a@b, to: []}}\n',
        '  rules:\n    a: {on: "${THE_URL}"}\n',
    ],
)
def test_no_error_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alerts: str
) -> None:
    monkeypatch.setenv("THE_URL", "hunter2")
    told = refused(tmp_path, alerts).replace("a.apprise.hunter2", "")
    assert "snowmelt.yml:5" in told
    assert "hunter2" not in told


def test_editors_know_the_keys() -> None:
    schema = Settings.model_json_schema()
    assert "quiet_hours" in schema["$defs"]["AlertsConfig"]["properties"]
    assert "from" in schema["$defs"]["QuietHours"]["properties"]


def test_the_examples_of_the_documentation_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "alerts.md"
    examples = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.S)
    assert len(examples) == 4
    for name in ("OPS_URL", "SLACK_URL"):
        monkeypatch.setenv(name, "https://hook.example/x")
    for name in ("OPS_TOKEN", "SMTP_PASSWORD", "NTFY_TOPIC"):
        monkeypatch.setenv(name, "x")
    for example in examples:
        (tmp_path / "snowmelt.yml").write_text(f"version: 1\nname: shop\n{example}")
        assert load_project(tmp_path).settings.alerts.model_fields_set


def test_the_documentation_knows_every_rule() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "alerts.md"
    table = page.read_text()
    assert all(f"`{on}`" in table for on in BUILT_IN)
