"""Whenever gold is published: somebody hears of it; and each night all is compared.

Nothing is scheduled here: the service loads and publishes within seconds, and tells
Airflow by an asset's events. A triggerer has to run.

The connection `snowmelt_default` leads to the service (`snowmelt up`) with a token that
`snowmelt tokens add airflow --role operator` makes.
"""

from __future__ import annotations

import logging
from typing import Any

import pendulum
from airflow.sdk import dag, task

from snowmelt.airflow.assets import snowmelt_asset
from snowmelt.airflow.operators import SnowmeltRunOperator

log = logging.getLogger(__name__)
GOLD = snowmelt_asset("snowmelt_realtime_gold", kinds=["published", "run_failed"])


@dag(
    dag_id="snowmelt_realtime",
    schedule=[GOLD],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    tags=["snowmelt"],
)
def realtime() -> None:
    @task
    def check(triggering_asset_events: Any = None) -> str:
        told = [
            event.extra.get("payload", event.extra)
            for events in (triggering_asset_events or {}).values()
            for event in events
        ]
        failed = [each for each in told if each.get("kind") == "run_failed"]
        if failed:
            raise ValueError(f"a run failed: {failed[0].get('problem')}")
        return f"{len(told)} publications"

    @task(trigger_rule="all_done")
    def notify(told: str | None) -> None:
        log.info("realtime: %s", told or "a run failed; gold is as it was before")

    notify(check())


@dag(
    dag_id="snowmelt_realtime_nightly",
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["snowmelt"],
)
def realtime_nightly() -> None:
    settle = SnowmeltRunOperator(task_id="settle", what="run", retries=2)
    compare = SnowmeltRunOperator(task_id="compare_with_rebuild", what="audit")
    settle >> compare


realtime()
realtime_nightly()
