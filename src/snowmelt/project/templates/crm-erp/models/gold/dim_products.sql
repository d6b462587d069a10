-- Grain: one row per product number, its current version.
--
-- Sales name a product by its number alone. Where two product codes share a number (a product
-- that moved to another category) the one that started last stands for it: a second row would
-- double every sale that is joined to this table.

{{
    config(
        materialized='affected_keys',
        unique_key='product_number',
    )
}}

with

{% call snowmelt.affected() %}

    select product_number from {{ snowmelt.stream(ref('dim_products_history')) }}

{% endcall %}

current_versions as (

    select *
    from {{ ref('dim_products_history') }}
    where is_current and {{ snowmelt.is_affected('product_number') }}
    qualify row_number() over (
        partition by product_number order by start_date desc nulls last, product_code
    ) = 1

),

final as (

    select
        ---------- keys
        product_key,
        product_number,
        product_version_key,
        product_code,
        product_id,
        category_id,

        ---------- attributes
        product_name,
        category,
        subcategory,
        maintenance,
        product_line,

        ---------- money
        cost,

        ---------- times
        start_date

    from current_versions

)

select * from final
