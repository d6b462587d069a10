"""An account of Snowflake in memory: it reads statements and answers as documented.

It is our reading of the vendor's documents, and no more than that: names of columns and
states are theirs, what each statement does is what we understood. Its reader shares no
code with the writer of statements, so a value that is written wrongly is read wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from glob import glob
from pathlib import Path
from typing import Any

import yaml

from snowflake_reader import Reader, Unreadable
from snowmelt.deploy.snowflake.session import AccountError, Row

NOUNS = (
    *("WAREHOUSE", "RESOURCE MONITOR", "DATABASE", "SCHEMA", "ROLE", "VIEW", "TABLE"),
    *("STORAGE INTEGRATION", "NOTIFICATION INTEGRATION", "STAGE", "FILE FORMAT"),
    *("PIPE", "STREAM", "TASK", "PROCEDURE", "ALERT", "MASKING POLICY", "INTEGRATION"),
    *("ROW ACCESS POLICY", "DBT PROJECT"),
)
SIZES = {
    "XSMALL": "X-Small",
    "SMALL": "Small",
    "XXLARGE": "2X-Large",
    "MEDIUM": "Medium",
}
IN_ACCOUNT = {
    *("WAREHOUSE", "RESOURCE MONITOR", "DATABASE", "ROLE", "STORAGE INTEGRATION"),
    "NOTIFICATION INTEGRATION",
}
Name = tuple[str, ...]
_MOVED = re.compile(
    r"SELECT DISTINCT FILE_NAME FROM (?P<loads>\S+\.SNOWMELT\.MIGRATED_LOADS) "
    r"WHERE TABLE_NAME = '(?P<table>[^']+)' AND STATUS <> 'Load failed'"
)


class Stopped(Exception):
    """The process that spoke to the account was killed."""


def named(text: str) -> Name:
    """The name that a text holds."""
    return Reader(text).name()


@dataclass
class Thing:
    """Anything that has a name: its options, and what else its statement said."""

    noun: str
    name: Name
    options: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def comment(self) -> str:
        return str(self.options.get("COMMENT", ""))


@dataclass
class StagedFile:
    path: str
    content: str
    modified_at: datetime


@dataclass
class PipeState:
    """What a pipe remembers; made anew, it remembers nothing."""

    made_at: datetime
    paused: bool = False
    history: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)
    stage: Thing | None = None


class Account:
    """One account. `stop_after`: how many statements until the process is gone."""

    bucket = "s3://shop-landing/"

    def __init__(self) -> None:
        self.things: dict[tuple[str, Name], Thing] = {}
        self.grants: set[tuple[str, str, str, str]] = set()
        self.role_grants: set[tuple[str, str]] = set()
        self.files: dict[str, StagedFile] = {}
        self.loads: list[tuple[Name, str, str]] = []
        """Table, path and content of every load."""
        self.failed: list[tuple[Name, str, str]] = []
        self.failing: set[str] = set()
        """Contents that no pipe can load."""
        self.copied: set[tuple[Name, str]] = set()
        self.moved: list[tuple[str, str]] = []
        """Table and path of what was loaded before the project came here."""
        self.pipes: dict[Name, PipeState] = {}
        self.states: dict[Name, str] = {}
        self.dbts = ["1.9.4", "1.10.15", "1.11.11"]
        self.staged: dict[Name, dict[str, bytes]] = {}
        """Files of stages that are gone with the session."""
        self.statements: list[str] = []
        self.stop_after: int | None = None
        self.denied: set[str] = set()
        self.hidden: set[tuple[str, Name]] = set()
        self.before: Callable[[str], None] = lambda statement: None
        self.now = datetime(2026, 6, 1, tzinfo=UTC)
        self.access = "success"
        self.region = "PUBLIC.AWS_EU_CENTRAL_1"

    # -- the session

    def rows(self, statement: str) -> list[Row]:
        if self.stop_after is not None and len(self.statements) >= self.stop_after:
            raise Stopped
        self.before(statement)
        self.statements.append(statement)
        self.now += timedelta(seconds=1)
        reader = Reader(statement)
        verb = reader.word()
        known = getattr(self, f"_{verb.lower()}", None)
        if known is None:
            raise Unreadable(statement)
        answer: list[Row] = known(reader)
        return answer

    def _fail(self, message: str, number: int = 2003) -> AccountError:
        return AccountError(self.statements[-1], number, f"SQL error: {message}")

    def _missing(self, noun: str, name: Name) -> AccountError:
        told = f"{noun} '{'.'.join(name)}' does not exist or not authorized."
        return self._fail(told)

    def _require(self, noun: str, name: Name) -> Thing:
        if (noun, name) not in self.things:
            raise self._missing(noun, name)
        return self.things[noun, name]

    def _allowed(self, what: str) -> None:
        if what in self.denied:
            raise self._fail(f"Insufficient privileges to operate on {what}", 3001)

    # -- CREATE

    def _noun(self, reader: Reader) -> str:
        reader.accept("SECURE")
        noun = next(
            (
                n
                for n in sorted(NOUNS, key=len, reverse=True)
                if reader.accept(*n.split())
            ),
            None,
        )
        if noun is None:
            raise Unreadable(reader.statement)
        return noun

    def _create(self, reader: Reader) -> list[Row]:
        mode = ""
        if reader.accept("OR"):
            mode = reader.word()
        is_temporary = reader.accept("TEMPORARY")
        noun = self._noun(reader)
        if is_temporary:
            assert noun == "STAGE"
            return self._create_temporary(reader.name())
        gentle = reader.accept("IF", "NOT", "EXISTS")
        if gentle and noun == "PROCEDURE":
            raise self._fail("syntax error: unexpected 'IF'", 1003)
        name = reader.name()
        self._allowed(f"CREATE {noun}")
        thing = self._described(noun, name, reader)
        key = (noun, thing.name)
        there = self.things.get(key)
        if there is not None:
            if gentle:
                return [{"status": f"{name[-1]} already exists, statement succeeded."}]
            if not mode:
                raise self._fail(f"Object '{name[-1]}' already exists.", 2002)
        if mode == "ALTER" and there and there.more.get("query"):
            raise self._fail("the definition of a view cannot be altered", 2)
        self._check(thing, is_new=there is None or mode == "REPLACE")
        self.things[key] = thing
        self._made(thing, is_new=there is None or mode == "REPLACE")
        return [{"status": f"{name[-1]} successfully created."}]

    def _create_temporary(self, stage: Name) -> list[Row]:
        """A stage of files that is gone with the session."""
        self._require("SCHEMA", stage[:-1])
        self.staged[stage] = {}
        return [{"status": f"Stage area {stage[-1]} successfully created."}]

    def _put(self, reader: Reader) -> list[Row]:
        """Send files from here: a pattern that takes a folder is refused."""
        pattern = str(reader.value()).removeprefix("file://")
        said, end, _ = reader.rest().partition(
            " AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
        )
        assert end, reader.statement
        place, _, below = said.strip("'").removeprefix("@").partition("/")
        found = sorted(glob(pattern))  # noqa: PTH207
        if not found:
            raise self._fail(f"File doesn't exist: {pattern}", 253006)
        for each in found:
            assert Path(each).is_file(), f"Not a file but a directory: {each}"
            name = "/".join(filter(None, (below, Path(each).name)))
            self.staged[named(place)][name] = Path(each).read_bytes()
        return [{"source": Path(e).name, "status": "UPLOADED"} for e in found]

    def _new_dbt_project(self, name: Name, reader: Reader) -> Thing:
        """Read the files as dbt there does: whole, with one output of the account."""
        reader.expect("FROM")
        stage = named(str(reader.value()).removeprefix("@"))
        options, files = reader.options(), self.staged[stage]
        project = yaml.safe_load(files["dbt_project.yml"])
        said = re.sub(r".*env_var\('\w+', '(\w+)'\).*", r"\1", project["profile"])
        profile = yaml.safe_load(files["profiles.yml"])[said]
        output = profile["outputs"][options["DEFAULT_TARGET"]]
        assert output["type"] == "snowflake"
        assert {"account", "user", "role", "warehouse", "database"} <= output.keys()
        assert "env_var" not in files["profiles.yml"].decode()
        self._require("SCHEMA", (output["database"], output["schema"].upper()))
        self._require("WAREHOUSE", (output["warehouse"],))
        listed = yaml.safe_load(files.get("packages.yml", b"{}")).get("packages", [])
        there = {n.split("/")[1] for n in files if n.startswith("dbt_packages/")}
        if options["DBT_VERSION"] not in self.dbts:
            raise self._fail(f"dbt {options['DBT_VERSION']} is not supported", 93998)
        if len(there) < len(listed):
            raise self._fail("dbt found packages that are not installed", 93999)
        return Thing("DBT PROJECT", name, options, {"files": files})

    def _row_of_dbt_project(self, thing: Thing) -> dict[str, Any]:
        told = ("DEFAULT_TARGET", "DBT_VERSION")
        return {key.lower(): thing.options[key] for key in told}

    def _check(self, thing: Thing, *, is_new: bool) -> None:
        if thing.noun not in IN_ACCOUNT:
            inside = "DATABASE" if thing.noun == "SCHEMA" else "SCHEMA"
            self._require(inside, self._path(thing)[:-1])
        for noun, name in thing.more.get("needs", ()):
            self._require(noun, name)
        if thing.noun == "TASK":
            self._require_suspended(thing)
            if self.states.get(thing.name) == "started" and not is_new:
                told = f"Unable to update task {'.'.join(thing.name)}: it is started"
                raise self._fail(told, 91421)

    @staticmethod
    def _path(thing: Thing) -> Name:
        path: Name = thing.more.get("path", thing.name)
        return path

    def _made(self, thing: Thing, *, is_new: bool) -> None:
        if thing.noun == "PIPE" and is_new:
            stage = self.things["STAGE", thing.more["copy"]["stage"]]
            self.pipes[thing.name] = PipeState(self.now, stage=stage)
        if thing.noun in ("TASK", "ALERT") and is_new:
            self.states[thing.name] = "suspended"
        if is_new and thing.noun not in IN_ACCOUNT and thing.noun != "SCHEMA":
            self._give_future(thing)

    def _give_future(self, thing: Thing) -> None:
        schema = ".".join(self._path(thing)[:-1])
        for role, privilege, on, target in list(self.grants):
            if on == f"FUTURE {thing.noun}" and target == schema:
                self.grants.add((role, privilege, thing.noun, ".".join(thing.name)))

    def _described(self, noun: str, name: Name, reader: Reader) -> Thing:
        special = getattr(self, f"_new_{noun.lower().replace(' ', '_')}", None)
        if special is not None:
            thing: Thing = special(name, reader)
            return thing
        reader.accept("WITH")
        options = reader.options()
        if not reader.is_over:
            raise Unreadable(f"{reader.statement}: {reader.rest()}")
        return Thing(noun, name, options)

    def _new_resource_monitor(self, name: Name, reader: Reader) -> Thing:
        reader.accept("WITH")
        return Thing(
            "RESOURCE MONITOR", name, reader.options() | self._triggers(reader)
        )

    @staticmethod
    def _triggers(reader: Reader) -> dict[str, Any]:
        found: dict[str, Any] = {}
        reader.expect("TRIGGERS")
        while reader.accept("ON"):
            percent = reader.take().text
            reader.expect("PERCENT", "DO")
            found[reader.word()] = f"{percent}%"
        return found

    def _new_table(self, name: Name, reader: Reader) -> Thing:
        columns: dict[str, dict[str, Any]] = {}
        reader.expect("(")
        while not reader.accept(")"):
            column = reader.part()
            columns[column] = self._column(reader)
            reader.accept(",")
        return Thing("TABLE", name, reader.options(), {"columns": columns})

    def _column(self, reader: Reader) -> dict[str, Any]:
        kind = reader.word()
        if reader.peek() == "(":
            kind += f"({reader.in_parentheses()})"
        found = {"type": kind, "null": True, "policy": "", "comment": ""}
        while reader.peek() not in (",", ")", ""):
            if reader.accept("NOT", "NULL"):
                found["null"] = False
            elif reader.accept("WITH", "MASKING", "POLICY"):
                policy = reader.name()
                self._require("MASKING POLICY", policy)
                found["policy"] = ".".join(policy)
            elif reader.accept("COMMENT"):
                found["comment"] = reader.value()
            else:
                raise Unreadable(reader.rest())
        return found

    def _new_view(self, name: Name, reader: Reader) -> Thing:
        reader.accept("COPY", "GRANTS")
        options = reader.options()
        reader.expect("AS")
        query = reader.rest()
        table = Reader(query[query.index("FROM ") + 5 :]).name()
        return Thing(
            "VIEW", name, options, {"query": query, "needs": [("TABLE", table)]}
        )

    def _new_pipe(self, name: Name, reader: Reader) -> Thing:
        options = reader.options()
        reader.expect("AS")
        copy = self._read_copy(Reader(reader.rest()))
        if {"FORCE", "FILES", "PURGE"} & copy["options"].keys():
            raise self._fail("not allowed in a pipe", 1003)
        needs = [("TABLE", copy["table"]), ("STAGE", copy["stage"])]
        needs += [("FILE FORMAT", copy["format"])]
        return Thing("PIPE", name, options, {"copy": copy, "needs": needs})

    def _new_stream(self, name: Name, reader: Reader) -> Thing:
        reader.expect("ON", "TABLE")
        table = reader.name()
        more = {"table": table, "needs": [("TABLE", table)]}
        return Thing("STREAM", name, reader.options(), more)

    def _new_task(self, name: Name, reader: Reader) -> Thing:
        options = reader.options()
        more: dict[str, Any] = {"after": [], "when": "", "needs": []}
        if reader.accept("AFTER"):
            more["after"] = [reader.name()]
            while reader.accept(","):
                more["after"].append(reader.name())
        if "FINALIZE" in options:
            more["finalize"] = tuple(options.pop("FINALIZE").split("."))
            more["needs"].append(("TASK", more["finalize"]))
        more["needs"] += [("TASK", each) for each in more["after"]]
        if reader.accept("WHEN"):
            text = reader.rest()
            more["when"] = text[: text.index("\nAS\n")]
            while not reader.accept("AS"):
                reader.take()
        else:
            reader.expect("AS")
        more["definition"] = reader.rest()
        more["needs"].append(("WAREHOUSE", (options["WAREHOUSE"],)))
        if "SCHEDULE" in options and more["after"]:
            raise self._fail("a child task has no schedule", 1003)
        return Thing("TASK", name, options, more)

    def _new_procedure(self, name: Name, reader: Reader) -> Thing:
        arguments = reader.in_parentheses()
        types = [part.split()[-1] for part in arguments.split(",") if part.strip()]
        reader.expect("RETURNS", "VARCHAR", "LANGUAGE", "SQL")
        options = reader.options()
        reader.expect("EXECUTE", "AS")
        rights = reader.word()
        assert rights in ("OWNER", "CALLER"), rights
        reader.expect("AS")
        body = reader.take()
        assert body.kind == "body"
        if "EXECUTE DBT PROJECT" in body.text and rights != "CALLER":
            raise self._fail("EXECUTE DBT PROJECT needs a caller's rights procedure")
        more = {"path": name, "types": types, "body": body.text, "rights": rights}
        return Thing("PROCEDURE", (*name, *types), options, more)

    def _new_alert(self, name: Name, reader: Reader) -> Thing:
        options = reader.options()
        reader.expect("IF", "(", "EXISTS")
        condition = reader.in_parentheses().strip()
        reader.expect(")", "THEN")
        more: dict[str, Any] = {"condition": condition, "action": reader.rest()}
        more["needs"] = [("WAREHOUSE", (options["WAREHOUSE"],))]
        return Thing("ALERT", name, options, more)

    def _new_masking_policy(self, name: Name, reader: Reader) -> Thing:
        reader.expect("AS", "(", "VAL")
        kind = reader.word()
        reader.expect(")", "RETURNS", kind, "->")
        text = reader.rest()
        body, _, comment = text.rpartition("COMMENT =")
        options = Reader(f"COMMENT ={comment}").options()
        return Thing(
            "MASKING POLICY", name, options, {"type": kind, "body": body.strip()}
        )

    def _new_row_access_policy(self, name: Name, reader: Reader) -> Thing:
        reader.expect("AS", "(", "VAL")
        kind = reader.word()
        reader.expect(")", "RETURNS", "BOOLEAN", "->")
        body, _, comment = reader.rest().rpartition("COMMENT =")
        options = Reader(f"COMMENT ={comment}").options()
        more = {"type": kind, "body": body.strip()}
        return Thing("ROW ACCESS POLICY", name, options, more)

    # -- ALTER

    def _alter(self, reader: Reader) -> list[Row]:
        noun = self._noun(reader)
        gentle = reader.accept("IF", "EXISTS")
        name = reader.name()
        if gentle and (noun, name) not in self.things:
            return [{"status": "Statement executed successfully."}]
        self._allowed(f"ALTER {noun}")
        thing = self._require(noun, name)
        special = getattr(self, f"_alter_{noun.lower().replace(' ', '_')}", None)
        if special is None or not special(thing, reader):
            reader.expect("SET")
            changed = reader.options()
            if noun == "RESOURCE MONITOR":
                changed |= self._triggers(reader)
            assert reader.is_over, reader.rest()
            thing.options |= changed
        return [{"status": "Statement executed successfully."}]

    def _alter_table(self, thing: Thing, reader: Reader) -> bool:
        columns = thing.more["columns"]
        if reader.peek() in ("ADD", "DROP") and reader.peek(1) == "ROW":
            return self._alter_row_access(thing, reader)
        if reader.accept("ADD", "COLUMN", "IF", "NOT", "EXISTS"):
            columns.setdefault(reader.part(), self._column(reader))
            return True
        if not reader.accept("ALTER", "COLUMN"):
            return False
        column = columns[reader.part()]
        if reader.accept("SET", "DATA", "TYPE"):
            column["type"] = self._column(reader)["type"]
        elif reader.accept("SET", "MASKING", "POLICY"):
            column["policy"] = ".".join(reader.name())
            reader.expect("FORCE")
        elif reader.accept("UNSET", "MASKING", "POLICY"):
            column["policy"] = ""
        elif reader.accept("DROP", "NOT", "NULL"):
            column["null"] = True
        else:
            reader.expect("SET", "NOT", "NULL")
            column["null"] = False
        return True

    def _alter_row_access(self, thing: Thing, reader: Reader) -> bool:
        """One policy is on a table at most; both halves happen, or neither."""
        now = thing.more.get("row_access")
        if reader.accept("DROP", "ROW", "ACCESS", "POLICY"):
            if now is None or now[0] != reader.name():
                raise self._fail("Row access policy is not attached to the table", 3557)
            now = None
            reader.accept(",")
        if reader.accept("ADD", "ROW", "ACCESS", "POLICY"):
            policy = reader.name()
            reader.expect("ON", "(")
            column = reader.part()
            reader.expect(")")
            if now is not None:
                raise self._fail(
                    f"Object {'.'.join(thing.name)} already has a ROW_ACCESS_POLICY. "
                    "Only one ROW_ACCESS_POLICY is allowed at a time.",
                    3542,
                )
            self._require("ROW ACCESS POLICY", policy)
            assert column in thing.more["columns"], column
            now = (policy, column)
        assert reader.is_over, reader.rest()
        thing.more["row_access"] = now
        return True

    def _alter_pipe(self, thing: Thing, reader: Reader) -> bool:
        state = self.pipes[thing.name]
        if reader.accept("REFRESH"):
            given = reader.options()
            self._refresh(thing, state, given)
            return True
        mark = reader.at
        reader.expect("SET")
        if reader.peek() != "PIPE_EXECUTION_PAUSED":
            reader.at = mark
            return False
        state.paused = reader.options()["PIPE_EXECUTION_PAUSED"]
        if not state.paused:
            pending, state.pending = state.pending, []
            for path in pending:
                self._ingest(thing, state, path)
        return True

    def _alter_task(self, thing: Thing, reader: Reader) -> bool:
        if reader.accept("SUSPEND"):
            self.states[thing.name] = "suspended"
            return True
        if reader.accept("RESUME"):
            self.states[thing.name] = "started"
            return True
        return False

    def _alter_alert(self, thing: Thing, reader: Reader) -> bool:
        if reader.accept("SUSPEND"):
            self.states[thing.name] = "suspended"
        elif reader.accept("RESUME"):
            self.states[thing.name] = "started"
        elif reader.accept("MODIFY", "CONDITION", "EXISTS"):
            thing.more["condition"] = reader.in_parentheses().strip()
        elif reader.accept("MODIFY", "ACTION"):
            thing.more["action"] = reader.rest()
        else:
            return False
        return True

    def _alter_masking_policy(self, thing: Thing, reader: Reader) -> bool:
        if reader.accept("SET", "BODY", "->"):
            thing.more["body"] = reader.rest()
            return True
        return False

    _alter_row_access_policy = _alter_masking_policy

    # -- DROP, GRANT, REVOKE, USE

    def _drop(self, reader: Reader) -> list[Row]:
        noun = self._noun(reader)
        gently = reader.accept("IF", "EXISTS")
        name = reader.name()
        if not gently:
            self._require(noun, name)
        if reader.peek() == "(":
            name = (
                *name,
                *(e.strip() for e in reader.in_parentheses().split(",") if e),
            )
        self._allowed(f"DROP {noun}")
        nouns = (
            ("STORAGE INTEGRATION", "NOTIFICATION INTEGRATION")
            if noun == "INTEGRATION"
            else (noun,)
        )
        for each in nouns:
            self._remove(each, name)
        if noun == "STAGE":
            self.staged.pop(name, None)
        return [{"status": f"{name[-1]} successfully dropped."}]

    def _remove(self, noun: str, name: Name) -> None:
        thing = self.things.get((noun, name))
        if thing is None:
            return
        if noun == "MASKING POLICY":
            full = ".".join(name)
            for each in self.things.values():
                for column in each.more.get("columns", {}).values():
                    if column["policy"] == full:
                        raise self._fail(
                            f"Policy {full} is associated with a column", 3541
                        )
        if noun == "ROW ACCESS POLICY" and self._policy_is_on(name):
            raise self._fail(
                f"Policy {'.'.join(name)} cannot be dropped/replaced as it is "
                "associated with one or more entities.",
                3541,
            )
        if noun == "TASK":
            self._require_suspended(thing)
        del self.things[noun, name]
        self.pipes.pop(name, None) if noun == "PIPE" else None
        if noun in ("DATABASE", "SCHEMA"):
            for key in list(self.things):
                if key[0] not in IN_ACCOUNT and key[1][: len(name)] == name:
                    del self.things[key]
        full = ".".join(name)
        self.grants = {g for g in self.grants if not (g[2] == noun and g[3] == full)}
        if noun == "ROLE":
            self.grants = {g for g in self.grants if g[0] != full}
            self.role_grants = {g for g in self.role_grants if full not in g}

    def _policy_is_on(self, policy: Name) -> list[Thing]:
        return [
            each
            for each in self.things.values()
            if (each.more.get("row_access") or [None])[0] == policy
        ]

    def _require_suspended(self, task: Thing) -> None:
        root = task
        while True:
            above = [
                *root.more["after"],
                *([root.more["finalize"]] if "finalize" in root.more else []),
            ]
            if not above or ("TASK", above[0]) not in self.things:
                break
            root = self.things["TASK", above[0]]
        if self.states.get(root.name) == "started":
            raise self._fail(
                f"Unable to update graph with root task {'.'.join(root.name)} since "
                "that root task is not suspended.",
                91421,
            )

    def _grant(self, reader: Reader) -> list[Row]:
        return self._granting(reader, "TO", self.grants.add, self.role_grants.add)

    def _revoke(self, reader: Reader) -> list[Row]:
        return self._granting(
            reader, "FROM", self.grants.discard, self.role_grants.discard
        )

    def _granting(
        self,
        reader: Reader,
        to: str,
        act: Callable[[tuple[str, str, str, str]], None],
        act_on_role: Callable[[tuple[str, str]], None],
    ) -> list[Row]:
        done: list[Row] = [{"status": "Statement executed successfully."}]
        if reader.accept("ROLE"):
            role = reader.part()
            reader.expect(to, "ROLE")
            self._require("ROLE", (role,))
            act_on_role((role, reader.part()))
            return done
        privileges, words = [], [reader.word()]
        while not reader.accept("ON"):
            if reader.accept(","):
                privileges.append(" ".join(words))
                words = []
            else:
                words.append(reader.word())
        privileges.append(" ".join(words))
        targets = self._targets(reader)
        reader.expect(to, "ROLE")
        role = reader.part()
        self._require("ROLE", (role,))
        for privilege in privileges:
            for on, target in targets:
                act((role, privilege, on, target))
        return done

    def _targets(self, reader: Reader) -> list[tuple[str, str]]:
        for scope in ("FUTURE", "ALL"):
            if reader.accept(scope):
                words = []
                while not reader.accept("IN", "SCHEMA"):
                    words.append(reader.word())
                noun = " ".join(words)
                noun = (
                    noun.removesuffix("IES") + "Y"
                    if noun.endswith("IES")
                    else noun[:-1]
                )
                schema = reader.name()
                self._require("SCHEMA", schema)
                if scope == "FUTURE":
                    return [(f"FUTURE {noun}", ".".join(schema))]
                if noun == "PIPE":
                    told = "Bulk grant on objects of type PIPE to ROLE is restricted."
                    raise self._fail(told, 3111)
                return [
                    (noun, ".".join(t.name))
                    for t in self.things.values()
                    if t.noun == noun and t.name[:2] == schema
                ]
        noun = self._noun(reader)
        name = reader.name()
        self._require(noun, name)
        return [(noun, ".".join(name))]

    def _use(self, reader: Reader) -> list[Row]:
        reader.expect("WAREHOUSE")
        self._require("WAREHOUSE", reader.name())
        return []

    # -- files and copies

    def land(self, path: str, content: str) -> None:
        """A file is written to the bucket; whoever listens is told."""
        self.files[path] = StagedFile(path, content, self.now)
        for (noun, name), thing in list(self.things.items()):
            if noun == "PIPE" and self._is_whole(name) and self._matches(thing, path):
                state = self.pipes[name]
                if state.paused:
                    state.pending.append(path)
                else:
                    self._ingest(thing, state, path)

    def _is_whole(self, pipe: Name) -> bool:
        """Is its stage the one that it was made with?"""
        thing = self.things["PIPE", pipe]
        there = self.things.get(("STAGE", thing.more["copy"]["stage"]))
        return there is not None and there is self.pipes[pipe].stage

    def _folder(self, pipe: Thing) -> str:
        stage = self.things["STAGE", pipe.more["copy"]["stage"]]
        return str(stage.options["URL"]).removeprefix(self.bucket)

    def _matches(self, pipe: Thing, path: str) -> bool:
        folder = self._folder(pipe)
        pattern = pipe.more["copy"]["options"]["PATTERN"]
        below = path.removeprefix(folder)
        return path.startswith(folder) and re.fullmatch(pattern, below) is not None

    def _ingest(self, pipe: Thing, state: PipeState, path: str) -> None:
        """Load a file unless the pipe knows its name; one that fails it knows, too."""
        if path not in state.history:
            state.history.add(path)
            table = pipe.more["copy"]["table"]
            content = self.files[path].content
            fails = content in self.failing
            (self.failed if fails else self.loads).append((table, path, content))

    def _refresh(self, pipe: Thing, state: PipeState, given: dict[str, Any]) -> None:
        folder = self._folder(pipe)
        said = given.get("MODIFIED_AFTER")
        oldest = self.now - timedelta(days=7)
        since = datetime.fromisoformat(said) if said else oldest
        if since < oldest:
            raise self._fail(f"Invalid value {said} for MODIFIED_AFTER: 7 days at most")
        table = pipe.more["copy"]["table"]
        for file in list(self.files.values()):
            is_new = file.modified_at > since
            below = file.path.removeprefix(folder).startswith(given.get("PREFIX", ""))
            known = (table, file.path) in self.copied
            if is_new and below and not known and self._matches(pipe, file.path):
                if state.paused:
                    state.pending.append(file.path)
                else:
                    self._ingest(pipe, state, file.path)

    @staticmethod
    def _read_copy(reader: Reader) -> dict[str, Any]:
        reader.expect("COPY", "INTO")
        table = reader.name()
        if reader.peek() == "(":
            reader.in_parentheses()
        reader.expect("FROM")
        if reader.peek() == "(":
            inner = reader.in_parentheses()
            stage = Reader(inner[inner.index("@") + 1 :]).name()
        else:
            reader.expect("@")
            stage = reader.name()
        options = reader.options()
        assert reader.is_over, reader.rest()
        [(key, file_format)] = options["FILE_FORMAT"]
        assert key == "FORMAT_NAME"
        return {
            "table": table,
            "stage": stage,
            "options": options,
            "format": named(file_format),
        }

    def _copy(self, reader: Reader) -> list[Row]:
        copy = self._read_copy(Reader(reader.statement))
        stage = self._require("STAGE", copy["stage"])
        folder = str(stage.options["URL"]).removeprefix(self.bucket)
        surely = self.now - timedelta(days=64)
        for each in copy["options"]["FILES"]:
            path = folder + each
            is_uncertain = self.files[path].modified_at < surely
            if is_uncertain and not copy["options"].get("LOAD_UNCERTAIN_FILES"):
                continue
            if (copy["table"], path) not in self.copied:
                self.copied.add((copy["table"], path))
                self.loads.append((copy["table"], path, self.files[path].content))
        return []

    def _list(self, reader: Reader) -> list[Row]:
        reader.expect("@")
        stage = self._require("STAGE", reader.name())
        folder = str(stage.options["URL"]).removeprefix(self.bucket)
        return [
            {
                "name": self.bucket + file.path,
                "size": len(file.content),
                "last_modified": f"{file.modified_at:%a, %d %b %Y %H:%M:%S GMT}",
            }
            for file in self.files.values()
            if file.path.startswith(folder)
        ]

    # -- SELECT

    def _select(self, reader: Reader) -> list[Row]:
        statement = reader.statement
        if match := re.match(r"SELECT SYSTEM\$(\w+)\(", statement):
            arguments = [
                Reader(t.text).value() for t in reader.tokens if t.kind == "text"
            ]
            answer = getattr(self, f"_system_{match[1].lower()}")(*arguments)
            label = statement.rpartition(" AS ")[2].lower()
            return [{label: answer}]
        if "CURRENT_REGION" in statement:
            self._allowed("CURRENT_REGION")
            return [{"region": self.region}]
        if "POLICY_REFERENCES" in statement:
            return self._policy_references(reader)
        if match := _MOVED.fullmatch(statement):
            self._require("TABLE", named(match["loads"]))
            known = [path for table, path in self.moved if table == match["table"]]
            return [{"file_name": path} for path in known]
        if "COPY_HISTORY" in statement:
            name = next(
                Reader(t.text).value() for t in reader.tokens if t.kind == "text"
            )
            table = named(name)
        else:
            assert statement.startswith("SELECT DISTINCT _FILE AS FILE_NAME FROM ")
            table = Reader(statement.rpartition("FROM ")[2]).name()
        self._require("TABLE", table)
        told = list(self.loads)
        if "COPY_HISTORY" in statement and "WHERE STATUS <>" not in statement:
            told += self.failed
        paths = [path for each, path, _ in told if each == table]
        return [{"file_name": p, "stage_location": ""} for p in dict.fromkeys(paths)]

    def _policy_references(self, reader: Reader) -> list[Row]:
        [given] = [Reader(t.text).value() for t in reader.tokens if t.kind == "text"]
        policy = self._require("ROW ACCESS POLICY", named(given))
        return [
            {
                "ref_database_name": each.name[0],
                "ref_schema_name": each.name[1],
                "ref_entity_name": each.name[2],
                "ref_arg_column_names": json.dumps([each.more["row_access"][1]]),
            }
            for each in self._policy_is_on(policy.name)
        ]

    def _system_pipe_status(self, name: str) -> str:
        pipe = self._require("PIPE", named(name))
        state = self.pipes[pipe.name]
        told = "PAUSED" if state.paused else "RUNNING"
        if not self._is_whole(pipe.name):
            told = "STOPPED_STAGE_DROPPED"
        return json.dumps(
            {
                "executionState": told,
                "pendingFileCount": len(state.pending),
            }
        )

    def _system_supported_dbt_versions(self) -> str:
        kinds = [{"dbt_version": each, "type": "dbt Core"} for each in self.dbts]
        return json.dumps(kinds)

    def _system_get_aws_sns_iam_policy(self, topic: str) -> str:
        arn = "arn:aws:iam::999999999999:user/abc1-b-self1234"
        return json.dumps(
            {"Statement": [{"Principal": {"AWS": arn}, "Resource": [topic]}]}
        )

    def _system_validate_storage_integration(self, *given: str) -> str:
        self._require("STORAGE INTEGRATION", (given[0],))
        return json.dumps({"status": self.access, "message": "role cannot be assumed"})

    def _system_task_dependents_enable(self, name: str) -> str:
        root = named(name)
        self._require("TASK", root)
        for task in self._graph_of(root):
            self.states[task] = "started"
        return "Statement executed successfully."

    def _graph_of(self, root: Name) -> list[Name]:
        found = [root]
        for task in found:
            for (noun, name), thing in self.things.items():
                above = thing.more.get("after", []) if noun == "TASK" else []
                ends = thing.more.get("finalize") == task
                if (task in above or ends) and name not in found:
                    found.append(name)
        return found

    # -- SHOW and DESC

    def _show(self, reader: Reader) -> list[Row]:
        self._allowed(" ".join(reader.statement.split()[:2]))
        if reader.accept("GRANTS", "TO", "ROLE"):
            role = reader.part()
            return [
                {
                    "privilege": p,
                    "granted_on": on.replace(" ", "_"),
                    "name": t,
                    "granted_to": "ROLE",
                    "grantee_name": r,
                }
                for r, p, on, t in sorted(self.grants)
                if r == role and not on.startswith("FUTURE")
            ]
        if reader.accept("FUTURE", "GRANTS", "TO", "ROLE"):
            role = reader.part()
            return [
                {
                    "privilege": p,
                    "grant_on": on.removeprefix("FUTURE ").replace(" ", "_"),
                    "name": f"{t}.<{on.removeprefix('FUTURE ')}>",
                    "grant_to": "ROLE",
                }
                for r, p, on, t in sorted(self.grants)
                if r == role and on.startswith("FUTURE")
            ]
        if reader.accept("GRANTS", "OF", "ROLE"):
            role = reader.part()
            return [
                {"role": r, "granted_to": "ROLE", "grantee_name": parent}
                for r, parent in sorted(self.role_grants)
                if r == role
            ]
        words = []
        while not reader.is_over and reader.peek() != "IN":
            words.append(reader.word())
        plural = " ".join(words)
        noun = (
            plural.removesuffix("IES") + "Y" if plural.endswith("IES") else plural[:-1]
        )
        inside: Name = ()
        if reader.accept("IN", "DATABASE"):
            inside = reader.name()
            self._require("DATABASE", inside)
        shown = getattr(self, f"_row_of_{noun.lower().replace(' ', '_')}")
        return [
            self._where(thing) | shown(thing)
            for (each, name), thing in sorted(self.things.items(), key=lambda e: e[0])
            if each == noun
            and name[: len(inside)] == inside
            and (each, name) not in self.hidden
        ]

    def _where(self, thing: Thing) -> dict[str, Any]:
        path = self._path(thing)
        row = {"name": path[-1], "comment": thing.comment, "owner": "SYSADMIN"}
        if len(path) == 2:
            row["database_name"] = path[0]
        if len(path) == 3:
            row |= {"database_name": path[0], "schema_name": path[1]}
        return row

    def _row_of_warehouse(self, thing: Thing) -> dict[str, Any]:
        size = thing.options["WAREHOUSE_SIZE"]
        return {
            "size": SIZES.get(size, size),
            "auto_suspend": str(thing.options["AUTO_SUSPEND"]),
            "auto_resume": str(thing.options["AUTO_RESUME"]).lower(),
            "resource_monitor": thing.options.get("RESOURCE_MONITOR", "null"),
        }

    def _row_of_resource_monitor(self, thing: Thing) -> dict[str, Any]:
        return {
            "credit_quota": f"{thing.options['CREDIT_QUOTA']}.00",
            "frequency": thing.options["FREQUENCY"],
            "notify_at": thing.options.get("NOTIFY"),
            "suspend_at": thing.options.get("SUSPEND"),
            "comment": None,
        }

    def _row_of_database(self, thing: Thing) -> dict[str, Any]:
        days = thing.options.get("DATA_RETENTION_TIME_IN_DAYS", 1)
        return {"retention_time": str(days)}

    _row_of_schema = _row_of_database

    def _row_of_role(self, thing: Thing) -> dict[str, Any]:
        return {}

    def _row_of_storage_integration(self, thing: Thing) -> dict[str, Any]:
        return {
            "type": "EXTERNAL_STAGE",
            "category": "STORAGE",
            "enabled": str(thing.options["ENABLED"]).lower(),
        }

    def _row_of_notification_integration(self, thing: Thing) -> dict[str, Any]:
        return {
            "type": thing.options["TYPE"],
            "enabled": str(thing.options["ENABLED"]).lower(),
        }

    def _row_of_stage(self, thing: Thing) -> dict[str, Any]:
        return {
            "url": thing.options["URL"],
            "storage_integration": thing.options["STORAGE_INTEGRATION"],
        }

    def _row_of_file_format(self, thing: Thing) -> dict[str, Any]:
        told = {k: v for k, v in thing.options.items() if k != "COMMENT"}
        told = {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}
        return {"type": thing.options["TYPE"], "format_options": json.dumps(told)}

    def _row_of_table(self, thing: Thing) -> dict[str, Any]:
        rows = sum(table == thing.name for table, _, _ in self.loads)
        tracked = thing.options.get("CHANGE_TRACKING", False)
        return {
            "rows": rows,
            "change_tracking": "ON" if tracked else "OFF",
            "enable_schema_evolution": "Y"
            if thing.options.get("ENABLE_SCHEMA_EVOLUTION")
            else "N",
        }

    def _row_of_view(self, thing: Thing) -> dict[str, Any]:
        return {"text": thing.more.get("query", "")}

    def _row_of_pipe(self, thing: Thing) -> dict[str, Any]:
        return {"definition": "COPY INTO …", "integration": None}

    def _row_of_stream(self, thing: Thing) -> dict[str, Any]:
        append = thing.options.get("APPEND_ONLY")
        return {
            "table_name": ".".join(thing.more["table"]),
            "mode": "APPEND_ONLY" if append else "DEFAULT",
            "stale": str(bool(thing.more.get("stale"))).lower(),
        }

    def _row_of_task(self, thing: Thing) -> dict[str, Any]:
        finalize = thing.more.get("finalize")
        relations = {"Predecessors": [".".join(each) for each in thing.more["after"]]}
        told = relations | (
            {"FinalizedRootTask": ".".join(finalize)} if finalize else {}
        )
        return {
            "definition": thing.more["definition"],
            "warehouse": thing.options["WAREHOUSE"],
            "schedule": thing.options.get("SCHEDULE"),
            "condition": thing.more["when"] or None,
            "state": self.states[thing.name],
            "task_relations": json.dumps(told),
        }

    def _row_of_procedure(self, thing: Thing) -> dict[str, Any]:
        path = self._path(thing)
        return {
            "catalog_name": path[0],
            "is_builtin": "N",
            "arguments": f"{path[-1]}({', '.join(thing.more['types'])}) RETURN VARCHAR",
            "description": thing.comment,
            "comment": None,
        }

    def _row_of_alert(self, thing: Thing) -> dict[str, Any]:
        return {
            "warehouse": thing.options["WAREHOUSE"],
            "schedule": thing.options["SCHEDULE"],
            "condition": thing.more["condition"],
            "action": thing.more["action"],
            "state": self.states[thing.name],
        }

    def _row_of_masking_policy(self, thing: Thing) -> dict[str, Any]:
        return {"kind": "MASKING_POLICY"}

    _row_of_row_access_policy = _row_of_masking_policy

    def _desc(self, reader: Reader) -> list[Row]:
        if reader.accept("INTEGRATION"):
            return self._desc_integration(reader.name())
        noun = self._noun(reader)
        self._allowed(f"DESC {noun}")
        name = reader.name()
        if noun == "PROCEDURE":
            types = reader.in_parentheses().split(",")
            name = (*name, *(each.strip() for each in types if each.strip()))
        thing = self._require(noun, name)
        if noun == "PROCEDURE":
            return [
                {"property": "language", "value": "SQL"},
                {"property": "execute as", "value": thing.more["rights"]},
                {"property": "body", "value": thing.more["body"]},
            ]
        if noun == "MASKING POLICY":
            return [
                {"return_type": f"{thing.more['type']}", "body": thing.more["body"]}
            ]
        if noun == "ROW ACCESS POLICY":
            signature = f"(VAL {thing.more['type']})"
            return [{"signature": signature, "body": thing.more["body"]}]
        lengths = {"VARCHAR": "(16777216)", "TIME": "(9)", "TIMESTAMP_NTZ": "(9)"}
        lengths |= {"TIMESTAMP_LTZ": "(9)", "TIMESTAMP_TZ": "(9)"}
        return [
            {
                "name": name,
                "type": column["type"] + lengths.get(column["type"], ""),
                "null?": "Y" if column["null"] else "N",
                "policy name": column["policy"] or None,
            }
            for name, column in thing.more["columns"].items()
        ]

    _describe = _desc

    def _desc_integration(self, name: Name) -> list[Row]:
        for noun in ("STORAGE INTEGRATION", "NOTIFICATION INTEGRATION"):
            if (noun, name) in self.things:
                options = dict(self.things[noun, name].options)
                break
        else:
            raise self._missing("Integration", name)
        if noun == "STORAGE INTEGRATION":
            arn = "arn:aws:iam::999999999999:user/abc1-b-self1234"
            options["STORAGE_AWS_IAM_USER_ARN"] = arn
        return [
            {
                "property": key,
                "property_value": ",".join(v) if isinstance(v, tuple) else str(v),
            }
            for key, v in options.items()
        ]
