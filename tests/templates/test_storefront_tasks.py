"""The storefront's graph of tasks: a catalogue that is missing keeps gold as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

from asking import ask

from shop import Shop

CUSTOMERS = b"customer_id,name,country,email\n1,Ann,DE,ann@example.com\n"
PRODUCTS = b"product_id,name,category,price\n7,Pen,Books,2.00\n"
FIGURES = "select country, total_sales, number_of_sales from gold.sales_by_country"


def sales(*customers: int) -> bytes:
    line = (
        '{"sale_id": %d, "customer_id": %d, "product_id": 7, "quantity": 2, '
        '"sale_date": "2024-05-01"}'
    )
    return "\n".join(line % (each * 10, each) for each in customers).encode()


def test_the_gate_stops_before_gold_until_the_catalogue_is_there(
    tmp_path: Path, warm_storefront: Path
) -> None:
    shutil.copytree(warm_storefront, tmp_path / "shop", symlinks=True)
    shop = Shop(tmp_path / "shop")
    with shop.commands() as commands:
        shop.land_bytes("raw/customers/customers_2024-05-01.csv", CUSTOMERS)
        shop.land_bytes("raw/products/products_2024-05-01.csv", PRODUCTS)
        shop.land_bytes("raw/sales/sales_2024-05-01.json", sales(1))
        first = commands.task_run(None, None)
        assert first["graph_run"]["state"] == "SUCCEEDED", first
        told = {each["name"]: each["return_value"] for each in first["task_runs"]}
        assert told["report"] == "1 sales, 4.00"
        published = [["DE", "4.00", 1]]
        assert ask(commands, FIGURES) == published

        shop.land_bytes("raw/sales/sales_2024-05-02.json", sales(2, 3))
        stopped = commands.task_run(None, None)
        states = {each["name"]: each["state"] for each in stopped["task_runs"]}
        assert states["gate"] == "FAILED", stopped
        assert "gold" not in states
        (gate,) = (each for each in stopped["task_runs"] if each["name"] == "gate")
        assert "2" in gate["error_message"], "how many sales lack what is told"
        assert ask(commands, FIGURES) == published, "readers keep the run before"
        assert ask(commands, "select count(*) from silver.sales_clean") == [[1]]

        more = CUSTOMERS + b"2,Bob,FR,bob@example.com\n3,Cid,FR,cid@example.com\n"
        shop.land_bytes("raw/customers/customers_2024-05-02.csv", more)
        again = commands.task_run(None, None)
        assert again["graph_run"]["state"] == "SUCCEEDED", again
        assert ask(commands, FIGURES + " order by country") == [
            ["DE", "4.00", 1],
            ["FR", "8.00", 2],
        ]
