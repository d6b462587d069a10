"""How an account runs dbt: news is built or owed, whatever fails and whenever."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from snowflake_streams import Stream, Table

from shipped import TARGET, deployed_into, make_project, states
from snowflake_account import Account
from snowflake_gate import problems
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.snowflake.dbt_runs import News, news_of, run_procedure, waits_for
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.deploy.snowflake.task import Stream as StreamThere
from snowmelt.deploy.snowflake.task import Task
from snowmelt.deploy.snowflake.task_place import Place
from snowmelt.transform.tasks.config import TaskConfig
from snowmelt.transform.tasks.graph import TaskGraph

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TABLES = ("orders", "events")
PLACE = Place(
    *("SHOP", "SNOWMELT", "BRONZE", "SHOP_WH", "SHOP", "1.11.11", None, "prod"),
    Path(),
    TABLES,
    TABLES,
    (),
)
RUN = run_procedure(
    PLACE, [StreamThere(PLACE.news(each), f"SHOP.BRONZE.{each}") for each in TABLES]
)
_TELLING = re.compile(r"  BEGIN\n    SELECT LOWER.*?\n  END;\n", re.DOTALL)
_READING = re.compile(
    r"INSERT INTO (\S+) .* FROM (SHOP\.\S+?)(?: HAVING .*)?", re.DOTALL
)


class Failed(Exception):
    """dbt failed, or did not do all of it."""


class Killed(Exception):
    """The task was ended: nothing of the procedure runs any more."""


@dataclass
class Trial:
    """What becomes of one run: how dbt ends, where it is killed, when rows come."""

    ends: str = "ok"
    killed_at: int = -1
    arrives_at: tuple[int, ...] = ()


@dataclass
class World:
    """Bronze, its streams, and what models made of it; the text of RUN_DBT is run.

    `commits`: does EXECUTE DBT PROJECT commit what is open around it?
    """

    commits: bool
    bronze: dict[str, Table] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    silver: set[int] = field(default_factory=set)
    gold: set[int] = field(default_factory=set)
    rows: int = 0
    opened: list[tuple[Stream, int, int]] | None = None
    logged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for each in TABLES:
            self.bronze[each] = Table()
            self.streams[PLACE.news(each)] = Stream(self.bronze[each], NOW, True)
        self.taken = Table()
        for each in (PLACE.owed, PLACE.retry):
            self.streams[each] = Stream(self.taken, NOW, True)

    @property
    def asks(self) -> bool:
        """The condition of the root: news, or a try that somebody asked for."""
        asked = (*map(PLACE.news, TABLES), PLACE.retry)
        return any(self.streams[each].has_data(NOW) for each in asked)

    @property
    def owes(self) -> bool:
        """Was something taken and not built?"""
        return self.streams[PLACE.owed].has_data(NOW)

    def pass_an_hour(self) -> None:
        """The other task runs, if its condition holds."""
        if self.owes:
            self.taken.insert([0])

    def arrive(self) -> None:
        self.rows += 1
        self.bronze[TABLES[self.rows % 2]].insert([self.rows])

    @property
    def all_rows(self) -> set[int]:
        return {v for table in self.bronze.values() for v in table.rows.values()}

    # -- one call

    def call(self, news: News, part: str, trial: Trial) -> None:
        """Run the procedure's text, statement by statement."""
        body = RUN.code.partition("\nBEGIN\n")[2]
        work, _, handler = body.partition("\nEXCEPTION\n  WHEN OTHER THEN\n")
        try:
            self._block(_TELLING.sub("  TELL;\n", work), news, part, trial)
        except Killed:
            self.opened = None
            raise
        except Failed:
            self._block(handler.partition("    RAISE;")[0], news, part, Trial())
            raise

    def _block(self, text: str, news: News, part: str, trial: Trial) -> None:
        owed, skipping = 0, False
        for number, said in enumerate(each.strip() for each in text.split(";")):
            if number in trial.arrives_at:
                self.arrive()
            if number == trial.killed_at:
                raise Killed
            condition, _, rest = said.rpartition(" THEN\n")
            statement = rest.strip()
            if condition:
                skipping = not self._is_so(condition, news, owed, trial)
            if statement == "END IF":
                skipping = False
            elif skipping or not statement:
                continue
            elif statement.startswith("SELECT COUNT(*) INTO :owed"):
                owed = len(self.streams[PLACE.owed].look())
            else:
                self._do(statement, part, trial)

    @staticmethod
    def _is_so(condition: str, news: News, owed: int, trial: Trial) -> bool:
        return {
            "IF (NEWS <> 'leave' AND owed = 0)": news is not News.LEAVE and owed == 0,
            "IF (told = 'false')": trial.ends == "told",
            "IF (NEWS = 'settle')": news is News.SETTLE,
        }[condition]

    def _do(self, statement: str, part: str, trial: Trial) -> None:
        if statement == "BEGIN TRANSACTION":
            self.opened = []
        elif statement == "COMMIT":
            self._commit()
        elif statement == "ROLLBACK":
            self.opened = None
        elif statement == "RAISE unbuilt":
            raise Failed
        elif statement.startswith("EXECUTE IMMEDIATE"):
            self._build(part, trial)
        elif reading := _READING.fullmatch(statement):
            is_open = self.opened is not None
            self._read(reading[1], reading[2])
            if not is_open:
                self._commit()
        elif not statement.startswith(("TELL", "RETURN")):
            assert statement.startswith("INSERT INTO SHOP.SNOWMELT.PIPELINE_LOG")
            self.logged.append(statement)

    def _read(self, into: str, name: str) -> None:
        stream = self.streams[name]
        found = len(stream.look())
        written = found if into.endswith("NEWS_TAKEN") else 0
        change = (stream, len(stream.table.versions) - 1, written)
        self.opened = [*(self.opened or []), change]

    def _commit(self) -> None:
        for stream, offset, written in self.opened or []:
            stream.offset = offset
            if written:
                self.taken.insert([written])
        self.opened = None

    def _build(self, part: str, trial: Trial) -> None:
        if self.commits and self.opened is not None:
            self._commit()
        seen = self.all_rows
        if -2 in trial.arrives_at:
            self.arrive()
        if AN_HOUR in trial.arrives_at:
            self.pass_an_hour()
        if trial.ends == "raises":
            raise Failed
        if trial.ends == "told":
            return
        if part in ("silver", "all"):
            self.silver = seen
        if part in ("gold", "all"):
            self.gold = set(self.silver)


STEPS = {
    "one": [(News.SETTLE, "all")],
    "two": [(News.TAKE, "silver"), (News.SETTLE, "gold")],
    "tested": [(News.TAKE, "silver"), (News.LEAVE, ""), (News.SETTLE, "gold")],
}
_AT = range(len(RUN.code.split(";")) - 8)
AN_HOUR = -3
"""It passes while dbt builds."""
"""The statements of the procedure, but for those that its failure is told by."""
TRIALS = st.builds(
    Trial,
    st.sampled_from(["ok", "ok", "ok", "raises", "told"]),
    st.just(-1) | st.sampled_from(_AT),
    st.lists(st.sampled_from([-2, AN_HOUR, *_AT]), max_size=3).map(tuple),
)


def hold(graph: str, commits: bool, trials: list[Trial]) -> None:
    world = World(commits)
    world.arrive()
    given = iter(trials)
    for _ in range(2 * len(trials) + 8):
        if not world.asks and world.owes:
            world.pass_an_hour()
        if not world.asks:
            assert world.gold == world.all_rows, "rows that nobody is told of"
            if next(given, None) is None:
                return
            world.arrive()
        for news, part in STEPS[graph]:
            try:
                world.call(news, part, next(given, None) or Trial())
            except (Failed, Killed):
                break  # what comes after it does not run
    raise AssertionError("it never comes to rest")


@settings(max_examples=150)
@given(st.sampled_from(sorted(STEPS)), st.booleans(), st.lists(TRIALS, max_size=8))
def test_what_arrives_is_built_or_owed(
    graph: str, commits: bool, trials: list[Trial]
) -> None:
    """Whatever fails, is killed or comes meanwhile, and whatever commits."""
    hold(graph, commits, trials)


@pytest.mark.long
@settings(max_examples=5000)
@given(st.sampled_from(sorted(STEPS)), st.booleans(), st.lists(TRIALS, max_size=12))
def test_what_arrives_is_built_or_owed_at_length(
    graph: str, commits: bool, trials: list[Trial]
) -> None:
    hold(graph, commits, trials)


def test_a_failed_build_owes_what_it_took_and_says_so() -> None:
    world = World(True)
    world.arrive()
    for ends in ("raises", "told"):
        with pytest.raises(Failed):
            world.call(News.SETTLE, "all", Trial(ends))
        assert "'failed'" in world.logged[-1]
        assert world.owes
        assert not world.asks, "it would be begun again at once, and again"
        world.pass_an_hour()
        assert world.asks
    world.call(News.SETTLE, "all", Trial(arrives_at=(-2,)))
    assert "'ok'" in world.logged[-1]
    assert not world.owes
    assert world.asks, "what came while it was built is news"


def test_an_hour_that_passes_while_dbt_builds_asks_for_nothing_more() -> None:
    world = World(True)
    world.arrive()
    world.call(News.SETTLE, "all", Trial(arrives_at=(AN_HOUR,)))
    assert not world.asks
    assert not world.owes
    assert world.gold == world.all_rows


def graph_of(**tasks: object) -> TaskGraph:
    return TaskGraph({k: TaskConfig.model_validate(v) for k, v in tasks.items()})


def test_steps_that_run_dbt_come_one_after_the_other() -> None:
    graph = graph_of(
        root={"every": "1h", "refresh": {}},
        a={"after": "root", "dbt": "silver"},
        b={"after": "root", "dbt": "other"},
        look={"after": "root", "sql": "look.sql"},
        gold={"after": ["a", "look"], "dbt": "gold"},
        test={"after": "b", "dbt": {"test": "gold"}},
        late={"after": "gold", "dbt": "late", "suspended": True},
    )
    waits = waits_for(graph)
    order = [each for each in graph.order if graph.tasks[each].dbt is not None]
    for before, after in pairwise(order):
        parents = {*graph.tasks[after].after, waits.get(after)}
        assert before in parents | above(graph, waits, parents - {None})  # type: ignore[arg-type]
    told = news_of(graph)
    assert told["test"] is News.LEAVE
    assert told["late"] is News.TAKE, "who waits for a person settles nothing"
    assert [n for n, each in told.items() if each is News.SETTLE] == [
        max(("a", "b", "gold"), key=order.index)
    ]


def above(graph: TaskGraph, waits: dict[str, str], names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        over = {p for n in names for p in (*graph.tasks[n].after, waits.get(n)) if p}
        names = over - found
    return found


def test_what_runs_at_the_end_settles_only_where_nothing_else_builds() -> None:
    root = {"every": "1h", "refresh": {}}
    alone = graph_of(root=root, end={"finalize": "root", "dbt": "all"})
    assert news_of(alone) == {"end": News.SETTLE}
    beside = graph_of(
        root=root,
        build={"after": "root", "dbt": "all"},
        end={"finalize": "root", "dbt": "more"},
    )
    assert news_of(beside) == {"build": News.SETTLE, "end": News.TAKE}


# -- what the account is told


def test_the_procedure_has_its_callers_rights_and_says_which_dbt(
    tmp_path: Path,
) -> None:
    targets = {"targets": {"prod": TARGET | {"dbt_version": "1.12.3"}}}
    settings = f"version: 1\nname: shop\n{yaml.safe_dump(targets)}"
    account = Account()
    account.dbts.append("1.12.3")
    deployment = deployed_into(
        make_project(tmp_path, **{"snowmelt.yml": settings}), account
    )
    apply_plan(deployment, deployment.plan())
    made = next(e for e in account.statements if e.startswith("CREATE PROCEDURE"))
    assert "\n  EXECUTE AS CALLER\n" in made
    assert "DBT_VERSION = ''1.12.3''" in made
    assert not problems(made)
    with pytest.raises(AccountError, match="caller's rights"):
        account.rows(made.replace("CALLER", "OWNER").replace("RUN_DBT", "OTHER"))
    with pytest.raises(AccountError, match="unexpected 'IF'"):
        account.rows(made.replace("PROCEDURE", "PROCEDURE IF NOT EXISTS", 1))
    # somebody changes whose rights it has: it is seen, and put right
    procedure = account.things["PROCEDURE", ("SHOP", "SNOWMELT", *_RUN)]
    procedure.more["rights"] = "OWNER"
    [step] = deployment.plan().acting
    assert [(e.name, e.before, e.after) for e in step.differences] == [
        ("execute_as", "OWNER", "CALLER")
    ]
    apply_plan(deployment, deployment.plan())
    assert deployment.plan().is_empty


_RUN = ("RUN_DBT", "VARCHAR", "VARCHAR")


def test_how_long_a_run_may_take_is_the_targets_word(tmp_path: Path) -> None:
    target = TARGET | {"run_timeout": "3h"}
    tasks = (
        "tasks:\n  a: {every: 1h, dbt: x}\n  b: {after: a, dbt: y, timeout: 5m}\n"
        "  c: {after: b, sql: count.sql}\n"
    )
    for text, expected in (
        ("", {"PUBLISH_ARRIVALS": 10_800_000}),
        (tasks, {"A": 10_800_000, "B": 300_000, "C": None}),
    ):
        settings = f"version: 1\nname: shop\n{text}"
        settings += yaml.safe_dump({"targets": {"prod": target}})
        project = make_project(tmp_path / str(len(text)), **{"snowmelt.yml": settings})
        desired = deployed_into(project, Account()).desired
        told = {
            each.name.rpartition(".")[2]: dict(each.settings).get(_LIMIT)
            for each in desired
            if isinstance(each, Task)
        }
        del told["KEEP_HISTORY"]
        told.pop("RETRY_BUILD", None)
        assert told == expected


_LIMIT = "USER_TASK_TIMEOUT_MS"


def test_a_task_that_is_started_is_suspended_before_it_is_altered() -> None:
    account = Account()
    for state in ("first", "tasks"):
        deployment = deployed_into(states()[state], account)
        before = len(account.statements)
        apply_plan(deployment, deployment.plan())
    said = account.statements[before:]
    altered = [each for each in said if each.startswith("CREATE OR ALTER TASK")]
    assert altered
    child = account.statements
    name = next(e for e in child if e.startswith("CREATE TASK") and "BUILD" in e)
    with pytest.raises(AccountError, match="it is started"):
        account.rows("ALTER TASK SHOP.SNOWMELT.HOURLY SUSPEND")
        account.rows(name.replace("CREATE TASK IF NOT EXISTS", "CREATE OR ALTER TASK"))
