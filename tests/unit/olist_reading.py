"""Reads an Olist-shaped set back, with parsers the maker does not use."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from snowmelt.warehouse.duckdb.scratch import Connection

HEADERS = {
    "olist_customers_dataset": "customer_id,customer_unique_id,"
    "customer_zip_code_prefix,customer_city,customer_state",
    "olist_geolocation_dataset": "geolocation_zip_code_prefix,geolocation_lat,"
    "geolocation_lng,geolocation_city,geolocation_state",
    "olist_order_items_dataset": "order_id,order_item_id,product_id,seller_id,"
    "shipping_limit_date,price,freight_value",
    "olist_order_payments_dataset": "order_id,payment_sequential,payment_type,"
    "payment_installments,payment_value",
    "olist_order_reviews_dataset": "review_id,order_id,review_score,"
    "review_comment_title,review_comment_message,review_creation_date,"
    "review_answer_timestamp",
    "olist_orders_dataset": "order_id,customer_id,order_status,"
    "order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
    "order_delivered_customer_date,order_estimated_delivery_date",
    "olist_products_dataset": "product_id,product_category_name,"
    "product_name_lenght,product_description_lenght,product_photos_qty,"
    "product_weight_g,product_length_cm,product_height_cm,product_width_cm",
    "olist_sellers_dataset": "seller_id,seller_zip_code_prefix,seller_city,"
    "seller_state",
    "product_category_name_translation": "product_category_name,"
    "product_category_name_english",
}
CRLF = {
    "olist_products_dataset",
    "olist_sellers_dataset",
    "product_category_name_translation",
}
GROWING = ("customers", "orders", "order_items", "order_payments", "order_reviews")
TYPES = {
    "order_item_id": "integer",
    "payment_sequential": "integer",
    "payment_installments": "integer",
    "review_score": "integer",
    "product_name_lenght": "integer",
    "product_description_lenght": "integer",
    "product_photos_qty": "integer",
    "product_weight_g": "integer",
    "product_length_cm": "integer",
    "product_height_cm": "integer",
    "product_width_cm": "integer",
    "price": "decimal(12, 2)",
    "freight_value": "decimal(12, 2)",
    "payment_value": "decimal(12, 2)",
    "geolocation_lat": "double",
    "geolocation_lng": "double",
}
Rows = list[dict[str, str]]


def rows(path: Path) -> Rows:
    """Read a clean file with Python's reader: another parser than the maker's."""
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def table(directory: Path, name: str) -> Rows:
    return rows(directory / f"olist_{name}_dataset.csv")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*.csv"))
    }


def stem_of(path: Path) -> str:
    return next(stem for stem in HEADERS if path.name.startswith(stem))


def load(connection: Connection, path: Path, name: str) -> list[str]:
    """Load one file as a pipe would, typed and strict; return its columns."""
    stem = stem_of(path)
    columns = {
        column: TYPES.get(
            column,
            "timestamp" if column.endswith(("_date", "_at", "_timestamp")) else "text",
        )
        for column in HEADERS[stem].split(",")
    }
    # the strict reader finds \r\n by itself; told so, it takes the file as one line
    new_line = "" if stem in CRLF else ", new_line = '\\n'"
    connection.execute(
        f"create or replace table {name} as from read_csv($1, auto_detect = false, "
        f"header = true, columns = {columns}, delim = ',', quote = '\"', "
        f"escape = '\"', strict_mode = true, store_rejects = true{new_line})",
        [str(path)],
    )
    return list(columns)


def number(connection: Connection, query: str) -> int:
    found = connection.execute(query).fetchall()[0][0]
    assert isinstance(found, int)
    return found
