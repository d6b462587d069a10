"""The retail template's figures against plain Python over the files, to the cent."""

from __future__ import annotations

import gzip
import io
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from asking import ask, land_folder, published, way
from board_figures import compare_boards
from retail_company import SILVER, audited, compare, deduplicated, refused
from retail_oracle import figures

from shop import Shop, require_dashboards
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.retail import Retailer, make_increment, make_retail

pytestmark = pytest.mark.long
TEMPLATE = resources.files("snowmelt.project") / "templates" / "retail"
OF_README = Retailer(200, 40, 2000, seed=7, dirty=0.2)
RULES = {
    "missing_customer_ids": ("customers", "not_null_customer_id"),
    "missing_emails": ("customers", "not_null_email"),
    "bad_emails": ("customers", "email_format"),
    "missing_product_ids": ("products", "not_null_product_id"),
    "missing_transaction_ids": ("transactions", "not_null_transaction_id"),
    "amounts_not_above_0": ("transactions", "amount_above_0"),
    "unreadable_dates": ("transactions", "not_null_transaction_at"),
}
REPAIRS = (
    *("unknown_types", "types_respelled", "other_genders", "ages_out_of_range"),
    *("ages_as_floats", "negative_purchases", "padded_names", "mixed_case_emails"),
    *("negative_prices", "negative_stocks", "stocks_as_text", "ratings_out_of_range"),
    "dates_with_zone",
)


@pytest.fixture
def shop(tmp_path: Path, warm_retail: Path) -> Iterator[Shop]:
    shutil.copytree(warm_retail, tmp_path / "shop", symlinks=True)
    yield Shop(tmp_path / "shop")


def test_what_was_planted_is_refused_repaired_and_told_apart(
    tmp_path: Path, shop: Shop
) -> None:
    files = tmp_path / "files"
    made = make_retail(files, OF_README, parts=2).quirks
    assert all(made.values()), made
    land_folder(shop, files)
    with shop.commands() as commands:
        run = published(commands)
        assert run["way"] == "replay"
        assert run["tests_warned"] == 2, "who is not known is told of"
        expected = figures(files)
        compare(commands, expected)

        assert refused(commands) == {rule: made[quirk] for quirk, rule in RULES.items()}
        assert deduplicated(commands) == {
            table: made[f"duplicate_{table}"] for table in SILVER
        }
        repaired = {each: expected.repaired[each] for each in REPAIRS}
        assert repaired == {each: made[each] for each in REPAIRS}
        _compare_repairs(commands, made)
        _compare_not_known(commands, made)
        _compare_readme(commands)
        compare_boards(commands, "retail")
        require_dashboards(commands, shop.root)
        audited(commands)


def _compare_repairs(commands: OwnCommands, made: dict[str, int]) -> None:
    """Assert that silver differs from bronze as often as something was planted."""
    origin = "using (_load_seq, _file, _file_row)"
    changed = {
        "customers": {
            "unknown_types": "silver.customer_type = 'Unknown'",
            "types_respelled": "silver.customer_type not in ('Unknown', "
            "silver.customer_type_given)",
            "other_genders": "silver.gender = 'Other'",
            "ages_out_of_range": "silver.age is null",
            "negative_purchases": "bronze.total_purchases <> silver.total_purchases",
            "padded_names": "bronze.name <> silver.name",
            "mixed_case_emails": "bronze.email <> silver.email",
        },
        "products": {
            "negative_prices": "bronze.price <> silver.price",
            "negative_stocks": "bronze.stock_quantity <> "
            "silver.stock_quantity::varchar",
            "ratings_out_of_range": "bronze.rating <> silver.rating",
        },
    }
    for table, quirks in changed.items():
        counts = ", ".join(f"count(*) filter ({each})" for each in quirks.values())
        sql = f"select {counts} from silver.{table} as silver"
        (found,) = ask(commands, f"{sql} join bronze.{table} as bronze {origin}")
        assert dict(zip(quirks, found, strict=True)) == {
            quirk: made[quirk] for quirk in quirks
        }


def _compare_not_known(commands: OwnCommands, made: dict[str, int]) -> None:
    sql = (
        "select count(*) filter (customer_id = ''), count(*) filter (customer_id <> '' "
        "and not customers.is_known), count(*) filter (not products.is_known) "
        "from gold.fct_transactions "
        "join gold.dim_customers as customers using (customer_id) "
        "join gold.dim_products as products using (product_id)"
    )
    assert ask(commands, sql) == [
        [
            made["transactions_without_customer"],
            made["transactions_of_unknown_customers"],
            made["transactions_of_unknown_products"],
        ]
    ]


def _compare_readme(commands: OwnCommands) -> None:
    """Assert that what the page shows is what its commands give."""
    page = (TEMPLATE / "README.md").read_text()
    given = re.search(r"synth retail files (.+)", page)
    assert given is not None
    assert given[1] == (
        "--customers 200 --products 40 --transactions 2000 --parts 2 "
        "--seed 7 --dirty 0.2"
    )
    shown = re.findall(r'\$ snowmelt sql "([^"]+)"\n((?:[^`$].*\n)+)', page)
    assert len(shown) == 2
    for sql, text in shown:
        rows = ask(commands, sql)
        assert [line.split() for line in text.splitlines()[1:]] == [
            [str(value) for value in row] for row in rows
        ], sql


def test_increments_bring_customers_after_what_they_bought(
    tmp_path: Path, shop: Shop
) -> None:
    retailer = Retailer(120, 30, 900, seed=2)
    base, hours = tmp_path / "base", [tmp_path / f"hour{n}" for n in (1, 2)]
    everything = tmp_path / "everything"
    make_retail(base, retailer)
    for number, hour in enumerate(hours, 1):
        made = make_increment(hour, retailer, increment=number).quirks
        assert made["early_transactions"] == 1
        assert made["changed_customers"] >= 1
    with shop.commands() as commands:
        for folder, waiting in ((base, 0), (hours[0], 1), (hours[1], 1)):
            shutil.copytree(folder, everything, dirs_exist_ok=True)
            land_folder(shop, folder)
            published(commands)
            assert way(commands) == "replay"
            expected = figures(everything)
            assert len(expected.not_known("customers")) == waiting
            compare(commands, expected)


def parquet(**columns: Any) -> bytes:
    """Return a Parquet file of columns in their order."""
    target = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), target, compression="gzip")
    return target.getvalue()


def test_files_written_by_hand_give_the_figures_added_up_by_hand(shop: Shop) -> None:
    """Other names, folders, types, columns: nothing rests on made files."""
    crm = (
        "total_purchases,gender,age,email,customer_id,name,country,customer_type,"
        "registration_date,loyalty\n"
        "12.345, female ,34.0,ZOË@Example.org,12,Zoë  Berg,NL,prem,2020-02-03,gold\n"
        ",x,,m@example.org,b-1,Max,,,2020-13-03,\n"
        "-3,M,17,k@example.org,c,Kim,de, Reg ,2021-01-01T10:00:00,\n"
        "1,F,40,no-address,d,Dee,de,R,2021-01-01,\n"
    )
    shop.land_bytes(
        "raw/customers/de/kunden 2023-11-02.csv.gz", gzip.compress(crm.encode())
    )
    shop.land_bytes(
        "raw/products/2023/stock_2023-11-02.json",
        b'[{"rating":"4.5","product_id":7,"name":" Tea  pot","category":"Home",'
        b'"price":"12.345","brand":"A","stock_quantity":"1200","is_active":"Y","size":1},'
        b'\n{"product_id":"p-2","name":"Robot","category":null,"price":-1,"brand":null,'
        b'"stock_quantity":-4,"rating":5.01,"is_active":0},'
        b'{"product_id":" ","name":"Nothing","price":1},{"product_id":"p-3"}]',
    )
    shop.land_bytes(
        "raw/transactions/till/2023-11-03.parquet",
        parquet(
            store_type=["Store", "store", None, "store", "store", "store", "store"],
            transaction_date=[
                *("2023-11-02T23:30-01:00", "2023-11-03 10:00:00.25", "2023-11-03"),
                *("3 Nov", "1023-11-03", "2023-11-03 11:00:00", "2023-11-03"),
            ],
            total_amount=[24.69, 10.005, 5.0, 1.0, 1.0, 0.004, 1.0],
            quantity=[2, 3, None, 1, 1, 1, 2**63 - 1],
            product_id=["7.0", " p-2", "p-9 ", "7", "7", "7", "7"],
            customer_id=[12.0, 12.0, None, 12.0, 12.0, 12.0, 12.0],
            transaction_id=["a", "b", "c", "d", "e", "f", "g"],
            payment_method=["Card ", None, "cash", "cash", "cash", "cash", "cash"],
        ),
    )
    shop.land_bytes(
        "raw/transactions/web 20231104.parquet",
        parquet(
            transaction_id=[1, 2],
            customer_id=["c", "nobody"],
            product_id=[7, 7],
            quantity=[1, 1],
            total_amount=[Decimal("12.35"), Decimal("12.35")],
            transaction_date=[
                datetime(2023, 11, 4, hour, tzinfo=UTC) for hour in (1, 2)
            ],
            payment_method=["card", "card"],
            store_type=["online", "online"],
        ),
    )
    with shop.commands() as commands:
        published(commands)
        assert ask(
            commands,
            "select sale_date, product_id, customer_id, product_name, category, "
            "customer_name, customer_type, quantity, sales, transactions, "
            "average_price_per_unit, average_transaction_value "
            "from gold.daily_sales_analysis order by 1, 2, 3",
        ) == [
            [
                *("2023-11-03", "7", "12", "Tea pot", "Home", "Zoë Berg", "Premium"),
                *(2, "24.69", 1, "12.35", "24.69"),
            ],
            [
                *("2023-11-03", "p-2", "12", "Robot", "Unknown", "Zoë Berg", "Premium"),
                *(3, "10.01", 1, "3.34", "10.01"),
            ],
            [
                *("2023-11-03", "p-9", "", None, "Unknown", None, "Unknown"),
                *(0, "5.00", 1, None, "5.00"),
            ],
            [
                *("2023-11-04", "7", "c", "Tea pot", "Home", "Kim", "Regular"),
                *(1, "12.35", 1, "12.35", "12.35"),
            ],
            [
                *("2023-11-04", "7", "nobody", "Tea pot", "Home", None, "Unknown"),
                *(1, "12.35", 1, "12.35", "12.35"),
            ],
        ]
        assert ask(
            commands,
            "select customer_id, gender, age, age_group, registration_date, "
            "total_purchases, is_known from gold.dim_customers order by 1",
        ) == [
            ["", "Other", None, "unknown", None, None, False],
            ["12", "Female", 34, "25-34", "2020-02-03", "12.35", True],
            ["b-1", "Other", None, "unknown", None, None, True],
            ["c", "Male", None, "unknown", "2021-01-01", "0.00", True],
            ["nobody", "Other", None, "unknown", None, None, False],
        ]
        assert ask(
            commands,
            "select product_id, price, stock_quantity, rating::double, is_active "
            "from silver.products order by 1",
        ) == [
            ["7", "12.35", 1200, 4.5, True],
            ["p-2", "0.00", 0, 0.0, False],
            ["p-3", None, None, None, None],
        ]
        assert ask(
            commands,
            "select payment_method, store_type, transaction_at "
            "from gold.fct_transactions order by transaction_at",
        )[:2] == [
            ["cash", "unknown", "2023-11-03T00:00:00"],
            ["card", "store", "2023-11-03T00:30:00"],
        ]
        assert refused(commands) == {
            ("customers", "email_format"): 1,
            ("products", "not_null_product_id"): 1,
            ("transactions", "not_null_transaction_at"): 1,
            ("transactions", "date_plausible"): 1,
            ("transactions", "amount_above_0"): 1,
            ("transactions", "quantity_plausible"): 1,
        }


def test_a_premium_customer_touches_no_day_and_shows_in_all(shop: Shop) -> None:
    """The past follows a customer's type, and a price or stock moves no sale."""
    crm = "customer_id,name,email,country,customer_type,registration_date,age,gender,"
    crm += "total_purchases\nc,Kim,k@example.org,DE,{},2020-01-01,30,F,0\n"
    sold = parquet(
        transaction_id=["1", "2"],
        customer_id=["c", "c"],
        product_id=["p", "p"],
        quantity=[1, 2],
        total_amount=[5.0, 8.0],
        transaction_date=["2023-01-01", "2023-06-01"],
        payment_method=["card", "card"],
        store_type=["online", "online"],
    )
    types = "select distinct customer_type from gold.daily_sales_analysis"
    positions = (
        "select position from snowmelt.change_logs where relation = 'gold.daily_sales'"
    )
    with shop.commands() as commands:
        shop.land_bytes("raw/transactions/2023-07-01.parquet", sold)
        published(commands)
        assert ask(commands, types) == [["Unknown"]]
        before = ask(commands, positions)
        for day, given, meant in ((1, "R", "Regular"), (2, "PREM", "Premium")):
            shop.land_bytes(
                f"raw/customers/2024-01-0{day}.csv", crm.format(given).encode()
            )
            published(commands)
            assert ask(commands, types) == [[meant]]
        assert ask(commands, positions) == before
        assert way(commands) == "replay"


def test_who_is_named_no_more_is_in_no_dimension(shop: Shop) -> None:
    """A correction takes the last transaction of one, and one of two of another."""
    named = "select customer_id, is_known from gold.dim_customers order by 1"
    products = "select product_id from gold.dim_products order by 1"
    crm = "customer_id,name,email,country,customer_type,registration_date,age,gender,"
    crm += "total_purchases\n{},Kim,k@example.org,DE,R,2020-01-01,30,F,0\n"
    with shop.commands() as commands:
        for customers, known in (("abbc", "d"), ("cb", "b"), ("cb", "d"), ("abd", "c")):
            count = len(customers)
            sold = parquet(
                transaction_id=[str(at) for at in range(count)],
                customer_id=list(customers),
                product_id=[f"of {customer}" for customer in customers],
                quantity=[1] * count,
                total_amount=[5.0] * count,
                transaction_date=["2023-01-01"] * count,
                payment_method=["card"] * count,
                store_type=["online"] * count,
            )
            shop.land_bytes("raw/transactions/2023-07-01.parquet", sold)
            shop.land_bytes("raw/customers/2023-07-01.csv", crm.format(known).encode())
            published(commands)
            assert way(commands) == "replay"
            assert ask(commands, named) == [
                [each, each == known] for each in sorted({*customers, known})
            ]
            assert ask(commands, products) == [
                [f"of {each}"] for each in sorted(set(customers))
            ]
