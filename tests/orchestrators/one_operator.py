"""Run in Airflow's environment: one operator, in a process that may die at any point.

one_operator.py STORE DEFERRABLE DIES ARGUMENTS: prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snowmelt.airflow.operators import SnowmeltRunOperator


class FileStore:
    """A task's state store that outlives the process, as Airflow's own does."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> dict[str, Any]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def get(self, key: str) -> Any:
        return self._read().get(key)

    def set(self, key: str, value: Any) -> None:
        self._path.write_text(json.dumps(self._read() | {key: value}))

    def delete(self, key: str) -> None:
        kept = {name: value for name, value in self._read().items() if name != key}
        self._path.write_text(json.dumps(kept))


def main() -> None:
    """Ask, and say how it ended."""
    store, dies, arguments = sys.argv[1:]
    if dies == "dies":
        original = SnowmeltRunOperator._said

        def said(self: Any, wish: dict[str, Any]) -> Any:
            original(self, wish)
            os._exit(9)  # the answer never reached anybody

        patched: Any = SnowmeltRunOperator
        patched._said = said
    operator = SnowmeltRunOperator(
        task_id="publish", deferrable=False, poll_interval=0.2, **json.loads(arguments)
    )
    ti = SimpleNamespace(
        dag_id="d", run_id="r", task_id="publish", map_index=-1, try_number=1
    )
    ti.xcom_push = lambda key, value: None
    context = {"ti": ti, "task_state_store": FileStore(Path(store))}
    try:
        answer: dict[str, Any] = operator.execute(context)
    except Exception as error:  # noqa: BLE001 - it is what came of it
        answer = {"kind": type(error).__name__, "problem": str(error)}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


main()
