"""Once an hour: what the hour brought lands, and is gold when its run has ended.

The connection `snowmelt_default` leads to the service (`snowmelt up`) with a token that
`snowmelt tokens add airflow --role operator` makes. Files are taken from `drop`; where
they land by themselves, leave the first task out.
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
    dag_id="snowmelt_retail",
    schedule="@hourly",
    start_date=pendulum.datetime(2024, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    params={"drop": "/data/drop/retail", "landing": "/data/retail/landing"},
    tags=["snowmelt"],
)
def retail() -> None:
    @task
    def land(params: dict[str, Any]) -> dict[str, Any]:
        return land_files(params["drop"], params["landing"])

    landed = land()
    # what is as it was before is known, and counts: a day may be run again
    wait_for_transactions = SnowmeltFilesSensor(
        task_id="wait_for_transactions",
        pipe="transactions",
        since=landed["since"],
        timeout=1800,
    )
    publish = SnowmeltRunOperator(
        task_id="publish",
        pipe="transactions",
        execution_timeout=pendulum.duration(minutes=50),
        retries=2,
    )
    # the task of snowmelt.yml that stops where files could not be loaded
    report = SnowmeltRunOperator(task_id="report", what="tasks", retries=1)

    @task
    def check(run: dict[str, Any]) -> str:
        answer = run["answer"]
        return f"{answer['row_count']} transactions, {answer['error_count']} refused"

    @task(trigger_rule="all_done")
    def notify(told: str | None) -> None:
        log.info("retail: %s", told or "something failed; see the tasks before")

    run = publish.output
    checked = check(run)
    landed >> wait_for_transactions >> publish >> report >> checked
    notify(checked)


retail()
