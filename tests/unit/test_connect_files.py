"""Connection files are well-formed whatever tables, columns and texts are called."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.serve.connect.endpoint import Endpoint, ModelColumn, ModelTable
from snowmelt.serve.connect.files import pbids, tds
from snowmelt.serve.connect.tmdl import as_zip, project_files
from snowmelt.serve.connect.writing import all_files, write_files
from snowmelt.serve.publish.address import read_dsn, shown_dsn, without_secrets

HERE = Endpoint("bi", "db.example", 5433, "warehouse", "gold", "reader")
CUSTOMERS = ModelTable(
    "dim_customers",
    "One row per customer.\nMade daily.",
    ("customer_id",),
    (
        ModelColumn("customer_id", "BIGINT", "Its number"),
        ModelColumn("since", "DATE", ""),
    ),
    (),
)
SALES = ModelTable(
    "fact sales",
    "",
    ("order_id", "line"),
    (
        ModelColumn("order_id", "BIGINT", ""),
        ModelColumn("line", "INTEGER", ""),
        ModelColumn("customer_id", "BIGINT", ""),
        ModelColumn("it's", "DECIMAL(18,2)", 'A "figure"'),
        ModelColumn("tags", "VARCHAR[]", ""),
    ),
    (("customer_id", "dim_customers", "customer_id"),),
)
DEFINITION = "snowmelt.SemanticModel/definition"


def test_a_model_says_what_dbt_knows() -> None:
    files = project_files(HERE, [CUSTOMERS, SALES])
    customers = files[f"{DEFINITION}/tables/dim_customers.tmdl"]
    assert customers.startswith(
        "/// One row per customer.\n/// Made daily.\n"
        "table dim_customers\n\tlineageTag: "
    )
    assert re.search(r"\t/// Its number\n\tcolumn customer_id\n\t\tdataType: int64\n"
                     r"\t\tisKey\n", customers)  # fmt: skip
    (name,) = [path for path in files if "fact_sales" in path]
    sales = files[name]
    assert "table 'fact sales'" in sales
    assert "\tcolumn 'it''s'\n\t\tdataType: decimal" in sales
    assert "\t\tsummarizeBy: sum\n\t\tsourceColumn: it's" in sales
    assert "\tcolumn customer_id\n\t\tdataType: int64" in sales
    assert sales.count("summarizeBy: sum") == 1, "keys are not added up"
    assert 'Source{[Schema="gold",Item="fact sales"]}[Data]' in sales
    relationships = files[f"{DEFINITION}/relationships.tmdl"]
    assert "\tfromColumn: 'fact sales'.customer_id\n" in relationships
    assert "\ttoColumn: dim_customers.customer_id\n" in relationships
    assert not [text for text in files.values() if " //" in text.replace("///", "")]
    expressions = files[f"{DEFINITION}/expressions.tmdl"]
    assert 'expression Server = "db.example:5433" meta [' in expressions


TEXT = st.text("aZ_9 '\"<>&\\/é\n\t-.", min_size=1, max_size=8)
KINDS = st.sampled_from(["BIGINT", "DATE", "VARCHAR", "DECIMAL(9,2)", "STRUCT(a INT)"])


@given(name=TEXT, column=TEXT, kind=KINDS, told=TEXT)
def test_whatever_it_is_called_it_stays_one_thing(
    name: str, column: str, kind: str, told: str
) -> None:
    table = ModelTable(name, told, (column,), (ModelColumn(column, kind, told),), ())
    source = ElementTree.fromstring(tds(HERE, table).encode())
    relation = source.find(".//relation")
    assert relation is not None
    flat = " ".join(name.split())
    assert " ".join(relation.attrib["name"].split()) == flat
    files = project_files(HERE, [table])
    assert files == project_files(HERE, [table])
    for path, text in files.items():
        assert ".." not in path.split("/")
        assert not path.startswith("/")
        if path.endswith((".json", ".pbip", ".pbism", ".pbir", ".platform")):
            json.loads(text)
    (made,) = [text for path, text in files.items() if "/tables/" in path]
    starts = [
        line for line in made.splitlines() if re.match(r"\t?(table|column) ", line)
    ]
    assert len(starts) == 2
    with zipfile.ZipFile(io.BytesIO(as_zip(files))) as archive:
        assert sorted(archive.namelist()) == sorted(files)


def test_a_connection_has_no_password_and_one_server() -> None:
    document = json.loads(pbids(HERE))
    assert document["version"] == "0.1"
    (connection,) = document["connections"]
    assert connection["details"]["address"] == {
        "server": "db.example:5433",
        "database": "warehouse",
    }


def test_files_that_somebody_edited_are_left(tmp_path: Path) -> None:
    files = all_files(HERE, [CUSTOMERS])
    assert sorted(write_files(tmp_path, files)["written"]) == sorted(files)
    assert write_files(tmp_path, files)["were"] == list(files)
    edited = tmp_path / "snowmelt.pbids"
    edited.write_text("mine")
    other = all_files(Endpoint("x", "other", 1, "d", "s", "u"), [CUSTOMERS])
    told = write_files(tmp_path, other)
    assert told["edited"] == ["snowmelt.pbids"]
    assert edited.read_text() == "mine"
    assert "tableau/dim_customers.tds" in told["written"]


@pytest.mark.parametrize(
    ("dsn", "shown", "parts"),
    [
        (
            "postgresql://ana:s3cret@db:5433/dw?sslmode=require",
            "postgresql://ana@db:5433/dw",
            {"host": "db", "port": 5433, "database": "dw", "user": "ana"},
        ),
        (
            "postgres://db/dw",
            "postgres://db/dw",
            {"host": "db", "port": 5432, "database": "dw", "user": ""},
        ),
        (
            "host=db password = 's3cret s3cret\\' x' port=5433 dbname=dw user=ana",
            "host=db port=5433 dbname=dw user=ana",
            {"host": "db", "port": 5433, "database": "dw", "user": "ana"},
        ),
    ],
)
def test_an_address_is_shown_without_its_password(
    dsn: str, shown: str, parts: dict[str, object]
) -> None:
    assert shown_dsn(dsn) == shown
    assert read_dsn(shown) == parts
    assert "s3cret" not in str(without_secrets({"to": {"postgres": dsn}}))
