"""The storefront's figures against plain Python over the same files, to the cent."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from asking import ask, land_folder, published, way
from board_figures import compare_boards
from storefront_oracle import figures
from storefront_shop import audited, compare, refused

from shop import Shop, make_shop, require_dashboards
from snowmelt.synth.storefront import make_storefront

RULES = {
    "missing_customer_ids": ("customers", "not_null_customer_id"),
    "missing_emails": ("customers", "not_null_email"),
    "bad_emails": ("customers", "email_format"),
    "missing_product_ids": ("products", "not_null_product_id"),
    "prices_not_above_0": ("products", "price_above_0"),
    "prices_above_10000": ("products", "price_up_to_10000"),
    "unknown_categories": ("products", "category_known"),
    "missing_sale_ids": ("sales", "not_null_sale_id"),
    "sales_without_customer_id": ("sales", "not_null_customer_id"),
}
REPAIRS = {
    "padded_names": ("customers", "name: padded"),
    "odd_case_names": ("customers", "name: case"),
    "lower_case_countries": ("customers", "country"),
    "mixed_case_emails": ("customers", "email"),
    "long_prices": ("products", "price"),
    "odd_case_categories": ("products", "category"),
}


@pytest.fixture
def shop(tmp_path: Path, warm_storefront: Path) -> Iterator[Shop]:
    shutil.copytree(warm_storefront, tmp_path / "shop", symlinks=True)
    yield Shop(tmp_path / "shop")


@pytest.mark.long
def test_what_was_planted_is_refused_repaired_and_told_apart(tmp_path: Path) -> None:
    files = tmp_path / "files"
    made = make_storefront(files, customers=40, seed=7, dirty=0.2).quirks
    shop = make_shop(tmp_path / "shop", "storefront")
    land_folder(shop, files)
    with shop.commands() as commands:
        run = published(commands)
        assert run["tests_warned"] == 1, "orphans are told of"
        expected = figures(files)
        compare(commands, expected)

        found = refused(commands)
        quantities = found.pop(("sales", "quantity_1_to_100"))
        assert found == {rule: made[quirk] for quirk, rule in RULES.items()}
        low, high = ask(
            commands,
            "select count(*) filter (n < 1), count(*) filter (n > 100) from ("
            "select cast(refused_row ->> 'quantity' as decimal(18, 6)) as n "
            "from quarantine.silver__sales_clean where rule = 'quantity_1_to_100')",
        )[0]
        assert (low, high) == (made["quantities_below_1"], made["quantities_above_100"])
        assert low + high == quantities

        assert expected.repaired == {
            repair: made[quirk] for quirk, repair in REPAIRS.items()
        }
        assert Counter(expected.orphans.values()) == {
            "customer": made["orphans_without_customer"],
            "product": made["orphans_without_product"],
        }
        deduplicated = ask(
            commands,
            "select model, deduplicated_rows from snowmelt.reconciliation",
        )
        assert {tuple(each) for each in deduplicated} == {
            (
                f"silver.{table}_clean",
                made[f"resent_{table}"] + made[f"duplicate_{table}"],
            )
            for table in ("customers", "products", "sales")
        }
        assert all(made.values()), made
        compare_boards(commands, "storefront")
        require_dashboards(commands, shop.root)
        audited(commands)


def test_an_orphan_counts_when_what_it_lacks_arrives(
    tmp_path: Path, shop: Shop
) -> None:
    files = tmp_path / "files"
    made = make_storefront(files, customers=30, seed=2).quirks
    assert made["early_sales"]
    with shop.commands() as commands:
        land_folder(shop, files, "sales_*")
        published(commands)
        assert ask(commands, "select count(*) from gold.sales_by_country") == [[0]]
        assert ask(
            commands, "select lacks, count(*) from silver.orphan_sales group by 1"
        ) == [["customer and product", 300]]

        land_folder(shop, files, "*_2024-05-01.csv")
        published(commands)
        assert way(commands) == "replay"
        (waiting,) = ask(commands, "select count(*) from silver.orphan_sales")[0]
        assert 0 < waiting < 300

        land_folder(shop, files, "*_2024-05-0[23].csv")
        published(commands)
        assert way(commands) == "replay"
        assert ask(commands, "select count(*) from silver.orphan_sales") == [[0]]
        compare(commands, figures(files))
        audited(commands)


HAND_WRITTEN = {
    "raw/products/2023/catalogue 2023-11-02.csv": (
        "price,product_id,category,name,colour\n"
        "12.345,p-1,HOME,Tea  pot,red\n"
        "0.004,p-2,Home,Nothing,\n"
        "99.999999999999999999,p-3,toys,Robot,\n"
        ",p-4,Toys,Priceless,\n"
        "10000,p-5,electronics,Server,\n"
    ),
    "raw/customers/de/kunden_2023-11-01.csv": (
        "email,customer_id,name,country\n"
        "ZOË@Example.org,a, zoë  VAN der berg ,nl\n"
        "m@example.org,b,jean-luc o'hara,\n"
        "no-address,c,carl,de\n"
        "k@example.org,7,,de\n"
    ),
    "raw/customers/kunden_2023-11-03.csv": (
        "email,customer_id,name,country\n"
        "m2@example.org,b,Jean-Luc O'Hara,fr\n"
        "later broken,a,Zoë,nl\n"
    ),
    "raw/sales/2023/11/till-3_2023-11-03.json": (
        '[{"sale_date": "2023-11-02T23:30:00-01:00", "sale_id": "x1", "quantity": 3,\n'
        '  "product_id": "p-1", "customer_id": "a", "till": 3},\n'
        ' {"sale_id": "x2", "customer_id": "b", "product_id": "p-5", "quantity": 100,\n'
        '  "sale_date": "2023-11-03"}]'
    ),
    "raw/sales/web_2023-11-03.json": (
        '{"sale_id":{"17":10.0,"4":11.0,"205":12.0},'
        '"customer_id":{"17":7.0,"4":null,"205":7},'
        '"product_id":{"17":"p-3","4":"p-3","205":"p-2"},'
        '"quantity":{"17":2.0,"4":1,"205":1},'
        '"sale_date":{"17":1698969600000,"4":1698969600000,"205":1698969600000}}'
    ),
    "raw/sales/app_2023-11-04.json": (
        '{"sale_id": "x1", "customer_id": "a", "product_id": "p-1", "quantity": 4, '
        '"sale_date": "2023-11-03"}\n'
        '{"sale_id": "x3", "customer_id": "nobody", "product_id": "p-1", '
        '"quantity": 1, "sale_date": "2023-11-04"}\n'
        '{"sale_id": "x4", "customer_id": "b", "product_id": "p-1", "quantity": 1.5, '
        '"sale_date": "2023-11-04"}\n'
        '{"sale_id": "x5", "customer_id": "b", "product_id": "p-1", "quantity": 1, '
        '"sale_date": "11/04/2023"}\n'
    ),
}


def test_files_written_by_hand_give_the_figures_added_up_by_hand(
    tmp_path: Path, shop: Shop
) -> None:
    """Other names, folders, columns in another order: nothing rests on made files."""
    for name, text in HAND_WRITTEN.items():
        shop.land_bytes(name, text.encode())
    with shop.commands() as commands:
        published(commands)
        assert ask(commands, "from gold.sales_by_country order by country") == [
            ["DE", "200.00", 1, 1],
            ["FR", "1000000.00", 1, 1],
            ["NL", "49.40", 1, 1],
        ]
        assert ask(
            commands,
            "select sales_rank, product_name, category, total_sales, quantity_sold "
            "from gold.top_products order by sales_rank",
        ) == [
            [1, "Server", "Electronics", "1000000.00", 100],
            [2, "Robot", "Toys", "200.00", 2],
            [3, "Tea pot", "Home", "49.40", 4],
        ]
        assert ask(
            commands,
            "select customer_id, name, email, number_of_sales, total_spent, "
            "last_sale_date from gold.client_activity order by 1",
        ) == [
            ["7", None, "k@example.org", 1, "200.00", "2023-11-03"],
            ["a", "Zoë Van Der Berg", "zoë@example.org", 1, "49.40", "2023-11-03"],
            ["b", "Jean-Luc O'Hara", "m2@example.org", 1, "1000000.00", "2023-11-03"],
        ]
        assert ask(
            commands,
            "select sale_id, lacks, _file, _file_row from silver.orphan_sales "
            "order by sale_id",
        ) == [
            ["12", "product", "raw/sales/web_2023-11-03.json", 3],
            ["x3", "customer", "raw/sales/app_2023-11-04.json", 2],
        ]
        assert refused(commands) == {
            ("customers", "email_format"): 2,
            ("products", "price_above_0"): 1,
            ("products", "not_null_price"): 1,
            ("sales", "not_null_customer_id"): 1,
            ("sales", "quantity_whole"): 1,
            ("sales", "not_null_sale_date"): 1,
        }
        audited(commands)


def test_yesterdays_state_may_be_todays_again(shop: Shop) -> None:
    """A price that goes up and back: the third day's file has the first day's bytes."""
    header = "product_id,name,category,price\n"
    sale = (
        '{"sale_id":1,"customer_id":1,"product_id":1,"quantity":2,"sale_date":"%s"}\n'
    )
    with shop.commands() as commands:
        shop.land_bytes(
            "raw/customers/c_2024-01-01.csv",
            b"customer_id,name,country,email\n1,A,IT,a@example.org\n",
        )
        shop.land_bytes("raw/sales/s_2024-01-01.json", (sale % "2024-01-01").encode())
        totals = []
        for day, price in ((1, "5"), (2, "6"), (3, "5")):
            text = f"{header}1,Pen,Home,{price}\n"
            shop.land_bytes(f"raw/products/p_2024-01-0{day}.csv", text.encode())
            published(commands)
            totals.append(ask(commands, "select total_sales from gold.top_products"))
        assert totals == [[["10.00"]], [["12.00"]], [["10.00"]]]

        # the second day's file again, under another name of that day: old news
        text = f"{header}1,Pen,Home,6\n"
        shop.land_bytes("raw/products/p_2024-01-02_again.csv", text.encode())
        published(commands)
        assert ask(commands, "select total_sales from gold.top_products") == totals[2]
        assert way(commands) == "replay"


@pytest.mark.long
def test_a_pipe_of_snapshots_forgets_what_the_newest_file_lacks(
    tmp_path: Path, shop: Shop
) -> None:
    """The other reading of a catalogue: two lines of a pipe, and no model."""
    pipe = shop.root / "pipes" / "products.yml"
    text = pipe.read_text()
    assert "\non_same_content: load" in text
    pipe.write_text(text.replace("\non_same_content: load", "\nmode: snapshot"))
    files = tmp_path / "files"
    make_storefront(files, customers=10, seed=1)
    with shop.commands() as commands:
        land_folder(shop, files)
        published(commands)
        compare(commands, figures(files))
        kept = b"product_id,name,category,price\n1,Pen,Home,2.50\n"
        shop.land_bytes("raw/products/products_2024-05-09.csv", kept)
        published(commands)
        assert ask(commands, "select product_id, price from silver.products_clean") == [
            ["1", "2.50"]
        ]
        assert ask(commands, "select product_id from gold.top_products") == [["1"]]
        assert ask(commands, "select distinct lacks from silver.orphan_sales") == [
            ["product"]
        ]
        audited(commands)
