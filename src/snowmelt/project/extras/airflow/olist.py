"""Once a day: the marketplace's files land, gold is published, figures are checked.

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
REFUSED_MAX = 0.01
"""Of a day's records, so many may be refused before a person has to look."""


@dag(
    dag_id="snowmelt_olist",
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"drop": "/data/drop/olist", "landing": "/data/olist/landing"},
    tags=["snowmelt"],
)
def olist() -> None:
    @task
    def land(params: dict[str, Any]) -> dict[str, Any]:
        return land_files(params["drop"], params["landing"])

    landed = land()
    # what is as it was before is known, and counts: a day may be run again
    wait_for_orders = SnowmeltFilesSensor(
        task_id="wait_for_orders",
        pipe="orders",
        since=landed["since"],
        timeout=3600,
    )
    publish = SnowmeltRunOperator(task_id="publish", what="run", retries=2)

    @task
    def check(run: dict[str, Any]) -> str:
        answer = run["answer"]
        refused = answer["error_count"] / max(1, answer["row_count"])
        if refused > REFUSED_MAX:
            raise ValueError(f"{refused:.1%} of the records were refused")
        return f"{answer['row_count']} rows of {answer['loads']} files are in gold"

    @task(trigger_rule="all_done")
    def notify(told: str | None) -> None:
        log.info("olist: %s", told or "something failed; see the tasks before")

    run = publish.output
    landed >> wait_for_orders >> publish
    notify(check(run))


olist()
