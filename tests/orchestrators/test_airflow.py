"""Airflow's own `dags test` of each example, against a service on loopback."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from environment import Airflow

from serving import Serving, serving
from shop import Answer, Shop
from snowmelt.project.extras import AIRFLOW

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
MADE: dict[str, tuple[str, ...]] = {
    "olist": ("olist", "--orders", "200"),
    "crm-erp": ("crm-erp", "--customers", "60"),
    "storefront": ("storefront", "--customers", "100"),
    "retail": ("retail", "--customers", "100", "--transactions", "500", "--days", "3"),
    "realtime": ("realtime", "--for", "60s", "--at-once"),
}
"""What each template is fed: see `snowmelt synth`."""


def connection(service: Serving) -> str:
    """Return the connection to a service, as an environment variable has it."""
    return json.dumps(
        {"conn_type": "snowmelt", "host": service.url, "password": service.operator}
    )


def said(answer: Answer) -> str:
    assert answer.code == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def warm_template(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A project of a template that was built once."""
    template: str = request.param
    fixtures = {"olist": "built_once"}
    name = fixtures.get(template, f"warm_{template.replace('-', '_')}")
    return template, request.getfixturevalue(name)


@pytest.mark.parametrize("warm_template", sorted(MADE), indirect=True)
def test_the_example_of_a_template_runs(
    warm_template: tuple[str, Path], tmp_path: Path
) -> None:
    template, warm = warm_template
    root = tmp_path / "shop"
    shutil.copytree(warm, root, symlinks=True)
    drop = tmp_path / "drop"
    said(Shop(root)("synth", MADE[template][0], str(drop), *MADE[template][1:]))
    source = AIRFLOW / f"{template.replace('-', '_')}.py"
    names = re.findall(r'dag_id="(\w+)"', source.read_text())
    assert names
    with serving(root) as service:
        airflow = Airflow(
            tmp_path / "airflow", {"snowmelt_default": connection(service)}
        )
        shutil.copy(source, airflow.dags)
        airflow("db", "migrate")
        if template == "realtime":
            shutil.copytree(drop, root / "landing", dirs_exist_ok=True)
        conf = {"drop": str(drop), "landing": str(root / "landing")}
        if template == "olist":
            names *= 2  # a day that is run again lands what is known
        for name in names:
            told = airflow(
                *("dags", "test", name, "2024-01-02", "--conf", json.dumps(conf)),
                seconds=600,
            )
            assert "state=success" in told or "DagRun Finished" in told, told[-3000:]
            assert "failed" not in re.findall(r"final state.*", told.lower()), told
        with service.client() as client:
            listed = client.get("/api/v1/errands").json()["errands"]
        assert listed, "nothing was asked for"
        assert {each["state"] for each in listed} == {"SUCCEEDED"}
        answers = json.dumps([each["answer"] for each in listed])
        assert len(listed) == len({each["key"] for each in listed}), answers
