-- Grain: one row per product that is known, or named in a transaction; see dim_customers.

{{
    config(
        materialized='affected_keys',
        unique_key='product_id',
    )
}}

{%- set attributes = [
    'product_id', 'name', 'category', 'brand', 'is_active', 'price', 'stock_quantity', 'rating',
] %}

with

{% call snowmelt.affected() %}

    select product_id
    from {{ snowmelt.stream(ref('products'), columns=attributes) }}

    union all

    select product_id
    from {{ snowmelt.stream(ref('transactions'), columns=['product_id']) }}
    where product_id not in (select product_id from {{ ref('products') }})

{% endcall %}

known as (

    select *
    from {{ ref('products') }}
    where {{ snowmelt.is_affected('product_id') }}

),

not_known as (

    select distinct product_id
    from affected
    where product_id not in (select product_id from known)

),

in_more_transactions as (

    select distinct product_id
    from {{ snowmelt.stream(ref('transactions'), columns=['product_id']) }}
    where "METADATA$ACTION" = 'INSERT'
        and product_id in (select product_id from not_known)

),

to_look_up as (

    select product_id
    from not_known
    where product_id not in (select product_id from in_more_transactions)

),

looked_up as (

    select distinct product_id
    from {{ ref('transactions') }}
    where product_id in (select product_id from to_look_up)

),

named_only as (

    select product_id from in_more_transactions

    union all

    select product_id from looked_up

),

final as (

    select
        ---------- keys
        product_id,

        ---------- attributes
        true as is_known,
        name,
        coalesce(category, 'Unknown') as category,
        brand,
        is_active,

        ---------- measures, money in EUR
        price,
        stock_quantity,
        rating

    from known

    union all by name

    select
        product_id,
        false as is_known,
        'Unknown' as category
    from named_only

)

select * from final
