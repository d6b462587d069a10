"""WHEN as it stands now: of each condition its streams, and whether they have data."""

from __future__ import annotations

from snowmelt.errors import SnowmeltError
from snowmelt.serve.commands import Document
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.transform.tasks.condition import holds, streams_in
from snowmelt.transform.tasks.unread import Reader, has_unread
from snowmelt.warehouse.port import Session


def condition_documents(session: Session, tasks: Tasks) -> list[Document]:
    """Return every condition of a graph, and what each of its streams answers.

    `holds`: None where it cannot be asked; `problem` says why.
    """
    graph = tasks.graph
    reader = Reader(graph.root, graph.publishes, tasks.means.bronze)
    found = []
    for name, task in graph.tasks.items():
        condition = graph.condition(name)
        if condition is None:
            continue
        problem, answers = None, {}
        for stream in dict.fromkeys(streams_in(condition)):
            try:
                answers[stream] = has_unread(session, reader, stream)
            except SnowmeltError as error:
                problem = str(error)
        found.append(
            {
                "task": name,
                "when": task.when,
                "holds": None if problem else holds(condition, answers.__getitem__),
                "problem": problem,
                "streams": [
                    {"name": each, "has_data": has} for each, has in answers.items()
                ],
            }
        )
    return found
