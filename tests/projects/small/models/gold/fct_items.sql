-- Grain: one row per order and line; made again by order, all its lines together.

{{ config(materialized='affected_keys', unique_key=['order_id', 'line'], affected_by='order_id') }}

with

{% call snowmelt.affected() %}

    select order_id from {{ snowmelt.stream(ref('items')) }}

{% endcall %}

final as (

    select
        order_id,
        line,
        sku,
        price,
        quantity,
        cast(sum(quantity * price) over (partition by order_id) as decimal(18, 2)) as order_value,
        row_number() over (partition by order_id order by line) as position
    from {{ ref('items') }}
    where {{ snowmelt.is_affected('order_id') }}

)

select * from final
