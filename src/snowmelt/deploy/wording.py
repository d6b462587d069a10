"""What a person is told of something that is yet to be made: what matters, in words.

Everything is in the statements (`--sql`) and in the document (`--json`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from snowmelt.deploy.address import Value
from snowmelt.deploy.steps import Action, Step

Properties = Mapping[str, Value]
_COLUMN = "column "
_MASKED = "masking of "
_OWN = re.compile(r"\"?_[A-Z_]+\"?")
_PATTERN = re.compile(r"PATTERN = '((?:[^'\\]|''|\\.)*)'")
_ON_ERROR = re.compile(r"ON_ERROR = '?([A-Z0-9_%]+)")
_CRON = "USING CRON "
_SENTENCE_MAX = 90

SECTIONS = {
    "Where files arrive": {"key", "bucket", "topic", "queue"},
    "Places and what they cost": {
        *("warehouse", "resource_monitor", "database", "schema"),
    },
    "Who may do what": {"role", "role_grant", "grant"},
    "The door between both clouds": {
        *("storage_integration", "storage_access", "iam_role", "topic_policy"),
        *("notification", "notification_integration"),
    },
    "Bronze": {
        *("stage", "file_format", "masking_policy", "row_access_policy", "table"),
        *("row_access", "view", "pipe"),
    },
    "What runs": {
        *("stream", "dbt_project", "procedure", "task", "task_graph", "alert"),
    },
}
KEPT = "What is kept"
_SECTION_OF = {kind: title for title, kinds in SECTIONS.items() for kind in kinds}
_AS_BEFORE = {"queue"}
"""Kinds that stand where what is beside them does."""


def section_of(step: Step, before: str) -> str:
    """Return the heading that a step stands below; `before` is the one above it."""
    address = step.address
    if step.action is Action.KEEP:
        return KEPT
    if before and address.kind in _AS_BEFORE:
        return before
    return _SECTION_OF.get(address.kind, before)


def in_words(step: Step) -> str | None:
    """Return how something is to be, in short; None where there are no words for it."""
    assert step.wanted is not None
    say = _WORDS.get(step.address.kind)
    if say is None:
        return None
    told = say(step.wanted.properties)
    return told if len(told) <= _SENTENCE_MAX else f"{told[:_SENTENCE_MAX]}…"


def _listed(given: Value) -> list[str]:
    return [str(each) for each in given] if isinstance(given, tuple) else [str(given)]


def _short(name: Value) -> str:
    """Return the last part of a name."""
    return str(name).rpartition(".")[2]


def _warehouse(given: Properties) -> str:
    return f"{given['warehouse_size']}, stops after {given['auto_suspend']} s of rest"


def _monitor(given: Properties) -> str:
    return (
        f"{given['credit_quota']} credits a month; told at {given['notify_at']}, "
        f"stopped at {given['suspend_at']}"
    )


def _history(given: Properties) -> str:
    days = given["data_retention_time_in_days"]
    return f"history of {days} day{'' if days == 1 else 's'}"


def _nothing(given: Properties) -> str:
    return ""


def _grant(given: Properties) -> str:
    return ", ".join(_listed(given["privileges"]))


def _storage_integration(given: Properties) -> str:
    where = ", ".join(_listed(given["storage_allowed_locations"]))
    return f"takes {str(given['storage_aws_role_arn']).rpartition(':')[2]}, for {where}"


def _file_format(given: Properties) -> str:
    parts = [str(given["type"])]
    if given.get("parse_header"):
        parts.append("columns by their header")
    elif "skip_header" in given:
        parts.append(f"columns by their place, {given['skip_header']} lines skipped")
    if given.get("field_delimiter", ",") != ",":
        parts.append(f"between '{given['field_delimiter']}'")
    if given.get("encoding", "UTF8") != "UTF8":
        parts.append(str(given["encoding"]))
    return ", ".join(parts)


def _table(given: Properties) -> str:
    names = [k.removeprefix(_COLUMN) for k in given if k.startswith(_COLUMN)]
    own = [name for name in names if _OWN.fullmatch(name)]
    masked = [k for k, v in given.items() if k.startswith(_MASKED) and v]
    told = f"{len(names) - len(own)} columns"
    told += " and where each row is from" if own else ""
    told += f"; {len(masked)} masked" if masked else ""
    return told + ("; new ones are added" if given["enable_schema_evolution"] else "")


def _view(given: Properties) -> str:
    return "the rows that count" if "QUALIFY" in str(given["query"]) else ""


def _pipe(given: Properties) -> str:
    copy = str(given["copy"])
    pattern, on_error = _PATTERN.search(copy), _ON_ERROR.search(copy)
    told = _glob(pattern[1]) if pattern else "everything"
    return f"{told}, on error {on_error[1].lower()}" if on_error else told


def _glob(pattern: str) -> str:
    """Return a pattern as a pipe's file has it, so far as it is one of those."""
    told = pattern.replace("\\\\", "\\")
    for regular, glob in (("([^/]+/)*", "**/"), ("[^/]*", "*"), ("[^/]", "?")):
        told = told.replace(regular, glob)
    told = re.sub(r"\[(\w)(\w)\]", _either_case, told)
    return re.sub(r"\\(.)", r"\1", told)


def _either_case(match: re.Match[str]) -> str:
    return match[2] if match[1].lower() == match[2] else match[0]


def _masking_policy(given: Properties) -> str:
    roles = re.findall(r"IS_ROLE_IN_SESSION\('([^']+)'\)", str(given["body"]))
    return f"{given['type']}; plain for {', '.join(roles)}"


def _row_access_policy(given: Properties) -> str:
    some = re.findall(r"\(IS_ROLE_IN_SESSION\('([^']+)'\) AND", str(given["body"]))
    return f"some rows for {', '.join(some)}"


def _row_access(given: Properties) -> str:
    return f"by {given['column']}, as {_short(given['policy'])} says"


def _stream(given: Properties) -> str:
    return f"what is new in {_short(given['table'])}"


def _dbt_project(given: Properties) -> str:
    return f"{str(given['files']).partition(',')[0]}, run by dbt {given['dbt_version']}"


def _procedure(given: Properties) -> str:
    return "EXECUTE DBT PROJECT" if "EXECUTE DBT" in str(given["code"]) else ""


def _task(given: Properties) -> str:
    parts = []
    if given["schedule"]:
        parts.append(_schedule(str(given["schedule"])))
    if given["after"]:
        parts.append(f"after {', '.join(map(_short, _listed(given['after'])))}")
    if given["finalize"]:
        parts.append(f"at the end of {_short(given['finalize'])}")
    if given["when"]:
        streams = re.findall(r"STREAM_HAS_DATA\('([^']+)'\)", str(given["when"]))
        some = f"one of {len(streams)} streams" if len(streams) > 2 else ""
        parts.append(f"when {some or ' or '.join(map(_short, streams))} has rows")
    parts.append(_work(str(given["definition"])))
    return ", ".join(part for part in parts if part)


def _schedule(given: str) -> str:
    if given.startswith(_CRON):
        return f"cron {given.removeprefix(_CRON)}"
    number, unit = given.split()
    noun = unit.lower().removesuffix("s")
    if noun == "minute" and int(number) % 60 == 0:
        number, noun = str(int(number) // 60), "hour"
    return f"every {noun}" if number == "1" else f"every {number} {noun}s"


def _work(definition: str) -> str:
    """Return what a task does, as far as one line tells it."""
    call = re.match(r"CALL \S+\('(?P<said>[^']*)'", definition)
    if call is not None:
        return f"dbt {call['said']}"
    pipes = re.findall(r"ALTER PIPE (\S+) REFRESH", definition)
    if pipes:
        return f"refreshes {len(pipes)} pipe{'' if len(pipes) == 1 else 's'}"
    if ".COPY_HISTORY(" in definition:
        return "keeps history before it is forgotten"
    if ".NEWS_TAKEN (" in definition:
        return "has what is owed built"
    judged = re.search(r"'(\S+ must return [^,']*)", definition)
    if judged is not None:
        return judged[1]
    return "SQL" if definition.startswith("EXECUTE IMMEDIATE") else definition[:40]


def _alert(given: Properties) -> str:
    return f"looks {_schedule(str(given['schedule']))}, sends a mail"


def _mails(given: Properties) -> str:
    return f"mails to {', '.join(_listed(given['allowed_recipients']))}"


def _bucket(given: Properties) -> str:
    return f"{given['region']}, encrypted, versions kept, closed to the public"


def _queue(given: Properties) -> str:
    if "dead_letters" not in given:
        return "messages that could not be read"
    return "what the topic tells our own service"


def _said(text: str) -> Callable[[Properties], str]:
    return lambda given: text


_WORDS: dict[str, Callable[[Properties], str]] = {
    "warehouse": _warehouse,
    "resource_monitor": _monitor,
    "database": _history,
    "schema": _nothing,
    "role": _nothing,
    "role_grant": _nothing,
    "grant": _grant,
    "storage_integration": _storage_integration,
    "storage_access": _said("asked until Snowflake gets in"),
    "notification_integration": _mails,
    "stage": lambda given: str(given["url"]),
    "file_format": _file_format,
    "masking_policy": _masking_policy,
    "row_access_policy": _row_access_policy,
    "row_access": _row_access,
    "table": _table,
    "view": _view,
    "pipe": _pipe,
    "stream": _stream,
    "dbt_project": _dbt_project,
    "procedure": _procedure,
    "task": _task,
    "task_graph": _said("runs"),
    "alert": _alert,
    "key": _said("turns every year, opened by the account's own policies alone"),
    "bucket": _bucket,
    "topic": _said("is told of new files"),
    "queue": _queue,
    "iam_role": _said("Snowflake takes it by the external id, and reads files"),
    "topic_policy": _said("the bucket tells it, Snowflake may listen"),
    "notification": lambda given: f"tells {str(given['topic']).rpartition(':')[2]}",
}
