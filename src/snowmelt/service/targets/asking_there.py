"""Asks the queries of a dashboard of a target's account, and keeps what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.template import sql_of
from snowmelt.errors import (
    ConfigError,
    SnowmeltError,
    UnreachableError,
    UsageError,
)
from snowmelt.serve.commands import Document
from snowmelt.service.asking.readable import published_schemas
from snowmelt.service.boards.asking import Asking
from snowmelt.service.boards.memory import VOLATILE, Key
from snowmelt.service.boards.rendering import Query
from snowmelt.service.targets.questioning import Question, ask_there, said_there
from snowmelt.warehouse.port import Table

if TYPE_CHECKING:
    from snowmelt.service.targets.gold import GoldThere

BOARD_SECONDS = 180.0
"""How long a dashboard may ask, and how long another one waits for that."""
BEGIN_SECONDS = 90.0
"""How much of it the account has to wake up and to say which publication it is of."""
END_SECONDS = 20.0
"""What is kept of it for whether it is of that one still."""
CLOCK_SECONDS = 600
"""For how long an answer is kept that also depends on what time it is."""


@dataclass(frozen=True)
class Unconfirmed:
    """Answers, and why it is not known if gold was published while they were given."""

    published: datetime
    why: str
    answers: Mapping[Key, Table]


@dataclass
class AskingThere(Asking):
    """Asks an account. Make it inside a snapshot of what is known of it."""

    gold: GoldThere

    def _begin(self) -> None:
        self.published = self._known = self.gold.published_at(self.session)
        self._fresh: dict[Key, Table] = {}
        self._is_asking = False
        self._off: SnowmeltError | None = None
        self._until = 0.0
        self._of: datetime | None = None
        self._is_of_one = True
        self._doubt = ""

    def table(self, query: Query, limit: int) -> Table:
        """Return at most `limit` rows, as they were answered last or are now."""
        found = self._find(query, limit)
        if found is None and not self._is_asking and self._off is None:
            self._begin_asking()
            found = self._find(query, limit)  # somebody else's, just now
        if found is None and self._off is not None:
            found = self._unconfirmed(query, limit)
        if found is None:
            self._require_time()
            found = self._fresh[self._key(query, limit)] = self._asked(query, limit)
        return found

    def _find(self, query: Query, limit: int) -> Table | None:
        key = self._key(query, limit)
        return self._fresh.get(key) or self.memory.answers.find(key)

    def _unconfirmed(self, query: Query, limit: int) -> Table | None:
        """Return what was answered without knowing if it is of one publication."""
        kept = self.gold.unconfirmed
        found = kept.answers.get(self._key(query, limit)) if kept else None
        if kept is not None and found is not None:
            self._doubt = kept.why
        return found

    def _key(self, query: Query, limit: int) -> Key:
        is_of_clock = VOLATILE.search(query.sql) is not None
        of_clock = int(self.clock.monotonic() // CLOCK_SECONDS) if is_of_clock else None
        return query.sql, query.parameters, self.published, limit, of_clock

    def _begin_asking(self) -> None:
        """Wait for whoever asks now; then see which publication it is."""
        if not self.gold.lock.acquire(timeout=BOARD_SECONDS):
            told = (
                f"others have asked {self.gold.target} for {BOARD_SECONDS:.0f} seconds"
            )
            self._off = UsageError("dashboards", told, "Look again later.")
            return
        self._is_asking = True
        now = self.clock.monotonic()
        self._until = now + BOARD_SECONDS - END_SECONDS
        self.gold.until = now + BEGIN_SECONDS
        try:
            self.published = self._of = self.gold.newest()
            self._confirm(self._of)
        except SnowmeltError as error:
            self._off = error  # every card says so, and none asks
        finally:
            self.gold.until = self._until

    def _confirm(self, newest: datetime) -> None:
        """Keep what was in doubt: nothing was published since, so not before either."""
        kept, self.gold.unconfirmed = self.gold.unconfirmed, None
        if kept is not None and kept.published == newest:
            self._keep(kept.answers)

    def _keep(self, answers: Mapping[Key, Table]) -> None:
        for key, table in answers.items():
            self.memory.answers.keep(key, table)

    def _require_time(self) -> None:
        """Raise what keeps everything from being asked."""
        if self._off is None and self.clock.monotonic() > self._until:
            told = f"its dashboard has asked for {BOARD_SECONDS:.0f} seconds"
            self._off = UsageError("dashboards", told, "Sum it up in models of gold.")
        if self._off is not None:
            raise self._off

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Ask alone inside the block; each statement is limited by the account.

        At its end answers are kept, if gold was not published anew meanwhile.
        """
        try:
            yield
            self._end_asking()
        except SnowmeltError:  # what was answered until then is kept all the same
            self._end_asking()
            raise
        finally:
            if self._is_asking:
                self.gold.until = float("inf")
                self.gold.lock.release()

    def _end_asking(self) -> None:
        """Keep what was answered, if it is of one publication.

        What was answered before the first question, and what stands beside the answers,
        are of the one that was known then. While nobody tells, answers are shown, and
        kept once it is told.
        """
        if self._of is None:
            return
        self.gold.until = self.clock.monotonic() + END_SECONDS
        try:
            is_same = self.gold.newest_publication() == self._of
        except SnowmeltError as error:
            is_same, self._doubt = True, error.problem
            self.gold.unconfirmed = Unconfirmed(self._of, self._doubt, self._fresh)
        else:
            self._keep(self._fresh if is_same else {})
        self._is_of_one = is_same and self._of == self._known

    def is_of_one(self) -> bool:
        return self._is_of_one

    def doubt(self) -> str:
        return self._doubt

    def require_sayable(self, texts: Sequence[str]) -> None:
        for text in texts:
            for each in _findings(text):
                raise ConfigError(
                    "",
                    f"on {self.gold.target}, line {each.line} of its query: "
                    f"{each.found}: {each.why}",
                    f"Each is named by: snowmelt validate --target {self.gold.target}",
                )

    def row_of(self, query: Query, columns: Sequence[str]) -> Document | None:
        """Rows of a target are not traced from here."""
        return None

    def beside_card(self, query: Query, limit: int) -> Document:
        """Return the statement as it is asked, and which tables are not published.

        Silver changes model by model there: what is shown of it may be newer than what
        gold was published of.
        """
        question = self._question(query)
        published = published_schemas(self.gold.observing.project)
        return {
            "asked": said_there(self.gold, question, limit),
            "unpublished": [
                key for key in question.keys if key.partition(".")[0] not in published
            ],
        }

    def _asked(self, query: Query, limit: int) -> Table:
        """Ask. Who does not answer is not asked by the cards that follow, either."""
        try:
            return ask_there(self.gold, self._question(query), limit)
        except UnreachableError as error:
            if self.clock.monotonic() < self._until:
                self._off = error
            self._require_time()
            raise

    def _question(self, query: Query) -> Question:
        named = (self.relations[model] for model in query.models)
        keys = [".".join(_parts(each)[-2:]).lower() for each in named]
        where = f"dashboards --target {self.gold.target}"
        return Question(where, query.sql, query.parameters, keys)


@lru_cache(maxsize=1024)
def _findings(text: str) -> Sequence[Any]:
    return findings_in(sql_of(text), is_rewritten=True)


def _parts(relation: str) -> list[str]:
    """Return the parts of a name that dbt wrote, without their quotes."""
    return [part.strip('"') for part in relation.split(".")]
