"""The keys of `tasks:` in snowmelt.yml."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from snowmelt.landing.config import Duration, duration_field
from snowmelt.transform.tasks.condition import parse_condition
from snowmelt.transform.tasks.timetable import require_cron, require_zone

TIMEOUT = timedelta(hours=1)
TIMEOUT_MAX = timedelta(days=7)
EVERY_MIN = timedelta(seconds=1)
KINDS = ("dbt", "sql", "python", "shell", "webhook", "refresh")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class OverlapPolicy(StrEnum):
    """May a graph run begin while one is under way? The words are Snowflake's."""

    NO_OVERLAP = "no_overlap"
    ALLOW_CHILD_OVERLAP = "allow_child_overlap"
    ALLOW_ALL_OVERLAP = "allow_all_overlap"


class Expect(StrEnum):
    """What a gate's query has to return."""

    EMPTY = "empty"
    ROWS = "rows"


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def text(self) -> str:
        """What is to be done, in a few words."""
        return ""


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _as(name: str, schema: Any) -> BeforeValidator:
    """Let a text, or a list, stand for the block that has it as `name`.

    `schema` is what an editor is told of it.
    """
    return BeforeValidator(
        lambda given: {name: given} if isinstance(given, str | list) else given,
        json_schema_input_type=schema,
    )


Selectors = Annotated[tuple[str, ...], BeforeValidator(_as_list, str | list[str])]


class DbtTask(_Keys):
    """Builds and tests models, inside the publication of the graph run."""

    select: Selectors = Field((), description="What to build, as `dbt build --select`.")
    test: Selectors = Field((), description="Instead: what to test, and not to build.")

    @field_validator("select", "test")
    @classmethod
    def _names_something(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if not each.strip() or each.strip().startswith("-"):
                raise ValueError("write selectors, as dbt build --select has them")
        return given

    @property
    def text(self) -> str:
        verb, chosen = ("test", self.test) if self.test else ("build", self.select)
        return f"{verb} --select {' '.join(chosen)}"


class SqlTask(_Keys):
    """Carries out a file of SQL; a last query's first value is the return value."""

    file: str = Field(description="A file below the project's folder.")
    expect: Expect | None = Field(
        None,
        description="A gate: the last query must return no row (`empty`), or some "
        "(`rows`); else the task fails.",
    )

    @property
    def text(self) -> str:
        return self.file + (f", expecting {self.expect}" if self.expect else "")


class ShellTask(_Keys):
    """Runs a program, in the project's folder and in a process group of its own."""

    command: str | tuple[str, ...] = Field(
        description="A line for the shell, or a list of words."
    )

    @field_validator("command")
    @classmethod
    def _is_there(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not given or not (given if isinstance(given, str) else given[0]).strip():
            raise ValueError("write a command")
        return given

    @property
    def text(self) -> str:
        command = self.command
        return command if isinstance(command, str) else shlex.join(command)


class PythonTask(_Keys):
    """Calls a function of a module in the project's folder, in a process of its own."""

    function: str = Field(description="`module:function`; it gets one argument.")

    @field_validator("function")
    @classmethod
    def _is_a_function(cls, given: str) -> str:
        if not _FUNCTION.fullmatch(given):
            raise ValueError("write module:function")
        return given

    @property
    def text(self) -> str:
        return self.function


class WebhookTask(_Keys):
    """Posts JSON to an address."""

    url: str = Field(pattern=r"^https?://[^\s]+$", description="Where to.")
    body: Any = Field(
        None,
        description="Its texts may have {{ … }}; all that a task is told without it.",
    )
    headers: dict[str, str] = Field(default_factory=dict, description="More headers.")

    @property
    def text(self) -> str:
        return self.masked.url

    @property
    def masked(self) -> WebhookTask:
        """The same without what may be a secret: an address but for its host."""
        parts = urlsplit(self.url)
        return WebhookTask(url=f"{parts.scheme}://{parts.hostname}/…", body=self.body)


class RefreshTask(_Keys):
    """Lists the stage, loads what is new, and waits until it is loaded."""

    pipe: str | None = Field(None, description="Waits for this pipe's files alone.")

    @property
    def text(self) -> str:
        return self.pipe or ""


class TaskConfig(_Keys):
    """One task: what starts it, and what it does."""

    cron: str | None = Field(None, description="The root: when the graph runs.")
    every: Duration | None = Field(
        None,
        description="The root, instead of `cron`: the time between two runs.",
        json_schema_extra={"format": "duration"},
    )
    timezone: str = Field("UTC", description="Of `cron`.")
    when: str | None = Field(
        None,
        description="Run only if so: `stream_has_data(orders)`, with and, or, not. A "
        "root with neither `cron` nor `every` runs as soon as it is so.",
    )
    after: Selectors = Field((), description="The tasks it waits for, all of them.")
    finalize: str | None = Field(
        None, description="The root that it ends, whatever became of the others."
    )
    overlap_policy: OverlapPolicy = Field(
        OverlapPolicy.NO_OVERLAP,
        description="The root: may a run begin while one is under way?",
    )
    auto_retry_attempts: int = Field(
        0,
        ge=0,
        le=30,
        description="The root: how often what failed is tried again, with what "
        "comes after it.",
    )
    suspend_after_failures: int = Field(
        10,
        ge=0,
        description="The root: after so many graph runs that failed one after the "
        "other it is suspended; 0: never.",
    )
    min_interval: Duration = duration_field(
        "0s", "A triggered root: the least time between the starts of two runs."
    )
    lanes_max: int = Field(
        4, ge=1, le=64, description="The root: how many tasks run side by side."
    )
    config: dict[str, Any] = Field(
        default_factory=dict, description="The root: what every task can read."
    )
    timeout: Duration | None = Field(
        None,
        description="How long a task may run, 1h without it; 7d at most. Of the root: "
        "how long all tasks of a graph run that have none of their own.",
        json_schema_extra={"format": "duration"},
    )
    suspended: bool = Field(
        False, description="A task that is suspended until a person resumes it."
    )
    dbt: Annotated[DbtTask, _as("select", str | list[str] | DbtTask)] | None = Field(
        None, description="Build or test models."
    )
    sql: Annotated[SqlTask, _as("file", str | SqlTask)] | None = Field(
        None, description="Carry out a file of SQL."
    )
    python: Annotated[PythonTask, _as("function", str | PythonTask)] | None = Field(
        None, description="Call a function."
    )
    shell: Annotated[ShellTask, _as("command", str | list[str] | ShellTask)] | None = (
        Field(None, description="Run a program.")
    )
    webhook: Annotated[WebhookTask, _as("url", str | WebhookTask)] | None = Field(
        None, description="Post JSON."
    )
    refresh: Annotated[RefreshTask, _as("pipe", str | RefreshTask)] | None = Field(
        None, description="List the stage and load."
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it does; exactly one in a project that is sound."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def text(self) -> str:
        """What it does, in a line; of an address its host: it may be secret."""
        what: _Keys = getattr(self, self.kinds[0])
        return f"{self.kinds[0]} {what.text}".strip()

    @field_validator("cron")
    @classmethod
    def _fires(cls, given: str | None) -> str | None:
        if given is not None:
            require_cron(given)
        return given

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, given: str) -> str:
        require_zone(given)
        return given

    @field_validator("when")
    @classmethod
    def _is_a_condition(cls, given: str | None) -> str | None:
        if given is not None:
            parse_condition(given)
        return given

    @field_validator("every")
    @classmethod
    def _is_an_interval(cls, given: timedelta | None) -> timedelta | None:
        if given is not None and given < EVERY_MIN:
            raise ValueError("a graph runs once a second at most: write 1s or more")
        return given

    @field_validator("timeout")
    @classmethod
    def _is_a_timeout(cls, given: timedelta | None) -> timedelta | None:
        if given is not None and not timedelta() < given <= TIMEOUT_MAX:
            raise ValueError("a timeout is more than nothing and at most 7d")
        return given

    @field_validator("config")
    @classmethod
    def _is_json(cls, given: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the config is no JSON: {error}") from None
        return given
