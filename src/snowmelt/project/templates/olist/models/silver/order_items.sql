-- Grain: one row per order and position in it, the newest version.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['order_id', 'order_item_id'],
    )
}}

with

arrived as (

    select * from {{ source('bronze', 'order_items') }}
    {{ since_last_read() }}

),

typed as (

    select
        ---------- keys
        nullif(trim(order_id), '') as order_id,
        order_item_id,
        nullif(trim(product_id), '') as product_id,
        nullif(trim(seller_id), '') as seller_id,

        ---------- money, BRL
        cast(price as decimal(18, 2)) as price,
        cast(freight_value as decimal(18, 2)) as freight_value,

        ---------- times
        cast(shipping_limit_date as timestamp) as shipping_limit_at,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

versions as (

    select * from typed

    {{ union_known_versions('typed', ['order_id', 'order_item_id']) }}

),

latest as (

    select *
    from versions
    where
        order_id is not null
        and order_item_id is not null
    qualify row_number() over (
        partition by order_id, order_item_id
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
