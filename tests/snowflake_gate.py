"""What a statement must pass before we say that Snowflake takes it.

First sqlfluff's grammar, then rules of our own for what the grammar lets through: those
are read off the vendor's documentation, not off the code that writes statements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from sqlfluff.core import FluffConfig
from sqlfluff.core.parser import Lexer, Parser

STATEMENTS = Path(__file__).parent / "snowflake"
_TEXT = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_BODY = re.compile(r"\$\$(.*?)\$\$", re.DOTALL)
# What the grammar does not know and the documentation does: taken out before it, and
# checked by rules of ours.
_UNKNOWN = (
    # https://docs.snowflake.com/en/sql-reference/sql/create-file-format
    (r"CREATE TEMPORARY FILE FORMAT", r"TEMPORARY "),
    (r"CREATE (OR REPLACE )?STORAGE INTEGRATION", r"STORAGE_AWS_EXTERNAL_ID = '[^']*'"),
    (r"COPY INTO|CREATE FILE FORMAT", r"NULL_IF = \(\)"),  # no text means NULL
)
_WHOLE = re.compile(
    r"CREATE (OR REPLACE )?NOTIFICATION INTEGRATION (IF NOT EXISTS )?(?!IF )\w+ "
    r"(TYPE|ENABLED) = "
)
_KNOWN = re.compile(
    r"SHOW (ALERTS|ROW ACCESS POLICIES|DBT PROJECTS) IN DATABASE [A-Z_]+|"
    r"CREATE (OR REPLACE )?DBT PROJECT (\.?([A-Z_]+|\"[A-Z_]+\")){3} FROM '@[^']+' "
    r"DBT_VERSION = '\d+(\.\d+)+' DEFAULT_TARGET = '\w+' COMMENT = '[^']*'|"
    r"DROP DBT PROJECT IF EXISTS [A-Z_]+(\.[A-Z_]+){2}|"
    r"DROP MASKING POLICY [A-Z_]+(\.[A-Z_]+){2}"
)
_TASK_OPTIONS = {
    *("WAREHOUSE", "USER_TASK_MANAGED_INITIAL_WAREHOUSE_SIZE", "SCHEDULE", "CONFIG"),
    *("ALLOW_OVERLAPPING_EXECUTION", "OVERLAP_POLICY", "USER_TASK_TIMEOUT_MS"),
    *("SUSPEND_TASK_AFTER_NUM_FAILURES", "ERROR_INTEGRATION", "SUCCESS_INTEGRATION"),
    *("COMMENT", "FINALIZE", "TASK_AUTO_RETRY_ATTEMPTS", "LOG_LEVEL"),
    *("USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS", "TARGET_COMPLETION_INTERVAL"),
    *("SERVERLESS_TASK_MIN_STATEMENT_SIZE", "SERVERLESS_TASK_MAX_STATEMENT_SIZE"),
    "TIMEZONE",  # of its session, as any parameter of one
}
_ASKED_BY_TASKS = {
    "SYSTEM$STREAM_HAS_DATA",
    "SYSTEM$GET_PREDECESSOR_RETURN_VALUE",
}
_NOT_IN_PIPES = (
    *("FILES", "FORCE", "PURGE", "SIZE_LIMIT", "RETURN_FAILED_ONLY"),
    *("VALIDATION_MODE", "CURRENT_TIMESTAMP"),
)
_NAMED_ARGUMENTS = {
    "COPY_HISTORY": {"TABLE_NAME", "START_TIME", "END_TIME", "PIPE_NAME"},
    "POLICY_REFERENCES": {"POLICY_NAME"},
    "TASK_HISTORY": {
        "SCHEDULED_TIME_RANGE_START",
        "SCHEDULED_TIME_RANGE_END",
        "RESULT_LIMIT",
        "TASK_NAME",
    },
    "VALIDATE_PIPE_LOAD": {"PIPE_NAME", "START_TIME", "END_TIME"},
}
_FUNCTIONS = {
    *("COUNT", "SUM", "MIN", "MAX", "SUBSTR", "DATE_PART", "ROW_NUMBER", "DENSE_RANK"),
    *("COALESCE", "REGEXP_LIKE", "REGEXP_REPLACE", "RPAD", "TRY_CAST"),
    *("CURRENT_TIMESTAMP", "DATEADD", "CURRENT_ROLE", "IS_ROLE_IN_SESSION", "TABLE"),
    *("COPY_HISTORY", "SYSTEM$SEND_EMAIL", "EXISTS", "OVER", "VARCHAR", "NUMBER"),
    *("IF", "AS", "IN", "OR", "AND", "SYSTEM$SEND_SNOWFLAKE_NOTIFICATION"),
}
# What statements of tasks, alerts and procedures call, by
# https://docs.snowflake.com/en/sql-reference/functions-all and the pages that it leads
# to. To the grammar any word before a parenthesis is a function.
_CALLED = {
    *_FUNCTIONS,
    *("CAST", "COUNT_IF", "CURRENT_DATE", "EQUAL_NULL", "GREATEST", "NULLIF"),
    *("SYSTEM$SET_RETURN_VALUE", "SYSTEM$STREAM_HAS_DATA", "TASK_HISTORY", "REPLACE"),
    *("LAST_SUCCESSFUL_SCHEDULED_TIME", "SCHEDULED_TIME", "LOWER", "UPPER"),
    *("LAST_QUERY_ID", "RESULT_SCAN", "DATEDIFF", "IFNULL", "TO_VARCHAR"),
}
# Words of the grammar that stand before a parenthesis, and types with a length.
_WORDS = {
    *("FROM", "JOIN", "USING", "WHERE", "WHEN", "THEN", "ELSE", "ON", "NOT", "BY"),
    *("INSERT", "VALUES", "MERGE", "INTO", "SELECT", "CASE", "EXCEPTION", "ANY", "ALL"),
    *("LIKE", "BETWEEN", "HAVING", "QUALIFY", "UNION", "WITHIN", "GROUP", "LIMIT"),
    *("TIMESTAMP_LTZ", "SET", "RETURN", "FILES", "RETURNS", "COLUMNS", "DECIMAL"),
}
_CALL = re.compile(r"(?<![.\w$\"])([A-Za-z_][\w$]*) ?\(")
_CALL_OF_A_SCHEMA = re.compile(
    r"\b(SNOWFLAKE\.ALERT|INFORMATION_SCHEMA)\.([A-Z_]+) ?\("
)
_READ = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+([\w$]+(?:\.[\w$]+)+)", re.I)
_SENT_LATER = re.compile(r"CREATE (OR (REPLACE|ALTER) )?(TASK|ALERT|PROCEDURE) ")
_DATE_PARTS = {"EPOCH_NANOSECOND", "EPOCH_SECOND", "DAY", "HOUR", "MINUTE", "SECOND"}
_MAIL = {
    "TYPE",
    "ENABLED",
    "ALLOWED_RECIPIENTS",
    "DEFAULT_RECIPIENTS",
    "DEFAULT_SUBJECT",
}
_HOOK = {"TYPE", "ENABLED", "WEBHOOK_URL", "WEBHOOK_SECRET", "WEBHOOK_BODY_TEMPLATE"}


def read_statements(name: str) -> dict[str, str]:
    """Return the statements of a file by the names that stand before them."""
    text = (STATEMENTS / name).read_text()
    parts = re.split(r"^-- (\w+)(?::[^\n]*)?\n", text, flags=re.MULTILINE)[1:]
    return {
        key: statement.strip()
        for key, statement in zip(parts[::2], parts[1::2], strict=True)
    }


def problems(statement: str) -> list[str]:
    """Return what is wrong with a statement; nothing if it passes."""
    return [*grammar_problems(statement), *rule_problems(statement)]


@cache
def _config() -> FluffConfig:
    return FluffConfig(overrides={"dialect": "snowflake", "library_path": "none"})


def grammar_problems(statement: str) -> list[str]:
    """Return what sqlfluff cannot read, but for what it is known not to know."""
    squeezed = " ".join(statement.split())
    if _is_mail_or_hook(squeezed) or _KNOWN.fullmatch(squeezed):
        return []
    for opening, clause in _UNKNOWN:
        if re.match(opening, " ".join(statement.split())):
            statement = re.sub(clause, "", statement)
    return _unreadable(statement)


@cache
def _unreadable(statement: str) -> list[str]:
    tokens, errors = Lexer(config=_config()).lex(f"{statement.strip()};\n")
    tree = Parser(config=_config()).parse(tuple(tokens))
    assert tree is not None
    found = [each.raw.strip()[:80] for each in tree.recursive_crawl("unparsable")]
    return [*(str(error) for error in errors), *found]


def _is_mail_or_hook(squeezed: str) -> bool:
    kind = re.search(r"\bTYPE = (\w+)", _TEXT.sub("''", squeezed))
    mail = kind is not None and kind[1] in ("EMAIL", "WEBHOOK")
    return mail and _WHOLE.match(squeezed) is not None


def rule_problems(statement: str) -> list[str]:
    """Return which of our own rules a statement breaks."""
    squeezed = " ".join(statement.split())
    bare = _TEXT.sub("''", _BODY.sub("''", squeezed))
    found = [
        told
        for opening, rule in _RULES
        if re.match(opening, squeezed)
        for told in rule(squeezed, bare)
    ]
    return [*found, *_arguments(bare), *_bodies(statement), *_calls(statement)]


def _pipe(squeezed: str, bare: str) -> Iterator[str]:
    _, has_body, body = bare.partition(" AS ")
    if not has_body or not body.startswith("COPY INTO "):
        yield "a pipe is AS COPY INTO"
    for word in _NOT_IN_PIPES:
        if re.search(rf"\b{word}\b", body):
            yield f"a pipe has no {word}"
    if re.search(r"ON_ERROR = '?ABORT_STATEMENT", squeezed):
        yield "a pipe never aborts"


def _stream(squeezed: str, bare: str) -> Iterator[str]:
    if " ON TABLE " in bare and "INSERT_ONLY" in bare:
        yield "INSERT_ONLY is for external tables"


def _task(squeezed: str, bare: str) -> Iterator[str]:
    head, has_body, _ = bare.partition(" AS ")
    if not has_body:
        yield "a task is AS something"
    for function in re.findall(r"SYSTEM\$\w+", head.partition(" WHEN ")[2]):
        if function not in _ASKED_BY_TASKS:
            yield f"a task's condition has no {function}"
    for refresh in re.findall(r"ALTER PIPE \S+ REFRESH(?:(?!ALTER PIPE).)*", squeezed):
        if " MODIFIED_AFTER = " not in refresh:
            yield "a task's REFRESH says MODIFIED_AFTER: its pipe may be made anew"
    head = re.split(r" (?:AFTER|WHEN) ", head)[0]
    for option in re.findall(r"(\w+) = ", head):
        if option not in _TASK_OPTIONS:
            yield f"a task has no {option}"
    if re.search(r"\bSCHEDULE = ", bare) and re.search(r"\b(AFTER|FINALIZE)\b", bare):
        yield "only a root has a schedule"
    schedule = re.search(r"\bSCHEDULE = '([^']*)'", squeezed)
    if schedule:
        yield from _schedule(schedule[1])


def _schedule(given: str) -> Iterator[str]:
    if re.fullmatch(r"\d+ (SECONDS?|MINUTES?|HOURS?|[MSH])", given):
        return
    cron = re.fullmatch(r"USING CRON (\S+ \S+ \S+ \S+ \S+) (\S+)", given)
    try:
        expression, zone = cron.groups() if cron else ("", "")
        CronSim(expression, datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)))
    except (CronSimError, KeyError, ValueError):
        yield f"no schedule: {given}"


def _refresh(squeezed: str, bare: str) -> Iterator[str]:
    """https://docs.snowflake.com/en/sql-reference/sql/alter-pipe"""
    since = re.search(r" MODIFIED_AFTER = (\S+)", squeezed)
    iso = r"'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[-+]\d\d:\d\d'"
    if since and not re.fullmatch(iso, since[1]):
        yield f"MODIFIED_AFTER is a text in ISO-8601, with its offset: {since[1]}"


def _storage_integration(squeezed: str, bare: str) -> Iterator[str]:
    for key in ("TYPE", "STORAGE_PROVIDER", "ENABLED", "STORAGE_ALLOWED_LOCATIONS"):
        if not re.search(rf"\b{key} = ", bare):
            yield f"an integration needs {key}"
    external_id = re.search(r"STORAGE_AWS_EXTERNAL_ID = '([^']*)'", squeezed)
    if external_id and not re.fullmatch(r"[\w+=,.@:/-]{2,1224}", external_id[1]):
        yield "no external id"


def _notification_integration(squeezed: str, bare: str) -> Iterator[str]:
    if not re.search(r"\bTYPE = (QUEUE|EMAIL|WEBHOOK)\b", bare):
        yield "a notification integration needs TYPE"
    known = _MAIL if "TYPE = EMAIL" in bare else _HOOK | {"WEBHOOK_HEADERS"}
    if "TYPE = QUEUE" not in bare:
        for option in re.findall(r"(\w+) = ", bare):
            if option not in known | {"COMMENT"}:
                yield f"such an integration has no {option}"


def _dynamic_table(squeezed: str, bare: str) -> Iterator[str]:
    for key in ("TARGET_LAG", "WAREHOUSE"):
        if not re.search(rf"\b{key} = ", bare):
            yield f"a dynamic table needs {key}"


def _materialized_view(squeezed: str, bare: str) -> Iterator[str]:
    if re.search(r"\bJOIN\b", bare):
        yield "a materialized view reads one table"


def _expression(squeezed: str, bare: str) -> Iterator[str]:
    """Judge the functions of a query: to the grammar any word may be one."""
    for function in re.findall(r"(?<![.\w$])([A-Z][A-Z_$]+) ?\(", bare):
        if function not in _FUNCTIONS:
            yield f"there is no function {function}"
    for part in re.findall(r"\b(?:DATE_PART|DATEADD)\((\w+)", bare):
        if part not in _DATE_PARTS:
            yield f"there is no part {part} of a date"


def _procedure(squeezed: str, bare: str) -> Iterator[str]:
    """sql-reference/sql/create-procedure, execute-dbt-project, and the limitations
    of dbt Projects on Snowflake (user-guide/data-engineering/…-limitations).
    """
    if re.match(r"CREATE PROCEDURE IF NOT EXISTS ", bare):
        yield "there is no CREATE PROCEDURE IF NOT EXISTS"
    if "EXECUTE DBT PROJECT" in squeezed:
        if not re.search(r" EXECUTE AS CALLER ", bare):
            yield "a procedure with EXECUTE DBT PROJECT has the caller's rights"
        if not re.search(r"DBT_VERSION = '+\d+(\.\d+)+", squeezed):
            yield "EXECUTE DBT PROJECT runs dbt 1.9.4 unless it says DBT_VERSION"
        yield from _transactions(squeezed)


def _transactions(squeezed: str) -> Iterator[str]:
    """No transaction is open while dbt runs: nothing says what becomes of it."""
    depth = 0
    for word in re.findall(
        r"BEGIN TRANSACTION|\bCOMMIT\b|\bROLLBACK\b|EXECUTE IMMEDIATE", squeezed
    ):
        depth = {"BEGIN TRANSACTION": 1, "EXECUTE IMMEDIATE": depth}.get(word, 0)
        if word == "EXECUTE IMMEDIATE" and depth:
            yield "EXECUTE DBT PROJECT stands in a transaction"


def _alert(squeezed: str, bare: str) -> Iterator[str]:
    if not re.search(r" IF ?\( ?EXISTS ?\(", bare):
        yield "an alert is IF (EXISTS (…))"


def _bulk_grant(squeezed: str, bare: str) -> Iterator[str]:
    """https://docs.snowflake.com/en/sql-reference/sql/grant-privilege"""
    if re.search(r"\bON ALL PIPES\b", bare):
        yield "nothing is granted on pipes in bulk"


def _altered_view(squeezed: str, bare: str) -> Iterator[str]:
    """https://docs.snowflake.com/en/sql-reference/sql/create-view"""
    yield "what a view asks cannot be altered: replace it"


Rule = Callable[[str, str], Iterator[str]]
_SOME = r"CREATE (OR (REPLACE|ALTER) )?"
_RULES: tuple[tuple[str, Rule], ...] = (
    (_SOME + "PIPE ", _pipe),
    ("ALTER PIPE ", _refresh),
    (_SOME + "STREAM ", _stream),
    (_SOME + "TASK ", _task),
    (_SOME + "STORAGE INTEGRATION ", _storage_integration),
    (_SOME + "NOTIFICATION INTEGRATION ", _notification_integration),
    (_SOME + "DYNAMIC TABLE ", _dynamic_table),
    (_SOME + "MATERIALIZED VIEW ", _materialized_view),
    (_SOME + "ALERT ", _alert),
    ("CREATE OR ALTER (SECURE )?VIEW ", _altered_view),
    ("(GRANT|REVOKE) ", _bulk_grant),
    (_SOME + "PROCEDURE ", _procedure),
    (
        _SOME + "(ALERT|VIEW|(MASKING|ROW ACCESS) POLICY|SECURE VIEW) ",
        _expression,
    ),
)


def _later(statement: str) -> str:
    """Return what a statement has sent later, without the texts in it."""
    if not _SENT_LATER.match(" ".join(statement.split())):
        return ""
    body = _BODY.search(statement)
    if body is None:
        body = re.search(r"(?s) (?:AS|IF \(EXISTS)\b(.*)", statement)
    return _TEXT.sub("''", body[1]) if body is not None else ""


def _calls(statement: str) -> Iterator[str]:
    """Judge the functions that tasks, alerts and procedures call when they run.

    The grammar takes any word for a function, and creating a task does not run it.
    """
    later = _later(statement)
    for call in _CALL.findall(later):
        if call.upper() not in _CALLED | _WORDS:
            yield f"there is no function {call.upper()}"
    for schema, function in _CALL_OF_A_SCHEMA.findall(later):
        if function not in _CALLED:
            yield f"there is no function {schema}.{function}"
        if schema == "SNOWFLAKE.ALERT" and " ALERT " not in statement[:60]:
            yield f"{function} is called from within an alert alone"


def tables_read(statement: str) -> set[str]:
    """Return the tables that a task, an alert or a procedure reads or writes later."""
    named = {each.upper() for each in _READ.findall(_later(statement))}
    return {each for each in named if "INFORMATION_SCHEMA" not in each}


def _arguments(bare: str) -> Iterator[str]:
    """Judge the named arguments of table functions."""
    for function, known in _NAMED_ARGUMENTS.items():
        for call in re.findall(rf"\b{function}\((.*?)\)\)", bare):
            for argument in re.findall(r"(\w+) =>", call):
                if argument not in known:
                    yield f"{function} has no argument {argument}"


def _bodies(statement: str) -> Iterator[str]:
    """Judge the statements of a procedure in SQL: to the grammar they are a text."""
    squeezed = " ".join(statement.split())
    if "LANGUAGE SQL" not in squeezed and "EXECUTE IMMEDIATE $$" not in squeezed:
        return
    for body in _BODY.findall(statement):
        for told in _unreadable(body.strip().rstrip(";")):
            yield f"in the body: {told}"
