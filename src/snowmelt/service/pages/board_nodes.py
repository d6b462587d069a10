"""Who reads the models, as nodes of the lineage: dashboards, and dbt's exposures."""

from __future__ import annotations

from snowmelt.project.dashboards import FOLDER
from snowmelt.serve.commands import Document
from snowmelt.service.boards.standing import Standing
from snowmelt.service.loop import Loop
from snowmelt.service.pages.dashboards import known_boards
from snowmelt.service.pages.noted import documentation

LAYER = "dashboards"


def board_nodes(
    loop: Loop, standing: Standing, there: set[str]
) -> tuple[list[Document], list[list[str]]]:
    """Return a node for each reader, and edges from the models that are `there`."""
    nodes: list[Document] = []
    edges: list[list[str]] = []

    def add(node: Document, models: list[str]) -> None:
        nodes.append(node)
        read = [f"model:{model}" for model in sorted(models)]
        edges.extend([each, node["id"]] for each in read if each in there)

    for board in known_boards(loop):
        found = standing.of_board(board.models, board.problem)
        told = "1 card" if board.cards == 1 else f"{board.cards} cards"
        add(
            _node("dashboard", board.name, board.title, found)
            | {
                "told": found["word"] if found["level"] else told,
                "description": board.description,
                "path": f"{FOLDER}/{board.name}.yml",
            },
            list(board.models),
        )
    notes = documentation(loop.parts)
    for each in notes.exposures if notes else ():
        found = standing.of_board(each.models, None)
        add(
            _node("exposure", each.name, each.label or each.name, found)
            | {
                "told": found["word"] if found["level"] else each.type,
                "description": each.description,
                "owner": each.owner,
                "path": each.path,
                "url": each.url,
            },
            list(each.models),
        )
    return nodes, edges


def _node(kind: str, name: str, title: str, health: Document) -> Document:
    return {
        "id": f"{kind}:{name}",
        "name": title,
        "layer": LAYER,
        "kind": kind,
        "key": name,
        "selector": f"exposure:{name}",
        "state": health["level"] or "none",
        "at": health["data_as_of"],
        "failed_at": None,
        "rows": None,
        "description": "",
        "owner": "",
        "reasons": health["reasons"],
    }
