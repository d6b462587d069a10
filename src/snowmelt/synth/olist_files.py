"""The nine published files of the Olist set: names, headers, habits."""

from __future__ import annotations

from dataclasses import dataclass

_ANY_RECORD = ("too_many_fields", "too_few_fields", "empty_id")


@dataclass(frozen=True)
class Shape:
    """One published file.

    `records` names the view that yields its records. `number_at`, `date_at` and
    `text_at` say which field (from 1) a damaged copy is damaged in; `kinds` are the
    kinds of damage that this file can show. A file uses one record terminator
    throughout; text inside quotes may hold others.
    """

    stem: str
    header: str
    records: str
    kinds: tuple[str, ...] = ()
    number_at: int = 0
    date_at: int = 0
    text_at: int = 0
    terminator: str = "\n"
    has_byte_order_mark: bool = False


CUSTOMERS = Shape(
    "olist_customers_dataset",
    "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,"
    "customer_state",
    "customers_records",
    (*_ANY_RECORD, "invalid_utf8"),
    text_at=4,
)
ORDERS = Shape(
    "olist_orders_dataset",
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,"
    "order_estimated_delivery_date",
    "orders_records",
    (*_ANY_RECORD, "impossible_date"),
    date_at=4,
)
ORDER_ITEMS = Shape(
    "olist_order_items_dataset",
    "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,"
    "freight_value",
    "order_items_records",
    (*_ANY_RECORD, "impossible_date", "text_in_number"),
    number_at=6,
    date_at=5,
)
ORDER_PAYMENTS = Shape(
    "olist_order_payments_dataset",
    "order_id,payment_sequential,payment_type,payment_installments,payment_value",
    "order_payments_records",
    (*_ANY_RECORD, "text_in_number"),
    number_at=5,
)
ORDER_REVIEWS = Shape(
    "olist_order_reviews_dataset",
    "review_id,order_id,review_score,review_comment_title,review_comment_message,"
    "review_creation_date,review_answer_timestamp",
    "order_reviews_records",
    (
        *_ANY_RECORD,
        "impossible_date",
        "text_in_number",
        "invalid_utf8",
        "text_after_quote",
    ),
    number_at=3,
    date_at=6,
    text_at=5,
)

GROWING = (CUSTOMERS, ORDERS, ORDER_ITEMS, ORDER_PAYMENTS, ORDER_REVIEWS)

WHOLE = (
    Shape(
        "olist_geolocation_dataset",
        "geolocation_zip_code_prefix,geolocation_lat,geolocation_lng,"
        "geolocation_city,geolocation_state",
        "geolocation_records",
    ),
    Shape(
        "olist_products_dataset",
        "product_id,product_category_name,product_name_lenght,"
        "product_description_lenght,product_photos_qty,product_weight_g,"
        "product_length_cm,product_height_cm,product_width_cm",
        "products_records",
        terminator="\r\n",
    ),
    Shape(
        "olist_sellers_dataset",
        "seller_id,seller_zip_code_prefix,seller_city,seller_state",
        "sellers_records",
        terminator="\r\n",
    ),
    Shape(
        "product_category_name_translation",
        "product_category_name,product_category_name_english",
        "category_translation_records",
        terminator="\r\n",
        has_byte_order_mark=True,
    ),
)
"""The files that do not grow with time, and stay whole in any number of parts."""

CORRECTED = ORDER_PAYMENTS
"""The file that is sent again with other content under the same name."""

RESENT = (ORDERS, ORDER_REVIEWS)
"""The files that are sent again with the same bytes under another name."""


def part_name(shape: Shape, part: int, parts: int) -> str:
    """Name part `part` (from 0) of a file that is written in `parts` parts."""
    if parts == 1 or shape in WHOLE:
        return f"{shape.stem}.csv"
    return f"{shape.stem}_{part + 1:04d}.csv"


def late_name(shape: Shape) -> str:
    """Name the file of the records that were left out and come later."""
    return f"late/{shape.stem}_late.csv"


def corrected_name(parts: int) -> str:
    """Name the file that corrects one already written: only the folder differs."""
    return f"corrected/{part_name(CORRECTED, 0, parts)}"


def resent_name(shape: Shape, parts: int) -> str:
    """Name the copy of a whole file."""
    return f"resent/{part_name(shape, 0, parts).removesuffix('.csv')}_copy.csv"


def names(*, parts: int, is_dirty: bool) -> list[str]:
    """List every file that a set has, in the order they are written."""
    found = [part_name(shape, 0, parts) for shape in WHOLE]
    found += [
        part_name(shape, part, parts) for shape in GROWING for part in range(parts)
    ]
    if is_dirty:
        found += [late_name(shape) for shape in GROWING]
        found += [corrected_name(parts)]
        found += [resent_name(shape, parts) for shape in RESENT]
    return found
