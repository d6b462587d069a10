"""Variables of an environment in a dbt project: what deploy sends has none. Pure.

An account may be told some when it runs a DBT PROJECT
(https://docs.snowflake.com/en/sql-reference/sql/execute-dbt-project), but only of those
with a live version, which not every account has. So none are sent: `env_var` is its
default there, and without one dbt does not read the project
(https://docs.getdbt.com/reference/dbt-jinja-functions/env_var).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from jinja2 import Environment, TemplateSyntaxError

from snowmelt.deploy.portable.checking import scalars_of
from snowmelt.deploy.portable.template import jinja_there, macros_in
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.transform.dbt_project import DBT_PROJECT_FILE

_ASKED = "env_var"
_PROFILE = "profile"
"""A key of dbt_project.yml: the file of profiles that is sent has its name."""
_AS_WRITTEN = frozenset({"dependencies.yml", "package-lock.yml"})
"""Files that dbt does not render. It does packages.yml, whenever it begins."""
_LEXER = Environment(autoescape=True)
Token = tuple[int, str, str]


@dataclass(frozen=True)
class EnvVar:
    """One call of `env_var`: where it stands, what it asks for, what it is else."""

    file: str
    line: int
    name: str
    default: str | None

    def __str__(self) -> str:
        return f"env_var({self.name})"

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def note_env_vars(
    files: Mapping[str, bytes], packages: tuple[str, ...], findings: Findings
) -> None:
    """Say of every variable what it is in the account; refuse what is nothing there.

    `packages`: the folders of packages, whose files are others'. What in them has no
    default is remarked, since it fails where it is called, if it ever is.
    """
    lacking = []
    for each in env_vars(files):
        is_own = not each.file.startswith(packages)
        if each.default is None and is_own:
            lacking.append(each)
        elif each.default is None:
            told = "no default, and no environment is sent there: what calls it fails"
            findings.remark(each.where, f"{each} of a package has {told} there")
        elif is_own:
            told = f"is {each.default} there: no environment is sent there"
            findings.remark(each.where, f"{each} {told}")
    for each in lacking:
        findings.refuse(
            each.where,
            f"{each} has no default, and no environment is sent there: dbt fails",
            f"Give it one: env_var({each.name}, '…'), or make it a var() of dbt. Or "
            "write runner: service in the target: dbt is then run from a machine."
            if each is lacking[-1]  # it is that of all
            else "",
        )


def env_vars(files: Mapping[str, bytes]) -> list[EnvVar]:
    """Return every call of `env_var` in files of a dbt project, but for other engines.

    Of SQL and properties: nothing else is rendered.
    """
    asking = {
        name: content.decode(errors="replace")
        for name, content in files.items()
        if _ASKED.encode() in content
    }
    if not asking:
        return []
    macros = {
        macro
        for name, content in files.items()
        if name.endswith(".sql") and b"macro" in content
        for macro in macros_in(content.decode(errors="replace"))
    }
    found = set()
    for name, text in asking.items():
        for above, rendered in _rendered(name, text):
            for line, jinja in jinja_there(rendered, macros):
                found |= {
                    EnvVar(name, above + line + below, asked, default)
                    for below, asked, default in _calls(jinja)
                }
    return sorted(found, key=lambda e: (e.file, e.line, e.name, e.default or ""))


def _rendered(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield what dbt renders of a file, and how many lines are above it."""
    kind = PurePosixPath(name).suffix
    if kind == ".sql":
        yield 0, text
    elif kind in (".yml", ".yaml") and name not in _AS_WRITTEN:
        for keys, above, scalar in scalars_of(text):
            if (name, keys[1:]) != (DBT_PROJECT_FILE, (_PROFILE,)):
                yield above, scalar


def _calls(jinja: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield of each call in one piece of Jinja its line, its name, and its default.

    By Jinja's own lexer, which knows texts, and needs not know dbt's blocks. Lines are
    counted from 0. What is no Jinja is dbt's to tell.
    """
    try:
        told = [t for t in _LEXER.lex(jinja) if t[1] != "whitespace"]
    except TemplateSyntaxError:
        return
    for at, (line, kind, value) in enumerate(told):
        is_called = told[at + 1 : at + 2] and told[at + 1][2] == "("
        is_of_another = at > 0 and told[at - 1][2] == "."
        if (kind, value) == ("name", _ASKED) and is_called and not is_of_another:
            name, *others = [*_arguments(told[at + 2 :]), ""][:2]
            default = others[0].removeprefix("default=") if others else ""
            is_none = default.lower() in ("", "none")
            yield line - 1, name, None if is_none else default


def _arguments(tokens: list[Token]) -> Iterator[str]:
    """Yield the arguments of a call as they are written, up to where it is closed."""
    depth, words = 0, ""
    for _, kind, value in tokens:
        if kind == "operator" and depth == 0 and value in (",", ")"):
            if words:
                yield words
            if value == ")":
                return
            words = ""
            continue
        if kind == "operator":
            depth += (value in "([{") - (value in ")]}")
        words += value
