"""Each morning: files of the shop land, and the tasks of snowmelt.yml make figures.

The graph with its gate is Snowmelt's own (`snowmelt tasks graph`): Airflow says when.
In snowmelt.yml its `cron` is best left out then, or it runs twice.

The connection `snowmelt_default` leads to the service (`snowmelt up`) with a token that
`snowmelt tokens add airflow --role operator` makes.
"""

from __future__ import annotations

import logging
from typing import Any

import pendulum
from airflow.sdk import dag, task

from snowmelt.airflow.landing import land_files
from snowmelt.airflow.operators import SnowmeltRunOperator
from snowmelt.airflow.sensors import SnowmeltFilesSensor

log = logging.getLogger(__name__)


@dag(
    dag_id="snowmelt_storefront",
    schedule="30 5 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    params={"drop": "/data/drop/storefront", "landing": "/data/storefront/landing"},
    tags=["snowmelt"],
)
def storefront() -> None:
    @task
    def land(params: dict[str, Any]) -> dict[str, Any]:
        return land_files(params["drop"], params["landing"])

    landed = land()
    # what is as it was before is known, and counts: a day may be run again
    wait_for_sales = SnowmeltFilesSensor(
        task_id="wait_for_sales",
        pipe="sales",
        since=landed["since"],
        timeout=3600,
    )
    publish = SnowmeltRunOperator(task_id="publish", what="tasks", retries=2)

    @task
    def check(run: dict[str, Any]) -> str:
        states = {each["task"]: each["state"] for each in run["answer"]["task_runs"]}
        if states.get("gate") != "SUCCEEDED":
            raise ValueError(f"the gate did not let the day through: {states}")
        return ", ".join(f"{name} {state}" for name, state in states.items())

    @task(trigger_rule="all_done")
    def notify(told: str | None) -> None:
        log.info("storefront: %s", told or "something failed; see the tasks before")

    run = publish.output
    landed >> wait_for_sales >> publish
    notify(check(run))


storefront()
