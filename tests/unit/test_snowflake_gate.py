"""What deploy emits passes the gate, and the gate refuses what it must."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from shipped import TARGET, account_history, deployed_into
from snowflake_account import Account
from snowflake_gate import (
    grammar_problems,
    problems,
    read_statements,
    rule_problems,
    tables_read,
)
from snowmelt.deploy.snowflake.kept_history import COPIES, TASKS
from snowmelt.project import project as projects

VALID = read_statements("valid.sql")
REFUSED = read_statements("refused.sql")
# What sqlfluff 4.5.0 lets through: our own rules have to find it.
LET_THROUGH = {
    *("pipe_no_as", "pipe_on_error_abort", "pipe_force", "dt_no_lag", "dt_no_wh"),
    *("task_bad_schedule", "task_after_and_schedule", "si_no_type", "mv_join"),
    *("proc_body_garbage", "proc_if_not_exists", "proc_dbt_owner"),
    *("proc_dbt_no_rights", "proc_dbt_default", "proc_dbt_in_transaction"),
    *("task_refresh_whole", "pipe_refresh_moment"),
}
_WORD = re.compile(r"[A-Z][A-Z_$]{2,}")
_TEXT = re.compile(r"'(?:[^'\\]|''|\\.)*'|\"[^\"]+\"|\$\$.*?\$\$", re.DOTALL)
# Words of statements that are names: misspelt, they are other names.
_NAMES = {
    *("SHOP", "SHOP_WH", "SHOP_S", "SHOP_LOADER", "SHOP_READER", "SHOP_TRANSFORMER"),
    *("SYSADMIN", "SHOP_MONITOR", "SHOP_OPS", "LANDING", "ARGS", "VAL", "ANSWER"),
    "NEWS",
    *("STATUS", "POLICY", "FILE_NAME", "STAGE_LOCATION", "EVENTS", "ORDERS"),
    *("STREAM_NAME", "ROW_COUNT", "READ_AT", "TURN", "RUN_ID", "STEP", "OBJECT"),
    *("STARTED_AT", "ENDED_AT", "ROWS_IN", "ROWS_OUT", "ROWS_REJECTED", "BYTES"),
    *("ERROR", "DETAILS", "EMAIL", "AMOUNT", "CITY", "PAYLOAD", "NOTE"),
    *COPIES,
    *TASKS,
}


@pytest.mark.parametrize("name", VALID)
def test_the_gate_lets_through_what_is_valid(name: str) -> None:
    assert problems(VALID[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_the_gate_refuses_what_is_not(name: str) -> None:
    assert problems(REFUSED[name])
    # where the grammar alone would do, our rules are not what is tested
    assert bool(grammar_problems(REFUSED[name])) == (name not in LET_THROUGH)


@cache
def emitted() -> dict[str, str]:
    """One statement of each shape that deploy, changes, dances and destroy emit."""
    shapes: dict[str, str] = {}
    for statement in account_history():
        shape = re.sub(r"\b\d+\b", "0", re.sub(r"'[^']*'", "''", statement))
        shape = re.sub(r"\b(ORDERS|EVENTS|SHOP_)\w*|\bSHOP(\.\w+)*", "X", shape)
        shapes.setdefault(shape, statement)
    return shapes


def test_every_statement_that_is_emitted_passes_the_gate() -> None:
    found = {statement: problems(statement) for statement in emitted().values()}
    assert len(found) > 80
    assert {k: told for k, told in found.items() if told} == {}
    verbs = {" ".join(statement.split()[:2]) for statement in found}
    assert {"CREATE PIPE", "CREATE OR", "ALTER TABLE", "COPY INTO", "LIST"} <= (
        verbs | {verb.split()[0] for verb in verbs}
    )


def mutations(statement: str) -> Iterator[str]:
    """Misspell each keyword of a statement, one at a time."""
    skipped = [match.span() for match in _TEXT.finditer(statement)]
    for match in _WORD.finditer(statement):
        start, end = match.span()
        inside = any(a <= start < b for a, b in skipped)
        beside = statement[start - 1 : start] in (".", "@", "$", "_") or (
            statement[end : end + 1] == "." or match[0] in _NAMES
        )
        if not inside and not beside and not match[0].startswith(("_", "METADATA")):
            yield f"{statement[:start]}{match[0][:-1]}Q{match[0][-1]}{statement[end:]}"


def refused_share(step: int) -> tuple[int, int]:
    changing = ("CREATE", "ALTER", "GRANT", "COPY", "DROP", "REVOKE")
    mutated = [
        each
        for statement in emitted().values()
        if statement.startswith(changing)
        for each in mutations(statement)
    ]
    tried = mutated[::step]
    return sum(bool(problems(each)) for each in tried), len(tried)


def test_a_misspelt_keyword_is_refused() -> None:
    """A sample of what the long form tries whole."""
    refused, tried = refused_share(23)
    assert tried > 30
    assert refused / tried >= 0.95, (refused, tried)


@pytest.mark.long
def test_every_misspelt_keyword_is_refused() -> None:
    refused, tried = refused_share(1)
    assert tried > 600
    assert refused / tried >= 0.985, (refused, tried)


def test_rules_of_ours_say_what_is_wrong() -> None:
    told = rule_problems(
        "CREATE TASK T WAREHOUSE = W SCHEDULE = 'USING CRON 0 * * * * Mars/Base' "
        "AFTER A AS SELECT 1"
    )
    assert told == [
        "only a root has a schedule",
        "no schedule: USING CRON 0 * * * * Mars/Base",
    ]


TEMPLATES = Path(projects.__file__).parent / "templates"
ALERTS = {
    "sinks": {
        "ops": {"email": {"host": "m", "from": "a@x.example", "to": ["o@x.example"]}}
    },
    "rules": {
        "failed": {"on": "failed"},
        "rejected": {"on": "rejected"},
        "asked": {"sql": "select 1 as cause from gold.t having count(*) = 0"},
    },
}


@pytest.mark.parametrize(
    "template",
    [
        *("realtime", "retail", "storefront"),  # those with tasks of their own
        *(
            pytest.param(e, marks=pytest.mark.long)
            for e in ("blank", "crm-erp", "olist")
        ),
    ],
)
def test_what_a_template_has_run_later_can_be_run(
    template: str, tmp_path: Path
) -> None:
    """Creating a task says nothing of whether it runs: no function is looked up."""
    shutil.copytree(TEMPLATES / template, tmp_path / template)
    given = {"targets": {"prod": TARGET}, "alerts": ALERTS}
    with (tmp_path / template / "snowmelt.yml").open("a") as file:
        file.write(yaml.safe_dump(given))
    project = projects.load_project(tmp_path / template)
    deployment = deployed_into(project, Account())
    sent = [e for s in deployment.plan_offline().acting for e in deployment.script(s)]
    made = set().union(*(re.findall(_MADE, each) for each in sent))
    # those of silver and gold are dbt's
    models = {each.stem.upper() for each in project.root.glob("models/**/*.sql")}
    made |= {f"{layer}.{name}" for layer in ("SILVER", "GOLD") for name in models}
    read = {
        each.removeprefix(f"{project.settings.name.upper()}.")
        for statement in sent
        for each in tables_read(statement)
    }
    assert read - {"GOLD.T"} - made == set()
    assert not [(each, rule_problems(each)) for each in sent if rule_problems(each)]
    if template != "blank":
        assert {"SNOWMELT.PIPELINE_LOG", "SNOWMELT.COPY_HISTORY"} <= read


_MADE = re.compile(
    r"^CREATE (?:OR \w+ )?(?:TABLE|VIEW|STREAM) (?:IF NOT EXISTS )?\w+\.(\w+\.\w+)"
)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("SELECT NOW()", "there is no function NOW"),
        ("select regexp_matches(a, 'x') from t", "there is no function REGEXP_MATCHES"),
        ("SELECT SNOWFLAKE.ALERT.SCHEDULED_TIME()", "from within an alert alone"),
        (
            "SELECT * FROM TABLE(S.INFORMATION_SCHEMA.LOADS(1))",
            "INFORMATION_SCHEMA.LOADS",
        ),
    ],
)
def test_what_a_task_cannot_run_is_refused(code: str, told: str) -> None:
    plain = f"CREATE TASK S.T WAREHOUSE = W SCHEDULE = '5 MINUTE' AS {code}"
    block = plain.replace(code, f"EXECUTE IMMEDIATE $$\nBEGIN\n  {code};\nEND\n$$")
    for statement in (plain, block):
        assert any(told in each for each in rule_problems(statement))
        assert not [e for e in grammar_problems(statement) if "Section" in e]


def test_tables_that_are_read_later_are_named() -> None:
    assert tables_read(
        "CREATE TASK S.T WAREHOUSE = W AS EXECUTE IMMEDIATE $$\nBEGIN\n"
        "  INSERT INTO s.log SELECT 'from x.y' FROM bronze.t\n"
        "  JOIN snowmelt.gone USING (a)"
        ";\nEND\n$$"
    ) == {"S.LOG", "BRONZE.T", "SNOWMELT.GONE"}
