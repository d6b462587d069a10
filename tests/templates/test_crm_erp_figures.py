"""The crm-erp template against plain Python over the same files, to the cent."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from asking import ask, land_folder, published, way
from board_figures import compare_boards
from crm_erp_company import audited, compare, refused
from crm_erp_oracle import figures

from shop import Shop, make_shop, require_dashboards
from snowmelt.synth.crm_erp import make_crm_erp

pytestmark = pytest.mark.long
RULES = {
    "empty_customer_ids": ("crm_customers", "not_null_customer_id"),
    "missing_product_ids": ("crm_products", "not_null_product_id"),
    "short_product_keys": ("crm_products", "not_null_product_number"),
    "missing_order_numbers": ("crm_sales", "not_null_order_number"),
    "sales_without_product": ("crm_sales", "not_null_product_number"),
    "sales_without_customer": ("crm_sales", "not_null_customer_id"),
    "missing_quantities": ("crm_sales", "not_null_quantity"),
    "quantities_below_1": ("crm_sales", "quantity_1_to_1000000"),
    "sales_without_amount": ("crm_sales", "amount_or_price"),
}
DEDUPLICATED = {
    "crm_customers": ("older_customer_versions", "duplicate_customers"),
    "crm_products": ("duplicate_products",),
    "crm_sales": ("duplicate_sales",),
    "erp_customers": ("erp_customer_twins",),
    "erp_locations": ("location_twins",),
    "erp_categories": ("duplicate_categories",),
}
IN_GOLD = {
    "earlier_product_versions": (
        "select count(*) from gold.dim_products_history where not is_current"
    ),
    "products_without_category": (
        "select count(*) from gold.dim_products where category = 'n/a'"
    ),
    "categories_without_product": (
        "select count(*) from silver.erp_categories where category_id not in "
        "(select category_id from silver.crm_products)"
    ),
    "sales_of_unknown_customers": (
        "select count(*) from gold.fact_sales where customer_key not in "
        "(select customer_key from gold.dim_customers)"
    ),
    "sales_of_unknown_products": (
        "select count(*) from gold.fact_sales where product_version_key is null"
    ),
    "texts_in_prices": "select count(*) from snowmelt.rejects",
}


@pytest.fixture
def shop(tmp_path: Path, warm_crm_erp: Path) -> Iterator[Shop]:
    shutil.copytree(warm_crm_erp, tmp_path / "shop", symlinks=True)
    yield Shop(tmp_path / "shop")


def test_what_was_planted_is_refused_repaired_and_told_apart(
    tmp_path: Path, shop: Shop
) -> None:
    """The README's set: every quirk of it is counted where it belongs."""
    files = tmp_path / "files"
    made = make_crm_erp(files, customers=100, seed=1, dirty=0.2).quirks
    assert all(made.values()), made
    land_folder(shop, files)
    with shop.commands() as commands:
        run = published(commands)
        assert way(commands) == "replay"
        assert run["tests_warned"] == 3, "orphans, and products without a category"
        expected = figures(shop.root / "landing")
        compare(commands, expected)

        left = Counter(made)
        assert refused(commands) == {
            rule: left.pop(quirk) for quirk, rule in RULES.items()
        }
        deduplicated = "select model, deduplicated_rows from snowmelt.reconciliation"
        assert dict(ask(commands, deduplicated)) == {
            f"silver.{table}": sum(left.pop(quirk) for quirk in quirks)
            for table, quirks in DEDUPLICATED.items()
        }
        for quirk, sql in IN_GOLD.items():
            assert ask(commands, sql) == [[left.pop(quirk)]], quirk
        assert left.pop("crlf_files") == 3
        assert expected.repaired == left

        says_its_readme(shop, lambda sql: ask(commands, sql))
        compare_boards(commands, "crm-erp")
        require_dashboards(commands, shop.root)


def test_dbt_says_the_same(tmp_path: Path) -> None:
    """The same set by dbt alone, in a project that was never built before."""
    shop = make_shop(tmp_path / "shop", "crm-erp")
    files = tmp_path / "files"
    make_crm_erp(files, customers=100, seed=1, dirty=0.2, parts=2)
    land_folder(shop, files)
    with shop.commands() as commands:
        published(commands)
        assert way(commands) == "dbt"
        compare(commands, figures(shop.root / "landing"))
        audited(commands)


def says_its_readme(shop: Shop, query: Callable[[str], list[list[object]]]) -> None:
    """Compare the answers that the README shows with what the project answers."""
    readme = (shop.root / "README.md").read_text()
    shown = re.findall(r'^\$ snowmelt sql "(.+)"\n((?:[^$`].*\n)+)', readme, re.M)
    assert len(shown) == 3
    for sql, answer in shown:
        rows = [re.split(r" {2,}", line.strip()) for line in answer.splitlines()]
        found = [[str(value) for value in row] for row in query(sql)]
        assert rows[1:] == found, sql


HAND_WRITTEN = {
    # other names, folders, cases, orders of columns, columns that nobody asked for
    "crm/2023/CUST_INFO_2023-11-01.csv": (
        "cst_create_date,cst_id,cst_key,cst_gndr,cst_marital_status,cst_lastname,"
        "cst_firstname,source\r\n"
        "2023-05-02,1.0,AW1,,m,Van  Dijk , Zoë ,web\r\n"
        "2023-05-01,1,AW1,F,S,Old,Zoë,web\r\n"
        ",2, aw2 ,f,,Rossi,,\r\n"
        "2023-05-02,,SF566,,,,,\r\n"
    ),
    "cust_info_20231105.csv": (
        "cst_id,cst_key,cst_firstname,cst_lastname,cst_marital_status,cst_gndr,"
        "cst_create_date\n"
        "1,AW1,Too old,To count,S,F,2023-04-30\n"
    ),
    "source_crm/prd_info.csv": (
        "prd_id,prd_key,prd_nm,prd_cost,prd_line,prd_start_dt,prd_end_dt\r\n"
        "10,CO-RF-FR-1,Frame,10.005,R ,2012-07-01,2011-12-27\r\n"
        "11,CO-RF-FR-1,Frame 2,,M,2013-07-01,\r\n"
        "12,CO-RF-FR-1,Frame,9,R,2011-07-01,2007-12-28\r\n"
        "13,AC-HE-HL-9,Helmet,-1,X-Line,,\r\n"
        # the frame under another category: a second current version of its number
        "14,ZZ-HE-FR-1,Frame 3,20,S,2014-01-01,\r\n"
        "15,AC-HE-HL-9,Helmet 2,,X-Line,2015-01-01,\r\n"
    ),
    "source_crm/sales_details.csv": (
        "sls_ord_num,sls_prd_key,sls_cust_id,sls_order_dt,sls_ship_dt,sls_due_dt,"
        "sls_sales,sls_quantity,sls_price\r\n"
        "SO1,FR-1,1,20120630,20120701,20120702,30,3,10\r\n"
        "SO2,FR-1,1,20130630,0,5489,,2,-7.5\r\n"
        "SO3,FR-1,1,20130701,,,10,3,\r\n"
        "SO4,FR-1,2,20101231.0,,,-5,2,0.005\r\n"
        "SO4,HL-9,2,0,,,50,2,-20\r\n"
        "SO5,HL-9,9,20140131,,,9,4,0\r\n"
        "SO6,GONE,2,2014-02-01,,,1,1,1\r\n"
        "SO7,HL-9,2,20140131,,,0,1,0\r\n"
        "SO8,HL-9,2,20140131,,,5,2.5,2\r\n"
        "SO9,HL-9,2,20140131,,,-5,1,\r\n"
    ),
    # 12 calendar months are less than a year of days; 11 may be nearly one
    "sales_details_web.csv": (
        "sls_price,sls_quantity,sls_sales,sls_ord_num,sls_prd_key,sls_cust_id,"
        "sls_order_dt,sls_ship_dt,sls_due_dt\n"
        "2500,1,2500,W1,SEG,regular,20120131,,\n"
        "2500,1,2500,W2,SEG,regular,20130101,,\n"
        "2500,1,2500,W3,SEG,vip,20120131,,\n"
        "2500.01,1,2500.01,W4,SEG,vip,20130101,,\n"
        "9000,1,9000,W5,SEG,new,20120101,,\n"
        "9000,1,9000,W6,SEG,new,20121231,,\n"
    ),
    "erp/cust_az12-2023-11-02.csv": (
        "GEN,CID,BDATE\r\n"
        " male,NASAW1,2023-11-03\r\n"
        "Male,AW2,1971-10-06\r\n"
        "F,NASAW-3,20000101\r\n"
    ),
    "LOC_A101 (2).csv": "CNTRY,CID\n   ,AW-1\n usa,A-W-2\nFrance,AW1\n",
    "source_erp/PX_CAT_G1V2.csv": (
        "ID,CAT,SUBCAT,MAINTENANCE\r\nCO_RF,Components, Road Frames ,Yes\r\n"
    ),
}


def test_files_written_by_hand_give_the_figures_added_up_by_hand(shop: Shop) -> None:
    """Other names, folders, columns in another order: nothing rests on made files."""
    for name, text in HAND_WRITTEN.items():
        shop.land_bytes(name, text.encode())
    with shop.commands() as commands:
        published(commands)
        assert ask(
            commands,
            "select customer_id, first_name, last_name, country, marital_status, "
            "gender, birth_date, create_date from gold.dim_customers order by 1",
        ) == [
            ["1", "Zoë", "Van Dijk", "France", "Married", "Male", None, "2023-05-02"],
            ["2", None, "Rossi", "United States", "n/a", "Female", "1971-10-06", None],
        ]
        assert ask(
            commands,
            "select product_id, product_number, category, cost, product_line, "
            "start_date, end_date from gold.dim_products_history order by 1",
        ) == [
            ["10", "FR-1", "Components", "10.01", "Road", "2012-07-01", "2013-06-30"],
            ["11", "FR-1", "Components", None, "Mountain", "2013-07-01", None],
            ["12", "FR-1", "Components", "9.00", "Road", "2011-07-01", "2012-06-30"],
            ["13", "HL-9", "n/a", None, "X-Line", None, "2014-12-31"],
            ["14", "FR-1", "n/a", "20.00", "Other Sales", "2014-01-01", None],
            ["15", "HL-9", "n/a", None, "X-Line", "2015-01-01", None],
        ]
        assert ask(
            commands,
            "select product_number, product_id from gold.dim_products order by 1",
        ) == [["FR-1", "14"], ["HL-9", "15"]]
        assert ask(
            commands,
            "select order_number, facts.product_number, product_id, order_date, "
            "sales_amount, quantity, price from gold.fact_sales as facts "
            "left join gold.dim_products_history using (product_version_key) "
            "where facts.product_number <> 'SEG' order by 1, 2",
        ) == [
            ["SO1", "FR-1", "12", "2012-06-30", "30.00", 3, "10.00"],
            # no amount was sent: the price's size tells both
            ["SO2", "FR-1", "10", "2013-06-30", "15.00", 2, "7.50"],
            ["SO3", "FR-1", "11", "2013-07-01", "10.00", 3, "3.33"],
            # before the first version: the first
            ["SO4", "FR-1", "12", "2010-12-31", "0.01", 2, "0.01"],
            # amount and price that contradict each other: each by its own rule
            ["SO4", "HL-9", "15", None, "40.00", 2, "25.00"],
            ["SO5", "HL-9", "13", "2014-01-31", "9.00", 4, "2.25"],
            ["SO6", "GONE", None, "2014-02-01", "1.00", 1, "1.00"],
        ]
        assert refused(commands) == {
            ("crm_customers", "not_null_customer_id"): 1,
            ("crm_sales", "amount_or_price"): 2,
            ("crm_sales", "quantity_whole"): 1,
        }
        assert ask(
            commands,
            "select product_number, revenue, revenue_without_cost, cost, profit, "
            "margin_percent from gold.profit_analysis "
            "where product_number <> 'SEG' order by 1",
        ) == [
            # 3 x 9.00 and 2 x 10.01, 2 x 9.00
            ["FR-1", "55.01", "10.00", "65.02", "-20.01", "-44.46"],
            ["GONE", "1.00", "1.00", None, None, None],
            ["HL-9", "49.00", "49.00", None, None, None],
        ]
        assert ask(
            commands,
            "select customer_id, segment, lifetime_value, months_between, "
            "monthly_value from gold.customer_lifetime_value "
            "where customer_id in ('regular', 'vip', 'new') order by 2",
        ) == [
            ["new", "New", "18000.00", 11, "1500.00"],
            ["regular", "Regular", "5000.00", 12, "384.62"],
            ["vip", "VIP", "5000.01", 12, "384.62"],
        ]
        compare(commands, figures(shop.root / "landing"))


def test_what_arrives_late_is_as_if_it_had_been_there(
    tmp_path: Path, shop: Shop
) -> None:
    """Sales first, then products without categories, then what is left."""
    files = tmp_path / "files"
    make_crm_erp(files, customers=20, seed=3)
    with shop.commands() as commands:
        land_folder(shop, files, "sales_details.csv")
        published(commands)
        keys = "select order_number, product_key, customer_key from gold.fact_sales"
        before = sorted(ask(commands, keys))
        counts = "select count(product_version_key), count(*) from gold.fact_sales"
        (found,) = ask(commands, counts)
        assert found == [0, len(before)]
        segments = ask(commands, "from gold.customer_segments order by 1")

        prd_info = (files / "source_crm" / "prd_info.csv").read_text().splitlines()
        shop.land_bytes("prd_info_1.csv", "\n".join([*prd_info[::2], ""]).encode())
        published(commands)
        compare(commands, figures(shop.root / "landing"))

        others = [prd_info[0], *prd_info[1::2], ""]
        shop.land_bytes("prd_info_2.csv", "\n".join(others).encode())
        land_folder(shop, files / "source_erp")
        land_folder(shop, files, "cust_info.csv")
        published(commands)
        assert way(commands) == "replay"
        compare(commands, figures(shop.root / "landing"))
        assert sorted(ask(commands, keys)) == before, "keys never change"
        assert ask(commands, "from gold.customer_segments order by 1") == segments


def test_each_column_alone_moves_what_is_made_of_it(tmp_path: Path, shop: Shop) -> None:
    """Corrections under their own name, each in one value: no stream forgets one."""
    files = tmp_path / "files"
    make_crm_erp(files, customers=60, seed=2)
    first, then = one_change_each(files)
    for name, changes in first.items():
        path = files / name
        path.write_text(changed(path.read_text(), changes))
    with shop.commands() as commands:
        land_folder(shop, files)
        published(commands)
        before = figures(shop.root / "landing")
        compare(commands, before)
        for name, changes in then.items():
            text = (files / name).read_text()
            shop.land_bytes(name, changed(text, changes).encode())
        published(commands)
        assert way(commands) == "replay"
        after = figures(shop.root / "landing")
        compare(commands, after)
        assert not [t for t, rows in before.gold.items() if rows == after.gold[t]]


Changes = dict[str, dict[int, dict[str, str]]]


def one_change_each(files: Path) -> tuple[Changes, Changes]:
    """Return what to prepare, and one change for each column that gold reads.

    No customer, product or sale is touched by two of them: it would be made again for
    the one, and hide that the other was forgotten.
    """
    cust_info, prd_info, sales_details, cust_az12, loc_a101, px_cat_g1v2 = (
        *(f"source_crm/{stem}.csv" for stem in ("cust_info", "prd_info")),
        *("source_crm/sales_details.csv", "source_erp/CUST_AZ12.csv"),
        *("source_erp/LOC_A101.csv", "source_erp/PX_CAT_G1V2.csv"),
    )
    customers, products, sales, categories = (
        list(csv.DictReader(io.StringIO((files / name).read_text())))
        for name in (cust_info, prd_info, sales_details, px_cat_g1v2)
    )
    sold = Counter(row["sls_prd_key"] for row in sales)
    used = Counter(row["prd_key"][:5].replace("-", "_") for row in products)
    codes = Counter(row["prd_key"] for row in products)
    of_category = [n for n, row in enumerate(categories, 1) if used[row["ID"]]][:4]
    changed_ids = {categories[n - 1]["ID"].replace("_", "-") for n in of_category}
    of_product = [
        n
        for n, row in enumerate(products, 1)
        if codes[row["prd_key"]] == 1
        and row["prd_key"][:5] not in changed_ids
        and sold[row["prd_key"][6:]]
    ][:7]
    numbers = {products[n - 1]["prd_key"][6:] for n in of_product}
    of_sale = [n for n, row in enumerate(sales, 1) if row["sls_prd_key"] not in numbers]
    of_sale = of_sale[5:95:10]
    (cat, subcat, maintenance, id_of), (one, two, three, four, five, six, seven) = (
        of_category,
        of_product,
    )
    moved = "SE-RE" + products[seven - 1]["prd_key"][5:]  # to another category, alone
    amount, pieces, unit, buyer, ordered, shipped, due, order, piece = of_sale
    other_gender = {"F": "M", "M": "F"}[customers[13]["cst_gndr"]]
    first = {
        cust_info: {16: {"cst_gndr": ""}},
        sales_details: {
            amount: {"sls_quantity": "3", "sls_price": "3.333", "sls_sales": ""},
            pieces: {"sls_quantity": "150", "sls_price": "", "sls_sales": "1"},
            unit: {"sls_quantity": "2", "sls_price": "-5", "sls_sales": "10"},
        },
    }
    then = {
        cust_info: {
            10: {"cst_key": customers[39]["cst_key"]},
            11: {"cst_firstname": "Nele"},
            12: {"cst_lastname": "Nagel"},
            13: {"cst_marital_status": "?"},
            14: {"cst_gndr": other_gender},
            15: {"cst_create_date": "2025-12-31"},
        },
        prd_info: {
            one: {"prd_id": "9007"},
            two: {"prd_key": "GA-FU-NEW-1"},
            three: {"prd_nm": "Other"},
            four: {"prd_cost": "1.5"},
            five: {"prd_line": "T?"},
            six: {"prd_start_dt": "2012-02-29"},
            seven: {"prd_key": moved},
        },
        sales_details: {
            amount: {"sls_price": "3.331"},
            pieces: {"sls_quantity": "160"},
            unit: {"sls_sales": "12"},
            buyer: {"sls_cust_id": "11007"},
            ordered: {"sls_order_dt": "20130101"},
            shipped: {"sls_ship_dt": "20130102"},
            due: {"sls_due_dt": "20130103"},
            order: {"sls_ord_num": "SO-NEW"},
            piece: {"sls_prd_key": "NEW-1"},
        },
        cust_az12: {16: {"GEN": "?"}, 17: {"BDATE": ""}},
        loc_a101: {18: {"CNTRY": "France!"}, 19: {"CID": "AW00019999"}},
        px_cat_g1v2: {
            cat: {"CAT": "Tool"},
            subcat: {"SUBCAT": "Saw"},
            maintenance: {"MAINTENANCE": "?"},
            id_of: {"ID": "TO_XX"},
        },
    }
    return first, then


def changed(text: str, changes: dict[int, dict[str, str]]) -> str:
    """Return a file's text with some values of some records, from 1, exchanged."""
    rows = list(csv.DictReader(io.StringIO(text)))
    for place, values in changes.items():
        assert rows[place - 1].keys() >= values.keys()
        rows[place - 1] |= values
    made = io.StringIO()
    writer = csv.DictWriter(made, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return made.getvalue()


DOUBLED = {
    "dim_products": "product_number",
    "dim_customers": "customer_id",
}


def test_a_dimension_that_is_not_unique_is_caught(tmp_path: Path, shop: Shop) -> None:
    """The shipped tests, word for word, over facts that such a join would make."""
    files = tmp_path / "files"
    make_crm_erp(files, customers=20, seed=4)
    land_folder(shop, files)
    with shop.commands() as commands:
        published(commands)
    compiled = shop.root / ".snowmelt" / "dbt" / "target" / "compiled" / "crm_erp"
    shipped = (compiled / "tests" / "every_sale_counts_once.sql").read_text()
    gold = compiled / "models" / "gold" / "_gold.yml"
    unique = {
        (table, key): (gold / f"unique_{table}_{key}.sql").read_text()
        for table, key in DOUBLED.items()
    }
    copy = tmp_path / "warehouse.duckdb"  # the name is in dbt's SQL
    shutil.copyfile(shop.root / ".snowmelt" / "warehouse.duckdb", copy)
    with duckdb.connect(str(copy)) as warehouse:
        assert not warehouse.execute(shipped).fetchall()
        for table, key in DOUBLED.items():
            assert not warehouse.execute(unique[table, key]).fetchall()
            warehouse.execute("begin")
            warehouse.execute(f"insert into gold.{table} from gold.{table} limit 1")
            warehouse.execute(
                "create or replace table gold.fact_sales as select facts.* "
                f"from gold.fact_sales as facts join gold.{table} using ({key})"
            )
            caught = {row[0] for row in warehouse.execute(shipped).fetchall()}
            assert {"fact_sales: rows", "fact_sales: sales_amount"} <= caught
            assert warehouse.execute(unique[table, key]).fetchall()
            warehouse.execute("rollback")


def test_a_model_that_doubles_sales_is_not_published(tmp_path: Path) -> None:
    """fact_sales joined to all versions of a product: the run's tests stop it."""
    shop = make_shop(tmp_path / "shop", "crm-erp")
    model = shop.root / "models" / "gold" / "fact_sales.sql"
    text = model.read_text()
    broken = re.sub(r"    qualify row_number\(\).*?\) = 1\n", "", text, flags=re.S)
    assert broken != text
    model.write_text(broken)
    files = tmp_path / "files"
    make_crm_erp(files, customers=20, seed=4)
    land_folder(shop, files)
    with shop.commands() as commands:
        run = commands.run(None)["run"]
        assert run["state"] == "FAILED", run
        failed = {each["node"] for each in run["failures"]}
        # it stops what comes behind: the reports, and the test that adds them up
        assert failed == {
            "snowmelt_unique_combination_fact_sales_order_number__product_number"
        }
        assert ask(commands, "select count(*) from snowmelt.load_history") == [[6]]
