"""What a latest_version model must be: it reads a stream, keeps where rows are from.

The package says the same when such a model is built; asked here it costs no build.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from snowmelt.errors import ConfigError
from snowmelt.transform.graph import Graph, Node

LINEAGE = ("_file", "_file_row", "_load_seq", "_version_at")
"""What says of a row of silver where it is from, and which version it is."""
_LATEST = "latest_version"


def latest_versions(graph: Graph) -> list[Node]:
    """Return the models that are materialized as latest_version."""
    return [each for each in graph.nodes.values() if each.materialized == _LATEST]


def require_streams(graph: Graph, root: Path) -> None:
    """Raise ConfigError for a latest_version model that reads bronze without a stream.

    In each run it would be given every row of its table again.
    """
    for node in latest_versions(graph):
        if node.reads_stream:
            continue
        tables = [graph.sources[each] for each in node.parents if each in graph.sources]
        place = _place(root / node.path, "source(")
        written = "snowmelt.stream('bronze', '<table>')"
        if len(tables) == 1:
            source, table = tables[0].selector.removeprefix("source:").split(".", 1)
            written = f"snowmelt.stream('{source}', '{table}')"
        raise ConfigError(
            f"{node.path}{place}",
            f"{node.name} is a latest_version model without a stream: each run would "
            "give it all rows of bronze again",
            f"Write: from {{{{ {written} }}}}",
        )


def require_lineage(node: Node, columns: Sequence[str]) -> None:
    """Raise ConfigError unless a model has the columns that its making takes."""
    known = {column.lower() for column in columns}
    missing = [each for each in LINEAGE if each not in known]
    if missing:
        raise ConfigError(
            node.path,
            f"model {node.name} does not keep where its rows are from",
            f"Select also: {', '.join(missing)}.",
        )
    for key in node.unique_key:
        if key.lower().strip('"') not in known:
            raise ConfigError(
                node.path,
                f"model {node.name}: unique_key: there is no column '{key}'",
                f"{', '.join(columns)} are.",
            )


def idle_rules(graph: Graph) -> list[str]:
    """Say of which models rules are written that nobody asks."""
    return [
        f"{node.path}: the rules of model {node.name} refuse no row: it is "
        f"materialized as {node.materialized}, and only {_LATEST} models have row rules"
        for node in graph.nodes.values()
        if node.rules and node.resource_type == "model" and node.materialized != _LATEST
    ]


def _place(path: Path, text: str) -> str:
    """Return the line of a text in a file, as it is written behind its name."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeError):
        return ""
    for number, line in enumerate(lines, start=1):
        if text in line:
            return f":{number}"
    return ""
