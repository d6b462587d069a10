"""What dbt sent for each node, kept so that it can be sent again without dbt.

A recording is a cache. It counts for one state of the project (its digest) and one
shape of the relations that it reads and writes; anything else makes dbt compile anew.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snowmelt.transform.graph import Graph, Node

log = logging.getLogger("snowmelt")
FORMAT = 3
_TEMPORARY = re.compile(r"__dbt_tmp\d[\d_]*")
_COMMENT = re.compile(r"^\s*(/\*.*?\*/\s*|--[^\n]*\n\s*)*", re.DOTALL)
_WRITES = re.compile(r"\b(insert\s+into|delete\s+from|merge\s+into|update)\b", re.I)
_READS = ("select", "describe", "show", "pragma", "explain", "from")
_TEST_QUERY = re.compile(r"\bfrom \(\s*(.*)\s*\) dbt_internal_test\b", re.DOTALL)


ONLY_WHERE_ROWS_WENT = "/* snowmelt: only where rows went */"
"""The mark of statements that do nothing unless loads were superseded."""
ONLY_WHERE_ROWS_IN = re.compile(r'/\* snowmelt: only where "([^"]+)" has rows \*/')
"""The mark of statements that do nothing while a temporary table is empty."""
MAKES_SCRATCH = re.compile(r'create or replace temp table "([^"]+)"')


@dataclass
class Recording:
    """The statements of one node, and in how many builds they were the same."""

    statements: list[str]
    times_seen: int = 1


@dataclass
class Recordings:
    """What is known of one state of the project: its graph and its statements."""

    path: Path
    digest: str = ""
    shape: str = ""
    graph: Graph | None = None
    nodes: dict[str, Recording] = field(default_factory=dict)
    selections: dict[str, frozenset[str]] = field(default_factory=dict)
    """Ids of nodes by the selection, in dbt's syntax, that names them."""

    def of_project(self, digest: str) -> Graph | None:
        """Return the graph of this state of the project, if it is known."""
        return self.graph if digest == self.digest else None

    def begin(self, digest: str, graph: Graph) -> None:
        """Forget another state of the project."""
        if digest != self.digest:
            self.digest, self.shape, self.nodes = digest, "", {}
            self.selections = {}
        self.graph = graph

    def observe(self, sent: Mapping[str, list[str]], shape: str) -> None:
        """Take note of what dbt sent for each node in an incremental build.

        What was recorded on relations of another shape does not count any more.
        """
        if shape != self.shape:
            self.shape, self.nodes = shape, {}
        for node_id, statements in sent.items():
            masked = [_TEMPORARY.sub("__dbt_tmp", each) for each in statements]
            known = self.nodes.get(node_id)
            if known is not None and known.statements == masked:
                known.times_seen += 1
            else:
                self.nodes[node_id] = Recording(masked)

    def forget(self) -> None:
        """Give up every statement; the graph stays what the project makes it."""
        self.shape, self.nodes = "", {}
        self.save()

    def statements_of(self, node: Node) -> list[str] | None:
        """Return what to send for a node, or None while dbt has to be asked.

        One recording may hold what was true of the data it was made on: two equal ones
        on different data do not.
        """
        known = self.nodes.get(node.id)
        if node.asks_dbt or known is None or known.times_seen < 2:
            return None
        return known.statements

    def reason_against(self, nodes: list[Node], shape: str) -> str:
        """Return why these nodes cannot be replayed now; empty if they can."""
        if shape != self.shape:
            return "no recording of these tables yet"
        for node in nodes:
            if node.asks_dbt:
                return f"{node.name}: {node.asks_dbt}"
            if needs_statements(node) and self.statements_of(node) is None:
                return f"{node.name} is not recorded yet"
        return ""

    def save(self) -> None:
        """Write the cache; that it cannot be written costs slow runs, nothing else."""
        document = {
            "format": FORMAT,
            "digest": self.digest,
            "shape": self.shape,
            "graph": self.graph.as_document() if self.graph else None,
            "nodes": {
                node_id: {"statements": each.statements, "times_seen": each.times_seen}
                for node_id, each in self.nodes.items()
            },
            "selections": {
                selection: sorted(ids) for selection, ids in self.selections.items()
            },
        }
        written = self.path.with_name(f".{self.path.name}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(json.dumps(document))
            written.replace(self.path)
        except OSError as error:
            log.warning("recordings could not be written: %s", error)


def load_recordings(path: Path) -> Recordings:
    """Read the cache; whatever is wrong with it, an empty one is as right."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        if document["format"] != FORMAT:
            return Recordings(path)
        return Recordings(
            path,
            document["digest"],
            document["shape"],
            Graph.from_document(document["graph"]) if document["graph"] else None,
            {key: Recording(**each) for key, each in document["nodes"].items()},
            {key: frozenset(ids) for key, ids in document["selections"].items()},
        )
    except FileNotFoundError:
        return Recordings(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("recordings are not readable and are made anew: %s", error)
        return Recordings(path)


def needs_statements(node: Node) -> bool:
    """Is there anything to send for a node, when nothing but data changed?

    A view's text stays what it is, an ephemeral model is part of others, seeds are
    files of the project, and a unit test looks at no data.
    """
    if node.resource_type not in ("model", "test", "snapshot"):
        return False
    return node.materialized not in ("view", "ephemeral")


def has_effect(statement: str) -> bool:
    """Does a statement change anything? Questions that dbt asks do not."""
    text = _COMMENT.sub("", statement).lower()
    if text.startswith("with"):
        return bool(_WRITES.search(text))
    return not text.startswith(_READS)


def test_query(statement: str) -> str | None:
    """Return the query of failing rows inside the statement that dbt counts them by."""
    found = _TEST_QUERY.search(statement)
    return found[1] if found else None
