"""Run in Dagster's environment, without a service: steps, and what each told of.

Another asset between two of ours makes two steps of them in one run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg

from snowmelt.dagster import component
from snowmelt.dagster.asking import Asked, step_of
from snowmelt.remote import Document

asked: list[Asked] = []
seen_while_running: list[Any] = []
states = ["SUCCEEDED", "SUCCEEDED", "FAILED"]
ANSWER = {"row_count": 0, "error_count": 0}
MODEL = {"resource_type": "model", "config": {"schema": "gold"}}


def model(name: str, *parents: str) -> Document:
    return {**MODEL, "name": name, "depends_on": {"nodes": list(parents)}}


def source(of: str, name: str) -> Document:
    named = {"source_name": of, "name": name, "schema": of}
    return {"resource_type": "source", **named}


def _one() -> int:
    return 1


def shown(keys: frozenset[tuple[str, ...]] | None) -> list[str] | None:
    return None if keys is None else sorted("/".join(key) for key in keys)


def main() -> None:
    """Run two steps, and one that fails."""
    path = Path.cwd() / "manifest.json"
    nodes = {
        "model.a": model("a", "source.bronze.orders"),
        "model.c": model("c", "source.py.b"),
    }
    sources = {
        "source.bronze.orders": source("bronze", "orders"),
        "source.py.b": source("py", "b"),
    }
    path.write_text(json.dumps({"nodes": nodes, "sources": sources}))
    with dg.instance_for_test() as instance:
        told_by = component._told_by(instance)

        def ask_and_wait(remote: object, wanted: Asked, tell: object) -> Document:
            step = step_of(wanted.key)
            assert step is not None
            seen_while_running.append(shown(component._told_by(instance)(*step)))
            asked.append(wanted)
            state = states[len(asked) - 1]
            done = {"state": state, "run_id": None, "problem": "a test"}
            return {"errand": len(asked), "answer": ANSWER, **done}

        vars(component)["ask_and_wait"] = ask_and_wait

        between = dg.asset(key=["py", "b"], deps=[dg.AssetKey(["gold", "a"])])(_one)

        ours = component.SnowmeltComponent(
            url="http://snowmelt.test", token="", manifest=str(path)
        ).definitions(path)
        defs = dg.Definitions.merge(ours, dg.Definitions(assets=[between]))
        job = defs.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(instance=instance)
        c = dg.AssetKey(["gold", "c"])
        job.execute_in_process(
            instance=instance, raise_on_error=False, asset_selection=[c]
        )
        told = [shown(told_by(*(step_of(each.key) or ("", "")))) for each in asked]
        found = {
            "success": done.success,
            "keys": [each.key for each in asked],
            "told": told,
            "told_by_unknown": shown(told_by("nobody", "snowmelt")),
            "told_while_running": seen_while_running,
        }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


main()
