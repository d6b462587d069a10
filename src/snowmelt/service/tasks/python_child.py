"""Calls a task's function: `python -m snowmelt.service.tasks.python_child mod:name`.

In the project's folder, told by the environment. What the function returns is the
task's return value: a text as it is, anything else as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TaskContext:
    """What a task's function is called with."""

    task: str
    graph_run_group_id: str
    attempt_number: int
    scheduled_time: datetime
    config: dict[str, Any]
    return_values: dict[str, str | None]
    states: dict[str, str]


def main(function: str) -> None:
    """Call a function, and write down what it returns."""
    told = json.loads(Path(os.environ["SNOWMELT_CONTEXT"]).read_text())
    context = TaskContext(
        told["task"],
        told["graph_run_group_id"],
        told["attempt_number"],
        datetime.fromisoformat(told["scheduled_time"]),
        told["config"],
        told["return_values"],
        told["states"],
    )
    sys.path.insert(0, os.environ["SNOWMELT_PROJECT"])
    module, _, name = function.partition(":")
    returned = getattr(importlib.import_module(module), name)(context)
    if returned is not None:
        text = returned if isinstance(returned, str) else json.dumps(returned)
        Path(os.environ["SNOWMELT_RETURN_FILE"]).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
