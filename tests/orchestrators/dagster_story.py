"""Run in Dagster's environment: a component from YAML, its assets and its sensor.

dagster_story.py LANDING: prints what came of it as JSON.
dagster_story.py --look CURSOR: what its sensor tells of.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg

from snowmelt.dagster import asking, component
from snowmelt.remote import Document, Remote

defs: dg.Definitions = importlib.import_module("shop_dagster.definitions").defs
VISITS = "visit_id,customer_id,pages\n"


def land(landing: Path, name: str, text: str) -> None:
    hidden = landing / f".{name}"
    hidden.write_text(text)
    hidden.replace(landing / name)


def land_when_asked(landing: Path, name: str, text: str) -> None:
    """Land a file when a run has begun, before it asks: so that it is the run's own."""

    def ask_and_wait(remote: Remote, asked: asking.Asked, tell: Any) -> Document:
        land(landing, name, text)
        return asking.ask_and_wait(remote, asked, tell)

    vars(component)["ask_and_wait"] = ask_and_wait


def look(cursor: str) -> None:
    """Say what the sensor tells of."""
    (sensor,) = defs.sensors or []
    with dg.instance_for_test() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        events = sensor.evaluate_tick(context).asset_events
    told = [event.asset_key.to_user_string() for event in events]
    sys.stdout.write("\n" + json.dumps({"told": told}) + "\n")


def main() -> None:
    """Validate, materialize, fail, watch."""
    if sys.argv[1] == "--look":
        look(sys.argv[2])
        return
    landing = Path(sys.argv[1])
    dg.Definitions.validate_loadable(defs)
    job = defs.resolve_implicit_global_asset_job_def()
    (sensor,) = defs.sensors or []
    found: dict[str, Any] = {"assets": {}}
    for assets in defs.assets or []:
        for spec in assets.specs:
            found["assets"][spec.key.to_user_string()] = sorted(
                dep.asset_key.to_user_string() for dep in spec.deps
            )
    with dg.instance_for_test() as instance:
        first = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        land_when_asked(landing, "visits_asked.csv", f"{VISITS}801,c1,2\n")
        done = job.execute_in_process(instance=instance, raise_on_error=False)
        found["success"] = done.success
        found["failures"] = [
            str(event.event_specific_data)[:2000]
            for event in done.all_events
            if event.is_failure
        ]
        found["materialized"] = sorted(
            event.asset_key.to_user_string()
            for event in done.get_asset_materialization_events()
        )
        looked = sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, cursor=first.cursor)
        )
        land_when_asked(landing, "visits_chosen.csv", f"{VISITS}804,c1,2\n")
        chosen = dg.AssetKey(["bronze", "visits"])
        alone = job.execute_in_process(instance=instance, asset_selection=[chosen])
        found["chosen"] = [
            event.asset_key.to_user_string()
            for event in alone.get_asset_materialization_events()
        ]
        context = dg.build_sensor_context(instance=instance, cursor=looked.cursor)
        found["told_besides"] = [
            event.asset_key.to_user_string()
            for event in sensor.evaluate_tick(context).asset_events
        ]
        land_when_asked(landing, "visits_broken.csv", f"{VISITS}802,c1,many\n")
        broken = job.execute_in_process(instance=instance, raise_on_error=False)
        found["broken"] = [
            event.message + str(event.step_failure_data.user_failure_data)
            for event in broken.all_events
            if event.is_step_failure
        ]
        context = dg.build_sensor_context(instance=instance, cursor=looked.cursor)
        seen = sensor.evaluate_tick(context)
        found["told_of_own"] = [str(event.asset_key) for event in looked.asset_events]
        found["cursor"] = seen.cursor
    sys.stdout.write("\n" + json.dumps(found) + "\n")


main()
