"""Run in Airflow's environment: one operator, in a process that may die at any point.

one_operator.py STORE HOW ARGUMENTS: prints what came of it as JSON.

HOW: `lives`; `dies` before it hears which errand it is; `is_ended` by Airflow while it
waits for it; `waits` while a worker that was thought dead is ended.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snowmelt.airflow.operators import SnowmeltRunOperator

operators: Any = importlib.import_module(SnowmeltRunOperator.__module__)


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
    store, how, text = sys.argv[1:]
    arguments = json.loads(text)
    if seconds := arguments.pop("seconds", None):
        arguments["execution_timeout"] = timedelta(seconds=seconds)
    patched: Any = SnowmeltRunOperator
    original = patched._said
    operator = SnowmeltRunOperator(
        task_id="publish", deferrable=False, poll_interval=0.2, **arguments
    )
    if how == "dies":

        def said(self: Any, wish: dict[str, Any]) -> Any:
            original(self, wish)
            os._exit(9)  # the answer never reached anybody

        patched._said = said
    elif how == "is_ended":

        def looks(errand: int) -> Any:
            operator.on_kill()
            os._exit(9)  # as soon as it waits

        operators.find_errand = looks
    elif how == "waits":
        looked = operators.find_errand

        def looks_again(errand: int) -> Any:
            operators.find_errand = looked
            operator._cancel(errand, operators.ENDED)
            return looked(errand)

        operators.find_errand = looks_again
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
