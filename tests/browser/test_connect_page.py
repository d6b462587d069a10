"""Connect: the files and words that lead other tools to gold."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from looking import looking, require_accessible
from playwright.sync_api import Browser, expect
from seen_project import Served

from postgres_server import database, postgres

__all__ = ["database", "postgres"]


@pytest.fixture
def place(served: Served, database: str) -> str:
    """Gold of the project, published into a database; the place's name."""
    with served.socket() as service:
        document = service.publish(None, {"postgres": database})
    assert {each["way"] for each in document["place"]["tables"]} <= {
        "whole",
        "unchanged",
    }
    return str(document["place"]["name"])


def test_files_name_the_database_and_no_password(
    owner: httpx.Client,
    served: Served,
    place: str,
    database: str,
) -> None:
    password = database.split(":")[2].split("@")[0]
    pages = [
        owner.get("/connect").text,
        owner.get("/connect", params={"place": place}).text,
    ]
    pbids = owner.get(f"/connect/{place}/snowmelt.pbids")
    details = json.loads(pbids.text)["connections"][0]["details"]
    name = database.rpartition("/")[2]
    assert details["protocol"] == "postgresql"
    assert details["address"]["database"] == name
    tds = owner.get(f"/connect/{place}/by_region.tds")
    source = ElementTree.fromstring(tds.text.encode())
    assert source.find(".//relation").attrib["table"] == "[gold].[by_region]"  # type: ignore[union-attr]
    project = owner.get(f"/connect/{place}/snowmelt-pbip.zip")
    with zipfile.ZipFile(io.BytesIO(project.content)) as archive:
        files = {path: archive.read(path).decode() for path in archive.namelist()}
    table = files["snowmelt.SemanticModel/definition/tables/by_region.tmdl"]
    assert re.search(r"^\tcolumn amount\n\t\tdataType: decimal$", table, re.M)
    assert "PostgreSQL.Database(Server, Database)" in table
    again = owner.get(f"/connect/{place}/snowmelt-pbip.zip").content
    assert again == project.content, "the same tables, the same bytes"
    log = "select arguments from snowmelt.action_log where action = 'publish'"
    with served.socket() as service:
        told = str(service.query(log, None)["rows"]) + str(service.publications())
    told += owner.get("/api/v1/connections").text
    kept = served.root / ".snowmelt" / "published" / place / "record.json"
    for text in (*pages, pbids.text, tds.text, *files.values(), told, kept.read_text()):
        assert password not in text


@pytest.mark.parametrize(
    "path",
    ["/connect/none/snowmelt.pbids", "/connect/../x", "/connect/none/..%2f..%2fx.tds"],
)
def test_no_address_leads_to_other_files(owner: httpx.Client, path: str) -> None:
    assert owner.get(path).status_code == 404


def test_a_person_finds_their_tool_and_takes_its_file(
    browser: Browser,
    served: Served,
    place: str,
) -> None:
    with looking(browser, served) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("link", name="Connect").click()
        expect(page.locator("#places")).to_contain_text("current")
        require_accessible(page)
        with page.expect_download() as download:
            page.get_by_role("link", name=".pbids").click()
        assert "postgresql" in Path(download.value.path()).read_text()
        page.get_by_role("button", name="Copy psql").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("psql postgresql://")
        page.get_by_role("link", name="gold.by_day", exact=True).click()
        expect(page.locator("#result")).to_be_visible()
    with looking(browser, served, "dark", 400) as page:
        page.goto("/connect")
        over = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(over) <= 0
        require_accessible(page)
