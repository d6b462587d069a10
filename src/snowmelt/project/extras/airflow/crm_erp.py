"""Each night: six files of a CRM and an ERP land, and the warehouse is built of them.

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
SOURCES = (
    *("cust_info", "prd_info", "sales_details"),
    *("cust_az12", "loc_a101", "px_cat_g1v2"),
)


@dag(
    dag_id="snowmelt_crm_erp",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"drop": "/data/drop/crm-erp", "landing": "/data/crm-erp/landing"},
    tags=["snowmelt"],
)
def crm_erp() -> None:
    @task
    def land(params: dict[str, Any]) -> dict[str, Any]:
        return land_files(params["drop"], params["landing"])

    landed = land()
    # full extracts: one that is as it was yesterday is known, and counts
    waits = [
        SnowmeltFilesSensor(
            task_id=f"wait_for_{source}",
            pipe=source,
            since=landed["since"],
            timeout=3600,
        )
        for source in SOURCES
    ]
    publish = SnowmeltRunOperator(task_id="publish", what="run", retries=2)

    @task
    def check(run: dict[str, Any]) -> str:
        answer = run["answer"]
        if answer["held"]:
            raise ValueError(f"files wait for a person: {', '.join(answer['held'])}")
        return f"{answer['loads']} files, {answer['error_count']} records refused"

    @task(trigger_rule="all_done")
    def notify(told: str | None) -> None:
        log.info("crm_erp: %s", told or "something failed; see the tasks before")

    run = publish.output
    landed >> waits >> publish
    notify(check(run))


crm_erp()
