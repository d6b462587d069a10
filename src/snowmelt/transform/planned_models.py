"""Would the SQL of models run? The engine plans it, in the order of a build.

No row is read and nothing of the warehouse is written: each model stands in for itself,
empty, in a database in memory, so that what reads it meets the columns that it would
have, built or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from snowmelt.errors import ConfigError, UsageError
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_REFUSED = ("Binder Error", "Catalog Error")
"""What the engine calls what no row can change."""
_NOT_THERE_YET = re.compile(
    r"(?:Table|View|Schema) with name .* does not exist|extension|read_\w+\(", re.DOTALL
)
_LINE = re.compile(r"LINE (\d+):")
_BEFORE = 1
"""Lines of ours before the first of a model."""
_NAMED = re.compile(r'"([^"\n]+)"|name (\w+) does not exist|near "(\w+)')


class Planning:
    """Plans models one after the other; `unchecked` says of which it could not tell.

    `require_query` raises UsageError for what is not exactly one query.
    """

    def __init__(
        self, session: Session, root: Path, require_query: Callable[[str], None]
    ) -> None:
        self._session = session
        self._root = root
        self._require_query = require_query
        self._place = f"planned_{uuid4().hex[:12]}"
        self._planned: dict[str, str] = {}
        self.unchecked: dict[str, str] = {}
        """Why, by the path of each model."""

    def models(self, graph: Graph, queries: Mapping[str, str]) -> None:
        """Plan every model that has a query. Raises ConfigError for a bad one."""
        unsure: set[str] = set()
        with self._stand_ins():
            for node in graph.nodes.values():
                if node.is_check:
                    continue
                if node.resource_type != "model" or node.id not in queries:
                    unsure.add(node.id)
                    if node.resource_type == "model":
                        why = why_not_compiled(node) or "dbt makes no SQL of it"
                        self.unchecked[node.path] = why
                    continue
                doubt = unsure.intersection(node.parents)
                told = self._plan(node, queries[node.id], sure=not doubt)
                if told:
                    self.unchecked[node.path] = told
                    unsure.add(node.id)
                elif node.asks_dbt:  # hooks may make other columns of it
                    unsure.add(node.id)

    @contextmanager
    def _stand_ins(self) -> Iterator[None]:
        self._session.execute(f"attach ':memory:' as {self._place}")
        try:
            yield
        finally:
            self._session.execute(f"detach {self._place}")

    def _plan(self, node: Node, query: str, *, sure: bool) -> str:
        """Plan one model; return why it is not known whether it runs, if it is not."""
        sql = query
        for relation, stand_in in self._planned.items():
            sql = sql.replace(relation, stand_in)
        schema, _, name = node.key.partition(".")
        stand_in = f"{self._place}.{identifier(schema)}.{identifier(name)}"
        try:
            self._require_query(f"from (\n{sql}\n) limit 0")
            self._session.execute(
                f"create schema if not exists {self._place}.{identifier(schema)}"
            )
            self._session.execute(
                f"create table {stand_in} as from (\n{sql}\n) limit 0"
            )
        except Exception as error:
            told = error.problem if isinstance(error, UsageError) else str(error)
            for relation, other in self._planned.items():
                told = told.replace(other, relation)
            told = told.replace(f"{self._place}.", "").strip()
            if isinstance(error, UsageError) or (sure and _is_refused(told)):
                raise self._refusal(node, query, told) from error
            return told.split("\n\n")[0]
        if node.relation and node.materialized != "ephemeral":
            self._planned[node.relation] = stand_in
        return ""

    def _refusal(self, node: Node, query: str, told: str) -> ConfigError:
        problem, *_ = told.split("\n\n")
        line = self._line(node, query, told)
        place = f":{line}" if line else ""
        text = " ".join(part.strip() for part in problem.splitlines())
        return ConfigError(f"{node.path}{place}", f"model {node.name}: {text}")

    def _line(self, node: Node, query: str, told: str) -> int | None:
        """Return the line of a model's file that the engine means, as far as known.

        The file's text is another than that which was planned: a macro may have
        written any of its lines. So it is a line that stands in both.
        """
        try:
            written = (self._root / node.path).read_text().splitlines()
        except (OSError, UnicodeError):
            return None
        compiled = query.splitlines()
        found = _LINE.search(told)
        number = int(found[1]) - _BEFORE - 1 if found else -1
        if 0 <= number < len(compiled):
            meant = compiled[number].strip()
            same = [i for i, line in enumerate(written) if line.strip() == meant]
            if meant and same:
                return 1 + min(same, key=lambda i: abs(i - number))
        for names in _NAMED.findall(told):
            word = re.compile(rf"\b{re.escape(next(filter(None, names)))}\b")
            same = [i for i, line in enumerate(written) if word.search(line)]
            if len(same) == 1:
                return same[0] + 1
        return None


def _is_refused(told: str) -> bool:
    """Is the model wrong, whatever else is loaded, made or installed?"""
    return told.startswith(_REFUSED) and not _NOT_THERE_YET.search(told)


def compiled_alone(graph: Graph) -> list[Node]:
    """Return the models whose SQL dbt makes without asking the data or the clock."""
    return [
        node
        for node in graph.nodes.values()
        if node.resource_type == "model" and not why_not_compiled(node)
    ]


def why_not_compiled(node: Node) -> str:
    """Say why a model has no SQL before it is built; empty if it has."""
    known = ("while it compiles", "Python model")
    return node.asks_dbt if any(each in node.asks_dbt for each in known) else ""


def told_unchecked(unchecked: Mapping[str, str]) -> list[str]:
    """Say of which models it was not checked whether they run."""
    return [
        f"{path}: whether it runs was not checked: {' '.join(why.split())}"
        for path, why in unchecked.items()
    ]
