-- Grain: one row per order and product, as it was sent last.
--
-- Amount and price repair each other. An amount that is missing, not above 0 or not quantity x
-- |price| becomes quantity x |price|; a price that is missing or not above 0 becomes the amount as
-- it was sent / quantity, or |price| where no amount was sent. What neither can tell is refused.

{{
    config(
        materialized='latest_version',
        unique_key=['order_number', 'product_number'],
    )
}}

{% set usable_sales = 'case when sls_sales > 0 then sls_sales end' %}
{% set told_price = 'nullif(abs(sls_price), 0)' %}
{% set whole_quantity = 'case when sls_quantity between 1 and 1000000 then cast(floor(sls_quantity) as bigint) end' %}
{% set amount_by_price = snowmelt.try_decimal('sls_quantity * ' ~ told_price, 18, 2) %}

select
    ---------- keys
    {{ code_text('sls_ord_num') }} as order_number,
    {{ code_text('sls_prd_key') }} as product_number,
    {{ snowmelt.record_id('sls_cust_id') }} as customer_id,

    ---------- times
    {{ day_of('sls_order_dt') }} as order_date,
    {{ day_of('sls_ship_dt') }} as ship_date,
    {{ day_of('sls_due_dt') }} as due_date,

    ---------- measures, money as decimal(18, 2)
    coalesce({{ amount_by_price }}, cast({{ usable_sales }} as decimal(18, 2))) as sales_amount,
    sls_quantity as quantity,
    cast(
        case
            when sls_price > 0 then sls_price
            else coalesce({{ divided(usable_sales, whole_quantity) }}, {{ told_price }})
        end as decimal(18, 2)
    ) as price,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'sales_details') }}
