"""Airflow's stock operators for dbt Cloud, driving a service over TLS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from environment import Airflow
from tls_proxy import tls_before, write_certificate

from serving import Serving, serving
from shop import Shop
from small_project import VISITS, Warm

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
DAGS = """
import json

import pendulum
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
from airflow.providers.dbt.cloud.operators.dbt import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobsOperator,
    DbtCloudRunJobOperator,
)
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.sdk import dag, task

FIRST = pendulum.datetime(2024, 1, 1, tz="UTC")


@dag(dag_id="stock", schedule=None, start_date=FIRST)
def stock():
    deferred = DbtCloudRunJobOperator(
        task_id="deferred", job_id=1, check_interval=1, deferrable=True
    )
    by_name = DbtCloudRunJobOperator(
        task_id="by_name",
        project_name="small",
        environment_name="local",
        job_name="refresh orders",
        check_interval=1,
    )
    steps = DbtCloudRunJobOperator(
        task_id="steps",
        job_id=1,
        steps_override=["dbt build --full-refresh"],
        check_interval=1,
    )
    sensed = DbtCloudJobRunSensor(
        task_id="sensed", run_id=deferred.output, deferrable=True, poke_interval=1
    )
    artifact = DbtCloudGetJobRunArtifactOperator(
        task_id="artifact", run_id=steps.output, path="run_results.json"
    )
    jobs = DbtCloudListJobsOperator(task_id="jobs")

    @task
    def check(built, found):
        hook = DbtCloudHook()
        assert hook.test_connection()[0]
        assert len(found) == 3 + 4, found
        listed = hook.list_job_run_artifacts(run_id=built).json()["data"]
        assert listed == ["manifest.json", "run_results.json"], listed
        results = hook.get_job_run_artifact(run_id=built, path="run_results.json")
        assert results.json()["results"], "nothing was built"
        runs = hook.list_job_runs(order_by="-id")
        assert [run["id"] for run in runs[0].json()["data"]] == [3, 2, 1]
        of_job = hook.list_job_runs(job_definition_id=1, order_by="-id")
        assert [run["id"] for run in of_job[0].json()["data"]] == [3, 1]
        leads_to = {run["href"].partition(":")[0] for run in runs[0].json()["data"]}
        assert leads_to == {"https"}, leads_to
        done = hook.get_job_runs(payload={"status__in": "[1, 2, 3]"}).json()["data"]
        assert done == [], done

    deferred >> sensed >> by_name >> steps >> artifact
    artifact >> check(steps.output, jobs.output)


@dag(dag_id="failing", schedule=None, start_date=FIRST)
def failing():
    @task
    def try_it():
        from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudJobRunException

        hook = DbtCloudHook()
        for job, steps, status in (
            (1, ["dbt debug"], 400),
            (1, ["dbt run --vars '{a: 1}'"], 400),
            (77, None, 404),
        ):
            try:
                hook.trigger_job_run(job_id=job, cause="a test", steps_override=steps)
            except Exception as error:
                assert str(status) in str(error), error
            else:
                raise AssertionError(steps)
        run = hook.trigger_job_run(job_id=2, cause="to be cancelled").json()["data"]
        hook.cancel_job_run(run_id=run["id"])
        try:
            hook.wait_for_job_run_status(run["id"], check_interval=1, timeout=120)
        except DbtCloudJobRunException as error:
            assert "CANCELLED" in str(error), error
        else:
            raise AssertionError("it was not cancelled")

    try_it()


stock()
failing()
"""


@pytest.fixture
def service(warm: Warm, tmp_path: Path) -> Iterator[Serving]:
    root = tmp_path / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    with serving(root) as running:
        yield running


@pytest.fixture
def airflow(service: Serving, tmp_path: Path) -> Iterator[Airflow]:
    key, certificate = write_certificate(tmp_path)
    with tls_before(int(service.url.rpartition(":")[2]), key, certificate) as port:
        leads_here = {
            "conn_type": "dbt_cloud",
            "host": f"127.0.0.1:{port}",
            "login": "1",
            "password": service.operator,
        }
        connections = {"dbt_cloud_default": json.dumps(leads_here)}
        made = Airflow(tmp_path / "airflow", connections)
        trusted = str(certificate)
        made.environment |= {"REQUESTS_CA_BUNDLE": trusted, "SSL_CERT_FILE": trusted}
        (made.dags / "dbt_dags.py").write_text(DAGS)
        made("db", "migrate")
        yield made


def test_stock_operators_drive_a_service(service: Serving, airflow: Airflow) -> None:
    row = f"{VISITS}7000,c1,3\n".encode()
    Shop(service.root).land_bytes("visits_7000.csv", row)
    told = airflow("dags", "test", "stock", "2024-01-02", seconds=600)
    assert "successful" in told, told[-4000:]
    with service.client() as client:
        listed = client.get("/api/v1/errands").json()["errands"]
    assert [(each["what"], each["state"]) for each in listed] == [
        ("rebuild", "SUCCEEDED"),
        ("refresh", "SUCCEEDED"),
        ("run", "SUCCEEDED"),
    ]
    assert "Triggered via Apache Airflow" in listed[-1]["cause"]


def test_what_cannot_be_done_is_refused_and_what_is_cancelled_ends(
    airflow: Airflow,
) -> None:
    told = airflow("dags", "test", "failing", "2024-01-02", seconds=600)
    assert "successful" in told, told[-4000:]
