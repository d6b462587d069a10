"""Who reads models outside of dbt, as a project's manifest says it."""

from __future__ import annotations

from typing import Any

import pytest

from snowmelt.transform.documentation import read_documentation

ORDERS = {
    "resource_type": "model",
    "unique_id": "model.shop.orders",
    "name": "orders",
    "schema": "gold",
}


def manifest(**exposure: Any) -> dict[str, Any]:
    given = {
        "name": "weekly",
        "label": "Weekly figures",
        "type": "dashboard",
        "owner": {"email": "ada@example.com"},
        "depends_on": {"nodes": ["model.shop.orders", "source.shop.raw"]},
        "original_file_path": "models/exposures.yml",
        "url": "https://bi.example.com/weekly",
    }
    return {
        "nodes": {"model.shop.orders": ORDERS},
        "sources": {},
        "exposures": {"exposure.shop.weekly": given | exposure},
    }


def test_an_exposure_names_its_models_and_whom_to_ask() -> None:
    (found,) = read_documentation(manifest()).exposures
    assert (found.name, found.label, found.models) == (
        *("weekly", "Weekly figures"),
        ("orders",),
    )
    assert (found.owner, found.url) == (
        *("ada@example.com", "https://bi.example.com/weekly"),
    )


def test_one_that_was_written_from_a_dashboard_is_not_there_twice() -> None:
    meta = {"snowmelt": {"file": "dashboards/weekly.yml"}}
    assert not read_documentation(manifest(config={"meta": meta})).exposures


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "//bi.example.com", None),
        *("https://x.example/\"onclick='1'", "http://a b", "ftp://x.example", 7),
    ],
)
def test_an_address_that_is_none_of_the_web_leads_nowhere(url: object) -> None:
    (found,) = read_documentation(manifest(url=url)).exposures
    assert found.url == ""


def test_a_manifest_of_before_there_were_exposures_is_read() -> None:
    older = manifest()
    older.pop("exposures")
    assert not read_documentation(older).exposures
